"""Where the work of a site and of a unit goes: banner, card of the site's page, card of a unit's page."""

from collections.abc import Iterable
from html import escape

from agent.exporters.web.pages.banners import Banner, BannerKind
from agent.exporters.web.pages.frame import Frame
from agent.exporters.web.pages.losses_card import units_filter, units_link
from agent.exporters.web.pages.tables import table
from agent.exporters.web.work_answers import DestinationAnswer, pools_answer
from agent.site.pools.work import PoolClass, UnitWork
from agent.site.status import UnitStatus
from agent.site.totals import Figures
from agent.text.numbers import ABSENT, hashrate_text
from agent.text.work import CLASS_WORDS, destination_text, diverted_text

DESTINATIONS_SHOWN = 8


def diverted_banner(site: Figures, statuses: Iterable[UnitStatus], *, leaves_out_simulated: bool) -> tuple[Banner, ...]:
    """Return the banner of work that is diverted, with a link to its units; none without any.

    Args:
        site: The site's figures.
        statuses: Statuses of the units in the figures.
        leaves_out_simulated: As in `units_link`.
    """
    if not site.diverted_units:
        return ()
    diverted = [status.work for status in statuses if status.work is not None and status.work.is_diverted]
    addresses = len({(work.destination, work.account) for work in diverted})
    # They may be back since the figures were summed.
    text = diverted_text(site.diverted_units, site.diverted_hs or 0.0, addresses or None)
    link = (units_filter(leaves_out_simulated=leaves_out_simulated, pool=PoolClass.DIVERTED), "Its units")
    return (Banner(BannerKind.WORK_DIVERTED, "Work is diverted", text, link),)


def work_card(statuses: Iterable[UnitStatus], frame: Frame, *, is_whole: bool, leaves_out_simulated: bool) -> str:
    """Return the card of the site's destinations, diverted ones first; an empty text where none is judged.

    Args:
        statuses: Statuses of the units in the figures.
        frame: The page's frame.
        is_whole: True for a reader who may see destinations and accounts in full.
        leaves_out_simulated: As in `units_link`.
    """
    answer = pools_answer(frame.site, statuses, frame.now, is_whole=is_whole)
    if not answer.is_judged:
        return ""
    shown = answer.destinations[:DESTINATIONS_SHOWN]
    links = {
        pool_class: units_link(frame, leaves_out_simulated=leaves_out_simulated, pool=pool_class)
        for pool_class in PoolClass
    }
    # A link leads to exactly the units of its row, and addresses stand in no link.
    alone = {each.pool_class for each in shown if each.units == answer.units_by_class[each.pool_class]}
    rows = [_row(each, links[each.pool_class] if each.pool_class in alone else None) for each in shown]
    more = len(answer.destinations) + answer.left_out - len(shown)
    note = "" if not more else f"{more:,} more destinations are in the JSON. "
    note += "" if is_whole else "Addresses and accounts are shortened: operators see them whole. "
    link = f'<a href="{frame.root}api/v1/pools">Destinations as JSON</a>'
    heads = ("It goes to", "Units", "Measured")
    return table(
        "Where the work goes", heads, rows, numbers={1, 2}, note=f'<p class="scale">{note}{link}</p>', name="work"
    )


def _row(each: DestinationAnswer, link: str | None) -> str:
    place = each.destination or each.host or ""
    account = f"account {each.account}" if each.account else ""
    where = escape(", ".join(filter(None, (place, account))))
    words = CLASS_WORDS[each.pool_class] if each.entry is None else each.entry
    units = f"{each.units:,}" if link is None else f'<a href="{link}">{each.units:,}</a>'
    grade = ' class="poor"' if each.pool_class is PoolClass.DIVERTED else ""
    key = escape("|".join((each.pool_class, each.entry or "", place, each.account or "")))
    return (
        f'<tr data-key="{key}"><th scope="row"{grade}>{escape(words)}<small>{where}</small></th>'
        f'<td class="number" data-sort="{each.units}">{units}</td>'
        f'<td class="number" data-sort="{each.hashrate_hs:.6g}">{hashrate_text(each.hashrate_hs)}</td></tr>'
    )


def diverted_line(work: UnitWork | None, frame: Frame, *, is_whole: bool) -> str:
    """Return the line of a unit's page that says that its work is diverted; an empty text if it is not."""
    if work is None or not work.is_diverted:
        return ""
    where = destination_text(work, is_whole=is_whole)
    named = f": {escape(where)}" if where else ""
    return (
        f'<p class="diverted"><strong>Its work goes to {CLASS_WORDS[PoolClass.DIVERTED]}{named}</strong>'
        f" since {frame.moment(work.since)}. <strong>Check first:</strong> the pools on its own page, who changed them,"
        " and the units beside it.</p>"
    )


def unit_work(work: UnitWork | None, frame: Frame, *, is_whole: bool) -> str:
    """Return the facts of a unit's work for the card of its pools; an empty text where it is not judged."""
    if work is None:
        return ""
    known = "never" if work.known_at is None else frame.moment(work.known_at)
    facts = [
        ("Its work goes to", CLASS_WORDS[work.pool_class]),
        ("Named", work.entry or ABSENT),
        ("Destination", destination_text(work, is_whole=is_whole) or ABSENT),
        ("Since", frame.moment(work.since)),
        ("Told by the unit", known),
    ]
    listed = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    hidden = "" if is_whole else '<p class="scale">Address and account are shortened: operators see them whole.</p>'
    return f'<dl class="facts">{listed}</dl>{hidden}'
