"""Electricity meters: what each one reads now, and the watts they add up to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """Metered power now, W. A reading counts while it is recent; a sum of several meters while all of them are.

    Attributes:
        site_watts: The whole site; None without a meter.
        container_watts: By container.
        unit_watts: By unit.
    """

    site_watts: float | None = None
    container_watts: Mapping[str, float] = field(default_factory=dict)
    unit_watts: Mapping[str, float] = field(default_factory=dict)


UNMETERED = Metered()


class MeterWatts(NamedTuple):
    """The power one meter reads now.

    Attributes:
        container, unit: The thing it measures; the whole site if both are None.
        watts: None without a recent reading.
    """

    container: str | None
    unit: str | None
    watts: float | None


def add_up(readings: Iterable[MeterWatts]) -> Metered:
    """Return the sums of all meters; if several measure one thing and one of them has no watts, neither has the sum."""
    sums: dict[tuple[str | None, str | None], float | None] = {}
    for container, unit, watts in readings:
        others_watts = sums.get((container, unit), 0.0)
        sums[container, unit] = None if watts is None or others_watts is None else others_watts + watts
    live = {what: watts for what, watts in sums.items() if watts is not None}
    return Metered(
        site_watts=live.get((None, None)),
        container_watts={container: watts for (container, _), watts in live.items() if container is not None},
        unit_watts={unit: watts for (_, unit), watts in live.items() if unit is not None},
    )


class MeterState(NamedTuple):
    """One meter as the agent's own metrics show it.

    Attributes:
        name: From the configuration.
        watts: None without a recent reading.
        readings, failures: Since the agent started.
    """

    name: str
    watts: float | None
    readings: int
    failures: int
