"""Two real agents on one site: killed, started again, and parted; each minute and each figure counted once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cut_wire import Wire, wire
from programs import Program, agent, farm, get, get_json, until

UNITS = 40
INTERVAL_S = 3.0
PATIENT_S = 120.0


class Two:
    """A primary that can be ended and started, and its standby.

    Attributes:
        standby, url: The standby and its address.
        wire: Its only path to the primary.
        truth: True operational efficiency of the farm.
    """

    def __init__(self, standby: Program, url: str, path: Wire, truth: float) -> None:
        self.standby, self.url, self.wire, self.truth = standby, url, path, truth

    async def until_role(self, role: str) -> Any:
        """Wait until the standby has this role, and figures if it is active; return its answer about the site."""

        async def has_role() -> Any:
            site = await get_json(f"{self.url}/api/v1/site")
            has_figures = site is not None and site["figures"] is not None
            return site if site and site["role"] == role and has_figures is (role == "active") else None

        return await until(has_role, self.standby, PATIENT_S)

    async def until_ready(self) -> None:
        """Wait until the standby's figures may be believed."""

        async def is_ready() -> bool:
            return (await get(f"{self.url}/readyz"))[0] == 200

        await until(is_ready, self.standby, PATIENT_S)

    async def until_looking(self) -> None:
        """Wait until the standby has looked at some units, as a standby does all the time."""

        async def has_looked() -> bool:
            units = (await get_json(f"{self.url}/api/v1/units?limit=1000"))["units"]
            return any(unit["state"] is not None for unit in units)

        await until(has_looked, self.standby, PATIENT_S)

    async def series(self) -> set[str]:
        """Return the names of the standby's series of the site and its units, with how many each has."""
        _, text = await get(f"{self.url}/metrics")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        names = {line.partition("{")[0].partition(" ")[0] for line in lines}
        return {name for name in names if not name.startswith(("miner_agent_", "process_", "python_"))}

    async def is_active(self) -> float:
        """Return `miner_agent_active` of the standby."""
        _, text = await get(f"{self.url}/metrics/site")
        (line,) = [line for line in text.splitlines() if line.startswith('miner_agent_active{role="standby"}')]
        return float(line.rpartition(" ")[2])


def _primary(folder: Path) -> Any:
    return agent(folder / "first", interval_s=INTERVAL_S)


@asynccontextmanager
async def two(folder: Path) -> AsyncIterator[tuple[Two, Any]]:
    """Run a farm and a standby; yield them with a function's worth of primary still to be started."""
    for name in ("first", "second"):
        (folder / name).mkdir()
    async with farm(folder, units=UNITS, options=("--starting", "0%")) as control:
        truth = (await get_json(f"{control}/truth"))["site"]["operational_efficiency_ratio"]
        for name in ("first", "second"):
            (folder / name / "ledger.csv").write_bytes((folder / "ledger.csv").read_bytes())
        async with wire("127.0.0.1", 1) as path:
            more = f'[standby]\nof = "{path.url}"\n'
            async with (
                _primary(folder) as (first, first_url),
                agent(folder / "second", interval_s=INTERVAL_S, more=more, is_awaited=False) as (second, url),
            ):
                path.target = ("127.0.0.1", urlsplit(first_url).port or 0)
                yield Two(second, url, path, truth), (first, first_url)


async def test_a_killed_primary_is_replaced_and_gets_its_place_back(tmp_path: Path) -> None:
    """While the primary runs the standby shows nothing of the site; then all of it; then nothing again."""
    async with two(tmp_path) as (both, (first, _)):
        await both.until_role("standby")
        await both.until_looking()
        site = await both.until_role("standby")
        assert site["figures"] is None
        assert site["not_ready_reason"] == f"this agent stands by for {both.wire.url}"
        assert await both.series() == set()
        assert await both.is_active() == 0
        status, text = await get(f"{both.url}/readyz")
        assert (status, text) == (503, f"this agent stands by for {both.wire.url}\n")
        first.process.kill()
        await first.process.wait()
        site = await both.until_role("active")
        assert site["figures"]["operational_efficiency_ratio"] == pytest.approx(both.truth, abs=0.01)
        assert {"mining_site_operating_hashrate_hashes_per_second", "miner_up"} <= await both.series()
        assert await both.is_active() == 1
        await both.until_ready()
        page = (await get(f"{both.url}/"))[1]
        assert "this agent took over from" in page
        async with _primary(tmp_path) as (_, again_url):
            both.wire.target = ("127.0.0.1", urlsplit(again_url).port or 0)
            site = await both.until_role("standby")
            assert site["figures"] is None
            assert await both.series() == set()
            assert await both.is_active() == 0
            assert (await get(f"{again_url}/readyz"))[0] == 200
        said = both.standby.said
    assert said.count("standby took over") == 1
    assert said.count("standby gave back") == 1


async def test_a_partition_makes_two_and_is_seen(tmp_path: Path) -> None:
    """The wire passes nothing and closes nothing: both publish, the standby says so, and it ends with the cut."""
    async with two(tmp_path) as (both, (first, first_url)):
        await both.until_role("standby")
        both.wire.is_cut = True
        await both.until_role("active")
        assert first.process.returncode is None
        assert (await get(f"{first_url}/readyz"))[0] == 200
        _, text = await get(f"{first_url}/metrics/site")
        assert 'miner_agent_active{role="primary"} 1.0' in text
        assert await both.is_active() == 1
        assert "no answer within" in both.standby.said
        both.wire.is_cut = False
        both.wire.close_all()
        await both.until_role("standby")
        assert await both.series() == set()
