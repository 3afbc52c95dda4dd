"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

# `site_file` looks in these places.
ConfigPath = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Site configuration (TOML). Default: $HASHSIGHT_CONFIG, ./site.toml or /etc/hashsight/site.toml.",
    ),
]
OptionalConfigPath = Annotated[Path | None, typer.Option("--config", "-c", help="Site configuration (TOML).")]
HistoryPath = Annotated[Path | None, typer.Option("--history", help="History file, instead of a configuration.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON in base units (H/s, W, °C, s).")]
PlainJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Url = Annotated[str | None, typer.Option("--url", help="Address of the agent; overrides the one in the configuration.")]
CaFile = Annotated[
    Path | None, typer.Option("--ca-file", help="Authorities to trust for https; default: the system's.")
]
AnyAddress = Annotated[bool, typer.Option("--any-address", help="Also ask public addresses. They get no password.")]
PlaceRules = Annotated[
    list[str] | None,
    typer.Option(
        "--place",
        metavar="RULE",
        help="Where units stand: 10.{rack}.0.{slot}, or 10.20.{c}.{n} -> container=C{c} rack=R{n//40:02}"
        " slot={n%40}, or worker:REGEX with groups named container, rack and slot, or mac:FILE.csv with MAC addresses"
        " and places. May be repeated: the first rule that fits a unit counts.",
    ),
]
