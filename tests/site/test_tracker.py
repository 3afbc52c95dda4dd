"""Each unit's status as polls come in and time passes; stale after 30 s throughout."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from site_cases import (
    ACCESS_DENIED,
    AT,
    ERRORS,
    NO_ANSWER,
    PLATE,
    REFUSAL,
    STALE_AFTER_S,
    TH,
    answered,
    entry,
    failed,
    reading,
)

from agent.errors import DeadlineError, OtherUnitError, PollError, UnreachableError
from agent.site.curtailment.events import Curtailments, Event, Scope
from agent.site.ledger.entries import LedgerEntry, Place
from agent.site.losses import attribute, shortfall_finding
from agent.site.reasons import Reason
from agent.site.status import Cause, Loss, UnitState, UnitStatus, is_definite_refusal, judge
from agent.site.tracker import Tracker
from agent.unit.reading import Mode, UnitReading


def tracker(*entries: LedgerEntry) -> Tracker:
    """Return a tracker that starts at `AT` with `entries`, or with one unit, u1."""
    return Tracker(entries or (entry(),), stale_after_s=STALE_AFTER_S, at=AT)


def seen(one: Tracker, unit_id: str = "u1") -> UnitStatus:
    """Return the status of a unit that must be there."""
    status = one.status(unit_id)
    assert status is not None
    return status


def test_a_unit_not_polled_yet_is_unknown_and_not_zero() -> None:
    """Before the first poll: unreachable since the start, no rate, the whole nameplate lost to that."""
    assert seen(tracker()) == UnitStatus(
        entry=entry(),
        state=UnitState.UNREACHABLE,
        reason=Reason.NOT_POLLED,
        why="not polled yet",
        since=AT,
        is_fresh=False,
        is_known=False,
        reading=None,
        error=None,
        failures=0,
        hashrate_hs=None,
        losses=(Loss(Cause.UNREACHABLE, 294 * TH),),
        uplift_hs=0,
    )


@pytest.mark.parametrize("scope", [None, Scope(), Scope(container="C2"), Scope(unit="u3")])
def test_units_not_polled_yet_are_judged_as_if_alone(scope: Scope | None) -> None:
    """Units judged together at the start get the status each would get alone, with maintenance and events."""
    other = replace(PLATE, hashrate_hs=300 * TH)
    entries = [
        entry(
            f"u{number}",
            nameplate=other if number % 3 else PLATE,
            is_in_maintenance=number % 4 == 0,
            place=Place(container=f"C{number % 2 + 1}"),
        )
        for number in range(24)
    ]
    events = () if scope is None else (Event(id="e", start=AT - 60, end=None, target_ratio=0, scope=scope, source="t"),)
    started = partial(Tracker, stale_after_s=STALE_AFTER_S, at=AT, curtailments=Curtailments(events=events))
    assert list(started(entries).statuses()) == [status for one in entries for status in started([one]).statuses()]


def test_a_good_poll_makes_a_fresh_status() -> None:
    """The status carries the reading and its rate, and `since` is the moment of the poll."""
    one = tracker()
    before = seen(one)
    change = one.record(answered(at=AT + 2, hashrate_5s_hs=280 * TH), clock_s=2.0)
    status = UnitStatus(
        entry=entry(),
        state=UnitState.HASHING,
        reason=Reason.HASHING,
        why="hashing",
        since=AT + 2,
        is_fresh=True,
        is_known=True,
        reading=reading(at=AT + 2, hashrate_5s_hs=280 * TH),
        error=None,
        failures=0,
        hashrate_hs=280 * TH,
        losses=(Loss(Cause.UNDERPERFORMING, 14 * TH),),
        uplift_hs=0,
    )
    assert change == (status, before)
    assert seen(one) == status


def test_a_missed_poll_keeps_the_state_and_the_rate() -> None:
    """While the reading is fresh, failures are only counted, and the latest is kept."""
    one = tracker()
    one.record(answered(), clock_s=0.0)
    before = seen(one)
    one.record(failed(NO_ANSWER, at=AT + 10), clock_s=10.0)
    assert seen(one) == structs.replace(before, error=NO_ANSWER, failures=1)
    one.record(failed(ACCESS_DENIED, at=AT + 20), clock_s=20.0)
    assert seen(one) == structs.replace(before, error=ACCESS_DENIED, failures=2)


def test_a_good_poll_forgets_the_failures() -> None:
    """Failures are counted in a row."""
    one = tracker()
    for second in range(3):
        one.record(failed(), clock_s=float(second))
    assert seen(one).failures == 3
    one.record(answered(), clock_s=3.0)
    assert (seen(one).failures, seen(one).error) == (0, None)


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("way", ["refresh", "record"])
def test_a_stale_unit_is_judged_by_its_last_error(error: PollError, way: str) -> None:
    """Thirty seconds after its last reading the last failure decides the state, by refresh or by a failed poll."""
    one = tracker()
    one.record(answered(), clock_s=0.0)
    if error is not REFUSAL:
        one.record(failed(error, at=AT + 10), clock_s=10.0)
    if way == "refresh" and error is not REFUSAL:
        [(status, before)] = one.refresh(at=AT + 30, clock_s=30.0)
    else:
        recorded = one.record(failed(error, at=AT + 30), clock_s=30.0)
        assert recorded is not None
        status, before = recorded
    state = UnitState.UNREACHABLE if isinstance(error, UnreachableError) else UnitState.UNREADABLE
    assert before.state is UnitState.HASHING
    assert (status.state, status.since, status.is_fresh, status.hashrate_hs) == (state, AT + 30, False, None)
    assert status.losses == (Loss(Cause(state.value), 294 * TH),)
    assert status.is_known is (error is REFUSAL)
    assert status.reading == reading()


def test_a_reading_is_fresh_for_just_under_the_limit() -> None:
    """A reading exactly as old as the limit is stale."""
    one = tracker()
    one.record(answered(), clock_s=100.0)
    assert one.refresh(at=AT, clock_s=129.999) == []
    assert seen(one).is_fresh
    assert len(one.refresh(at=AT, clock_s=130.0)) == 1
    assert not seen(one).is_fresh


def test_each_change_is_reported_once() -> None:
    """A refresh returns only units that went stale since they were last judged."""
    one = tracker(entry("a"), entry("b"), entry("c"))
    one.record(answered("a"), clock_s=0.0)
    one.record(answered("b"), clock_s=10.0)
    rows = [
        [(status.entry.unit_id, before.state) for status, before in one.refresh(at=AT + second, clock_s=float(second))]
        for second in (29, 30, 31, 40, 41)
    ]
    assert rows == [[], [("a", UnitState.HASHING)], [], [("b", UnitState.HASHING)], []]


def test_a_site_is_looked_over_in_parts() -> None:
    """Every unit comes once, as it is when its part is taken: a poll in between counts for units still to come."""
    one = tracker(entry("a"), entry("b"), entry("c"))
    for unit_id in ("a", "b", "c"):
        one.record(answered(unit_id), clock_s=0.0)
    parts = one.look_over(at=AT + 30, clock_s=30.0, at_once=2)
    first = next(parts)
    assert [status.entry.unit_id for status, _ in first.changes] == ["a", "b"]
    one.record(answered("c"), clock_s=30.0)
    [last] = parts
    assert [[(status.entry.unit_id, status.is_fresh) for status in part.statuses] for part in (first, last)] == [
        [("a", False), ("b", False)],
        [("c", True)],
    ]
    assert last.changes == []


def test_a_change_that_a_poll_reported_is_not_reported_again() -> None:
    """If a failed poll found the reading stale, the next refresh has nothing to add."""
    one = tracker()
    one.record(answered(), clock_s=0.0)
    one.record(failed(), clock_s=30.0)
    assert one.refresh(at=AT + 31, clock_s=31.0) == []


@pytest.mark.parametrize(
    "changes",
    [{}, {"hashrate_5s_hs": 150 * TH}, {"mode": Mode.SLEEP, "hashrate_5s_hs": None}, {"hashrate_5s_hs": None}],
    ids=["hashing", "slow", "asleep", "no rate"],
)
def test_a_unit_that_was_not_asked_in_time_stays_as_it_was(changes: dict[str, Any]) -> None:
    """A reading that went stale with no failed poll: state, rate and losses are held, and nothing is known."""
    one = tracker()
    one.record(answered(**changes), clock_s=0.0)
    before = seen(one)
    [change] = one.refresh(at=AT + 3600, clock_s=3600.0)
    expected = structs.replace(before, is_fresh=False, is_known=False, is_overdue=True)
    assert change == (expected, before)
    assert one.refresh(at=AT + 3601, clock_s=3601.0) == []
    one.record(answered(at=AT + 3602, **changes), clock_s=3602.0)
    assert seen(one) == structs.replace(before, reading=reading(at=AT + 3602, **changes), since=before.since)


def test_a_unit_whose_poll_failed_is_not_held() -> None:
    """A poll that fails after the agent was late settles the state at once."""
    one = tracker()
    one.record(answered(), clock_s=0.0)
    one.refresh(at=AT + 40, clock_s=40.0)
    one.record(failed(at=AT + 50), clock_s=50.0)
    assert (seen(one).state, seen(one).is_overdue) == (UnitState.UNREACHABLE, False)


def test_a_refusal_is_knowledge_only_while_the_agent_asks() -> None:
    """A unit that refused and was not asked for a rest and the time of a reading is refused still, and not known."""
    one = tracker()
    one.longest_rest_s = 60.0
    one.record(failed(REFUSAL), clock_s=0.0)
    assert one.refresh(at=AT + 89, clock_s=89.0) == []
    before = seen(one)
    assert before.is_known
    assert one.refresh(at=AT + 90, clock_s=90.0) == [(structs.replace(before, is_known=False, is_overdue=True), before)]
    one.record(failed(REFUSAL), clock_s=95.0)
    assert seen(one) == structs.replace(before, failures=2)


def unseen(one: Tracker, clock_s: float) -> list[str]:
    """Return the units without figures at `clock_s`."""
    return [status.entry.unit_id for part in one.look_over(at=AT + clock_s, clock_s=clock_s) for status in part.unseen]


def test_units_are_unseen_until_asked_and_after_the_longest_hold() -> None:
    """Without figures: a unit never asked, and one whose reading was held four times as long as readings last."""
    one = tracker(entry("a"), entry("b"), entry("c"))
    one.record(answered("a"), clock_s=0.0)
    one.record(failed(NO_ANSWER, "b"), clock_s=0.0)
    assert [unseen(one, clock_s) for clock_s in (1.0, 119.9, 120.0)] == [["c"], ["c"], ["a", "c"]]
    one.record(answered("a"), clock_s=121.0)
    assert unseen(one, 121.0) == ["c"]


def test_the_longest_wait_is_that_of_the_overdue() -> None:
    """The time since the poll of the overdue unit that waits longest; 0 without one."""
    one = tracker(entry("a"), entry("b"), entry("c"))
    one.record(answered("a"), clock_s=0.0)
    one.record(answered("b"), clock_s=15.0)
    one.record(failed(NO_ANSWER, "c"), clock_s=-100.0)
    waits = [[part.longest_s for part in one.look_over(at=AT, clock_s=clock_s)] for clock_s in (29.0, 31.0, 50.0)]
    assert waits == [[0.0], [31.0], [50.0]]


def test_after_a_standstill_nobody_is_blamed_and_everybody_is_asked_again() -> None:
    """Fresh, failing or refused: each keeps its state, is not known, and is unseen until its next poll ends."""
    one = tracker(entry("fine"), entry("failing"), entry("refused"), entry("silent"), entry("other"))
    one.record(answered("fine"), clock_s=0.0)
    one.record(answered("failing"), clock_s=0.0)
    one.record(failed(NO_ANSWER, "failing"), clock_s=5.0)
    one.record(failed(REFUSAL, "refused"), clock_s=5.0)
    one.record(failed(NO_ANSWER, "silent"), clock_s=5.0)
    one.discredit("other", OtherUnitError("fine answers"), at=AT)
    before = {status.entry.unit_id: status for status in one.statuses()}
    one.distrust(clock_s=6.0)
    assert unseen(one, 6.5) == ["fine", "failing", "refused", "silent"]
    held = {"is_fresh": False, "is_known": False, "is_overdue": True}
    assert {status.entry.unit_id: status for status in one.statuses()} == {
        "fine": structs.replace(before["fine"], **held),
        "failing": structs.replace(before["failing"], **held),
        "refused": structs.replace(before["refused"], **held),
        "silent": before["silent"],
        "other": before["other"],
    }
    for number, unit_id in enumerate(("fine", "failing", "refused")):
        one.record(answered(unit_id), clock_s=7.0 + number)
    one.record(failed(NO_ANSWER, "silent"), clock_s=10.0)
    assert unseen(one, 11.0) == []
    assert seen(one, "fine").is_fresh


@pytest.mark.parametrize(("stale_after_s", "fresh_until_s"), [(300.0, 300.0), (10.0, 10.0)])
def test_another_time_holds_for_readings_that_are_there(stale_after_s: float, fresh_until_s: float) -> None:
    """A reading of before a change to a slower or faster pace lives as long as one of after it."""
    one = tracker()
    one.record(answered(), clock_s=0.0)
    one.set_stale_after(stale_after_s, shortens=True)
    assert one.refresh(at=AT + fresh_until_s, clock_s=fresh_until_s - 0.1) == []
    assert len(one.refresh(at=AT + fresh_until_s, clock_s=fresh_until_s)) == 1


def test_a_shorter_time_may_wait_for_the_next_poll() -> None:
    """A reload with a shorter interval: readings of before keep their time, those of after have the new one."""
    one = tracker(entry("before"), entry("after"))
    one.record(answered("before"), clock_s=0.0)
    one.set_stale_after(10.0, shortens=False)
    one.record(answered("after"), clock_s=0.0)
    overdue = [[s.entry.unit_id for s, _ in one.refresh(at=AT + now, clock_s=now)] for now in (9.9, 10.0, 29.9, 30.0)]
    assert overdue == [[], ["after"], [], ["before"]]


def test_a_longer_time_makes_nothing_fresh() -> None:
    """Stale, failing and distrusted readings, and those of a hung program, are as they were."""
    one = tracker(entry("stale"), entry("failing"), entry("hung"), entry("fine"))
    one.record(answered("stale"), clock_s=0.0)
    for clock_s in (0.0, 15.0):
        one.record(answered("hung", uptime_s=70), clock_s=clock_s)
    one.record(answered("failing"), clock_s=25.0)
    one.record(failed(NO_ANSWER, "failing"), clock_s=26.0)
    one.refresh(at=AT + 30, clock_s=30.0)
    one.record(answered("fine"), clock_s=31.0)
    one.distrust(clock_s=32.0)
    before = {unit_id: unit.fresh_until for unit_id, unit in one.units.items()}
    one.set_stale_after(10 * STALE_AFTER_S, shortens=True)
    assert {unit_id: unit.fresh_until for unit_id, unit in one.units.items()} == before


def test_a_unit_recovers_with_its_first_good_poll() -> None:
    """A unit that answers again is fresh, counted, and hashing since now."""
    one = tracker()
    one.record(answered(), clock_s=0.0)
    one.record(failed(at=AT + 60), clock_s=60.0)
    recorded = one.record(answered(at=AT + 90), clock_s=90.0)
    assert recorded is not None
    status, before = recorded
    assert before.state is UnitState.UNREACHABLE
    assert (status.state, status.since, status.hashrate_hs) == (UnitState.HASHING, AT + 90, 294 * TH)


def test_since_moves_only_with_the_state() -> None:
    """A new reason, rate or error within the same state does not change `since`."""
    one = tracker()
    history: list[tuple[UnitState, str, float]] = []

    def note() -> None:
        history.append((seen(one).state, seen(one).why, seen(one).since - AT))

    note()
    for second, error in ((10, NO_ANSWER), (20, REFUSAL), (30, DeadlineError("x")), (40, ACCESS_DENIED)):
        one.record(failed(error, at=AT + second), clock_s=float(second))
        note()
    for second, rate_hs in ((50, 290 * TH), (60, 150 * TH), (70, 0 * TH)):
        one.record(answered(at=AT + second, hashrate_5s_hs=rate_hs), clock_s=float(second))
        note()
    one.record(answered(at=AT + 80, mode=Mode.SLEEP, hashrate_5s_hs=None), clock_s=80.0)
    note()
    assert history == [
        (UnitState.UNREACHABLE, "not polled yet", 0),
        (UnitState.UNREACHABLE, "no answer", 0),
        (UnitState.UNREACHABLE, "connection refused", 0),
        (UnitState.UNREADABLE, "no whole reply in time", 30),
        (UnitState.UNREADABLE, "refused the command", 30),
        (UnitState.HASHING, "hashing", 50),
        (UnitState.HASHING, "slow without a visible reason", 50),
        (UnitState.STOPPED, "cause unknown", 70),
        (UnitState.STOPPED, "asleep", 70),
    ]


@pytest.mark.parametrize(
    ("error", "is_known"), [(REFUSAL, True), (ACCESS_DENIED, False), (NO_ANSWER, False), (DeadlineError("x"), False)]
)
def test_a_refused_connection_counts_as_known(error: PollError, *, is_known: bool) -> None:
    """A refused connection makes a unit known that was never read; a refused command and silence do not."""
    one = tracker()
    one.record(failed(error), clock_s=0.0)
    assert seen(one).is_known is is_known


def test_silence_after_a_refusal_is_unknown_again() -> None:
    """Only the latest failure counts."""
    one = tracker()
    one.record(failed(REFUSAL), clock_s=0.0)
    one.record(failed(NO_ANSWER), clock_s=10.0)
    assert not seen(one).is_known


def test_maintenance_is_known_without_a_reading() -> None:
    """Maintenance needs no reading; the whole nameplate is lost to it."""
    one = tracker(entry(is_in_maintenance=True))
    one.record(failed(NO_ANSWER), clock_s=0.0)
    status = seen(one)
    assert (status.state, status.is_known, status.since) == (UnitState.MAINTENANCE, True, AT)
    assert status.losses == (Loss(Cause.MAINTENANCE, 294 * TH),)


def test_a_unit_in_maintenance_that_hashes_is_counted_while_it_is_fresh() -> None:
    """A unit in maintenance may deliver; a refresh reports that it went stale, though its state stays."""
    one = tracker(entry(is_in_maintenance=True))
    one.record(answered(hashrate_5s_hs=200 * TH), clock_s=0.0)
    one.record(failed(at=AT + 10), clock_s=10.0)
    assert (seen(one).hashrate_hs, seen(one).losses) == (200 * TH, (Loss(Cause.MAINTENANCE, 94 * TH),))
    [(status, before)] = one.refresh(at=AT + 30, clock_s=30.0)
    assert (before.state, status.state, status.since) == (UnitState.MAINTENANCE, UnitState.MAINTENANCE, AT)
    assert (status.hashrate_hs, status.losses) == (None, (Loss(Cause.MAINTENANCE, 294 * TH),))


def test_a_fresh_reading_without_a_rate_is_no_zero() -> None:
    """A sleeping unit that reports no rate is known and stopped, and no rate is made up."""
    one = tracker()
    one.record(answered(mode=Mode.SLEEP, hashrate_5s_hs=None), clock_s=0.0)
    status = seen(one)
    assert (status.state, status.is_known, status.hashrate_hs) == (UnitState.STOPPED, True, None)


def test_awake_and_silent_about_its_rate_a_unit_is_not_known_to_have_stopped() -> None:
    """A rate that cannot be read is a failure to read: unreadable, not covered, and no zero."""
    one = tracker()
    one.record(answered(hashrate_5s_hs=None), clock_s=0.0)
    status = seen(one)
    assert (status.state, status.why, status.is_known) == (UnitState.UNREADABLE, "reports no hashrate", False)
    assert (status.hashrate_hs, status.losses) == (None, (Loss(Cause.UNREADABLE, 294 * TH),))


def test_an_unchanged_ledger_changes_nothing() -> None:
    """Applying the same ledger again leaves the very same status objects."""
    one = tracker(entry("a"), entry("b"))
    one.record(answered("a"), clock_s=0.0)
    before = list(one.statuses())
    assert not one.replace_entries([entry("a"), entry("b")], at=AT + 5)
    assert [id(status) for status in one.statuses()] == [id(status) for status in before]


@pytest.mark.parametrize(
    ("changes", "losses"),
    [
        ({"place": Place(container="C9")}, ()),
        ({"serial": "SN2", "mac": "02:00:00:00:00:02"}, ()),
        ({"nameplate": replace(PLATE, hashrate_hs=300 * TH)}, (Loss(Cause.UNDERPERFORMING, 6 * TH),)),
    ],
    ids=["moved", "identity", "another bin"],
)
def test_a_changed_entry_keeps_the_reading_and_is_judged_anew(
    changes: dict[str, Any], losses: tuple[Loss, ...]
) -> None:
    """Readings from the same address stay with the unit under a changed entry."""
    one = tracker()
    one.record(answered(at=AT + 1), clock_s=1.0)
    one.replace_entries([entry(**changes)], at=AT + 5)
    status = seen(one)
    assert status.entry == entry(**changes)
    assert (status.state, status.since, status.is_fresh) == (UnitState.HASHING, AT + 1, True)
    assert (status.reading, status.losses) == (reading(at=AT + 1), losses)


@pytest.mark.parametrize("changes", [{"host": "127.0.0.3"}, {"port": 4029}])
def test_another_address_drops_what_was_read_at_the_old_one(changes: dict[str, Any]) -> None:
    """After a change of address, old readings and failures are dropped: another machine may answer there."""
    one = tracker()
    one.record(answered(), clock_s=0.0)
    one.record(failed(), clock_s=10.0)
    one.replace_entries([entry(**changes)], at=AT + 15)
    assert seen(one) == seen(Tracker([entry(**changes)], stale_after_s=STALE_AFTER_S, at=AT + 15))
    assert one.refresh(at=AT + 60, clock_s=60.0) == []


def test_a_new_ledger_neither_prolongs_nor_revives_a_reading() -> None:
    """Freshness runs from the poll; a stale unit stays stale under a changed entry."""
    one = tracker()
    one.record(answered(), clock_s=0.0)
    one.replace_entries([entry(serial="SN2")], at=AT + 29)
    assert len(one.refresh(at=AT + 30, clock_s=30.0)) == 1
    one.replace_entries([entry(serial="SN3")], at=AT + 31)
    assert (seen(one).is_fresh, seen(one).is_overdue, seen(one).hashrate_hs) == (False, True, 294 * TH)
    one.record(failed(at=AT + 32), clock_s=32.0)
    one.replace_entries([entry(serial="SN4")], at=AT + 33)
    assert (seen(one).is_fresh, seen(one).hashrate_hs, seen(one).since) == (False, None, AT + 32)


def test_maintenance_begins_and_ends_with_the_ledger() -> None:
    """The state follows the ledger at once, and a fresh reading decides again afterwards."""
    one = tracker()
    one.record(answered(), clock_s=0.0)
    states = []
    for second, is_in_maintenance in ((5, True), (9, False)):
        one.replace_entries([entry(is_in_maintenance=is_in_maintenance)], at=AT + second)
        states.append((seen(one).state, seen(one).since - AT))
    assert states == [(UnitState.MAINTENANCE, 5), (UnitState.HASHING, 9)]


def test_a_unit_that_left_the_ledger_is_gone() -> None:
    """A unit that left is returned once, has no status, and a poll that was under way is ignored."""
    one = tracker(entry("a"), entry("b"))
    assert set(one.replace_entries([entry("b"), entry("c")], at=AT + 5)) == {"a"}
    assert [status.entry.unit_id for status in one.statuses()] == ["b", "c"]
    assert (len(one), "a" in one, "c" in one, one.status("a")) == (2, False, True, None)
    assert one.record(answered("a"), clock_s=6.0) is None
    assert "a" not in one


def test_a_unit_that_comes_back_starts_anew() -> None:
    """A unit that left and comes back starts without a memory."""
    one = tracker()
    one.record(answered(), clock_s=0.0)
    one.replace_entries([], at=AT + 5)
    one.replace_entries([entry()], at=AT + 10)
    assert (seen(one).state, seen(one).why, seen(one).since) == (UnitState.UNREACHABLE, "not polled yet", AT + 10)


Step = tuple[float, UnitReading | PollError | None]

# Binary fractions of a second: the sum of the steps is exact.
steps: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.integers(0, 400).map(lambda number: number / 8),
        st.none()
        | st.sampled_from(ERRORS)
        | st.builds(reading, hashrate_5s_hs=st.sampled_from([0 * TH, 150 * TH, 294 * TH])),
    ),
    max_size=20,
)


def play(one: Tracker, steps: list[Step], wall: list[float]) -> list[tuple[Any, ...]]:
    """Play `steps` at the given wall times; return every field of the status after each but its wall times."""
    seconds = 0.0
    rows = []
    for (later, what), at in zip(steps, wall, strict=True):
        seconds += later
        if isinstance(what, UnitReading):
            one.record(answered(at=at, hashrate_5s_hs=what.hashrate_5s_hs), clock_s=seconds)
        elif what is not None:
            one.record(failed(what, at=at), clock_s=seconds)
        one.refresh(at=at, clock_s=seconds)
        status = seen(one)
        rows.append(
            (
                status.state,
                status.why,
                status.is_fresh,
                status.is_known,
                status.error,
                status.failures,
                status.hashrate_hs,
                status.losses,
            )
        )
    return rows


@given(steps, st.data())
def test_a_stepped_wall_clock_changes_nothing_but_stamps(steps: list[Step], data: st.DataObject) -> None:
    """If wall time jumps, back or forth, freshness and state still go by the monotonic clock."""
    jumps = st.floats(min_value=0, max_value=4e9)
    stepped = data.draw(st.lists(jumps, min_size=len(steps), max_size=len(steps)))
    assert play(tracker(), steps, [AT] * len(steps)) == play(tracker(), steps, stepped)


@given(steps)
def test_a_status_is_the_verdict_on_the_last_reading_and_the_failures_since(steps: list[Step]) -> None:
    """After any history, the last reading counts until it is stale and a poll failed, or until a refusal."""
    seconds, read_at, asked_at, failures = 0.0, float("-inf"), float("-inf"), 0
    last: UnitReading | None = None
    error: PollError | None = None
    expected = []
    for later, what in steps:
        seconds += later
        if isinstance(what, UnitReading):
            last, read_at, error, failures = what, seconds, None, 0
        elif what is not None:
            error, failures = what, failures + 1
            if what is REFUSAL:
                read_at = float("-inf")
        asked_at = asked_at if what is None else seconds
        is_fresh = seconds - read_at < STALE_AFTER_S
        is_held = last is not None and error is None
        state, (_, why), _ = judge(entry(), last, error, is_fresh=is_fresh or is_held)
        if state is UnitState.HASHING and last is not None:
            losses, _ = attribute(entry(), state, last, last.rate_hs)
            why = shortfall_finding(PLATE, last, losses)[0].why
        # A silent unit rests at most as long as a reading lasts here.
        is_known = is_fresh or (is_definite_refusal(error) and seconds - asked_at < 2 * STALE_AFTER_S)
        rate_hs = last.hashrate_5s_hs if last is not None and (is_fresh or is_held) else None
        expected.append((state, why, is_fresh, is_known, error, failures, rate_hs))
    rows = play(tracker(), steps, [AT + number for number in range(len(steps))])
    assert [row[:7] for row in rows] == expected


def test_a_reading_of_another_unit_is_taken_back() -> None:
    """Once another unit is known to answer, its readings are dropped and the unit is unreadable."""
    one = tracker()
    one.record(answered(), clock_s=0.0)
    before = seen(one)
    changed = one.discredit("u1", OtherUnitError("u2 answers"), at=AT + 5)
    status = seen(one)
    assert changed == (status, before)
    assert (status.state, status.why, status.since) == (UnitState.UNREADABLE, "another unit answers here", AT + 5)
    assert (status.reading, status.hashrate_hs, status.is_fresh, status.is_known) == (None, None, False, False)
    assert status.losses == (Loss(Cause.UNREADABLE, 294 * TH),)
    one.record(answered(at=AT + 10), clock_s=10.0)
    assert (seen(one).state, seen(one).error) == (UnitState.HASHING, None)
    assert one.discredit("u9", OtherUnitError("u2 answers"), at=AT) is None


def test_figures_that_stand_still_are_no_reading() -> None:
    """A hung program repeats its figures, uptime included: after 15 s the unit is unreadable and counts for nothing."""
    one = tracker()
    for seconds, state, counted in ((0, "hashing", True), (10, "hashing", True), (20, "unreadable", False)):
        one.record(answered(at=AT + seconds, uptime_s=5000.0), clock_s=100.0 + seconds)
        status = seen(one)
        assert (status.state, status.is_fresh) == (state, counted)
    assert status.why == "figures stand still"
    assert status.hashrate_hs is None
    assert status.losses == (Loss(Cause.UNREADABLE, 294 * TH),)


def test_figures_that_move_on_are_believed_again() -> None:
    """The uptime moves by a second: the reading is fresh at once."""
    one = tracker()
    for seconds in (0, 10, 20, 30):
        one.record(answered(at=AT + seconds, uptime_s=5000.0), clock_s=100.0 + seconds)
    one.record(answered(at=AT + 40, uptime_s=5001.0), clock_s=140.0)
    assert (seen(one).state, seen(one).is_fresh) == (UnitState.HASHING, True)


@pytest.mark.parametrize("changes", [{"mode": Mode.SLEEP, "hashrate_5s_hs": 0.0}, {"hashrate_5s_hs": 0.0}])
def test_an_uptime_that_stands_still_without_hashing_is_no_fault(changes: dict[str, Any]) -> None:
    """Asleep, the firmware reports an uptime of 1 s forever (captures of sleeping S21 and T21): that is not frozen."""
    one = tracker()
    for seconds in (0, 10, 20, 30):
        one.record(answered(at=AT + seconds, uptime_s=1.0, **changes), clock_s=100.0 + seconds)
    assert seen(one).is_fresh
