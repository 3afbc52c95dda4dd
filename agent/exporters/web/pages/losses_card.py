"""The losses by cause, each a link to exactly the units behind it, the containers, and the owners."""

from collections.abc import Sequence
from html import escape
from urllib.parse import urlencode

from agent.exporters.web.pages.frame import Frame
from agent.exporters.web.pages.headline import grade
from agent.exporters.web.pages.patterns import patterned
from agent.exporters.web.pages.tables import table
from agent.site.status import UnitState
from agent.site.totals import SiteFigures
from agent.text.losses import CAUSE_WORDS, LossLine, largest_losses
from agent.text.numbers import SURE_COVERAGE_RATIO, hashrate_text, ratio_text


def units_filter(*, leaves_out_simulated: bool, **filters: str) -> str:
    """Return the address of the units that pass these filters, relative to the site's pages, as plain text.

    Args:
        leaves_out_simulated: True if the figures leave out simulated units; then the list does as well.
        filters: Parameters of ``/units``.
    """
    return f"units?{urlencode(filters | ({'simulated': 'no'} if leaves_out_simulated else {}))}"


def units_link(frame: Frame, *, leaves_out_simulated: bool, **filters: str) -> str:
    """Return the same as the text of an attribute, relative to the page of a frame."""
    return escape(frame.root + units_filter(leaves_out_simulated=leaves_out_simulated, **filters))


def losses_card(lines: Sequence[LossLine], frame: Frame, *, leaves_out_simulated: bool) -> str:
    """Return the card of the losses.

    Args:
        lines: The losses, largest first.
        frame: The page's frame.
        leaves_out_simulated: As in `units_link`.
    """
    if lines:
        items = "".join(
            _loss(line, units_link(frame, leaves_out_simulated=leaves_out_simulated, cause=line.cause))
            for line in lines
        )
        listed = f'<ul class="losses">{items}</ul><p class="scale">times in {escape(frame.zone.key)}</p>'
    else:
        listed = '<p class="soft">No losses.</p>'
    return f'<section class="card"><h2>Losses by cause</h2>{listed}</section>'


def _loss(line: LossLine, address: str) -> str:
    swatch = patterned(line.cause, line.cause, 'width="16" height="16"')
    return (
        f'<li><svg viewBox="0 0 16 16" aria-hidden="true">{swatch}</svg>'
        f'<strong>{hashrate_text(line.hashrate_hs)}</strong><span><a href="{address}">{escape(line.words)}</a>'
        f'<span class="soft">: {escape(line.where)}</span></span></li>'
    )


def containers_card(figures: SiteFigures, frame: Frame, *, is_late: bool, leaves_out_simulated: bool) -> str:
    """Return the card of the containers.

    Args:
        figures: The site's figures.
        frame: The page's frame.
        is_late: True if the figures are incomplete or out of date.
        leaves_out_simulated: As in `units_link`.
    """
    rows = []
    for name, sums in figures.by_container.items():
        ratio, coverage = sums.operational_efficiency_ratio, sums.coverage_ratio
        is_sure = not is_late and (coverage or 0) >= SURE_COVERAGE_RATIO
        largest = next(iter(largest_losses(sums)), None)
        loss = f"{hashrate_text(largest[1])} {CAUSE_WORDS[largest[0]]}" if largest else "none"
        named = "no container"
        if name:
            address = units_link(frame, leaves_out_simulated=leaves_out_simulated, container=name)
            named = f'<a href="{address}">{escape(name)}</a>'
        hashing = sums.units_by_state[UnitState.HASHING]
        rows.append(
            f'<tr data-key="{escape(name)}"><th scope="row">{named}</th>'
            f'<td class="number {grade(ratio, is_sure=is_sure)}" data-sort="{_sort(ratio)}">{ratio_text(ratio)}</td>'
            f'<td class="number" data-sort="{_sort(sums.operating_hs)}">{hashrate_text(sums.operating_hs)}</td>'
            f'<td class="number" data-sort="{_sort(sums.deployed_hs)}">{hashrate_text(sums.deployed_hs)}</td>'
            f'<td class="number" data-sort="{hashing}">{hashing:,} of {sums.units:,}</td>'
            f'<td class="number" data-sort="{_sort(coverage)}">{ratio_text(coverage)}</td>'
            f'<td data-sort="{_sort(largest[1] if largest else 0.0)}">{loss}</td></tr>'
        )
    heads = ("Container", "Efficiency", "Operating", "Deployed", "Units hashing", "Coverage", "Largest loss")
    return table("Containers", heads, rows, numbers=range(1, 6))


def owners_card(figures: SiteFigures, frame: Frame, *, is_late: bool, leaves_out_simulated: bool) -> str:
    """Return the card of the owners; empty where the ledger names none.

    Args:
        figures: The site's figures.
        frame: The page's frame.
        is_late: True if the figures are incomplete or out of date.
        leaves_out_simulated: As in `units_link`.
    """
    if not figures.by_owner:
        return ""
    rows = []
    for name, sums in figures.by_owner.items():
        ratio, lost_hs = sums.operational_efficiency_ratio, sum(sums.losses_hs.values())
        is_sure = not is_late and (sums.coverage_ratio or 0) >= SURE_COVERAGE_RATIO
        address = units_link(frame, leaves_out_simulated=leaves_out_simulated, owner=name)
        hashing = sums.units_by_state[UnitState.HASHING]
        rows.append(
            f'<tr data-key="{escape(name)}"><th scope="row"><a href="{address}">{escape(name)}</a></th>'
            f'<td class="number {grade(ratio, is_sure=is_sure)}" data-sort="{_sort(ratio)}">{ratio_text(ratio)}</td>'
            f'<td class="number" data-sort="{_sort(sums.operating_hs)}">{hashrate_text(sums.operating_hs)}</td>'
            f'<td class="number" data-sort="{_sort(sums.deployed_hs)}">{hashrate_text(sums.deployed_hs)}</td>'
            f'<td class="number" data-sort="{_sort(lost_hs)}">{hashrate_text(lost_hs)}</td>'
            f'<td class="number" data-sort="{hashing}">{hashing:,} of {sums.units:,}</td></tr>'
        )
    heads = ("Owner", "Efficiency", "Operating", "Deployed", "Lost", "Units hashing")
    return table("Owners", heads, rows, numbers=range(1, 6))


def _sort(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
