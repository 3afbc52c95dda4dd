"""The demand-response gateway's plain form: a number from 0 to 100, kept by the broker, repeated every half minute.

Its silence is told, and changes nothing: what it said last stays in force. A value that the broker kept from before is
obeyed, and is no sign of life. Pure but for its memory; the clock is an argument.
"""

import re

_NUMBER = re.compile(rb"\s*([0-9]{1,3}(?:\.[0-9]{1,3})?)\s*")


def read_percent(payload: bytes) -> float | None:
    """Give the percentage in a plain payload; None when it is something else."""
    found = _NUMBER.fullmatch(payload)
    if found is None:
        return None
    percent = float(found[1])
    return percent if percent <= 100 else None


class Heartbeat:
    """Whether the gateway still speaks.

    Args:
        limit_s: Silence longer than this is told; None when nobody is expected to speak.
        clock_s: The monotonic clock now, s; silence counts from here.
    """

    def __init__(self, limit_s: float | None, *, clock_s: float) -> None:
        self._limit_s = limit_s
        self._heard_s = clock_s
        self.is_silent = False

    @property
    def is_expected(self) -> bool:
        """Whether somebody ought to speak."""
        return self._limit_s is not None

    def hear(self, clock_s: float) -> bool:
        """Take in a sign of life; says whether it ends a silence."""
        self._heard_s = clock_s
        was_silent, self.is_silent = self.is_silent, False
        return was_silent

    def silence_s(self, clock_s: float) -> float:
        """Give how long nothing was heard, s."""
        return clock_s - self._heard_s

    def lapses(self, clock_s: float) -> bool:
        """Say whether a silence begins to be one now; once for each."""
        if self._limit_s is None or self.is_silent or self.silence_s(clock_s) <= self._limit_s:
            return False
        self.is_silent = True
        return True
