"""Power, energy efficiency and delivered hashrate in words, for pages and terminals; every watt with its source."""

from agent.scale import hashrate_text, ratio_text, watts_text
from agent.site.totals import Figures, SiteFigures


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
    """Give ``17.53 J/TH over 97.0 % of deployed``; None while no unit has both power and hashrate."""
    joules = figures.energy_efficiency_j_per_th
    if joules is None or not figures.deployed_hs:
        return None
    return f"{joules:.2f} J/TH over {ratio_text(figures.efficient_deployed_hs / figures.deployed_hs, 1)} of deployed"


def delivered_text(figures: SiteFigures) -> str | None:
    """Give what pools credited over the longest window of which it is known, and of how much of the fleet."""
    for delivered_hs, coverage, window in (
        (figures.delivered_24h_hs, figures.delivered_24h_coverage_ratio, "24 h"),
        (figures.delivered_1h_hs, figures.delivered_1h_coverage_ratio, "1 h"),
    ):
        if delivered_hs is not None:
            share = ratio_text(coverage, 1)
            return f"{hashrate_text(delivered_hs)} credited by pools over {window}, by {share} of deployed"
    return None


def power_line(figures: SiteFigures) -> str:
    """Give all of it as one line; empty while nothing is known."""
    power, parts = power_text(figures.site), []
    if power is not None:
        parts.append(f"{power} ({sources_text(figures.site)})")
    parts += [text for text in (efficiency_text(figures.site), delivered_text(figures)) if text is not None]
    return f"power: {'; '.join(parts)}" if parts else ""
