"""The site's figures in one card: efficiency now, coverage, what is accounted for, shares of losses, power."""

from html import escape

from agent.exporters.web.pages.patterns import patterned
from agent.site.accounted import accounted_ratio
from agent.site.status import Cause, UnitState
from agent.site.totals import Figures, SiteFigures
from agent.text.credited import credited_tiles
from agent.text.losses import CAUSE_WORDS, largest_losses, units_text
from agent.text.numbers import TARGET_RATIO, hashrate_text, ratio_text
from agent.text.power import power_tiles

FAIR_RATIO = 0.80


def grade(ratio: float | None, *, is_sure: bool) -> str:
    """Return the class by which a ratio is coloured; what is not sure is never good."""
    if ratio is None:
        return "unsure"
    if ratio > TARGET_RATIO:
        return "good" if is_sure else "unsure"
    return "fair" if ratio > FAIR_RATIO else "poor"


def headline(figures: SiteFigures, *, is_sure: bool, is_restoring: bool) -> str:
    """Return the card.

    Args:
        figures: The site's figures.
        is_sure: True if they are in time and cover enough to be called good.
        is_restoring: True while a curtailment is in force or just ended.
    """
    site = figures.site
    ratio = site.operational_efficiency_ratio
    if not site.deployed_hs:
        return '<section class="card" aria-label="Site"><p class="amount">Nothing is deployed.</p></section>'
    if ratio is None:
        verdict = "units answer, and none can be read"
    else:
        verdict = "above the 90 % line" if ratio > TARGET_RATIO else "not above the 90 % line"
        if not is_sure:
            verdict += ", as far as is known"
    graded = grade(ratio, is_sure=is_sure)
    amount = f"{hashrate_text(site.operating_hs)} of {hashrate_text(site.deployed_hs)}"
    return "".join(
        (
            '<section class="card" aria-label="Site"><div class="headline">',
            f'<div><p class="label">Operational efficiency now</p><p class="ratio {graded}">',
            f"{'not known' if ratio is None else ratio_text(ratio)}</p>",
            f'<p class="verdict {graded}">{verdict}</p></div>',
            _accounted(site, is_restoring=is_restoring),
            '<div><p class="label">Operating of deployed</p>',
            f'<p class="amount">{amount}</p></div>',
            f'<div><p class="label">Coverage</p><p class="amount">{ratio_text(site.coverage_ratio)}</p>',
            '<p class="soft">of the deployed nameplate is known</p></div></div>',
            _shares(site),
            _tiles(figures),
            "</section>",
        )
    )


def _accounted(site: Figures, *, is_restoring: bool) -> str:
    """Return what alerts go by, while something is curtailed; it differs from the headline by just that."""
    curtailed_hs = site.losses_hs[Cause.CURTAILED]
    ratio = accounted_ratio(site, is_restoring=is_restoring)
    if not curtailed_hs or ratio is None:
        return ""
    return (
        f'<div><p class="label">Accounted for</p><p class="amount">{ratio_text(ratio)}</p>'
        f'<p class="soft">as alerts go by: with {hashrate_text(curtailed_hs)} curtailed</p></div>'
    )


def _tiles(figures: SiteFigures) -> str:
    site = figures.site
    lost_hs = sum(site.losses_hs.values())
    hashing = site.units_by_state[UnitState.HASHING]
    tiles = [
        ("Hashing", f"{hashing:,}", f"of {units_text(site.units)} deployed"),
        ("Lost", hashrate_text(lost_hs), f"{ratio_text(lost_hs / site.deployed_hs)} of deployed"),
    ]
    if site.uplift_hs:
        tiles.append(("Uplift", hashrate_text(site.uplift_hs), "above nameplate"))
    if site.diverted_hs is not None and site.diverted_units:
        tiles.append(("Diverted", hashrate_text(site.diverted_hs), f"of operating, {units_text(site.diverted_units)}"))
    tiles += power_tiles(figures)
    tiles += credited_tiles(figures)
    listed = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{value}<small>{escape(note)}</small></dd></div>"
        for name, value, note in tiles
    )
    return f'<dl class="tiles">{listed}</dl>'


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
