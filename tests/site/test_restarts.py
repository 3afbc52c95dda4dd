"""Figures between polls: when a reading stops to count, and what a restart proves false."""

from typing import Any

import pytest
from site_cases import AT, NO_ANSWER, REFUSAL, STALE_AFTER_S, TH, answered, board, entry, failed

from agent.errors import DeadlineError, DisconnectedError, MalformedReplyError, PollError, RefusedError
from agent.site.reasons import Reason
from agent.site.restarts import DOUBTED_S, RESTARTING_S, SETTLED_S
from agent.site.status import Cause, Loss, UnitState, UnitStatus
from agent.site.tracker import Tracker
from agent.unit.reading import Mode

RESET = DisconnectedError("reset after 0 bytes", is_reset=True)
CUT = DisconnectedError("closed after 512 bytes")
DAY_S = 86400.0


class Watch:
    """One unit, polled at seconds of its own choice."""

    def __init__(self) -> None:
        self._tracker = Tracker([entry()], stale_after_s=STALE_AFTER_S, at=AT)

    def reads(self, second: float, **changes: Any) -> UnitStatus:
        """Return the status after a good poll."""
        return self._recorded(answered(at=AT + second, **changes), second)

    def fails(self, second: float, error: PollError) -> UnitStatus:
        """Return the status after a failed poll."""
        return self._recorded(failed(error, at=AT + second), second)

    def _recorded(self, poll: Any, second: float) -> UnitStatus:
        recorded = self._tracker.record(poll, clock_s=second)
        assert recorded is not None
        return recorded[0]


@pytest.mark.parametrize("error", [REFUSAL, RESET], ids=repr)
def test_a_refusal_or_reset_ends_the_reading_at_once(error: PollError) -> None:
    """No program serves the API, so nothing hashes: the reading of ten seconds ago no longer counts."""
    one = Watch()
    assert one.reads(0.0).hashrate_hs == 294 * TH
    status = one.fails(10.0, error)
    assert (status.is_fresh, status.hashrate_hs) == (False, None)
    assert sum(loss.hashrate_hs for loss in status.losses) == 294 * TH


@pytest.mark.parametrize(
    "error",
    [NO_ANSWER, CUT, DeadlineError("x"), MalformedReplyError("x"), RefusedError("x", code=14)],
    ids=repr,
)
def test_what_is_not_definite_leaves_the_reading_its_time(error: PollError) -> None:
    """A unit that is silent once, late, or answers in another way may hash: its reading counts until it is stale."""
    one = Watch()
    one.reads(0.0)
    assert one.fails(10.0, error).hashrate_hs == 294 * TH
    assert one.fails(29.0, error).hashrate_hs == 294 * TH
    assert one.fails(30.0, error).hashrate_hs is None


def test_a_unit_that_resets_right_after_a_reading_restarts() -> None:
    """It is starting, its state not known, for as long as a restart takes; then it is unreadable."""
    one = Watch()
    one.reads(0.0, uptime_s=DAY_S)
    status = one.fails(10.0, RESET)
    assert (status.state, status.reason, status.is_known) == (UnitState.STARTING, Reason.RESTARTING, False)
    assert status.losses == (Loss(Cause.STARTING, 294 * TH),)
    assert one.fails(10.0 + RESTARTING_S - 1, RESET).state is UnitState.STARTING
    status = one.fails(10.0 + RESTARTING_S, RESET)
    assert (status.state, status.reason) == (UnitState.UNREADABLE, Reason.RESETS_CONNECTION)
    # It was a restart if the uptime is young, and the next one is one again.
    assert one.reads(110.0, hashrate_5s_hs=0 * TH, uptime_s=15.0).reason is Reason.BOOTING
    assert one.fails(120.0, RESET).reason is Reason.RESTARTING


def test_a_unit_that_comes_back_from_silence_with_resets_starts() -> None:
    """Power is back and the control board boots: resets after silence are a start as well."""
    one = Watch()
    one.reads(0.0)
    assert one.fails(40.0, NO_ANSWER).state is UnitState.UNREACHABLE
    assert one.fails(80.0, RESET).reason is Reason.RESTARTING


def test_a_unit_never_read_that_resets_is_unreadable() -> None:
    """Nothing says that it restarts: an access list resets connections too."""
    one = Watch()
    assert one.fails(0.0, RESET).reason is Reason.RESETS_CONNECTION
    assert one.fails(10.0, RESET).state is UnitState.UNREADABLE


def test_after_a_restart_silence_gets_no_benefit_of_the_doubt() -> None:
    """An uptime that began again proves the credit during the silence before it false, so the next silence has none."""
    one = Watch()
    one.reads(0.0, uptime_s=DAY_S)
    assert one.fails(10.0, NO_ANSWER).hashrate_hs == 294 * TH
    one.reads(300.0, uptime_s=200.0)
    one.reads(900.0, uptime_s=800.0)
    status = one.fails(910.0, NO_ANSWER)
    assert (status.state, status.hashrate_hs) == (UnitState.UNREACHABLE, None)
    # Long after its last restart it is trusted like any other.
    one.reads(300.0 + DOUBTED_S, uptime_s=200.0 + DOUBTED_S)
    assert one.fails(310.0 + DOUBTED_S, NO_ANSWER).hashrate_hs == 294 * TH


def test_a_sleeping_unit_keeps_its_young_uptime() -> None:
    """A sleeping S21 reports an uptime of 0 or 1 s all the time, and its rate is not carried over."""
    one = Watch()
    status = one.reads(0.0, uptime_s=1.0, mode=Mode.SLEEP, hashrate_5s_hs=0 * TH, boards=())
    assert (status.state, status.hashrate_hs) == (UnitState.STOPPED, 0)
    assert one.reads(600.0, uptime_s=1.0, mode=Mode.SLEEP, hashrate_5s_hs=0 * TH, boards=()).reason is Reason.ASLEEP


def test_the_whole_ramp_is_a_start() -> None:
    """From nothing to the full rate the unit is starting: the last fifth of a ramp is not derated."""
    one = Watch()
    states = []
    for second in range(30, 210, 10):
        ratio = min(1.0, (second - 30) / 160)
        boards = tuple(board(slot, frequency_hz=490e6 * ratio, hashrate_hs=98e12 * ratio) for slot in range(3))
        status = one.reads(float(second), uptime_s=float(second), hashrate_5s_hs=294e12 * ratio, boards=boards)
        states.append(status.state)
        assert {loss.cause for loss in status.losses} <= {Cause.STARTING, Cause.UNDERPERFORMING, Cause.DERATED}
        assert status.state is UnitState.HASHING or {loss.cause for loss in status.losses} == {Cause.STARTING}
    assert states == [UnitState.STARTING] * 16 + [UnitState.HASHING] * 2


def test_a_slow_unit_that_restarted_is_slow_again_once_nothing_rises() -> None:
    """A throttled unit is derated two minutes after its clocks stand, not only when it is no longer young."""
    one = Watch()
    boards = tuple(board(slot, frequency_hz=440e6) for slot in range(3))
    seen = [one.reads(200.0 + t, uptime_s=200.0 + t, hashrate_5s_hs=264e12, boards=boards) for t in (0, 60, SETTLED_S)]
    assert [status.state for status in seen] == [UnitState.STARTING, UnitState.STARTING, UnitState.HASHING]
    assert seen[-1].reason is Reason.CLOCK_LOW


def test_a_board_that_does_not_come_back_is_a_fault_at_once() -> None:
    """A young unit at the full rate of its two boards hashes, and lost the third."""
    one = Watch()
    status = one.reads(200.0, uptime_s=200.0, hashrate_5s_hs=195e12, boards=(board(0), board(1)))
    assert (status.state, status.reason) == (UnitState.HASHING, Reason.BOARD_ABSENT)
    assert status.losses[0] == Loss(Cause.MISSING_BOARDS, 98 * TH)
