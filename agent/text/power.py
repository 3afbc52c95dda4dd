"""Power, energy efficiency and delivered hashrate in words, for pages and terminals; every watt with its source."""

from agent.site.totals import Figures, SiteFigures
from agent.text.numbers import hashrate_text, ratio_text, watts_text


def power_text(figures: Figures) -> str | None:
    """Give ``35.20 MW``; None while nobody tells and nothing can be modelled."""
    watts = figures.watts_by_source.values()
    return watts_text(sum(watts)) if figures.watts_units or figures.metered_watts is not None or any(watts) else None


def sources_text(figures: Figures) -> str:
    """Give by whose word the watts are: ``all modelled``, or ``60 % metered, 40 % modelled``."""
    told = [(source, watts) for source, watts in figures.watts_by_source.items() if watts]
    if len(told) == 1:
        return f"all {told[0][0]}"
    whole_watts = sum(watts for _, watts in told)
    return ", ".join(f"{ratio_text(watts / whole_watts, 0)} {source}" for source, watts in told) or "metered"


def efficiency_text(figures: Figures) -> str | None:
    """Give ``17.53 J/TH``; None while no unit has both power and hashrate."""
    joules = figures.energy_efficiency_j_per_th
    return None if joules is None else f"{joules:.2f} J/TH"


def efficiency_share_text(figures: Figures) -> str:
    """Give ``over 97.0 % of deployed``, the share that J/TH speaks for."""
    share = figures.efficient_deployed_hs / figures.deployed_hs if figures.deployed_hs else None
    return f"over {ratio_text(share, 1)} of deployed"


def delivered_text(figures: SiteFigures) -> tuple[str, str] | None:
    """Give what pools credited over the longest window of which it is known, and which that is, of how much."""
    for delivered_hs, coverage, window in (
        (figures.delivered_24h_hs, figures.delivered_24h_coverage_ratio, "24 h"),
        (figures.delivered_1h_hs, figures.delivered_1h_coverage_ratio, "1 h"),
    ):
        if delivered_hs is not None:
            return hashrate_text(delivered_hs), f"over {window}, by {ratio_text(coverage, 1)} of deployed"
    return None


def power_line(figures: SiteFigures) -> str:
    """Give all of it as one line for a terminal; empty while nothing is known."""
    site, delivered, parts = figures.site, delivered_text(figures), []
    power, efficiency = power_text(site), efficiency_text(site)
    if power is not None:
        parts.append(f"{power} ({sources_text(site)})")
    if efficiency is not None:
        parts.append(f"{efficiency} {efficiency_share_text(site)}")
    if delivered is not None:
        parts.append(f"{delivered[0]} credited by pools {delivered[1]}")
    return f"power: {'; '.join(parts)}" if parts else ""


def power_tiles(figures: SiteFigures) -> list[tuple[str, str, str]]:
    """Give the same as tiles of a page: a title, a figure and a note each; none for what is not known."""
    site, delivered, tiles = figures.site, delivered_text(figures), []
    power, efficiency = power_text(site), efficiency_text(site)
    if power is not None:
        tiles.append(("Power", power, sources_text(site)))
    if efficiency is not None:
        tiles.append(("Energy efficiency", efficiency, efficiency_share_text(site)))
    if delivered is not None:
        tiles.append(("Credited by pools", *delivered))
    return tiles
