"""Electricity meters: what each one reads now, and the watts they add up to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """What meters say now; only readings that still count, a group of several meters only while all of them do.

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
    """What one meter says now.

    Attributes:
        container, unit: What it measures; the whole site when both are None.
        watts: None when it says nothing that still counts.
    """

    container: str | None
    unit: str | None
    watts: float | None


def add_up(readings: Iterable[MeterWatts]) -> Metered:
    """Give what meters say together: several of one thing are a sum, and half a sum is none."""
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
        watts: What counts of it now; None when nothing does.
        readings, failures: Since the agent started.
    """

    name: str
    watts: float | None
    readings: int
    failures: int
