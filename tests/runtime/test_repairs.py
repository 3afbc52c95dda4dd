"""The walk list of an agent: beside its figures, over restarts and kills, with reloads, standstills and a standby."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from exporter_cases import AT, reading
from structlog.testing import capture_logs

from agent.app import Agent
from agent.config.sections import RepairsSection
from agent.history.reader import read_history
from agent.runtime.repairs import LOOK_EVERY_S, rules_of
from agent.runtime.setup import load_setup
from agent.runtime.standstill import Clocks
from agent.site.repairs.entries import RepairEntry, Said
from agent.site.repairs.symptoms import DEFAULT_RULES, Closing, Symptom
from agent.unit.reading import Poll

CONFIG = """\
[site]
name = "alpha"
[ledger]
file = "ledger.csv"
"""
HEADER = "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"
INTERVAL_S = 10.0
STANDS: dict[str, Any] = {"fan_rpm": (6000.0, 0.0)}


class Site:
    """An agent without sockets over two units, whose rounds go by the clock of the test.

    Attributes:
        now: The monotonic clock, s; Unix time is `AT` later.
        looks: How often the walk list was looked at.
    """

    def __init__(self, folder: Path, now: float = 1000.0) -> None:
        self.folder, self.now, self.looks = folder, now, 0
        self.unit_ids = ["u1", "u2"]
        if not (folder / "site.toml").exists():
            (folder / "site.toml").write_text(CONFIG, encoding="utf-8")
            self.declare("u1", "u2")
        self.agent = Agent(load_setup(folder / "site.toml"))
        self.agent._standstill._clocks = lambda: Clocks(self.now, self.now)
        self.agent.repairs._wall = self.time
        begin = self.agent.repairs._book.begin_round

        def counted(**moment: float) -> None:
            self.looks += 1
            begin(**moment)

        self.agent.repairs._book.begin_round = counted  # type: ignore[method-assign]

    def monotonic(self) -> float:
        """Return the monotonic clock, s."""
        return self.now

    def time(self) -> float:
        """Return Unix time, s."""
        return AT + self.now

    def declare(self, *unit_ids: str) -> None:
        """Write a ledger of these units."""
        rows = (f"{each},S21,200,127.77.0.{each[1:]},C1,R1,{each[1:]},2025-01-01,,deployed" for each in unit_ids)
        (self.folder / "ledger.csv").write_text(HEADER + "\n".join(rows) + "\n", encoding="utf-8")
        self.unit_ids = list(unit_ids)

    def run(self, seconds: float, **changes: Any) -> None:
        """Let time pass round by round; u1 is read with changes."""
        for _ in range(round(seconds / INTERVAL_S)):
            self.now += INTERVAL_S
            for unit_id in self.unit_ids:
                said = {"at": self.time(), "hashrate_5s_hs": 200e12, "uptime_s": 90_000.0 + self.now}
                said |= changes if unit_id == "u1" else {}
                poll = Poll(unit_id=unit_id, at=self.time(), took_s=0.02, reading=reading(unit_id, **said))
                self.agent._on_poll(poll, self.now)
            self.agent.sum_up()

    def flush(self) -> None:
        """Write what waits, as history's thread does once a minute."""
        recorder = self.agent.fan_out._recorder
        assert recorder is not None
        assert recorder._history.flush()

    def kill(self) -> None:
        """End the process as SIGKILL does: nothing more is written."""
        recorder = self.agent.fan_out._recorder
        assert recorder is not None
        recorder._history.close()

    def entry(self) -> RepairEntry:
        """Return the only open entry."""
        (found,) = self.agent.repairs.entries()
        return found


@asynccontextmanager
async def watched(folder: Path, now: float = 1000.0) -> AsyncIterator[Site]:
    """Yield a site that is about to make its first round."""
    site = Site(folder, now)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("agent.runtime.rounds.time", site)
        async with site.agent.polling():
            site.agent._standstill.begin()
            site.agent.repairs.restore()
            yield site
        site.kill()


async def test_faults_are_listed_beside_the_figures(tmp_path: Path) -> None:
    """The list is looked at every half minute, not in every round, and says so in one log line when it changes."""
    async with watched(tmp_path) as site:
        with capture_logs() as logs:
            site.run(600.0, **STANDS)
        assert site.looks == 600 / LOOK_EVERY_S
        assert (site.entry().unit_id, site.entry().symptom) == ("u1", Symptom.FAN_STOPPED)
        assert site.entry().since == AT + 1010.0
        assert [log for log in logs if log["event"] == "walk list changed"] == [
            {"event": "walk list changed", "log_level": "info", "opened": 1, "closed": 0, "open": 1}
        ]


async def test_a_kill_loses_at_most_the_last_minute(tmp_path: Path) -> None:
    """After SIGKILL and an hour the entry is there with number, age, note and all but a minute of its loss."""
    slow = STANDS | {"hashrate_5s_hs": 150e12}
    async with watched(tmp_path) as site:
        site.run(600.0, **slow)
        site.agent.repairs.annotate(site.entry().id, Said("ana", site.time(), "fan ordered"), None)
        site.flush()
        site.run(600.0, **slow)
        site.flush()
        site.run(60.0, **slow)
        before = site.entry()
    async with watched(tmp_path, now=site.now + 3600.0) as later:
        after = later.entry()
        assert (after.id, after.since, after.note) == (before.id, before.since, before.note)
        assert 0 < before.lost_hashes - after.lost_hashes <= 50e12 * 90
        later.run(60.0, **slow)
        assert later.entry().lost_hashes == pytest.approx(after.lost_hashes + 50e12 * 30)
        assert later.agent.repairs._setup.config.history.keep


async def test_what_an_operator_says_is_written_at_once(tmp_path: Path) -> None:
    """A note wakes history's thread; other changes wait for the minute."""
    async with watched(tmp_path) as site:
        recorder = site.agent.fan_out._recorder
        assert recorder is not None
        site.run(600.0, **STANDS)
        recorder._history._wanted.clear()
        site.agent.repairs.annotate(site.entry().id, None, Said("ana", site.time()))
        assert recorder._history._wanted.is_set()
        assert site.agent.repairs.annotate(1, None, Said("ana", site.time())) is None
        site.flush()
        with closing(read_history(tmp_path / "site.history.sqlite")) as file:
            assert file.repairs() == [site.entry()]


async def test_a_standstill_counts_for_nothing(tmp_path: Path) -> None:
    """While the process stood still, neither age nor loss grew by its looks."""
    slow = STANDS | {"hashrate_5s_hs": 150e12}
    async with watched(tmp_path) as site:
        site.run(600.0, **slow)
        before = site.entry().lost_hashes
        site.now += 7200.0
        site.run(60.0, **slow)
        assert site.entry().lost_hashes - before <= 50e12 * 90


async def test_a_standby_lists_nothing(tmp_path: Path) -> None:
    """The list is the primary's: an agent that stands by does not look, and goes on when it takes over."""
    async with watched(tmp_path) as site:
        site.agent.rounds.stand_by("stands by")
        site.run(600.0, **STANDS)
        assert (site.looks, site.agent.repairs.entries()) == (0, [])
        site.agent.rounds.take_over()
        site.run(600.0, **STANDS)
        assert site.entry().symptom is Symptom.FAN_STOPPED


async def test_a_reload_changes_the_rules_and_the_ledger_closes_entries(tmp_path: Path) -> None:
    """Thresholds follow the configuration without a restart; a unit that is gone closes its entry with that reason."""
    async with watched(tmp_path) as site:
        config = f"{CONFIG}[repairs]\nfan_stopped_after_s = 86400\nhot_celsius = 70\ncount_days = 7\n"
        (tmp_path / "site.toml").write_text(config, encoding="utf-8")
        await site.agent.reload()
        site.run(900.0, **STANDS)
        assert site.agent.repairs.entries() == []
        (tmp_path / "site.toml").write_text(CONFIG, encoding="utf-8")
        await site.agent.reload()
        site.run(60.0, **STANDS)
        assert site.entry().symptom is Symptom.FAN_STOPPED
        site.declare("u2")
        await site.agent.reload()
        site.run(60.0)
        assert site.agent.repairs.entries() == []
        site.flush()
        with closing(read_history(tmp_path / "site.history.sqlite")) as file:
            assert [each.closing for each in file.repairs()] == [Closing.LEFT_LEDGER]


async def test_a_history_that_cannot_be_read_leaves_the_list_empty(tmp_path: Path) -> None:
    """A damaged file is named in the log, and polling goes on; without history nothing is read."""
    async with watched(tmp_path):
        pass
    (tmp_path / "site.history.sqlite").write_bytes(b"no database at all, and long enough for a page of one " * 100)
    site = Site(tmp_path)
    with capture_logs() as logs:
        site.agent.repairs.restore()
    assert [(log["event"], log["reason"]) for log in logs] == [("walk list not restored", "damaged")]
    (tmp_path / "site.toml").write_text(f"{CONFIG}[history]\nkeep = false\n", encoding="utf-8")
    with capture_logs() as logs:
        Site(tmp_path).agent.repairs.restore()
    assert logs == []


def test_the_rules_by_default_are_those_of_the_configuration() -> None:
    """The pure room's defaults and the configuration's are the same, symptom by symptom."""
    assert rules_of(RepairsSection()) == DEFAULT_RULES
