"""Units that work for a stranger are named within a minute, and nobody else is; every firmware, in simulated time."""

import random
from collections.abc import Iterator, Sequence

import pytest
from polled_farm import Polled
from pool_cases import allow_list
from sim_cases import START, make_farm

from agent.site.pools.work import PoolClass, UnitWork
from agent.site.totals import site_figures
from agent.unit import registry
from simulators.farm.farm import Farm
from simulators.farm.selection import Selector
from simulators.faults.unit import FeeTurn, PoolDead, PoolHijacked, Rebooting, RestartLoop
from simulators.unit.identity import STOCK
from simulators.unit.snapshot import RUNNING
from simulators.unit.unit import Unit

PHASES = 10
NOTICED_S = 60.0
# Stock firmware restarts with new pools. If a switch came without that, only its turn would show it.
UNFORESEEN_S = 160.0
ALIKE = "S21:200=50%,T21:190=15%,S21:200/vnish=15%,S21:200/luxos=10%,S21:200/braiins=10%"


class Watched:
    """A farm whose units are polled every ten seconds, each at its own second, with its pools judged.

    Args:
        farm: The farm.
        units: Those that are polled.
        deployed: Those that count; by default the same.
    """

    def __init__(self, farm: Farm, units: list[Unit], deployed: Sequence[Unit] = ()) -> None:
        self.polled = Polled(
            deployed or units, at=START, farm=farm, reader=registry.CHOOSING, allow=allow_list(), pools_every=5
        )
        self._by_phase = [units[phase::PHASES] for phase in range(PHASES)]
        self.at = START

    def seconds(self, length_s: float) -> Iterator[float]:
        """Yield each second of a time, after the polls that are due in it."""
        until = self.at + length_s
        while self.at < until:
            for unit in self._by_phase[int(self.at) % PHASES]:
                self.polled.tracker.record(self.polled.poll(unit, self.at), clock_s=self.at)
            if int(self.at) % PHASES == 0:
                self.polled.tracker.refresh(at=self.at, clock_s=self.at)
            yield self.at
            self.at += 1.0

    def work(self, unit: Unit) -> UnitWork:
        """Return where a unit's work goes, as the agent sees it."""
        status = self.polled.tracker.status(unit.identity.unit_id)
        assert status is not None
        assert status.work is not None
        return status.work

    def diverted(self) -> set[str]:
        """Return the units that are named."""
        return {status.entry.unit_id for status in self.polled.tracker.statuses() if status.is_diverted}


def only(unit: Unit) -> Selector:
    """Return the selector of one unit."""
    return Selector(units=(unit.identity.unit_id,))


def named_after(watched: Watched, units: list[Unit], length_s: float) -> dict[str, float]:
    """Return how long after it began to work for the stranger each unit was named; no other unit may be.

    A unit whose miner process restarts with its new pools works for nobody until its boards run again.
    """
    switched: dict[str, float] = {}
    found: dict[str, float] = {}
    for at in watched.seconds(length_s):
        for unit in units:
            unit.advance(at)
            if unit.conditions.hijack is not None and unit.phase in RUNNING:
                switched.setdefault(unit.identity.unit_id, at)
        for unit_id in watched.diverted() - found.keys():
            found[unit_id] = at - switched[unit_id]
    return found


@pytest.mark.parametrize("restarts", [None, False], ids=["as the firmware does", "without a restart"])
def test_every_hijacked_unit_of_a_large_farm_is_named_within_a_minute(*, restarts: bool | None) -> None:
    """3 % of 2,000 units at random moments, and as many others beside them: each is named in time, no other one."""
    farm = make_farm(2000, mix=ALIKE)
    chosen = list(farm.units)
    random.Random(20).shuffle(chosen)
    hijacked, others = chosen[:60], chosen[60:120]
    watched = Watched(farm, [*hijacked, *others])
    chance = random.Random(21)
    for unit in hijacked:
        farm.inject(PoolHijacked(restarts=restarts), only(unit), at=START + 60.0 + 120.0 * chance.random())
    found = named_after(watched, hijacked, 320.0)
    assert found.keys() == {unit.identity.unit_id for unit in hijacked}
    stock = {unit.identity.unit_id for unit in hijacked if unit.identity.firmware == STOCK}
    assert max(after_s for unit_id, after_s in found.items() if restarts is None or unit_id not in stock) <= NOTICED_S
    assert max(found.values()) <= UNFORESEEN_S
    for unit in hijacked:
        work = watched.work(unit)
        # VNish shows no scheme; a URL without one is plain Stratum, so it reads the same.
        assert (str(work.destination), work.account) == ("stratum+tcp://pool.stranger.example:3333", "stranger")
    assert {watched.work(unit).pool_class for unit in others} == {PoolClass.LISTED}


@pytest.mark.slow
def test_every_unit_of_the_whole_farm_is_watched() -> None:
    """The same with all 2,000 units polled over ten minutes: 60 are named in time, 1,940 never."""
    farm = make_farm(2000, mix=ALIKE)
    hijacked = random.Random(22).sample(list(farm.units), 60)
    watched = Watched(farm, list(farm.units))
    chance = random.Random(23)
    for unit in hijacked:
        farm.inject(PoolHijacked(), only(unit), at=START + 60.0 + 360.0 * chance.random())
    found = named_after(watched, hijacked, 600.0)
    assert found.keys() == {unit.identity.unit_id for unit in hijacked}
    assert max(found.values()) <= NOTICED_S


def test_a_hijack_that_ends_is_over_within_a_minute() -> None:
    """The owner's pools again: nobody is named, and nothing is diverted."""
    farm = make_farm(20, mix=ALIKE)
    watched = Watched(farm, list(farm.units))
    farm.inject(PoolHijacked(), at=START + 60.0, duration_s=240.0)
    for _ in watched.seconds(240.0):
        pass
    assert len(watched.diverted()) == 20
    for _ in watched.seconds(60.0 + NOTICED_S + 60.0):
        pass
    assert watched.diverted() == set()


def _day_of_troubles(farm: Farm, *, hours: int) -> None:
    """Plan what looks like a hijack and is none: failovers, lost pools, restarts, crashes and fee turns."""
    for hour in range(hours):
        at = START + 3600.0 * hour
        for number, (fault, minute, length_s) in enumerate(
            (
                (PoolDead(pools=1), 5, 300.0),
                (PoolDead(pools=2), 14, 180.0),
                (Rebooting(), 22, 60.0),
                (RestartLoop(every_s=100.0), 30, 300.0),
                (FeeTurn(), 40, 240.0),
                (FeeTurn(), 52, 120.0),
            )
        ):
            who = Selector(share=0.6, draw=hour * 10 + number)
            farm.inject(fault, who, at=at + 60.0 * minute, duration_s=length_s, spread_s=60.0)


def _classes_of(hours: int, units: int) -> set[PoolClass]:
    farm = make_farm(units, mix=ALIKE)
    _day_of_troubles(farm, hours=hours)
    watched = Watched(farm, list(farm.units))
    seen: set[PoolClass] = set()
    for at in watched.seconds(3600.0 * hours):
        assert watched.diverted() == set(), at
        if int(at) % 7 == 0:
            seen |= {watched.work(unit).pool_class for unit in farm.units}
    return seen


def test_failovers_restarts_and_fee_turns_divert_nobody() -> None:
    """An hour of them over every firmware: listed, tolerated, idle and unknown, and never diverted."""
    assert _classes_of(1, 12) == set(PoolClass) - {PoolClass.DIVERTED}


@pytest.mark.slow
def test_a_day_of_failovers_restarts_and_fee_turns_diverts_nobody() -> None:
    """The same over a day."""
    assert _classes_of(24, 24) == set(PoolClass) - {PoolClass.DIVERTED}


def test_a_creeping_hijack_is_seen_before_a_two_hundredth_of_the_site_is_gone() -> None:
    """One unit a minute of 2,000: the site's diverted hashrate shows it with the first of them, and keeps up."""
    farm = make_farm(2000, mix="S21:200=100%")
    creeping = list(farm.units)[:10]
    watched = Watched(farm, creeping, farm.units)
    watched.polled.sweep(START)
    for number, unit in enumerate(creeping):
        farm.inject(PoolHijacked(), only(unit), at=START + 60.0 * (number + 1))
    seen_at = None
    for at in watched.seconds(720.0):
        if int(at) % 10 == 0:
            figures = site_figures(watched.polled.tracker.statuses(), at)
            assert figures.site.diverted_hs is not None
            gone_hs = sum(unit.hashrate_hs(at) for unit in creeping if unit.conditions.hijack is not None)
            if seen_at is None and figures.site.diverted_hs:
                seen_at = at
                assert gone_hs < 0.005 * figures.site.operating_hs
    assert seen_at is not None
    assert seen_at <= START + 60.0 + NOTICED_S
    assert len(watched.diverted()) == 10
