"""The site's first page: headline, losses, worst units, trend and containers.

It must not mislead at a glance. Before the first complete round it shows what is deployed and no figure. Late figures
carry a banner. Figures that are late or have low coverage are never coloured as good.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.exporters.web.pages.banners import Banner, BannerKind, simulated_banners
from agent.exporters.web.pages.curtailment_card import curtailment_card
from agent.exporters.web.pages.discovery_card import discovery_card
from agent.exporters.web.pages.frame import Frame
from agent.exporters.web.pages.headline import headline
from agent.exporters.web.pages.layout import document
from agent.exporters.web.pages.losses_card import containers_card, losses_card, owners_card, units_filter
from agent.exporters.web.pages.mismatch_card import mismatch_card
from agent.exporters.web.pages.trend_card import trend_card
from agent.exporters.web.pages.unread_card import unread_card
from agent.exporters.web.pages.work_card import diverted_banner, work_card
from agent.exporters.web.pages.worst_card import worst_card
from agent.hil.discovery.figures import DiscoveryFigures
from agent.history.trend import Trends
from agent.site.curtailment.events import Phase
from agent.site.event_figures import EventFigures
from agent.site.status import UnitStatus
from agent.site.totals import SiteFigures
from agent.site.unread import UnreadFigures
from agent.text.darkness import DarkContainer, dark_containers, restoring_containers
from agent.text.losses import loss_lines, units_text
from agent.text.numbers import SURE_COVERAGE_RATIO, hashrate_text

NOTHING_FOUND = DiscoveryFigures()
NOTHING_UNREAD = UnreadFigures()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The data of one page.

    Attributes:
        frame: What stands around the content.
        figures: The latest figures; None until every unit was polled once.
        statuses: Status of every deployed unit.
        is_late: True if the figures are incomplete or out of date.
        counts_simulated: True if the figures include simulated units.
        events: Declared curtailments with their figures.
        seen_from: Unix time since which every unit has been watched, s; None before that.
        sees_accounts: True for a reader who may see where work goes in full.
        discovery: What was found at addresses that are not polled.
        unread: Fields of units' replies that no reader uses.
        trends: The site's course; None if no history is kept, or if it could not be read.
        trends_trouble: Why it could not be read; None if it could.
    """

    frame: Frame
    figures: SiteFigures | None
    statuses: tuple[UnitStatus, ...]
    is_late: bool = False
    counts_simulated: bool = True
    events: tuple[EventFigures, ...] = ()
    seen_from: float | None = None
    sees_accounts: bool = False
    discovery: DiscoveryFigures = NOTHING_FOUND
    unread: UnreadFigures = NOTHING_UNREAD
    trends: Trends | None = None
    trends_trouble: str | None = None

    @property
    def counted(self) -> Iterable[UnitStatus]:
        """The units that the figures include."""
        return (status for status in self.statuses if self.counts_simulated or not status.entry.is_simulated)

    @property
    def leaves_out_simulated(self) -> bool:
        """True if the site has simulated units and the figures leave them out."""
        return not self.counts_simulated and any(status.entry.is_simulated for status in self.statuses)


def render(shown: Shown) -> str:
    """Return the page as HTML."""
    banners = simulated_banners(shown.statuses, counts_simulated=shown.counts_simulated)
    if shown.figures is None:
        trend = trend_card(shown.trends, shown.trends_trouble, shown.frame)
        return document(shown.frame, body=(_waiting(shown), trend), banners=banners)
    dark = dark_containers(shown.figures, shown.counted, restoring_containers(shown.events))
    banners += tuple(_dark_banner(container, shown) for container in dark)
    banners += diverted_banner(shown.figures.site, shown.counted, leaves_out_simulated=shown.leaves_out_simulated)
    return document(shown.frame, body=_cards(shown, shown.figures, dark), banners=banners)


def _cards(shown: Shown, figures: SiteFigures, dark: list[DarkContainer]) -> Iterable[str]:
    frame, leaves_out_simulated = shown.frame, shown.leaves_out_simulated
    is_sure = not shown.is_late and (figures.site.coverage_ratio or 0) >= SURE_COVERAGE_RATIO
    is_restoring = any(event.phase in {Phase.ACTIVE, Phase.RESTORING} for event in shown.events)
    yield headline(figures, is_sure=is_sure, is_restoring=is_restoring)
    if not figures.site.units:
        return
    lines = loss_lines(figures.site, shown.counted, now=frame.now, zone=frame.zone, seen_from=shown.seen_from)
    yield losses_card(lines, frame, leaves_out_simulated=leaves_out_simulated)
    yield curtailment_card(shown.events, frame.zone)
    yield worst_card(
        shown.counted,
        frame,
        dark=dark,
        events=shown.events,
        seen_from=shown.seen_from,
        leaves_out_simulated=leaves_out_simulated,
    )
    yield work_card(shown.counted, frame, is_whole=shown.sees_accounts, leaves_out_simulated=leaves_out_simulated)
    yield trend_card(shown.trends, shown.trends_trouble, frame)
    yield containers_card(figures, frame, is_late=shown.is_late, leaves_out_simulated=leaves_out_simulated)
    yield owners_card(figures, frame, is_late=shown.is_late, leaves_out_simulated=leaves_out_simulated)
    yield mismatch_card(shown.statuses)
    yield discovery_card(shown.discovery, frame.zone)
    yield unread_card(shown.unread)


def _dark_banner(container: DarkContainer, shown: Shown) -> Banner:
    frame = shown.frame
    since = "" if container.since is None else f", since {frame.since(container.since, shown.seen_from)}"
    address = units_filter(leaves_out_simulated=shown.leaves_out_simulated, container=container.name)
    link = (address, f"Its {units_text(container.units)}")
    return Banner(BannerKind.CONTAINER_DARK, f"Container {container.name} is dark", container.text + since, link)


def _waiting(shown: Shown) -> str:
    counted = list(shown.counted)
    deployed_hs = sum(status.entry.nameplate.hashrate_hs for status in counted)
    return (
        '<section class="card" aria-label="Site"><div class="headline">'
        '<div><p class="label">Operational efficiency</p><p class="ratio unsure">not known yet</p></div>'
        f'<div><p class="label">Deployed per ledger</p><p class="amount">{hashrate_text(deployed_hs)}</p>'
        f'<p class="soft">{units_text(len(counted))}</p></div>'
        "</div></section>"
    )
