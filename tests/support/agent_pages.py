"""The addresses of the pages that people look at, relative to an agent's own."""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote, urlencode

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
        is_variant: True for another order or fill of a page, with the same parts.
    """

    name: str
    path: str
    most_bytes: int = MOST_BYTES
    is_variant: bool = False


def pages_of(statuses: Iterable[UnitStatus]) -> list[PageAddress]:
    """Return the pages of a site; of containers and units those with the largest loss, if there are any."""
    worst = max(statuses, key=lambda one: (one.shortfall_hs, one.entry.unit_id), default=None)
    return pages_at(*(None, "") if worst is None else (worst.entry.unit_id, worst.entry.place.container))


def pages_at(unit_id: str | None, container: str) -> list[PageAddress]:
    """Return the pages of a site, with those of one unit and of one container."""
    pages = [
        PageAddress("site", ""),
        PageAddress("units", "units"),
        PageAddress("racks", "racks", MOST_BYTES_OF_MAP),
        PageAddress("heat", "racks?fill=heat", MOST_BYTES_OF_MAP, is_variant=True),
        PageAddress("repairs", "repairs"),
        PageAddress("repairs-by-loss", "repairs?sort=loss", is_variant=True),
        PageAddress("wall", "wall"),
    ]
    if unit_id is not None:
        pages.insert(2, PageAddress("unit", f"units/{quote(unit_id, safe='')}"))
    if container:
        pages.append(PageAddress("container", f"racks?{urlencode({'container': container})}"))
    return pages
