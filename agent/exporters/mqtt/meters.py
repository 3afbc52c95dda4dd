"""Meters that send their readings over MQTT. No I/O; times are arguments.

A reading counts until `max_age_s` after its own time. A silent meter is forgotten a day later.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from agent.exporters.mqtt.messages import MeterReading
from agent.exporters.mqtt.topics import MeterScope
from agent.site.metered import MeterWatts

MAX_METERS = 1000
FORGOTTEN_S = 86_400.0
# A meter's clock may be ahead of the agent's by this much.
MAX_AHEAD_S = 60.0
MAX_WATTS = 1e10


class ReadingError(ValueError):
    """A refused reading; `reason` is its label on the errors topic."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class _Latest:
    """A meter's latest reading; `watts` is None after the first reading of a counter."""

    at: float
    watts: float | None
    joules: float | None


class MqttMeters:
    """The latest reading of each meter.

    Args:
        max_age_s: Time for which a reading counts, s.
    """

    def __init__(self, *, max_age_s: float) -> None:
        self._max_age_s = max_age_s
        self._latest: dict[tuple[MeterScope, str], _Latest] = {}

    def take(self, scope: MeterScope, reading: MeterReading, *, now: float) -> None:
        """Store a reading.

        Args:
            scope: The metered part of the site.
            reading: The meter's message.
            now: Unix time, s.

        Raises:
            ReadingError: The reading is refused; nothing was changed.
        """
        if (reading.watts is None) == (reading.joules is None):
            raise ReadingError("malformed", "expected either watts or joules")
        at = _unix(reading.time)
        if at > now + MAX_AHEAD_S:
            raise ReadingError("malformed", f"time: {at - now:.0f} s in the future")
        key = (scope, reading.name)
        before = self._latest.get(key)
        if now - at > self._max_age_s or (before is not None and at < before.at):
            raise ReadingError("stale", f"time: {now - at:.0f} s ago, too old or older than the last reading")
        if before is None and len(self._latest) >= MAX_METERS:
            raise ReadingError("full", f"there are {MAX_METERS} meters already")
        watts = reading.watts
        if reading.joules is not None:
            watts = _mean_watts(before, at, reading.joules)
        self._latest[key] = _Latest(at=at, watts=watts, joules=reading.joules)

    def readings(self, now: float) -> Iterator[MeterWatts]:
        """Yield each meter's power at Unix time `now`, s; None while its reading is too old."""
        for key, latest in list(self._latest.items()):
            if abs(now - latest.at) > FORGOTTEN_S:
                del self._latest[key]
        for (scope, _), latest in self._latest.items():
            watts = latest.watts if now - latest.at <= self._max_age_s else None
            yield MeterWatts(scope.container, scope.unit, watts)

    def lapsed(self, now: float) -> list[str]:
        """Return the meters whose readings no longer count, by scope and name."""
        return [
            f"{scope}: {name}"
            for (scope, name), latest in self._latest.items()
            if self._max_age_s < now - latest.at <= FORGOTTEN_S
        ]


def _mean_watts(before: _Latest | None, at: float, joules: float) -> float | None:
    """Return the mean power since the reading before; None after a first reading or a counter that went backwards."""
    if before is None or before.joules is None or joules < before.joules:
        return None
    if at <= before.at:
        return before.watts
    watts = (joules - before.joules) / (at - before.at)
    if watts > MAX_WATTS:
        raise ReadingError(
            "malformed", f"joules: {watts:g} W since the last reading is out of range (0 to {MAX_WATTS:g})"
        )
    return watts


def _unix(moment: datetime) -> float:
    try:
        return moment.timestamp()
    except (OverflowError, ValueError) as error:
        raise ReadingError("malformed", f"there is no such time: {moment.isoformat()}") from error
