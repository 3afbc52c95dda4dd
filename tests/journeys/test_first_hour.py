"""From a network of units to a correct figure: a rack walked, a site begun, a unit exchanged, the ledger corrected."""

import asyncio
import csv
import json
import socket
from pathlib import Path

from patience import PATIENT_S
from sim_cases import make_farm
from typer.testing import CliRunner, Result
from web_cases import Served, served

from agent.commands.command_line import app
from agent.commands.listen import walk_rack
from agent.hil.listen.places_file import write_spots
from agent.hil.listen.receiver import receiving
from agent.hil.listen.walk import Walk
from simulators.farm.farm import Farm
from simulators.firmware.antminer import ip_report
from simulators.sockets.report_button import send
from simulators.unit.unit import Unit

NETWORK = "127.77.0.0/28"


async def run(*words: str) -> Result:
    """Run a command of hashsight."""
    return await asyncio.to_thread(CliRunner().invoke, app, list(words), env={"COLUMNS": "120"})


async def walked(units: list[Unit], out_file: Path) -> None:
    """Walk a rack: press the button of each simulated unit, each twice, and keep the places."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    walk = Walk("C1", "R01", "1", len(units))
    async with receiving("127.0.0.1", [port]) as receiver, asyncio.timeout(PATIENT_S):
        walking = asyncio.create_task(walk_rack(walk, receiver, None, lambda: write_spots(out_file, walk.spots)))
        for unit in units:
            host = unit.identity.host
            for _ in range(2):
                send(ip_report.report(host, unit.identity.mac), source=(host, 0), to=("127.0.0.1", port))
        await walking


def of(farm: Farm) -> str:
    """Return the range of a farm's addresses: beyond it, loopback addresses accept connections too."""
    return f"{farm.units[0].identity.host}-{farm.units[-1].identity.host}"


def ports(site: Served) -> list[str]:
    """Return the options that lead to a farm's ports."""
    return ["--port", str(site.api.port), "--web-port", str(site.web.port)]


async def test_a_rack_becomes_a_site_with_a_correct_figure(tmp_path: Path) -> None:
    """Places from buttons, models and bins from the units themselves, and deployed as it is."""
    farm = make_farm(6, mix="S21:200=50%,T21:190=50%")
    backwards = list(reversed(farm.units))
    await walked(backwards, tmp_path / "places.csv")
    async with served(farm) as site:
        folder = tmp_path / "alpha"
        words = ["--name", "alpha", "--zone", "UTC", "--network", NETWORK, *ports(site), "--range", of(farm)]
        begun = await run("init", str(folder), *words, "--place", f"mac:{tmp_path / 'places.csv'}")
        assert (begun.exit_code, begun.stderr) == (0, "")
        config = ["--config", str(folder / "site.toml")]
        shown = json.loads((await run("ledger", "show", *config, "--format", "json")).stdout)
        by_slot = {row["slot"]: row["serial"] for row in shown}
        assert by_slot == {str(slot): unit.identity.serial for slot, unit in enumerate(backwards, start=1)}
        checked = await run("check", *config)
        nameplate_th = sum(unit.identity.model.hashrate_hs for unit in farm.units) / 1e12
        assert f"6 units deployed, {nameplate_th / 1000:.2f} PH/s" in checked.stdout
        again = await run("scan", of(farm), *ports(site), *config, "--out", str(tmp_path / "again.csv"))
        assert again.exit_code == 0
        difference = await run("ledger", "diff", str(tmp_path / "again.csv"), *config)
        assert "differences: 0" in difference.stdout


async def test_a_ledger_is_corrected_by_a_scan(tmp_path: Path) -> None:
    """Two units that changed places and one of another model: named, imported, and then gone from the differences."""
    farm = make_farm(4, mix="S21:200=50%,T21:190=50%")
    async with served(farm) as site:
        folder = tmp_path / "alpha"
        words = ["--name", "alpha", "--zone", "UTC", "--network", NETWORK, *ports(site), "--range", of(farm)]
        assert (await run("init", str(folder), *words)).exit_code == 0
        config = ["--config", str(folder / "site.toml")]
        ledger = folder / "ledger.csv"
        rows = list(csv.DictReader(ledger.read_text(encoding="utf-8").splitlines()))
        rows[0]["host"], rows[1]["host"] = rows[1]["host"], rows[0]["host"]
        wrong = next(row for row in rows if row["model"] == "T21")
        wrong |= {"model": "S21", "hashrate_th": "200"}
        for row in rows:
            row["deployed_from"] = "2025-01-01"
        with ledger.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        new = str(tmp_path / "new.csv")
        await run("scan", of(farm), *ports(site), *config, "--out", new)
        difference = json.loads((await run("ledger", "diff", new, *config, "--json")).stdout)
        assert [each["kind"] for each in difference] == ["moved", "moved", "model"]
        assert difference[2]["unit_id"] == wrong["unit_id"]
        imported = await run("ledger", "import", new, *config, "--kind", "moved", "--kind", "model")
        assert imported.exit_code == 0, imported.output
        assert "differences: 0" in (await run("ledger", "diff", new, *config)).stdout
