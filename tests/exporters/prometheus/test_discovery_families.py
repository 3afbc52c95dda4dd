"""What a look found, as metrics: bounded labels, and no influence on any other series."""

import asyncio
import re

from discovery_cases import figures, machines, seen
from exporter_cases import AT, entry, reading, status
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.exporters.prometheus.store import Metrics
from agent.hil.discovery.figures import DiscoveryFigures, Machine, MachineKind
from agent.site.totals import site_figures

FAMILIES = (
    "mining_site_discovered_machines",
    "miner_agent_discovery_looks_total",
    "miner_agent_discovery_last_look_timestamp_seconds",
)
# They differ from scrape to scrape.
OWN_COST = re.compile(r"(?:process_|python_|miner_agent_scrape_)")


def exposed(found: DiscoveryFigures) -> list[str]:
    """Return the lines of a site of two units whose agent found these machines."""
    statuses = [status(entry("a1"), reading("a1")), status(entry("a2"), reading("a2", hashrate_5s_hs=150e12))]
    metrics = Metrics("nd-1", version="1.2.3", clock=lambda: 0.0)
    for one in statuses:
        metrics.on_unit(one)
    metrics.on_site(site_figures(statuses, AT), is_whole=True)
    metrics.watch_discovery(lambda: found)
    body, _ = asyncio.run(metrics.scrape())
    return [line for line in body.decode().splitlines() if not OWN_COST.search(line)]


def test_machines_are_counted_by_kind_with_zeros() -> None:
    """Four series of one label with a closed set of values, however many machines there are."""
    many = [Machine(seen=seen(f"10.0.1.{number}"), kind=MachineKind.UNLISTED) for number in range(1, 200)]
    lines = exposed(figures(*many, Machine(seen=seen(), kind=MachineKind.MOVED, unit_id="u5")))
    assert [line for line in lines if line.startswith("mining_site_discovered_machines")] == [
        'mining_site_discovered_machines{kind="unlisted",site="nd-1"} 199.0',
        'mining_site_discovered_machines{kind="not_deployed",site="nd-1"} 0.0',
        'mining_site_discovered_machines{kind="moved",site="nd-1"} 1.0',
        'mining_site_discovered_machines{kind="unidentified",site="nd-1"} 0.0',
    ]
    assert 'miner_agent_discovery_looks_total{result="done"} 1.0' in lines
    assert "miner_agent_discovery_last_look_timestamp_seconds 1.76367456e+09" in lines


def test_before_the_first_look_nothing_is_said_of_machines() -> None:
    """No look is not "no machine": the series is absent."""
    lines = exposed(figures(look=None, looks={"done": 0, "failed": 0}))
    assert [line for line in lines if line.startswith(FAMILIES)] == [
        'miner_agent_discovery_looks_total{result="done"} 0.0',
        'miner_agent_discovery_looks_total{result="failed"} 0.0',
    ]


@settings(max_examples=30)
@given(st.lists(machines(), max_size=20))
def test_what_is_found_counts_in_no_figure(found: list[Machine]) -> None:
    """Whatever machines answer, with whatever rates: every other line of the exposition stays as it was."""
    without, with_finds = exposed(DiscoveryFigures()), exposed(figures(*found))
    assert [line for line in with_finds if not any(name in line for name in FAMILIES)] == without
