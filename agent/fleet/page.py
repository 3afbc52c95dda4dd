"""The fleet's page: totals with their coverage, then the sites side by side. Pure.

It must not mislead at a glance: a site that is silent is named before any figure, and the totals say what they lack.
"""

from collections.abc import Iterable, Sequence
from html import escape

from agent import __version__
from agent.exporters.web.pages.banners import Banner, BannerKind
from agent.exporters.web.pages.frame import Frame, Link
from agent.exporters.web.pages.layout import document
from agent.exporters.web.pages.patterns import patterned
from agent.fleet.figures import FleetFigures, SiteView, Standing, fleet_figures
from agent.fleet.setup import FleetSetup
from agent.fleet.site_card import grade_of, share_bar, site_card
from agent.fleet.words import (
    ORDERS,
    cause_words,
    coverage_words,
    known_cause,
    ordered,
    ratio_words,
    sites_text,
    verdict,
)
from agent.text.losses import units_text
from agent.text.numbers import hashrate_text, ratio_text
from agent.text.work import diverted_text

NAMES_SHOWN = 6
_NAVIGATION = (Link("", "Fleet"),)
_DATA = (
    Link("api/v1/fleet", "fleet as JSON"),
    Link("api/v1/schema", "JSON Schema"),
    Link("readyz", "readiness"),
    Link("healthz", "health"),
)
_ORDER_WORDS = {"worst": "worst first", "lost": "most lost first", "name": "by name"}


def page(
    setup: FleetSetup,
    views: Sequence[SiteView],
    *,
    order: str,
    now: float,
    exposure: str | None = None,
    refused_file: str | None = None,
) -> str:
    """Return the page as HTML.

    Args:
        setup: The fleet.
        views: Its sites as they are now.
        order: One of `ORDERS`.
        now: Unix time, s.
        exposure: What the server lacks where it listens beyond its machine; None if it lacks nothing.
        refused_file: Why the web configuration file as it stands is not in force; None if it is.
    """
    fleet = setup.config.fleet
    frame = Frame(
        site=fleet.name,
        version=__version__,
        now=now,
        figures_at=None,
        zone=fleet.zone,
        navigation=_NAVIGATION,
        data=_DATA,
    )
    totals = fleet_figures(views)
    cards = "".join(site_card(view, setup.sites[view.name], frame) for view in ordered(views, order))
    sites = f'<h2 id="sites">Sites</h2>{_orders(order)}<ul class="sites">{cards}</ul>'
    body = [_headline(totals), _losses(totals), f'<section aria-labelledby="sites">{sites}</section>']
    return document(frame, body=body, banners=[*_banners(views, frame), *_door_banners(exposure, refused_file)])


def _banners(views: Sequence[SiteView], frame: Frame) -> Iterable[Banner]:
    by_standing: dict[Standing, list[SiteView]] = {standing: [] for standing in Standing}
    for view in views:
        by_standing[view.standing].append(view)
    missing, late, waiting = (by_standing[each] for each in (Standing.MISSING, Standing.LATE, Standing.WAITING))
    if missing:
        names = _names(view.name for view in missing)
        what = "What it deploys" if len(missing) == 1 else "What they deploy"
        text = f"{names}. {what} is not known, so every total is too small"
        title = f"{sites_text(len(missing))} without a usable answer so far"
        yield Banner(BannerKind.FIGURES_OUT_OF_DATE, title, text)
    if late:
        names = _names(f"{view.name} since {frame.moment(view.answered_at or frame.now)}" for view in late)
        kept = (
            "It stays in deployed as it said last; what it operates is not known"
            if len(late) == 1
            else "They stay in deployed as they said last; what they operate is not known"
        )
        text = f"{names}. {kept}"
        yield Banner(BannerKind.FIGURES_OUT_OF_DATE, f"{sites_text(len(late))} without an answer", text)
    if waiting:
        names = _names(view.name for view in waiting)
        answers = "Its agent answers" if len(waiting) == 1 else "Their agents answer"
        yield Banner(BannerKind.AGENT_LATE, f"{sites_text(len(waiting))} without figures", f"{names}. {answers}")
    diverted = [(view.name, view.figures) for view in views if view.figures and view.figures.diverted_units]
    if diverted:
        words = [
            f"{name}: {diverted_text(figures.diverted_units or 0, figures.diverted_hs or 0.0)}"
            for name, figures in diverted
        ]
        yield Banner(BannerKind.WORK_DIVERTED, f"{sites_text(len(diverted))} with diverted work", _names(words))
    simulated = [view for view in views if view.report and view.report.simulated_units]
    if simulated:
        names = _names(view.name for view in simulated)
        text = f"{names}. A site's own page says how many, and whether its figures include them"
        yield Banner(BannerKind.SIMULATED, f"{sites_text(len(simulated))} with simulated units", text)


def _door_banners(exposure: str | None, refused_file: str | None) -> Iterable[Banner]:
    if exposure is not None:
        yield Banner(BannerKind.DOOR_OPEN, "This server is open", exposure)
    if refused_file is not None:
        yield Banner(BannerKind.WEB_FILE_REFUSED, "The web configuration file is wrong", refused_file)


def _names(names: Iterable[str]) -> str:
    shown = list(names)
    more = len(shown) - NAMES_SHOWN
    return ", ".join(shown[:NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _headline(totals: FleetFigures) -> str:
    count = sum(totals.sites.values())
    grade = grade_of(totals.ratio, is_sure=totals.is_sure)
    size = " long" if totals.ratio is None else ""
    lost_hs = sum(totals.losses_hs.values())
    hedge = "" if totals.ratio is not None else ", as far as is known"
    tiles = [
        ("Coverage", coverage_words(totals), "of the deployed nameplate is known"),
        ("Current", f"{totals.sites[Standing.CURRENT]:,}", f"of {sites_text(count)}"),
        ("Units", f"{totals.units:,}", "deployed, as far as sites said"),
        ("Lost", hashrate_text(lost_hs), "at the sites with current figures"),
    ]
    if totals.unknown_hs:
        tiles.append(("Unknown", hashrate_text(totals.unknown_hs), "deployed where nothing is known now"))
    if totals.diverted_hs is not None:
        tell = "tells" if totals.judging == 1 else "tell"
        judged = f"of operating, {units_text(totals.diverted_units or 0)}; {sites_text(totals.judging)} {tell}"
        tiles.append(("Diverted", hashrate_text(totals.diverted_hs), judged))
    if totals.uplift_hs:
        tiles.append(("Uplift", hashrate_text(totals.uplift_hs), "above nameplate"))
    amount = f"{hashrate_text(totals.operating_hs)} of {hashrate_text(totals.deployed_hs)}"
    return "".join(
        (
            '<section class="card" aria-label="Fleet"><div class="headline">',
            '<div><p class="label">Operational efficiency now</p>',
            f'<p class="ratio{size} {grade}">{ratio_words(totals)}</p>',
            f'<p class="verdict {grade}">{verdict(totals)}</p></div>',
            f'<div><p class="label">Operating of deployed{hedge}</p><p class="amount">{amount}</p></div></div>',
            share_bar(totals.operating_hs, totals.losses, totals.unknown_hs, totals.deployed_hs),
            '<p class="scale">operating, then losses, largest first, then what is unknown; the mark is 90 % of',
            " deployed</p>",
            '<dl class="tiles">',
            *(f"<div><dt>{name}</dt><dd>{value}<small>{note}</small></dd></div>" for name, value, note in tiles),
            "</dl></section>",
        )
    )


def _losses(totals: FleetFigures) -> str:
    items = []
    for cause, hashrate_hs in totals.losses:
        known = known_cause(cause)
        swatch = patterned(known.value if known else "other", known, 'width="20" height="20"')
        items.append(
            f'<li><svg viewBox="0 0 20 20" aria-hidden="true">{swatch}</svg>'
            f"<strong>{hashrate_text(hashrate_hs)}</strong><span>{escape(cause_words(cause))}"
            f'<span class="soft">: {ratio_text(hashrate_hs / totals.deployed_hs)} of deployed</span></span></li>'
        )
    listed = f'<ul class="losses">{"".join(items)}</ul>' if items else '<p class="soft">No losses.</p>'
    return f'<section class="card"><h2>Losses by cause</h2>{listed}</section>'


def _orders(order: str) -> str:
    links = "".join(
        f'<li><a href="?sort={name}"{" aria-current=true" if name == order else ""}>{_ORDER_WORDS[name]}</a></li>'
        for name in ORDERS
    )
    return f'<nav class="orders" aria-label="Order of the sites"><ul>{links}</ul></nav>'
