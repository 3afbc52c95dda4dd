"""The ledger for other programs: a workbook, NetBox's device import, and Prometheus' file-based service discovery."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from agent.commands.ledger_site import LedgerSite
from agent.commands.ledger_text import counted
from agent.commands.options.ledger import ExportForm
from agent.commands.terminal import out, usage_error
from agent.files.atomic import replace_file
from agent.files.workbook import workbook
from agent.site.ledger.compare import cells_of
from agent.site.ledger.entries import LedgerEntry
from agent.site.ledger.reader import COLUMNS
from agent.unit.limits import HS_PER_THS

NUMERIC = frozenset({"hashrate_th", "web_port", "power_w", "boards", "chips_per_board"})

NETBOX_COLUMNS = (
    "name",
    "role",
    "manufacturer",
    "device_type",
    "serial",
    "status",
    "site",
    "location",
    "rack",
    "description",
    "comments",
)
"""Source: the fields of NetBox 4's device import form (netbox/dcim/forms/bulk_import.py). A rack's `position` is in
height units there, which a slot of a mining rack is not, so the slot stands in `description`.
"""

OPEN_MODE = 0o644
"""Mode of new targets: Prometheus reads them as a user of its own. A file that is there keeps owner and mode."""

_BY_SUFFIX = {".xlsx": ExportForm.XLSX, ".csv": ExportForm.NETBOX, ".json": ExportForm.FILE_SD}


def write_export(site: LedgerSite, file: Path, *, form: ExportForm | None, moment: float | None, role: str) -> None:
    """Write a ledger to a file, and say what is in it.

    Args:
        site: The ledger.
        file: The file to write.
        form: Its format; None to go by the file's name.
        moment: Unix time, s, of the units to write; None for every row in a workbook, else for now.
        role: NetBox role of the devices.

    Raises:
        ConfigError: If the file is the ledger itself, or its name says no format.
        OSError: If it cannot be written.
    """
    chosen = form or _BY_SUFFIX.get(file.suffix.lower())
    if chosen is None:
        reason = "a name that ends in .xlsx, .csv or .json is expected, or --format"
        raise usage_error("ledger export", "FILE", str(file), reason)
    if file.exists() and site.file.exists() and file.samefile(site.file):
        raise usage_error("ledger export", "FILE", str(file), "this is the ledger itself")
    entries: Sequence[LedgerEntry] = site.read(site.file)
    if chosen is not ExportForm.XLSX or moment is not None:
        at = site.now if moment is None else moment
        entries = [entry for entry in entries if entry.is_deployed_at(at)]
    if chosen is ExportForm.XLSX:
        data = workbook("ledger", COLUMNS, (cells_of(entry, site.zone) for entry in entries), numeric=NUMERIC)
    elif chosen is ExportForm.NETBOX:
        data = netbox_csv(entries, site=site.name, role=role).encode()
    else:
        data = file_sd(entries, site=site.name)
    is_there = file.is_file()
    is_open = chosen is ExportForm.FILE_SD and not is_there
    replace_file(file, data, like=file if is_there else None, mode=OPEN_MODE if is_open else None)
    out.print(f"{counted(len(entries), 'row')} written to {file}", markup=False, soft_wrap=True)


def netbox_csv(entries: Iterable[LedgerEntry], *, site: str, role: str) -> str:
    """Return units as NetBox's device import reads them."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(NETBOX_COLUMNS)
    for entry in entries:
        place, plate = entry.place, entry.nameplate
        facts = (f"{plate.hashrate_hs / HS_PER_THS:g} TH/s", entry.host, entry.mac or "")
        table.writerow(
            (
                entry.unit_id,
                role,
                plate.make,
                plate.model,
                entry.serial or "",
                "offline" if entry.is_in_maintenance else "active",
                site,
                place.container,
                place.rack,
                f"slot {place.slot}" if place.slot else "",
                ", ".join(fact for fact in facts if fact),
            )
        )
    return text.getvalue()


def file_sd(entries: Iterable[LedgerEntry], *, site: str) -> bytes:
    """Return units as targets of Prometheus' ``file_sd_configs``, such as for a blackbox exporter's TCP probe.

    Labels are those of the agent's own metrics, so that both can be joined.
    Source: prometheus.io, "Use file-based service discovery": a list of groups with `targets` and `labels`.
    """
    groups: list[dict[str, Any]] = [
        {
            "targets": [f"[{entry.host}]:{entry.port}" if ":" in entry.host else f"{entry.host}:{entry.port}"],
            "labels": {
                "site": site,
                "unit": entry.unit_id,
                "container": entry.place.container,
                "rack": entry.place.rack,
                "slot": entry.place.slot,
                "model": entry.nameplate.model,
            },
        }
        for entry in entries
    ]
    return msgspec.json.format(msgspec.json.encode(groups), indent=1) + b"\n"
