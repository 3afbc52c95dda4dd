"""A farm: mixture, places, addresses, troubles, selectors, injections, ledger and truth."""

import csv
import io
import json
import math
from collections import Counter
from importlib import resources

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sim_cases import START, make_farm

from simulators.farm.clock import ClockError, SimClock
from simulators.farm.farm import LEDGER_COLUMNS, Farm
from simulators.farm.plan import FarmError, FarmPlan, Troubles, addresses, read_mix, read_owners, read_share
from simulators.farm.selection import Selector, read_selector, select
from simulators.farm.truth import farm_truth
from simulators.faults.unit import AddressSwapped, Asleep, DeadBoard, PowerOff
from simulators.unit.models import LayoutGrade, ModelError, farmable_models, find_model
from simulators.unit.snapshot import Phase

SITE_MIX = "S21:200=60%,T21:190=40%"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_default_farm_stands_near_92_percent_because_of_its_troubles(seed: int) -> None:
    """300 warm units hash at 91.5 to 92.8 % of nameplate; without troubles, above 101 %."""
    farm = Farm(FarmPlan(seed=seed), SimClock(start=START, speed=0.0))
    assert 0.915 < farm.operating_hs(START + 600.0) / farm.deployed_hs < 0.928
    healthy = make_farm(300, seed=seed, mix=SITE_MIX, containers=3)
    assert healthy.operating_hs(START) / healthy.deployed_hs > 1.01


def test_a_mixture_is_exact_to_the_unit() -> None:
    """60 % and 40 % of 300 are 180 and 120; troubles are as many as planned, at most one a unit."""
    farm = Farm(FarmPlan(seed=4), SimClock(start=START, speed=0.0))
    assert Counter(unit.identity.model.name for unit in farm.units) == {"S21": 180, "T21": 120}
    faults = Counter(type(fault).__name__ for unit in farm.units for _, fault in unit.faults)
    assert faults == {"PowerOff": 12, "Asleep": 9, "DeadBoard": 15, "MissingChips": 9, "HashrateDrift": 9}
    assert max(len(unit.faults) for unit in farm.units) == 1
    phases = Counter(unit.phase for unit in farm.units)
    assert phases[Phase.OFF] == 12
    assert phases[Phase.ASLEEP] == 9
    assert sum(1 for unit in farm.units if unit.phase is not Phase.OFF and unit.snapshot(START).elapsed_s < 240) == 3


def test_places_fill_containers_and_racks_in_order() -> None:
    """45 units fill two containers with 23 and 22, in racks of twenty with slots from 1, and ids show the place."""
    farm = make_farm(45, containers=2)
    assert Counter(unit.identity.container for unit in farm.units) == {"C1": 23, "C2": 22}
    assert Counter(unit.identity.rack for unit in farm.units) == {"C1-R01": 20, "C1-R02": 3, "C2-R01": 20, "C2-R02": 2}
    assert farm.units[0].identity.unit_id == "C1-R01-01"
    assert farm.units[22].identity.unit_id == "C1-R02-03"
    assert len({unit.identity.unit_id for unit in farm.units}) == 45


def test_addresses_leave_out_0_and_255() -> None:
    """127.10.0.253 and .254 are followed by .1 of the next network."""
    numbers = addresses("127.10.0.253")
    assert [f"{next(numbers):x}" for _ in range(4)] == ["7f0a00fd", "7f0a00fe", "7f0a0101", "7f0a0102"]


def test_identities_are_unique_and_look_like_the_recorded_ones() -> None:
    """Serials have 17 characters and MACs are locally administered; none repeats in 2,000 units."""
    units = make_farm(2000).units
    for what in ("serial", "mac", "miner_id", "host"):
        assert len({getattr(unit.identity, what) for unit in units}) == 2000
    assert {len(unit.identity.serial) for unit in units} == {17}
    assert {len(unit.identity.board_serials[2]) for unit in units} == {17}
    assert all(unit.identity.mac.startswith("02:") and len(unit.identity.mac) == 17 for unit in units)


def test_the_ledger_lists_every_unit_as_simulated() -> None:
    """The columns are the agent's; the port is part of the host unless it is 4028."""
    farm, plain, odd = make_farm(25, mix=SITE_MIX), io.StringIO(), io.StringIO()
    farm.write_ledger(plain)
    farm.write_ledger(odd, port=14028)
    rows = list(csv.DictReader(io.StringIO(plain.getvalue())))
    assert tuple(rows[0]) == LEDGER_COLUMNS
    first = farm.units[0].identity
    assert rows[0] == {
        "unit_id": "C1-R01-01",
        "model": first.model.name,
        "hashrate_th": f"{first.model.hashrate_th:g}",
        "host": "127.77.0.1",
        "container": "C1",
        "rack": "C1-R01",
        "slot": "1",
        "deployed_from": "2025-01-01",
        "deployed_to": "",
        "status": "deployed",
        "serial": first.serial,
        "mac": first.mac,
        "simulated": "yes",
    }
    assert next(csv.DictReader(io.StringIO(odd.getvalue())))["host"] == "127.77.0.1:14028"


def test_owners_have_their_shares_of_the_units_in_order() -> None:
    """A quarter is North's, half South's, the rest the site's own, in ledger and truth; without owners in neither."""
    plan = FarmPlan(units=20, seed=1, containers=1, owners=read_owners("North=25%, South & Sons=50%"))
    farm, text = Farm(plan, SimClock(start=START, speed=0.0)), io.StringIO()
    farm.write_ledger(text)
    owners = [row["owner"] for row in csv.DictReader(io.StringIO(text.getvalue()))]
    assert owners == ["North"] * 5 + ["South & Sons"] * 10 + [""] * 5
    truth = farm_truth(farm, START + 600.0)
    assert {name: sums["units"] for name, sums in truth["owners"].items()} == {"": 5, "North": 5, "South & Sons": 10}
    assert [unit["owner"] for unit in truth["units"]] == owners
    for name in ("deployed_hs", "hashrate_hs", "power_watts"):
        whole = truth["site"][name]  # type: ignore[literal-required]
        assert math.isclose(sum(sums[name] for sums in truth["owners"].values()), whole)  # type: ignore[literal-required]
    assert len(select(farm.units, read_selector("owner=North"), 1)) == 5
    assert farm_truth(make_farm(3), START)["owners"] == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("North", "owner 'North' is not of the form NAME=SHARE%, as in North=50%"),
        ("=50%", "owner '=50%' is not of the form NAME=SHARE%, as in North=50%"),
        ("North=50%,North=20%", "owner 'North' is there twice"),
        ("North=x", "'x' is not a share; write it as 3% or 0.03"),
    ],
)
def test_bad_owners_are_refused(text: str, message: str) -> None:
    """The error names the form, the name or the share."""
    with pytest.raises(FarmError) as caught:
        read_owners(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("S21", "mix part 'S21' is not of the form MODEL:TH=SHARE%, as in S21:200=60%"),
        ("S21=60%", "shares of mix 'S21=60%' add up to 60.0%, not to 100 %"),
        ("S21:x=100%", "bin 'x' of 'S21:x' is not a number of TH/s"),
        ("S21=nan%", "'nan%' is not a share; write it as 3% or 0.03"),
        ("S21=-5%", "'-5%' is not a share; write it as 3% or 0.03"),
    ],
)
def test_a_bad_mixture_is_refused_with_what_is_wrong(text: str, message: str) -> None:
    """The error names the form, the sum, the bin or the share."""
    with pytest.raises(FarmError, match="^" + message.replace("%", "[%]") + "$"):
        read_mix(text)


def test_every_bin_with_a_sourced_power_figure_can_be_farmed() -> None:
    """There are 37 of them; an assumed board layout is marked in the table and explained in its source."""
    table = resources.files("simulators.unit").joinpath("models.csv").read_text(encoding="utf-8").splitlines()
    rows = [row for row in csv.DictReader(table) if row["power_w"]]
    assert len(rows) == len(farmable_models()) == 37
    for row, model in zip(rows, farmable_models(), strict=True):
        assert row["power_grade"] in {"manual", "second-hand"}
        assert (model.layout_grade is LayoutGrade.ASSUMED) == ("assumed" in row["source"])
        assert find_model(row["model"], model.hashrate_th) is model


@pytest.mark.parametrize(
    ("name", "hashrate_th", "message"),
    [
        ("S9", None, r"unknown model 'S9'; known: S21, T21"),
        ("T21", 186.0, r"model 'T21' has no sourced bin of 186 TH/s; it has: 190"),
        ("S21", 1.0, r"has no sourced bin of 1 TH/s; it has: 200, 195, 188, 175, 151"),
    ],
)
def test_models_without_a_sourced_power_figure_cannot_be_farmed(
    name: str, hashrate_th: float | None, message: str
) -> None:
    """T21 at 186 TH/s is known by name only; the error lists the bins that can be used."""
    with pytest.raises(ModelError, match=message):
        find_model(name, hashrate_th)


@pytest.mark.parametrize(
    "plan",
    [
        FarmPlan(units=0),
        FarmPlan(units=10**9),
        FarmPlan(containers=0),
        FarmPlan(containers=301),
        FarmPlan(base="here"),
        FarmPlan(base="127.255.255.1"),
        FarmPlan(troubles=Troubles(off=0.6, asleep=0.6)),
        FarmPlan(owners={"North": 0.6, "South": 0.6}),
    ],
    ids=repr,
)
def test_absurd_plans_are_refused(plan: FarmPlan) -> None:
    """The plan is refused before a unit is built."""
    with pytest.raises(FarmError):
        Farm(plan, SimClock(start=START, speed=0.0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Selector()),
        ("container=C2, model=S21|T21 ,share=10%", Selector(containers=("C2",), models=("S21", "T21"), share=0.1)),
        ("unit=C1-R01-01,units=C1-R01-02", Selector(units=("C1-R01-01", "C1-R01-02"))),
        ("rack=C1-R01", Selector(racks=("C1-R01",))),
        ("owner=North|South", Selector(owners=("North", "South"))),
    ],
)
def test_selectors_read_as_written(text: str, expected: Selector) -> None:
    """A selector has words, values separated by a bar, and a share; an empty one selects everything."""
    assert read_selector(text) == expected


@pytest.mark.parametrize("text", ["colour=red", "container", "container=", "share=120%", "share"])
def test_bad_selectors_are_refused(text: str) -> None:
    """A part that is not understood is an error and is not skipped."""
    with pytest.raises(FarmError):
        read_selector(text)


def test_a_share_selects_as_many_and_always_the_same() -> None:
    """10 % of a container of 100 are ten of its units: always the same ones, and others for another seed."""
    farm = make_farm(200, containers=2)
    selector = Selector(containers=("C2",), share=0.1)
    chosen = select(farm.units, selector, 1)
    assert len(chosen) == 10
    assert {unit.identity.container for unit in chosen} == {"C2"}
    assert chosen == select(farm.units, selector, 1) != select(farm.units, selector, 2)


def test_an_injection_begins_ends_and_is_forgotten() -> None:
    """A board dead from +100 s for 50 s leaves two thirds of the hashrate then, and all of it before and after."""
    farm = make_farm(3)
    unit = farm.units[1]
    full_hs = unit.hashrate_hs(START)
    injection = farm.inject(DeadBoard(), Selector(units=(unit.identity.unit_id,)), at=START + 100.0, duration_s=50.0)
    assert injection.unit_ids == (unit.identity.unit_id,)
    ratios = []
    for _ in range(4):
        ratios.append(round(unit.hashrate_hs(farm.clock.now()) / full_hs, 3))
        farm.clock.advance(60.0)
    assert ratios == [1.0, 1.0, 0.667, 1.0]
    farm.inject(Asleep())
    assert injection.number not in farm.injections


def test_clearing_ends_one_injection_and_leaves_the_others() -> None:
    """Two injections kill two boards; clearing one brings one board back."""
    farm = make_farm(1)
    unit = farm.units[0]
    full_hs = unit.hashrate_hs(START)
    first = farm.inject(DeadBoard(board=0))
    farm.inject(DeadBoard(board=1))
    farm.clock.advance(1.0)
    assert unit.hashrate_hs(farm.clock.now()) == pytest.approx(full_hs / 3.0)
    farm.clear(first.number)
    farm.clock.advance(1.0)
    assert unit.hashrate_hs(farm.clock.now()) == pytest.approx(full_hs * 2.0 / 3.0)
    with pytest.raises(FarmError, match="no active injection 1"):
        farm.clear(first.number)


@pytest.mark.parametrize(
    ("fault", "selector", "at", "duration_s"),
    [
        (PowerOff(), Selector(containers=("C9",)), None, None),
        (PowerOff(), Selector(), math.nan, None),
        (PowerOff(), Selector(), math.inf, None),
        (PowerOff(), Selector(), None, 0.0),
        (PowerOff(), Selector(), None, -5.0),
        (PowerOff(), Selector(share=2.0), None, None),
        (AddressSwapped(unit_id="none"), Selector(), None, None),
    ],
    ids=repr,
)
def test_impossible_injections_are_refused(
    fault: PowerOff | AddressSwapped, selector: Selector, at: float | None, duration_s: float | None
) -> None:
    """An empty selection, an impossible time or an unknown unit is an error, and nothing is injected."""
    farm = make_farm(2)
    with pytest.raises(FarmError):
        farm.inject(fault, selector, at=at, duration_s=duration_s)
    assert not farm.injections


def test_the_truth_balances_at_a_moment_and_since_the_start() -> None:
    """Nameplate less losses plus uplift is the hashrate, for the site and each unit, after a trip through JSON."""
    farm = make_farm(40, mix=SITE_MIX, troubles=Troubles(off=0.1, asleep=0.1, starting=0.1, missing_board=0.2))
    farm.inject(PowerOff(), Selector(share=0.2), at=START + 300.0, duration_s=600.0)
    for after in (0.0, 400.0, 5000.0):
        truth = json.loads(msgspec.json.encode(farm_truth(farm, START + after)))
        site = truth["site"]
        assert site["deployed_hs"] - sum(site["losses_hs"].values()) + site["uplift_hs"] == pytest.approx(
            site["hashrate_hs"], rel=1e-12
        )
        done = site["deployed_hs"] * after - sum(site["lost_hashes"].values()) + site["uplift_hashes"]
        assert done == pytest.approx(site["hashes"], rel=1e-12, abs=1e3)
        for unit in truth["units"]:
            assert unit["nameplate_hs"] - sum(unit["losses_hs"].values()) + unit["uplift_hs"] == pytest.approx(
                unit["hashrate_hs"], abs=1e3
            )
            assert (unit["shown_hashrate_hs"] is None) == (unit["state"] in {"off", "booting", "restarting"})


def test_the_clock_stands_advances_and_never_runs_back() -> None:
    """Simulated time runs at its speed, jumps forward, and refuses the past."""
    real = 0.0
    clock = SimClock(start=START, speed=60.0, source=lambda: real)
    real = 2.0
    assert clock.now() == START + 120.0
    clock.run_at(0.0)
    real = 9.0
    assert clock.now() == START + 120.0
    assert clock.advance(30.0) == START + 150.0
    for wrong in (-1.0, math.nan, math.inf):
        with pytest.raises(ClockError):
            clock.advance(wrong)
    with pytest.raises(ClockError):
        clock.set(START)
    with pytest.raises(ClockError):
        clock.run_at(-1.0)


@given(st.text(max_size=30))
def test_any_text_is_a_mixture_a_share_a_selector_or_a_clear_error(text: str) -> None:
    """Any text is read, or refused with a declared error."""
    for read in (read_mix, read_share, read_selector):
        try:
            read(text)
        except (FarmError, ModelError):
            continue
