"""Card of the status page for declared curtailments: scope, units asleep, stragglers, units not restored."""

from collections.abc import Iterable
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from agent.site.curtailment.events import Phase
from agent.site.event_figures import EventFigures
from agent.text.numbers import hashrate_text

UNITS_NAMED = 12


def curtailment_card(figures: Iterable[EventFigures], zone: ZoneInfo) -> str:
    """Return the card, or an empty text if no event is in force and every unit is restored.

    Args:
        figures: Declared curtailments with their figures.
        zone: Time zone of the site.
    """
    items = [_item(each, zone) for each in figures if each.phase in {Phase.ACTIVE, Phase.RESTORING} or each.unrestored]
    if not items:
        return ""
    return (
        f'<section class="card"><h2>Curtailment</h2><ul class="events">{"".join(items)}</ul>'
        f'<p class="scale">times in {escape(zone.key)}</p></section>'
    )


def _item(figures: EventFigures, zone: ZoneInfo) -> str:
    event = figures.event
    lines = []
    if figures.phase is Phase.ACTIVE:
        until = "until stopped" if event.end is None else f"until {_moment(event.end, zone)}"
        when = f"since {_moment(event.start, zone)}, {until}"
        lines.append(
            f"{figures.asleep:,} of {figures.units:,} units asleep;"
            f" {hashrate_text(figures.operating_hs)} of {hashrate_text(figures.nameplate_hs)} still hashing"
        )
    else:
        when = f"ended {_moment(event.end or event.start, zone)}"
        if figures.asleep:
            lines.append(f"{figures.asleep:,} units still asleep")
    for words, units in (("Stragglers", figures.stragglers), ("Not restored", figures.unrestored)):
        if units:
            lines.append(f"<strong>{words}, {len(units):,}:</strong> {_names(units)}")
    target = f"to {event.target_ratio * 100:g} % of nameplate"
    head = f"<strong>{escape(_capital(str(event.scope)))} {target}</strong>, {when}; declared by {escape(event.source)}"
    return f"<li>{head}{''.join(f'<br>{line}' for line in lines)}</li>"


def _names(units: tuple[str, ...]) -> str:
    named = ", ".join(escape(unit) for unit in units[:UNITS_NAMED])
    more = len(units) - UNITS_NAMED
    return f"{named} and {more:,} more" if more > 0 else named


def _moment(at: float, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
