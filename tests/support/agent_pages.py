"""The addresses of the pages that people look at, relative to an agent's own."""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote

from agent.site.status import UnitStatus

MOST_BYTES = 60_000
"""Most bytes of a page, compressed."""
MOST_BYTES_OF_MAP = 150_000


class PageAddress(NamedTuple):
    """A page.

    Attributes:
        name: Its name in tests and benchmarks.
        path: Its address.
        most_bytes: Most bytes that it may have, compressed.
    """

    name: str
    path: str
    most_bytes: int = MOST_BYTES


def pages_of(statuses: Iterable[UnitStatus]) -> list[PageAddress]:
    """Return the pages of a site, with that of its unit of the largest loss, if it has units."""
    worst = max(statuses, key=lambda one: (one.shortfall_hs, one.entry.unit_id), default=None)
    return pages_at(None if worst is None else worst.entry.unit_id)


def pages_at(unit_id: str | None) -> list[PageAddress]:
    """Return the pages of a site, and that of one unit."""
    pages = [PageAddress("site", "")]
    if unit_id is not None:
        pages.append(PageAddress("unit", f"api/v1/units/{quote(unit_id, safe='')}"))
    return pages
