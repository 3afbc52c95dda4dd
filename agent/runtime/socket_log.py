"""Polls skipped because this machine has no socket left, as log lines: one when it begins, one when it ended."""

import time
from collections.abc import Callable

import structlog

from agent.errors import LocalResourceError

log = structlog.get_logger("agent")

QUIET_S = 60.0
"""A shortage is over when no poll was skipped for this long, so it makes at most two lines in that time."""


class SocketLog:
    """Logs a shortage of sockets, however many polls it costs, in two lines.

    Args:
        clock: Returns monotonic time, s.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._skipped = 0
        self._began_s = self._latest_s = 0.0

    def add(self, error: LocalResourceError, *, file_limit: int, in_flight: int, units: int) -> None:
        """Add a skipped poll.

        Args:
            error: What the system said.
            file_limit: How many files this process may open.
            in_flight: Polls in flight.
            units: Number of units polled.
        """
        self._latest_s = self._clock()
        self._skipped += 1
        if self._skipped == 1:
            self._began_s = self._latest_s
            log.warning(
                "polls skipped: no socket",
                error=str(error),
                file_limit=file_limit,
                in_flight=in_flight,
                units=units,
            )

    def close_interval(self) -> None:
        """Log that the shortage is over, if no poll was skipped for `QUIET_S`."""
        if self._skipped and self._clock() - self._latest_s >= QUIET_S:
            log.info("sockets suffice again", skipped=self._skipped, lasted_s=round(self._latest_s - self._began_s, 1))
            self._skipped = 0
