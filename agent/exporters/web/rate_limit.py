"""Rate limit: a token bucket for each caller, in bounded memory."""

from collections import OrderedDict
from collections.abc import Callable


class Limiter:
    """Allows each caller `burst` tries at once, and one more every `refill_s`.

    Args:
        burst: Tries in a full bucket.
        refill_s: Seconds until one spent try comes back.
        clock: Monotonic clock, s.
        max_callers: Number of callers remembered; the one that tried least recently is forgotten first.
    """

    def __init__(self, *, burst: int, refill_s: float, clock: Callable[[], float], max_callers: int = 1024) -> None:
        self._burst = burst
        self._refill_s = refill_s
        self._clock = clock
        self._max_callers = max_callers
        # The time at which a caller's bucket is full again; absent means full.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def wait_s(self, caller: str) -> float:
        """Return the seconds until `caller` may try again; 0 if it may now."""
        owed_s = self._full_at.get(caller, 0.0) - self._clock()
        return max(0.0, owed_s - (self._burst - 1) * self._refill_s)

    def spend(self, caller: str) -> None:
        """Count one try of `caller`."""
        self._full_at[caller] = max(self._full_at.get(caller, 0.0), self._clock()) + self._refill_s
        self._full_at.move_to_end(caller)
        while len(self._full_at) > self._max_callers:
            self._full_at.popitem(last=False)
