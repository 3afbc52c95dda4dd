"""Power, energy efficiency and delivered hashrate in words, for the page and terminals. Power names its sources."""

from agent.site.power import PowerSource, source_of
from agent.site.totals import Figures, SiteFigures
from agent.text.numbers import hashrate_text, ratio_text, watts_text
from agent.unit.reading import PowerKind

TOLERANCE_TEXT = "+-5 %"
"""Documented (D60): Bitmain's tolerance of power and J/TH. No model of firmware or nameplate can be better."""

_OF_THE_NAMEPLATE = frozenset({PowerSource.ESTIMATED, PowerSource.MODELLED})


def power_text(figures: Figures) -> str | None:
    """Return ``35.20 MW``; None while no power is metered, measured, estimated or modelled."""
    watts = figures.watts_by_source.values()
    return watts_text(sum(watts)) if figures.watts_units or figures.metered_watts is not None or any(watts) else None


def sources_text(figures: Figures) -> str:
    """Return the sources of the watts: ``all metered``, or ``60 % metered, 40 % modelled +-5 %``."""
    sources = [(source, watts) for source, watts in figures.watts_by_source.items() if watts]
    if len(sources) == 1:
        return f"all {source_text(sources[0][0])}"
    whole_watts = sum(watts for _, watts in sources)
    shares = (f"{ratio_text(watts / whole_watts, 0)} {source_text(source)}" for source, watts in sources)
    return ", ".join(shares) or "metered"


def source_text(source: PowerSource) -> str:
    """Return a source with the error of its watts, where it is known: ``modelled +-5 %``."""
    return f"{source} {TOLERANCE_TEXT}" if source in _OF_THE_NAMEPLATE else str(source)


def unit_power_text(watts: float | None, kind: PowerKind | None) -> str:
    """Return the power that a unit reports, and how it knows it: ``3.50 kW, estimated +-5 %``."""
    if watts is None:
        return "not reported"
    return f"{watts_text(watts)}, {source_text(source_of(kind))}"


def efficiency_text(figures: Figures) -> str | None:
    """Return ``17.53 J/TH``; None while no unit has both power and hashrate."""
    joules = figures.energy_efficiency_j_per_th
    return None if joules is None else f"{joules:.2f} J/TH"


def efficiency_share_text(figures: Figures) -> str:
    """Return ``over 97.0 % of deployed``: the share of nameplate behind the J/TH."""
    share = figures.efficient_deployed_hs / figures.deployed_hs if figures.deployed_hs else None
    return f"over {ratio_text(share, 1)} of deployed"


def delivered_text(figures: SiteFigures) -> tuple[str, str] | None:
    """Return the hashrate that units' own counters delivered to pools, and its window and coverage.

    The window is 24 h if that is known, else 1 h; None if neither is.
    """
    for delivered_hs, coverage, window in (
        (figures.delivered_24h_hs, figures.delivered_24h_coverage_ratio, "24 h"),
        (figures.delivered_1h_hs, figures.delivered_1h_coverage_ratio, "1 h"),
    ):
        if delivered_hs is not None:
            return hashrate_text(delivered_hs), f"over {window}, covering {ratio_text(coverage, 1)} of deployed"
    return None


def power_line(figures: SiteFigures) -> str:
    """Return power, energy efficiency and delivered hashrate as one line for a terminal; empty if none is known."""
    site, delivered, parts = figures.site, delivered_text(figures), []
    power, efficiency = power_text(site), efficiency_text(site)
    if power is not None:
        parts.append(f"{power} ({sources_text(site)})")
    if efficiency is not None:
        parts.append(f"{efficiency} {efficiency_share_text(site)}")
    if delivered is not None:
        parts.append(f"{delivered[0]} delivered to pools {delivered[1]}")
    return f"power: {'; '.join(parts)}" if parts else ""


def power_tiles(figures: SiteFigures) -> list[tuple[str, str, str]]:
    """Return the same as (title, figure, note) tiles for the page, without those that are unknown."""
    site, delivered, tiles = figures.site, delivered_text(figures), []
    power, efficiency = power_text(site), efficiency_text(site)
    if power is not None:
        tiles.append(("Power", power, sources_text(site)))
    if efficiency is not None:
        tiles.append(("Energy efficiency", efficiency, efficiency_share_text(site)))
    if delivered is not None:
        tiles.append(("Delivered to pools", *delivered))
    return tiles
