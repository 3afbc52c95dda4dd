"""Units whose replies cost much: the poller measures them alone, names them, and polls them less."""

import asyncio
from collections import Counter
from collections.abc import Callable, Generator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agent.errors import CostlyReplyError, MalformedReplyError, PollError, UnreachableError
from agent.site.cpu_budget import BUDGET_S, QUIET_POLLS
from agent.site.ledger.entries import LedgerEntry, Place
from agent.site.poller import Bounds, Poller
from agent.site.schedule import Schedule
from agent.unit.cgminer.call import Outcome
from agent.unit.cgminer.client import Client
from agent.unit.nameplate import Nameplate
from agent.unit.reader import Conversation, Reader
from agent.unit.reading import Dialect, Poll, UnitReading

S21 = Nameplate(model="S21", hashrate_hs=200e12, cooling="air", source="test")
INTERVAL_S = 10.0
MOST_S = 60.0


class Site:
    """A poller over units that answer at once, in simulated time; `cost_s` and `ends` say how."""

    def __init__(self, unit_ids: tuple[str, ...]) -> None:
        self.now_s = 1000.0
        self.cpu_s = 0.0
        self.looks = 0
        self.cost_s: dict[str, float] = dict.fromkeys(unit_ids, 0.0001)
        self.ends: dict[str, PollError | str] = dict.fromkeys(unit_ids, "")
        self.polls: list[Poll] = []
        self.at: dict[str, list[float]] = {unit_id: [] for unit_id in unit_ids}
        self.poller = Poller(
            client=cast("Client", SimpleNamespace(start=self._start)),
            reader_of=lambda _: reader,
            schedule=Schedule(interval_s=INTERVAL_S, backoff_max_s=MOST_S, jitter=lambda: 1.0),
            bounds=Bounds(healthy=10, sick=10),
            slow_every=6,
            on_poll=self._on_poll,
            on_skipped=lambda *_: pytest.fail("no poll is skipped"),
            wall=lambda: self.now_s,
            clock=lambda: self.now_s,
            cpu=self._cpu,
        )
        reader: Reader[Any] = Reader(name="fake", new_memory=dict, converse=self._converse)
        self.poller.replace_entries(
            LedgerEntry(unit_id=unit_id, nameplate=S21, place=Place(), host="127.0.0.1") for unit_id in unit_ids
        )

    def _cpu(self) -> float:
        self.looks += 1
        return self.cpu_s

    def _converse(self, unit_id: str, _memory: Any, **_: Any) -> Conversation:
        yield b"stats"
        self.cpu_s += self.cost_s[unit_id]
        end = self.ends[unit_id]
        if isinstance(end, PollError):
            raise end
        repairs = (end,) if end else ()
        return UnitReading(
            unit_id=unit_id, at=self.now_s, dialect=Dialect.NEW_API, mode=None, hashrate_5s_hs=2e14, repairs=repairs
        )

    def _start(self, _: Any, conversation: Generator[bytes, bytes, Any], done: Callable[[Outcome[Any]], None]) -> None:
        next(conversation)
        asyncio.get_running_loop().call_soon(self._finish, conversation, done)

    def _finish(self, conversation: Generator[bytes, bytes, Any], done: Callable[[Outcome[Any]], None]) -> None:
        result: Any = None
        error: PollError | None = None
        try:
            conversation.send(b"{}")
        except StopIteration as over:
            result = over.value
        except PollError as failure:
            error = failure
        done(Outcome(result, error, 0.0, 1))

    def _on_poll(self, poll: Poll, _: float) -> None:
        self.polls.append(poll)
        self.at[poll.unit_id].append(self.now_s)

    async def run(self, seconds: float) -> None:
        """Poll for some simulated time."""
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self.poller.start_due()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.now_s += 0.5

    def results(self, unit_id: str) -> Counter[str]:
        """Return how often each kind of result came."""
        return Counter(
            "ok" if poll.error is None else poll.error.reason for poll in self.polls if poll.unit_id == unit_id
        )


async def test_regular_units_are_not_measured() -> None:
    """The healthy path does not look at the CPU clock, whatever a poll takes."""
    site = Site(("a", "b"))
    site.cost_s["a"] = 1.0
    await site.run(300)
    assert site.looks == 0
    assert set(site.results("a")) == {"ok"}


@pytest.mark.parametrize("end", [MalformedReplyError("x"), "bare_nan"], ids=["malformed", "repaired"])
async def test_a_costly_unit_is_named_and_polled_less(end: PollError | str) -> None:
    """It takes its budget an interval over time, its reason is its own, and its neighbour is polled as before."""
    site = Site(("costly", "sound"))
    site.cost_s["costly"], site.ends["costly"] = 4 * BUDGET_S, end
    await site.run(3600)
    before_s = site.cpu_s
    costly = site.results("costly")
    assert costly["costly"] > 0.9 * costly.total()
    assert costly.total() * 4 * BUDGET_S <= 1.2 * BUDGET_S * 3600 / INTERVAL_S
    assert site.results("sound") == {"ok": pytest.approx(3600 / INTERVAL_S, abs=2)}
    errors = [poll.error for poll in site.polls if isinstance(poll.error, CostlyReplyError)]
    assert "20.0 ms of CPU in one poll, at most 5 ms an interval" in str(errors[0])
    assert all(poll.reading is None for poll in site.polls if poll.error is not None)
    assert before_s > 0


async def test_the_wait_is_bounded() -> None:
    """However much a poll takes, the unit is looked at again after the longest back-off."""
    site = Site(("costly",))
    site.cost_s["costly"], site.ends["costly"] = 1000 * BUDGET_S, MalformedReplyError("x")
    await site.run(1200)
    gaps = [later - earlier for earlier, later in zip(site.at["costly"], site.at["costly"][1:], strict=False)]
    assert max(gaps) <= MOST_S + 1
    assert min(gaps[2:]) >= MOST_S - 1


async def test_a_unit_that_becomes_regular_is_polled_as_before() -> None:
    """Its first cheap poll ends the reason; after a while it is not measured any more."""
    site = Site(("unit",))
    site.cost_s["unit"], site.ends["unit"] = 8 * BUDGET_S, MalformedReplyError("x")
    await site.run(300)
    site.cost_s["unit"], site.ends["unit"] = 0.0001, ""
    site.polls.clear()
    await site.run(MOST_S + 2 * INTERVAL_S)
    assert set(site.results("unit")) == {"ok"}
    await site.run((QUIET_POLLS + 2) * INTERVAL_S)
    looks = site.looks
    assert len(site.at["unit"]) > QUIET_POLLS
    await site.run(100)
    assert site.looks == looks


async def test_a_unit_that_does_not_answer_has_no_account() -> None:
    """Nothing was read, so there is nothing to measure."""
    site = Site(("gone",))
    site.ends["gone"] = UnreachableError("no route")
    await site.run(600)
    assert site.looks == 0
    assert set(site.results("gone")) == {"unreachable"}
