"""`[metrics] detail`: what is exported of single units, and that no shipped rule lacks it."""

import re
from collections import Counter
from pathlib import Path

import pytest
from exporter_cases import AT, entry, gone_silent, reading, status
from paths import ROOT

from agent.exporters.prometheus.detail import FAMILIES_BY_DETAIL, Detail
from agent.exporters.prometheus.store import Metrics
from agent.exporters.prometheus.unit_families import FAMILIES
from agent.site.totals import site_figures

STATUSES = [status(entry("u1"), reading("u1")), gone_silent("u2")]


async def body_of(detail: Detail, *, path: str = "all") -> str:
    """Return a scrape at a detail."""
    metrics = Metrics("nd-1", version="1.2.3", clock=lambda: 0.0, detail=detail)
    for each in STATUSES:
        metrics.on_unit(each)
    metrics.on_site(site_figures(STATUSES, AT), is_whole=True)
    text, _ = await metrics.scrape(scope="site" if path == "site" else "all")
    return text.decode()


def unit_families(body: str) -> set[str]:
    """Return the names of the series of single units in a body."""
    return set(re.findall(r"^(miner_(?!agent_)\w+)\{", body, re.MULTILINE))


async def test_each_detail_has_the_families_it_lists() -> None:
    """Full is everything, units less of each unit, site no unit; the site's own figures are the same at each."""
    names = {family.name for family in FAMILIES}
    bodies = {detail: await body_of(detail) for detail in FAMILIES_BY_DETAIL}
    for detail, families in FAMILIES_BY_DETAIL.items():
        assert unit_families(bodies[detail]) <= {family.name for family in families}
    assert unit_families(bodies["full"]) - unit_families(bodies["units"]) == names - {
        family.name for family in FAMILIES_BY_DETAIL["units"]
    }
    sums = {detail: re.findall(r"^mining_.*$", body, re.MULTILINE) for detail, body in bodies.items()}
    assert sums["full"] == sums["units"] == sums["site"] != []
    lines = Counter({detail: body.count("\n") for detail, body in bodies.items()})
    assert lines["full"] > lines["units"] > lines["site"]


async def test_site_is_what_its_own_address_serves() -> None:
    """`/metrics` at detail site and `/metrics/site` have the same figures of the site."""

    def stable(body: str) -> list[str]:
        return [line for line in body.splitlines() if line.startswith("mining_")]

    assert stable(await body_of("site")) == stable(await body_of("full", path="site"))


@pytest.mark.parametrize("file", sorted((ROOT / "grafana/rules").glob("*.yml")), ids=lambda path: str(path.name))
def test_rules_and_alerts_do_with_the_series_of_units(file: Path) -> None:
    """No rule reads a family that detail units leaves out."""
    read = set(re.findall(r"\bminer_(?!agent_)\w+", file.read_text(encoding="utf-8")))
    kept = {family.name for family in FAMILIES_BY_DETAIL["units"]}
    assert read & {family.name for family in FAMILIES} <= kept
