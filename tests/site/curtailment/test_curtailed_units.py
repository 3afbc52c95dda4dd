"""Units under declared curtailment: curtailed, straggling, waking, not restored; and their losses."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from site_cases import (
    AT,
    FLOATS,
    FRACTIONS,
    MHZ,
    NO_ANSWER,
    STALE_AFTER_S,
    TH,
    Case,
    answered,
    board,
    entry,
    failed,
    fleets,
    statuses,
)

from agent.site.curtailment.events import RESTORE_S, Curtailments, Event, Scope
from agent.site.ledger.entries import LedgerEntry
from agent.site.reasons import Reason
from agent.site.status import Cause, Loss, UnitState, UnitStatus
from agent.site.totals import site_figures
from agent.site.tracker import RENAMED_AT_ONCE, Tracker
from agent.unit.reading import BoardReading, Mode

START, END = AT + 100, AT + 3700
EVENT = Event(id="e1", start=START, end=END, target_ratio=0, scope=Scope(), source="test")
ASLEEP = {"mode": Mode.SLEEP, "hashrate_5s_hs": 0 * TH, "uptime_s": 1.0, "boards": ()}


def tracker(*events: Event, entries: tuple[LedgerEntry, ...] = (entry(),)) -> Tracker:
    """Return a tracker that starts at `AT`, with `events` declared."""
    return Tracker(entries, stale_after_s=STALE_AFTER_S, at=AT, curtailments=Curtailments(events=events))


def polled(one: Tracker, at: float, unit_id: str = "u1", **changes: Any) -> UnitStatus:
    """Return a unit's status after a good poll at Unix time `at`; the monotonic clock advances with it."""
    recorded = one.record(answered(unit_id, at=at, **changes), clock_s=at - AT)
    assert recorded is not None
    return recorded[0]


def seen(one: Tracker, unit_id: str = "u1") -> UnitStatus:
    """Return the status of a unit that must be there."""
    status = one.status(unit_id)
    assert status is not None
    return status


@pytest.mark.parametrize(
    ("at", "state"),
    [
        (START - 1, UnitState.STOPPED),
        (START, UnitState.CURTAILED),
        (END - 1, UnitState.CURTAILED),
        (END, UnitState.CURTAILED),
        (END + RESTORE_S - 1, UnitState.CURTAILED),
        (END + RESTORE_S, UnitState.STOPPED),
    ],
)
def test_asleep_is_curtailed_inside_an_event_and_while_it_may_wake(at: float, state: UnitState) -> None:
    """A sleeping unit is stopped before an event, curtailed inside and for 15 minutes after, then stopped again."""
    status = polled(tracker(EVENT), at, **ASLEEP)
    assert (status.state, status.why) == (state, "asleep")
    assert status.losses == (Loss(Cause(state.value), 294 * TH),)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        # A fault inside an event is a fault: awake and idle, rebooting, short of a board.
        ({"hashrate_5s_hs": 0 * TH}, UnitState.STOPPED),
        ({"hashrate_5s_hs": 0 * TH, "uptime_s": 60.0}, UnitState.STARTING),
        ({"hashrate_5s_hs": 196 * TH, "boards": (board(0), board(1))}, UnitState.HASHING),
    ],
)
def test_only_sleep_is_curtailed(changes: dict[str, Any], state: UnitState) -> None:
    """An event gives no excuse to a unit that is awake and does not hash."""
    assert polled(tracker(EVENT), START, **changes).state is state


def test_unreachable_inside_an_event_is_unreachable() -> None:
    """An unreachable unit is not curtailed, even if it slept when last read, until it is read again."""
    one = tracker(EVENT)
    assert polled(one, START, **ASLEEP).state is UnitState.CURTAILED
    recorded = one.record(failed(NO_ANSWER, at=START + 31), clock_s=131.0)
    assert recorded is not None
    assert (recorded[0].state, recorded[0].losses) == (UnitState.UNREACHABLE, (Loss(Cause.UNREACHABLE, 294 * TH),))
    assert polled(one, START + 41, **ASLEEP).state is UnitState.CURTAILED


def test_maintenance_outranks_curtailment() -> None:
    """A unit in maintenance stays in maintenance inside an event."""
    status = polled(tracker(EVENT, entries=(entry(is_in_maintenance=True),)), START, **ASLEEP)
    assert status.state is UnitState.MAINTENANCE


@pytest.mark.parametrize(
    ("changes", "is_straggler"),
    [
        ({}, True),
        ({"hashrate_5s_hs": 2.94e12}, True),
        ({"hashrate_5s_hs": 2.93e12}, False),
        ({"hashrate_5s_hs": 0 * TH}, False),
        ({"hashrate_5s_hs": None}, False),
        # The 5 s rate lags behind the mode.
        ({**ASLEEP, "hashrate_5s_hs": 290 * TH}, False),
        ({"hashrate_5s_hs": 100 * TH, "uptime_s": 60.0}, True),
    ],
)
def test_stragglers_hash_above_a_hundredth_of_the_nameplate(changes: dict[str, Any], *, is_straggler: bool) -> None:
    """A unit that goes on hashing inside an event of target 0 is a straggler; outside, none is."""
    assert polled(tracker(EVENT), START, **changes).is_straggler is is_straggler
    assert not polled(tracker(EVENT), END, **changes).is_straggler


@pytest.mark.parametrize(
    ("target", "rate_th", "slots", "is_straggler"),
    [
        # 294 TH/s with three boards, 196 with two. At 60 % up to 70 % is its margin, at 90 % up to 95 %.
        (0.6, 294, (0, 1, 2), True),
        (0.6, 206, (0, 1, 2), True),
        (0.6, 205, (0, 1, 2), False),
        (0.6, 138, (0, 1), True),
        (0.6, 137, (0, 1), False),
        (0.9, 290, (0, 1, 2), True),
        (0.9, 270, (0, 1, 2), False),
        (0.6, 0, (0, 1, 2), False),
    ],
)
def test_stragglers_hash_above_the_target(
    target: float, rate_th: int, slots: tuple[int, ...], *, is_straggler: bool
) -> None:
    """Inside an event to 60 %, a unit that runs at its full rate does not follow; its boards that are left count."""
    one = tracker(replace(EVENT, target_ratio=target))
    status = polled(one, START, hashrate_5s_hs=rate_th * TH, boards=tuple(board(slot) for slot in slots))
    assert status.is_straggler is is_straggler
    assert (Reason.STRAGGLING in {status.reason, *(each.reason for each in status.also)}) is is_straggler


def test_a_straggler_that_went_silent_is_none() -> None:
    """A unit without a fresh reading is no straggler."""
    one = tracker(EVENT)
    assert polled(one, START).is_straggler
    one.record(failed(at=START + 10), clock_s=110.0)
    [(status, _)] = one.refresh(at=START + 30, clock_s=130.0)
    assert (status.state, status.is_straggler) == (UnitState.UNREACHABLE, False)


def test_a_unit_that_was_not_looked_at_lately_is_accused_of_nothing() -> None:
    """An event that begins while a unit is overdue makes no straggler of it: it may have followed."""
    one = tracker(EVENT)
    polled(one, START - 10)
    one.refresh(at=START + 20, clock_s=120.0)
    status = seen(one)
    assert (status.is_overdue, status.state, status.event) == (True, UnitState.HASHING, EVENT)
    assert not status.is_straggler


def test_a_unit_that_slept_when_last_looked_at_goes_with_the_event() -> None:
    """Overdue and asleep: curtailed while the event lasts and until it may have woken, then stopped."""
    one = tracker(EVENT)
    polled(one, END - 60, **ASLEEP)
    seconds = END - AT
    states = []
    for later in (-20, 1, RESTORE_S + 1):
        one.refresh(at=END + later, clock_s=seconds + later)
        states.append((seen(one).is_overdue, seen(one).state))
    assert states == [
        (True, UnitState.CURTAILED),
        (True, UnitState.CURTAILED),
        (True, UnitState.STOPPED),
    ]


TARGET = Fraction(3, 5)


LOW = {"frequency_hz": 294 * MHZ}  # 60 % of 490 MHz.


@pytest.mark.parametrize(
    ("rate_th", "boards", "losses"),
    [
        # 60 % of 294 TH/s is 176.4: the event asked for all of the shortfall.
        (Fraction("176.4"), (board(0), board(1), board(2)), ((Cause.CURTAILED, Fraction("117.6")),)),
        (Fraction(200), (board(0), board(1), board(2)), ((Cause.CURTAILED, Fraction(94)),)),
        (Fraction(294), (board(0), board(1), board(2)), ()),
        # Above the target, the unit does not follow: a slow one is slow, and a board of 98 TH/s is gone.
        (Fraction(250), (board(0), board(1), board(2)), ((Cause.UNDERPERFORMING, Fraction(44)),)),
        (Fraction(196), (board(0), board(1)), ((Cause.MISSING_BOARDS, Fraction(98)),)),
        # A unit that follows with two boards: 40 % of 196 TH/s are curtailed.
        (
            Fraction("117.6"),
            (board(0, **LOW), board(1, **LOW)),
            ((Cause.MISSING_BOARDS, Fraction(98)), (Cause.CURTAILED, Fraction("78.4"))),
        ),
        (
            Fraction("147"),
            (board(0, chips=49, **LOW), board(1, bad_chips=0, **LOW), board(2, **LOW)),
            ((Cause.MISSING_CHIPS, Fraction(49)), (Cause.CURTAILED, Fraction(98))),
        ),
        # Below the target with lower clocks still: the rest is derated, then unexplained.
        (
            Fraction(100),
            (board(0, frequency_hz=245 * MHZ), board(1, frequency_hz=245 * MHZ), board(2, frequency_hz=245 * MHZ)),
            (
                (Cause.CURTAILED, Fraction("117.6")),
                (Cause.DERATED, Fraction("29.4")),
                (Cause.UNDERPERFORMING, Fraction(47)),
            ),
        ),
        # Far below the target at full clocks: the event did not do that.
        (Fraction(100), (board(0), board(1), board(2)), ((Cause.UNDERPERFORMING, Fraction(194)),)),
    ],
)
def test_an_event_explains_what_its_target_takes_of_the_rest(
    rate_th: Fraction, boards: tuple[BoardReading, ...], losses: tuple[tuple[Cause, Fraction], ...]
) -> None:
    """At a target of 60 %, a visible fault is a fault first; the event explains 40 % of the rest, if it is followed.

    So efficiency without curtailment is at most what the present boards do of what they were left.
    """
    one = tracker(replace(EVENT, target_ratio=TARGET))
    status = polled(one, START, hashrate_5s_hs=rate_th * TH, boards=boards)
    assert status.losses == tuple(Loss(cause, lost * TH) for cause, lost in losses)


def test_a_unit_on_its_way_back_belongs_to_the_event() -> None:
    """After an event to 60 %, what the clocks still take is curtailed until the unit is back at its full rate, once."""
    one = tracker(replace(EVENT, target_ratio=TARGET))
    slow = {"boards": tuple(board(slot, **LOW) for slot in range(3)), "hashrate_5s_hs": Fraction("176.4") * TH}
    status = polled(one, END - 1, **slow)
    assert (status.reason, status.losses) == (Reason.HELD_BACK, (Loss(Cause.CURTAILED, Fraction("117.6") * TH),))
    status = polled(one, END + 60, **slow)
    assert (status.reason, status.losses) == (Reason.WAKING, (Loss(Cause.CURTAILED, Fraction("117.6") * TH),))
    assert polled(one, END + 70).losses == ()
    status = polled(one, END + 80, **slow)
    assert (status.reason, status.losses) == (Reason.CLOCK_LOW, (Loss(Cause.DERATED, Fraction("117.6") * TH),))


def test_a_ramp_after_an_event_belongs_to_the_event() -> None:
    """A unit that slept in an event is curtailed while it restarts and ramps up, for the 15 minutes it has."""
    one = tracker(EVENT)
    polled(one, START, **ASLEEP)
    for second, rate_th in ((10, 0), (100, 100), (190, 280)):
        status = polled(one, END + second, hashrate_5s_hs=rate_th * TH, uptime_s=float(second))
        assert (status.state, status.reason) == (UnitState.CURTAILED, Reason.WAKING)
        assert {loss.cause for loss in status.losses} == {Cause.CURTAILED}
    assert polled(one, END + 200, uptime_s=200.0).state is UnitState.HASHING
    # Its next restart has nothing to do with the event.
    assert polled(one, END + 300, hashrate_5s_hs=0 * TH, uptime_s=20.0).state is UnitState.STARTING


def test_an_agent_that_starts_after_an_event_knows_a_ramp_by_its_uptime() -> None:
    """A process that began after the event's end was woken; one that began before it was not curtailed."""
    woken = polled(tracker(EVENT), END + 100, hashrate_5s_hs=0 * TH, uptime_s=60.0)
    other = polled(tracker(EVENT), END + 100, hashrate_5s_hs=0 * TH, uptime_s=160.0)
    assert (woken.state, other.state) == (UnitState.CURTAILED, UnitState.STARTING)


def test_whoever_does_not_come_back_is_named_until_it_hashes() -> None:
    """Fifteen minutes after the end a unit that is not hashing was not restored; hashing once settles it."""
    one = tracker(EVENT)
    polled(one, START, **ASLEEP)
    for at, expected in [(END - 1, None), (END, None), (END + RESTORE_S - 1, None), (END + RESTORE_S, EVENT)]:
        assert polled(one, at, **ASLEEP).unrestored == expected
    # A unit that reboots or is silent still has not come back.
    assert polled(one, END + 1000, hashrate_5s_hs=0 * TH, uptime_s=1.0).unrestored == EVENT
    one.record(failed(at=END + 1040), clock_s=END + 1040 - AT)
    assert (seen(one).state, seen(one).unrestored) == (UnitState.UNREACHABLE, EVENT)
    assert polled(one, END + 2000).unrestored is None
    assert polled(one, END + 3000, **ASLEEP).unrestored is None


def test_a_unit_that_fails_while_waking_is_named_when_its_time_is_over() -> None:
    """A unit silent after an event that had no end when it was curtailed is not restored once the event is stopped."""
    one = tracker(replace(EVENT, end=None))
    polled(one, START, **ASLEEP)
    one.curtailments = Curtailments(events=[replace(EVENT, is_started=True, is_stopped=True)])
    polled(one, END + 10, hashrate_5s_hs=0 * TH, uptime_s=1.0)
    one.record(failed(at=END + RESTORE_S), clock_s=END + RESTORE_S - AT)
    unrestored = seen(one).unrestored
    assert (seen(one).state, unrestored and unrestored.id) == (UnitState.UNREACHABLE, "e1")


def test_units_that_hashed_through_an_event_are_not_waited_for() -> None:
    """A straggler that stops after the event is stopped, and no failure to restore."""
    one = tracker(EVENT)
    polled(one, START)
    assert polled(one, END + 2000, **ASLEEP).unrestored is None


def test_a_restarted_agent_knows_who_did_not_come_back() -> None:
    """A unit first seen asleep, an hour after an event that covered it, is stopped and not restored."""
    status = polled(tracker(EVENT), END + 3600, **ASLEEP)
    assert (status.state, status.unrestored) == (UnitState.STOPPED, EVENT)
    elsewhere = replace(EVENT, scope=Scope(container="C9"))
    assert polled(tracker(elsewhere), END + 3600, **ASLEEP).unrestored is None


def test_a_new_event_takes_over_who_was_not_restored() -> None:
    """Inside the next event a unit is curtailed again, and afterwards that event is the one it did not wake from."""
    later = replace(EVENT, id="e2", start=END + 3600, end=END + 7200)
    one = tracker(EVENT, later)
    assert polled(one, END + 1800, **ASLEEP).unrestored == EVENT
    status = polled(one, END + 3600, **ASLEEP)
    assert (status.state, status.unrestored) == (UnitState.CURTAILED, None)
    assert polled(one, END + 7200 + RESTORE_S, **ASLEEP).unrestored == later


def test_declaring_an_event_renames_sleepers_at_the_next_figures() -> None:
    """A sleeping unit is curtailed at the next refresh, without waiting for its poll; a hashing one is left alone."""
    one = tracker(entries=(entry(), entry("u2")))
    polled(one, AT, **ASLEEP)
    polled(one, AT, "u2")
    assert one.refresh(at=AT + 1, clock_s=1.0) == []
    one.curtailments = Curtailments(events=[replace(EVENT, start=AT, end=None, is_started=True)])
    changes = one.refresh(at=AT + 2, clock_s=2.0)
    assert [(status.entry.unit_id, status.state, before.state) for status, before in changes] == [
        ("u1", UnitState.CURTAILED, UnitState.STOPPED)
    ]
    assert one.refresh(at=AT + 3, clock_s=3.0) == []


def test_a_sleeping_fleet_is_renamed_bit_by_bit() -> None:
    """One refresh renames a bounded number of sleepers; the others are renamed by the next one, or by their polls."""
    fleet = tuple(entry(f"u{number}") for number in range(RENAMED_AT_ONCE + 5))
    one = tracker(entries=fleet)
    for unit in fleet:
        polled(one, AT, unit.unit_id, **ASLEEP)
    one.curtailments = Curtailments(events=[replace(EVENT, start=AT, is_started=True)])
    assert len(one.refresh(at=AT + 1, clock_s=1.0)) == RENAMED_AT_ONCE
    assert polled(one, AT + 2, fleet[-1].unit_id, **ASLEEP).state is UnitState.CURTAILED
    assert len(one.refresh(at=AT + 2, clock_s=2.0)) == 4
    assert one.refresh(at=AT + 3, clock_s=3.0) == []


@pytest.mark.parametrize("silent_since", [AT, END - 1])
def test_a_silent_unit_is_inside_an_event_for_exactly_as_long_as_it_is_in_force(silent_since: float) -> None:
    """A silent unit, polled once a minute, enters and leaves an event at the next refresh, and so do the figures."""
    one = tracker(EVENT)
    if silent_since > AT:
        polled(one, END - 2)
    recorded = one.record(failed(NO_ANSWER, at=silent_since), clock_s=silent_since - AT)
    assert recorded is not None
    covered = []
    for at in (START - 1, START, END - 1, END, END + 1):
        if at >= silent_since:
            one.refresh(at=at, clock_s=at - AT)
            figures = site_figures(one.statuses(), at)
            covered.append((at, seen(one).event, figures.site.curtailment_nameplate_hs))
    expected = [
        (START - 1, None, 0),
        (START, EVENT, 294 * TH),
        (END - 1, EVENT, 294 * TH),
        (END, None, 0),
        (END + 1, None, 0),
    ]
    assert covered == [each for each in expected if each[0] >= silent_since]


def test_the_end_of_restoring_renames_sleepers_at_the_next_figures() -> None:
    """Fifteen minutes after the end, sleepers are stopped at the next refresh."""
    one = tracker(EVENT)
    polled(one, END + RESTORE_S - 1, **ASLEEP)
    [(status, before)] = one.refresh(at=END + RESTORE_S, clock_s=END + RESTORE_S - AT)
    assert (before.state, status.state, status.unrestored) == (UnitState.CURTAILED, UnitState.STOPPED, EVENT)


@pytest.mark.parametrize("step_s", [-86400.0, -600.0, 600.0, 86400.0])
def test_a_clock_that_is_set_does_not_undo_what_somebody_started(step_s: float) -> None:
    """An event started with "now" goes on through a clock set back or forward, until it is stopped."""
    one = tracker(replace(EVENT, start=AT, end=None, is_started=True))
    assert polled(one, AT + 10, **ASLEEP).state is UnitState.CURTAILED
    recorded = one.record(answered(at=AT + 20 + step_s, **ASLEEP), clock_s=20.0)
    assert recorded is not None
    assert recorded[0].state is UnitState.CURTAILED


def test_an_event_of_the_calendar_follows_the_clock() -> None:
    """A clock set forward into an event makes sleepers curtailed, and set back makes them stopped."""
    one = tracker(EVENT)
    for at, state in [(AT, UnitState.STOPPED), (START, UnitState.CURTAILED), (AT, UnitState.STOPPED)]:
        assert polled(one, at, **ASLEEP).state is state


@st.composite
def declared(draw: st.DrawFn, ratio: type[Fraction | float]) -> Curtailments:
    """Return up to three events in every phase, over all kinds of scopes, with any target."""
    scopes = [Scope(), Scope(container="C1"), Scope(rack="R1"), Scope(model="T21"), Scope(unit="u0")]
    events = [
        Event(
            id=f"e{number}",
            start=AT + draw(st.sampled_from([-5000.0, 10.0])),
            end=draw(st.sampled_from([None, AT - 2000, AT - 100, AT + 100])),
            target_ratio=draw(st.sampled_from([0, ratio(Fraction(3, 5)), ratio(Fraction(99, 100))])),
            scope=draw(st.sampled_from(scopes)),
            source="drawn",
        )
        for number in range(draw(st.integers(0, 3)))
    ]
    return Curtailments(events=events)


@given(fleets(FRACTIONS), declared(Fraction))
def test_the_sum_is_exact_with_any_events(fleet: list[Case], curtailments: Curtailments) -> None:
    """Nameplate - losses + uplift == measured, to the last fraction, for every unit of any fleet."""
    for status in statuses(fleet, curtailments):
        lost_hs = sum(loss.hashrate_hs for loss in status.losses)
        assert status.entry.nameplate.hashrate_hs - lost_hs + status.uplift_hs == (status.hashrate_hs or 0)


@given(fleets(FLOATS), declared(float))
def test_the_sum_holds_in_floats_with_any_events(fleet: list[Case], curtailments: Curtailments) -> None:
    """Within 1e-9 of deployed for site, containers, racks and models, in production's floats."""
    figures = site_figures(statuses(fleet, curtailments), AT)
    groups = (figures.site, *figures.by_container.values(), *figures.by_rack.values(), *figures.by_model.values())
    for group in groups:
        shown = group.deployed_hs - sum(group.losses_hs.values()) + group.uplift_hs
        assert shown == pytest.approx(group.operating_hs, abs=1e-9 * max(1.0, group.deployed_hs))


@given(fleets(FRACTIONS), declared(Fraction))
def test_an_event_takes_from_other_causes_only_what_it_covers(fleet: list[Case], curtailments: Curtailments) -> None:
    """Declaring events changes neither operating nor uplift, and names no unit curtailed that no event covers."""
    plain, expected = statuses(fleet), statuses(fleet, curtailments)
    around = curtailments.around(AT)
    for before, after in zip(plain, expected, strict=True):
        assert (before.hashrate_hs, before.uplift_hs) == (after.hashrate_hs, after.uplift_hs)
        lost = {loss.cause: loss.hashrate_hs for loss in after.losses}
        assert sum(lost.values()) == sum(loss.hashrate_hs for loss in before.losses)
        covering = around.active(after.entry) or around.restoring_event(after.entry)
        assert covering is not None or Cause.CURTAILED not in lost
        assert after.event == around.active(after.entry)
