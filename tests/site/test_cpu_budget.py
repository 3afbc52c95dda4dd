"""The CPU budget of one unit: what opens an account, when it is overdrawn, and how it is paid off."""

from collections.abc import Generator
from types import SimpleNamespace
from typing import Any

import pytest

from agent.errors import CostlyReplyError, DeadlineError
from agent.site.cpu_budget import BUDGET_S, BURST, QUIET_POLLS, CpuAccount

INTERVAL_S = 10.0


class Clock:
    """A CPU clock that a conversation advances."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


def account() -> tuple[CpuAccount, Clock]:
    """Return a new account and its clock."""
    clock = Clock()
    return CpuAccount(clock, 0.0), clock


def poll(
    own: CpuAccount, clock: Clock, cpu_s: float, at: float, *, is_regular: bool = False
) -> CostlyReplyError | None:
    """Hold a conversation of two replies that takes `cpu_s`, and settle it."""

    def converse() -> Generator[bytes, bytes, Any]:
        yield b"stats"
        clock.now_s += cpu_s / 2
        yield b"pools"
        clock.now_s += cpu_s / 2
        return "reading"

    metered = own.metered(converse())
    assert (next(metered), metered.send(b"1")) == (b"stats", b"pools")
    clock.now_s += 1.0  # What else the process does meanwhile.
    with pytest.raises(StopIteration) as over:
        metered.send(b"2")
    assert over.value.value == "reading"
    assert own.spent_s == pytest.approx(cpu_s)
    return own.settle(at, interval_s=INTERVAL_S, is_regular=is_regular)


def test_within_the_budget_nothing_happens() -> None:
    """A unit that takes its budget at every poll is never over it."""
    own, clock = account()
    assert [poll(own, clock, BUDGET_S, INTERVAL_S * n) for n in range(1, 200)] == [None] * 199


def test_a_burst_is_allowed_and_no_more() -> None:
    """More than four budgets at once are too many; the error says how much was taken and how much is allowed."""
    own, clock = account()
    polls = BURST - 1
    assert [poll(own, clock, 1.2 * BUDGET_S, 0.0) for _ in range(polls)] == [None] * polls
    error = poll(own, clock, 1.2 * BUDGET_S, 0.0)
    assert isinstance(error, CostlyReplyError)
    assert str(error).startswith("reading its replies took 6.0 ms of CPU in one poll, at most 5 ms an interval")


@pytest.mark.parametrize("factor", [3.0, 10.0, 100.0])
def test_over_time_a_unit_takes_its_budget(factor: float) -> None:
    """Polled again only after its debt is paid off, a unit takes no more than its budget an interval."""
    own, clock = account()
    at = taken_s = 0.0
    for _ in range(100):
        error = poll(own, clock, factor * BUDGET_S, at)
        taken_s += factor * BUDGET_S
        at += max(INTERVAL_S, own.wait_s(INTERVAL_S)) if error else INTERVAL_S
    assert taken_s / (at / INTERVAL_S) <= 1.1 * BUDGET_S


def test_the_reason_stays_until_a_poll_is_within_the_budget() -> None:
    """A unit that paid off its debt and is as costly as before has the same reason; one within its budget has none."""
    own, clock = account()
    assert poll(own, clock, 10 * BUDGET_S, 0.0) is not None
    later = own.wait_s(INTERVAL_S)
    assert poll(own, clock, 2 * BUDGET_S, later) is not None
    later += own.wait_s(INTERVAL_S)
    assert poll(own, clock, BUDGET_S / 2, later) is None
    assert not own.is_over


def test_an_account_closes_after_regular_polls_alone() -> None:
    """A unit that sends a bad reply now and then stays under watch."""
    own, clock = account()
    for number in range(3 * QUIET_POLLS):
        poll(own, clock, 0.0, number, is_regular=number % (QUIET_POLLS - 1) != 0)
        assert not own.is_quiet
    for number in range(QUIET_POLLS):
        poll(own, clock, 0.0, number, is_regular=True)
    assert own.is_quiet


def test_errors_pass_through_a_metered_conversation() -> None:
    """An error reaches the conversation, which may carry on or fail; its work is measured too."""
    own, clock = account()

    def converse() -> Generator[bytes, bytes, Any]:
        try:
            yield b"stats"
        except DeadlineError:
            clock.now_s += 0.25
        yield b"pools"

    metered = own.metered(converse())
    next(metered)
    assert metered.throw(DeadlineError("late")) == b"pools"
    assert own.spent_s == 0.25
    with pytest.raises(DeadlineError, match="again"):
        metered.throw(DeadlineError("again"))


def test_a_dropped_conversation_is_closed() -> None:
    """Closing the metered conversation closes the one inside."""
    own, _ = account()
    seen = SimpleNamespace(is_closed=False)

    def converse() -> Generator[bytes, bytes, Any]:
        try:
            yield b"stats"
        finally:
            seen.is_closed = True

    metered = own.metered(converse())
    next(metered)
    metered.close()
    assert seen.is_closed
