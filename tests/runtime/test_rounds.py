"""When there are figures: not before every unit was asked, not after a standstill, and not from old readings."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import structlog
from site_cases import AT, NO_ANSWER, TH, failed, reading

from agent.app import Agent
from agent.history.minutes import MinuteBook
from agent.runtime.setup import load_setup
from agent.runtime.standstill import Clocks
from agent.unit.reading import Poll

CONFIG = """\
[site]
name = "alpha"
[ledger]
file = "ledger.csv"
[history]
keep = false
"""
HEADER = "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"


class WatchedSite:
    """An agent without sockets over some units of 200 TH/s, whose rounds go by the clock of the test.

    Args:
        folder: For its files.
        units: Number of units.

    Attributes:
        now: The monotonic clock, s.
    """

    def __init__(self, folder: Path, units: int) -> None:
        (folder / "site.toml").write_text(CONFIG, encoding="utf-8")
        self._ledger = folder / "ledger.csv"
        self.unit_ids: list[str] = []
        self.declare(units)
        self.agent = Agent(load_setup(folder / "site.toml"))
        self.now = 1000.0
        self.agent._standstill._clocks = lambda: Clocks(self.now, self.now)

    def monotonic(self) -> float:
        """Return the monotonic clock, s."""
        return self.now

    def time(self) -> float:
        """Return Unix time, s."""
        return AT + self.now

    def declare(self, units: int) -> None:
        """Write a ledger of so many units."""
        self.unit_ids = [f"u{number:03}" for number in range(units)]
        rows = (
            f"{unit_id},S21,200,127.77.0.{number + 1},C1,R1,{number},2025-01-01,,deployed"
            for number, unit_id in enumerate(self.unit_ids)
        )
        self._ledger.write_text(HEADER + "\n".join(rows) + "\n", encoding="utf-8")

    def poll(self, *unit_ids: str, ago_s: float = 0.0, **changes: Any) -> None:
        """Record a good poll of these units, or of all, that ended `ago_s` before now."""
        rate = {"hashrate_5s_hs": float(190 * TH), "boards": ()} | changes
        for unit_id in unit_ids or self.unit_ids:
            poll = Poll(unit_id=unit_id, at=AT, took_s=0.02, reading=reading(unit_id, at=AT, **rate))
            self.agent._on_poll(poll, self.now - ago_s)

    def efficiency(self) -> float | None:
        """Make a round and return operating over deployed as `/metrics` shows it; None if it shows none."""
        self.agent.sum_up()
        texts = self.agent.metrics._figure_texts
        text = texts.get("mining_site_operational_efficiency_ratio")
        assert "mining_site_deployed_hashrate_hashes_per_second" in texts
        return None if text is None else float(text.split()[-1])

    def stand_still(self, seconds: float) -> None:
        """Let the process stand still."""
        self.now += seconds


@asynccontextmanager
async def watched(folder: Path, units: int = 20) -> AsyncIterator[WatchedSite]:
    """Yield a site that is about to make its first round."""
    site = WatchedSite(folder, units)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("agent.runtime.rounds.time", site)
        async with site.agent.polling():
            site.agent._standstill.begin()
            yield site


async def test_after_a_standstill_there_are_no_figures_until_every_unit_was_asked(tmp_path: Path) -> None:
    """Figures are withdrawn at once, and come back with the last unit; readings of before count for nothing."""
    async with watched(tmp_path) as site:
        rounds = site.agent.rounds
        site.poll()
        assert site.efficiency() == 0.95
        assert rounds.unreadiness is None
        site.stand_still(120.0)
        with structlog.testing.capture_logs() as logs:
            said = rounds.unreadiness
        assert said == "this agent stood still for 2 min: 20 of 20 units not looked at since"
        assert [(log["event"], log["log_level"], log["stood_s"]) for log in logs] == [
            ("agent stood still", "warning", 120.0)
        ]
        assert "mining_site_operational_efficiency_ratio" not in site.agent.metrics._figure_texts
        assert site.efficiency() is None
        assert {status.state.value for status in site.agent.tracker.statuses()} == {"hashing"}
        site.poll(*site.unit_ids[:15])
        site.agent._on_poll(failed(NO_ANSWER, site.unit_ids[15]), site.now + 0.1)
        assert site.efficiency() is None
        assert rounds.unreadiness == "this agent stood still for 2 min: 4 of 20 units not looked at since"
        site.poll(*site.unit_ids[16:])
        assert site.efficiency() == pytest.approx(0.95 * 19 / 20)
        assert rounds.unreadiness is None
        assert site.agent.metrics.own.standstills == 1


async def test_the_first_to_look_notices(tmp_path: Path) -> None:
    """A round that begins, or ends, right after the standstill shows no figures, whatever it had summed by then."""
    async with watched(tmp_path) as site:
        site.poll()
        assert site.efficiency() == 0.95
        site.stand_still(40.0)
        assert site.efficiency() is None
        site.poll()
        assert site.efficiency() == 0.95
        # In the middle of a round: what was summed before is not shown after.
        slices = site.agent.rounds.slices()
        next(slices)
        site.stand_still(40.0)
        for _ in slices:
            pass
        assert not site.agent.rounds.is_whole
        assert "mining_site_operational_efficiency_ratio" not in site.agent.metrics._figure_texts


async def test_figures_that_are_being_rendered_do_not_come_back(tmp_path: Path) -> None:
    """A standstill while exporters take over the figures withdraws them all the same."""
    async with watched(tmp_path) as site:
        site.poll()
        site.agent.sum_up()
        for slice_number in range(100):
            slices = site.agent.rounds.slices()
            if sum(1 for _ in zip(range(slice_number), slices, strict=False)) < slice_number:
                break
            site.stand_still(40.0)
            site.agent.rounds.look_for_standstill()
            for _ in slices:
                pass
            assert not site.agent.rounds.is_whole
            assert "mining_site_operational_efficiency_ratio" not in site.agent.metrics._figure_texts
            site.poll()
            assert site.efficiency() == 0.95
        assert slice_number > 20


async def test_polls_start_over_after_a_standstill(tmp_path: Path) -> None:
    """Polls in flight are dropped, and every unit is due within an interval, backed off or not."""
    async with watched(tmp_path) as site:
        client, schedule = site.agent._polling._client, site.agent.poller._schedule
        schedule.back_off("u000", 9, now=time.monotonic())
        site.stand_still(120.0)
        site.agent.rounds.look_for_standstill()
        assert site.agent._polling._client is not client
        due = site.agent.poller._schedule._due
        assert len(due) == 20
        assert max(due.values()) <= time.monotonic() + 10.0


async def test_late_units_hold_their_figures_and_are_named(tmp_path: Path) -> None:
    """A few overdue units: figures and readiness stay, coverage falls, and the words say how many and for how long."""
    async with watched(tmp_path, units=25) as site:
        rounds = site.agent.rounds
        site.poll(ago_s=45.0)
        site.poll(*site.unit_ids[1:])
        assert site.efficiency() == 0.95
        assert rounds.figures is not None
        assert rounds.figures.site.coverage_ratio == 0.96
        assert (rounds.lateness.units, rounds.lateness.is_too_much) == (1, False)
        assert rounds.lateness.longest_s == 45.0
        assert rounds.unreadiness is None


async def test_too_many_late_units_are_no_readiness(tmp_path: Path) -> None:
    """More than a twentieth of the nameplate overdue: still held, and not to be trusted."""
    async with watched(tmp_path) as site:
        site.poll(ago_s=45.0)
        site.poll(*site.unit_ids[2:])
        assert site.efficiency() == 0.95
        assert site.agent.rounds.unreadiness == (
            "this agent is late: 2 of 20 units (10.0 % of deployed) not looked at for up to 45 s;"
            " they count as they were then"
        )
        site.poll()
        assert site.efficiency() == 0.95
        assert site.agent.rounds.unreadiness is None


async def test_nothing_is_held_for_longer_than_four_times_a_reading(tmp_path: Path) -> None:
    """After two minutes without a poll there are no figures, until every unit was asked; then there are."""
    async with watched(tmp_path) as site:
        site.poll(ago_s=119.0)
        site.agent.rounds.is_whole = True
        assert site.efficiency() == 0.95
        site.poll(ago_s=120.0)
        assert site.efficiency() is None
        assert site.agent.rounds.unreadiness == ("this agent is late: 20 of 20 units not looked at for 2 min or longer")
        site.poll(*site.unit_ids[1:])
        assert site.efficiency() is None
        site.poll()
        assert site.efficiency() == 0.95


async def test_figures_that_no_round_replaces_are_withdrawn(tmp_path: Path) -> None:
    """A round that does not end for an interval and two minutes leaves no figures, until the next one ends."""
    async with watched(tmp_path) as site:
        rounds = site.agent.rounds
        site.poll()
        assert site.efficiency() == 0.95
        for seconds, words in ((36.0, "figures are 26 s late"), (94.0, "figures are 120 s late")):
            for _ in range(4):
                site.now += seconds / 4
                rounds.look_for_standstill()
            assert (rounds.is_whole, rounds.unreadiness) == (True, words)
        site.now += 0.5
        assert rounds.unreadiness == "no figures were made for 2 min"
        assert "mining_site_operational_efficiency_ratio" not in site.agent.metrics._figure_texts
        site.poll()
        assert site.efficiency() == 0.95
        assert rounds.unreadiness is None


async def test_one_forgotten_unit_does_not_take_the_figures_of_a_site(tmp_path: Path) -> None:
    """Up to a twentieth of the nameplate may be older: it is held and not covered, and the others are shown."""
    async with watched(tmp_path) as site:
        site.poll()
        site.agent.sum_up()
        site.poll("u000", ago_s=500.0)
        assert site.efficiency() == 0.95
        assert site.agent.rounds.lateness.units == 1


async def test_many_new_units_are_waited_for_and_a_few_are_not(tmp_path: Path) -> None:
    """Units that come with a ledger were not asked yet: above a twentieth of the nameplate, figures wait for them."""
    async with watched(tmp_path) as site:
        site.poll()
        assert site.efficiency() == 0.95
        site.declare(21)
        await site.agent.reload()
        assert site.efficiency() == pytest.approx(0.95 * 20 / 21)
        site.declare(30)
        await site.agent.reload()
        assert site.efficiency() is None
        assert site.agent.rounds.unreadiness == "units were added: 10 of 30 units not looked at yet"
        site.poll(*site.unit_ids[20:])
        assert site.efficiency() == 0.95


async def test_lateness_is_logged_and_published_when_it_begins_and_ends(tmp_path: Path) -> None:
    """One warning and one health message each, however long it lasts; nothing before the first whole round."""
    async with watched(tmp_path) as site:
        health: list[tuple[bool, str]] = []

        def on_health(subject: str, *, is_well: bool, detail: str) -> None:
            if subject == "polling":
                health.append((is_well, detail))

        site.agent.fan_out.mqtt.on_health = on_health  # type: ignore[method-assign,assignment]
        with structlog.testing.capture_logs() as logs:
            await site.agent.timer.tick()
            site.poll()
            await site.agent.timer.tick()
            site.poll(ago_s=45.0)
            for _ in range(3):
                await site.agent.timer.tick()
            site.poll()
            await site.agent.timer.tick()
        assert [well for well, _ in health] == [True, True, False, False, False, True]
        assert health[2][1].startswith("this agent is late: 20 of 20 units (100.0 % of deployed) not looked at for")
        late = [log for log in logs if log["event"] in {"agent late", "agent on time again"}]
        assert [(log["event"], log["log_level"]) for log in late] == [
            ("agent late", "warning"),
            ("agent on time again", "info"),
        ]
        assert (late[0]["units_overdue"], late[0]["of"], late[0]["deployed_ratio"]) == (20, 20, 1.0)
        summaries = [log.get("units_overdue") for log in logs if log["event"] == "site summary"]
        assert summaries == [None, 20, 20, 20, None]


async def test_a_standstill_is_a_gap_in_history_and_energy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What held before is credited to no second after it, however short the wait for the next figures is."""
    paused: list[str] = []
    async with watched(tmp_path) as site:
        site.poll()
        site.agent.sum_up()
        monkeypatch.setattr(site.agent.fan_out, "_recorder", _Recorder(paused))
        assert site.agent.rounds.energy._before is not None
        site.stand_still(120.0)
        site.agent.sum_up()
        assert site.agent.rounds.energy._before is None
        assert paused == ["paused"]
        monkeypatch.setattr(site.agent.fan_out, "_recorder", None)
        figures = site.agent.rounds.figures
    assert figures is not None
    book = MinuteBook(longest_gap_s=60.0)
    book.advance(figures, simulated_units=0, clock_s=0.0)
    book.pause()
    book.advance(figures, simulated_units=0, clock_s=20.0)
    assert book.close() == []


class _Recorder:
    """A recorder that only knows that it was paused."""

    def __init__(self, paused: list[str]) -> None:
        self._paused = paused

    def pause(self) -> None:
        self._paused.append("paused")


async def test_the_walk_list_takes_a_few_units_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an outage each unit costs it ten times as much: other tasks run between a few of them."""
    monkeypatch.setattr("agent.runtime.rounds.LOOKS_PER_SLICE", 3)
    seen: list[int] = []
    async with watched(tmp_path) as site:
        site.poll()
        monkeypatch.setattr(site.agent.rounds._repairs, "see", lambda some: seen.append(len(list(some))))
        slices = site.agent.rounds.slices()
        at_once = [len(seen) for _ in slices]
    assert (sum(seen), max(seen)) == (20, 3)
    assert at_once[-1] == max(at_once) == len(seen) == 7
    assert all(later - earlier <= 1 for earlier, later in pairwise(at_once))
