"""Parts of the lane: its limits, one conversation in hand, why a process is replaced, and its lines in the log."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Final

import structlog

from agent.runtime.quarantine import Quarantine
from agent.unit.cgminer.call import Address, Done
from agent.unit.foreign.protocol import LONGEST_S
from agent.unit.reading import UnitReading

log = structlog.get_logger("agent.lane")

MARGIN_S: Final = 8.0
DEADLINE_S: Final = LONGEST_S + MARGIN_S
"""The process answers within `LONGEST_S`, or says that it could not. The margin is for a busy machine, on which it has
the lower priority: a slow unit is no reason to end it."""
START_S: Final = 30.0
MOST_BYTES: Final = 200 * 1000 * 1000
LONGEST_LIFE_S: Final = 86_400.0
LONGEST_WAIT_S: Final = 60.0
_LOG_AGAIN_S: Final = 600.0
WHYS: Final = ("start", "ended", "nonsense", "flood", "deadline", "memory", "age")
"""Why a process was replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Conditions for replacing a process.

    Attributes:
        deadline_s: An answer takes longer than this, s.
        start_s: It has not started after this, s.
        most_bytes: It has as much memory in use.
        longest_life_s: It is as old, s.
        longest_wait_s: The longest wait for the next one after failures in a row, s.
        rest_s: From one start to the next, s; a process that lived as long and answered did not fail at its start.
        quarantine_s: For how long a unit that fails the process is not asked at first, s.
        longest_quarantine_s: The longest such time, s.
    """

    deadline_s: float = DEADLINE_S
    start_s: float = START_S
    most_bytes: int = MOST_BYTES
    longest_life_s: float = LONGEST_LIFE_S
    longest_wait_s: float = LONGEST_WAIT_S
    rest_s: float = 10.0
    quarantine_s: float = 120.0
    longest_quarantine_s: float = 3600.0

    def new_quarantine(self) -> Quarantine:
        """Return a quarantine with nothing in it."""
        return Quarantine(first_s=self.quarantine_s, longest_s=self.longest_quarantine_s)


class Asked:
    """One conversation in flight; `sent_at` is None while it waits for a process, and if it is refused."""

    __slots__ = ("address", "conversation", "done", "is_refused", "sent_at", "started", "want")

    def __init__(
        self, address: Address, conversation: Generator[bytes, bytes, UnitReading], done: Done[UnitReading], now: float
    ) -> None:
        self.address, self.conversation, self.done = address, conversation, done
        self.want = next(conversation)
        self.started = now
        self.sent_at: float | None = None
        self.is_refused = False


class Replaced(Exception):  # noqa: N818 - It ends a process's turn, and may be planned.
    """The process is to be replaced.

    Attributes:
        why: One of `WHYS`.
        answered: The units whose answers came shortly before.
        has_grown: The one unit in hand cost it much memory.
    """

    def __init__(
        self,
        why: str,
        words: str = "",
        *,
        answered: Iterable[Address] = (),
        has_grown: bool = False,
    ) -> None:
        super().__init__(words)
        self.why, self.answered, self.has_grown = why, set(answered), has_grown


class LaneLog:
    """Lines about failures, each kind once in ten minutes at most.

    Args:
        clock: Returns monotonic time, s.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failed_at = self._refused_at = float("-inf")
        self._unlogged = 0

    def failed(self, end: Replaced, in_hand: int) -> None:
        """Log that a process failed, and how often since the latest line."""
        self._unlogged += 1
        now = self._clock()
        if now - self._failed_at >= _LOG_AGAIN_S:
            log.warning("pyasic's process replaced", why=end.why, words=str(end), times=self._unlogged, in_hand=in_hand)
            self._failed_at, self._unlogged = now, 0

    def login_refused(self, host: str) -> None:
        """Log that a unit does not take its login."""
        now = self._clock()
        if now - self._refused_at >= _LOG_AGAIN_S:
            log.warning("login refused by a unit of another make", host=host, key="foreign_login")
            self._refused_at = now
