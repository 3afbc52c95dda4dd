"""Rules for averages over periods and their ratios, the same at every level.

Averages over more than a day are means of the hourly means, taken on the hour. That reads 720 samples for 30 days
instead of 170,000, which matters with 500 racks, and sums of averages stay averages of sums. A partly watched hour
weighs as much as a whole one. Months are calendar months in UTC, the only ones Prometheus knows. The figure to publish
comes from the statement, in the site's time zone.

For a site, delivered hashrate is the agent's figure: the agent knows when units restarted or were exchanged. Below a
site it is computed hourly from the units' own counters, and only while the agent reports the site's figure.
"""

from collections.abc import Iterator

from grafana.levels import (
    AGENTS_DOUBLED,
    AGENTS_INCOMPLETE,
    CONTAINER,
    EFFICIENCY,
    HASHES_PER_DIFFICULTY,
    HASHRATE,
    OWNER,
    RACK,
    SITE,
    Level,
    Rule,
    joules,
)

_MONTH = 'count_values("month", year(vector(time() - 1)) * 100 + month(vector(time() - 1)))'


def average(total: str, window: str) -> Rule:
    """Return the rule for the average of a recorded sum over one of `levels.WINDOWS`."""
    stem = total.removesuffix(":sum")
    hourly = f"{stem}:avg1h"
    if window in {"1h", "1d"}:
        expr = f"avg_over_time({total}[{window}])"
    elif window == "mtd":
        # An hour belongs to the month in which it began, so the first hour of a month has no value.
        expr = (
            "sum without (month) (\n"
            f"  avg_over_time((\n    {hourly}\n    * on () group_left (month) {_MONTH}\n  )[31d:1h])\n"
            f"  and on (month) {_MONTH}\n"
            ")"
        )
    else:
        expr = f"avg_over_time({hourly}[{window}:1h])"
    return Rule(f"{stem}:avg{window}", expr)


def _delivered_average(level: Level, what: str, window: str) -> Rule:
    """Return the rule for delivered hashrate over a period, or for the nameplate of the units that report it."""
    record, hourly = level.average(what, window), level.average(what, "1h")
    if level is SITE and window in {"1h", "1d"}:
        label = {"1h": "1h", "1d": "24h"}[window]
        expr = f'sum without (window) ({SITE.total(what)}{{window="{label}"}})'
    elif level is CONTAINER and window == "1h":
        expr = f"sum by ({level.by}) ({RACK.average(what, window)})"
    elif window == "1h":
        once = f"unless on (job, instance) {AGENTS_DOUBLED}"
        counted = f"(rate(miner_difficulty_accepted_total[1h]) {once})"
        if what == "delivered":
            each, factor = counted, f"{HASHES_PER_DIFFICULTY} * "
        else:
            each, factor = f"(miner_nameplate_{HASHRATE} {once} and on (site, container, unit) {counted})", ""
        placed = f"{each}\n  * on (site, container, unit) group_left ({level.labels[-1]}) (miner_info {once})"
        expr = (
            f"{factor}sum by ({level.by}) (\n  {placed}\n)\n"
            f'and on (site) {SITE.total(what)}{{window="1h"}}\nunless on (site) {AGENTS_INCOMPLETE}'
        )
    elif window == "1d":
        expr = f"avg_over_time({hourly}[1d:1h])"
    else:
        return average(level.total(what), window)
    return Rule(record, expr)


def delivered_averages(level: Level, window: str) -> Iterator[Rule]:
    """Yield delivered hashrate over a period, the nameplate it covers, and its ratio to reported hashrate."""
    for what in ("delivered", "delivered_nameplate"):
        yield _delivered_average(level, what, window)
    yield delivered_ratio(level, window)


def delivered_ratio(level: Level, window: str) -> Rule:
    """Return the ratio of delivered to reported hashrate, each per nameplate of the units that have it."""
    delivered, nameplate = (level.average(what, window) for what in ("delivered", "delivered_nameplate"))
    return Rule(
        f"{level.name}:mining_delivered_per_operating:ratio{window}",
        f"(\n  {delivered}\n  / ({nameplate} > 0)\n)\n/ ({level.name}:mining_operating_per_deployed:ratio{window} > 0)",
    )


def ratios(level: Level, window: str) -> Iterator[Rule]:
    """Yield the ratios of averages over a period."""
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
    yield joules(level, watts, level.average(EFFICIENCY[:-1], window), window)
    if level.has_curtailment:
        accounted = level.average("accounted", window)
        yield Rule(f"{level.name}:mining_accounted_per_deployed:ratio{window}", f"{accounted}\n/\n{deployed}")


def _watched(window: str) -> Iterator[Rule]:
    """Yield the share of a period with site figures, and coverage with unwatched time counted as unknown."""
    watched, hourly = (f"site:mining_watched:ratio{name}" for name in (window, "1h"))
    total = SITE.total("deployed")
    if window == "1h":
        seen, passed = f"count_over_time({total}[1h:1m])", "count_over_time(vector(1)[1h:1m])"
    elif window == "mtd":
        seen = f"sum_over_time(({hourly} * on () group_left (month) {_MONTH})[31d:1h]) and on (month) {_MONTH}"
        passed = f"count_over_time({_MONTH}[31d:1h]) and on (month) {_MONTH}"
    else:
        # Hours without any data count in `passed` but not in `seen`.
        seen, passed = f"sum_over_time({hourly}[{window}:1h])", f"count_over_time(vector(1)[{window}:1h])"
    yield Rule(watched, f"sum by (site) (\n  {seen}\n)\n/ on () group_left ()\nsum(\n  {passed}\n)")
    yield Rule(f"site:mining_coverage:ratio{window}", f"site:mining_known_per_deployed:ratio{window}\n* {watched}")


def averages(level: Level, window: str) -> list[Rule]:
    """Return all rules of a level over a period; hourly delivered hashrate below a site has its own group."""
    rules = [average(level.total(what), window) for what in level.averaged()]
    rules += [average(level.watts(what), window) for what in ("", EFFICIENCY)]
    rules += ratios(level, window)
    if level.has_curtailment and window == "1d":
        metered, units = (average(level.watts(whose), window) for whose in ("metered_", "units_"))
        ratio = f"{level.name}:mining_metered_per_units_power:ratio{window}"
        rules += [metered, units, Rule(ratio, f"{metered.record}\n/\n({units.record} > 0)")]
    if level is SITE:
        rules += _watched(window)
    if level is SITE or (window != "1h" and level is not OWNER):
        rules += delivered_averages(level, window)
    return rules
