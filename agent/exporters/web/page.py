"""The status page: the site's figures as one HTML page without scripts or resources from other hosts.

It must not mislead at a glance. Before the first complete round it shows what is deployed and no figure. Late figures
carry a banner. Figures that are late or have low coverage are never coloured as good.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from urllib.parse import quote
from zoneinfo import ZoneInfo

from agent.exporters.web.curtailment_card import curtailment_card
from agent.exporters.web.discovery_card import discovery_card
from agent.exporters.web.mismatch_card import mismatch_card
from agent.exporters.web.unread_card import unread_card
from agent.hil.discovery.figures import DiscoveryFigures
from agent.site.event_figures import EventFigures
from agent.site.status import UnitState, UnitStatus
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
REFRESH_S = 10
UTC_ZONE = ZoneInfo("UTC")
NOTHING_FOUND = DiscoveryFigures()
NOTHING_UNREAD = UnreadFigures()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The data of one page.

    Attributes:
        site, version: Name of the site, version of the agent.
        now: Unix time, s.
        figures: The latest figures; None until every unit was polled once.
        statuses: Status of every deployed unit.
        unreadiness: Why the figures are incomplete or out of date; None if they are neither.
        lateness: How many units the agent did not look at in time, in words; None if it looked at all.
        illness: Why the agent itself is unhealthy; None if it is healthy.
        counts_simulated: True if the figures include simulated units.
        history_trouble: Why history is not being written; None while it is, or if none is kept.
        events: Declared curtailments with their figures.
        zone: Time zone of the site.
        seen_from: Unix time since which every unit has been watched, s; None before that.
        standby: The agent's part as a standby, in words; None if it is none.
        discovery: What was found at addresses that are not polled.
        unread: Fields of units' replies that nobody reads.
    """

    site: str
    version: str
    now: float
    figures: SiteFigures | None
    statuses: tuple[UnitStatus, ...]
    unreadiness: str | None
    illness: str | None
    lateness: str | None = None
    counts_simulated: bool = True
    history_trouble: str | None = None
    events: tuple[EventFigures, ...] = ()
    zone: ZoneInfo = UTC_ZONE
    seen_from: float | None = None
    standby: str | None = None
    discovery: DiscoveryFigures = NOTHING_FOUND
    unread: UnreadFigures = NOTHING_UNREAD

    @property
    def counted(self) -> Iterable[UnitStatus]:
        """The units that the figures include."""
        return (status for status in self.statuses if self.counts_simulated or not status.entry.is_simulated)


def render(shown: Shown) -> str:
    """Return the page as HTML."""
    body = [*_header(shown), *_banners(shown)]
    if shown.figures is None:
        body.append(_waiting(shown))
    else:
        is_sure = shown.unreadiness is None and (shown.figures.site.coverage_ratio or 0) >= SURE_COVERAGE_RATIO
        body += [
            _headline(shown.figures, is_sure=is_sure),
            _losses(shown),
            curtailment_card(shown.events),
            _containers(shown.figures, is_late=shown.unreadiness is not None),
            _worst(shown),
            mismatch_card(shown.statuses),
            discovery_card(shown.discovery, shown.zone),
            unread_card(shown.unread),
        ]
    title = escape(shown.site)
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f"<title>{title} - hashsight</title>",
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="refresh" content="{REFRESH_S}">',
            '<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">',
            '<link rel="stylesheet" href="/assets/page.css">',
            "</head>",
            '<body><div class="page">',
            *body,
            _footer(shown),
            "</div></body>",
            "</html>",
            "",
        )
    )


def _header(shown: Shown) -> Iterable[str]:
    at = datetime.fromtimestamp(shown.figures.at if shown.figures else shown.now, UTC)
    word = "figures as of" if shown.figures else "page as of"
    return (
        "<header>",
        '<img src="/assets/icon.svg" width="34" height="34" alt="">',
        f"<h1>{escape(shown.site)}</h1>",
        f'<p>{word} <time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{at:%Y-%m-%d %H:%M:%S} UTC</time></p>',
        "</header>",
    )


def _banners(shown: Shown) -> Iterable[str]:
    if shown.illness is not None:
        yield _alarm("The agent is unhealthy", shown.illness)
    if shown.standby is not None:
        yield f'<p class="banner"><strong>Standby:</strong> {escape(shown.standby)}.</p>'
    if shown.unreadiness is not None and shown.unreadiness not in (shown.standby or ""):
        yield _alarm("These figures are out of date" if shown.figures else "Not ready", shown.unreadiness)
    if shown.figures is not None and shown.lateness is not None and shown.lateness not in (shown.unreadiness or ""):
        yield f'<p class="banner"><strong>This agent is late:</strong> {escape(shown.lateness)}.</p>'
    if shown.history_trouble is not None:
        yield _alarm("History is not being written", shown.history_trouble)
    simulated = sum(status.entry.is_simulated for status in shown.statuses)
    if simulated:
        are = "is" if simulated == 1 else "are"
        fate = (
            "counted below like real machines. These are not the figures of a real site."
            if shown.counts_simulated
            else "excluded from all figures below."
        )
        yield (
            f'<p class="banner"><strong>Simulated:</strong> {simulated:,} of {units_text(len(shown.statuses))}'
            f" {are} simulated and {fate} Simulated by the ledger, or by a loopback address or serial number unless"
            " <code>ledger.detect_simulated</code> is false.</p>"
        )


def _alarm(word: str, reason: str) -> str:
    return f'<p class="banner alarm" role="alert"><strong>{word}:</strong> {escape(reason)}.</p>'


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
    parts = [
        ("operating", "operating", site.operating_hs),
        *((c, CAUSE_WORDS[c], hs) for c, hs in largest_losses(site)),
    ]
    drawn, at = [], 0.0
    for name, words, part_hs in parts:
        width = 1000 * part_hs / whole_hs
        title = f"{hashrate_text(part_hs)} {words}"
        drawn.append(
            f'<rect class="{name}" x="{at:.2f}" y="0" width="{width:.2f}" height="20"><title>{title}</title></rect>'
        )
        at += width
    mark = 1000 * TARGET_RATIO * site.deployed_hs / whole_hs
    described = "; ".join(f"{hashrate_text(part_hs)} {words}" for _, words, part_hs in parts)
    return (
        f'<svg class="shares" viewBox="0 0 1000 20" preserveAspectRatio="none" role="img" aria-label="{described}">'
        f'<rect class="track" x="0" y="0" width="1000" height="20"/>{"".join(drawn)}'
        f'<line class="mark" x1="{mark:.2f}" x2="{mark:.2f}" y1="0" y2="20"/></svg>'
        '<p class="scale">operating, then losses, largest first; the mark is 90 % of deployed</p>'
    )


def _losses(shown: Shown) -> str:
    figures = shown.figures
    if figures is None or not figures.site.units:
        return ""
    lines = loss_lines(figures.site, shown.counted, now=shown.now, zone=shown.zone, seen_from=shown.seen_from)
    if lines:
        listed = f'<ul class="losses">{"".join(map(_loss_item, lines))}</ul>'
        listed += f'<p class="scale">times in {escape(shown.zone.key)}</p>'
    else:
        listed = '<p class="soft">No losses.</p>'
    return f'<section class="card"><h2>Losses by cause</h2>{listed}</section>'


def _loss_item(line: LossLine) -> str:
    return (
        f'<li><svg viewBox="0 0 1 1" aria-hidden="true"><rect class="{line.cause}" width="1" height="1"/></svg>'
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
    return _table("Containers", heads, rows, numbers=range(1, 6))


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
        reason = why_text(status, shown.now)
        why = f"{status.state}: {reason}" if status.state != reason else causes
        also = "".join(f"; {finding.why}" for finding in status.also[:ALSO_SHOWN])
        first = f"<small>Check first: {escape(status.check_first)}.</small>" if status.check_first else ""
        rows.append(
            f'<tr><th scope="row"><a href="/api/v1/units/{quote(entry.unit_id, safe="")}">{escape(entry.unit_id)}</a>'
            f'</th><td class="words">{escape(why + also)}{first}</td>'
            f'<td class="number">{hashrate_text(status.shortfall_hs)}</td>'
            f'<td class="number">{duration_text(max(0.0, shown.now - status.since))}</td>'
            f"<td>{where}</td><td>{escape(entry.nameplate.model)}</td>"
            f'<td class="number">{hashrate_text(status.hashrate_hs)}</td>'
            f'<td class="number">{hashrate_text(entry.nameplate.hashrate_hs)}</td></tr>'
        )
    if not rows:
        return ""
    heads = ("Unit", "Reason", "Lost", "Duration", "Place", "Model", "Measured", "Nameplate")
    return _table("Units with the largest losses", heads, rows, numbers=(2, 3, 6, 7))


def _table(title: str, heads: Iterable[str], rows: Iterable[str], *, numbers: Iterable[int]) -> str:
    aligned = set(numbers)
    columns = "".join(
        f'<th scope="col"{" class=number" if index in aligned else ""}>{head}</th>' for index, head in enumerate(heads)
    )
    return (
        f'<section class="card"><h2>{title}</h2><div class="scroll" tabindex="0" role="region" aria-label="{title}">'
        f"<table><thead><tr>{columns}</tr></thead><tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def _footer(shown: Shown) -> str:
    links = (
        ("/metrics", "metrics"),
        ("/metrics/site", "site metrics"),
        ("/api/v1/site", "site as JSON"),
        ("/api/v1/units?sort=-shortfall", "units as JSON"),
        ("/api/v1/history", "history as JSON"),
        ("/api/v1/discovery", "discovery as JSON"),
        ("/api/v1/unread", "unread fields as JSON"),
        ("/api/v1/schema", "JSON Schema"),
        ("/readyz", "readiness"),
        ("/healthz", "health"),
    )
    listed = "".join(f'<li><a href="{escape(address)}">{words}</a></li>' for address, words in links)
    return (
        f'<footer><nav aria-label="Data"><ul>{listed}</ul></nav><p>hashsight {escape(shown.version)}; refreshes'
        f" every {REFRESH_S} s. Figures are instantaneous and reported by the units unless stated otherwise.</p>"
        "</footer>"
    )


def _grade(ratio: float | None, *, is_sure: bool) -> str:
    if ratio is None:
        return "unsure"
    if ratio > TARGET_RATIO:
        return "good" if is_sure else "unsure"
    return "fair" if ratio > FAIR_RATIO else "poor"
