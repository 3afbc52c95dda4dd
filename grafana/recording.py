"""The generated recording rules: the same sums, averages and ratios at each level.

Names follow the mixins' ``level:metric:operation`` (`levels`). `sums` has the current values, `averages` the values
over a period; this module arranges them in groups and files. Three rules hold everywhere:

- *Sums are by place, never by agent.* ``sum by (site, ...)`` drops job and instance, so a site's totals do not
  depend on the number of its agents.
- *A gap is a gap.* A site has no totals while one of its agents is down or has not polled every unit yet. The sum of
  half a site would look like a collapse in absolute figures, and would look normal in ratios.
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
    OWNER,
    RACK,
    SELDOM,
    SITE,
    WINDOWS,
    Group,
    Rule,
    joules,
)
from grafana.sums import agent_rules, delivered, drop, known_units, rejected_units, sums, usual
from grafana.work import work


def site_groups() -> list[Group]:
    """Return the groups that run next to the agents of a site."""
    # One group, because groups are evaluated at different times: a sum must follow the check that its agents are
    # complete.
    now = [
        *agent_rules(),
        *(rule for level in (*LEVELS, OWNER) for rule in sums(level)),
        *drop(),
        *delivered(),
        *work(),
    ]
    few = (*(level for level in LEVELS if level is not RACK), OWNER)
    hour = [*(rule for level in few for rule in averages(level, "1h")), *usual()]
    day = [rule for level in few for rule in averages(level, "1d")]
    # Racks come before containers, which sum them.
    credited = [rule for level in (RACK, CONTAINER, MODEL) for rule in delivered_averages(level, "1h")]
    return [
        Group("hashsight-now", "", now),
        Group("hashsight-hour", "1m", hour),
        Group("hashsight-day", OFTEN, day),
        Group("hashsight-rack-hour", SELDOM, averages(RACK, "1h")),
        Group("hashsight-rack-day", SELDOM, averages(RACK, "1d")),
        Group("hashsight-delivered", SELDOM, [*credited, *rejected_units()]),
        Group("hashsight-units", "30s", list(known_units())),
    ]


def period_groups() -> list[Group]:
    """Return the groups of longer periods, which also run next to the agents."""
    return [
        Group(f"hashsight-{level.name}-{window}", SELDOM if level is RACK else OFTEN, averages(level, window))
        for level in LEVELS
        for window in WINDOWS[2:]
    ] + [Group("hashsight-owner-mtd", OFTEN, averages(OWNER, "mtd"))]


def _fleet_sum(level_by: str, metric: str) -> str:
    # The inner maximum deduplicates a site that two Prometheus servers report.
    inner = f"max by (site{', ' + level_by if level_by else ''}) ({metric})"
    return f"sum by ({level_by}) ({inner})" if level_by else f"sum({inner})"


def fleet_groups() -> list[Group]:
    """Return the groups that run at the central Prometheus, over the series recorded at the sites."""
    own = {"loss": "cause"}
    names = ("deployed", "operating", "uplift", "known", "loss", "accounted", "expected", EFFICIENCY[:-1])
    sums = [Rule(FLEET.total(what), _fleet_sum(own.get(what, ""), SITE.total(what))) for what in names]
    # A silent site stays in the denominator of coverage for a day.
    heard = f"last_over_time({SITE.total('deployed')}[1d])"
    unseen = f"count(max by (site) ({heard}) unless on (site) {SITE.total('deployed')})"
    sums += [
        Rule(FLEET.watts(), _fleet_sum("source", SITE.watts())),
        Rule(FLEET.watts(EFFICIENCY), _fleet_sum("", SITE.watts(EFFICIENCY))),
        joules(FLEET, FLEET.watts(EFFICIENCY), FLEET.total(EFFICIENCY[:-1]), ""),
        Rule(FLEET.total("delivered"), _fleet_sum("window", SITE.total("delivered"))),
        Rule(FLEET.total("delivered_nameplate"), _fleet_sum("window", SITE.total("delivered_nameplate"))),
        Rule(FLEET.total("diverted"), _fleet_sum("", SITE.total("diverted"))),
        Rule("fleet:mining_pool_class_units:sum", _fleet_sum("class", "site:mining_pool_class_units:sum")),
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
    """Return the text of a rule file."""
    lines = [f"# {line}".rstrip() for line in about.splitlines()]
    lines += [
        "# Generated from grafana/recording.py by `python -m grafana.generated --write`; do not edit.",
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
    """Return the text of ``grafana/rules/site.yml``."""
    return rule_file(
        site_groups(),
        "Sums and ratios of a site, its containers, racks and models: now, over the last hour and the last day.\n"
        "Evaluated next to the agents; the recorded series are sent to the fleet's Prometheus.",
    )


def periods_file() -> str:
    """Return the text of ``grafana/rules/periods.yml``."""
    return rule_file(
        period_groups(),
        "Averages and ratios of a site, its containers, racks and models over 7 and 30 days and the month to date.\n"
        "Evaluated next to the agents, over the series of site.yml.",
    )


def fleet_file() -> str:
    """Return the text of ``grafana/rules/fleet.yml``."""
    return rule_file(
        fleet_groups(),
        "Sums, averages and ratios over all sites.\n"
        "Evaluated at the central Prometheus that receives the sites' recorded series.",
    )
