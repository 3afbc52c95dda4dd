"""A network between agent and units that fails and returns: who is asked when, and what the agent says of the units."""

import random
from collections.abc import Callable, Generator
from typing import Any, cast

import pytest
from site_cases import AT, entry, reading

from agent.errors import UnreachableError
from agent.site.ledger.entries import LedgerEntry
from agent.site.poller import Bounds, Poller
from agent.site.schedule import Schedule
from agent.site.status import UnitState
from agent.site.tracker import Tracker
from agent.unit.cgminer.call import Outcome
from agent.unit.cgminer.client import Client
from agent.unit.reader import Reader
from agent.unit.reading import Poll, UnitReading

INTERVAL_S = 5.0
CONNECT_TIMEOUT_S = 2.0
# As it is by default at this interval: three of them.
STALE_AFTER_S = 15.0
STEP_S = 0.05
UNITS = 100


def _converse(unit_id: str, *_: Any, **__: Any) -> Generator[bytes, bytes, UnitReading]:
    yield unit_id.encode()
    raise AssertionError


class Network:
    """Units behind one path, an agent's poller and tracker, and a clock that only `run` moves.

    Args:
        is_up: Returns True if packets pass at a time, s.
    """

    def __init__(self, is_up: Callable[[float], bool]) -> None:
        self.now = 1000.0
        self.is_up = is_up
        self.polls = 0
        self._ends: list[tuple[float, str, bool, Callable[[Outcome[Any]], None]]] = []
        self.tracker = Tracker([], stale_after_s=STALE_AFTER_S, at=AT)
        schedule = Schedule(
            interval_s=INTERVAL_S, backoff_max_s=60.0 - CONNECT_TIMEOUT_S, jitter=random.Random(5).random
        )
        reader: Any = Reader(name="mute", new_memory=lambda: None, converse=_converse)
        self.poller = Poller(
            client=cast("Client", self),
            reader_of=lambda _: reader,
            schedule=schedule,
            bounds=Bounds(healthy=UNITS, sick=UNITS),
            slow_every=30,
            on_poll=self._on_poll,
            on_skipped=lambda *_: None,
            wall=lambda: AT + self.now,
            clock=lambda: self.now,
            cpu=lambda: 0.0,
        )
        entries: list[LedgerEntry] = [entry(f"u{number}") for number in range(UNITS)]
        self.tracker.replace_entries(entries, at=AT)
        self.poller.replace_entries(entries)

    def start(
        self, _: object, conversation: Generator[bytes, bytes, UnitReading], done: Callable[[Outcome[Any]], None]
    ) -> None:
        """Begin a poll, as the client does: a packet that is lost is sent once more a second later."""
        unit_id = next(conversation).decode()
        conversation.close()
        self.polls += 1
        sent = next((after for after in (0.0, 1.0) if self.is_up(self.now + after)), None)
        took_s = CONNECT_TIMEOUT_S if sent is None else sent
        self._ends.append((self.now + took_s, unit_id, sent is not None, done))

    def _on_poll(self, poll: Poll, now: float) -> None:
        self.tracker.record(poll, clock_s=now)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + seconds
        while self.now < until:
            self.now += STEP_S
            over = [each for each in self._ends if each[0] <= self.now]
            self._ends = [each for each in self._ends if each[0] > self.now]
            for _, unit_id, is_answered, done in over:
                result = reading(unit_id, at=AT + self.now) if is_answered else None
                error = None if is_answered else UnreachableError(f"{unit_id} did not accept within 2 s")
                done(Outcome(result, error, 0.01, 1))
            self.poller.start_due()
            self.tracker.refresh(at=AT + self.now, clock_s=self.now)

    def blamed(self) -> list[str]:
        """Return the units that are called unreachable."""
        return [status.entry.unit_id for status in self.tracker.statuses() if status.state is UnitState.UNREACHABLE]


@pytest.mark.parametrize("period_s", [6.0, 6.05, 6.3])
def test_a_link_that_comes_and_goes_makes_no_unit_unreachable(period_s: float) -> None:
    """A link that is down for 3 s of 6 fails two polls of a unit in a row at most, and the third renews its reading."""
    network = Network(lambda at: at < 1020.0 or at % period_s >= 3.0)
    network.run(2 * INTERVAL_S)
    assert network.blamed() == []
    for _ in range(300):
        network.run(1.0)
        assert network.blamed() == []


@pytest.mark.parametrize("outage_s", [30.0, 100.0, 400.0])
def test_after_an_outage_all_units_are_there_within_half_a_minute_of_the_first(outage_s: float) -> None:
    """However long the path was gone, the first unit that answers brings the others back before their back-off."""
    network = Network(lambda at: not 1020.0 <= at < 1020.0 + outage_s)
    network.run(20.0)
    assert network.blamed() == []
    # A packet that is lost in the last second is sent again after it.
    network.run(outage_s - CONNECT_TIMEOUT_S)
    assert len(network.blamed()) == UNITS
    while len(network.blamed()) == UNITS:
        network.run(STEP_S)
    network.run(30.0)
    assert network.blamed() == []


def test_units_that_stay_silent_are_asked_less() -> None:
    """In ten minutes of a dark site, each unit is asked once in half a minute to a minute, after a first few times."""
    network = Network(lambda at: at < 1020.0)
    network.run(20.0)
    network.polls = 0
    network.run(600.0)
    assert UNITS * (600 / 62) < network.polls < UNITS * (600 / 30 + 3)
