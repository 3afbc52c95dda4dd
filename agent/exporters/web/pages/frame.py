"""The frame of a page: the site, the moment, the navigation and the banners that stand on every page."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from agent.exporters.web.pages.banners import Banner, agent_banners
from agent.exporters.web.source import Source


class Link(NamedTuple):
    """A link.

    Attributes:
        address: Address relative to the site's pages: ``units``, or nothing for the first page.
        words: Its words.
    """

    address: str
    words: str


NAVIGATION = (
    Link("", "Site"),
    Link("units", "Units"),
    Link("racks", "Racks"),
    Link("repairs", "Repairs"),
    Link("wall", "Wall"),
)
"""The pages of a site, in the order of the navigation."""

HISTORY = Link("api/v1/history", "history as JSON")
DATA = (
    Link("metrics", "metrics"),
    Link("metrics/site", "site metrics"),
    Link("api/v1/site", "site as JSON"),
    Link("api/v1/units?sort=-shortfall", "units as JSON"),
    HISTORY,
    Link("api/v1/repairs", "repairs as JSON"),
    Link("api/v1/discovery", "discovery as JSON"),
    Link("api/v1/unread", "unread fields as JSON"),
    Link("api/v1/schema", "JSON Schema"),
    Link("readyz", "readiness"),
    Link("healthz", "health"),
)
"""The same figures for programs; a site that keeps no history has no link to it."""

UTC_ZONE = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The frame that every page shows around its content.

    Attributes:
        site, version: Name of the site, version of the program.
        now: Unix time, s.
        figures_at: Unix time of the figures, s; None before every unit was polled once.
        zone: Time zone of the site.
        current: Address of the page's entry in the navigation.
        depth: Number of slashes in the page's address below the site's pages; every link starts with as many ``../``.
        banners: Banners about the agent.
        navigation: The pages of the navigation.
        data: Links for programs, at the foot.
    """

    site: str
    version: str
    now: float
    figures_at: float | None
    zone: ZoneInfo = UTC_ZONE
    current: str = ""
    depth: int = 0
    banners: tuple[Banner, ...] = ()
    navigation: tuple[Link, ...] = NAVIGATION
    data: tuple[Link, ...] = DATA

    @property
    def root(self) -> str:
        """Relative address of the site's pages: empty, or ``../`` once for each folder."""
        return "../" * self.depth

    def local(self, at: float) -> datetime:
        """Return a Unix time in the site's zone."""
        return datetime.fromtimestamp(at, self.zone)

    def moment(self, at: float) -> str:
        """Return a Unix time in the site's zone for people: ``14:02``, with its date unless that is today."""
        local = self.local(at)
        return f"{local:%H:%M}" if local.date() == self.local(self.now).date() else f"{local:%Y-%m-%d %H:%M}"

    def since(self, at: float, seen_from: float | None) -> str:
        """Return since when something is so: ``14:02``, or ``before 13:36`` if it is older than what was seen.

        Args:
            at: Unix time at which it began, as far as was seen, s.
            seen_from: Unix time since which every unit has been watched, s; None before that.
        """
        is_older = seen_from is not None and at <= seen_from
        return f"before {self.moment(seen_from or at)}" if is_older else self.moment(at)


def frame_of(source: Source, *, current: str, depth: int) -> Frame:
    """Return the frame of a page of this agent, as of now.

    Args:
        source: The data of the server.
        current: Address of the page's entry in the navigation.
        depth: As in `Frame`.
    """
    figures = source.site()
    return Frame(
        site=source.name,
        version=source.version,
        now=source.wall(),
        figures_at=None if figures is None else figures.at,
        zone=source.zone(),
        current=current,
        depth=depth,
        data=tuple(link for link in DATA if link != HISTORY or source.history is not None),
        banners=agent_banners(
            has_figures=figures is not None,
            illness=source.illness(),
            standby=source.standby(),
            unreadiness=source.unreadiness(),
            lateness=source.lateness(),
            history_trouble=source.history_trouble(),
            web_file_trouble=source.door.trouble,
            exposure=source.door.exposure,
        ),
    )
