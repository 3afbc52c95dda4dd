"""The recording rules, generated: the same sums, averages and ratios at each level, so that no level forgets one.

Names follow the mixins' ``level:metric:operation`` (`levels`). What holds now is in `sums`, what held over a period in
`averages`; here they are put into groups and files. Everywhere:

- *Sums are by place, never by agent.* ``sum by (site, ...)`` drops job and instance, so that a site gives the same
  totals whether one agent watches it or several.
- *A gap is a gap.* While an agent of a site is down, or has not looked at every unit yet, the site has no totals at
  all: half a site's sum would read as a collapse of the absolute figures, or as nothing wrong in the ratios.
- *A ratio over a period divides averages*; it is never the average of ratios.
"""

from collections.abc import Iterable

from grafana.averages import averages, delivered_averages, delivered_ratio, ratios
from grafana.levels import (
    CONTAINER,
    EFFICIENCY,
    FLEET,
    LEVELS,
    MODEL,
    OFTEN,
    RACK,
    SELDOM,
    SITE,
    WINDOWS,
    Group,
    Rule,
    joules,
)
from grafana.sums import agent_rules, delivered, drop, sums, usual


def site_groups() -> list[Group]:
    """Give the groups that run beside the agents of a site."""
    # One group, because groups are evaluated at different moments: a sum must not be made before it is known whether
    # all that belongs to it is there.
    now = [*agent_rules(), *(rule for level in LEVELS for rule in sums(level)), *drop(), *delivered()]
    few = tuple(level for level in LEVELS if level is not RACK)
    hour = [*(rule for level in few for rule in averages(level, "1h")), *usual()]
    day = [rule for level in few for rule in averages(level, "1d")]
    # Racks before containers, which are sums of them.
    credited = [rule for level in (RACK, CONTAINER, MODEL) for rule in delivered_averages(level, "1h")]
    return [
        Group("hashsight-now", "", now),
        Group("hashsight-hour", "1m", hour),
        Group("hashsight-day", OFTEN, day),
        Group("hashsight-rack-hour", SELDOM, averages(RACK, "1h")),
        Group("hashsight-rack-day", SELDOM, averages(RACK, "1d")),
        Group("hashsight-delivered", SELDOM, credited),
    ]


def period_groups() -> list[Group]:
    """Give the groups of longer periods, which run beside the agents as well."""
    return [
        Group(f"hashsight-{level.name}-{window}", SELDOM if level is RACK else OFTEN, averages(level, window))
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
        joules(FLEET, FLEET.watts(EFFICIENCY), FLEET.total(EFFICIENCY[:-1]), ""),
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
        averages += [*ratios(FLEET, window), delivered_ratio(FLEET, window)]
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
