"""`--place` of `hashsight scan`: rows of the proposal in their places, and what no rule fits."""

import asyncio
import csv
from pathlib import Path

from sim_cases import make_farm
from typer.testing import CliRunner, Result
from web_cases import Served, served

from agent.commands.command_line import app

ALL = "127.77.0.1-127.77.0.4"


async def scan(site: Served, out_file: Path, *rules: str) -> Result:
    """Scan a farm into a proposal."""
    words = ["scan", ALL, "--port", str(site.api.port), "--web-port", str(site.web.port), "--out", str(out_file)]
    words += [word for rule in rules for word in ("--place", rule)]
    return await asyncio.to_thread(CliRunner().invoke, app, words, env={"COLUMNS": "80"})


def places(out_file: Path) -> list[tuple[str, str, str]]:
    """Return the places in a proposal."""
    rows = csv.DictReader(out_file.read_text(encoding="utf-8").splitlines())
    return [(row["container"], row["rack"], row["slot"]) for row in rows]


async def test_a_list_then_an_address_then_nothing(tmp_path: Path) -> None:
    """Rules are tried in order, and units that none fits are named on the standard error."""
    farm = make_farm(4)
    listed = tmp_path / "dcim.csv"
    listed.write_text(f"MAC Address;Location;Rack;Position\n{farm.units[3].identity.mac};C9;R9;40\n", encoding="utf-8")
    async with served(farm) as site:
        result = await scan(site, tmp_path / "new.csv", f"mac:{listed}", "127.77.0.{n} -> container=C1 slot={n - 2}")
    assert result.exit_code == 0
    assert places(tmp_path / "new.csv") == [("", "", ""), ("C1", "", "0"), ("C1", "", "1"), ("C9", "R9", "40")]
    assert "note: no --place rule fits 1 of 4 units: 127.77.0.1:" in result.stderr


async def test_worker_names_give_places(tmp_path: Path) -> None:
    """The name at the pool in use, of each unit."""
    farm = make_farm(4)
    async with served(farm) as site:
        result = await scan(site, tmp_path / "new.csv", r"worker:(?P<container>C\d+)-(?P<rack>R\d+)-(?P<slot>\d+)$")
    assert (result.exit_code, result.stderr) == (0, "")
    assert places(tmp_path / "new.csv") == [tuple(unit.identity.unit_id.split("-")) for unit in farm.units]


async def test_a_bad_rule_stops_before_the_scan(tmp_path: Path) -> None:
    """Nothing is asked and nothing is written."""
    farm = make_farm(4)
    async with served(farm) as site:
        result = await scan(site, tmp_path / "new.csv", f"mac:{tmp_path / 'none.csv'}", "10.{x}.1.1")
        requests = site.api.journal.total
    assert (result.exit_code, requests) == (2, 0)
    assert "none.csv: file: cannot be read: No such file or directory" in result.stderr
    assert "scan: --place = '10.{x}.1.1': octets are named" in result.stderr
    assert not (tmp_path / "new.csv").exists()
