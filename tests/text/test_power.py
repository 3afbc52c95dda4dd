"""Power, energy efficiency and delivered hashrate in words."""

from typing import Any

import pytest
from exporter_cases import AT, entry, gone_silent, reading, status

from agent.site.delivered import NOTHING_DELIVERED, Delivered
from agent.site.ledger.entries import Place
from agent.site.metered import UNMETERED, Metered
from agent.site.totals import SiteFigures, site_figures
from agent.text.power import power_line, power_tiles, unit_power_text
from agent.unit.reading import PowerKind

C1 = status(entry("u1"), reading("u1", power_watts=3465.0))
C2 = status(entry("u2", place=Place(container="C2")), reading("u2"))


def figures(*fleet: Any, metered: Metered = UNMETERED, delivered: Delivered = NOTHING_DELIVERED) -> SiteFigures:
    """Return the figures of a few units."""
    return site_figures(fleet, AT, metered=metered, delivered=delivered)


@pytest.mark.parametrize(
    ("site", "line"),
    [
        (figures(), ""),
        (figures(gone_silent()), ""),
        (figures(C1), "power: 3.46 kW (all estimated +-5 %); 17.50 J/TH over 100.0 % of deployed"),
        (figures(C2), "power: 3.33 kW (all modelled +-5 %); 16.82 J/TH over 100.0 % of deployed"),
        (
            figures(C1, C2, gone_silent("u3")),
            "power: 6.80 kW (51 % estimated +-5 %, 49 % modelled +-5 %); 17.16 J/TH over 66.7 % of deployed",
        ),
        (
            figures(C1, C2, metered=Metered(container_watts={"C1": 3700.0})),
            "power: 7.03 kW (53 % metered, 47 % modelled +-5 %); 17.16 J/TH over 100.0 % of deployed",
        ),
        (figures(gone_silent(), metered=Metered(site_watts=0.0)), "power: 0 W (metered)"),
        (
            figures(C1, C2, delivered=Delivered(390e12, 400e12, None, 0.0)),
            (
                "power: 6.80 kW (51 % estimated +-5 %, 49 % modelled +-5 %); 17.16 J/TH over 100.0 % of deployed;"
                " 390.00 TH/s delivered to pools over 1 h, covering 100.0 % of deployed"
            ),
        ),
        (
            figures(gone_silent(), delivered=Delivered(190e12, 200e12, 189e12, 200e12)),
            "power: 189.00 TH/s delivered to pools over 24 h, covering 100.0 % of deployed",
        ),
    ],
)
def test_power_line(site: SiteFigures, line: str) -> None:
    """Each known figure is shown with its source and coverage; unknown ones are left out."""
    assert power_line(site) == line


@pytest.mark.parametrize(
    ("watts", "kind", "text"),
    [
        (None, None, "not reported"),
        (3499.0, None, "3.50 kW, estimated +-5 %"),
        (3499.0, PowerKind.ESTIMATED, "3.50 kW, estimated +-5 %"),
        (3499.0, PowerKind.MEASURED, "3.50 kW, measured"),
    ],
)
def test_a_units_own_watts(watts: float | None, kind: PowerKind | None, text: str) -> None:
    """Watts that a unit reports are never shown without how it knows them."""
    assert unit_power_text(watts, kind) == text


def test_tiles_say_the_same() -> None:
    """Each tile has a title, a figure and a note."""
    site = figures(C1, metered=Metered(site_watts=3600.0), delivered=Delivered(190e12, 200e12, 189e12, 200e12))
    assert power_tiles(site) == [
        ("Power", "3.60 kW", "all metered"),
        ("Energy efficiency", "17.50 J/TH", "over 100.0 % of deployed"),
        ("Delivered to pools", "189.00 TH/s", "over 24 h, covering 100.0 % of deployed"),
    ]
    assert power_tiles(figures(gone_silent())) == []
