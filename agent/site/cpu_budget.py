"""The CPU that reading one unit's replies may take, and the account of a unit whose replies are not regular. Pure.

A regular reply takes a fast path and has no account: looking at the clock for each would cost more than it finds. From
the first poll that failed or needed a repair on, each step of the unit's conversation is measured by the CPU clock of
its thread, so that other load on the machine is not counted. After `QUIET_POLLS` regular polls in a row the account is
closed. A unit that is over its budget is polled less, until what it took is paid off at the budget's rate.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from agent.errors import CostlyReplyError, LocalResourceError, PollError, UnreachableError, drop_frames
from agent.unit.reader import Conversation
from agent.unit.reading import UnitReading

BUDGET_S: Final = 0.005
"""CPU a unit may take in an interval, s. A regular poll takes about 0.0001, one with every report repaired 0.004."""

BURST: Final = 4
"""Budgets that a unit may have taken ahead of time before it is over."""

QUIET_POLLS: Final = 64


class CpuAccount(msgspec.Struct):
    """One unit's account.

    Attributes:
        cpu: Returns the CPU time of the thread, s.
        at: Monotonic time up to which the budget is paid out, s.
        spent_s: CPU taken by the poll under way, s.
        debt_s: CPU taken and not paid off yet, s.
        is_over: The unit is polled less.
        quiet: Regular polls since the last one that was not.
    """

    cpu: Callable[[], float]
    at: float
    spent_s: float = 0.0
    debt_s: float = 0.0
    is_over: bool = False
    quiet: int = 0

    @property
    def is_quiet(self) -> bool:
        """The account can be closed."""
        return self.quiet >= QUIET_POLLS and not self.is_over

    def metered(self, conversation: Conversation) -> Conversation:
        """Return the same conversation, with each of its steps added to `spent_s`."""
        self.spent_s = 0.0
        step: Callable[[Any], bytes] = conversation.send
        argument: Any = None
        try:
            while True:
                began = self.cpu()
                try:
                    request = step(argument)
                except StopIteration as over:
                    reading: UnitReading = over.value
                    return reading
                finally:
                    self.spent_s += self.cpu() - began
                try:
                    argument = yield request
                    step = conversation.send
                except (PollError, LocalResourceError) as error:
                    # Kept in this frame, which its traceback holds.
                    drop_frames(error)
                    argument, step = error, conversation.throw
        finally:
            conversation.close()

    def settle(self, now: float, *, interval_s: float, is_regular: bool) -> CostlyReplyError | None:
        """Charge a finished poll; return the error that ends it if the unit is over its budget.

        Args:
            now: Monotonic time, s.
            interval_s: Time in which a unit may take one budget, s.
            is_regular: The poll succeeded, and its replies needed no repair.
        """
        self.quiet = self.quiet + 1 if is_regular else 0
        paid_s = BUDGET_S * max(0.0, now - self.at) / interval_s
        self.at = now
        self.debt_s = max(0.0, self.debt_s - paid_s) + self.spent_s
        # Once over, a unit is back in its budget with the first poll that is; it need not pay for all before.
        self.is_over = self.spent_s > BUDGET_S and (self.is_over or self.debt_s > BURST * BUDGET_S)
        if not self.is_over:
            self.debt_s = min(self.debt_s, BURST * BUDGET_S)
            return None
        return CostlyReplyError(
            f"reading its replies took {self.spent_s * 1e3:.1f} ms of CPU in one poll, at most {BUDGET_S * 1e3:g} ms"
            " an interval are spent on one unit; it is polled less"
        )

    def wait_s(self, interval_s: float) -> float:
        """Return the time until what the unit took is paid off, s."""
        return interval_s * self.debt_s / BUDGET_S


def charged(
    account: CpuAccount | None,
    reading: UnitReading | None,
    error: PollError | None,
    *,
    cpu: Callable[[], float],
    now: float,
    interval_s: float,
) -> tuple[CpuAccount | None, PollError | None]:
    """Return the account of a unit after a poll, and the poll's error: `CostlyReplyError` if it is over its budget.

    Args:
        account: Before the poll; None while the unit's replies are regular.
        reading: Of the poll, or None.
        error: Of the poll, or None.
        cpu: As of `CpuAccount`.
        now: Monotonic time, s.
        interval_s: As of `CpuAccount.settle`.
    """
    if account is None:
        return None if isinstance(error, UnreachableError) else CpuAccount(cpu, now), error
    is_regular = reading is not None and not reading.repairs
    costly = account.settle(now, interval_s=interval_s, is_regular=is_regular)
    return None if account.is_quiet else account, costly or error
