"""The units with the largest losses, without those that a dark container or a curtailment explains."""

import heapq
from collections.abc import Iterable, Sequence
from html import escape

from agent.exporters.web.pages.frame import Frame
from agent.exporters.web.pages.losses_card import units_link
from agent.exporters.web.pages.tables import table
from agent.exporters.web.pages.unit_rows import COLUMNS, since_note, unit_row
from agent.site.curtailment.events import Phase
from agent.site.event_figures import EventFigures
from agent.site.status import UnitStatus
from agent.text.darkness import DarkContainer, is_explained
from agent.text.losses import units_text
from agent.text.numbers import hashrate_text

WORST_UNITS = 10


def worst_card(
    statuses: Iterable[UnitStatus],
    frame: Frame,
    *,
    dark: Sequence[DarkContainer],
    events: Iterable[EventFigures],
    seen_from: float | None,
    leaves_out_simulated: bool,
) -> str:
    """Return the card; an empty text if nothing is lost.

    Args:
        statuses: Statuses of the units in the figures.
        frame: The page's frame.
        dark: The dark containers.
        events: Declared curtailments with their figures.
        seen_from: Unix time since which every unit has been watched, s; None before that.
        leaves_out_simulated: As in `units_link`.
    """
    names = frozenset(container.name for container in dark)
    lacking = (
        status for status in statuses if status.losses and status.is_looked_at and not is_explained(status, names)
    )
    worst = heapq.nsmallest(WORST_UNITS, lacking, key=lambda status: (-status.shortfall_hs, status.entry.unit_id))
    lines = [
        f"<li>Container <strong>{escape(container.name)}</strong> is dark: {escape(container.text)}."
        f' <a href="{units_link(frame, leaves_out_simulated=leaves_out_simulated, container=container.name)}">'
        f"Its {units_text(container.units)}</a></li>"
        for container in dark
    ]
    lines += [
        _curtailed(figures, frame, leaves_out_simulated=leaves_out_simulated) for figures in events if _counts(figures)
    ]
    if not worst and not lines:
        return ""
    explained = f'<ul class="events">{"".join(lines)}</ul>' if lines else ""
    title = "Units with the largest losses"
    if not worst:
        explained += '<p class="soft">No other unit loses anything.</p>'
        return f'<section class="card"><h2>{title}</h2>{explained}</section>'
    rows = [unit_row(status, frame, seen_from, has_advice=True) for status in worst]
    numbers = [index for index, column in enumerate(COLUMNS) if column.is_number]
    more = units_link(frame, leaves_out_simulated=leaves_out_simulated, sort="-shortfall")
    scale = since_note(worst, frame, seen_from)
    note = f'<p class="scale"><a href="{more}">All units by loss</a>; {scale}</p>'
    wide = [index for index, column in enumerate(COLUMNS) if column.is_wide]
    heads = [column.head for column in COLUMNS]
    return table(title, heads, rows, numbers=numbers, wide=wide, before=explained, note=note, name="units")


def _counts(figures: EventFigures) -> bool:
    return figures.phase is Phase.ACTIVE or (figures.phase is Phase.RESTORING and figures.asleep > 0)


def _curtailed(figures: EventFigures, frame: Frame, *, leaves_out_simulated: bool) -> str:
    event = figures.event
    if figures.phase is not Phase.ACTIVE:
        link = units_link(frame, leaves_out_simulated=leaves_out_simulated, state="curtailed")
        ended = f"ended {frame.moment(event.end or event.start)}"
        return (
            f"<li>Curtailment of {escape(str(event.scope))}, {ended}: {units_text(figures.asleep)} still asleep."
            f' <a href="{link}">Curtailed units</a></li>'
        )
    link = units_link(frame, leaves_out_simulated=leaves_out_simulated, curtailment=event.id)
    held_hs = figures.nameplate_hs - figures.operating_hs
    return (
        f"<li>Curtailment of {escape(str(event.scope))} since {frame.moment(event.start)}:"
        f" {figures.asleep:,} of {units_text(figures.units)} asleep, {hashrate_text(max(0.0, held_hs))} less."
        f' <a href="{link}">Its units</a></li>'
    )
