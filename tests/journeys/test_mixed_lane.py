"""Sites of other firmware and makes through the whole agent: its own process, sockets, pyasic in its process.

The simulator's clock leaps from look to look and runs in real time between them, so that an hour takes a minute. What
the agent publishes after each leap is held against the truth of that moment.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from programs import Program, agent, get_json, until
from watched_scenario import SEEN_AS

from simulators.farm.farm import Farm
from simulators.farm.truth import farm_truth
from simulators.scenario.player import Playing, build_farm, play
from simulators.scenario.scenario import find_scenario, read_scenario
from simulators.sockets.serving import serve_farm
from simulators.unit.snapshot import Phase
from simulators.unit.unit import Unit

OPERATING_RATIO = 0.005
LOSS_RATIO = 0.01
# A unit that sleeps shows neither its profile nor its boards, and is curtailed as a whole; the truth knows them.
ASLEEP_AS = {"derated": "curtailed", "missing_boards": "curtailed", "missing_chips": "curtailed"}
# Observed: the recording of a Whatsminer, `summary`: HS RT and Factory GHS.
WHATSMINER_HS, WHATSMINER_RATED_HS = 124.5e12, 126e12
# Documented in docs/aftermarket-api.md (O89): Braiins OS divides by a whole minute, however short the run.
WINDOW_S = {"braiins": 60.0}
# Units are asked every two seconds, and what fell silent is held for six.
ASKED_S = 8.0
TOKEN = "a-token-of-the-tests-alone"  # noqa: S105 - Of a test.
BRAIINS = """\
about = "An hour of Braiins OS, with faults and a curtailment"
start = 2026-03-02T09:00:00Z
duration = "1h"
[farm]
units = 120
containers = 2
[farm.mix]
"S21:200/braiins" = "50%"
"S21 Pro:234/braiins" = "50%"
[[event]]
at = "8m"
fault = "dead_board"
values = { board = 1 }
who = { container = "C1", share = "10%" }
[[event]]
at = "14m"
for = "12m"
fault = "power_off"
who = { rack = "C2-R01" }
[[curtailment]]
about = "demand response"
at = "34m"
for = "10m"
container = "C1"
target = 0
"""


class Site:
    """A playing scenario on sockets, and the agent over it.

    Attributes:
        others: Units of other makes.
    """

    def __init__(self, farm: Farm, playing: Playing, running: Program, url: str) -> None:
        self.farm, self.playing, self.running, self.url = farm, playing, running, url
        self.others = sum(1 for _ in farm.plan.around.answering())
        self._declared: dict[str, bool] = {}

    async def look(self, t: float) -> None:
        """Leap to simulated time `t`, declare what the scenario declares then, and wait until all was asked twice."""
        self.farm.clock.set(t)
        for curtailment in self.playing.curtailments:
            await self._declare(curtailment.name, is_on=curtailment.begin <= t < curtailment.end)
        at = asyncio.get_running_loop().time()

        async def is_asked() -> bool:
            is_late = asyncio.get_running_loop().time() - at < ASKED_S
            return not is_late and (await self.figures())["overdue_units"] == 0

        await until(is_asked, self.running)

    async def _declare(self, container: str, *, is_on: bool) -> None:
        if self._declared.get(container, False) is is_on:
            return
        path, headers = f"{self.url}/api/v1/curtailments", {"Authorization": f"Bearer {TOKEN}"}
        order = {"id": "event-1", "target_percent": 0, "scope": {"container": container}}
        async with aiohttp.ClientSession(headers=headers) as session:
            asked = session.post(path, json=order) if is_on else session.delete(f"{path}/event-1")
            async with asked as answer:
                assert answer.status in {200, 201}, await answer.text()
        self._declared[container] = is_on

    async def figures(self) -> dict[str, Any]:
        """Return the site's figures of the API."""
        found: dict[str, Any] = (await get_json(f"{self.url}/api/v1/site"))["figures"]
        return found

    async def published(self) -> tuple[dict[str, Any], dict[str, dict[str, Any]], float]:
        """Return figures and rows of the same moment, and its simulated time."""
        while True:
            before, rows, t, after = (
                await self.figures(),
                await self.rows(),
                self.farm.clock.now(),
                await self.figures(),
            )
            if before["known_hs"] == after["known_hs"]:
                return after, rows, t

    async def rows(self) -> dict[str, dict[str, Any]]:
        """Return every unit's row of the API, by unit."""
        answer = await get_json(f"{self.url}/api/v1/units?limit=1000")
        return {row["unit_id"]: row for row in answer["units"]}


@contextlib.asynccontextmanager
async def playing(folder: Path, scenario: str) -> AsyncIterator[Site]:
    """Play a shipped scenario, or the text of one; yield it once the agent has read every unit of another make."""
    name, found = find_scenario(scenario) if "\n" not in scenario else ("test", read_scenario(scenario, file="t.toml"))
    farm = build_farm(found)
    played = play(farm, name, found)
    farm.clock.run_at(1.0)
    (folder / "token").write_text(TOKEN, encoding="ascii")
    (folder / "token").chmod(0o600)
    more = '[api]\ntoken_file = "token"\n[history]\nkeep = false\n[snapshot]\nkeep = false\n'
    async with serve_farm(farm, port=0) as server:
        with (folder / "ledger.csv").open("w", encoding="utf-8") as file:
            farm.write_ledger(file, port=server.port)
        # A unit that is off is asked as often: by the agent's clock, the hour is a minute.
        async with agent(folder, more=more, interval_s=2, poll="backoff_max_s = 1\n") as (running, url):
            site = Site(farm, played, running, url)

            async def is_read() -> bool:
                rows = (await site.rows()).values()
                return sum(1 for row in rows if "whatsminer" in row["unit_id"] and row["is_fresh"]) == site.others

            await until(is_read, running)
            yield site


def is_filling(unit: Unit, t: float) -> bool:
    """Return True while a unit's rate changes within the window that its firmware averages over."""
    window_s = WINDOW_S.get(unit.identity.firmware, 0.0)
    return window_s > 0.0 and (unit.phase is Phase.RAMPING or t - unit.since < window_s)


async def check_hour(site: Site, step_s: float) -> None:
    """Hold each look, and the mean losses by cause of those at which all windows are full, against the truth."""
    told: Counter[str] = Counter()
    true: Counter[str] = Counter()
    deployed_hs = site.farm.deployed_hs + site.others * WHATSMINER_RATED_HS
    looks = 0
    seen: set[str] = set()
    for look in range(int((site.playing.end - site.playing.begin) / step_s)):
        # On a busy machine, the first look may be over before the agent has read every unit.
        await site.look(max(site.farm.clock.now(), site.playing.begin + (look + 0.5) * step_s))
        published, rows, t = await site.published()
        assert published["deployed_hs"] == pytest.approx(deployed_hs, rel=1e-12)
        told_hs = true_hs = unknown_hs = 0.0
        for unit in site.farm.units:
            row = rows[unit.identity.unit_id]
            if not is_filling(unit, t):
                told_hs += row["hashrate_hs"] or 0.0
                true_hs += unit.hashrate_hs(t)
            if not row["is_fresh"]:
                assert unit.hashrate_hs(t) == 0.0
                unknown_hs += unit.identity.model.hashrate_hs
        others = [row for row in rows.values() if "whatsminer" in row["unit_id"]]
        assert [row["hashrate_hs"] for row in others] == pytest.approx([WHATSMINER_HS] * site.others)
        assert told_hs == pytest.approx(true_hs, rel=OPERATING_RATIO)
        assert published["coverage_ratio"] == pytest.approx(1 - unknown_hs / deployed_hs)
        seen |= {row["state"] for row in rows.values()}
        if any(is_filling(unit, t) for unit in site.farm.units):
            continue
        looks += 1
        names = SEEN_AS | (ASLEEP_AS if published["losses_hs"].get("curtailed") else {})
        for cause, lost_hs in published["losses_hs"].items():
            told[names.get(cause, cause)] += lost_hs
        for cause, lost_hs in farm_truth(site.farm, t)["site"]["losses_hs"].items():
            true[names.get(cause, str(cause))] += lost_hs
        true["underperforming"] += site.others * (WHATSMINER_RATED_HS - WHATSMINER_HS)
    assert looks >= 4
    off = {cause: (told[cause] - true[cause]) / deployed_hs / looks for cause in told | true}
    assert max(map(abs, off.values())) < LOSS_RATIO, off
    assert {"hashing", "curtailed", "unreachable"} <= seen


async def test_an_hour_of_the_mixed_site(tmp_path: Path) -> None:
    """At five moments: operating within half a per cent, deployed exact, losses within one, coverage told."""
    async with playing(tmp_path, "mixed-site") as site:
        assert (len(site.farm.units), site.others) == (380, 20)
        await check_hour(site, 720.0)


@pytest.mark.slow
async def test_an_hour_of_the_mixed_site_minute_by_minute(tmp_path: Path) -> None:
    """The same, each minute."""
    async with playing(tmp_path, "mixed-site") as site:
        await check_hour(site, 60.0)


@pytest.mark.slow
async def test_an_hour_of_braiins_os_alone(tmp_path: Path) -> None:
    """The same of 120 units, each four minutes."""
    async with playing(tmp_path, BRAIINS) as site:
        assert {unit.identity.firmware for unit in site.farm.units} == {"braiins"}
        await check_hour(site, 240.0)
