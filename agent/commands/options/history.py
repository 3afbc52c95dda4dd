"""Options of `hashsight history`."""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.deferred import Group, command
from agent.commands.options.shared import ConfigPath, HistoryPath, PlainJson

app = typer.Typer(
    name="history",
    cls=Group,
    add_completion=False,
    no_args_is_help=True,
    help="Export, verify and seal the site's minute-by-minute history, or merge those of two agents.",
)


@command(
    app,
    examples=(
        "hashsight history export 2025-10 > october.csv",
        "hashsight history export --from 2025-10-07 --to 2025-10-08 --what changes",
        "hashsight history export 2025-10 --what chain > october.chain.jsonl",
    ),
)
def export(
    period: Annotated[str | None, typer.Argument(help="A month (2025-10), a quarter (2025-Q3) or a year.")] = None,
    *,
    config: ConfigPath = None,
    history: HistoryPath = None,
    start: Annotated[
        str | None, typer.Option("--from", help="ISO date or time, in the site's zone, instead of a period.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Likewise; not included.")] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--what", help="site, containers, owners, changes (of units' states), or chain: its links, JSON a line."
        ),
    ] = "site",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a row a line, instead of CSV.")] = False,
) -> None:
    """Print history as CSV in base units. A statement's digest is the SHA-256 of its period's CSV."""


@command(app, examples=("hashsight history merge first.sqlite second.sqlite --into month.sqlite",))
def merge(
    first: Annotated[Path, typer.Argument(help="The primary's history file.")],
    second: Annotated[Path, typer.Argument(help="The standby's history file.")],
    *,
    into: Annotated[Path, typer.Option("--into", help="The new file; the agents' own are not changed.")],
    as_json: PlainJson = False,
) -> None:
    """Put two agents' histories of one site together; each minute counts once, the first file's where both have it."""


@command(
    app,
    examples=(
        "hashsight history verify",
        "hashsight history verify --history site.history.sqlite --key site.history.key.pub --head seal.json",
        "hashsight history verify --witness 1812:2751632193640781",
    ),
)
def verify(
    *,
    config: ConfigPath = None,
    history: HistoryPath = None,
    key: Annotated[
        list[Path] | None,
        typer.Option("--key", help="Public key (PEM) that signs; default: the one beside the private key. Repeatable."),
    ] = None,
    heads: Annotated[
        Path | None,
        typer.Option("--heads", help="Log of heads, JSON a line; default: the log and latest head beside the history."),
    ] = None,
    head: Annotated[
        list[Path] | None,
        typer.Option("--head", help="A head or a seal that was kept elsewhere. Repeatable."),
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(
            "--witness",
            metavar="SEQ:CHECK",
            help="mining_history_chain_links and mining_history_chain_check at one moment. Repeatable.",
        ),
    ] = None,
    as_json: PlainJson = False,
) -> None:
    """Hold every kept row against its chain, and the chain against its signed heads. Exit code 1 names what differs."""


@command(
    app,
    examples=(
        "hashsight history seal --into seal.json --rfc3161 seal.tsq",
        'hashsight history seal --add seal.tsr --note "time stamp of seal.json"',
    ),
)
def seal(
    *,
    config: ConfigPath = None,
    history: HistoryPath = None,
    into: Annotated[Path | None, typer.Option("--into", help="Write the seal to this file; default: print it.")] = None,
    rfc3161: Annotated[
        Path | None,
        typer.Option("--rfc3161", metavar="FILE", help="Also write a time stamp request (RFC 3161, DER) of the seal."),
    ] = None,
    add: Annotated[
        Path | None,
        typer.Option("--add", help="Record this file's SHA-256 in the chain: a time stamp, a receipt, a scan."),
    ] = None,
    words: Annotated[str, typer.Option("--note", help="Words for --add, at most 500 characters.")] = "",
) -> None:
    """Write the latest signed head with its public key, to anchor it elsewhere. Nothing is sent."""
