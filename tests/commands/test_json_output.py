"""`--json` of commands that also print for people: the same content, in base units."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from history_cases import AT, DAY_S, hours, write
from programs import free_port
from typer.testing import CliRunner

from agent.commands.command_line import app

HEADER = "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site of two units with a day of history, in the working folder."""
    (tmp_path / "site.toml").write_text('[site]\nname = "alpha"\n[ledger]\nfile = "ledger.csv"\n', encoding="utf-8")
    port = free_port()
    rows = (f"u{slot},S21,200,127.77.0.{slot}:{port},C1,C1-R1,{slot},2025-01-01,,deployed\n" for slot in (1, 2))
    (tmp_path / "ledger.csv").write_text(HEADER + "".join(rows), encoding="utf-8")
    write(tmp_path / "site.history.sqlite", hours(AT, AT + DAY_S))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answer(*words: str) -> Any:
    """Return what a command prints as JSON; its notes are on standard error."""
    return json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)


@pytest.mark.usefixtures("folder")
def test_check_sums_what_is_deployed() -> None:
    """Units, bins and the ledger's digest; the configuration's own form is TOML, so `--show` is refused."""
    checked = answer("check")
    assert (checked["site"], checked["units"], checked["deployed_hs"]) == ("alpha", 2, 400e12)
    assert checked["models"] == [{"model": "S21", "bin_hs": 200e12, "units": 2, "deployed_hs": 400e12}]
    assert CliRunner().invoke(app, ["check", "--show", "--json"]).exit_code == 2


@pytest.mark.usefixtures("folder")
def test_once_says_where_a_unit_is() -> None:
    """Address and place are in every row, in JSON and, at 80 columns, in the table."""
    rows = answer("once")["unit_statuses"]
    assert [(row["host"], row["container"], row["rack"], row["slot"]) for row in rows] == [
        (f"127.77.0.{slot}", "C1", "C1-R1", str(slot)) for slot in (1, 2)
    ]
    shown = CliRunner().invoke(app, ["once"], env={"COLUMNS": "80"}).stdout
    (line,) = [line for line in shown.splitlines() if line.startswith("u2")]
    assert f"127.77.0.2:{rows[1]['port']}" in line
    assert "C1 R1 2" in line


@pytest.mark.usefixtures("folder")
def test_the_ledger_is_the_same_in_both_spellings() -> None:
    """`--json` of `show` is `--format json`; a change says row by row what it was, and whether it was written."""
    same = CliRunner().invoke(app, ["ledger", "show", "--format", "json"]).stdout
    assert answer("ledger", "show") == json.loads(same)
    changed = answer("ledger", "set", "u1", "--slot", "9", "--dry-run")
    assert changed["is_written"] is False
    assert [row["after"]["slot"] for row in changed["rows"] if row["before"] is None] == ["9"]
    assert answer("ledger", "set", "u1", "--slot", "9")["is_written"] is True
    assert answer("ledger", "set", "u1", "--slot", "9") == {**changed, "is_written": False, "rows": []}


def test_history_has_the_columns_of_its_csv(folder: Path) -> None:
    """Each row of the CSV is a row of the JSON, with absent values null."""
    text = CliRunner().invoke(app, ["history", "export"]).stdout
    table, rows = list(csv.DictReader(io.StringIO(text))), answer("history", "export")
    assert len(rows) == len(table) == 24
    assert list(rows[0]) == list(table[0])
    assert [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows] == table
    assert answer("history", "export", "--what", "containers") == []
    assert answer("statement", "2025-10")["period"] == "2025-10"
    write(folder / "other.sqlite", hours(AT + DAY_S, AT + 2 * DAY_S))
    merged = answer("history", "merge", "site.history.sqlite", "other.sqlite", "--into", "whole.sqlite")
    assert merged == {"minutes_first": 24, "minutes_second": 24, "minutes_completed": 0, "minutes_repeated": 0}
