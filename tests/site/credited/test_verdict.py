"""A pool's word beside the units': verdicts, bands, and which of the three does not fit."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.site.credited.verdict import Odd, Verdict, band_ratio, compare

PH = 1e15
HOUR_S, DAY_S = 3600, 86_400


def day(
    credited_hs: float | None, reported_hs: float | None = 100 * PH, **more: float | bool | None
) -> tuple[Verdict, Odd]:
    """Return verdict and odd of a day."""
    found = compare(
        DAY_S,
        credited_hs=credited_hs,
        reported_hs=reported_hs,
        **({"watched_ratio": 1.0} | more),  # type: ignore[arg-type]
    )
    return found.verdict, found.odd


@pytest.mark.parametrize(
    ("credited_hs", "verdict"),
    [
        (100 * PH, Verdict.AGREES),
        (97.1 * PH, Verdict.AGREES),
        (102.9 * PH, Verdict.AGREES),
        (96.9 * PH, Verdict.BELOW),
        (103.1 * PH, Verdict.ABOVE),
        (0.0, Verdict.BELOW),
        (None, Verdict.UNKNOWN),
        # GH/s taken for H/s, and the reverse.
        (1e8, Verdict.UNKNOWN),
        (1e26, Verdict.UNKNOWN),
        (1e20, Verdict.UNKNOWN),
        (1e14, Verdict.UNKNOWN),
    ],
)
def test_a_large_site_is_held_to_three_percent(credited_hs: float | None, verdict: Verdict) -> None:
    """The luck of a day's shares is far below it; figures of another unit of measure are not compared."""
    assert day(credited_hs) == (verdict, Odd.NONE)


def test_nothing_is_compared_that_is_not_known() -> None:
    """Too little watched, too old, or nothing reported: unknown and stale are no agreement."""
    assert day(100 * PH, watched_ratio=0.94)[0] is Verdict.UNKNOWN
    assert day(100 * PH, reported_hs=None)[0] is Verdict.UNKNOWN
    assert day(100 * PH, is_stale=True)[0] is Verdict.STALE
    assert day(0.0, reported_hs=0.0)[0] is Verdict.AGREES
    assert day(PH, reported_hs=0.0)[0] is Verdict.ABOVE
    stale = compare(DAY_S, credited_hs=PH, reported_hs=PH, watched_ratio=1.0, is_stale=True)
    assert (stale.credited_hs, stale.difference_ratio) == (None, None)
    unwatched = compare(DAY_S, credited_hs=PH, reported_hs=PH, watched_ratio=0.5)
    assert (unwatched.reported_hs, unwatched.difference_ratio) == (None, None)
    assert unwatched.words == "what units report for it is known for 50 % of the 24 h, too little to compare"


@pytest.mark.parametrize(
    ("credited", "delivered", "rejects", "verdict", "odd"),
    [
        (92, 100, 0.001, Verdict.BELOW, Odd.CREDITED),
        (92, 92, 0.08, Verdict.BELOW, Odd.REJECTS),
        (92, 92, 0.001, Verdict.BELOW, Odd.REPORTED),
        (92, 92, None, Verdict.BELOW, Odd.REPORTED),
        (92, 80, 0.001, Verdict.BELOW, Odd.UNCLEAR),
        (92, 120, 0.001, Verdict.BELOW, Odd.UNCLEAR),
        (108, 108, 0.001, Verdict.ABOVE, Odd.REPORTED),
        (108, 100, 0.001, Verdict.ABOVE, Odd.CREDITED),
        (108, 108, 0.5, Verdict.ABOVE, Odd.REPORTED),
        (100, 92, 0.001, Verdict.AGREES, Odd.DELIVERED),
        (100, 101, 0.001, Verdict.AGREES, Odd.NONE),
        (92, None, 0.08, Verdict.BELOW, Odd.NONE),
    ],
)
def test_the_one_that_does_not_fit_is_named(
    credited: float, delivered: float | None, rejects: float | None, *, verdict: Verdict, odd: Odd
) -> None:
    """Two that agree outvote the third; without the counters nothing is said."""
    delivered_hs = None if delivered is None else delivered * PH
    assert day(credited * PH, delivered_hs=delivered_hs, rejects_ratio=rejects) == (verdict, odd)


def test_words() -> None:
    """The words give the difference, and where to look."""
    found = compare(
        DAY_S, credited_hs=94.9 * PH, reported_hs=100 * PH, watched_ratio=1.0, delivered_hs=100 * PH, rejects_ratio=0.0
    )
    assert found.words == (
        "5.1 % less than units report over 24 h; units' own counters agree with what they report: look at the pool, its"
        " fee, a proxy, or the account"
    )
    assert found.difference_ratio == pytest.approx(-0.051)


def test_a_small_site_is_given_the_luck_of_its_shares() -> None:
    """One unit of 300 TH/s has 6.5 % of luck over an hour, so nearly 20 % are within three sigmas."""
    assert band_ratio(300e12, HOUR_S) == pytest.approx(3 * 0.0646, rel=0.01)
    assert band_ratio(300e12, DAY_S) == pytest.approx(3 * 0.0132, rel=0.01)
    assert band_ratio(1e18, HOUR_S) == 0.05
    assert band_ratio(0.0, HOUR_S) == math.inf


rates = st.none() | st.floats(0, 1e21) | st.just(0.0)


@given(
    rates, rates, st.floats(0, 1), rates, st.none() | st.floats(0, 1), st.booleans(), st.sampled_from((HOUR_S, DAY_S))
)
def test_any_figures_have_one_verdict(  # noqa: PLR0917
    credited_hs: float | None,
    reported_hs: float | None,
    watched_ratio: float,
    delivered_hs: float | None,
    rejects_ratio: float | None,
    is_stale: bool,  # noqa: FBT001
    window_s: int,
) -> None:
    """Nothing is compared unless both are known and recent; a verdict of a difference has one."""
    found = compare(
        window_s,
        credited_hs=credited_hs,
        reported_hs=reported_hs,
        watched_ratio=watched_ratio,
        delivered_hs=delivered_hs,
        rejects_ratio=rejects_ratio,
        is_stale=is_stale,
    )
    assert found.words
    is_known = credited_hs is not None and reported_hs is not None and watched_ratio >= 0.95 and not is_stale
    if not is_known:
        assert found.verdict in {Verdict.UNKNOWN, Verdict.STALE}
    if found.verdict is Verdict.BELOW:
        assert found.difference_ratio is not None
        assert found.difference_ratio < 0
    if found.verdict in {Verdict.UNKNOWN, Verdict.STALE}:
        assert found.odd is Odd.NONE
