"""Plain payloads of a demand-response gateway: a number from 0 to 100, retained, and repeated every half minute.

The gateway's silence is published and changes nothing: its last value stays in force. A value that the broker retained
from before is obeyed, but is no sign of life. No I/O; the clock is an argument.
"""

import re

MAX_NUMBER_BYTES = 32
"""Room for a number and a little white space."""
_NUMBER = re.compile(rb"\s*([0-9]{1,3}(?:\.[0-9]{1,3})?)\s*")


def read_percent(payload: bytes) -> float | None:
    """Return the percentage in a plain payload; None if the payload is something else."""
    found = _NUMBER.fullmatch(payload) if len(payload) <= MAX_NUMBER_BYTES else None
    if found is None:
        return None
    percent = float(found[1])
    return percent if percent <= 100 else None


class Heartbeat:
    """Time since the gateway's last sign of life.

    Args:
        limit_s: Longest silence that is in order, s; None if no gateway is expected.
        clock_s: The monotonic clock now, s; silence counts from here.
    """

    def __init__(self, limit_s: float | None, *, clock_s: float) -> None:
        self._limit_s = limit_s
        self._heard_s = clock_s
        self.is_silent = False

    @property
    def is_expected(self) -> bool:
        """True if a gateway is expected to send."""
        return self._limit_s is not None

    def hear(self, clock_s: float) -> bool:
        """Record a sign of life; returns True if it ends a silence."""
        self._heard_s = clock_s
        was_silent, self.is_silent = self.is_silent, False
        return was_silent

    def silence_s(self, clock_s: float) -> float:
        """Return the time since the last sign of life, s."""
        return clock_s - self._heard_s

    def lapses(self, clock_s: float) -> bool:
        """Return True, once for each silence, when it exceeds the limit."""
        if self._limit_s is None or self.is_silent or self.silence_s(clock_s) <= self._limit_s:
            return False
        self.is_silent = True
        return True
