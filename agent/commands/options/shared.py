"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

ConfigPath = Annotated[
    Path, typer.Option("--config", "-c", help="Site configuration (TOML); see deploy/site.example.toml.")
]
OptionalConfigPath = Annotated[Path | None, typer.Option("--config", "-c", help="Site configuration (TOML).")]
HistoryPath = Annotated[Path | None, typer.Option("--history", help="History file, instead of a configuration.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON in base units (H/s, W, °C, s).")]
PlainJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AnyAddress = Annotated[bool, typer.Option("--any-address", help="Also ask public addresses. They get no password.")]
