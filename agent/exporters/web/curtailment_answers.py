"""JSON answers about declared curtailments; times in ISO 8601 UTC, names as in the ledger."""

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from agent.site.curtailment.events import Phase
from agent.site.event_figures import EventFigures

UNITS_LISTED = 1000


class CurtailmentAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One declared curtailment and its units now.

    Attributes:
        phase: pending, active, restoring (ended less than 15 minutes ago) or ended.
        scope: Names by kind (container, rack, model, unit). It covers units that match all of them; empty covers the
            whole site.
        target_percent: Hashrate that may remain, percent of nameplate.
        end: Null while no end is set.
        is_stopped: True if it was stopped, or called off before its start.
        units, nameplate_hs, operating_hs: Sums over the units it governs now; 0 unless it is active.
        units_asleep: Number of units asleep under it, including those still asleep after its end.
        stragglers: Number of units that hash although its target is zero.
        not_restored: Number of units it curtailed that do not hash again 15 minutes after its end.
        straggler_units, not_restored_units: Ids of these units, the first `UNITS_LISTED`.
    """

    id: str
    phase: Phase
    scope: dict[str, str]
    target_percent: float
    start: datetime
    end: datetime | None
    source: str
    is_stopped: bool
    units: int
    nameplate_hs: float
    operating_hs: float
    units_asleep: int
    stragglers: int
    straggler_units: list[str]
    not_restored: int
    not_restored_units: list[str]


class CurtailmentsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """All declared curtailments: ordered ones, and those of the schedule around now."""

    site: str
    now: datetime
    curtailments: list[CurtailmentAnswer]


def curtailment_answer(figures: EventFigures) -> CurtailmentAnswer:
    """Return the answer about one event."""
    event = figures.event
    return CurtailmentAnswer(
        id=event.id,
        phase=figures.phase,
        scope=event.scope.names(),
        target_percent=round(event.target_ratio * 100, 6),
        start=_time(event.start),
        end=None if event.end is None else _time(event.end),
        source=event.source,
        is_stopped=event.is_stopped,
        units=figures.units,
        nameplate_hs=figures.nameplate_hs,
        operating_hs=figures.operating_hs,
        units_asleep=figures.asleep,
        stragglers=len(figures.stragglers),
        straggler_units=list(figures.stragglers[:UNITS_LISTED]),
        not_restored=len(figures.unrestored),
        not_restored_units=list(figures.unrestored[:UNITS_LISTED]),
    )


def curtailment_list_answer(site: str, figures: Iterable[EventFigures], now: float) -> CurtailmentsAnswer:
    """Return the answer about all events."""
    answers = [curtailment_answer(each) for each in figures]
    return CurtailmentsAnswer(site=site, now=_time(now), curtailments=answers)


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
