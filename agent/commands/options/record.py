"""Options of `hashsight record`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from agent.commands.deferred import command
from agent.commands.options.shared import AnyAddress, Json, OptionalConfigPath

app = typer.Typer(add_completion=False)


class Through(StrEnum):
    """A state that a recording goes through."""

    BOOT = "boot"
    RAMP = "ramp"
    HASHING = "hashing"
    SLEEP = "sleep"
    FAULT = "fault"
    OFF = "off"


@command(
    app,
    examples=(
        "hashsight record 10.20.0.11 -o captures",
        "hashsight record 10.20.0.11 --through boot --for 20m -o captures",
    ),
)
def record(
    hosts: Annotated[
        list[str] | None,
        typer.Argument(metavar="HOST", help="IP addresses of units, with :port if that is not 4028."),
    ] = None,
    *,
    config: OptionalConfigPath = None,
    for_text: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="Go on for so long, such as 20m; at most 24h.")
    ] = None,
    every_text: Annotated[
        str, typer.Option("--every", metavar="TIME", help="Time between two looks, 5s at least.")
    ] = "30s",
    through: Annotated[
        Through | None,
        typer.Option("--through", help="Go on until the unit was in this state and left it; --for bounds it, or 2h."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder in which each capture gets its own; default: this one.")
    ] = None,
    logins: Annotated[
        Path | None,
        typer.Option("--logins", help="File of mode 0600 with a line 'NETWORK USER PASSWORD': read the web pages too."),
    ] = None,
    user: Annotated[str | None, typer.Option("--user", help="User of the web pages, with --password-file.")] = None,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="File of mode 0600 with that user's password.")
    ] = None,
    web_port: Annotated[
        int | None, typer.Option("--web-port", min=1, max=65535, help="Port of the web pages; default: 80.")
    ] = None,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0.1, max=60, help="Time allowed for each answer, in seconds.")
    ] = 10.0,
    any_address: AnyAddress = False,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep", metavar="PATH", help="Leave the texts at this path as they are: STATS.*.state; may be repeated."
        ),
    ] = None,
    is_redacted: Annotated[
        bool, typer.Option("--redact/--no-redact", help="Replace what is private, or write a private capture.")
    ] = True,
    is_agreed: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")] = False,
    finish: Annotated[
        list[Path] | None,
        typer.Option("--finish", metavar="FILE", help="Make the capture from a NAME.partial file; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Record what a unit says, byte for byte, as a capture that can be replayed. Only reads.

    Every report is asked for in both dialects on one connection at a time, then what its firmware has besides; with a
    login, its web pages too. Ports 22, 80, 443, 6060, 8080 and 50051 get one connection without a byte, to note whether
    they are open, refuse or are silent. Over time, each new shape of a reply, each state and the last look are kept.

    Serial numbers, MAC addresses, users, pool accounts and public addresses are replaced by pseudonyms; what was
    replaced is shown before anything is written. Ctrl-C ends a recording early, and nothing is lost.
    """
