"""The book of declared curtailments: orders followed once and on disk, or not at all; damaged files; restarts."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from site_cases import AT, entry
from structlog.testing import capture_logs

from agent.errors import ConfigError
from agent.site.curtailment import book as book_module
from agent.site.curtailment import retention
from agent.site.curtailment.book import CurtailmentBook
from agent.site.curtailment.events import RESTORE_S, Event, Phase, Scope
from agent.site.curtailment.file import (
    MAX_FILE_BYTES,
    MAX_WRITTEN_BYTES,
    KeptOrders,
    StateError,
    encode_orders,
    read_orders,
    write_orders,
)
from agent.site.curtailment.orders import OrderError, Refusal, StartOrder, read_order
from agent.site.curtailment.retention import MAX_ENDED, MAX_OPEN
from agent.site.curtailment.windows import DailyWindow
from agent.site.ledger.entries import LedgerEntry, Place

FEW = 8
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
    assert read_orders(one.path, site="alpha") == KeptOrders()
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
    oldest = MAX_OPEN - MAX_ENDED
    assert f"n{oldest - 1}" not in kept
    assert {f"n{oldest}", "m0"} <= kept
    clock.at += 1
    await one.stop("m0", source="api")
    clock.at += 86400
    await one.start(order(id="last"), source="api")
    kept = {event.id for event in one.curtailments.events}
    assert len(kept) == MAX_ENDED + 10
    assert f"n{oldest}" not in kept
    assert {f"n{oldest + 1}", "m0", "last"} <= kept


async def test_what_cannot_be_written_is_not_followed(tmp_path: Path) -> None:
    """Without its folder the book refuses every order and stop; once the folder is back, orders are followed."""
    folder = tmp_path / "state"
    folder.mkdir()
    one = book(folder)
    await one.start(order(id="a"), source="api")
    for path in folder.iterdir():
        path.rename(tmp_path / path.name)
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
        b" " * (MAX_FILE_BYTES + 1),
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
    named = frozenset(event.id for event in events[::2])
    orders = KeptOrders(events=tuple(events), unnamed=named, spent={"x": 1.5, "y": AT})
    write_orders(path, orders, site="alpha")
    assert read_orders(path, site="alpha") == orders
    assert path.stat().st_mode & 0o777 == 0o600


@given(data=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_events_or_a_state_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Any file gives events, ConfigError or StateError."""
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(data)
    with suppress(StateError, ConfigError):
        assert read_orders(path, site="alpha") == KeptOrders()


LONGEST = {
    "source": "\U00020000" * 64,
    "scope": dict.fromkeys(("container", "rack", "model", "unit"), '"\U00020000' * 32),
}


def longest(number: int) -> Event:
    """Return an event whose every field is as long as an order allows."""
    return Event(
        id=f"{number:064}",
        start=AT + 1 / 3,
        end=AT + 4 / 3,
        target_ratio=1 / 3,
        scope=Scope(**LONGEST["scope"]),
        source=LONGEST["source"],
        is_started=True,
        is_stopped=True,
    )


def test_the_longest_orders_make_no_file_that_is_refused() -> None:
    """As many orders and ids as are kept, all of the greatest length, stay within the length that is written."""
    events = tuple(longest(number) for number in range(MAX_OPEN + MAX_ENDED))
    spent = {f"x{number:063}": AT + 1 / 3 for number in range(retention.MAX_SPENT + MAX_OPEN)}
    ids = frozenset(event.id for event in events)
    data = encode_orders(KeptOrders(events=events, unnamed=ids, spent=spent), site="a" * 64)
    assert len(data) < MAX_WRITTEN_BYTES < MAX_FILE_BYTES


async def test_an_order_that_makes_the_file_too_long_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused before anything is written; the others are still there after a restart, and can be stopped."""
    monkeypatch.setattr(book_module, "MAX_WRITTEN_BYTES", 20_000)
    name = LONGEST["scope"]["unit"]
    nameplate = replace(ENTRIES[0].nameplate, model=name)
    everywhere = entry(name, place=Place(container=name, rack=name), nameplate=nameplate)
    one = book(tmp_path, entries=(everywhere,))

    async def start_many() -> None:
        for number in range(MAX_OPEN):
            await one.start(order(id=f"n{number}", **LONGEST), source="api")

    with pytest.raises(OrderError, match="would be longer than") as caught:
        await start_many()
    assert caught.value.refusal is Refusal.FULL
    assert one.path.stat().st_size <= 20_000
    one.close()
    again = book(tmp_path, entries=(everywhere,))
    assert again.curtailments.events == one.curtailments.events
    assert len(again.curtailments.events) > 5
    for event in again.curtailments.events:
        await again.stop(event.id, source="api")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow few events: each order is flushed to the disk."""
    monkeypatch.setattr(retention, "MAX_OPEN", FEW)
    monkeypatch.setattr(retention, "MAX_ENDED", FEW)


@pytest.mark.usefixtures("few")
async def test_events_that_units_wake_from_count_as_open(tmp_path: Path) -> None:
    """Started and stopped at once, as many orders as may be open are followed; 15 minutes later there is room again."""
    clock = Clock()
    one = book(tmp_path, clock)
    for number in range(FEW):
        await one.start(order(id=f"n{number}"), source="api")
        await one.stop(f"n{number}", source="api")
    with pytest.raises(OrderError, match="ended less than 15 minutes ago") as caught:
        await one.start(order(id="more"), source="api")
    assert caught.value.refusal is Refusal.FULL
    clock.at += RESTORE_S
    await one.start(order(id="more"), source="api")
    assert in_force(one, clock.at) == ["more"]


@pytest.mark.usefixtures("few")
async def test_a_state_that_changes_often_is_followed_for_ever(tmp_path: Path) -> None:
    """A gateway that ramps in small steps is followed at each; its oldest steps are forgotten, not others' events."""
    one = book(tmp_path)
    await one.start(order(id="other"), source="grid")
    await one.stop("other", source="grid")
    for number in range(2 * FEW):
        step, _ = await one.start(order(id=f"g{number}", source="gateway", target_percent=1), source="", is_state=True)
        if number:
            await one.stop(f"g{number - 1}", source="gateway")
    ids = [event.id for event in one.curtailments.events]
    assert len(ids) == FEW
    assert (ids[0], ids[-1], in_force(one, AT)) == ("other", step.id, [step.id])
    assert not json.loads(one.path.read_bytes())["spent"]


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("is_called_off", [False, True])
async def test_a_stopped_order_stays_stopped_however_much_comes_between(tmp_path: Path, *, is_called_off: bool) -> None:
    """Its repetition is refused until its start is a day ago, also after hundreds of other events and a restart."""
    clock = Clock()
    starts_at = AT + 20 * 86400 if is_called_off else AT
    first = order(id="a", start=datetime.fromtimestamp(starts_at, UTC).isoformat())
    one = book(tmp_path, clock)
    await one.start(first, source="mqtt")
    clock.at += 60
    await one.stop("a", source="mqtt")
    for number in range(10 * FEW):
        if number % (FEW // 2) == 0:
            clock.at += RESTORE_S
        await one.start(order(id=f"n{number}"), source="api")
        await one.stop(f"n{number}", source="api")
    one.close()
    for at in (clock.at, starts_at + 86400 - 1):
        clock.at = at
        one = book(tmp_path, clock)
        assert "a" not in {event.id for event in one.curtailments.events}
        with pytest.raises(OrderError, match="this event is over") as caught:
            await one.start(first, source="mqtt")
        assert caught.value.refusal is Refusal.CONFLICT
        with pytest.raises(OrderError, match="this event is over"):
            await one.stop("a", source="mqtt")
        one.close()
    clock.at = starts_at + 86400 + 61
    one = book(tmp_path, clock)
    with pytest.raises(OrderError, match="a time from a day ago"):
        await one.start(first, source="mqtt")
    await one.start(order(id="b"), source="api")
    assert json.loads(one.path.read_bytes())["spent"].keys().isdisjoint({"a"})


@pytest.mark.usefixtures("few")
async def test_ids_of_the_agents_own_making_are_not_kept(tmp_path: Path) -> None:
    """Nobody can repeat an order that had no id, so its id takes no room."""
    clock = Clock()
    one = book(tmp_path, clock)
    for number in range(3 * FEW):
        if number % (FEW // 2) == 0:
            clock.at += RESTORE_S
        event, _ = await one.start(order(), source="api")
        await one.stop(event.id, source="api")
    assert not json.loads(one.path.read_bytes())["spent"]
    again = book(tmp_path, clock)
    assert again.curtailments.events == one.curtailments.events


@pytest.mark.usefixtures("few")
async def test_too_many_ids_refuse_new_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that calls off events of next year in a loop is refused at last; stopping goes on."""
    monkeypatch.setattr(retention, "MAX_SPENT", 25)
    clock = Clock()
    one = book(tmp_path, clock)
    await one.start(order(id="stays"), source="api")
    followed = []

    async def call_off_many() -> None:
        for number in range(20 * FEW):
            await one.start(order(id=f"n{number}", start="2026-11-01T00:00:00Z"), source="api")
            followed.append(await one.stop(f"n{number}", source="api"))

    with pytest.raises(OrderError, match="an order may be repeated for a day") as caught:
        await call_off_many()
    assert (len(followed), caught.value.refusal) == (FEW + 26, Refusal.FULL)
    await one.stop("stays", source="api")


async def test_two_agents_do_not_overwrite_each_others_orders(tmp_path: Path) -> None:
    """The second refuses orders while the first runs; after its end it takes over what the first wrote."""
    first, second = book(tmp_path), book(tmp_path)
    await first.keep()
    await second.keep()
    assert (first.is_kept, second.is_kept) == (True, False)
    await first.start(order(id="a"), source="api")
    with pytest.raises(OrderError, match="another agent is writing it") as caught:
        await second.start(order(id="b"), source="api")
    assert (caught.value.refusal, second.curtailments.events) == (Refusal.NOT_KEPT, ())
    first.close()
    seen = []
    second.on_change = lambda curtailments: seen.append([event.id for event in curtailments.events])
    await second.keep()
    assert (second.is_kept, seen, in_force(second, AT)) == (True, [["a"]], ["a"])
    await second.start(order(id="b"), source="api")
    assert [event.id for event in read_orders(second.path, site="alpha").events] == ["a", "b"]


async def test_a_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """A file without ids of ended events is read; what an earlier version does not know, it passes over."""
    path = tmp_path / "site.curtailments.json"
    path.write_bytes(one_event())
    assert in_force(book(tmp_path), AT) == ["a"]
