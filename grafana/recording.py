"""The recording rules, generated: the same sums, averages and ratios at each level, so that no level forgets one.

Names follow the mixins' ``level:metric:operation``. Three things are decided here and nowhere else:

- *Sums are by place, never by agent.* ``sum by (site, ...)`` drops job and instance, so that a site gives the same
  totals whether one agent watches it or several.
- *A gap is a gap.* While an agent of a site is down, or has not looked at every unit yet, the site has no totals at
  all: half a site's sum would read as a collapse of the absolute figures, or as nothing wrong in the ratios.
- *A ratio over a period divides averages*; it is never the average of ratios.

Averages over more than a day go by whole hours: the mean of the hourly means on the hour. It makes 720 numbers of
30 days instead of 170,000, for five hundred racks at once, and sums of averages stay averages of sums. An hour that
was watched in part weighs as much as a whole one. Months are calendar months in UTC, because Prometheus knows no other;
the figure to publish is the statement's, in the site's zone.

Delivered hashrate is the agent's for a site, which knows when units restarted and were exchanged. For what is below a
site it is counted from the units' own counters, over hours, and only while the agent tells the site's.
"""

from collections.abc import Iterable, Iterator
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


def _whole(labels: str, metric: str) -> str:
    return f"sum by ({labels}) ({metric})\nunless on (site) {AGENTS_INCOMPLETE}"


def _agents() -> Iterator[Rule]:
    # Which site an agent watches, kept for as long as it is a target: when it is down it cannot say.
    yield Rule(
        AGENT_SITES,
        "max by (job, instance, site) (miner_agent_build_info)\n"
        f"or on (job, instance) ({AGENT_SITES} and on (job, instance) up)",
    )
    yield Rule(
        AGENTS_INCOMPLETE,
        "count by (site) (\n"
        f"  (up == 0) * on (job, instance) group_left (site) {AGENT_SITES}\n"
        "  or\n"
        f"  (mining_site_deployed_{HASHRATE} unless on (site, job, instance) mining_site_operating_{HASHRATE})\n"
        ")",
    )


def _sums(level: Level) -> list[Rule]:
    raw = f"mining_{level.name}"
    deployed = level.total("deployed")
    rules = [
        Rule(level.total(what), _whole(level.by, f"{raw}_{what}_{HASHRATE}"))
        for what in ("deployed", "operating", "uplift", "known")
    ]
    rules += [
        Rule(level.total("loss"), _whole(f"{level.by}, cause", f"{raw}_loss_{HASHRATE}")),
        Rule(f"{level.name}:mining_units:sum", _whole(f"{level.by}, state", f"{raw}_units")),
        Rule(f"{level.name}:mining_operating_per_deployed:ratio", f"{level.total('operating')}\n/\n{deployed}"),
        Rule(f"{level.name}:mining_known_per_deployed:ratio", f"{level.total('known')}\n/\n{deployed}"),
    ]
    rules += _power(level, raw)
    if level.has_curtailment:
        rules += _curtailment(level, raw)
    return rules


def _power(level: Level, raw: str) -> Iterator[Rule]:
    # The agent leaves out a source that tells nothing now; the mean over the time it told something is no mean.
    nothing = f"0 * sum by ({level.by}) ({raw}_deployed_{HASHRATE})"
    zeros = [f'or label_replace({nothing}, "source", "{source}", "", "")' for source in SOURCES]
    lines = [f"sum by ({level.by}, source) ({raw}_power_watts)", *zeros]
    power = "\n".join(["(", *(f"  {line}" for line in lines), ")"])
    yield Rule(level.watts(), f"{power}\nunless on (site) {AGENTS_INCOMPLETE}")
    yield Rule(level.watts(EFFICIENCY), _whole(level.by, f"{raw}_{EFFICIENCY}power_watts"))
    yield Rule(level.total(EFFICIENCY[:-1]), _whole(level.by, f"{raw}_{EFFICIENCY}{HASHRATE}"))
    speaks_for = level.total(f"{EFFICIENCY}nameplate")
    yield Rule(speaks_for, _whole(level.by, f"{raw}_{EFFICIENCY}nameplate_{HASHRATE}"))
    yield _joules(level, level.watts(EFFICIENCY), level.total(EFFICIENCY[:-1]), "")
    yield Rule(
        f"{level.name}:mining_{EFFICIENCY}nameplate_per_deployed:ratio", f"{speaks_for}\n/\n{level.total('deployed')}"
    )
    if level.has_curtailment:
        # Side by side only while both are there: a meter that lapses must not look like one that reads low.
        metered, units = (f"sum by ({level.by}) ({raw}_{whose}_power_watts)" for whose in ("metered", "units"))
        yield Rule(level.watts("metered_"), f"{metered}\nunless on (site) {AGENTS_INCOMPLETE}")
        yield Rule(level.watts("units_"), f"({units} and {metered})\nunless on (site) {AGENTS_INCOMPLETE}")


def _joules(level: Level, watts: str, hashrate: str, window: str) -> Rule:
    record = f"{level.name}:mining_{EFFICIENCY}j_per_th:ratio{window}"
    return Rule(record, f"1e12 * {watts}\n/\n({hashrate} > 0)")


def _delivered() -> Iterator[Rule]:
    """Give what pools credited beside what units said of themselves, each per nameplate of the units it is known of."""
    for what in ("delivered", "delivered_nameplate"):
        yield Rule(SITE.total(what), _whole("site, window", f"mining_site_{what}_{HASHRATE}"))


def _delivered_average(level: Level, what: str, window: str) -> Rule:
    """Give delivered hashrate over a period, or the nameplate of the units of which it is known."""
    record, hourly = level.average(what, window), level.average(what, "1h")
    if level is SITE and window in {"1h", "1d"}:
        told = {"1h": "1h", "1d": "24h"}[window]
        expr = f'sum without (window) ({SITE.total(what)}{{window="{told}"}})'
    elif level is CONTAINER and window == "1h":
        expr = f"sum by ({level.by}) ({RACK.average(what, window)})"
    elif window == "1h":
        counted = "rate(miner_difficulty_accepted_total[1h])"
        if what == "delivered":
            each, factor = counted, f"{HASHES_PER_DIFFICULTY} * "
        else:
            each, factor = f"(miner_nameplate_{HASHRATE} and on (site, container, unit) {counted})", ""
        placed = f"{each}\n  * on (site, container, unit) group_left ({level.labels[-1]}) miner_info"
        expr = (
            f"{factor}sum by ({level.by}) (\n  {placed}\n)\n"
            f'and on (site) {SITE.total(what)}{{window="1h"}}\nunless on (site) {AGENTS_INCOMPLETE}'
        )
    elif window == "1d":
        expr = f"avg_over_time({hourly}[1d:1h])"
    else:
        return _average(level.total(what), window)
    return Rule(record, expr)


def _delivered_averages(level: Level, window: str) -> Iterator[Rule]:
    for what in ("delivered", "delivered_nameplate"):
        yield _delivered_average(level, what, window)
    yield _delivered_ratio(level, window)


def _delivered_ratio(level: Level, window: str) -> Rule:
    delivered, nameplate = (level.average(what, window) for what in ("delivered", "delivered_nameplate"))
    return Rule(
        f"{level.name}:mining_delivered_per_operating:ratio{window}",
        f"(\n  {delivered}\n  / ({nameplate} > 0)\n)\n/ ({level.name}:mining_operating_per_deployed:ratio{window} > 0)",
    )


def _curtailment(level: Level, raw: str) -> Iterator[Rule]:
    name, deployed = level.name, level.total("deployed")
    active = f"{name}:mining_curtailment_active:max"
    nameplate, target = level.total("curtailment_nameplate"), level.total("curtailment_target")
    yield Rule(
        active,
        f"max by ({level.by}) ({raw}_curtailment_active)\nunless on (site) {AGENTS_INCOMPLETE}",
    )
    yield Rule(nameplate, _whole(level.by, f"{raw}_curtailment_nameplate_{HASHRATE}"))
    yield Rule(target, _whole(level.by, f"{raw}_curtailment_target_{HASHRATE}"))
    yield Rule(level.total("expected"), f"{deployed}\n- {nameplate}\n+ {target}")
    yield Rule(
        f"{name}:mining_curtailment_stragglers:sum",
        _whole(level.by, f"{raw}_curtailment_stragglers"),
    )
    yield Rule(f"{name}:mining_units_not_restored:sum", _whole(level.by, f"{raw}_units_not_restored"))
    # Accounted for: it hashes, or was curtailed, or is on its way up because it was. In H/s it stays level through a
    # curtailment, and a ratio of it to deployed cannot explode when next to nothing is left uncurtailed.
    lost = level.total("loss")
    yield Rule(
        level.total("accounted"),
        f"{level.total('operating')}\n"
        f'+ sum without (cause) ({lost}{{cause="curtailed"}})\n'
        f'+ sum without (cause) ({lost}{{cause="starting"}}) * max_over_time({active}[{EXCUSED_AFTER}])',
    )
    # What is missing because nothing works there, and nobody said it should not.
    declared = f'sum without (cause) ({lost}{{cause="maintenance"}})'
    yield Rule(
        level.total("dark"),
        f"({deployed} - {level.total('accounted')})\n"
        f"and ({level.total('accounted')} + {declared}) < {DARK_BELOW} * {deployed}",
    )


def _drop() -> Iterator[Rule]:
    """Give what the alert on a sudden drop compares: without dark containers, which have an alert of their own."""
    steady, deployed = SITE.total("steady"), SITE.total("deployed")
    dark = f"sum by (site) (container:mining_dark_{HASHRATE}:sum)"
    yield Rule(steady, f"{SITE.total('accounted')} + {dark}\nor\n{SITE.total('accounted')}")
    yield Rule("site:mining_steady_per_deployed:ratio", f"{steady}\n/\n{deployed}")


def _usual() -> Iterator[Rule]:
    # The median of a day: an outage of less than half of it does not become the usual, a peak never does.
    for total in (SITE.total("steady"), "site:mining_steady_per_deployed:ratio"):
        name, _, operation = total.rpartition(":")
        yield Rule(f"{name}:{operation}_median1d", f"quantile_over_time(0.5, {total}[1d])")


_MONTH = 'count_values("month", year(vector(time() - 1)) * 100 + month(vector(time() - 1)))'


def _average(total: str, window: str) -> Rule:
    stem = total.removesuffix(":sum")
    hourly = f"{stem}:avg1h"
    if window in {"1h", "1d"}:
        expr = f"avg_over_time({total}[{window}])"
    elif window == "mtd":
        # An hour belongs to the month in which it began; in the first hour of a month there is nothing yet.
        expr = (
            "sum without (month) (\n"
            f"  avg_over_time((\n    {hourly}\n    * on () group_left (month) {_MONTH}\n  )[31d:1h])\n"
            f"  and on (month) {_MONTH}\n"
            ")"
        )
    else:
        expr = f"avg_over_time({hourly}[{window}:1h])"
    return Rule(f"{stem}:avg{window}", expr)


def _ratios(level: Level, window: str) -> Iterator[Rule]:
    deployed, operating = level.average("deployed", window), level.average("operating", window)
    known = level.average("known", window)
    yield Rule(f"{level.name}:mining_operating_per_deployed:ratio{window}", f"{operating}\n/\n{deployed}")
    yield Rule(f"{level.name}:mining_known_per_deployed:ratio{window}", f"{known}\n/\n{deployed}")
    curtailed = f'sum without (cause) ({level.average("loss", window)}{{cause="curtailed"}})'
    yield Rule(
        f"{level.name}:mining_operating_per_uncurtailed:ratio{window}",
        f"{operating}\n/\n(({deployed} - {curtailed}) > 0)",
    )
    watts = f"{level.name}:mining_{EFFICIENCY}power_watts:avg{window}"
    yield _joules(level, watts, level.average(EFFICIENCY[:-1], window), window)
    if level.has_curtailment:
        accounted = level.average("accounted", window)
        yield Rule(f"{level.name}:mining_accounted_per_deployed:ratio{window}", f"{accounted}\n/\n{deployed}")


def _watched(window: str) -> Iterator[Rule]:
    """Give which share of a period the site's figures exist for, and coverage with what was not watched as unknown."""
    watched, hourly = (f"site:mining_watched:ratio{name}" for name in (window, "1h"))
    total = SITE.total("deployed")
    if window == "1h":
        seen, passed = f"count_over_time({total}[1h:1m])", "count_over_time(vector(1)[1h:1m])"
    elif window == "mtd":
        seen = f"sum_over_time(({hourly} * on () group_left (month) {_MONTH})[31d:1h]) and on (month) {_MONTH}"
        passed = f"count_over_time({_MONTH}[31d:1h]) and on (month) {_MONTH}"
    else:
        # Hours of which nothing is there at all are in the second and not in the first.
        seen, passed = f"sum_over_time({hourly}[{window}:1h])", f"count_over_time(vector(1)[{window}:1h])"
    yield Rule(watched, f"sum by (site) (\n  {seen}\n)\n/ on () group_left ()\nsum(\n  {passed}\n)")
    yield Rule(f"site:mining_coverage:ratio{window}", f"site:mining_known_per_deployed:ratio{window}\n* {watched}")


def _averages(level: Level, window: str) -> list[Rule]:
    rules = [_average(level.total(what), window) for what in level.averaged()]
    rules += [_average(level.watts(what), window) for what in ("", EFFICIENCY)]
    rules += _ratios(level, window)
    if level.has_curtailment and window == "1d":
        metered, units = (_average(level.watts(whose), window) for whose in ("metered_", "units_"))
        ratio = f"{level.name}:mining_metered_per_units_power:ratio{window}"
        rules += [metered, units, Rule(ratio, f"{metered.record}\n/\n({units.record} > 0)")]
    if level is SITE:
        rules += _watched(window)
    if level is SITE or window != "1h":
        rules += _delivered_averages(level, window)
    return rules


def site_groups() -> list[Group]:
    """Give the groups that run beside the agents of a site."""
    # One group, because groups are evaluated at different moments: a sum must not be made before it is known whether
    # all that belongs to it is there.
    now = [*_agents(), *(rule for level in LEVELS for rule in _sums(level)), *_drop(), *_delivered()]
    few = tuple(level for level in LEVELS if level is not RACK)
    hour = [*(rule for level in few for rule in _averages(level, "1h")), *_usual()]
    day = [rule for level in few for rule in _averages(level, "1d")]
    # Racks before containers, which are sums of them.
    delivered = [rule for level in (RACK, CONTAINER, MODEL) for rule in _delivered_averages(level, "1h")]
    return [
        Group("hashsight-now", "", now),
        Group("hashsight-hour", "1m", hour),
        Group("hashsight-day", OFTEN, day),
        Group("hashsight-rack-hour", SELDOM, _averages(RACK, "1h")),
        Group("hashsight-rack-day", SELDOM, _averages(RACK, "1d")),
        Group("hashsight-delivered", SELDOM, delivered),
    ]


def period_groups() -> list[Group]:
    """Give the groups of longer periods, which run beside the agents as well."""
    return [
        Group(f"hashsight-{level.name}-{window}", SELDOM if level is RACK else OFTEN, _averages(level, window))
        for level in LEVELS
        for window in WINDOWS[2:]
    ]


def _fleet_sum(level_by: str, metric: str) -> str:
    # The inner maximum makes one of a site that two Prometheus servers tell of.
    inner = f"max by (site{', ' + level_by if level_by else ''}) ({metric})"
    return f"sum by ({level_by}) ({inner})" if level_by else f"sum({inner})"


def fleet_groups() -> list[Group]:
    """Give the groups that run where the sites come together, over what their own rules recorded."""
    own = {"loss": "cause"}
    names = ("deployed", "operating", "uplift", "known", "loss", "accounted", "expected", EFFICIENCY[:-1])
    sums = [Rule(FLEET.total(what), _fleet_sum(own.get(what, ""), SITE.total(what))) for what in names]
    # A site that is not heard of keeps its place in the denominator of coverage for a day.
    heard = f"last_over_time({SITE.total('deployed')}[1d])"
    unseen = f"count(max by (site) ({heard}) unless on (site) {SITE.total('deployed')})"
    sums += [
        Rule(FLEET.watts(), _fleet_sum("source", SITE.watts())),
        Rule(FLEET.watts(EFFICIENCY), _fleet_sum("", SITE.watts(EFFICIENCY))),
        _joules(FLEET, FLEET.watts(EFFICIENCY), FLEET.total(EFFICIENCY[:-1]), ""),
        Rule(FLEET.total("delivered"), _fleet_sum("window", SITE.total("delivered"))),
        Rule(FLEET.total("delivered_nameplate"), _fleet_sum("window", SITE.total("delivered_nameplate"))),
        Rule("fleet:mining_units:sum", _fleet_sum("state", "site:mining_units:sum")),
        Rule("fleet:mining_sites:count", f"count(max by (site) ({SITE.total('deployed')}))"),
        Rule("fleet:mining_sites_unseen:count", f"{unseen}\nor\n0 * fleet:mining_sites:count"),
        Rule(
            "fleet:mining_operating_per_deployed:ratio",
            f"{FLEET.total('operating')}\n/\n{FLEET.total('deployed')}",
        ),
        Rule("fleet:mining_known_per_deployed:ratio", f"{FLEET.total('known')}\n/\n{_fleet_sum('', heard)}"),
    ]
    averages = []
    for window in WINDOWS:
        averages += [
            Rule(FLEET.average(what, window), _fleet_sum(own.get(what, ""), SITE.average(what, window)))
            for what in (*FLEET.averaged(), "delivered", "delivered_nameplate")
        ]
        for what, label in (("", "source"), (EFFICIENCY, "")):
            stem = f"mining_{what}power_watts:avg{window}"
            averages.append(Rule(f"fleet:{stem}", _fleet_sum(label, f"site:{stem}")))
        averages += [*_ratios(FLEET, window), _delivered_ratio(FLEET, window)]
        known = f"{SITE.average('known', window)} * site:mining_watched:ratio{window}"
        averages.append(
            Rule(
                f"fleet:mining_coverage:ratio{window}",
                f"{_fleet_sum('', known)}\n/\n{FLEET.average('deployed', window)}",
            )
        )
    return [Group("hashsight-fleet", "", sums), Group("hashsight-fleet-periods", OFTEN, averages)]


def rule_file(groups: Iterable[Group], about: str) -> str:
    """Give the text of a rule file."""
    lines = [f"# {line}".rstrip() for line in about.splitlines()]
    lines += [
        "# Generated from grafana/recording.py by `python -m grafana.generated --write`; a change here does not last.",
        "",
    ]
    lines.append("groups:")
    for group in groups:
        lines.append(f"  - name: {group.name}")
        if group.interval:
            lines.append(f"    interval: {group.interval}")
        lines.append("    rules:")
        for rule in group.rules:
            lines.append(f"      - record: {rule.record}")
            lines.append("        expr: |-")
            lines += [f"          {line}" for line in rule.expr.splitlines()]
    return "\n".join(lines) + "\n"


def site_file() -> str:
    """Give the text of ``grafana/rules/site.yml``."""
    return rule_file(
        site_groups(),
        "Sums and ratios of a site, its containers, racks and models: now, over the last hour and the last day.\n"
        "Evaluated beside the agents; what they record is what a fleet's Prometheus is sent.",
    )


def periods_file() -> str:
    """Give the text of ``grafana/rules/periods.yml``."""
    return rule_file(
        period_groups(),
        "Averages and ratios of a site, its containers, racks and models over 7 and 30 days and the month to date.\n"
        "Evaluated beside the agents, over what site.yml records.",
    )


def fleet_file() -> str:
    """Give the text of ``grafana/rules/fleet.yml``."""
    return rule_file(
        fleet_groups(),
        "Sums, averages and ratios over all sites.\nEvaluated where the sites' recorded series come together.",
    )
