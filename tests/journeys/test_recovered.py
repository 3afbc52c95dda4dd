"""Whole restarts of an agent in simulated time: what it says of the time that it missed, against the truth."""

from contextlib import closing
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from facts_site import START, Site

from agent.history.reader import read_history
from agent.statement.check import verify
from agent.statement.period import parse_period
from agent.statement.statement import Statement, state
from agent.unit import registry

BEFORE_S, AFTER_S = 1200.0, 900.0
CUT_S = 36 * 60.0
PERIOD = parse_period("2026-01", ZoneInfo("UTC"))


def recovered(site: Site) -> dict[str, Any]:
    """Return the body of the one recovered fact."""
    (fact,) = site.facts("recovered")
    return dict(fact.body)


def units_of(body: dict[str, Any]) -> tuple[int, int, int, int]:
    """Return how many units hashed through, were restarted, did no work, and are unknown."""
    return body["units"], body["restarted_units"], body["still_units"], body["unknown_units"]


def stated(site: Site) -> Statement:
    """Return the month to date, which its history confirms."""
    with closing(read_history(site.history)) as reader:
        statement = state(reader, PERIOD, now=site.now)
        assert verify(statement, reader, PERIOD) == []
    return statement


@pytest.mark.parametrize("is_killed", [True, False])
async def test_units_that_hash_through_are_recovered(tmp_path: Path, *, is_killed: bool) -> None:
    """The gateway is off for 36 minutes while all units hash: counters prove it within 3 %, beside the floor."""
    site = Site(tmp_path, units=60)
    async with site.agent(is_killed=is_killed) as first:
        await first.watch(BEFORE_S)
    site.leap(CUT_S)
    async with site.agent() as second:
        await second.watch(AFTER_S)
    body = recovered(site)
    assert units_of(body) == (60, 0, 0, 0)
    assert body["hashes"] == pytest.approx(site.true_hashes(body["from"], body["until"]), rel=0.03)
    assert body["hashes"] <= body["deployed_hashes"]
    # A kill takes the minute with it that was open.
    begin = START + BEFORE_S - (60 if is_killed else 0)
    assert (body["from"], body["until"]) == (begin, START + BEFORE_S + CUT_S + 30)
    (gap,) = site.facts("gap")
    assert gap.body == {
        "from": body["from"],
        "until": body["until"],
        "reason": "crash" if is_killed else "planned stop",
    }
    figures = stated(site).figures
    floor, floor_recovered = (
        figures.operational_efficiency_floor_ratio,
        figures.operational_efficiency_floor_recovered_ratio,
    )
    assert floor is not None
    assert floor_recovered == pytest.approx(1.0, abs=0.03)
    assert floor < 0.55


async def test_a_power_cut_that_takes_everything_recovers_nothing(tmp_path: Path) -> None:
    """Gateway and units lose power together; what starts after that did not hash before."""
    site = Site(tmp_path)
    async with site.agent(is_killed=True) as first:
        await first.watch(BEFORE_S)
    site.inject("power_off", seconds=CUT_S)
    site.leap(CUT_S)
    async with site.agent() as second:
        await second.watch(AFTER_S)
    body = recovered(site)
    assert body["hashes"] == 0.0
    assert body["units"] == 0
    assert stated(site).figures.recovered_hs == 0.0


async def test_units_that_were_restarted_count_from_their_start(tmp_path: Path) -> None:
    """Half the units restart 12 minutes into the gap: their old counters are gone, and the new ones prove the rest."""
    site = Site(tmp_path, units=60)
    async with site.agent(is_killed=True) as first:
        await first.watch(BEFORE_S)
    site.leap(720.0)
    restarted_at = site.now
    site.inject("power_off", "share=50%", seconds=60.0)
    site.leap(CUT_S - 720.0)
    async with site.agent() as second:
        await second.watch(AFTER_S)
    body = recovered(site)
    assert units_of(body) == (30, 30, 0, 0)
    true = site.true_hashes(body["from"], body["until"])
    # Nothing is proven of what the restarted half did before.
    unproven = body["deployed_hashes"] / 2 * (restarted_at - body["from"]) / (body["until"] - body["from"])
    assert body["hashes"] == pytest.approx(true - unproven, rel=0.03)
    assert body["hashes"] < true


async def test_units_asleep_did_no_work(tmp_path: Path) -> None:
    """Units that sleep through the gap add nothing; asleep, stock firmware tells no uptime to go by (O62)."""
    site = Site(tmp_path)
    site.inject("asleep", "share=50%")
    async with site.agent(is_killed=True) as first:
        await first.watch(BEFORE_S)
    site.leap(CUT_S)
    async with site.agent() as second:
        await second.watch(AFTER_S)
    body = recovered(site)
    assert units_of(body) == (20, 0, 0, 20)
    assert body["hashes"] == pytest.approx(site.true_hashes(body["from"], body["until"]), rel=0.03)


async def test_other_firmware_is_recovered_where_its_counter_is_known(tmp_path: Path) -> None:
    """LuxOS, Braiins OS and VNish count accepted difficulty; ePIC counts shares of no known difficulty."""
    mix = "S21:200=20%,S21:200/luxos=20%,S21:200/braiins=20%,S21:200/vnish=20%,S21:200/epic=20%"
    site = Site(tmp_path, units=50, mix=mix)
    async with site.agent(is_killed=True, reader=registry.CHOOSING) as first:
        await first.watch(BEFORE_S)
    site.leap(CUT_S)
    async with site.agent(reader=registry.CHOOSING) as second:
        await second.watch(AFTER_S)
    body = recovered(site)
    assert units_of(body) == (40, 0, 0, 10)
    # The firmware's own share of the work goes to its maker, and is in no counter of the owner's.
    assert 0.8 * 0.93 < body["hashes"] / site.true_hashes(body["from"], body["until"]) < 0.8 * 1.02


async def test_a_switch_of_pools_in_the_gap_loses_nothing(tmp_path: Path) -> None:
    """The first pool dies in the gap and the second takes over: the counter is over all pools (D340)."""
    site = Site(tmp_path)
    async with site.agent(is_killed=True) as first:
        await first.watch(BEFORE_S)
    site.leap(CUT_S / 2)
    site.inject("pool_dead", pools=1)
    site.leap(CUT_S / 2)
    async with site.agent() as second:
        await second.watch(AFTER_S)
    body = recovered(site)
    assert units_of(body) == (40, 0, 0, 0)
    assert body["hashes"] == pytest.approx(site.true_hashes(body["from"], body["until"]), rel=0.03)


async def test_a_short_gap_is_left_alone(tmp_path: Path) -> None:
    """Four minutes are neither listed nor recovered."""
    site = Site(tmp_path)
    for _ in range(2):
        async with site.agent(is_killed=True) as process:
            await process.watch(BEFORE_S)
        site.leap(180.0)
    assert site.facts("gap", "recovered") == []


async def test_a_crash_before_the_answer_loses_nothing(tmp_path: Path) -> None:
    """The second process is killed after one round, with nothing written: the third has the first's counters still."""
    site = Site(tmp_path)
    async with site.agent(is_killed=True) as first:
        await first.watch(BEFORE_S)
    site.leap(CUT_S)
    async with site.agent(is_killed=True) as second:
        await second.watch(30.0)
    assert site.facts("recovered") == []
    site.leap(CUT_S)
    async with site.agent() as third:
        await third.watch(AFTER_S)
    body = recovered(site)
    assert (body["from"], units_of(body)) == (START + BEFORE_S - 60, (40, 0, 0, 0))
    assert body["hashes"] == pytest.approx(site.true_hashes(body["from"], body["until"]), rel=0.03)


async def test_a_stop_before_the_answer_tells_what_is_known(tmp_path: Path) -> None:
    """An orderly stop after a few rounds: units whose counter was not read again are unknown, the others count."""
    site = Site(tmp_path)
    async with site.agent() as first:
        await first.watch(BEFORE_S)
    site.leap(CUT_S)
    site.inject("power_off", "share=25%")
    async with site.agent() as second:
        await second.watch(60.0)
    body = recovered(site)
    assert units_of(body) == (30, 0, 0, 10)
    # The silent quarter is not the heaviest.
    assert 0.7 < body["hashes"] / body["deployed_hashes"] < 0.77
