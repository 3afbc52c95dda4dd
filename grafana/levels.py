"""What is recorded, in the words of all rules: levels of grouping, names of series, and a rule as such."""

from dataclasses import dataclass
from typing import NamedTuple

# What units with both power and hashrate draw and do: J/TH divides these two and no others.
EFFICIENCY = "energy_efficiency_"
HASHRATE = "hashrate_hashes_per_second"
AGENTS_INCOMPLETE = "site:mining_agents_incomplete:count"
AGENT_SITES = "instance:miner_agent_build_info:carried"

# How long units may be starting after a curtailment before their starting is anybody's business: restore has 15
# minutes, a start takes 10 at most, and Prometheus sees both late.
EXCUSED_AFTER = "30m"

SOURCES = ("metered", "reported", "modelled")

WINDOWS = ("1h", "1d", "7d", "30d", "mtd")

# How long Prometheus believes a sample is five minutes: averages come often enough to be there at any time. Racks are
# many, so theirs come half as often.
OFTEN, SELDOM = "2m", "4m"

# Pools credit work by difficulty; so many hashes each.
HASHES_PER_DIFFICULTY = 2**32

# What is left of a container, as a share of its deployed nameplate, when nobody would call it anything but dark.
DARK_BELOW = 0.1


class Rule(NamedTuple):
    """One recording rule."""

    record: str
    expr: str


class Group(NamedTuple):
    """Rules evaluated one after the other; `interval` is empty for Prometheus' own."""

    name: str
    interval: str
    rules: list[Rule]


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of grouping.

    Attributes:
        name: As in ``mining_<name>_...`` and before the first colon.
        labels: What a group is told by.
        has_curtailment: Whether the agent tells events and stragglers at this level, and what its meters say.
    """

    name: str
    labels: tuple[str, ...]
    has_curtailment: bool = False

    @property
    def by(self) -> str:
        """The labels as PromQL lists them."""
        return ", ".join(self.labels)

    def total(self, what: str) -> str:
        """Give the name of a recorded sum of hashrate."""
        return f"{self.name}:mining_{what}_{HASHRATE}:sum"

    def average(self, what: str, window: str) -> str:
        """Give the name of a recorded average of hashrate."""
        return f"{self.name}:mining_{what}_{HASHRATE}:avg{window}"

    def watts(self, what: str = "") -> str:
        """Give the name of a recorded sum of power."""
        return f"{self.name}:mining_{what}power_watts:sum"

    def averaged(self) -> tuple[str, ...]:
        """Give what of the hashrate is averaged over periods."""
        names = ("deployed", "operating", "known", "uplift", "loss", EFFICIENCY[:-1])
        return (*names, "accounted") if self.has_curtailment else names


LEVELS = SITE, CONTAINER, RACK, MODEL = (
    Level(name="site", labels=("site",), has_curtailment=True),
    Level(name="container", labels=("site", "container"), has_curtailment=True),
    Level(name="rack", labels=("site", "container", "rack")),
    Level(name="model", labels=("site", "model")),
)
FLEET = Level(name="fleet", labels=(), has_curtailment=True)


def joules(level: Level, watts: str, hashrate: str, window: str) -> Rule:
    """Give J/TH, from watts and hashrate of the same units."""
    record = f"{level.name}:mining_{EFFICIENCY}j_per_th:ratio{window}"
    return Rule(record, f"1e12 * {watts}\n/\n({hashrate} > 0)")
