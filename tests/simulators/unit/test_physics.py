"""The physics of a simulated unit: integrals in closed form, the daily air, seeded randomness."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.unit import chance, physics
from simulators.unit.physics import Climate, Flow

seconds = st.floats(min_value=1.0, max_value=2_000_000.0)
CLIMATE = Climate(mean_celsius=22.0, swing_celsius=6.0)


@given(
    rate_hs=st.floats(0.0, 4e14),
    slope_hs_s=st.floats(-1e8, 1e12),
    span_s=st.floats(1.0, 900.0),
    watts_per_s=st.floats(-1.0, 10.0),
    watts_per_s2=st.floats(0.0, 0.1),
)
def test_integrals_are_those_of_the_instant_values(
    *, rate_hs: float, slope_hs_s: float, span_s: float, watts_per_s: float, watts_per_s2: float
) -> None:
    """Hashes are the integral of the rate and joules that of the power, as fine sums confirm."""
    flow = Flow(100.0, rate_hs, slope_hs_s, 3000.0, watts_per_s, watts_per_s2, 80.0, 1.0)
    steps = 2000
    middles = [100.0 + span_s * (step + 0.5) / steps for step in range(steps)]
    assert flow.hashes_until(100.0 + span_s) == pytest.approx(
        sum(map(flow.rate_at, middles)) * span_s / steps, rel=1e-9, abs=1.0
    )
    assert flow.joules_until(100.0 + span_s) == pytest.approx(
        sum(map(flow.watts_at, middles)) * span_s / steps, rel=1e-5
    )


@given(span_s=st.floats(0.0, 900.0), further_s=st.floats(0.0, 900.0), nameplate_hs=st.floats(0.0, 3e14))
def test_a_flow_with_a_later_start_is_the_same_flow(*, span_s: float, further_s: float, nameplate_hs: float) -> None:
    """Splitting a flow in two changes neither hashes, joules nor shortfall."""
    whole = Flow(0.0, 0.0, 1e12, 18.0, 2.0, 0.01, 50.0, 0.3)
    later, end = whole.moved_to(span_s), span_s + further_s
    for integral in (
        Flow.hashes_until,
        Flow.joules_until,
        lambda flow, t: flow.shortfall_until(t, nameplate_hs),
    ):
        assert integral(whole, span_s) + integral(later, end) == pytest.approx(integral(whole, end), rel=1e-9, abs=1e3)


@pytest.mark.parametrize(
    ("rate_hs", "slope_hs_s", "expected"),
    [
        (50.0, 0.0, 500.0),  # 50 short all the time.
        (150.0, 0.0, 0.0),  # Above the nameplate: no shortfall, and no credit.
        (50.0, 10.0, 125.0),  # Shortfall falls from 50 to 0 in the first five seconds.
        (150.0, -10.0, 125.0),  # Shortfall rises from 0 to 50 in the last five seconds.
        (0.0, 10.0, 500.0),  # Reaches the nameplate at the very end.
    ],
)
def test_shortfall_never_counts_what_is_above_the_nameplate(
    *, rate_hs: float, slope_hs_s: float, expected: float
) -> None:
    """Over ten seconds against a nameplate of 100, only shortfall adds up."""
    assert Flow(0.0, rate_hs, slope_hs_s).shortfall_until(10.0, 100.0) == pytest.approx(expected)


@given(start=seconds, celsius=st.floats(15.0, 29.0))
def test_the_air_has_the_temperature_at_its_predicted_crossing(*, start: float, celsius: float) -> None:
    """The temperature reaches the threshold at the predicted crossing and at no earlier moment."""
    up, down = CLIMATE.next_above(start, celsius), CLIMATE.next_below(start, celsius)
    for crossing, sign in ((up, 1.0), (down, -1.0)):
        if math.isinf(crossing):
            assert abs(celsius - CLIMATE.mean_celsius) > CLIMATE.swing_celsius
            continue
        assert sign * CLIMATE.ambient_celsius(crossing) >= sign * celsius - 1e-6
        for step in range(50):
            before = start + (crossing - start) * step / 50.0
            if before < crossing:
                assert sign * CLIMATE.ambient_celsius(before) <= sign * celsius + 1e-6


def test_air_without_a_swing_never_crosses_anything() -> None:
    """A constant climate is above or below a threshold for ever."""
    steady = Climate(mean_celsius=22.0, swing_celsius=0.0)
    assert (steady.next_above(0.0, 21.0), steady.next_above(0.0, 23.0)) == (0.0, math.inf)
    assert (steady.next_below(0.0, 23.0), steady.next_below(0.0, 21.0)) == (0.0, math.inf)


def test_the_warmest_moment_is_where_it_was_put() -> None:
    """15:00 UTC is the warmest second of the day."""
    day = [CLIMATE.ambient_celsius(600.0 * step) for step in range(144)]
    assert max(range(144), key=day.__getitem__) * 600.0 == 15 * 3600.0
    assert (max(day), min(day)) == (pytest.approx(28.0), pytest.approx(16.0))


def test_wall_power_follows_the_air_by_four_to_eight_percent_a_day() -> None:
    """A hashing S21 draws its 3500 W at 25 C and varies with the time of day."""
    flow = physics.steady_flow(0.0, rate_hs=200e12, slope_hs_s=0.0, energy=17.5e-12, clock_ratio=1.0, climate=CLIMATE)
    day = [flow.watts_at(600.0 * step) for step in range(144)]
    assert 0.04 <= (max(day) - min(day)) / 3500.0 <= 0.08
    warm = Climate(mean_celsius=25.0, swing_celsius=0.0)
    at_25 = physics.steady_flow(0.0, rate_hs=200e12, slope_hs_s=0.0, energy=17.5e-12, clock_ratio=1.0, climate=warm)
    assert at_25.watts_at(0.0) == pytest.approx(3500.0, rel=0.01)


@pytest.mark.parametrize(("clock_ratio", "volts"), [(1.0, 1.0), (440 / 490, 0.9794), (0.8, 0.9592), (1.08, 1.0159)])
def test_power_goes_with_the_clock_and_the_square_of_the_voltage(clock_ratio: float, volts: float) -> None:
    """A slower clock needs less voltage: the energy of a hash falls with its square."""
    still = Climate(mean_celsius=25.0, swing_celsius=0.0)
    flow = physics.steady_flow(
        0.0, rate_hs=200e12 * clock_ratio, slope_hs_s=0.0, energy=17.5e-12, clock_ratio=clock_ratio, climate=still
    )
    assert physics.voltage_ratio(clock_ratio) == pytest.approx(volts, abs=1e-4)
    assert flow.watts_at(0.0) - physics.STANDBY_WATTS == pytest.approx(3500.0 * clock_ratio * volts**2, rel=1e-3)


@pytest.mark.parametrize(
    ("ambient", "load", "rpm"),
    [(10.0, 1.0, 3510), (25.0, 1.0, 5610), (25.0, 0.7, 5430), (45.0, 1.0, 7000), (25.0, 0.0, 1800), (-30.0, 1.0, 1800)],
)
def test_fans_answer_the_air_in_steps_of_30_up_to_7000(*, ambient: float, load: float, rpm: int) -> None:
    """Speeds are multiples of 30, as recorded, between 1800 and 7000 while boards have power."""
    assert physics.fan_rpm(ambient, load) == rpm


def test_boards_in_a_warm_room_are_as_warm_as_recorded() -> None:
    """At 25 C and full load the board is within 3 degrees of s21-stock-aml-202407: 44 in, 58 out at 7000 rpm."""
    inlet, outlet = physics.board_celsius(25.0, 1.02, 7000)
    assert (inlet, outlet) == (pytest.approx(44.0, abs=3.0), pytest.approx(58.0, abs=3.0))


def test_noise_is_normal_enough_and_the_same_every_time() -> None:
    """Draws have mean 0 and variance 1, are bounded, and depend on key and counter alone."""
    draws = [chance.normal(5, counter) for counter in range(20_000)]
    mean = sum(draws) / len(draws)
    assert abs(mean) < 0.03
    assert sum((draw - mean) ** 2 for draw in draws) / len(draws) == pytest.approx(1.0, abs=0.03)
    assert max(map(abs, draws)) < 3.5
    assert draws == [chance.normal(5, counter) for counter in range(20_000)]


def test_four_numbers_of_one_draw_are_normal_enough_and_uncorrelated() -> None:
    """Each has mean 0 and variance 1, and no two are correlated."""
    columns = list(zip(*[chance.four_normals(5, counter) for counter in range(20_000)], strict=True))
    for number, column in enumerate(columns):
        assert statistics.fmean(column) == pytest.approx(0.0, abs=0.03)
        assert statistics.pvariance(column) == pytest.approx(1.0, abs=0.03)
        assert max(map(abs, column)) < 2.45
        for other in columns[:number]:
            assert statistics.correlation(column, other) == pytest.approx(0.0, abs=0.03)


def test_events_in_a_block_come_one_by_one_and_end_at_its_count() -> None:
    """The count is monotonic across the block and complete at its end."""
    counts = [chance.count_within(9, 3, step / 1000.0) for step in range(1000)]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert chance.block_count(9, 3) - counts[-1] <= 2


def test_shares_are_as_scattered_as_a_poisson_process() -> None:
    """Counts over an eighth of a block, 32 expected, have a variance of 32 within 15 %."""
    pieces = [
        chance.count_within(1, block, (part + 1) / 8) - chance.count_within(1, block, part / 8)
        for block in range(200)
        for part in range(7)
    ]
    mean = sum(pieces) / len(pieces)
    assert mean == pytest.approx(32.0, rel=0.03)
    assert sum((piece - mean) ** 2 for piece in pieces) / len(pieces) == pytest.approx(32.0, rel=0.15)


@given(expected=st.floats(0.0, 1e6), more=st.floats(0.0, 10.0))
def test_rare_events_never_un_happen(*, expected: float, more: float) -> None:
    """The count is monotonic in the expectation and stays within one of it."""
    assert chance.stratified_count(3, expected) <= chance.stratified_count(3, expected + more)
    assert abs(chance.stratified_count(3, expected) - expected) <= 1.0
