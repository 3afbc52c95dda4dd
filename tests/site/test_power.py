"""A unit's power and its source; the model against literal figures, and against the simulator with the same formula."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polled_farm import Polled
from sim_cases import START, make_farm
from site_cases import AT, NO_ANSWER, STALE_AFTER_S, answered, entry, failed

from agent.config.sections import PowerSection
from agent.site.power import Power, PowerGap, PowerModel, PowerSource, power_gap, unit_power
from agent.site.status import UnitState
from agent.site.totals import site_figures
from agent.site.tracker import Tracker
from agent.unit.nameplate import Nameplate, shipped_catalogue
from agent.unit.reading import BoardReading, Dialect, Mode, PowerKind, UnitReading
from simulators.farm.farm import Farm
from simulators.farm.plan import Troubles
from simulators.faults.unit import Asleep, Overheat, Rebooting
from simulators.scenario.player import build_farm, play
from simulators.scenario.scenario import find_scenario, scenario_names
from simulators.unit.conditions import Change, Condition, Verb
from simulators.unit.work_modes import WORK_MODE_HIGH, WORK_MODE_LOW

MODEL = PowerModel()
# 3,000 W at 150 TH/s, 20 J/TH, at a clock of 500 MHz.
PLATE = Nameplate(
    model="M150",
    hashrate_hs=150e12,
    power_watts=3018.0,
    boards=3,
    chips_per_board=100,
    frequency_hz=500e6,
    cooling="air",
    source="invented: 18 W of control board and 1,000 W a board",
)


def board(slot: int, *, inlet_celsius: float = 54.0, **changes: Any) -> BoardReading:
    """Return a whole board at its nameplate, in air of 25 C unless its sensor says otherwise."""
    reported = BoardReading(
        slot=slot,
        hashrate_hs=50e12,
        chips=100,
        frequency_hz=500e6,
        pcb_celsius=(inlet_celsius, inlet_celsius, inlet_celsius + 14),
    )
    return msgspec.structs.replace(reported, **changes)


def reading(**changes: Any) -> UnitReading:
    """Return a reading exactly at the nameplate."""
    reported = UnitReading(
        unit_id="u1",
        at=AT,
        dialect=Dialect.NEW_API,
        mode=Mode.NORMAL,
        uptime_s=86400.0,
        hashrate_5s_hs=150e12,
        boards=(board(0), board(1), board(2)),
    )
    return msgspec.structs.replace(reported, **changes)


def boards(**changes: Any) -> tuple[BoardReading, ...]:
    """Return three boards alike."""
    return tuple(board(slot, **changes) for slot in range(3))


@pytest.mark.parametrize(
    ("reported", "watts"),
    [
        pytest.param(reading(), 3018, id="nameplate"),
        pytest.param(reading(boards=()), 3018, id="no board reported: nameplate clock and air"),
        pytest.param(reading(hashrate_5s_hs=75e12, boards=boards(hashrate_hs=50e12)), 1518, id="half the rate"),
        pytest.param(
            reading(hashrate_5s_hs=100e12, boards=(board(0), board(1), board(2, chips=0, frequency_hz=0.0))),
            2018,
            id="a dead board draws nothing and has no clock",
        ),
        # A clock 20 % lower takes 8 % off the energy per hash.
        pytest.param(
            reading(hashrate_5s_hs=120e12, boards=boards(frequency_hz=400e6)), 18 + 3000 * 0.8 * 0.92, id="slow clock"
        ),
        pytest.param(
            reading(hashrate_5s_hs=180e12, boards=boards(frequency_hz=600e6)), 18 + 3000 * 1.2 * 1.08, id="fast clock"
        ),
        # 20 degrees warmer are 9 % more, and absurd sensors no more than 12 %; cold takes 5 % off at most.
        pytest.param(reading(boards=boards(inlet_celsius=74.0)), 18 + 3000 * 1.09, id="warm air"),
        pytest.param(reading(boards=boards(inlet_celsius=44.0)), 18 + 3000 * 0.955, id="cool air"),
        pytest.param(reading(boards=boards(inlet_celsius=-1.0)), 18 + 3000 * 0.95, id="freezing boards"),
        pytest.param(reading(boards=boards(inlet_celsius=124.0)), 18 + 3000 * 1.12, id="no such air"),
        pytest.param(
            reading(boards=boards(pcb_celsius=(73.0, 54.0, 64.0))), 3018, id="the coolest sensor is the inlet"
        ),
        # A board at half load is 14.5 degrees over the air.
        pytest.param(
            reading(hashrate_5s_hs=75e12, boards=boards(hashrate_hs=25e12, inlet_celsius=39.5)), 1518, id="half load"
        ),
        pytest.param(reading(boards=boards(pcb_celsius=(None, 54.0, None, 68.0))), 3018, id="sensors missing"),
        pytest.param(reading(boards=boards(pcb_celsius=(None, None))), 3018, id="no sensor has a value"),
        pytest.param(reading(hashrate_5s_hs=0.0, boards=()), 18, id="no boards at all"),
        pytest.param(reading(hashrate_5s_hs=0.0, boards=boards(chips=0)), 18, id="no board is up"),
        pytest.param(reading(hashrate_5s_hs=0.0, boards=boards(frequency_hz=0.0)), 18, id="boards without a clock"),
        pytest.param(reading(hashrate_5s_hs=0.0, boards=boards(chips=None)), 18, id="boards of unknown state"),
        pytest.param(reading(mode=Mode.SLEEP, hashrate_5s_hs=None, boards=()), 18, id="asleep"),
        pytest.param(reading(mode=Mode.SLEEP, hashrate_5s_hs=0.0), 18, id="asleep with boards in the reply"),
    ],
)
def test_model(reported: UnitReading, watts: float) -> None:
    """Standby and the rest of the nameplate, times load, clock and air."""
    assert MODEL.watts(PLATE, reported) == pytest.approx(watts, abs=0.001)
    assert power_gap(PLATE, reported) is None


@pytest.mark.parametrize(
    ("reported", "gap"),
    [
        pytest.param(reading(hashrate_5s_hs=0.0), PowerGap.IDLE_BOARDS, id="powered boards hash nothing"),
        pytest.param(reading(hashrate_5s_hs=1.4e12), PowerGap.IDLE_BOARDS, id="under a hundredth"),
        pytest.param(reading(hashrate_5s_hs=14e12), PowerGap.IDLE_BOARDS, id="under a tenth of what they can"),
        pytest.param(reading(hashrate_5s_hs=16e12), None, id="over a tenth"),
        pytest.param(
            reading(hashrate_5s_hs=0.0, boards=boards(frequency_hz=None)), PowerGap.IDLE_BOARDS, id="no clock reported"
        ),
        pytest.param(
            reading(hashrate_5s_hs=0.0, boards=(board(0), board(1, chips=0), board(2, chips=0))),
            PowerGap.IDLE_BOARDS,
            id="one powered board is enough",
        ),
        # A third of the chips on one board of three: a ninth of the machine.
        pytest.param(
            reading(hashrate_5s_hs=14e12, boards=(board(0, chips=33), board(1, chips=0), board(2, chips=0))),
            None,
            id="few chips that do what they can",
        ),
        pytest.param(reading(hashrate_5s_hs=14e12, boards=boards(frequency_hz=50e6)), None, id="a tenth of the clock"),
        pytest.param(reading(hashrate_5s_hs=None), PowerGap.NO_RATE, id="no rate reported is no zero"),
        pytest.param(None, PowerGap.NO_READING, id="no fresh reading"),
    ],
)
def test_the_model_says_where_it_does_not_speak(reported: UnitReading | None, gap: PowerGap | None) -> None:
    """Boards with a clock that hash next to nothing draw between standby and full power: no figure, and the reason."""
    assert power_gap(PLATE, reported) is gap
    assert (unit_power(PLATE, reported, model=MODEL) is None) is (gap is not None)
    plate = replace(PLATE, boards=None, chips_per_board=None, frequency_hz=None)
    assert power_gap(plate, reading(hashrate_5s_hs=14e12)) is PowerGap.IDLE_BOARDS
    assert power_gap(replace(PLATE, power_watts=None), reading()) is PowerGap.NO_RATING


def test_a_unit_that_starts_hashes_little_because_its_clock_is_low() -> None:
    """A twentieth of the rate is a start; on a unit that has run for long it is no figure."""
    reported = reading(hashrate_5s_hs=7.5e12)
    plate = replace(PLATE, frequency_hz=None)
    assert MODEL.watts(plate, reported, is_starting=True) == pytest.approx(18 + 3000 * 0.05 * 0.62)
    assert MODEL.watts(plate, reported) is None
    assert power_gap(PLATE, reading(hashrate_5s_hs=1e12), is_starting=True) is PowerGap.IDLE_BOARDS


@pytest.mark.parametrize(
    ("changes", "is_starting", "watts"),
    [
        ({"mode": Mode.NORMAL}, False, 18 + 3000 * 0.5),
        ({"mode": Mode.LOW}, False, 18 + 3000 * 0.5 * 0.8),
        ({"mode": Mode.NORMAL}, True, 18 + 3000 * 0.5 * 0.8),
    ],
    ids=["hashing", "low mode", "starting"],
)
def test_where_no_clock_is_known_a_low_rate_is_a_low_clock_only_on_its_way(
    changes: dict[str, Any], *, is_starting: bool, watts: float
) -> None:
    """Half the rate is half the clock for a unit that starts or runs in low mode, and half the boards for others."""
    plate = replace(PLATE, frequency_hz=None)
    reported = reading(hashrate_5s_hs=75e12, boards=(), **changes)
    assert MODEL.watts(plate, reported, is_starting=is_starting) == pytest.approx(watts)


@pytest.mark.parametrize(
    ("mode", "rate_hs", "watts"),
    [
        (Mode.HIGH, 165e12, 18 + 3000 * 1.1 * 1.04),
        (Mode.NORMAL, 165e12, 18 + 3000 * 1.1),
        # A unit in high mode that lacks boards still runs at no lower clock.
        (Mode.HIGH, 75e12, 18 + 3000 * 0.5),
    ],
    ids=["high mode", "uplift", "high mode without boards"],
)
def test_where_no_clock_is_known_high_mode_is_a_higher_clock(mode: Mode, rate_hs: float, watts: float) -> None:
    """A unit in high mode exceeds its nameplate by a higher clock, at more energy per hash."""
    reported = reading(hashrate_5s_hs=rate_hs, boards=(), mode=mode)
    assert MODEL.watts(replace(PLATE, frequency_hz=None), reported) == pytest.approx(watts)


def test_coolant_is_not_air() -> None:
    """The sensors of a hydro unit measure its coolant, whose rating point is unknown, so they change nothing."""
    plate = replace(PLATE, cooling="hydro")
    assert MODEL.watts(plate, reading(boards=boards(inlet_celsius=90.0))) == pytest.approx(3018)


def test_calibration_is_on_every_modelled_watt() -> None:
    """The calibration ratio scales every modelled watt, standby included."""
    model = PowerModel(standby_watts=20.0, calibration_ratio=1.03)
    assert model.watts(PLATE, reading()) == pytest.approx(3018 * 1.03)
    assert model.watts(PLATE, reading(hashrate_5s_hs=0.0, boards=())) == pytest.approx(20.6)


UNRATED = replace(PLATE, power_watts=None)
BY_SUPPLY = reading(power_watts=3050.0, power_kind=PowerKind.MEASURED)
BY_FIRMWARE = reading(power_watts=3050.0, power_kind=PowerKind.ESTIMATED)


@pytest.mark.parametrize(
    ("metered", "reported", "plate", "power"),
    [
        (3100.0, BY_SUPPLY, PLATE, Power(3100.0, PowerSource.METERED)),
        (0.0, BY_FIRMWARE, PLATE, Power(0.0, PowerSource.METERED)),
        (None, BY_SUPPLY, PLATE, Power(3050.0, PowerSource.MEASURED)),
        (None, BY_FIRMWARE, PLATE, Power(3050.0, PowerSource.ESTIMATED)),
        (None, BY_FIRMWARE, UNRATED, Power(3050.0, PowerSource.ESTIMATED)),
        (None, reading(power_watts=3050.0), PLATE, Power(3050.0, PowerSource.ESTIMATED)),
        (None, reading(mode=Mode.SLEEP, power_watts=0.0), PLATE, Power(0.0, PowerSource.ESTIMATED)),
        (None, reading(), PLATE, Power(3018.0, PowerSource.MODELLED)),
        (None, reading(), UNRATED, None),
    ],
)
def test_order_of_trust(metered: float | None, reported: UnitReading, plate: Nameplate, power: Power | None) -> None:
    """A meter comes first, then the unit's supply, its firmware, the model; the model needs a rated power."""
    assert unit_power(plate, reported, model=MODEL, metered_watts=metered) == power


def test_a_unit_without_a_reading_has_no_watt_unless_metered() -> None:
    """A unit that does not answer may draw power or not: its power is None, because 0 would be a claim."""
    assert unit_power(PLATE, None, model=MODEL) is None
    assert unit_power(PLATE, None, model=MODEL, metered_watts=2990.0) == Power(2990.0, PowerSource.METERED)


@given(
    rate_hs=st.floats(0, 1e15),
    clock_hz=st.none() | st.floats(0, 1e10),
    celsius=st.floats(-100, 300),
    chips=st.none() | st.integers(0, 200),
    board_hs=st.none() | st.floats(0, 1e15),
    is_starting=st.booleans(),
)
def test_whatever_a_reading_says_power_stays_in_proportion(
    *,
    rate_hs: float,
    clock_hz: float | None,
    celsius: float,
    chips: int | None,
    board_hs: float | None,
    is_starting: bool,
) -> None:
    """Modelled power is never below standby, and never further from J/TH x TH/s than clock and air can move it."""
    reported = reading(
        hashrate_5s_hs=rate_hs,
        boards=boards(frequency_hz=clock_hz, pcb_celsius=(celsius,), chips=chips, hashrate_hs=board_hs),
    )
    watts = MODEL.watts(PLATE, reported, is_starting=is_starting)
    if watts is None:
        assert rate_hs < 15e12
        assert power_gap(PLATE, reported, is_starting=is_starting) is PowerGap.IDLE_BOARDS
        return
    plain = 3000 * rate_hs / 150e12
    assert 18 + plain * 0.6 * 0.95 - 1e-6 <= watts <= 18 + plain * 1.2 * 1.12 + 1e-6


SENSORS = st.none() | st.floats(-60, 200) | st.sampled_from([-40.0, 0.1, 31.0, 180.0])


@given(
    inlets=st.tuples(*[st.integers(20, 70)] * 4),
    others=st.tuples(*[st.integers(-1, 1)] * 3),
    broken=st.tuples(st.integers(0, 2), st.integers(0, 3)),
    shown=SENSORS,
)
def test_one_sensor_does_not_move_power(
    inlets: tuple[int, ...], others: tuple[int, ...], broken: tuple[int, int], shown: float | None
) -> None:
    """Whatever one sensor shows, power moves by less than 1 % of the nameplate, where boards agree within 2 degrees.

    Each degree by which the other two boards differ is worth half a percent.
    """
    sensors = [[float(inlet + other) for inlet in inlets] for other in others]
    whole = MODEL.watts(PLATE, reading(boards=tuple(board(slot, pcb_celsius=s) for slot, s in enumerate(sensors))))
    at, place = broken
    sensors[at][place] = shown  # type: ignore[assignment]
    moved = MODEL.watts(PLATE, reading(boards=tuple(board(slot, pcb_celsius=s) for slot, s in enumerate(sensors))))
    assert whole is not None
    assert moved == pytest.approx(whole, abs=0.01 * 3018)


@pytest.mark.parametrize("up", [1, 2, 3])
@pytest.mark.parametrize("shown", [-60.0, -40.0, 23.0, 110.0, 180.0, None])
@pytest.mark.parametrize("place", range(4))
def test_a_broken_sensor_is_noticed_with_fewer_boards(up: int, shown: float | None, place: int) -> None:
    """With one board or two that are up, a sensor 30 degrees off its board's median is ignored all the same."""
    sensors: list[float | None] = [54.0, 54.0, 68.0, 68.0]
    sensors[place] = shown
    up_boards = [board(slot, pcb_celsius=(54.0, 54.0, 68.0, 68.0)) for slot in range(1, up)]
    dead = [board(slot, chips=0, hashrate_hs=0.0, pcb_celsius=()) for slot in range(up, 3)]
    reported = reading(hashrate_5s_hs=50e12 * up, boards=(board(0, pcb_celsius=tuple(sensors)), *up_boards, *dead))
    assert MODEL.watts(PLATE, reported) == pytest.approx(18 + 1000 * up, abs=0.01)


def test_the_configurations_default_is_the_models() -> None:
    """The default in the configuration, which cannot import it, equals the model's."""
    section = PowerSection()
    assert PowerModel(**section.model_dump()) == PowerModel()


# In the tracker.


def test_power_goes_with_the_reading_it_is_made_of() -> None:
    """A unit has power while its reading is fresh: a dead unit does not count at its last value."""
    tracker = Tracker([entry(nameplate=PLATE)], stale_after_s=STALE_AFTER_S, at=AT)
    tracker.record(answered(power_watts=3050.0), clock_s=0.0)
    seen = tracker.status("u1")
    assert seen is not None
    assert seen.power == Power(3050.0, PowerSource.ESTIMATED)
    tracker.record(failed(NO_ANSWER), clock_s=STALE_AFTER_S)
    seen = tracker.status("u1")
    assert seen is not None
    assert (seen.state, seen.power) == (UnitState.UNREACHABLE, None)


def test_a_units_meter_counts_at_once_and_until_it_lapses() -> None:
    """A meter's change counts without a poll, and only the statuses it changes are returned."""
    tracker = Tracker([entry("u1", nameplate=PLATE), entry("u2", nameplate=PLATE)], stale_after_s=STALE_AFTER_S, at=AT)
    for unit_id in ("u1", "u2"):
        tracker.record(answered(unit_id, power_watts=3050.0), clock_s=0.0)
    metered, unmetered = Power(3100.0, PowerSource.METERED), Power(3050.0, PowerSource.ESTIMATED)
    assert [(status.entry.unit_id, status.power) for status in tracker.take_meters({"u1": 3100.0, "gone": 1.0})] == [
        ("u1", metered)
    ]
    assert tracker.take_meters({"u1": 3100.0}) == []
    status, _ = tracker.record(answered("u1", power_watts=3060.0), clock_s=1.0) or (None, None)
    assert status is not None
    assert status.power == metered
    tracker.record(answered("u1", power_watts=3050.0), clock_s=2.0)
    assert [(status.entry.unit_id, status.power) for status in tracker.take_meters({})] == [("u1", unmetered)]


def test_a_unit_whose_watts_were_refused_is_modelled_and_says_so() -> None:
    """An S21 XP Hyd. reported 0 W at 484 TH/s, so its reader took no watts from it: 5.8 kW modelled, 12 J/TH."""
    plate = shipped_catalogue().find("S21 XP Hyd.", 473e12)
    assert plate is not None
    tracker = Tracker([entry(nameplate=plate)], stale_after_s=STALE_AFTER_S, at=AT)
    tracker.record(answered(hashrate_5s_hs=484e12, boards=(), power_watts=None), clock_s=0.0)
    seen = tracker.status("u1")
    assert seen is not None
    assert seen.power == Power(pytest.approx(5807.6, abs=0.1), PowerSource.MODELLED)
    assert seen.power_gap is None
    site = site_figures(tracker.statuses(), AT).site
    assert site.energy_efficiency_j_per_th == pytest.approx(12.0, abs=0.01)
    assert site.watts_by_source[PowerSource.MODELLED] == seen.power.watts


def test_a_unit_that_idles_with_powered_boards_has_a_reason_and_no_watts() -> None:
    """It counts into no sum of watts and no J/TH, and its status says why."""
    tracker = Tracker([entry("u1", nameplate=PLATE), entry("u2", nameplate=PLATE)], stale_after_s=STALE_AFTER_S, at=AT)
    for unit_id, rate_hs in (("u1", 0.0), ("u2", 150e12)):
        chips = tuple(board(slot) for slot in range(3))
        tracker.record(answered(unit_id, hashrate_5s_hs=rate_hs, boards=chips), clock_s=0.0)
    idle, hashing = tracker.statuses()
    assert (idle.state, idle.power, idle.power_gap) == (UnitState.STOPPED, None, PowerGap.IDLE_BOARDS)
    assert hashing.power_gap is None
    site = site_figures([idle, hashing], AT).site
    assert (site.watts_units, site.efficient_hs) == (1, 150e12)
    assert site.energy_efficiency_j_per_th == pytest.approx(3018 / 150)


# Against the simulator's physics, which knows every watt. Both have the coefficients of clock and air in common, so
# this says nothing about real machines (`test_rated_modes` does). It shows that polling, judging, noise, whole degrees
# and rounded clocks lose little, and that no condition a unit can be in is left out.

MIXES = ("S21=100%", "T21=100%", "S21 Pro=100%", "S21 XP=100%", "S21 Hyd.=100%", "S21 XP Hyd.=100%")


def modelled_and_true(farm: Farm, at: float) -> tuple[float, float]:
    """Return the site's watts as the agent models them, and the true ones."""
    polled = Polled(farm.units, at=at)
    polled.sweep(at)
    site = site_figures(polled.tracker.statuses(), at).site
    assert {source for source, watts in site.watts_by_source.items() if watts} == {PowerSource.MODELLED}
    return site.watts_by_source[PowerSource.MODELLED], sum(unit.power_watts(at) for unit in farm.units)


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("hour", [3, 15])
def test_a_healthy_farm_comes_out_as_the_same_formula_has_it(mix: str, hour: int) -> None:
    """In the coldest and warmest hour the error is 1.5 % for air, 5 % for hydro, whose coolant is not corrected for."""
    modelled, true = modelled_and_true(make_farm(60, mix=mix), START - START % 86400 + 86400 + hour * 3600)
    assert modelled == pytest.approx(true, rel=0.05 if "Hyd" in mix else 0.015)


@pytest.mark.parametrize("mix", ["S21=100%", "S21=60%,T21:190=40%", "S21 Pro=100%"])
@pytest.mark.parametrize(
    ("fault", "after_s"),
    [
        pytest.param(Overheat(celsius=10.0), 3600.0, id="hot"),
        pytest.param(Overheat(celsius=15.0), 7 * 3600.0, id="throttled"),
        pytest.param(Overheat(celsius=22.0), 7 * 3600.0, id="too hot to run"),
        pytest.param(Asleep(), 3600.0, id="asleep"),
        pytest.param(Rebooting(), 60.0, id="enumerating"),
        pytest.param(Rebooting(), 150.0, id="ramping"),
    ],
)
def test_a_troubled_farm_comes_out_as_the_same_formula_has_it(mix: str, fault: Condition, after_s: float) -> None:
    """The site's total keeps its bound in every condition in which units can be read."""
    farm = make_farm(60, mix=mix)
    farm.inject(fault)
    modelled, true = modelled_and_true(farm, START + after_s)
    assert modelled == pytest.approx(true, rel=0.05)


@pytest.mark.parametrize("mix", ["S21=100%", "T21=100%", "S21 Pro=100%"])
@pytest.mark.parametrize("mode", [WORK_MODE_LOW, WORK_MODE_HIGH], ids=["low", "high"])
@pytest.mark.parametrize("after_s", [200.0, 3600.0], ids=["ramping", "settled"])
def test_a_farm_in_another_work_mode_comes_out_as_the_same_formula_has_it(mix: str, mode: int, after_s: float) -> None:
    """Low and high work modes are other clocks, during the change too."""
    farm = make_farm(60, mix=mix)
    for unit in farm.units:
        unit.schedule(Change(START + 1.0, 2, Verb.MODE, mode))
    modelled, true = modelled_and_true(farm, START + after_s)
    assert modelled == pytest.approx(true, rel=0.05)


def test_a_farm_with_every_trouble_comes_out_as_the_same_formula_has_it() -> None:
    """The bound holds for a random mix of units: off, asleep, starting, short of boards or chips, slow."""
    farm = make_farm(300, mix="S21=60%,T21:190=40%", troubles=Troubles(), containers=3)
    modelled, true = modelled_and_true(farm, START + 10)
    assert modelled == pytest.approx(true, rel=0.02)


# Units of `mixed-site` report watts in the words of their firmware, and others than stock are not read here.
@pytest.mark.parametrize("name", [name for name in scenario_names() if name != "mixed-site"])
def test_a_shipped_scenario_comes_out_as_the_same_formula_has_it(name: str) -> None:
    """In every scenario, readable units are off by less than 1 % at any of 24 moments, and the site over all of it.

    Behind a dead switch units hash on unseen: the truth of `network-switch-flap` includes their power and no figure
    does, 3 % of the site's energy. So do units behind another protocol in `liars`, 6 % of it; some of its units report
    their power in the words of other firmware.
    """
    _, scenario = find_scenario(name)
    farm = build_farm(scenario)
    playing = play(farm, name, scenario)
    polled = Polled(farm.units, at=playing.begin, slow_every=1000)
    modelled_sum = true_sum = 0.0
    for step in range(24):
        at = playing.begin + (step + 0.5) * (playing.end - playing.begin) / 24
        farm.clock.set(at)
        polled.sweep(at)
        statuses = list(polled.tracker.statuses())
        watts = site_figures(statuses, at).site.watts_by_source
        modelled = sum(watts.values()) if name == "liars" else watts[PowerSource.MODELLED]
        true = [unit.power_watts(at) for unit in farm.units]
        read = sum(watts for watts, status in zip(true, statuses, strict=True) if status.power is not None)
        assert modelled == pytest.approx(read, rel=0.01)
        modelled_sum += modelled
        true_sum += sum(true)
    assert modelled_sum == pytest.approx(true_sum, rel=0.1 if name == "liars" else 0.05)
