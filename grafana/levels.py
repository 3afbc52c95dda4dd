"""Vocabulary of the recording rules: levels of grouping, series names, and the rule itself."""

from dataclasses import dataclass
from typing import NamedTuple

# Prefix of the power and hashrate of units that report both; J/TH divides only these two.
EFFICIENCY = "energy_efficiency_"
HASHRATE = "hashrate_hashes_per_second"
AGENTS_INCOMPLETE = "site:mining_agents_incomplete:count"
AGENT_SITES = "instance:miner_agent_build_info:carried"
AGENT_STANDBYS = "instance:miner_agent_standby:carried"
AGENTS_DOUBLED = "instance:mining_agent_doubled:max"

# How long after a curtailment units may be starting without counting as a loss: 15 minutes to restore, up to 10 to
# start, and the delay with which Prometheus sees both.
EXCUSED_AFTER = "30m"

CHIP = "mining_chip_temperature_celsius"

SOURCES = ("metered", "measured", "estimated", "modelled")

WINDOWS = ("1h", "1d", "7d", "30d", "mtd")

# Prometheus drops a sample after five minutes, so averages are evaluated more often than that. There are many racks,
# so theirs run half as often.
OFTEN, SELDOM = "2m", "4m"

# Hashes per unit of difficulty credited by a pool.
HASHES_PER_DIFFICULTY = 2**32

# A site or container is dark below this share of its deployed nameplate.
DARK_BELOW = 0.1

# It also misses more than this share of its nameplate for another reason than dead pools, which have an alert of their
# own. In a container a quarter is above what is usually broken; of a site the containers tell the rest.
DARK_BEYOND_POOLS = {"site": 0.9, "container": 0.25}


class Rule(NamedTuple):
    """One recording rule."""

    record: str
    expr: str


class Group(NamedTuple):
    """Rules evaluated in order; an empty `interval` means Prometheus' default."""

    name: str
    interval: str
    rules: list[Rule]


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of grouping.

    Attributes:
        name: As in ``mining_<name>_...`` and before the first colon.
        labels: Labels that identify a group.
        has_curtailment: True if the agent reports curtailments, stragglers and meters at this level.
    """

    name: str
    labels: tuple[str, ...]
    has_curtailment: bool = False

    @property
    def by(self) -> str:
        """The labels as PromQL lists them."""
        return ", ".join(self.labels)

    def total(self, what: str) -> str:
        """Return the name of a recorded sum of hashrate."""
        return f"{self.name}:mining_{what}_{HASHRATE}:sum"

    def average(self, what: str, window: str) -> str:
        """Return the name of a recorded average of hashrate."""
        return f"{self.name}:mining_{what}_{HASHRATE}:avg{window}"

    def watts(self, what: str = "") -> str:
        """Return the name of a recorded sum of power."""
        return f"{self.name}:mining_{what}power_watts:sum"

    def averaged(self) -> tuple[str, ...]:
        """Return the kinds of hashrate that are averaged over periods."""
        names = ("deployed", "operating", "known", "uplift", "loss", EFFICIENCY[:-1])
        return (*names, "accounted") if self.has_curtailment else names


LEVELS = SITE, CONTAINER, RACK, MODEL = (
    Level(name="site", labels=("site",), has_curtailment=True),
    Level(name="container", labels=("site", "container"), has_curtailment=True),
    Level(name="rack", labels=("site", "container", "rack")),
    Level(name="model", labels=("site", "model")),
)
OWNER = Level(name="owner", labels=("site", "owner"))
"""Recorded now, over an hour, a day and the month to date; exported only where the ledger names owners."""
FLEET = Level(name="fleet", labels=(), has_curtailment=True)


def joules(level: Level, watts: str, hashrate: str, window: str) -> Rule:
    """Return the rule for J/TH from the watts and hashrate of the same units."""
    record = f"{level.name}:mining_{EFFICIENCY}j_per_th:ratio{window}"
    return Rule(record, f"1e12 * {watts}\n/\n({hashrate} > 0)")
