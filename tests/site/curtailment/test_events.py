"""Curtailment: declared events, the schedule's windows in local time, and clocks that are set."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from site_cases import AT, entry

from agent.site.curtailment.events import REMEMBERED_S, RESTORE_S, Curtailments, Event, Phase, Scope
from agent.site.curtailment.windows import DailyWindow, local_moment
from agent.site.ledger.entries import Place

NEW_YORK = ZoneInfo("America/New_York")


def unix(text: str) -> float:
    """Return the Unix time, s, of an ISO time with an offset."""
    return datetime.fromisoformat(text).timestamp()


def event(event_id: str = "e1", **changes: object) -> Event:
    """Return an event over the whole site that began at `AT` and lasts an hour."""
    defaults: dict[str, object] = {
        "id": event_id,
        "start": AT,
        "end": AT + 3600,
        "target_ratio": 0.0,
        "scope": Scope(),
        "source": "test",
    }
    return Event(**{**defaults, **changes})  # type: ignore[arg-type]  # What a test changes has the field's type.


def window(**changes: object) -> DailyWindow:
    """Return a window from 16:00 to 19:00 in New York, every day."""
    defaults: dict[str, object] = {
        "name": "peak",
        "scope": Scope(),
        "target_ratio": 0.0,
        "zone": NEW_YORK,
        "starts": 16 * 60,
        "ends": 19 * 60,
    }
    return DailyWindow(**{**defaults, **changes})  # type: ignore[arg-type]  # What a test changes has the field's type.


@pytest.mark.parametrize(
    ("scope", "is_covered", "words"),
    [
        (Scope(), True, "the whole site"),
        (Scope(container="C1"), True, "container C1"),
        (Scope(container="C2"), False, "container C2"),
        (Scope(container="C1", rack="R1"), True, "container C1, rack R1"),
        (Scope(container="C1", rack="R2"), False, "container C1, rack R2"),
        (Scope(rack="R1"), True, "rack R1"),
        (Scope(model="M294"), True, "model M294"),
        (Scope(model="M294", container="C2"), False, "container C2, model M294"),
        (Scope(unit="u1"), True, "unit u1"),
        (Scope(unit="u2"), False, "unit u2"),
        (Scope(container=""), False, "container "),
    ],
)
def test_a_scope_covers_what_matches_all_it_tells(scope: Scope, *, is_covered: bool, words: str) -> None:
    """Every name given must match; a name left out matches all; an empty name matches the units without one."""
    assert (scope.covers(entry()), str(scope)) == (is_covered, words)


@pytest.mark.parametrize(
    ("changes", "after_s", "phase"),
    [
        ({}, -1, Phase.PENDING),
        ({}, 0, Phase.ACTIVE),
        ({}, 3599, Phase.ACTIVE),
        ({}, 3600, Phase.RESTORING),
        ({}, 3600 + RESTORE_S - 1, Phase.RESTORING),
        ({}, 3600 + RESTORE_S, Phase.ENDED),
        ({"end": None}, 10_000_000, Phase.ACTIVE),
        # Set back before the start: a scheduled event has not begun, one that was started "now" goes on.
        ({"is_started": True}, -7200, Phase.ACTIVE),
        ({"is_started": True}, 3600, Phase.RESTORING),
        # Stopped after ten minutes, and the clock then set back by twenty, or by an hour.
        ({"end": AT + 600, "is_stopped": True, "is_started": True}, 601, Phase.RESTORING),
        ({"end": AT + 600, "is_stopped": True, "is_started": True}, -300, Phase.RESTORING),
        ({"end": AT + 600, "is_stopped": True, "is_started": True}, -3600, Phase.ENDED),
        # Called off ten minutes before it was to begin.
        ({"end": AT - 600, "is_stopped": True}, -599, Phase.ENDED),
        ({"end": AT - 600, "is_stopped": True}, 1, Phase.ENDED),
    ],
)
def test_phases(changes: dict[str, object], after_s: float, phase: Phase) -> None:
    """An event is pending, active, restoring for 15 minutes, then ended; a start or stop by order is final."""
    assert event(**changes).phase_at(AT + after_s) is phase


def test_the_lowest_target_counts() -> None:
    """If events overlap, a unit is under the one that leaves it least; elsewhere under the other."""
    both = Curtailments(
        events=[event("mild", target_ratio=0.6), event("hard", target_ratio=0.1, scope=Scope(container="C2"))]
    )
    elsewhere = entry("u2", place=Place(container="C2"))
    for unit, expected in ((entry(), "mild"), (elsewhere, "hard")):
        active = both.active(unit, AT)
        assert active is not None
        assert active.id == expected


def test_no_event_without_a_declaration() -> None:
    """Without declarations nothing is curtailed, at any time."""
    assert Curtailments().active(entry(), AT) is None
    assert Curtailments().around(1e15) == ((), (), ())


@given(
    events=st.lists(
        st.builds(
            event,
            event_id=st.sampled_from("abc"),
            start=st.integers(0, 50).map(lambda n: AT + 300.0 * n),
            end=st.none() | st.integers(0, 50).map(lambda n: AT + 300.0 * n),
            target_ratio=st.sampled_from([0.0, 0.5]),
            is_started=st.booleans(),
        ),
        max_size=4,
    ),
    steps=st.lists(st.integers(-1000, 60_000).map(lambda n: AT + n), max_size=20),
)
def test_what_was_looked_up_before_changes_no_answer(events: list[Event], steps: list[float]) -> None:
    """If the clock jumps, the answer is the one a new `Curtailments` would give."""
    one = Curtailments([window()], events)
    for at in steps:
        assert one.around(at) == Curtailments([window()], events).around(at)
        in_force = {each.id for each in one.around(at).in_force if each.source == "test"}
        assert in_force == {each.id for each in events if each.phase_at(at) is Phase.ACTIVE}


@pytest.mark.parametrize(
    ("changes", "day", "start", "end"),
    [
        ({}, "2025-10-07", "2025-10-07T16:00-04:00", "2025-10-07T19:00-04:00"),
        ({}, "2025-12-07", "2025-12-07T16:00-05:00", "2025-12-07T19:00-05:00"),
        # Over midnight, to midnight, and around the clock.
        ({"starts": 1320, "ends": 360}, "2025-10-07", "2025-10-07T22:00-04:00", "2025-10-08T06:00-04:00"),
        ({"starts": 1320, "ends": 1440}, "2025-10-07", "2025-10-07T22:00-04:00", "2025-10-08T00:00-04:00"),
        ({"starts": 0, "ends": 0}, "2025-10-07", "2025-10-07T00:00-04:00", "2025-10-08T00:00-04:00"),
        # Leap day.
        ({"starts": 1320, "ends": 60}, "2028-02-28", "2028-02-28T22:00-05:00", "2028-02-29T01:00-05:00"),
        # Clocks go forward at 02:00 on 2025-03-09: skipped times stand for the jump, 02:00-05:00 = 03:00-04:00.
        ({"starts": 90, "ends": 150}, "2025-03-09", "2025-03-09T01:30-05:00", "2025-03-09T03:00-04:00"),
        ({"starts": 150, "ends": 240}, "2025-03-09", "2025-03-09T03:00-04:00", "2025-03-09T04:00-04:00"),
        ({"starts": 60, "ends": 240}, "2025-03-09", "2025-03-09T01:00-05:00", "2025-03-09T04:00-04:00"),
        ({"starts": 1320, "ends": 150}, "2025-03-08", "2025-03-08T22:00-05:00", "2025-03-09T03:00-04:00"),
        # Clocks go back at 02:00 on 2025-11-02: the hour from 01:00 comes twice, and the window holds both.
        ({"starts": 75, "ends": 105}, "2025-11-02", "2025-11-02T01:15-04:00", "2025-11-02T01:45-05:00"),
        ({"starts": 30, "ends": 90}, "2025-11-02", "2025-11-02T00:30-04:00", "2025-11-02T01:30-05:00"),
        ({"starts": 90, "ends": 180}, "2025-11-02", "2025-11-02T01:30-04:00", "2025-11-02T03:00-05:00"),
        ({"starts": 0, "ends": 0}, "2025-11-02", "2025-11-02T00:00-04:00", "2025-11-03T00:00-05:00"),
    ],
)
def test_windows_in_local_time(changes: dict[str, object], day: str, start: str, end: str) -> None:
    """A window follows the local clock, even on days on which it jumps."""
    made = window(**changes).event_on(date.fromisoformat(day))
    assert made is not None
    assert (made.start, made.end) == (unix(start), unix(end))


def test_a_window_wholly_in_skipped_time_makes_no_event() -> None:
    """No clock shows 02:15 to 02:45 on the night they go forward; the days around are as usual."""
    short = window(starts=135, ends=165)
    assert short.event_on(date(2025, 3, 9)) is None
    assert short.event_on(date(2025, 3, 8)) is not None
    assert short.event_on(date(2025, 3, 10)) is not None


def test_weekdays_and_dates() -> None:
    """A window starts on its weekdays, or on its dates and on no other; the night after belongs to the evening."""
    tuesday = date(2025, 10, 7)
    weekdays = window(weekdays=frozenset({1}), starts=1320, ends=360)
    assert [day for day in range(7) if weekdays.event_on(tuesday + timedelta(days=day))] == [0]
    dates = window(dates=frozenset({tuesday}), weekdays=frozenset())
    assert [day for day in range(-7, 8) if dates.event_on(tuesday + timedelta(days=day))] == [0]
    night = Curtailments([weekdays])
    assert night.active(entry(), unix("2025-10-08T05:59-04:00")) is not None
    assert night.active(entry(), unix("2025-10-08T06:00-04:00")) is None
    assert night.active(entry(), unix("2025-10-08T22:00-04:00")) is None


def test_scheduled_events_have_names() -> None:
    """A window's event is named after it and its local date, and comes from the schedule."""
    made = window().event_on(date(2025, 10, 7))
    assert made is not None
    assert (made.id, made.source) == ("schedule:peak:2025-10-07", "schedule")


ZONES = ["America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Almaty", "America/Santiago", "UTC"]


@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    starts=st.integers(0, 1439),
    ends=st.integers(1, 1440),
    at=st.integers(1_735_689_600, 1_798_761_600),
)
def test_a_window_is_in_force_whenever_the_wall_clock_reads_within_it(
    zone: ZoneInfo, starts: int, ends: int, at: int
) -> None:
    """In any zone, at any time of two years, a local time inside the window is inside an event."""
    local = datetime.fromtimestamp(at, zone)
    minute = local.hour * 60 + local.minute
    reads_inside = starts <= minute < ends if starts < ends else minute >= starts or minute < ends
    is_in_force = bool(Curtailments([window(zone=zone, starts=starts, ends=ends)]).around(at).in_force)
    # More than that only where an hour comes twice: within three hours of a clock that goes back.
    turns = [local.utcoffset(), *(datetime.fromtimestamp(at + hours * 3600, zone).utcoffset() for hours in (-3, 3))]
    assert is_in_force == reads_inside or (is_in_force and len(set(turns)) > 1)


@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    minutes=st.integers(0, 1440),
    day=st.dates(date(2025, 1, 1), date(2027, 1, 1)),
)
def test_a_local_moment_reads_as_asked_unless_skipped(zone: ZoneInfo, minutes: int, day: date) -> None:
    """In local time, the moment shows the time asked for, or the first time after a jump over it."""
    start, end = (local_moment(day, minutes, zone, is_end=is_end) for is_end in (False, True))
    asked = datetime.combine(day, datetime.min.time()) + timedelta(minutes=minutes)
    shown = datetime.fromtimestamp(start, zone).replace(tzinfo=None)
    assert start <= end
    if shown != asked:
        assert start == end
        assert shown > asked
        assert datetime.fromtimestamp(start - 1, zone).replace(tzinfo=None) < asked
    assert datetime.fromtimestamp(end, UTC).timestamp() == end


def test_an_ended_event_is_remembered_for_a_day() -> None:
    """An event that ended within a day still explains why a unit sleeps; an older one does not."""
    one = Curtailments(events=[event()])
    assert one.around(AT + 3600 + REMEMBERED_S - 1).remembered_event(entry()) == event()
    assert one.around(AT + 3600 + REMEMBERED_S).remembered_event(entry()) is None
