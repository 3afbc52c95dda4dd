"""The judgement of one unit, as a table."""

from itertools import product
from typing import Any

import pytest
from site_cases import ACCESS_DENIED, ERRORS, NO_ANSWER, PLATE, REFUSAL, TH, board, entry, reading

from agent.errors import (
    DeadlineError,
    DisconnectedError,
    MalformedReplyError,
    PollError,
    RefusedError,
    UnsupportedReplyError,
)
from agent.site.reasons import Reason
from agent.site.status import Cause, Course, UnitState, Verdict, is_definite_refusal, judge
from agent.unit.reading import Mode, UnitReading

TWO_BOARDS = {"uptime_s": 300.0, "boards": (board(0), board(2))}
# 294 TH/s by the nameplate: one in a hundred is 2.94 TH/s, 3 % less are 285.18; two boards do 196, 3 % less are 190.12.
FRESH_READINGS = [
    ("hashing", {}, UnitState.HASHING, "hashing"),
    ("over nameplate", {"hashrate_5s_hs": 300 * TH}, UnitState.HASHING, "hashing"),
    ("old and slow", {"hashrate_5s_hs": 100 * TH}, UnitState.HASHING, "hashing"),
    ("one in a hundred", {"hashrate_5s_hs": 2.94e12}, UnitState.HASHING, "hashing"),
    ("just less", {"hashrate_5s_hs": 2.93e12}, UnitState.STOPPED, "cause unknown"),
    ("measured zero", {"hashrate_5s_hs": 0.0}, UnitState.STOPPED, "cause unknown"),
    ("reports no rate", {"hashrate_5s_hs": None}, UnitState.UNREADABLE, "reports no hashrate"),
    ("reports neither", {"hashrate_5s_hs": None, "uptime_s": None}, UnitState.UNREADABLE, "reports no hashrate"),
    ("reports no mode", {"mode": None}, UnitState.HASHING, "hashing"),
    ("reports no mode, zero", {"mode": None, "hashrate_5s_hs": 0.0}, UnitState.STOPPED, "cause unknown"),
    ("low power", {"mode": Mode.LOW, "hashrate_5s_hs": 150 * TH}, UnitState.HASHING, "hashing"),
    ("high power", {"mode": Mode.HIGH}, UnitState.HASHING, "hashing"),
    ("asleep", {"mode": Mode.SLEEP, "hashrate_5s_hs": None}, UnitState.STOPPED, "asleep"),
    ("asleep, zero", {"mode": Mode.SLEEP, "hashrate_5s_hs": 0.0}, UnitState.STOPPED, "asleep"),
    # The 5 s rate lags behind the mode.
    ("just sent to sleep", {"mode": Mode.SLEEP, "hashrate_5s_hs": 290 * TH}, UnitState.STOPPED, "asleep"),
    # A sleeping S21 or T21 reports Elapsed 1 while it sleeps: s21-stock-202410-sleep, t21-stock-202501-sleep.
    ("asleep, uptime 1", {"mode": Mode.SLEEP, "hashrate_5s_hs": 0.0, "uptime_s": 1.0}, UnitState.STOPPED, "asleep"),
    ("young, zero", {"uptime_s": 60.0, "hashrate_5s_hs": 0.0}, UnitState.STARTING, "still booting"),
    ("young, no rate", {"uptime_s": 0.0, "hashrate_5s_hs": None}, UnitState.STARTING, "still booting"),
    ("young, slow", {"uptime_s": 599.0, "hashrate_5s_hs": 285e12}, UnitState.STARTING, "ramping up"),
    ("young, within 3 %", {"uptime_s": 599.0, "hashrate_5s_hs": 285.2e12}, UnitState.HASHING, "hashing"),
    ("young, a board absent, ramping", {**TWO_BOARDS, "hashrate_5s_hs": 190e12}, UnitState.STARTING, "ramping up"),
    ("young, a board absent, full", {**TWO_BOARDS, "hashrate_5s_hs": 190.2e12}, UnitState.HASHING, "hashing"),
    ("no longer young, slow", {"uptime_s": 600.0, "hashrate_5s_hs": 235e12}, UnitState.HASHING, "hashing"),
    ("no longer young, zero", {"uptime_s": 600.0, "hashrate_5s_hs": 0.0}, UnitState.STOPPED, "cause unknown"),
    ("reports no uptime, slow", {"uptime_s": None, "hashrate_5s_hs": 100 * TH}, UnitState.HASHING, "hashing"),
    ("reports no uptime, zero", {"uptime_s": None, "hashrate_5s_hs": 0.0}, UnitState.STOPPED, "cause unknown"),
]

ERRORS_WITHOUT_READING = [
    (REFUSAL, UnitState.UNREACHABLE, "connection refused"),
    (NO_ANSWER, UnitState.UNREACHABLE, "no answer"),
    (DeadlineError("x"), UnitState.UNREADABLE, "no whole reply in time"),
    (DisconnectedError("x"), UnitState.UNREADABLE, "closed in mid-reply"),
    (MalformedReplyError("x"), UnitState.UNREADABLE, "malformed reply"),
    (ACCESS_DENIED, UnitState.UNREADABLE, "refused the command"),
    (UnsupportedReplyError("x"), UnitState.UNREADABLE, "unknown dialect"),
]

ANY_READING = [None, *(reading(**changes) for _, changes, _, _ in FRESH_READINGS)]
ANY_ERROR = [None, *ERRORS]


def said(verdict: Verdict) -> tuple[UnitState, str]:
    """Return a verdict's state and words."""
    return verdict.state, verdict.finding.why


@pytest.mark.parametrize(
    ("changes", "state", "why"), [row[1:] for row in FRESH_READINGS], ids=[row[0] for row in FRESH_READINGS]
)
def test_a_fresh_reading_decides(changes: dict[str, Any], state: UnitState, why: str) -> None:
    """The mode decides first, then the rate against the nameplate; a young process gets time to start."""
    assert (state, why) == said(judge(entry(), reading(**changes), None, is_fresh=True))


@pytest.mark.parametrize(("changes", "state"), [(row[1], row[2]) for row in FRESH_READINGS])
@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_a_failed_poll_does_not_outrank_a_fresh_reading(
    changes: dict[str, Any], state: UnitState, error: PollError
) -> None:
    """While the last reading is fresh, a failed poll changes nothing."""
    assert state is judge(entry(), reading(**changes), error, is_fresh=True).state


@pytest.mark.parametrize(("error", "state", "why"), ERRORS_WITHOUT_READING, ids=repr)
@pytest.mark.parametrize("last", [None, reading(), reading(mode=Mode.SLEEP, hashrate_5s_hs=0.0)])
@pytest.mark.parametrize("is_curtailed", [False, True])
def test_a_failure_names_itself(
    error: PollError, state: UnitState, why: str, last: UnitReading | None, *, is_curtailed: bool
) -> None:
    """Without a fresh reading the failure decides, whatever was read before, even inside a curtailment."""
    assert (state, why) == said(judge(entry(), last, error, is_fresh=False, is_curtailed=is_curtailed))


def test_every_reason_to_fail_is_in_the_table() -> None:
    """Every error reason has words of its own."""
    assert {error.reason for error in ERRORS} == {error.reason for error, _, _ in ERRORS_WITHOUT_READING}


def test_a_unit_nobody_polled_is_unreachable() -> None:
    """Before the first poll nothing is known, and nothing is assumed."""
    assert said(judge(entry(), None, None, is_fresh=False)) == (UnitState.UNREACHABLE, "not polled yet")


def test_a_gap_in_our_own_polling_is_told_from_a_first_start() -> None:
    """A reading that went stale without a failed poll means not polled lately, not never polled."""
    assert said(judge(entry(), reading(), None, is_fresh=False)) == (UnitState.UNREACHABLE, "not polled lately")


@pytest.mark.parametrize("is_curtailed", [False, True])
@pytest.mark.parametrize("is_fresh", [False, True])
def test_maintenance_outranks_everything(*, is_fresh: bool, is_curtailed: bool) -> None:
    """Maintenance by the ledger needs no reading, and no reading overrides it."""
    declared = entry(is_in_maintenance=True)
    verdicts = {
        said(judge(declared, last, error, is_fresh=is_fresh and last is not None, is_curtailed=is_curtailed))
        for last, error in product(ANY_READING, ANY_ERROR)
    }
    assert {(UnitState.MAINTENANCE, "ledger says maintenance")} == verdicts


def test_asleep_is_curtailed_only_when_somebody_said_so() -> None:
    """The same sleeping unit is stopped without a declared event and curtailed with one."""
    asleep = reading(mode=Mode.SLEEP, hashrate_5s_hs=0.0)
    verdicts = [
        said(judge(entry(), asleep, None, is_fresh=True, is_curtailed=is_curtailed)) for is_curtailed in (False, True)
    ]
    assert verdicts == [(UnitState.STOPPED, "asleep"), (UnitState.CURTAILED, "asleep")]


def test_an_event_changes_nothing_for_units_that_are_awake() -> None:
    """A curtailment does not hide stragglers that keep hashing, nor faults that happen inside it."""
    awake = [last for last in ANY_READING if last is not None and last.mode is not Mode.SLEEP]
    for last in awake:
        plain = judge(entry(), last, None, is_fresh=True)
        assert plain == judge(entry(), last, None, is_fresh=True, is_curtailed=True)


def test_nothing_is_curtailed_without_an_event() -> None:
    """No combination of reading, error and freshness is curtailed without a declared event."""
    states = {
        judge(declared, last, error, is_fresh=is_fresh).state
        for declared in (entry(), entry(is_in_maintenance=True))
        for last, error, is_fresh in product(ANY_READING, ANY_ERROR, (False, True))
    }
    assert set(UnitState) - {UnitState.CURTAILED} == states


def test_a_failure_is_never_a_value() -> None:
    """No combination without a fresh reading gives a state that claims to know what the unit does."""
    states = {
        judge(entry(), last, error, is_fresh=False, is_curtailed=is_curtailed).state
        for last, error, is_curtailed in product(ANY_READING, ANY_ERROR, (False, True))
    }
    assert {UnitState.UNREACHABLE, UnitState.UNREADABLE} == states


def test_a_reading_marked_fresh_that_is_not_there_is_no_reading() -> None:
    """Freshness without a reading is not believed."""
    assert UnitState.UNREACHABLE is judge(entry(), None, NO_ANSWER, is_fresh=True).state


@pytest.mark.parametrize(
    ("error", "is_definite"),
    [
        (None, False),
        (REFUSAL, True),
        (NO_ANSWER, False),
        (DeadlineError("x"), False),
        (DisconnectedError("x"), False),
        (MalformedReplyError("x"), False),
        (RefusedError("x", code=14), False),
        (ACCESS_DENIED, False),
        (UnsupportedReplyError("x"), False),
    ],
    ids=repr,
)
def test_only_a_refused_connection_is_a_definite_refusal(error: PollError | None, *, is_definite: bool) -> None:
    """A refused TCP connection makes a unit's state known; a unit that answers with "no" may be hashing."""
    assert is_definite is is_definite_refusal(error)


def test_every_state_but_hashing_has_a_cause_of_its_own() -> None:
    """A unit that does not hash loses its nameplate to a cause of the same name as its state."""
    assert {state.value for state in UnitState} - {"hashing"} <= {cause.value for cause in Cause}


def test_the_nameplate_of_the_cases_is_whole() -> None:
    """The model machine of these tables has exactly 1 TH/s per chip."""
    assert PLATE.hashrate_hs == PLATE.boards * PLATE.chips_per_board * TH


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RefusedError("x", code=14), Reason.REFUSED_COMMAND),
        (RefusedError("x"), Reason.REFUSED_COMMAND),
        (ACCESS_DENIED, Reason.ACCESS_DENIED),
        (DisconnectedError("x"), Reason.CLOSED_IN_REPLY),
        (DisconnectedError("x", is_reset=True), Reason.RESETS_CONNECTION),
    ],
    ids=repr,
)
def test_a_refusal_and_a_reset_have_reasons_of_their_own(error: PollError, reason: Reason) -> None:
    """Code 45 has advice of its own, and a reset before the first byte is not a reply that broke off."""
    assert judge(entry(), None, error, is_fresh=False).finding.reason is reason


@pytest.mark.parametrize(
    ("course", "state", "reason"),
    [
        (Course(), UnitState.UNREADABLE, Reason.RESETS_CONNECTION),
        (Course(is_restarting=True), UnitState.STARTING, Reason.RESTARTING),
        (Course(is_restarting=True, is_waking=True), UnitState.CURTAILED, Reason.WAKING),
    ],
)
def test_resets_are_a_restart_only_where_something_says_so(course: Course, state: UnitState, reason: Reason) -> None:
    """A unit that resets connections is unreadable, unless it was there a moment ago."""
    verdict = judge(entry(), reading(), DisconnectedError("x", is_reset=True), is_fresh=False, course=course)
    assert (verdict.state, verdict.finding.reason) == (state, reason)


@pytest.mark.parametrize("rate_hs", [0.0, 150e12])
def test_a_start_after_an_event_belongs_to_the_event(rate_hs: float) -> None:
    """A unit that an event curtailed is curtailed until it has ramped up."""
    young = reading(uptime_s=100.0, hashrate_5s_hs=rate_hs)
    verdict = judge(entry(), young, None, is_fresh=True, is_curtailed=True, course=Course(is_waking=True))
    assert (verdict.state, verdict.finding.reason) == (UnitState.CURTAILED, Reason.WAKING)


def test_a_ramp_ends_when_nothing_rises_any_more() -> None:
    """A slow unit is not starting for ten minutes: once its clocks stand, it is hashing, and slow."""
    slow = reading(uptime_s=300.0, hashrate_5s_hs=200e12)
    states = [
        judge(entry(), slow, None, is_fresh=True, course=Course(is_settled=settled)).state for settled in (False, True)
    ]
    assert states == [UnitState.STARTING, UnitState.HASHING]


@pytest.mark.parametrize(("target_ratio", "state"), [(1, UnitState.STARTING), (0.6, UnitState.HASHING)])
def test_a_ramp_ends_at_the_target_of_an_event(target_ratio: float, state: UnitState) -> None:
    """Inside an event to 60 %, a young unit at 60 % does all it should."""
    young = reading(uptime_s=300.0, hashrate_5s_hs=177e12)
    assert judge(entry(), young, None, is_fresh=True, is_curtailed=True, target_ratio=target_ratio).state is state
