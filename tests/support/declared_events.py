"""Declared curtailments as a page shows them, over statuses at hand."""

from collections.abc import Callable, Iterable
from pathlib import Path

from agent.exporters.web.curtailment_api import CurtailmentApi
from agent.site.curtailment.book import CurtailmentBook
from agent.site.curtailment.events import Curtailments, Event
from agent.site.status import UnitStatus


def api_over(
    folder: Path, events: Iterable[Event], units: Callable[[], Iterable[UnitStatus]], wall: Callable[[], float]
) -> CurtailmentApi:
    """Return an API for curtailments without a token: pages show the events, and nobody can change them.

    Args:
        folder: Where orders would be kept; none are.
        events: The events in force.
        units: Returns the status of every unit.
        wall: Returns Unix time, s.
    """
    book = CurtailmentBook(
        folder / "orders.json", site="north-1", windows=(), entries=lambda: [one.entry for one in units()], wall=wall
    )
    book.curtailments = Curtailments(events=events)
    return CurtailmentApi("north-1", book, token=lambda: None, units=units, wall=wall, clock=wall)
