"""Rules for current values: sums by place, their ratios, and the levels that alerts compare with."""

from collections.abc import Iterator

from grafana.levels import (
    AGENT_SITES,
    AGENT_STANDBYS,
    AGENTS_DOUBLED,
    AGENTS_INCOMPLETE,
    CHIP,
    DARK_BELOW,
    DARK_BEYOND_POOLS,
    EFFICIENCY,
    EXCUSED_AFTER,
    HASHRATE,
    SITE,
    SOURCES,
    Level,
    Rule,
    joules,
)


def _summed(labels: str, metric: str) -> str:
    """Return the sum over a site's agents, each of its units once, however many of two agents publish it."""
    return f"sum by ({labels}) ({metric} unless on (job, instance) {AGENTS_DOUBLED})"


def _whole(labels: str, metric: str) -> str:
    return f"{_summed(labels, metric)}\nunless on (site) {AGENTS_INCOMPLETE}"


def agent_rules() -> Iterator[Rule]:
    """Yield the rules that find sites with a missing agent."""
    # The site of an agent, kept while it is a scrape target: an agent that is down does not report it.
    yield Rule(
        AGENT_SITES,
        "max by (job, instance, site) (miner_agent_build_info)\n"
        f"or on (job, instance) ({AGENT_SITES} and on (job, instance) up)",
    )
    deployed, operating = f"mining_site_deployed_{HASHRATE}", f"mining_site_operating_{HASHRATE}"
    # Kept likewise. A standby exports the site only while it has taken over.
    yield Rule(
        AGENT_STANDBYS,
        'max by (job, instance) (miner_agent_active{role="standby"})\n'
        f"or on (job, instance) ({AGENT_STANDBYS} and on (job, instance) up)",
    )
    stand_in = f"({operating} and on (job, instance) {AGENT_STANDBYS})"
    # When each standby that has taken over began to run: of several, the figures of the oldest count.
    stand_in_sites = f"({AGENT_SITES} and on (job, instance) {stand_in})"
    started = f"process_start_time_seconds * on (job, instance) group_left (site) {stand_in_sites}"
    # Of two agents that export one site, the primary's figures count, unless it has none.
    yield Rule(
        AGENTS_DOUBLED,
        "max by (job, instance, site) (\n"
        f"  ({deployed} and on (job, instance) {AGENT_STANDBYS})\n"
        f"  and on (site) ({operating} unless on (job, instance) {AGENT_STANDBYS})\n"
        "  or\n"
        f"  ({deployed} unless on (job, instance) {operating})\n"
        f"  and on (site) {stand_in}\n"
        "  or\n"
        f"  ({started})\n"
        f"  > on (site) group_left min by (site) ({started})\n"
        ")",
    )
    yield Rule(
        AGENTS_INCOMPLETE,
        "count by (site) (\n"
        f"  ((up == 0) * on (job, instance) group_left (site) {AGENT_SITES}\n"
        f"    unless on (job, instance) {AGENT_STANDBYS})\n"
        "  or\n"
        f"  ({deployed} unless on (site, job, instance) {operating})\n"
        f")\nunless on (site) {stand_in}",
    )


def sums(level: Level) -> list[Rule]:
    """Return all rules for the current values of a level."""
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
    # The agent leaves out a source without a value. Without these zeros an average would cover only the time with one.
    nothing = f"0 * {_summed(level.by, f'{raw}_deployed_{HASHRATE}')}"
    zeros = [f'or label_replace({nothing}, "source", "{source}", "", "")' for source in SOURCES]
    lines = [_summed(f"{level.by}, source", f"{raw}_power_watts"), *zeros]
    power = "\n".join(["(", *(f"  {line}" for line in lines), ")"])
    yield Rule(level.watts(), f"{power}\nunless on (site) {AGENTS_INCOMPLETE}")
    yield Rule(level.watts(EFFICIENCY), _whole(level.by, f"{raw}_{EFFICIENCY}power_watts"))
    yield Rule(level.total(EFFICIENCY[:-1]), _whole(level.by, f"{raw}_{EFFICIENCY}{HASHRATE}"))
    speaks_for = level.total(f"{EFFICIENCY}nameplate")
    yield Rule(speaks_for, _whole(level.by, f"{raw}_{EFFICIENCY}nameplate_{HASHRATE}"))
    yield joules(level, level.watts(EFFICIENCY), level.total(EFFICIENCY[:-1]), "")
    yield Rule(
        f"{level.name}:mining_{EFFICIENCY}nameplate_per_deployed:ratio", f"{speaks_for}\n/\n{level.total('deployed')}"
    )
    if level.has_curtailment:
        # Compared only while both exist: a meter that stops reporting must not look like one that reads low.
        metered, units = (_summed(level.by, f"{raw}_{whose}_power_watts") for whose in ("metered", "units"))
        yield Rule(level.watts("metered_"), f"{metered}\nunless on (site) {AGENTS_INCOMPLETE}")
        yield Rule(level.watts("units_"), f"({units} and {metered})\nunless on (site) {AGENTS_INCOMPLETE}")


def delivered() -> Iterator[Rule]:
    """Yield the site's delivered hashrate and the nameplate of the units that report it."""
    for what in ("delivered", "delivered_nameplate"):
        yield Rule(SITE.total(what), _whole("site, window", f"mining_site_{what}_{HASHRATE}"))


def _curtailment(level: Level, raw: str) -> Iterator[Rule]:
    name, deployed = level.name, level.total("deployed")
    active = f"{name}:mining_curtailment_active:max"
    nameplate, target = level.total("curtailment_nameplate"), level.total("curtailment_target")
    yield Rule(
        active,
        f"max by ({level.by}) ({raw}_curtailment_active unless on (job, instance) {AGENTS_DOUBLED})\n"
        f"unless on (site) {AGENTS_INCOMPLETE}",
    )
    yield Rule(nameplate, _whole(level.by, f"{raw}_curtailment_nameplate_{HASHRATE}"))
    yield Rule(target, _whole(level.by, f"{raw}_curtailment_target_{HASHRATE}"))
    hashing = level.total("curtailment_operating")
    yield Rule(hashing, _whole(level.by, f"{raw}_curtailment_operating_{HASHRATE}"))
    yield Rule(level.total("expected"), f"{deployed}\n- {nameplate}\n+ {target}")
    yield Rule(
        f"{name}:mining_curtailment_stragglers:sum",
        _whole(level.by, f"{raw}_curtailment_stragglers"),
    )
    yield Rule(f"{name}:mining_units_not_restored:sum", _whole(level.by, f"{raw}_units_not_restored"))
    # Accounted for: hashing, curtailed, or starting after a curtailment. In H/s it stays level through a curtailment,
    # and its ratio to deployed stays finite when almost everything is curtailed.
    lost = level.total("loss")
    yield Rule(
        level.total("accounted"),
        f"{level.total('operating')}\n"
        f'+ sum without (cause) ({lost}{{cause="curtailed"}})\n'
        f'+ sum without (cause) ({lost}{{cause="starting"}}) * max_over_time({active}[{EXCUSED_AFTER}])',
    )
    yield from _dark(level, raw)


def _dark(level: Level, raw: str) -> Iterator[Rule]:
    """Yield what a place loses to dead pools, and what else it misses if it is dark and was not declared."""
    name, deployed, lost = level.name, level.total("deployed"), level.total("loss")
    units, poolless = f"{name}:mining_poolless_units:sum", level.total("poolless")
    yield Rule(units, _whole(level.by, f'{raw}_reason_units{{reason="no_pool_alive"}}'))
    stopped = f'sum without (state) ({name}:mining_units:sum{{state="stopped"}})'
    yield Rule(poolless, f'sum without (cause) ({lost}{{cause="stopped"}})\n* clamp_max({units} / {stopped}, 1)')
    declared = f'sum without (cause) ({lost}{{cause="maintenance"}})'
    yield Rule(
        level.total("dark"),
        f"({deployed} - {level.total('accounted')} - ({poolless} or 0 * {deployed}))\n"
        f"> {DARK_BEYOND_POOLS[name]} * {deployed}\n"
        f"and ({level.total('accounted')} + {declared}) < {DARK_BELOW} * {deployed}",
    )


def drop() -> Iterator[Rule]:
    """Yield the figures for the alert on a sudden drop, without dark containers and dead pools: they have their own."""
    steady, deployed, accounted = SITE.total("steady"), SITE.total("deployed"), SITE.total("accounted")
    dark = f"sum by (site) (container:mining_dark_{HASHRATE}:sum)"
    explained = (f"({each} or 0 * {accounted})" for each in (dark, SITE.total("poolless")))
    yield Rule(steady, "\n+ ".join((accounted, *explained)))
    yield Rule("site:mining_steady_per_deployed:ratio", f"{steady}\n/\n{deployed}")


def usual() -> Iterator[Rule]:
    """Yield the usual level of a site, for the alert on a sudden drop."""
    # The median of a day: an outage shorter than half a day does not become the usual level, and a peak never does.
    for total in (SITE.total("steady"), "site:mining_steady_per_deployed:ratio"):
        name, _, operation = total.rpartition(":")
        yield Rule(f"{name}:{operation}_median1d", f"quantile_over_time(0.5, {total}[1d])")


UNIT_KEYS = "site, container, unit"
KNOWN_UNITS, KNOWN_LOSSES = "unit:miner_info:known", f"unit:miner_loss_{HASHRATE}:known"
LARGE_LOSSES = f"unit:miner_large_loss_{HASHRATE}:known"
HOTTEST_CHIPS = "unit:miner_board_chip_temperature_celsius:max"
SLOWEST_FANS, REJECTED_UNITS = "unit:miner_fan_speed_rpm:min", "unit:miner_difficulty_rejected:ratio1h"
_IDENTITY = "rack, slot, model, make, reader, firmware, host"
LARGE_RATIO = 0.01
"""A loss below this share of a unit's nameplate is not listed."""


def _once(labels: str, metric: str, how: str = "max") -> str:
    """Return one series a unit, however many of two agents publish it."""
    by = f"{UNIT_KEYS}, {labels}" if labels else UNIT_KEYS
    return f"{how} by ({by}) ({metric} unless on (job, instance) {AGENTS_DOUBLED})"


def _one(expr: str) -> str:
    return f"topk by ({UNIT_KEYS}) (1, {expr})"


def _known(expr: str) -> str:
    return f"{expr}\n* on ({UNIT_KEYS}) group_left ({_IDENTITY}, state) {KNOWN_UNITS}"


def known_units() -> Iterator[Rule]:
    """Yield the rules that give each unit, and what lists of units rank it by, all labels that lists filter by.

    Without them every column of a list joins identity, state and figures of all units again. A unit that two agents
    publish in two states, or under two names, has one row: a second one would be an error, and end the lists of all
    units of all sites.
    """
    identity, state = (_one(_once(*each)) for each in ((_IDENTITY, "miner_info"), ("state", "miner_state")))
    yield Rule(KNOWN_UNITS, f"{identity}\n* on ({UNIT_KEYS}) group_left (state) {state}")
    yield Rule(KNOWN_LOSSES, _known(_once("cause", f"miner_loss_{HASHRATE}")))
    nameplate = _once("", f"miner_nameplate_{HASHRATE}")
    yield Rule(LARGE_LOSSES, f"{KNOWN_LOSSES}\n> on ({UNIT_KEYS}) group_left () ({LARGE_RATIO:g} * {nameplate})")
    yield Rule(HOTTEST_CHIPS, _known(_once("", "miner_board_chip_temperature_celsius")))
    yield Rule(SLOWEST_FANS, _known(_once("", "miner_fan_speed_rpm", "min")))
    yield from _temperatures()


def _temperatures() -> Iterator[Rule]:
    """Yield the rules for the hottest chips of containers and racks, and what all but a twentieth stay below."""
    yield Rule(f"container:{CHIP}:max", f"max by (site, container) ({HOTTEST_CHIPS})")
    yield Rule(f"container:{CHIP}:p95", f"quantile by (site, container) (0.95, {HOTTEST_CHIPS})")
    yield Rule(f"rack:{CHIP}:max", f"max by (site, container, rack) ({HOTTEST_CHIPS})")


def rejected_units() -> Iterator[Rule]:
    """Yield the rule for the share of each unit's work that its pools rejected in the last hour, by difficulty."""

    def rate(result: str) -> str:
        return f"max by ({UNIT_KEYS}) (rate(miner_difficulty_{result}_total[1h]))"

    share = f"{rate('rejected')}\n/\n(({rate('accepted')} + {rate('rejected')}) > 0)"
    yield Rule(REJECTED_UNITS, _known(f"(\n{share}\n)"))
