"""The site's sums and their breakdown by container, rack and model."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from site_cases import (
    ACCESS_DENIED,
    AT,
    BINARY,
    MHZ,
    NO_ANSWER,
    PLATE,
    REFUSAL,
    TH,
    Case,
    board,
    entry,
    fleets,
    reading,
    statuses,
)

from agent.site.curtailment.events import Curtailments, Event, Scope
from agent.site.delivered import Delivered
from agent.site.ledger.entries import Place
from agent.site.metered import Metered
from agent.site.power import PowerSource
from agent.site.reasons import Reason
from agent.site.status import Cause, UnitState, UnitStatus
from agent.site.totals import Figures, site_figures
from agent.unit.nameplate import Nameplate
from agent.unit.reading import Mode, PowerKind

HYDRO = Nameplate(model="M100", hashrate_hs=100e12, cooling="hydro", source="invented")


def case(unit_id: str, place: tuple[str, str] = ("C1", "R1"), **changes: Any) -> Case:
    """Return a unit that answers and hashes at its nameplate."""
    container, rack = place
    declared = entry(unit_id, place=Place(container=container, rack=rack), nameplate=changes.pop("nameplate", PLATE))
    facts = {"entry": declared, "reading": reading(unit_id), "error": None, "is_stale": False}
    return Case(**(facts | changes))


def dead(unit_id: str, place: tuple[str, str] = ("C2", "R1")) -> Case:
    """Return a unit that hashed until its power was cut."""
    return case(unit_id, place, error=NO_ANSWER, is_stale=True)


def test_an_empty_site_has_every_key_and_no_ratio() -> None:
    """With nothing deployed, sums are zero, every cause and state has a key, and ratios are None."""
    figures = site_figures([], AT)
    assert figures.site == Figures(
        at=AT,
        units=0,
        deployed_hs=0,
        operating_hs=0,
        uplift_hs=0,
        losses_hs=dict.fromkeys(Cause, 0),
        known_hs=0,
        units_by_state=dict.fromkeys(UnitState, 0),
        deployed_hs_by_state=dict.fromkeys(UnitState, 0),
        watts_by_source=dict.fromkeys(PowerSource, 0),
        watts_units=0,
        unit_watts=0,
        metered_watts=None,
        efficient_watts=0,
        efficient_hs=0,
        efficient_deployed_hs=0,
    )
    assert figures.site.operational_efficiency_ratio is None
    assert figures.site.coverage_ratio is None
    assert figures.site.energy_efficiency_j_per_th is None
    assert (figures.delivered_1h_hs, figures.delivered_24h_hs) == (None, None)
    assert figures.delivered_24h_coverage_ratio is None
    assert (figures.by_container, figures.by_rack, figures.by_model) == ({}, {}, {})


def test_a_small_site_in_literal_figures() -> None:
    """One unit of every kind, in TH/s."""
    fleet = [
        case("whole"),
        case("strong", reading=reading("strong", hashrate_5s_hs=300 * TH)),
        case(
            "patched",
            # A board and 8 chips gone, 90 chips a tenth too slow, and 19 TH/s that nothing explains.
            reading=reading(
                "patched",
                hashrate_5s_hs=160 * TH,
                boards=(board(0), board(1, chips=90, frequency_hz=441 * MHZ)),
            ),
        ),
        case("asleep", reading=reading("asleep", mode=Mode.SLEEP, hashrate_5s_hs=None)),
        case("young", reading=reading("young", uptime_s=60.0, hashrate_5s_hs=94 * TH)),
        case("denied", reading=None, error=ACCESS_DENIED),
        case("closed", reading=None, error=REFUSAL),
        dead("dark", ("C2", "R1")),
        case("bench", ("C2", "R2"), entry=entry("bench", place=Place(container="C2"), is_in_maintenance=True)),
        case("small", ("C2", "R1"), nameplate=HYDRO, reading=reading("small", hashrate_5s_hs=100e12)),
    ]
    figures = site_figures(statuses(fleet), AT).site
    assert figures.units == 10
    assert figures.deployed_hs == 9 * 294e12 + 100e12
    assert figures.operating_hs == (294 + 300 + 160 + 94 + 294 + 100) * 1e12
    assert figures.uplift_hs == 6e12
    assert {cause.value: hashrate_hs / 1e12 for cause, hashrate_hs in figures.losses_hs.items()} == {
        "curtailed": 0,
        "maintenance": 0,
        "unreachable": 588,
        "unreadable": 294,
        "stopped": 294,
        "starting": 200,
        "missing_boards": 98,
        "missing_chips": 8,
        "derated": 9,
        "underperforming": 19,
    }
    assert {state.value: units for state, units in figures.units_by_state.items()} == {
        "hashing": 4,
        "starting": 1,
        "stopped": 1,
        "curtailed": 0,
        "maintenance": 1,
        "unreachable": 2,
        "unreadable": 1,
    }
    assert {state.value: hashrate_hs / 1e12 for state, hashrate_hs in figures.deployed_hs_by_state.items()} == {
        "hashing": 3 * 294 + 100,
        "starting": 294,
        "stopped": 294,
        "curtailed": 0,
        "maintenance": 294,
        "unreachable": 588,
        "unreadable": 294,
    }
    # All but the dark unit, which does not answer, and the denied one, which may be hashing.
    assert figures.known_hs == 7 * 294e12 + 100e12


def test_a_dead_container_stays_in_the_denominator() -> None:
    """Half of the site dark is half of its efficiency, not 100 % of the units that still answer."""
    fleet = [case(f"a{number}") for number in range(16)] + [dead(f"b{number}") for number in range(16)]
    figures = site_figures(statuses(fleet), AT)
    assert figures.site.operational_efficiency_ratio == 0.5
    assert figures.site.coverage_ratio == 0.5
    assert figures.by_container["C1"].operational_efficiency_ratio == 1
    assert figures.by_container["C2"].operational_efficiency_ratio == 0
    assert figures.by_container["C2"].losses_hs[Cause.UNREACHABLE] == 16 * 294e12


def test_a_site_that_refuses_commands_is_not_known_to_do_nothing() -> None:
    """Units that answer every command with "no" may hash: no coverage, and no operational efficiency."""
    figures = site_figures(statuses([case("a", reading=None, error=ACCESS_DENIED)]), AT).site
    assert (figures.coverage_ratio, figures.operational_efficiency_ratio) == (0, None)
    assert figures.losses_hs[Cause.UNREADABLE] == 294e12


def test_a_unit_that_never_answered_stays_in_the_denominator() -> None:
    """A declared unit is deployed, even if it never answered."""
    figures = site_figures(statuses([case("a"), case("b", reading=None)]), AT).site
    assert (figures.units, figures.deployed_hs, figures.operating_hs) == (2, 588e12, 294e12)


def test_a_dead_unit_is_not_counted_at_its_last_value() -> None:
    """A stale rate adds to no hashrate, and is no zero that lowers an average either."""
    figures = site_figures(statuses([case("a"), dead("b")]), AT).site
    assert figures.operating_hs == 294e12
    assert figures.units_by_state[UnitState.STOPPED] == 0
    assert figures.losses_hs[Cause.STOPPED] == 0


def test_an_overdue_unit_counts_as_it_was_and_is_not_covered() -> None:
    """A unit that was not asked in time holds its rate and its losses; coverage falls and the group names it."""
    board_gone = reading("b", hashrate_5s_hs=190 * TH, boards=(board(0), board(1)))
    fleet = [
        case("a"),
        case("b", is_stale=True, reading=board_gone),
        case(
            "c",
            ("C2", "R1"),
            is_stale=True,
            entry=entry("c", place=Place(container="C2", rack="R1"), is_in_maintenance=True),
        ),
    ]
    figures = site_figures(statuses(fleet), AT)
    site = figures.site
    assert (site.operating_hs, site.losses_hs[Cause.MISSING_BOARDS]) == ((294 + 190 + 294) * TH, 98 * TH)
    assert site.units_by_state[UnitState.UNREACHABLE] == 0
    assert (site.known_hs, site.overdue_units, site.overdue_hs) == (588 * TH, 1, 294 * TH)
    assert (figures.by_container["C1"].overdue_units, figures.by_container["C2"].overdue_units) == (1, 0)
    assert site.deployed_hs - sum(site.losses_hs.values()) + site.uplift_hs == site.operating_hs


def test_racks_of_the_same_name_are_told_apart_by_container() -> None:
    """Racks of the same name in two containers are two racks."""
    figures = site_figures(statuses([case("a", ("C1", "R1")), case("b", ("C2", "R1"))]), AT)
    assert {key: rack.units for key, rack in figures.by_rack.items()} == {("C1", "R1"): 1, ("C2", "R1"): 1}


def test_groups_come_sorted_by_name() -> None:
    """Groups come sorted, whatever the order of the ledger."""
    fleet = [case("b", ("C2", "R1")), case("c", ("C1", "R2")), case("a", ("C1", "R1"), nameplate=HYDRO)]
    figures = site_figures(statuses(fleet), AT)
    assert list(figures.by_container) == ["C1", "C2"]
    assert list(figures.by_rack) == [("C1", "R1"), ("C1", "R2"), ("C2", "R1")]
    assert list(figures.by_model) == ["M100", "M294"]


# Half of C1, all of C2; the rest is past its event, and units that still sleep there were not restored.
DECLARED = Curtailments(
    events=[
        Event(id=f"e{number}", start=AT - 7200, end=end, target_ratio=ratio, scope=scope, source="test")
        for number, (end, ratio, scope) in enumerate(
            [(None, 0.5, Scope(container="C1")), (None, 0.0, Scope(container="C2")), (AT - 3600, 0.0, Scope())]
        )
    ]
)


def exact_sums(fleet: Iterable[UnitStatus]) -> dict[str, Any]:
    """Sum statuses one by one in fractions, as a plain oracle."""
    fleet = list(fleet)
    losses: dict[Cause, Fraction] = defaultdict(Fraction)
    for status in fleet:
        for loss in status.losses:
            losses[loss.cause] += Fraction(loss.hashrate_hs)
    by_state: dict[UnitState, Fraction] = defaultdict(Fraction)
    for status in fleet:
        by_state[status.state] += Fraction(status.entry.nameplate.hashrate_hs)
    powers = [(status, status.power) for status in fleet if status.power is not None]
    watts: dict[PowerSource, Fraction] = defaultdict(Fraction)
    for _, power in powers:
        watts[power.source] += Fraction(power.watts)
    both = [(status, power) for status, power in powers if status.hashrate_hs is not None]
    return {
        "at": AT,
        "units": len(fleet),
        "deployed_hs": sum(Fraction(status.entry.nameplate.hashrate_hs) for status in fleet),
        "operating_hs": sum(Fraction(status.hashrate_hs or 0) for status in fleet),
        "uplift_hs": sum(Fraction(status.uplift_hs) for status in fleet),
        "losses_hs": {cause: losses[cause] for cause in Cause},
        "known_hs": sum(Fraction(status.entry.nameplate.hashrate_hs) for status in fleet if status.is_known),
        "units_by_state": dict.fromkeys(UnitState, 0) | Counter(status.state for status in fleet),
        "deployed_hs_by_state": {state: by_state[state] for state in UnitState},
        "watts_by_source": {source: watts[source] for source in PowerSource},
        "watts_units": len(powers),
        "unit_watts": sum(watts.values()),
        "metered_watts": None,
        "efficient_watts": sum(Fraction(power.watts) for _, power in both),
        "efficient_hs": sum(Fraction(status.hashrate_hs or 0) for status, _ in both),
        "efficient_deployed_hs": sum(Fraction(status.entry.nameplate.hashrate_hs) for status, _ in both),
        "curtailment_nameplate_hs": sum(
            Fraction(status.entry.nameplate.hashrate_hs) for status in fleet if status.event is not None
        ),
        "curtailment_target_hs": sum(
            Fraction(status.entry.nameplate.hashrate_hs) * Fraction(status.event.target_ratio)
            for status in fleet
            if status.event is not None
        ),
        "curtailment_operating_hs": sum(
            Fraction(status.hashrate_hs or 0) for status in fleet if status.event is not None
        ),
        "stragglers": sum(status.is_straggler for status in fleet),
        "unrestored": sum(1 for status in fleet if status.unrestored is not None),
        "overdue_units": sum(1 for status in fleet if status.is_overdue and not status.is_known),
        "overdue_hs": sum(
            Fraction(status.entry.nameplate.hashrate_hs)
            for status in fleet
            if status.is_overdue and not status.is_known
        ),
        "diverted_units": None,
        "diverted_hs": None,
        "units_by_reason": dict(Counter(status.reason for status in fleet if status.reason is not Reason.HASHING)),
    }


def as_exact(figures: Figures) -> dict[str, Any]:
    """Return every field of `figures`; a float equals a fraction only if it is exactly that fraction."""
    return {name: getattr(figures, name) for name in Figures.__dataclass_fields__}


@pytest.mark.parametrize(
    ("level", "key"),
    [
        ("by_container", lambda status: status.entry.place.container),
        ("by_rack", lambda status: (status.entry.place.container, status.entry.place.rack)),
        ("by_model", lambda status: status.entry.nameplate.model),
    ],
    ids=["container", "rack", "model"],
)
@given(cases=fleets(BINARY))
def test_a_groups_figures_are_the_sums_of_its_units(
    level: str, key: Callable[[UnitStatus], Hashable], cases: list[Case]
) -> None:
    """Every field of every group equals the exact sum over the units that belong to it, and no group is invented."""
    fleet = statuses(cases, DECLARED)
    groups = getattr(site_figures(fleet, AT), level)
    members: dict[Hashable, list[UnitStatus]] = defaultdict(list)
    for status in fleet:
        members[key(status)].append(status)
    assert {name: as_exact(figures) for name, figures in groups.items()} == {
        name: exact_sums(group) for name, group in members.items()
    }


@given(cases=fleets(BINARY))
def test_the_sites_figures_are_the_sums_of_all_units(cases: list[Case]) -> None:
    """Every field of the site equals the exact sum over all units."""
    fleet = statuses(cases, DECLARED)
    assert as_exact(site_figures(fleet, AT).site) == exact_sums(fleet)


@given(cases=fleets(BINARY), data=st.data())
def test_the_order_of_units_does_not_matter(cases: list[Case], data: st.DataObject) -> None:
    """Any order gives the same figures, also from an iterator that can be read only once."""
    fleet = statuses(cases, DECLARED)
    shuffled = data.draw(st.permutations(fleet))
    assert site_figures(iter(shuffled), AT) == site_figures(fleet, AT)


def test_two_calls_share_nothing() -> None:
    """Figures are made from scratch: changing one set cannot change the next."""
    fleet = statuses([case("a")])
    first = site_figures(fleet, AT)
    first.site.losses_hs[Cause.STOPPED] += 1
    assert first.by_container["C1"].losses_hs[Cause.STOPPED] == 0
    assert site_figures(fleet, AT).site.losses_hs[Cause.STOPPED] == 0


def powered(
    unit_id: str, watts: float, place: tuple[str, str] = ("C1", "R1"), kind: PowerKind | None = PowerKind.MEASURED
) -> Case:
    """Return a unit that hashes at its nameplate and reports its power."""
    return case(unit_id, place, reading=reading(unit_id, power_watts=watts, power_kind=kind))


def by_source(figures: Figures) -> tuple[float, ...]:
    """Return watts metered, measured, estimated and modelled."""
    return tuple(figures.watts_by_source[source] for source in PowerSource)


def test_a_containers_meter_takes_the_place_of_its_units_words() -> None:
    """The site is the meter of C1 plus the units of C2; the units of C1 keep their own figures beside the meter."""
    fleet = statuses([powered("a", 3000.0), powered("b", 3000.0), powered("c", 2000.0, ("C2", "R1"))])
    figures = site_figures(fleet, AT, metered=Metered(container_watts={"C1": 6600.0, "gone": 1.0}))
    c1, c2 = figures.by_container.values()
    assert (by_source(c1), c1.metered_watts, c1.unit_watts) == ((6600, 0, 0, 0), 6600, 6000)
    assert (by_source(c2), c2.metered_watts, c2.unit_watts) == ((0, 2000, 0, 0), None, 2000)
    assert (by_source(figures.site), figures.site.metered_watts) == ((6600, 2000, 0, 0), None)
    assert figures.site.unit_watts == 8000
    assert by_source(figures.by_rack["C1", "R1"]) == (0, 6000, 0, 0)


def test_a_sites_meter_is_believed_before_those_of_its_containers() -> None:
    """Nothing is counted twice: the site's watts are its meter's."""
    fleet = statuses([powered("a", 3000.0), powered("c", 2000.0, ("C2", "R1"))])
    metered = Metered(site_watts=5600.0, container_watts={"C1": 3200.0})
    figures = site_figures(fleet, AT, metered=metered)
    assert (by_source(figures.site), figures.site.metered_watts) == ((5600, 0, 0, 0), 5600)
    assert by_source(figures.by_container["C1"]) == (3200, 0, 0, 0)
    assert by_source(figures.by_container["C2"]) == (0, 2000, 0, 0)


def test_a_meter_that_says_zero_is_a_measured_zero() -> None:
    """A dark feeder draws 0 W by its meter, whatever a unit reports."""
    figures = site_figures(statuses([powered("a", 3000.0)]), AT, metered=Metered(site_watts=0.0)).site
    assert (by_source(figures), figures.metered_watts) == ((0, 0, 0, 0), 0)


def test_measured_and_estimated_watts_add_up_apart() -> None:
    """A supply's measurement is not mixed with a firmware's estimate; watts of unknown kind count as estimated."""
    fleet = [powered("a", 3000.0), powered("b", 2000.0, kind=PowerKind.ESTIMATED), powered("c", 1000.0, kind=None)]
    assert by_source(site_figures(statuses(fleet), AT).site) == (0, 3000, 3000, 0)


def test_j_per_th_is_over_the_units_that_have_both() -> None:
    """If one unit of three reports its power, J/TH is that unit's and covers a third of the fleet."""
    fleet = [powered("a", 5880.0), case("b"), dead("c")]
    figures = site_figures(statuses(fleet), AT).site
    assert figures.energy_efficiency_j_per_th == 20
    assert (figures.watts_units, figures.efficient_hs, figures.efficient_deployed_hs) == (1, 294e12, 294e12)


def test_a_unit_asleep_counts_into_j_per_th_with_what_it_draws() -> None:
    """A measured 0 H/s and 20 W are both figures."""
    asleep = case("b", reading=reading("b", mode=Mode.SLEEP, hashrate_5s_hs=0.0, power_watts=20.0))
    figures = site_figures(statuses([powered("a", 5860.0), asleep]), AT).site
    assert figures.energy_efficiency_j_per_th == 20
    assert figures.efficient_deployed_hs == 588e12


def test_what_pools_credited_stands_beside_what_units_say() -> None:
    """Delivered hashrate comes with the share of the fleet it covers."""
    delivered = Delivered(hour_hs=290e12, hour_deployed_hs=294e12, day_hs=None, day_deployed_hs=0.0)
    figures = site_figures(statuses([case("a"), case("b")]), AT, delivered=delivered)
    assert (figures.delivered_1h_hs, figures.delivered_1h_coverage_ratio) == (290e12, 0.5)
    assert (figures.delivered_24h_hs, figures.delivered_24h_coverage_ratio) == (None, 0)
