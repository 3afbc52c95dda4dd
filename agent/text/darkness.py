"""Dark containers in words, and which units a container or a curtailment explains. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable
from statistics import median_low
from typing import NamedTuple

from agent.site.accounted import is_dark
from agent.site.curtailment.events import Event, Phase
from agent.site.event_figures import EventFigures
from agent.site.reasons import REASONS, Reason
from agent.site.status import Cause, UnitState, UnitStatus
from agent.site.totals import SiteFigures
from agent.text.losses import units_text
from agent.text.numbers import hashrate_text

RESTORING_PHASES = frozenset({Phase.ACTIVE, Phase.RESTORING})
"""Phases of an event that explain units which do not hash, or which start."""


class DarkContainer(NamedTuple):
    """A container of which next to nothing hashes.

    Attributes:
        name: Its name.
        units: Units deployed in it.
        lost_hs: What it loses, H/s.
        text: ``0 H/s of 19.60 PH/s; 97 of 98 units unreachable: no answer``.
        since: Unix time at which half of the units with that reason had entered their state, s; None if none has one.
    """

    name: str
    units: int
    lost_hs: float
    text: str
    since: float | None


def restoring_containers(events: Iterable[EventFigures]) -> Collection[str] | None:
    """Return the containers in which a curtailment is in force or just ended; None if that is the whole site."""
    return containers_of(figures.event for figures in events if figures.phase in RESTORING_PHASES)


def containers_of(events: Iterable[Event]) -> Collection[str] | None:
    """Return the containers that events cover; None if one of them covers units of any container."""
    names = set()
    for event in events:
        if event.scope.container is None:
            return None
        names.add(event.scope.container)
    return names


def dark_names(figures: SiteFigures, restoring: Collection[str] | None) -> list[str]:
    """Return the names of the dark containers, in order; units without a container are none.

    Args:
        figures: The site's figures.
        restoring: As from `restoring_containers`.
    """
    return sorted(
        name
        for name, sums in figures.by_container.items()
        if name and is_dark(sums, is_restoring=restoring is None or name in restoring)
    )


def dark_containers(
    figures: SiteFigures, statuses: Iterable[UnitStatus], restoring: Collection[str] | None
) -> list[DarkContainer]:
    """Return the containers that are dark, by name; units without a container are none.

    Args:
        figures: The site's figures.
        statuses: Statuses of the units in the figures.
        restoring: As from `restoring_containers`.
    """
    names = dark_names(figures, restoring)
    if not names:
        return []
    reasons: dict[str, Counter[tuple[UnitState, Reason]]] = {name: Counter() for name in names}
    sinces: dict[tuple[str, UnitState, Reason], list[float]] = {}
    for status in statuses:
        name = status.entry.place.container
        if name in reasons and status.state is not UnitState.HASHING:
            reasons[name][status.state, status.reason] += 1
            sinces.setdefault((name, status.state, status.reason), []).append(status.since)
    return [_described(figures, name, reasons[name], sinces) for name in names]


def _described(
    figures: SiteFigures,
    name: str,
    reasons: Counter[tuple[UnitState, Reason]],
    sinces: dict[tuple[str, UnitState, Reason], list[float]],
) -> DarkContainer:
    sums = figures.by_container[name]
    text, since = f"{hashrate_text(sums.operating_hs)} of {hashrate_text(sums.deployed_hs)}", None
    if reasons:
        (state, reason), units = reasons.most_common(1)[0]
        words = REASONS[reason].words
        stated = str(state) if words == state else f"{state}: {words}"
        text += f"; {units:,} of {units_text(sums.units)} {stated}"
        since = median_low(sinces[name, state, reason])
    return DarkContainer(name, sums.units, sum(sums.losses_hs.values()), text, since)


def is_explained(status: UnitStatus, dark: Collection[str]) -> bool:
    """Return True if a dark container or a declared curtailment explains what a unit loses.

    Args:
        status: The unit.
        dark: Names of the dark containers.
    """
    return (
        status.entry.place.container in dark
        or status.state is UnitState.CURTAILED
        or status.reason is Reason.WAKING
        or all(loss.cause is Cause.CURTAILED for loss in status.losses)
    )
