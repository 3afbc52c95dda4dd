"""How often somebody may try: a token bucket for each of them, in bounded memory."""

from collections import OrderedDict
from collections.abc import Callable


class Limiter:
    """Lets each caller try so many times at once, and once more after each `refill_s`.

    Args:
        burst: How many tries a caller starts with.
        refill_s: After how many seconds one comes back.
        clock: Monotonic clock, s.
        most: How many callers are remembered; the one not heard of for longest is forgotten first.
    """

    def __init__(self, *, burst: int, refill_s: float, clock: Callable[[], float], most: int = 1024) -> None:
        self._burst = burst
        self._refill_s = refill_s
        self._clock = clock
        self._most = most
        # When a caller's bucket will be full again; absent means full.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def wait_s(self, caller: str) -> float:
        """Give after how many seconds `caller` may try again; 0 for now."""
        owed_s = self._full_at.get(caller, 0.0) - self._clock()
        return max(0.0, owed_s - (self._burst - 1) * self._refill_s)

    def spend(self, caller: str) -> None:
        """Count one try of `caller`."""
        self._full_at[caller] = max(self._full_at.get(caller, 0.0), self._clock()) + self._refill_s
        self._full_at.move_to_end(caller)
        while len(self._full_at) > self._most:
            self._full_at.popitem(last=False)
