"""What a page shows of declared curtailments and of the walk list, over statuses at hand; nobody can change it."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from aiohttp import web

from agent.exporters.web.curtailment_api import CurtailmentApi
from agent.exporters.web.repair_api import RepairApi
from agent.exporters.web.responses import json_error
from agent.site.curtailment.book import CurtailmentBook
from agent.site.curtailment.events import Curtailments, Event
from agent.site.repairs.book import RepairBook
from agent.site.repairs.entries import RepairEntry
from agent.site.repairs.symptoms import Rules, Symptom
from agent.site.status import UnitStatus

SITE = "north-1"
_RULES = Rules(after_s=dict.fromkeys(Symptom, 300.0))
_GAP_S = 7200.0


def curtailments_over(
    folder: Path, events: Iterable[Event], units: Callable[[], Iterable[UnitStatus]], wall: Callable[[], float]
) -> CurtailmentApi:
    """Return an API for curtailments that has events in force.

    Args:
        folder: Where orders would be kept; none are.
        events: The events in force.
        units: Returns the status of every unit.
        wall: Returns Unix time, s.
    """
    book = CurtailmentBook(
        folder / "orders.json", site=SITE, windows=(), entries=lambda: [one.entry for one in units()], wall=wall
    )
    book.curtailments = Curtailments(events=events)
    return CurtailmentApi(SITE, book, units=units, wall=wall, clock=wall)


class Walk:
    """A walk list that is fed with statuses at moments far apart; a fault is listed once it lasted five minutes."""

    def __init__(self) -> None:
        self.book = RepairBook(_RULES, longest_gap_s=_GAP_S)

    def look(self, statuses: Iterable[UnitStatus], at: float) -> None:
        """Take the statuses of all units at Unix time `at`."""
        self.book.begin_round(at=at, clock_s=at)
        self.book.see(statuses)
        self.book.close_round()


def walk_list_of(statuses: Sequence[UnitStatus], at: float) -> list[RepairEntry]:
    """Return the walk list of units that have been like this for an hour."""
    walk = Walk()
    walk.look(statuses, at - 3600.0)
    walk.look(statuses, at)
    return walk.book.entries()


def repairs_over(
    entries: Callable[[], list[RepairEntry]],
    unit: Callable[[str], UnitStatus | None],
    wall: Callable[[], float],
    zone: ZoneInfo,
) -> RepairApi:
    """Return an API for the walk list that shows entries and takes no note."""
    return RepairApi(
        SITE,
        entries=entries,
        unlisted=lambda: 0,
        annotate=lambda _number, _note, _seen: None,
        unit=unit,
        refusal=_refuse,
        wall=wall,
        zone=lambda: zone,
    )


def _refuse(_: web.Request) -> web.Response:
    return json_error(403, "refused: no token is configured ([api] token_file)")
