"""Exponential back-off with jitter between attempts to reach a broker."""

from collections.abc import Callable
from dataclasses import dataclass

BACKOFF_MIN_S = 0.5
BACKOFF_MAX_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Waits `first_s`, then twice as long each time up to `longest_s`, each times a random factor in [1/2, 1].

    Attributes:
        first_s, longest_s: Bounds before jitter.
        random: Returns numbers in [0, 1).
    """

    random: Callable[[], float]
    first_s: float = BACKOFF_MIN_S
    longest_s: float = BACKOFF_MAX_S

    def wait_s(self, failures: int) -> float:
        """Return the time to wait after this many failures in a row, at least one."""
        return min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 16)) * (0.5 + 0.5 * self.random())
