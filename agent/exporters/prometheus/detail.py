"""Detail of single units in the export: a Prometheus pays for series, and units make nearly all of them."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from agent.exporters.prometheus.family import Family
from agent.exporters.prometheus.unit_families import FAMILIES

Detail = Literal["full", "units", "site"]

_PARTS_OF_UNITS: Final = frozenset(
    {
        "miner_hashrate_30m_hashes_per_second",
        "miner_uptime_seconds",
        "miner_pcb_temperature_celsius",
        "miner_board_hashrate_hashes_per_second",
        "miner_board_chips",
        "miner_board_frequency_hertz",
        "miner_board_hardware_errors_total",
    }
)
"""Families for the dashboard of one unit: no shipped rule or alert reads them."""

FAMILIES_BY_DETAIL: Final[Mapping[Detail, tuple[Family[Any], ...]]] = {
    "full": FAMILIES,
    "units": tuple(family for family in FAMILIES if family.name not in _PARTS_OF_UNITS),
    "site": (),
}
"""The units' families at each detail; the site, its groups and the agent are exported at every one."""
