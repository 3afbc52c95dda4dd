"""Options of `hashsight ledger`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from agent.commands.deferred import Group, command
from agent.commands.options.shared import ConfigPath, PlaceRules, PlainJson
from agent.hil.review.kinds import Kind

app = typer.Typer(
    name="ledger",
    cls=Group,
    add_completion=False,
    no_args_is_help=True,
    help="Show, compare and change the dated list of what is deployed. Changes leave the past as it was.",
)


class Form(StrEnum):
    """Format of printed rows."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class ExportForm(StrEnum):
    """Format of an exported ledger."""

    XLSX = "xlsx"
    NETBOX = "netbox"
    FILE_SD = "file-sd"


At = Annotated[
    str | None, typer.Option("--at", help="Date or time as in the ledger, in the site's zone; default: now.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check and print what would change; write nothing.")]


@command(
    app,
    examples=(
        "hashsight ledger show",
        "hashsight ledger show C3-R05-12",
        "hashsight ledger show --at 2025-10-01 --format csv",
    ),
)
def show(
    unit: Annotated[str | None, typer.Argument(help="Print every row of this unit, and its changes.")] = None,
    *,
    config: ConfigPath = None,
    at: At = None,
    form: Annotated[Form, typer.Option("--format", help="Output format.")] = Form.TABLE,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Print the units deployed at a moment, or every row of one unit."""


@command(
    app,
    examples=(
        "hashsight ledger export ledger.xlsx",
        "hashsight ledger export targets.json --format file-sd",
    ),
)
def export(
    file: Annotated[Path, typer.Argument(help="File to write; it is replaced whole.")],
    *,
    config: ConfigPath = None,
    form: Annotated[
        ExportForm | None,
        typer.Option("--format", help="Default: by the file's name, .xlsx, .csv (NetBox) or .json (file_sd)."),
    ] = None,
    at: At = None,
    role: Annotated[str, typer.Option(help="NetBox role of the devices.")] = "Miner",
) -> None:
    """Write the ledger for another program: a workbook, NetBox's device import, or Prometheus' file_sd.

    A workbook has every dated row, and `ledger import` reads it back; with --at it has the units deployed then, as the
    others have of now. NetBox's site, manufacturers, device types, locations (containers) and racks must exist there.
    """


@command(
    app,
    examples=(
        "hashsight ledger diff proposal.csv",
        "hashsight ledger diff --from 2025-10-01 --to 2025-11-01",
    ),
)
def diff(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Two ledgers; or one, or a scan's proposal, compared with the site's; or none, for two moments of it."
        ),
    ] = None,
    *,
    config: ConfigPath = None,
    start: Annotated[str | None, typer.Option("--from", help="Moment at which to read the first ledger.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Moment at which to read the second; default: now.")] = None,
    as_json: PlainJson = False,
) -> None:
    """Print the differences between two ledgers, row by row, between two moments, or between ledger and proposal.

    Against a proposal: new, moved, exchanged, another model or bin, identity to fill in, unreadable, gone.
    """


@command(app, examples=("hashsight ledger verify",))
def verify(*, config: ConfigPath = None, as_json: PlainJson = False) -> None:
    """Check that the ledger's journal is as it was written; exit 1 if it is not.

    Each line names the hash of those before it. The running agent keeps that hash in the history's chain, so a journal
    that was cut off or written anew is found too.
    """


@command(app, examples=("hashsight ledger check", "hashsight ledger check --json"))
def check(*, config: ConfigPath = None, as_json: PlainJson = False) -> None:
    """Print rows that their units contradict: model or bin, with the command that corrects each. Asks no unit.

    It shows what the agent found when it last looked, at most an hour ago while it runs. Exit 1 if a row differs.
    """


@command(
    app,
    "set",
    examples=(
        "hashsight ledger set C3-R05-12 --status maintenance",
        "hashsight ledger set C3-R05-12 --host 10.20.3.77 --dry-run",
    ),
)
def set_unit(
    unit: Annotated[str, typer.Argument(help="Unit id.")],
    *,
    config: ConfigPath = None,
    at: At = None,
    host: Annotated[str | None, typer.Option(help="Address, with :port if that is not 4028.")] = None,
    web_port: Annotated[str | None, typer.Option(help="Port of its web pages; empty for the site's default.")] = None,
    container: Annotated[str | None, typer.Option(help="Container.")] = None,
    rack: Annotated[str | None, typer.Option(help="Rack.")] = None,
    slot: Annotated[str | None, typer.Option(help="Slot in the rack.")] = None,
    status: Annotated[str | None, typer.Option(help="deployed or maintenance; brings back a removed unit.")] = None,
    model: Annotated[str | None, typer.Option(help="Model, as in the catalogue.")] = None,
    hashrate_th: Annotated[str | None, typer.Option(help="Hashrate bin on its label, TH/s.")] = None,
    serial: Annotated[str | None, typer.Option(help="Serial number.")] = None,
    mac: Annotated[str | None, typer.Option(help="MAC address.")] = None,
    simulated: Annotated[str | None, typer.Option(help="yes if a simulator answers at its address.")] = None,
    reader: Annotated[str | None, typer.Option(help="Name of its reader; empty to choose by what it says.")] = None,
    make: Annotated[str | None, typer.Option(help="Make of a machine that the catalogue does not have.")] = None,
    power_w: Annotated[str | None, typer.Option(help="Its rated power, W.")] = None,
    boards: Annotated[str | None, typer.Option(help="Its hashboards.")] = None,
    chips_per_board: Annotated[str | None, typer.Option(help="Chips on each of them.")] = None,
    owner: Annotated[str | None, typer.Option(help="Whose unit it is, at a site that hosts units of others.")] = None,
    is_new: Annotated[bool, typer.Option("--new", help="Deploy a unit that is not in the ledger.")] = False,
    is_removed: Annotated[bool, typer.Option("--removed", help="Remove the unit.")] = False,
    is_swap: Annotated[
        bool, typer.Option("--swap", help="Exchange address or place with the unit that has the new one.")
    ] = False,
    is_dry: DryRun = False,
    as_json: PlainJson = False,
) -> None:
    """Change one unit from a moment on: its row ends then and a new one begins. The past stays as it was."""


@command(
    app,
    "import",
    examples=(
        "hashsight ledger import proposal.csv --kind new --kind moved",
        "hashsight ledger import delivery.csv --at 2025-11-03 --dry-run",
    ),
)
def import_table(
    file: Annotated[
        Path, typer.Argument(help="CSV or workbook (.xlsx) with a header of ledger columns, or a scan's proposal.")
    ],
    *,
    config: ConfigPath = None,
    at: At = None,
    kind: Annotated[
        list[Kind] | None,
        typer.Option("--kind", help="Of a proposal: which differences to import; may be repeated. Default: new."),
    ] = None,
    place: PlaceRules = None,
    with_guesses: Annotated[
        bool, typer.Option("--guessed", help="Of a proposal: also change bins that the scan worked out.")
    ] = False,
    is_dry: DryRun = False,
    as_json: PlainJson = False,
) -> None:
    """Import rows of another table: new units are added, known ones change. Empty cells change nothing.

    A row without deployed_from takes effect at --at. All rows are imported, or none. Commas, semicolons or tabs
    separate cells; columns that a ledger does not have are left out. Of a proposal, the kinds of differences that
    `ledger diff` shows are chosen with --kind.
    """
