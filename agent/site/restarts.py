"""A unit's restarts, and which of its figures they end between polls. Pure: times are arguments.

A restarting unit first resets connections or is silent, then reports a young uptime, then ramps up. None of that is a
zero, and none of it is a reading. So a unit's last reading stops to count when a poll shows that its program is gone,
and a unit that restarted lately gets no benefit of the doubt when it is silent again.
"""

from agent.errors import DisconnectedError, PollError, UnreachableError
from agent.site.hardware import is_up
from agent.unit.reading import UnitReading

YOUNG_S = 600.0
"""A process is young for this long.

Assumed (A39): a cold start ends 2 to 6 minutes after the miner process begins. Documented (D52): hydro units with cold
coolant mine at low frequency for up to 240 s before that.
"""
RESTARTING_S = 90.0
"""Resets count as a restart for this long. Documented (D51): a process is gone for up to 55 s. Assumed (A36): a control
board for 45 s."""
DOUBTED_S = 7200.0
"""After a restart, the next silent poll ends the last reading at once, for this long."""
SETTLED_S = 120.0
"""A ramp is over when neither clock nor rate rose for this long. Assumed (A83): autotuning pauses for less."""
RISE_RATIO = 1.02
"""Growth that counts as a rise: above the noise of a 5 s rate."""


class Restarts:
    """The latest restart of one unit; kept only of units that restarted, or start, while this process watches.

    Attributes:
        restarted_at: When its uptime was last seen to have begun again, by the monotonic clock, s.
        is_restarting: Its program is gone, and was there a moment ago.
        is_settled: The ramp of its process is over.
    """

    __slots__ = ("_clock_hz", "_rate_hs", "_resets_from", "_rose_at", "is_restarting", "is_settled", "restarted_at")

    def __init__(self) -> None:
        self.restarted_at = float("-inf")
        self.is_restarting = self.is_settled = False
        self._resets_from: float | None = None
        self._clock_hz: float = 0
        self._rate_hs: float = 0
        self._rose_at = float("-inf")

    def see_failure(self, error: PollError | None, *, was_there: bool, clock_s: float) -> None:
        """Note a failed poll.

        Args:
            error: Why it failed.
            was_there: Until then the unit was read, or silent: a reset now means that a program stopped or starts.
            clock_s: The monotonic clock, s.
        """
        if not is_reset(error):
            self._resets_from, self.is_restarting = None, False
            return
        if self._resets_from is None and was_there:
            self._resets_from = clock_s
        self.is_restarting = self._resets_from is not None and clock_s - self._resets_from < RESTARTING_S

    def see_reading(self, reading: UnitReading, *, is_restarted: bool, clock_s: float) -> None:
        """Note a reading."""
        self._resets_from, self.is_restarting = None, False
        if is_restarted:
            self.restarted_at = clock_s
            self._clock_hz = self._rate_hs = 0
        if not is_young(reading):
            self.is_settled = True
            return
        mean_hz, rate_hs = _mean_clock_hz(reading), reading.rate_hs or 0
        if not rate_hs or mean_hz > self._clock_hz * RISE_RATIO or rate_hs > self._rate_hs * RISE_RATIO:
            self._clock_hz, self._rate_hs, self._rose_at = mean_hz, rate_hs, clock_s
        self.is_settled = clock_s - self._rose_at >= SETTLED_S

    def is_doubted(self, clock_s: float) -> bool:
        """Return True if the unit restarted so lately that a silent poll may be the next restart."""
        return clock_s - self.restarted_at < DOUBTED_S


def is_young(reading: UnitReading) -> bool:
    """Return True if the unit's process may still be on its way to its full rate."""
    return reading.uptime_s is not None and reading.uptime_s < YOUNG_S


def is_reset(error: PollError | None) -> bool:
    """Return True if the unit reset the connection before the first byte."""
    return isinstance(error, DisconnectedError) and error.is_reset


def ends_credit(error: PollError | None, restarts: Restarts | None, clock_s: float) -> bool:
    """Return True if a failed poll shows that the reading before it no longer holds.

    A refused or reset connection shows it: no program serves the API, and without it nothing hashes. A unit that
    answers late, in part or in another way may hash, and keeps its reading until that is stale.
    """
    if is_reset(error):
        return True
    if isinstance(error, UnreachableError):
        return error.is_refusal or (restarts is not None and restarts.is_doubted(clock_s))
    return False


def is_restart(before: UnitReading | None, now: UnitReading) -> bool:
    """Return True if the uptime began again between two readings."""
    return (
        before is not None
        and before.uptime_s is not None
        and now.uptime_s is not None
        and now.uptime_s < before.uptime_s
    )


def _mean_clock_hz(reading: UnitReading) -> float:
    """Return the mean clock of the boards that are up; 0 without clocks."""
    clocks = [board.frequency_hz for board in reading.boards if is_up(board) and board.frequency_hz]
    return sum(clocks) / len(clocks) if clocks else 0
