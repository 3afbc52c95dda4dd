"""The site's first page: headline, losses, containers and the units with the largest losses.

It must not mislead at a glance. Before the first complete round it shows what is deployed and no figure. Late figures
carry a banner. Figures that are late or have low coverage are never coloured as good.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from agent.exporters.web.pages.banners import simulated_banners
from agent.exporters.web.pages.curtailment_card import curtailment_card
from agent.exporters.web.pages.discovery_card import discovery_card
from agent.exporters.web.pages.frame import Frame
from agent.exporters.web.pages.layout import document
from agent.exporters.web.pages.mismatch_card import mismatch_card
from agent.exporters.web.pages.patterns import patterned
from agent.exporters.web.pages.tables import table
from agent.exporters.web.pages.unread_card import unread_card
from agent.hil.discovery.figures import DiscoveryFigures
from agent.site.event_figures import EventFigures
from agent.site.status import Cause, UnitState, UnitStatus
from agent.site.totals import Figures, SiteFigures
from agent.site.unread import UnreadFigures
from agent.text.lateness import why_text
from agent.text.losses import CAUSE_WORDS, LossLine, largest_losses, loss_lines, units_text
from agent.text.numbers import SURE_COVERAGE_RATIO, TARGET_RATIO, duration_text, hashrate_text, ratio_text
from agent.text.power import power_tiles

FAIR_RATIO = 0.80
WORST_UNITS = 20
ALSO_SHOWN = 2
"""Of a unit's other faults, how many are shown beside its reason."""
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
        discovery: What was found at addresses that are not polled.
        unread: Fields of units' replies that nobody reads.
    """

    frame: Frame
    figures: SiteFigures | None
    statuses: tuple[UnitStatus, ...]
    is_late: bool = False
    counts_simulated: bool = True
    events: tuple[EventFigures, ...] = ()
    seen_from: float | None = None
    discovery: DiscoveryFigures = NOTHING_FOUND
    unread: UnreadFigures = NOTHING_UNREAD

    @property
    def counted(self) -> Iterable[UnitStatus]:
        """The units that the figures include."""
        return (status for status in self.statuses if self.counts_simulated or not status.entry.is_simulated)


def render(shown: Shown) -> str:
    """Return the page as HTML."""
    body = []
    if shown.figures is None:
        body.append(_waiting(shown))
    else:
        is_sure = not shown.is_late and (shown.figures.site.coverage_ratio or 0) >= SURE_COVERAGE_RATIO
        body += [
            _headline(shown.figures, is_sure=is_sure),
            _losses(shown),
            curtailment_card(shown.events, shown.frame.zone),
            _containers(shown.figures, is_late=shown.is_late),
            _worst(shown),
            mismatch_card(shown.statuses),
            discovery_card(shown.discovery, shown.frame.zone),
            unread_card(shown.unread),
        ]
    banners = simulated_banners(shown.statuses, counts_simulated=shown.counts_simulated)
    return document(shown.frame, body=body, banners=banners)


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


def _headline(figures: SiteFigures, *, is_sure: bool) -> str:
    site = figures.site
    ratio, coverage = site.operational_efficiency_ratio, site.coverage_ratio
    if not site.deployed_hs:
        return '<section class="card" aria-label="Site"><p class="amount">Nothing is deployed.</p></section>'
    if ratio is None:
        verdict = "units answer, and none can be read"
    else:
        verdict = "above the 90 % line" if ratio > TARGET_RATIO else "not above the 90 % line"
        if not is_sure:
            verdict += ", as far as is known"
    grade = _grade(ratio, is_sure=is_sure)
    hashing = site.units_by_state[UnitState.HASHING]
    lost_hs = sum(site.losses_hs.values())
    amount = f"{hashrate_text(site.operating_hs)} of {hashrate_text(site.deployed_hs)}"
    tiles = [
        ("Coverage", ratio_text(coverage), "of the deployed nameplate is known"),
        ("Hashing", f"{hashing:,}", f"of {units_text(site.units)} deployed"),
        ("Lost", hashrate_text(lost_hs), f"{ratio_text(lost_hs / site.deployed_hs)} of deployed"),
    ]
    if site.uplift_hs:
        tiles.append(("Uplift", hashrate_text(site.uplift_hs), "above nameplate"))
    tiles += power_tiles(figures)
    return "".join(
        (
            '<section class="card" aria-label="Site"><div class="headline">',
            f'<div><p class="label">Operational efficiency now</p><p class="ratio {grade}">',
            f"{'not known' if ratio is None else ratio_text(ratio)}</p>",
            f'<p class="verdict {grade}">{verdict}</p></div>',
            '<div><p class="label">Operating of deployed</p>',
            f'<p class="amount">{amount}</p></div></div>',
            _shares(site),
            '<dl class="tiles">',
            *(f"<div><dt>{name}</dt><dd>{value}<small>{note}</small></dd></div>" for name, value, note in tiles),
            "</dl></section>",
        )
    )


def _shares(site: Figures) -> str:
    """Return one bar with the shares of operating and of each loss, and a mark at 90 % of deployed."""
    whole_hs = site.operating_hs + sum(site.losses_hs.values())
    parts: list[tuple[Cause | None, str, float]] = [
        (None, "operating", site.operating_hs),
        *((cause, CAUSE_WORDS[cause], hs) for cause, hs in largest_losses(site)),
    ]
    drawn, at = [], 0.0
    for cause, words, part_hs in parts:
        width = 100 * part_hs / whole_hs
        shape = patterned(cause or "operating", cause, f'x="{at:.3f}%" width="{width:.3f}%" height="100%"')
        drawn.append(f"<g><title>{hashrate_text(part_hs)} {words}</title>{shape}</g>")
        at += width
    mark = 100 * TARGET_RATIO * site.deployed_hs / whole_hs
    described = "; ".join(f"{hashrate_text(part_hs)} {words}" for _, words, part_hs in parts)
    return (
        f'<svg class="shares" role="img" aria-label="{described}">'
        f'<rect class="track" width="100%" height="100%"/>{"".join(drawn)}'
        f'<line class="mark" x1="{mark:.3f}%" x2="{mark:.3f}%" y1="0" y2="100%"/></svg>'
        '<p class="scale">operating, then losses, largest first; the mark is 90 % of deployed</p>'
    )


def _losses(shown: Shown) -> str:
    figures = shown.figures
    if figures is None or not figures.site.units:
        return ""
    lines = loss_lines(
        figures.site, shown.counted, now=shown.frame.now, zone=shown.frame.zone, seen_from=shown.seen_from
    )
    if lines:
        listed = f'<ul class="losses">{"".join(map(_loss_item, lines))}</ul>'
        listed += f'<p class="scale">times in {escape(shown.frame.zone.key)}</p>'
    else:
        listed = '<p class="soft">No losses.</p>'
    return f'<section class="card"><h2>Losses by cause</h2>{listed}</section>'


def _loss_item(line: LossLine) -> str:
    swatch = patterned(line.cause, line.cause, 'width="16" height="16"')
    return (
        f'<li><svg viewBox="0 0 16 16" aria-hidden="true">{swatch}</svg>'
        f"<strong>{hashrate_text(line.hashrate_hs)}</strong><span>{escape(line.words)}"
        f'<span class="soft">: {escape(line.where)}</span></span></li>'
    )


def _containers(figures: SiteFigures, *, is_late: bool) -> str:
    rows = []
    for name, sums in figures.by_container.items():
        ratio, coverage = sums.operational_efficiency_ratio, sums.coverage_ratio
        is_sure = not is_late and (coverage or 0) >= SURE_COVERAGE_RATIO
        largest = next(iter(largest_losses(sums)), None)
        loss = f"{hashrate_text(largest[1])} {CAUSE_WORDS[largest[0]]}" if largest else "none"
        rows.append(
            f'<tr><th scope="row">{escape(name) or "no container"}</th>'
            f'<td class="number {_grade(ratio, is_sure=is_sure)}">{ratio_text(ratio)}</td>'
            f'<td class="number">{hashrate_text(sums.operating_hs)}</td>'
            f'<td class="number">{hashrate_text(sums.deployed_hs)}</td>'
            f'<td class="number">{sums.units_by_state[UnitState.HASHING]:,} of {sums.units:,}</td>'
            f'<td class="number">{ratio_text(coverage)}</td><td>{loss}</td></tr>'
        )
    heads = ("Container", "Efficiency", "Operating", "Deployed", "Units hashing", "Coverage", "Largest loss")
    return table("Containers", heads, rows, numbers=range(1, 6))


def _worst(shown: Shown) -> str:
    lacking = (status for status in shown.counted if status.losses and status.is_looked_at)
    worst = heapq.nsmallest(WORST_UNITS, lacking, key=lambda status: (-status.shortfall_hs, status.entry.unit_id))
    rows = []
    for status in worst:
        entry, place = status.entry, status.entry.place
        names = (("", place.container), ("rack ", place.rack), ("slot ", place.slot))
        where = ", ".join(f"{word}{escape(name)}" for word, name in names if name) or "no place given"
        causes = ", ".join(CAUSE_WORDS[loss.cause] for loss in status.losses)
        # A `why` that only repeats the state adds nothing; the causes of loss do.
        reason = why_text(status, shown.frame.now)
        why = f"{status.state}: {reason}" if status.state != reason else causes
        also = "".join(f"; {finding.why}" for finding in status.also[:ALSO_SHOWN])
        first = f"<small>Check first: {escape(status.check_first)}.</small>" if status.check_first else ""
        rows.append(
            f'<tr><th scope="row"><a href="api/v1/units/{quote(entry.unit_id, safe="")}">{escape(entry.unit_id)}</a>'
            f'</th><td class="words">{escape(why + also)}{first}</td>'
            f'<td class="number">{hashrate_text(status.shortfall_hs)}</td>'
            f'<td class="number">{duration_text(max(0.0, shown.frame.now - status.since))}</td>'
            f"<td>{where}</td><td>{escape(entry.nameplate.model)}</td>"
            f'<td class="number">{hashrate_text(status.hashrate_hs)}</td>'
            f'<td class="number">{hashrate_text(entry.nameplate.hashrate_hs)}</td></tr>'
        )
    if not rows:
        return ""
    heads = ("Unit", "Reason", "Lost", "Duration", "Place", "Model", "Measured", "Nameplate")
    return table("Units with the largest losses", heads, rows, numbers=(2, 3, 6, 7))


def _grade(ratio: float | None, *, is_sure: bool) -> str:
    if ratio is None:
        return "unsure"
    if ratio > TARGET_RATIO:
        return "good" if is_sure else "unsure"
    return "fair" if ratio > FAIR_RATIO else "poor"
