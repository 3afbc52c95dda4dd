"""No unit has more series than was promised, whatever the machine, its state, and what was declared of it."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, product

import pytest
from exporter_cases import AT, board, entry, reading
from msgspec import structs

from agent.errors import DeadlineError, PollError, UnreachableError
from agent.exporters.prometheus.store import Metrics
from agent.exporters.prometheus.unit_families import SERIES_PER_UNIT
from agent.site.curtailment.events import Curtailments, Event, Scope
from agent.site.status import Cause, UnitState, UnitStatus
from agent.site.tracker import Tracker
from agent.unit.nameplate import Nameplate, shipped_catalogue
from agent.unit.reading import BoardReading, Mode, Poll, UnitReading

CATALOGUE = tuple(shipped_catalogue())
# Boards and fans of a machine of which no source tells how many it has: as many as any has.
BOARDS, FANS = 4, 4
# All that a unit which hashes can be short of at once.
SHORT_OF = {Cause.CURTAILED, Cause.MISSING_BOARDS, Cause.MISSING_CHIPS, Cause.DERATED, Cause.UNDERPERFORMING}


def boards_of(nameplate: Nameplate, *, dead: int = 0) -> tuple[BoardReading, ...]:
    """Give boards that tell everything, each a chip short and slow; on a dead one no chip is left to be hot."""
    places = nameplate.boards or BOARDS
    chips, clock_hz = (nameplate.chips_per_board or 100) - 1, 0.98 * (nameplate.frequency_hz or 500e6)
    alive = [board(slot, chips=chips, frequency_hz=clock_hz) for slot in range(places - dead)]
    gone = [board(slot, chips=0, hashrate_hs=0.0, chip_celsius=()) for slot in range(places - dead, places)]
    return (*alive, *gone)


def told_by(nameplate: Nameplate, rate_ratio: float, *, dead: int = 0, mode: Mode = Mode.NORMAL) -> UnitReading:
    """Give a reading in which nothing is missing, and that firmware's own word on power besides."""
    fans = FANS if nameplate.fans is None and nameplate.cooling == "air" else nameplate.fans or 0
    return reading(
        hashrate_5s_hs=rate_ratio * nameplate.hashrate_hs,
        boards=boards_of(nameplate, dead=dead),
        fan_rpm=(6000,) * fans,
        power_watts=3500.0,
        mode=mode,
    )


def statuses_of(nameplate: Nameplate) -> Iterator[UnitStatus]:
    """Give a machine in every state, outside of events and inside those that leave it nothing, half, or nearly all."""
    awake = [told_by(nameplate, ratio, dead=dead) for ratio in (0.3, 0.6, 0.97, 1.02) for dead in (0, 1)]
    others = [
        told_by(nameplate, 0.0),
        told_by(nameplate, 0.0, mode=Mode.SLEEP),
        told_by(nameplate, 0.5, mode=Mode.LOW),
        structs.replace(told_by(nameplate, 0.3), uptime_s=60),
    ]
    errors: tuple[PollError | None, ...] = (None, UnreachableError("no answer"), DeadlineError("no whole reply"))
    numbers = count()
    for target_ratio in (None, 0.0, 0.5, 0.99):
        event = Event(id="e1", start=AT - 60, end=None, target_ratio=target_ratio or 0, scope=Scope(), source="test")
        declared = Curtailments(events=() if target_ratio is None else (event,))
        for is_in_maintenance, told, error in product((False, True), (*awake, *others), errors):
            unit = entry(f"u{next(numbers)}", nameplate=nameplate, is_in_maintenance=is_in_maintenance)
            tracker = Tracker([unit], stale_after_s=30, at=AT, curtailments=declared)
            recorded = tracker.record(
                Poll(unit_id=unit.unit_id, at=AT, took_s=0.1, reading=structs.replace(told, unit_id=unit.unit_id)),
                clock_s=0.0,
            )
            if error is not None:
                recorded = tracker.record(Poll(unit_id=unit.unit_id, at=AT, took_s=4.0, error=error), clock_s=60.0)
            assert recorded is not None
            yield recorded[0]


async def series_of(statuses: list[UnitStatus]) -> Counter[str]:
    """Count the series of each unit in a scrape."""
    metrics = Metrics("nd-1", version="1.2.3", clock=lambda: 0.0)
    for status in statuses:
        metrics.on_unit(status)
    body, _ = await metrics.scrape()
    return Counter(re.findall(r'^miner_\w+\{[^}]*\bunit="(\w+)"', body.decode(), re.MULTILINE))


@pytest.mark.parametrize("nameplate", CATALOGUE, ids=lambda one: f"{one.model}-{one.hashrate_hs / 1e12:g}")
async def test_no_machine_exceeds_the_budget(nameplate: Nameplate) -> None:
    """Every model and bin, in every state, with every cause of a loss, inside and outside of curtailments."""
    statuses = list(statuses_of(nameplate))
    assert {status.state for status in statuses} == set(UnitState)
    assert max((await series_of(statuses)).values()) <= SERIES_PER_UNIT


async def test_the_budget_is_used_up() -> None:
    """Four boards, of a site's own catalogue, half asked for and short of that for every reason: none may be added."""
    shipped = next(one for one in CATALOGUE if one.cooling == "hydro" and one.frequency_hz is not None)
    hydro = replace(shipped, boards=BOARDS)
    fullest = [one for one in statuses_of(hydro) if len(one.losses) == len(SHORT_OF)]
    assert {loss.cause for loss in fullest[0].losses} == SHORT_OF
    assert set((await series_of(fullest)).values()) == {SERIES_PER_UNIT}
