"""`hashsight ledger export`, and ledgers that come back from a spreadsheet."""

import csv
import json
import stat
from pathlib import Path

import openpyxl
import pytest
from typer.testing import CliRunner, Result

from agent.commands.command_line import app

CONFIG = '[site]\nname = "alpha"\nzone = "America/Chicago"\n[ledger]\nfile = "ledger.csv"\n'
HEADER = "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status,serial,mac"
TEXT = f"""\
{HEADER}
u1,S21,200,10.0.0.1,C1,R1,01,2025-01-01,2025-06-01,deployed,0012,
u1,S21,200,10.0.0.1,C2,R1,01,2025-06-01,,deployed,0012,
u2,T21,190,10.0.0.2:4030,C1,R1,2,2025-03-01T06:00:00-06:00,,maintenance,,02:00:00:00:00:02
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a site's configuration with a ledger of two units; u1 has moved."""
    (tmp_path / "site.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "ledger.csv").write_text(TEXT, encoding="utf-8")
    return tmp_path / "site.toml"


def run(site: Path, *words: str) -> Result:
    """Run a command of `hashsight ledger`."""
    return CliRunner().invoke(app, ["ledger", *words, "--config", str(site)])


def shown(site: Path) -> list[dict[str, str]]:
    """Return the units deployed now, as `ledger show` prints them."""
    rows: list[dict[str, str]] = json.loads(run(site, "show", "--format", "json").stdout)
    return rows


def test_a_workbook_has_every_row_and_is_the_same_ledger(site: Path) -> None:
    """Dates, ports, serial numbers with leading zeros: `ledger diff` finds no difference to what was exported."""
    book = site.with_name("all.xlsx")
    exported = run(site, "export", str(book))
    assert (exported.exit_code, exported.stdout) == (0, f"3 rows written to {book}\n")
    assert run(site, "diff", str(book)).stdout == "differences: 0\n"
    sheet = openpyxl.load_workbook(book).active
    assert sheet is not None
    assert [sheet["A2"].value, sheet["C2"].value, sheet["G2"].value, sheet["K2"].value] == ["u1", 200, "01", "0012"]


def test_what_was_edited_in_the_workbook_is_imported(site: Path) -> None:
    """A changed cell and a new row, as a spreadsheet saves them: numbers for numbers, dates for dates."""
    path = site.with_name("now.xlsx")
    assert run(site, "export", str(path), "--at", "2026-01-01").exit_code == 0
    book = openpyxl.load_workbook(path)
    sheet = book.active
    assert sheet is not None
    assert sheet.max_row == 3
    sheet["F2"] = "R9"
    for column in ("H2", "H3"):
        sheet[column] = None
    sheet.append(["u3", "S21", 195, "10.0.0.3", "C1", "R1", 3, None, None, "deployed"])
    book.save(path)
    imported = run(site, "import", str(path), "--at", "2026-02-01")
    assert imported.exit_code == 0, imported.output
    rows = {row["unit_id"]: row for row in shown(site)}
    assert {unit: (row["rack"], row["slot"], row["hashrate_th"]) for unit, row in rows.items()} == {
        "u1": ("R9", "01", "200"),
        "u2": ("R1", "2", "190"),
        "u3": ("R1", "3", "195"),
    }
    assert rows["u3"]["deployed_from"] == "2026-02-01"


def test_a_mistake_in_a_workbook_names_its_cell(site: Path) -> None:
    """The ledger stays as it was."""
    path = site.with_name("bad.xlsx")
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["unit_id", "hashrate_th"])
    sheet.append(["u1", "=100*2"])
    book.save(path)
    refused = run(site, "import", str(path))
    assert refused.exit_code == 2
    assert "Sheet!B2" in refused.stderr
    assert "formula" in refused.stderr
    assert site.with_name("ledger.csv").read_text(encoding="utf-8") == TEXT


def test_netbox_gets_the_units_deployed_at_a_moment(site: Path) -> None:
    """A device a unit, with the fields of its import form."""
    path = site.with_name("devices.csv")
    assert run(site, "export", str(path), "--role", "ASIC", "--at", "2025-04-01").exit_code == 0
    devices = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert devices == [
        {
            "name": "u1",
            "role": "ASIC",
            "manufacturer": "Bitmain",
            "device_type": "S21",
            "serial": "0012",
            "status": "active",
            "site": "alpha",
            "location": "C1",
            "rack": "R1",
            "description": "slot 01",
            "comments": "200 TH/s, 10.0.0.1",
        },
        {
            "name": "u2",
            "role": "ASIC",
            "manufacturer": "Bitmain",
            "device_type": "T21",
            "serial": "",
            "status": "offline",
            "site": "alpha",
            "location": "C1",
            "rack": "R1",
            "description": "slot 2",
            "comments": "190 TH/s, 10.0.0.2, 02:00:00:00:00:02",
        },
    ]


def test_file_sd_has_a_target_a_unit(site: Path) -> None:
    """With the labels that the agent's own metrics have."""
    path = site.with_name("targets.json")
    assert run(site, "export", str(path)).exit_code == 0
    groups = json.loads(path.read_bytes())
    assert [group["targets"] for group in groups] == [["10.0.0.1:4028"], ["10.0.0.2:4030"]]
    assert groups[0]["labels"] == {
        "site": "alpha",
        "unit": "u1",
        "container": "C2",
        "rack": "R1",
        "slot": "01",
        "model": "S21",
    }


def test_prometheus_may_read_its_targets_and_a_file_keeps_its_mode(site: Path) -> None:
    """New targets are readable for every user, a workbook is private, and a file that was there stays as it was."""
    targets, book = site.with_name("targets.json"), site.with_name("now.xlsx")
    for path in (targets, book):
        assert run(site, "export", str(path)).exit_code == 0
    assert [stat.S_IMODE(path.stat().st_mode) for path in (targets, book)] == [0o644, 0o600]
    targets.chmod(0o640)
    assert run(site, "export", str(targets)).exit_code == 0
    assert stat.S_IMODE(targets.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("name", "words", "reason"),
    [
        ("ledger.csv", (), "this is the ledger itself"),
        ("ledger.ods", (), "a name that ends in .xlsx, .csv or .json is expected, or --format"),
        ("a.csv", ("--format", "sheet"), "is not one of"),
    ],
)
def test_what_cannot_be_exported_is_refused(site: Path, name: str, words: tuple[str, ...], reason: str) -> None:
    """Nothing is written."""
    path = site.with_name(name)
    before = path.read_text(encoding="utf-8") if path.exists() else None
    refused = run(site, "export", str(path), *words)
    assert refused.exit_code == 2
    assert reason in " ".join(refused.stderr.split())
    assert (path.read_text(encoding="utf-8") if path.exists() else None) == before
