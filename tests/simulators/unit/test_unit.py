"""A simulated unit over time: start, sleep, heat, faults, and books that balance."""

import itertools
import statistics

import pytest
from sim_cases import START, make_unit

from simulators.faults.unit import (
    Asleep,
    BadChips,
    DeadBoard,
    FanStopped,
    FirmwareChanged,
    Frozen,
    HashrateDrift,
    MissingChips,
    NoBoards,
    Overheat,
    PoolDead,
    PoolHijacked,
    PowerOff,
    PsuTrip,
    Rebooting,
    RestartLoop,
)
from simulators.scenario.player import Curtailed
from simulators.unit import chance
from simulators.unit.conditions import Cause, Change, Condition, Verb
from simulators.unit.models import farmable_models
from simulators.unit.physics import STANDBY_WATTS, Climate
from simulators.unit.snapshot import Phase
from simulators.unit.stretches import WARM_UP_S
from simulators.unit.unit import Unit
from simulators.unit.work_modes import WORK_MODE_HIGH, WORK_MODE_LOW, WORK_MODE_SLEEP

WEEK_S = 7 * 86400.0


def inject(unit: Unit, fault: Condition, at: float, number: int = 1) -> None:
    """Schedule the start of a fault."""
    unit.schedule(Change(at, 2 * number, Verb.INJECT, number, fault))


def clear(unit: Unit, at: float, number: int = 1) -> None:
    """Schedule the end of a fault."""
    unit.schedule(Change(at, 2 * number + 1, Verb.CLEAR, number))


@pytest.mark.parametrize("model", farmable_models(), ids=lambda model: f"{model.name}-{model.hashrate_th:g}")
def test_every_bin_hashes_and_draws_about_its_nameplate(model: object) -> None:
    """A healthy unit of any bin does 98 to 104 % of its nameplate hashrate and 92 to 108 % of its power."""
    for key in range(5):
        unit = make_unit(model.name, hashrate_th=model.hashrate_th, key=key)  # type: ignore[attr-defined]
        assert 0.98 < unit.hashrate_hs(START) / unit.identity.model.hashrate_hs < 1.04
        assert 0.92 < unit.power_watts(START) / unit.identity.model.power_watts < 1.08


@pytest.mark.parametrize(
    ("mode", "clock_ratio", "joules_ratio"),
    [(WORK_MODE_LOW, 0.8, 0.6 + 0.4 * 0.8), (WORK_MODE_HIGH, 1.08, 0.6 + 0.4 * 1.08)],
    ids=["low", "high"],
)
def test_a_work_mode_is_a_clock_and_power_follows_it(mode: int, clock_ratio: float, joules_ratio: float) -> None:
    """Rate and clock follow the mode; the energy of a hash changes by 0.4 of the change in clock."""
    normal, unit = make_unit(), make_unit()
    unit.schedule(Change(START + 10.0, 2, Verb.MODE, mode))
    at = START + 3600.0
    rate_ratio = unit.hashrate_hs(at) / normal.hashrate_hs(at)
    assert rate_ratio == pytest.approx(clock_ratio)
    watts, normal_watts = (each.power_watts(at) - STANDBY_WATTS for each in (unit, normal))
    assert watts / normal_watts == pytest.approx(clock_ratio * joules_ratio)


def test_a_ramp_in_any_mode_ends_at_the_steady_power() -> None:
    """In low mode, power in the last second of the ramp and the first of hashing differs by less than 1 %."""
    unit = make_unit(climate=Climate(swing_celsius=0.0))
    unit.schedule(Change(START + 10.0, 2, Verb.MODE, WORK_MODE_LOW))
    seconds = (START + second for second in itertools.count(11))
    before_watts, at = 0.0, next(seconds)
    while unit.snapshot(at).phase is not Phase.HASHING:
        before_watts, at = unit.power_watts(at), next(seconds)
    assert before_watts == pytest.approx(unit.power_watts(at), rel=0.01)


def test_a_start_goes_through_its_stages() -> None:
    """Power on: no API for 45 s, boards without chips for 30 s, a linear ramp for 165 s, then full rate."""
    unit = make_unit(uptime_s=0.0)
    stages = [(1, Phase.BOOTING), (46, Phase.ENUMERATING), (76, Phase.RAMPING), (241, Phase.HASHING)]
    assert [(after, unit.advance(START + after) or unit.phase) for after, _ in stages] == stages
    unit = make_unit(uptime_s=0.0)
    full_hs = make_unit().hashrate_hs(START)
    assert unit.hashrate_hs(START + 74.0) == 0.0
    assert unit.hashrate_hs(START + 75.0 + 82.5) == pytest.approx(full_hs / 2.0)
    assert unit.hashrate_hs(START + 300.0) == pytest.approx(full_hs)


def test_a_starting_unit_lists_boards_without_chips_or_temperatures() -> None:
    """Between the start of the API and the first hashes, three boards show 0 chips, no sensors and no rate."""
    boards = make_unit(uptime_s=0.0).snapshot(START + 60.0).boards
    assert [(board.chips, board.ghs, board.pic_celsius) for board in boards] == [(0, 0.0, ())] * 3


def test_uptime_and_counters_begin_again_with_the_mode() -> None:
    """Going to sleep and waking restart the miner process: elapsed time and shares start over."""
    unit = make_unit(uptime_s=10 * 86400.0)
    assert unit.snapshot(START).elapsed_s == 864_000
    assert unit.shares(START).accepted == pytest.approx(864_000 * 0.18, rel=0.1)
    unit.schedule(Change(START + 10.0, 2, Verb.MODE, WORK_MODE_SLEEP))
    unit.advance(START + 20.0)
    assert unit.phase is Phase.RESTARTING
    unit.advance(START + 100.0)
    assert (unit.phase, unit.hashrate_hs(START + 100.0), unit.power_watts(START + 100.0)) == (Phase.ASLEEP, 0.0, 18.0)
    unit.schedule(Change(START + 1000.0, 4, Verb.MODE, 0))
    later = START + 1000.0 + 13.0 + 3600.0
    assert unit.snapshot(later).elapsed_s == 3600
    assert unit.shares(later).accepted == pytest.approx(3450 * 0.18, rel=0.15)


@pytest.mark.parametrize(
    ("fault", "phase", "cause", "ratio"),
    [
        (PowerOff(), Phase.OFF, Cause.OFF, 0.0),
        (Asleep(), Phase.ASLEEP, Cause.ASLEEP, 0.0),
        (Asleep(is_curtailed=True), Phase.ASLEEP, Cause.CURTAILED, 0.0),
        (DeadBoard(board=1), Phase.HASHING, Cause.MISSING_BOARDS, 2 / 3),
        (MissingChips(board=2, chips=54), Phase.HASHING, Cause.MISSING_CHIPS, 5 / 6),
        (Overheat(celsius=21.0), Phase.THROTTLED, Cause.DERATED, 440 / 490),
        (Overheat(celsius=30.0), Phase.PROTECTED, Cause.STOPPED, 0.0),
        (FanStopped(fan=2), Phase.PROTECTED, Cause.STOPPED, 0.0),
        (HashrateDrift(ratio=0.8), Phase.HASHING, Cause.UNDERPERFORMING, 0.8),
        (Frozen(), Phase.HASHING, Cause.STOPPED, 0.0),
        (PoolDead(pools=2), Phase.HASHING, Cause.STOPPED, 0.0),
    ],
    ids=repr,
)
def test_a_fault_costs_what_it_should_and_is_called_by_its_name(
    fault: Condition, phase: Phase, cause: Cause, ratio: float
) -> None:
    """Ten minutes after injection a warm unit is in the expected phase, and the expected cause has the largest loss."""
    unit, healthy = make_unit(), make_unit()
    inject(unit, fault, START + 60.0)
    t = START + 660.0
    assert unit.hashrate_hs(t) == pytest.approx(ratio * healthy.hashrate_hs(t), rel=1e-9)
    losses = unit.losses_hs(t)
    assert (unit.phase, max(losses, key=losses.__getitem__)) == (phase, cause)
    clear(unit, t)
    assert unit.hashrate_hs(t + WARM_UP_S + 14.0) == pytest.approx(healthy.hashrate_hs(t))


def test_causes_take_their_shares_one_after_the_other() -> None:
    """A dead board, half of another's chips, throttling and half the rate of the rest split the nameplate exactly."""
    unit = make_unit()
    faults = (DeadBoard(board=0), MissingChips(board=1, chips=54), Overheat(celsius=21.0), HashrateDrift(ratio=0.5))
    for number, fault in enumerate(faults, 1):
        inject(unit, fault, START, number)
    t = START + 3600.0
    nameplate_hs, rate_hs = unit.identity.model.hashrate_hs, unit.hashrate_hs(t)
    boards, chips, clock = 108 / 324, 54 / 324, 50 / 490
    assert unit.losses_hs(t) == pytest.approx(
        {
            Cause.MISSING_BOARDS: boards * nameplate_hs,
            Cause.MISSING_CHIPS: chips * nameplate_hs,
            Cause.DERATED: clock * nameplate_hs,
            Cause.UNDERPERFORMING: (1.0 - boards - chips - clock) * nameplate_hs - rate_hs,
        }
    )
    assert list(unit.losses_hs(t)) == list(unit.totals(t).losses)


def test_a_unit_that_was_too_hot_starts_again_below_42_degrees() -> None:
    """On a day that peaks at 47.5 C it stops until the air is at 42 C, then starts as usual."""
    hot = Climate(mean_celsius=41.0, swing_celsius=6.5, warmest_s=START % 86400.0)
    unit = make_unit(climate=hot)
    unit.advance(START)
    assert unit.phase is Phase.PROTECTED
    assert hot.ambient_celsius(unit.next_event) == pytest.approx(42.0)
    unit.advance(unit.next_event)
    assert unit.phase is Phase.ENUMERATING


@pytest.mark.parametrize("pools", [0, 1])
def test_one_dead_pool_costs_nothing_and_moves_the_shares(pools: int) -> None:
    """With the first pool gone the second is credited, and the first keeps its counters."""
    unit = make_unit(uptime_s=7200.0)
    if pools:
        inject(unit, PoolDead(pools=pools), START + 3600.0)
    at_switch, later = unit.shares(START + 3600.0), unit.shares(START + 7200.0)
    first, second = (credit[0] for credit in later.by_pool)
    assert first + second == later.accepted
    assert (
        (first, second) == (at_switch.accepted, later.accepted - at_switch.accepted)
        if pools
        else (
            later.accepted,
            0,
        )
    )


@pytest.mark.parametrize(("model", "fault"), [("S21 Hyd.", FanStopped(fan=0)), ("S21", DeadBoard(board=3))], ids=repr)
def test_a_fault_of_a_part_the_unit_lacks_changes_nothing(model: str, fault: Condition) -> None:
    """A hydro unit has no fan to stop, and a unit of three boards has no fourth."""
    unit, healthy = make_unit(model), make_unit(model)
    inject(unit, fault, START)
    inject(unit, HashrateDrift(ratio=0.9), START, 2)
    t = START + 600.0
    assert unit.hashrate_hs(t) == pytest.approx(0.9 * healthy.hashrate_hs(t))
    assert set(unit.losses_hs(t)) == {Cause.UNDERPERFORMING}


def test_drift_is_slow_and_ends_at_its_floor() -> None:
    """At 5 % an hour the factor is 0.95 after an hour, and 0.8 after a day with a floor of 0.8."""
    unit, healthy = make_unit(), make_unit()
    inject(unit, HashrateDrift(ratio=1.0, per_hour=0.05, floor=0.8), START)
    full_hs = healthy.hashrate_hs(START)
    assert unit.hashrate_hs(START + 3600.0) == pytest.approx(0.95 * full_hs)
    assert unit.hashrate_hs(START + 86400.0) == pytest.approx(0.80 * full_hs)


def test_a_restart_happens_once_and_a_tripping_supply_again_and_again() -> None:
    """Rebooting is a single restart; a supply set to trip every half hour trips at once and then every 2100 s."""
    starts = {Rebooting(): 1, PsuTrip(every_s=1800.0, off_s=60.0): 42}
    for fault, expected in starts.items():
        unit = make_unit()
        inject(unit, fault, START)
        elapsed = [unit.snapshot(START + 30.0 * step).elapsed_s for step in range(1, 2880)]
        assert sum(1 for earlier, later in itertools.pairwise(elapsed) if later < earlier) == expected


def test_a_supply_trips_at_once_whatever_restarted_the_unit_before() -> None:
    """A tripping supply trips when it is injected, also after a restart that was never cleared."""
    unit = make_unit()
    inject(unit, Rebooting(), START)
    inject(unit, PsuTrip(every_s=1800.0, off_s=60.0), START + 7200.0, 2)
    unit.advance(START + 7200.0)
    assert (unit.phase, unit.since, unit.next_event) == (Phase.OFF, START + 7200.0, START + 7260.0)


def test_each_restart_happens_whether_the_one_before_was_cleared_or_not() -> None:
    """Two restart faults ten minutes apart are two restarts."""
    unit = make_unit()
    for number in (1, 2):
        inject(unit, Rebooting(), START + 600.0 * number, number)
    assert unit.snapshot(START + 1200.0 + 45.0 + 600.0).elapsed_s == 600


def test_the_rest_of_two_tripping_supplies_does_not_trip_in_the_past() -> None:
    """When the rarer of two trip faults is cleared after an hour of hashing, the other trips at once."""
    unit = make_unit()
    inject(unit, PsuTrip(every_s=1800.0, off_s=60.0), START)
    inject(unit, PsuTrip(every_s=86400.0, off_s=60.0), START + 10.0, 2)
    cleared = START + 10.0 + 60.0 + 75.0 + 3600.0
    clear(unit, cleared, 2)
    unit.advance(cleared)
    assert (unit.phase, unit.since) == (Phase.OFF, cleared)


def test_frozen_firmware_repeats_itself() -> None:
    """Uptime, rates and shares do not change while simulated time advances."""
    unit = make_unit()
    inject(unit, Frozen(), START + 60.0)
    assert unit.snapshot(START + 61.0) == unit.snapshot(START + 6000.0)
    assert unit.shares(START + 61.0) == unit.shares(START + 6000.0)


def test_a_start_after_a_declared_sleep_belongs_to_the_curtailment() -> None:
    """While the curtailment still covers the unit its waking is curtailed; without one, or after a crash, it starts."""
    unit, restless = make_unit(), make_unit()
    for one in (unit, restless):
        inject(one, Curtailed(), START)
    inject(unit, Asleep(), START + 60.0, number=2)
    clear(unit, START + 600.0, number=2)
    inject(restless, Rebooting(), START + 600.0, number=2)
    for after_s, phase in ((605.0, Phase.RESTARTING), (620.0, Phase.ENUMERATING), (700.0, Phase.RAMPING)):
        assert set(unit.losses_hs(START + after_s)) == {Cause.CURTAILED}
        assert unit.phase is phase
        assert set(restless.losses_hs(START + after_s)) == {Cause.STARTING}
    inject(unit, Asleep(), START + 2000.0, number=3)
    clear(unit, START + 2300.0, number=3)
    clear(unit, START + 2320.0)
    assert set(unit.losses_hs(START + 2315.0)) == {Cause.CURTAILED}
    assert set(unit.losses_hs(START + 2325.0)) == {Cause.STARTING}


def test_bad_chips_are_counted_and_do_not_hash() -> None:
    """The rate is that of the good chips, the board lists all, and the loss is one of missing chips."""
    unit = make_unit(faults=[BadChips(board=1, chips=30), MissingChips(board=1, chips=8)])
    sound = make_unit()
    assert unit.hashrate_hs(START) == pytest.approx(sound.hashrate_hs(START) * (324 - 38) / 324)
    board = unit.snapshot(START).boards[1]
    assert (board.chips, board.marked) == (100, 30)
    losses = unit.losses_hs(START)
    assert losses.keys() == {Cause.MISSING_CHIPS}
    assert losses[Cause.MISSING_CHIPS] == pytest.approx(200e12 - unit.hashrate_hs(START))


def test_a_board_of_bad_chips_is_listed_with_all_of_them() -> None:
    """Its rate is 0, and its loss is one of missing chips, not of a missing board."""
    unit = make_unit(faults=[BadChips(board=0, chips=500)])
    board = unit.snapshot(START).boards[0]
    assert (board.chips, board.marked, board.ghs) == (108, 108, 0.0)
    assert max(unit.losses_hs(START), key=unit.losses_hs(START).__getitem__) is Cause.MISSING_CHIPS


def test_a_unit_without_boards_is_stopped() -> None:
    """It answers, lists no board and no ideal rate, turns its fans and draws standby power."""
    unit = make_unit(faults=[NoBoards()])
    snapshot = unit.snapshot(START)
    assert (snapshot.boards, snapshot.ghs_5s, snapshot.ideal_ghs) == ((), 0.0, 0.0)
    assert min(snapshot.fans_rpm) > 0
    assert unit.losses_hs(START) == {Cause.STOPPED: 200e12}
    assert unit.power_watts(START) == STANDBY_WATTS


def test_a_unit_that_heat_stopped_shows_it() -> None:
    """Rate 0 and average above 0, every chip counted and marked, chips near 97 C that cool down to the air."""
    unit = make_unit(climate=Climate(mean_celsius=46.0, swing_celsius=2.0))
    stopped = next(t for t in (START + 600.0 * step for step in range(144)) if _phase(unit, t) is Phase.PROTECTED)
    unit.advance(stopped)
    since = unit.since
    first, later = unit.snapshot(since + 1.0), unit.snapshot(since + 1800.0)
    assert first.ghs_5s == 0.0 < first.ghs_avg
    assert [(board.chips, board.marked) for board in first.boards] == [(108, 108)] * 3
    chips = [max(board.pic_celsius) + 15 for board in first.boards]
    assert 88 <= min(chips) <= max(chips) <= 100
    assert max(later.boards[0].pic_celsius) <= later.ambient_celsius + 3


def _phase(unit: Unit, t: float) -> Phase:
    unit.advance(t)
    return unit.phase


def test_a_fan_that_stands_still_marks_no_chips() -> None:
    """The unit stops for its fan, not for heat: its boards are whole and as cool as the air."""
    unit = make_unit(faults=[FanStopped(fan=1)])
    assert [(board.chips, board.marked) for board in unit.snapshot(START).boards] == [(108, 0)] * 3


@pytest.mark.parametrize("every_s", [20.0, 120.0, 1000.0])
def test_a_restart_loop_restarts_the_process_at_that_age(every_s: float) -> None:
    """The uptime never exceeds the age, whatever the phase, and the books stay exact over the crashes."""
    unit = make_unit()
    inject(unit, RestartLoop(every_s=every_s), START)
    ages, restarts, phases = [], 0, set()
    for second in range(3000):
        unit.advance(START + second)
        phases.add(unit.phase)
        if unit.phase is not Phase.RESTARTING:
            ages.append(unit.process(START + second).elapsed_s)
            restarts += len(ages) > 1 and ages[-1] < ages[-2]
    assert max(ages) == int(every_s) - 1
    assert restarts == pytest.approx(3000 / (every_s + 13.0), abs=2)
    assert (Phase.HASHING in phases) == (every_s > WARM_UP_S)
    totals = unit.totals(START + 3000.0)
    assert sum(totals.losses.values()) - totals.uplift + totals.hashes == pytest.approx(3000 * 200e12)


@pytest.mark.parametrize("ended", [15.0, 30.0, 100.0])
def test_a_restart_loop_that_ends_lets_the_unit_start(ended: float) -> None:
    """Cleared while the API is down, while boards are counted or in the ramp, it is the last of its crashes."""
    unit = make_unit()
    inject(unit, RestartLoop(every_s=110.0), START)
    clear(unit, START + ended)
    assert unit.snapshot(START + 13.0 + 600.0).elapsed_s == 600
    assert unit.phase is Phase.HASHING


@pytest.mark.parametrize(
    ("restart", "after_s"),
    [
        (Change(START + 100.0, 6, Verb.INJECT, 3, PsuTrip(off_s=60.0)), 30.0),
        (Change(START + 100.0, 6, Verb.INJECT, 3, PsuTrip(off_s=60.0)), 80.0),
        (Change(START + 100.0, 6, Verb.REBOOT), 30.0),
        (Change(START + 100.0, 6, Verb.MODE, WORK_MODE_LOW), 5.0),
        (Change(START + 100.0, 6, Verb.INJECT, 3, PowerOff()), 30.0),
    ],
    ids=["tripped", "booting after a trip", "rebooting", "restarting", "off"],
)
def test_a_freeze_that_ends_while_the_api_is_down_is_over(restart: Change, after_s: float) -> None:
    """Whatever phase the unit is in when a freeze is cleared, it shows live figures once it answers again."""
    unit = make_unit()
    inject(unit, Frozen(), START + 60.0)
    unit.schedule(restart)
    clear(unit, START + 100.0 + after_s)
    clear(unit, START + 200.0, number=3)
    first, later = unit.snapshot(START + 1000.0), unit.snapshot(START + 1060.0)
    assert (first.phase, later.phase) == (Phase.HASHING, Phase.HASHING)
    assert later.elapsed_s == first.elapsed_s + 60 < 1000
    assert unit.process(START + 1060.0).elapsed_s == later.elapsed_s
    assert unit.shares(START + 1060.0) != unit.shares(START + 4000.0)


@pytest.mark.parametrize("fault", [None, Asleep(), Frozen(), Overheat(celsius=30.0), PowerOff(), Rebooting()], ids=repr)
def test_the_process_figures_are_those_of_a_snapshot(fault: Condition | None) -> None:
    """Uptime and mode agree in every phase a fault leads to, frozen or not."""
    unit = make_unit()
    if fault is not None:
        inject(unit, fault, START + 60.0)
    for step in range(60):
        t = START + 20.0 * step
        snapshot = unit.snapshot(t)
        assert unit.process(t) == (snapshot.elapsed_s, snapshot.work_mode)


def test_new_firmware_restarts_the_unit_and_changes_its_build() -> None:
    """The build changes at once; the unit boots and counts its uptime from zero."""
    unit = make_unit(build="s21-202407")
    inject(unit, FirmwareChanged(build="s21-fr"), START)
    unit.advance(START + 1.0)
    assert (unit.build, unit.phase) == ("s21-fr", Phase.BOOTING)
    assert unit.snapshot(START + 45.0 + 600.0).elapsed_s == 600


def test_a_hot_day_throttles_stops_and_restarts() -> None:
    """In air between 34 and 50 C a unit is throttled, stops, restarts and returns to full clock."""
    hot = Climate(mean_celsius=42.0, swing_celsius=8.0)
    unit = make_unit(climate=hot)
    seen = []
    for step in range(2 * 1440):
        unit.advance(START + 60.0 * step)
        if not seen or seen[-1] is not unit.phase:
            seen.append(unit.phase)
    day = [Phase.THROTTLED, Phase.PROTECTED, Phase.ENUMERATING, Phase.RAMPING, Phase.THROTTLED, Phase.HASHING]
    assert [phase for phase in seen if phase is not Phase.HASHING][:5] == day[:5]
    assert {Phase.HASHING, Phase.PROTECTED, Phase.THROTTLED} <= set(seen)


def test_accepted_difficulty_is_the_work_done_within_statistics() -> None:
    """Over a week, accepted difficulty x 2^32 equals the hashes done within four standard deviations of the count."""
    for key in range(6):
        unit = make_unit(key=key)
        before, after = unit.shares(START), unit.shares(START + WEEK_S)
        accepted = after.accepted - before.accepted
        hashes = unit.totals(START + WEEK_S).hashes
        credited = accepted * after.difficulty * 2.0**32
        assert abs(credited / hashes - 1.0) < 4.0 / accepted**0.5 + 0.001
        assert (after.rejected + after.stale) / accepted == pytest.approx(0.0008, abs=0.0002)


def test_the_last_share_was_found_as_long_ago_as_shares_are_apart() -> None:
    """Sampled a thousand times over a day, its mean age is the mean time between two shares."""
    unit = make_unit()
    ages = [unit.shares(START + 86.4 * step).age_s + 0.5 for step in range(1000)]
    apart_s = unit.identity.model.share_difficulty * 2.0**32 / unit.hashrate_hs(START + 86400.0)
    assert statistics.fmean(ages) == pytest.approx(apart_s, rel=0.1)


def test_what_a_unit_shows_does_not_depend_on_who_asked_before() -> None:
    """Two units of the same key agree digit for digit, one read every ten seconds and the other once."""
    watched, alone = make_unit(uptime_s=0.0), make_unit(uptime_s=0.0)
    for unit in (watched, alone):
        inject(unit, PsuTrip(every_s=700.0), START + 500.0)
        inject(unit, HashrateDrift(ratio=1.0, per_hour=0.1), START + 800.0, 2)
    for step in range(1000):
        watched.snapshot(START + 10.0 * step)
        watched.shares(START + 10.0 * step)
    t = START + 10_000.0
    assert (watched.snapshot(t), watched.shares(t), watched.totals(t)) == (
        alone.snapshot(t),
        alone.shares(t),
        alone.totals(t),
    )


def test_a_board_shows_its_chips_times_their_clock_with_one_percent_of_noise() -> None:
    """Each board scatters by 1 % around its own mean, close to that of its chips; the unit's sum has no bias."""
    unit = make_unit()
    model, true_ghs = unit.identity.model, unit.hashrate_hs(START) / 1e9
    chips_ghs = model.chips_per_board * model.ghs_per_chip_mhz * model.frequency_mhz
    rows = [[board.ghs for board in unit.snapshot(START + 5.0 * step).boards] for step in range(4000)]
    for shown in zip(*rows, strict=True):
        mean = statistics.fmean(shown)
        assert statistics.pstdev(shown) / mean == pytest.approx(0.01, rel=0.05)
        assert mean == pytest.approx(chips_ghs, rel=0.06)
    assert statistics.fmean(map(sum, rows)) == pytest.approx(true_ghs, rel=0.0005)


def test_a_unit_scatters_by_about_a_percent_around_the_truth() -> None:
    """The 5 s rate of a unit has 0.93 % noise, mostly common to its boards; the averages are close to the truth."""
    unit = make_unit()
    true_ghs = unit.hashrate_hs(START) / 1e9
    shown = [unit.snapshot(START + 5.0 * step).ghs_5s / true_ghs for step in range(4000)]
    assert statistics.pstdev(shown) == pytest.approx(0.0093, rel=0.05)
    assert unit.snapshot(START).ghs_avg == pytest.approx(true_ghs, rel=1e-6)
    assert unit.snapshot(START).ghs_30m == pytest.approx(true_ghs, rel=0.006)


def test_boards_of_one_reply_differ_as_much_as_recorded_ones() -> None:
    """Boards of a unit differ by 1.8 to 3 % RMS, as in recorded replies, and none by more than 8 %."""
    rows = [[board.ghs for board in make_unit(key=chance.word(1, n)).snapshot(START).boards] for n in range(400)]
    off = [ghs / statistics.fmean(row) - 1.0 for row in rows for ghs in row]
    assert 0.018 < statistics.pstdev(off) * (3.0 / 2.0) ** 0.5 < 0.03
    assert max(map(abs, off)) < 0.08


def test_a_hijacked_unit_credits_the_stranger() -> None:
    """Its first pool is the stranger's from then on: what that one gets is told apart, and the owner's counts stand."""
    unit = make_unit()
    before = unit.shares(START)
    unit.schedule(Change(START, 1, Verb.INJECT, 1, PoolHijacked(restarts=False)))
    later = unit.shares(START + 3600.0)
    assert later.by_pool == before.by_pool
    assert later.by_stranger[0] > 100
    total = later.accepted + later.rejected + later.stale
    assert total == sum(sum(credit) for credit in (*later.by_pool, later.by_stranger))
    unit.withdraw(1, START + 3600.0)
    after = unit.shares(START + 7200.0)
    assert after.by_stranger == later.by_stranger
    assert after.by_pool[0][0] > before.by_pool[0][0]


@pytest.mark.parametrize(
    ("firmware", "restarts", "expected"),
    [
        ("antminer", None, True),
        ("vnish", None, True),
        ("luxos", None, False),
        ("braiins", None, False),
        ("luxos", True, True),
    ],
)
def test_other_pools_restart_the_process_as_the_firmware_does(
    firmware: str, *, restarts: bool | None, expected: bool
) -> None:
    """LuxOS and Braiins OS switch at once; with the others, counters begin anew."""
    unit = make_unit(firmware=firmware)
    unit.schedule(Change(START, 1, Verb.INJECT, 1, PoolHijacked(restarts=restarts)))
    assert (unit.process(START + 600.0).elapsed_s < 600) is expected
