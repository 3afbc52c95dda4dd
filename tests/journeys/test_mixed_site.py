"""A site of real and simulated units: which are shown, and which are counted."""

import csv
import re
from ipaddress import ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from paths import CAPTURES
from programs import agent, farm, get, get_json
from shared_farm import SharedFarm, shared_farm

from agent.site.ledger.reader import read_ledger
from agent.unit.nameplate import shipped_catalogue

UNITS, REAL = 12, 5

dozen = shared_farm(units=UNITS)


def _make_real(ledger: Path) -> None:
    """Clear the `simulated` column of the first rows, which then count as real machines if the column decides."""
    with ledger.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows[:REAL]:
        row["simulated"] = ""
    with ledger.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _give_serials(ledger: Path, count: int) -> None:
    """Give the first rows serial numbers and MAC addresses such as machines have; the units' own would not fit."""
    with ledger.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows[:count]):
        row["serial"], row["mac"] = f"DGAHDP9BDJHAE{number:04d}", ""
    with ledger.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    ("count_simulated", "counted", "banner"),
    [(False, REAL, "excluded from all figures"), (True, UNITS, "counted like real machines")],
)
async def test_simulated_units_beside_real_ones_count_only_if_configured(
    tmp_path: Path, dozen: SharedFarm, *, count_simulated: bool, counted: int, banner: str
) -> None:
    """Beside real units, simulated ones carry a label and count in no figure unless `count_simulated` is set."""
    _make_real(dozen.copy_ledger(tmp_path))
    async with agent(tmp_path, count_simulated=count_simulated, detect_simulated=False) as (running, url):
        site = await get_json(f"{url}/api/v1/site")
        _, exposition = await get(f"{url}/metrics")
        _, page = await get(f"{url}/")
        said = running.said
    assert (site["units"], site["simulated_units"]) == (counted, UNITS - REAL)
    assert site["figures"]["units"] == counted
    assert site["is_simulated_counted"] is count_simulated
    assert exposition.count("\nminer_info{") == UNITS
    assert exposition.count('simulated="true"') == UNITS - REAL
    assert banner in page
    assert ("simulated units count" in said) is count_simulated


async def test_the_column_does_not_make_a_simulator_real(tmp_path: Path, dozen: SharedFarm) -> None:
    """Units on loopback addresses stay simulated with an empty column; the page names the key that says otherwise."""
    _make_real(dozen.copy_ledger(tmp_path))
    async with agent(tmp_path, count_simulated=False) as (running, url):
        site = await get_json(f"{url}/api/v1/site")
        _, page = await get(f"{url}/")
        said = running.said
    assert (site["units"], site["simulated_units"], site["is_simulated_counted"]) == (UNITS, UNITS, True)
    assert "(ledger.detect_simulated)" in page
    assert "ledger.detect_simulated" in said


async def test_twins_of_real_units_are_simulated_units(tmp_path: Path) -> None:
    """Beside the machines they are twins of, twins are shown and not counted, with the machines' model and firmware.

    Their serial numbers alone give them away, at whatever address and with whatever in the column.
    """
    twins = ("--like", str(CAPTURES / "s19pro-stock-202212"))
    async with farm(tmp_path, units=UNITS, options=twins):
        ledger = tmp_path / "ledger.csv"
        _make_real(ledger)
        _give_serials(ledger, REAL)
        async with agent(tmp_path, count_simulated=False, detect_simulated=False) as (_, url):
            site = await get_json(f"{url}/api/v1/site")
            _, exposition = await get(f"{url}/metrics")
        assert (site["units"], site["simulated_units"], site["is_simulated_counted"]) == (REAL, UNITS - REAL, False)
        assert exposition.count('simulated="true"') == UNITS - REAL
    catalogue = shipped_catalogue()
    text = re.sub(r"127\.10\.0\.", "10.0.0.", ledger.read_text(encoding="utf-8")).replace(",yes", ",")
    entries = read_ledger(
        text, "ledger.csv", catalogue=catalogue, zone=ZoneInfo("UTC"), networks=(ip_network("10.0.0.0/8"),)
    ).entries
    assert [entry.is_simulated for entry in entries] == [False] * REAL + [True] * (UNITS - REAL)


async def test_a_site_of_simulators_alone_counts_them_and_says_so(tmp_path: Path, dozen: SharedFarm) -> None:
    """A site without real units counts its simulated ones, with a warning in the log and on the page."""
    dozen.copy_ledger(tmp_path)
    async with agent(tmp_path, count_simulated=False) as (running, url):
        site = await get_json(f"{url}/api/v1/site")
        _, page = await get(f"{url}/")
        assert site["figures"]["units"] == UNITS
        assert "counted like real machines" in page
        assert "simulated units count" in running.said
