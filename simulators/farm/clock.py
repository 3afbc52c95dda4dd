"""Simulated time: real time by default, faster or stepped on demand; the only clock the simulators read."""

import time
from collections.abc import Callable


class ClockError(ValueError):
    """A time or speed that is refused; simulated time never runs backwards."""


class SimClock:
    """A clock of simulated time, in Unix seconds.

    Args:
        start: Simulated time now, Unix seconds; None for the real time.
        speed: Simulated seconds per real second: 1 is real time, 0 stands still until `advance`.
        source: A monotonic source of real seconds.
    """

    __slots__ = ("_origin", "_source", "_speed", "_started")

    def __init__(
        self, *, start: float | None = None, speed: float = 1.0, source: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = source
        self._origin = time.time() if start is None else start
        self._started = source()
        self._speed = _checked_speed(speed)

    @property
    def speed(self) -> float:
        """Simulated seconds per real second."""
        return self._speed

    def now(self) -> float:
        """Return the simulated time, Unix seconds."""
        return self._origin + (self._source() - self._started) * self._speed

    def advance(self, seconds: float) -> float:
        """Jump forward and return the new time.

        Raises:
            ClockError: `seconds` is negative, infinite or not a number.
        """
        if not 0 <= seconds < float("inf"):
            raise ClockError(f"time can advance by 0 or more seconds, not {seconds!r}")
        self._rebase(self.now() + seconds, self._speed)
        return self._origin

    def set(self, at: float) -> float:
        """Jump to a later moment, Unix seconds, and return it.

        Raises:
            ClockError: `at` lies in the simulated past.
        """
        return self.advance(at - self.now())

    def run_at(self, speed: float) -> None:
        """Set the speed from now on; 0 stops the clock.

        Raises:
            ClockError: `speed` is negative, infinite or not a number.
        """
        self._rebase(self.now(), _checked_speed(speed))

    def _rebase(self, origin: float, speed: float) -> None:
        self._origin, self._started, self._speed = origin, self._source(), speed


def _checked_speed(speed: float) -> float:
    if not 0 <= speed < float("inf"):
        raise ClockError(f"speed must be 0 or more, not {speed!r}")
    return speed
