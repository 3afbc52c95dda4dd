"""The book of declared curtailments: orders followed once and on disk, or not at all; damaged files; restarts."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from site_cases import AT, entry
from structlog.testing import capture_logs

from agent.errors import ConfigError
from agent.site.curtailment.book import MAX_ENDED, MAX_OPEN, CurtailmentBook
from agent.site.curtailment.events import RESTORE_S, Event, Phase, Scope
from agent.site.curtailment.file import StateError, read_events, write_events
from agent.site.curtailment.orders import OrderError, Refusal, StartOrder, read_order
from agent.site.curtailment.windows import DailyWindow
from agent.site.ledger.entries import LedgerEntry

ENTRIES = (entry(), entry("u2"))


class Clock:
    """A wall clock that stands where it is put."""

    def __init__(self, at: float = AT) -> None:
        self.at = at

    def __call__(self) -> float:
        """Return Unix time, s."""
        return self.at


def book(
    folder: Path,
    clock: Clock | None = None,
    *,
    site: str = "alpha",
    windows: Sequence[DailyWindow] = (),
    entries: Sequence[LedgerEntry] = ENTRIES,
) -> CurtailmentBook:
    """Return a book that is kept in `folder`."""
    path = folder / "site.curtailments.json"
    return CurtailmentBook(path, site=site, windows=windows, entries=lambda: entries, wall=clock or Clock())


def order(**fields: Any) -> StartOrder:
    """Return an order to curtail the whole site to zero from now on, unless `fields` say otherwise."""
    return read_order(json.dumps({"target_percent": 0, **fields}).encode())


def in_force(one: CurtailmentBook, at: float) -> list[str]:
    """Return the ids of the events in force at Unix time `at`."""
    return [event.id for event in one.curtailments.around(at).in_force]


async def test_an_ordered_event_survives_a_restart(tmp_path: Path) -> None:
    """A confirmed order or stop survives a restart, to the last field."""
    one = book(tmp_path)
    ordered, is_new = await one.start(order(id="a", duration_s=3600, scope={"container": "C1"}), source="api")
    assert (is_new, ordered.end, one.is_kept) == (True, AT + 3600, True)
    assert book(tmp_path).curtailments.events == (ordered,)
    stopped = await one.stop("a", source="api")
    assert book(tmp_path).curtailments.events == (stopped,)


async def test_stopping_ends_an_event_now_and_once(tmp_path: Path) -> None:
    """After a stop, units get fifteen minutes to wake; stopping again changes nothing."""
    clock = Clock()
    one = book(tmp_path, clock)
    await one.start(order(id="a"), source="api")
    clock.at += 600
    stopped = await one.stop("a", source="api")
    assert (stopped.end, stopped.is_stopped, stopped.phase_at(clock.at)) == (AT + 600, True, Phase.RESTORING)
    clock.at += RESTORE_S
    assert await one.stop("a", source="api") == stopped
    assert stopped.phase_at(clock.at) is Phase.ENDED


async def test_a_pending_event_is_called_off_without_a_trace_in_units(tmp_path: Path) -> None:
    """An event that is called off before its start is over, and no unit has to wake after it."""
    one = book(tmp_path)
    ordered, _ = await one.start(order(id="a", start="2025-11-20T21:37:00Z"), source="api")
    assert ordered.phase_at(AT) is Phase.PENDING
    stopped = await one.stop("a", source="api")
    assert stopped.phase_at(AT) is Phase.ENDED
    assert one.curtailments.around(AT + 61) == ((), (), ())


async def test_a_repeated_order_is_followed_once(tmp_path: Path) -> None:
    """A client that asks again after a lost answer gets the event it has; another order under that id is refused."""
    clock = Clock()
    one = book(tmp_path, clock)
    first, _ = await one.start(order(id="a", duration_s=3600), source="api")
    clock.at += 10
    assert await one.start(order(id="a", duration_s=3600), source="api") == (first, False)
    assert one.curtailments.events == (first,)
    for other in (order(id="a"), order(id="a", duration_s=3600, target_percent=5)):
        with pytest.raises(OrderError, match="declared otherwise") as caught:
            await one.start(other, source="api")
        assert caught.value.refusal is Refusal.CONFLICT
    await one.stop("a", source="api")
    with pytest.raises(OrderError, match="this event is over"):
        await one.start(order(id="a", duration_s=3600), source="api")


async def test_orders_about_nobody_or_nothing_are_refused(tmp_path: Path) -> None:
    """A scope without units and an unknown id are refused."""
    one = book(tmp_path)
    with pytest.raises(OrderError, match="no unit of the ledger is in container C9") as caught:
        await one.start(order(scope={"container": "C9"}), source="api")
    assert caught.value.refusal is Refusal.MALFORMED
    with pytest.raises(OrderError, match="no such event") as caught:
        await one.stop("a", source="api")
    assert caught.value.refusal is Refusal.UNKNOWN
    assert one.curtailments.events == ()


WINDOW = DailyWindow(
    name="always", scope=Scope(), target_ratio=0.0, zone=ZoneInfo("UTC"), starts=0, ends=0, weekdays=frozenset(range(7))
)


async def test_the_schedule_is_not_stopped_by_an_order(tmp_path: Path) -> None:
    """An event of the configuration cannot be stopped by an order."""
    one = book(tmp_path, windows=[WINDOW])
    assert in_force(one, AT) == ["schedule:always:2025-11-20"]
    with pytest.raises(OrderError, match="declared by the configuration") as caught:
        await one.stop("schedule:always:2025-11-20", source="api")
    assert caught.value.refusal is Refusal.CONFLICT


async def test_a_window_that_leaves_the_configuration_ends_at_the_reload(tmp_path: Path) -> None:
    """A dropped window gives its units time to wake and leaves no trace on disk; restored, it is in force again."""
    clock = Clock()
    one = book(tmp_path, clock, windows=[WINDOW])
    one.replace_windows([])
    assert in_force(one, AT) == []
    assert [event.id for event in one.curtailments.around(AT + 60).restoring] == ["schedule:always:2025-11-20"]
    await one.keep()
    assert read_events(one.path, site="alpha") == ()
    one.replace_windows([replace(WINDOW, target_ratio=0.5)])
    assert in_force(one, AT + 60) == ["schedule:always:2025-11-20"]
    assert one.curtailments.events == ()


async def test_too_many_events_are_refused_and_old_ones_forgotten(tmp_path: Path) -> None:
    """Too many open events are refused; of too many ended ones the oldest is forgotten."""
    clock = Clock()
    one = book(tmp_path, clock)
    for number in range(MAX_OPEN):
        await one.start(order(id=f"n{number}", duration_s=60 + number), source="api")
    with pytest.raises(OrderError) as caught:
        await one.start(order(), source="api")
    assert caught.value.refusal is Refusal.FULL
    clock.at += 86400
    for number in range(10):
        await one.start(order(id=f"m{number}"), source="api")
    kept = {event.id for event in one.curtailments.events}
    assert len(kept) == MAX_ENDED + 10
    clock.at += 1
    await one.stop("m0", source="api")
    clock.at += 86400
    await one.start(order(id="last"), source="api")
    kept = {event.id for event in one.curtailments.events}
    assert len(kept) == MAX_ENDED + 10
    assert "n0" not in kept
    assert {"n1", "m0", "last"} <= kept


async def test_what_cannot_be_written_is_not_followed(tmp_path: Path) -> None:
    """Without its folder the book refuses every order and stop; once the folder is back, orders are followed."""
    folder = tmp_path / "state"
    folder.mkdir()
    one = book(folder)
    await one.start(order(id="a"), source="api")
    (folder / "site.curtailments.json").rename(tmp_path / "away.json")
    folder.rmdir()
    for attempt in (one.start(order(id="b"), source="api"), one.stop("a", source="api")):
        with pytest.raises(OrderError) as caught:
            await attempt
        assert caught.value.refusal is Refusal.NOT_KEPT
    assert (one.is_kept, in_force(one, AT)) == (False, ["a"])
    folder.mkdir()
    await one.stop("a", source="api")
    assert one.is_kept is True
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def one_event(**changes: object) -> bytes:
    """Return a file with one event that has a fault."""
    event = {"id": "a", "start": 1, "end": None, "target_ratio": 0, "scope": {}, "source": "s"}
    kept = event | {"is_started": True, "is_stopped": False} | changes
    return json.dumps({"version": 1, "site": "alpha", "events": [kept]}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b'{"version":1,"site":"alpha","events":[{"id":"a"}]}',
        b'{"version":1,"site":"alpha"',
        b"[" * 100_000,
        b" " * ((1 << 20) + 1),
        one_event(target_ratio=7),
        one_event(start=1e99),
        one_event(scope={"x": "y"}),
        one_event(is_stopped=True),
    ],
)
async def test_a_damaged_file_is_told_and_kept_aside(tmp_path: Path, content: bytes) -> None:
    """A damaged file is moved aside: the agent starts without its events, and the next order works."""
    path = tmp_path / "site.curtailments.json"
    path.write_bytes(content)
    with capture_logs() as lines:
        one = book(tmp_path)
    assert [line["event"] for line in lines] == ["curtailments forgotten"]
    assert (one.is_kept, one.curtailments.events) == (False, ())
    await one.start(order(id="a"), source="api")
    assert one.is_kept is True
    assert (tmp_path / "site.curtailments.json.bad").read_bytes() == content
    assert [event.id for event in book(tmp_path).curtailments.events] == ["a"]


async def test_a_file_of_another_site_or_version_is_refused(tmp_path: Path) -> None:
    """A file of another site or of another version is a configuration mistake."""
    one = book(tmp_path)
    await one.start(order(id="a"), source="api")
    with pytest.raises(ConfigError, match="belongs to site 'alpha'"):
        book(tmp_path, site="beta")
    text = one.path.read_text(encoding="utf-8")
    one.path.write_text(text.replace('"version": 1', '"version": 2'), encoding="utf-8")
    with pytest.raises(ConfigError, match="version 2"):
        book(tmp_path)
    assert "a" in one.path.read_text(encoding="utf-8")


async def test_orders_at_once_come_one_after_the_other(tmp_path: Path) -> None:
    """Twenty orders at the same moment are twenty events, in memory and on disk."""
    one = book(tmp_path)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(20):
            tasks.create_task(one.start(order(), source="api"), name="order")
    ids = {event.id for event in one.curtailments.events}
    assert len(ids) == 20
    assert {event.id for event in book(tmp_path).curtailments.events} == ids


async def test_changes_are_told_to_who_watches(tmp_path: Path) -> None:
    """`on_change` is called with every change, immediately."""
    one = book(tmp_path)
    seen = []
    one.on_change = lambda curtailments: seen.append(len(curtailments.around(AT).in_force))
    await one.start(order(id="a"), source="api")
    await one.stop("a", source="api")
    one.replace_windows([WINDOW])
    one.replace_windows([WINDOW])
    assert seen == [1, 0, 1]


async def test_the_log_tells_begin_and_end_once(tmp_path: Path) -> None:
    """An event is logged when it begins and when it ends, and never between."""
    clock = Clock()
    one = book(tmp_path, clock)
    await one.start(order(id="a", start="2025-11-20T21:37:00Z", duration_s=60), source="ercot")
    with capture_logs() as lines:
        for at in (AT, AT + 60, AT + 70, AT + 119, AT + 120, AT + 130):
            one.log_changes(at)
    assert [(line["event"], line["id"]) for line in lines] == [("curtailment began", "a"), ("curtailment ended", "a")]
    assert (lines[0]["scope"], lines[0]["source"]) == ("the whole site", "ercot")


EVENTS = st.builds(
    Event,
    id=st.text("abc.-", min_size=1, max_size=3),
    start=st.floats(0, 4e9),
    end=st.floats(0, 4e9),
    target_ratio=st.floats(0, 0.999),
    scope=st.builds(Scope, container=st.none() | st.text(max_size=5), unit=st.none() | st.text(max_size=5)),
    source=st.text(max_size=10),
    is_started=st.booleans(),
    is_stopped=st.booleans(),
)


@given(events=st.lists(EVENTS, max_size=5, unique_by=lambda event: event.id))
def test_what_is_written_reads_back(tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> None:
    """Every event comes back equal, times to the last bit."""
    path = tmp_path_factory.getbasetemp() / "round-trip.json"
    write_events(path, tuple(events), site="alpha")
    assert read_events(path, site="alpha") == tuple(events)
    assert path.stat().st_mode & 0o777 == 0o600


@given(data=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_events_or_a_state_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Any file gives events, ConfigError or StateError."""
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(data)
    with suppress(StateError, ConfigError):
        assert read_events(path, site="alpha") == ()
