"""Sums by where work goes, and diverted hashrate in the figures of every group."""

import msgspec
from exporter_cases import entry, gone_silent, reading, status

from agent.site.ledger.entries import NO_OWNER, Place
from agent.site.pools.figures import PoolFigures
from agent.site.pools.work import PoolClass, UnitWork
from agent.site.status import UnitStatus
from agent.site.totals import site_figures

AT = 1_763_674_560.0
RATE_HS = 198e12


def worked(
    unit_id: str, pool_class: PoolClass, name: str | None = None, owner: str = "", rack: str = "R1"
) -> UnitStatus:
    """Return a unit that hashes, with where its work goes."""
    declared = entry(unit_id, owner=owner, place=Place(container="C1", rack=rack, slot=unit_id))
    work = UnitWork(pool_class=pool_class, entry=name, since=AT)
    return msgspec.structs.replace(status(declared, reading(unit_id)), work=work)


def test_where_nothing_is_judged_no_figure_says_so() -> None:
    """None, not zero: without a list nobody knows whether work is diverted."""
    figures = site_figures([status(entry(), reading())], AT)
    assert figures.pools is None
    assert (figures.site.diverted_units, figures.site.diverted_hs) == (None, None)
    assert figures.by_container["C1"].diverted_hs is None
    assert figures.by_owner == {}


def test_diverted_hashrate_is_part_of_operating_in_every_group() -> None:
    """Site, container, rack, model and owner: what works elsewhere operates, and is in no loss."""
    units = [
        worked("a", PoolClass.LISTED, "own", owner="North"),
        worked("b", PoolClass.DIVERTED, owner="North"),
        worked("c", PoolClass.DIVERTED, owner="South", rack="R2"),
        worked("d", PoolClass.TOLERATED, "fee"),
    ]
    before = site_figures([msgspec.structs.replace(unit, work=None) for unit in units], AT)
    figures = site_figures(units, AT)
    assert (figures.site.diverted_units, figures.site.diverted_hs) == (2, 2 * RATE_HS)
    assert figures.site.operating_hs == before.site.operating_hs == 4 * RATE_HS
    assert figures.site.losses_hs == before.site.losses_hs
    assert figures.by_container["C1"].diverted_hs == figures.by_model["S21"].diverted_hs == 2 * RATE_HS
    assert [figures.by_rack["C1", rack].diverted_hs for rack in ("R1", "R2")] == [RATE_HS, RATE_HS]
    assert {name: (sums.units, sums.diverted_hs) for name, sums in figures.by_owner.items()} == {
        "North": (2, RATE_HS),
        "South": (1, RATE_HS),
        NO_OWNER: (1, 0.0),
    }


def test_units_and_hashrate_are_summed_by_class_and_by_entry() -> None:
    """Every class has a key; an entry has one if a unit matches it."""
    units = [
        worked("a", PoolClass.LISTED, "own"),
        worked("b", PoolClass.LISTED, "own"),
        worked("c", PoolClass.TOLERATED, "fee"),
        worked("d", PoolClass.TOLERATED),
        worked("e", PoolClass.IDLE),
    ]
    units.append(msgspec.structs.replace(gone_silent("f"), work=UnitWork(pool_class=PoolClass.UNKNOWN, since=AT)))
    assert site_figures(units, AT).pools == PoolFigures(
        units_by_class={
            PoolClass.LISTED: 2,
            PoolClass.TOLERATED: 2,
            PoolClass.DIVERTED: 0,
            PoolClass.IDLE: 1,
            PoolClass.UNKNOWN: 1,
        },
        hs_by_class={
            PoolClass.LISTED: 2 * RATE_HS,
            PoolClass.TOLERATED: 2 * RATE_HS,
            PoolClass.DIVERTED: 0.0,
            PoolClass.IDLE: RATE_HS,
            PoolClass.UNKNOWN: 0.0,
        },
        units_by_entry={"fee": 1, "own": 2},
        hs_by_entry={"fee": RATE_HS, "own": 2 * RATE_HS},
    )


def test_a_diverted_unit_that_is_silent_counts_without_hashrate() -> None:
    """It is named, and what it hashes now is not known."""
    silent = msgspec.structs.replace(gone_silent("a"), work=UnitWork(pool_class=PoolClass.DIVERTED, since=AT))
    figures = site_figures([silent], AT)
    assert (figures.site.diverted_units, figures.site.diverted_hs) == (1, 0.0)
