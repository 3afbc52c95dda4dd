"""No unit exceeds its budget of series, in any model, state or curtailment."""

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
# Boards and fans of a model without a known number of them: the most that any model of its cooling has.
BOARDS, FANS = 4, 4
AIR_BOARDS = 3
# All causes that can reduce a hashing unit at once.
SHORT_OF = {Cause.CURTAILED, Cause.MISSING_BOARDS, Cause.MISSING_CHIPS, Cause.DERATED, Cause.UNDERPERFORMING}


def kind(nameplate: Nameplate) -> tuple[object, ...]:
    """Return what decides how many series a machine has: its parts, and which of its figures are known."""
    known = (nameplate.power_watts, nameplate.chips_per_board, nameplate.frequency_hz)
    parts = (nameplate.cooling, nameplate.layout, nameplate.boards, nameplate.fans)
    return (*parts, *(figure is None for figure in known), len(nameplate.modes))


KINDS = tuple({kind(nameplate): nameplate for nameplate in CATALOGUE}.values())


def boards_of(nameplate: Nameplate, *, dead: int = 0, clock_ratio: float = 0.98) -> tuple[BoardReading, ...]:
    """Return boards with every field, each one chip short and slow; dead boards have no chip temperature."""
    places = nameplate.boards or (AIR_BOARDS if nameplate.cooling == "air" else BOARDS)
    chips, clock_hz = (nameplate.chips_per_board or 100) - 1, clock_ratio * (nameplate.frequency_hz or 500e6)
    alive = [board(slot, chips=chips, frequency_hz=clock_hz) for slot in range(places - dead)]
    gone = [board(slot, chips=0, hashrate_hs=0.0, chip_celsius=()) for slot in range(places - dead, places)]
    return (*alive, *gone)


def reading_of(nameplate: Nameplate, rate_ratio: float, *, dead: int = 0, mode: Mode = Mode.NORMAL) -> UnitReading:
    """Return a reading with every field, including the power that some firmware reports."""
    fans = FANS if nameplate.fans is None and nameplate.cooling == "air" else nameplate.fans or 0
    return reading(
        identity=structs.replace(reading().identity, model=nameplate.model),
        hashrate_ideal_hs=nameplate.hashrate_hs,
        hashrate_5s_hs=rate_ratio * nameplate.hashrate_hs,
        boards=boards_of(nameplate, dead=dead),
        fan_rpm=(6000,) * fans,
        power_watts=3500.0,
        mode=mode,
    )


def statuses_of(nameplate: Nameplate) -> Iterator[UnitStatus]:
    """Yield a unit in every state, without an event and in events with a target of 0, 50 and 99 %."""
    awake = [reading_of(nameplate, ratio, dead=dead) for ratio in (0.3, 0.6, 0.97, 1.02) for dead in (0, 1)]
    others = [
        structs.replace(reading_of(nameplate, 0.2, dead=dead), boards=boards_of(nameplate, dead=dead, clock_ratio=0.4))
        for dead in (0, 1)
    ]
    others += [
        reading_of(nameplate, 0.0),
        reading_of(nameplate, 0.0, mode=Mode.SLEEP),
        reading_of(nameplate, 0.5, mode=Mode.LOW),
        structs.replace(reading_of(nameplate, 0.3), uptime_s=60),
    ]
    errors: tuple[PollError | None, ...] = (None, UnreachableError("no answer"), DeadlineError("no whole reply"))
    numbers = count()
    for target_ratio in (None, 0.0, 0.5, 0.99):
        event = Event(id="e1", start=AT - 60, end=None, target_ratio=target_ratio or 0, scope=Scope(), source="test")
        declared = Curtailments(events=() if target_ratio is None else (event,))
        for is_in_maintenance, read, error in product((False, True), (*awake, *others), errors):
            unit = entry(f"u{next(numbers)}", nameplate=nameplate, is_in_maintenance=is_in_maintenance)
            tracker = Tracker([unit], stale_after_s=30, at=AT, curtailments=declared)
            recorded = tracker.record(
                Poll(unit_id=unit.unit_id, at=AT, took_s=0.1, reading=structs.replace(read, unit_id=unit.unit_id)),
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


def test_machines_have_no_more_boards_and_fans() -> None:
    """No machine has more boards or fans than the budget is tested with, nor both fans and a fourth board."""
    assert max(one.boards or 0 for one in CATALOGUE) == BOARDS
    assert max(one.fans or 0 for one in CATALOGUE) == FANS
    assert max(one.boards or 0 for one in CATALOGUE if one.fans != 0) == AIR_BOARDS


@pytest.mark.parametrize("nameplate", KINDS, ids=lambda one: f"{one.model}-{one.hashrate_hs / 1e12:g}")
async def test_no_machine_exceeds_the_budget(nameplate: Nameplate) -> None:
    """Every kind of machine stays within the budget in every state, with every cause of a loss, curtailed or not."""
    statuses = list(statuses_of(nameplate))
    assert {status.state for status in statuses} == set(UnitState)
    assert max((await series_of(statuses)).values()) <= SERIES_PER_UNIT


async def test_the_budget_is_used_up() -> None:
    """Four boards, partly curtailed and reduced by every cause, use the whole budget: no series may be added."""
    shipped = next(one for one in CATALOGUE if one.cooling == "hydro" and one.frequency_hz is not None)
    hydro = replace(shipped, boards=BOARDS)
    fullest = [one for one in statuses_of(hydro) if len(one.losses) == len(SHORT_OF)]
    assert {loss.cause for loss in fullest[0].losses} == SHORT_OF
    assert set((await series_of(fullest)).values()) == {SERIES_PER_UNIT}
