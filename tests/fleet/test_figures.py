"""Sites judged and added up: what is silent stays in deployed, operates an unknown amount, and is never zero."""

from fractions import Fraction

import msgspec
import pytest
from fleet_cases import AT, PHS, STALE_AFTER_S, figures, heard, report, view
from hypothesis import given
from hypothesis import strategies as st

from agent.fleet.figures import FleetFigures, Heard, SiteView, Standing, fleet_figures, site_view
from agent.fleet.troubles import SiteError, Trouble

UNREACHABLE = SiteError(Trouble.UNREACHABLE, "connection refused")
NEVER = Heard(url="http://agent:9184", error=UNREACHABLE, failing_since=AT - 60)

A = view("a", heard(report("a", figures(100, 95))))
B = view("b", heard(report("b", figures(50, 30, losses_phs={"curtailed": 15, "stopped": 5}, known_phs=45))))
LATE = view("late", heard(report("late", figures(40, 38)), age_s=31, error=UNREACHABLE))
STARTING = view("starting", heard(report("starting")))
MISSING = view("missing", NEVER)
UPLIFTED = view("up", heard(report("up", figures(10, 11, losses_phs={}))))


def _exact(total: FleetFigures) -> tuple[Fraction, ...]:
    """Return deployed, unknown, known and operating in PH/s."""
    return tuple(
        Fraction(hs) / Fraction(PHS) for hs in (total.deployed_hs, total.unknown_hs, total.known_hs, total.operating_hs)
    )


@pytest.mark.parametrize(
    ("views", "sums", "ratios"),
    [
        # deployed, unknown, known, operating; ratio, at least, over those that answer, coverage
        ((A,), (100, 0, 100, 95), (Fraction(95, 100), Fraction(95, 100), Fraction(95, 100), 1)),
        ((A, B), (150, 0, 145, 125), (Fraction(125, 150), Fraction(125, 150), Fraction(125, 150), Fraction(145, 150))),
        ((A, LATE), (140, 40, 100, 95), (None, Fraction(95, 140), Fraction(95, 100), Fraction(100, 140))),
        ((A, STARTING), (200, 100, 100, 95), (None, Fraction(95, 200), Fraction(95, 100), Fraction(1, 2))),
        ((A, MISSING), (100, 0, 100, 95), (None, None, Fraction(95, 100), None)),
        ((LATE, MISSING), (40, 40, 0, 0), (None, None, None, None)),
        ((LATE,), (40, 40, 0, 0), (None, 0, None, 0)),
        ((A, UPLIFTED), (110, 0, 110, 106), (Fraction(106, 110), Fraction(106, 110), Fraction(106, 110), 1)),
        ((), (0, 0, 0, 0), (None, None, None, None)),
    ],
)
def test_totals_count_what_is_known_and_keep_what_is_deployed(
    views: tuple[SiteView, ...], sums: tuple[int, ...], ratios: tuple[Fraction | int | None, ...]
) -> None:
    """A late site keeps its nameplate and loses its rate; with a missing one no ratio of the whole is given."""
    total = fleet_figures(views)
    assert _exact(total) == sums
    given_ratios = (total.ratio, total.at_least_ratio, total.answering_ratio, total.coverage_ratio)
    assert given_ratios == pytest.approx([None if each is None else float(each) for each in ratios])
    assert total.is_complete is (MISSING not in views)


def test_diverted_work_is_added_over_the_sites_that_judge_it() -> None:
    """A site without an allow-list and a late one say nothing; without any that judges there is no sum."""
    judging = [
        view("a", heard(report("a", figures(100, 95, diverted_units=6, diverted_phs=1.2)))),
        view("b", heard(report("b", figures(100, 95, diverted_units=0, diverted_phs=0.0)))),
    ]
    others = [
        view("c", heard(report("c", figures(100, 95)))),
        view("d", heard(report("d", figures(100, 95, diverted_units=9, diverted_phs=2.0)), age_s=300.0)),
    ]
    totals = fleet_figures([*judging, *others])
    assert (totals.diverted_units, totals.diverted_hs, totals.judging) == (6, 1.2e15, 2)
    totals = fleet_figures(others)
    assert (totals.diverted_units, totals.diverted_hs, totals.judging) == (None, None, 0)


def test_losses_of_all_sites_are_added_by_cause_largest_first() -> None:
    """A loss that only a newer agent knows is added under its own name."""
    newer = view("newer", heard(report("newer", figures(20, 10, losses_phs={"flooded": 9, "stopped": 1}))))
    total = fleet_figures((A, B, newer))
    assert [(cause, hs / PHS) for cause, hs in total.losses] == [("curtailed", 15), ("stopped", 11), ("flooded", 9)]


@given(
    st.lists(
        st.tuples(st.sampled_from(("current", "late", "waiting")), st.integers(0, 10**6), st.integers(0, 10**6)),
        max_size=40,
    )
)
def test_the_sums_always_agree(drawn: list[tuple[str, int, int]]) -> None:
    """Deployed - unknown - sum(losses) + uplift == operating, exactly, whichever sites answer."""
    views = []
    for number, (kind, deployed, operating) in enumerate(drawn):
        shown = figures(deployed, operating)
        age_s = STALE_AFTER_S + 1 if kind == "late" else 1.0
        told = report("x") if kind == "waiting" else report("x", shown)
        views.append(view(f"s{number}", heard(told, age_s=age_s)))
    total = fleet_figures(views)
    left = (
        Fraction(total.deployed_hs)
        - Fraction(total.unknown_hs)
        - sum(map(Fraction, total.losses_hs.values()))
        + Fraction(total.uplift_hs)
    )
    assert float(left) == pytest.approx(total.operating_hs, rel=1e-9, abs=1.0)
    assert sum(total.sites.values()) == len(drawn)


@pytest.mark.parametrize(
    ("age_s", "standing"), [(0.0, Standing.CURRENT), (STALE_AFTER_S, Standing.CURRENT), (30.1, Standing.LATE)]
)
def test_an_answer_counts_until_it_is_stale(age_s: float, standing: Standing) -> None:
    """A failed question does not end what an answer says; its age does."""
    seen = view("a", heard(report("a", figures(100, 95)), age_s=age_s, error=UNREACHABLE))
    assert seen.standing is standing
    assert seen.deployed_hs == 100 * PHS
    assert (seen.ratio is None) is (standing is Standing.LATE)


def test_the_age_of_figures_is_their_age_at_the_agent_and_since() -> None:
    """No clock of another machine is compared with ours."""
    assert view("a", heard(report("a", figures(100, 95), figures_age_s=7.5), age_s=4)).figures_age_s == 11.5


def test_a_site_whose_units_answer_and_cannot_be_read_is_unknown() -> None:
    """Its agent gives no ratio, so its rate of zero is no measurement."""
    unread = msgspec.structs.replace(
        figures(100, 0, losses_phs={"unreadable": 100}, known_phs=0), operational_efficiency_ratio=None
    )
    seen = view("a", heard(report("a", unread)))
    assert seen.standing is Standing.WAITING
    assert fleet_figures((seen,)).unknown_hs == 100 * PHS


PRIMARY, STANDBY = "http://first:9184", "http://second:9184"


@pytest.mark.parametrize(
    ("first", "second", "url", "standing"),
    [
        # The primary answers, its standby has no figures.
        (
            heard(report("a", figures(100, 95)), url=PRIMARY),
            heard(report("a", role="standby"), url=STANDBY),
            PRIMARY,
            "current",
        ),
        # The primary is silent, its standby took over.
        (
            heard(report("a", figures(100, 95)), url=PRIMARY, age_s=40),
            heard(report("a", figures(100, 90), role="active"), url=STANDBY),
            STANDBY,
            "current",
        ),
        # It did not take over yet.
        (
            heard(report("a", figures(100, 95)), url=PRIMARY, age_s=40),
            heard(report("a", role="standby"), url=STANDBY),
            STANDBY,
            "waiting",
        ),
        # Both have figures, for as long as it takes to give back.
        (
            heard(report("a", figures(100, 95)), url=PRIMARY),
            heard(report("a", figures(100, 90), role="active"), url=STANDBY),
            PRIMARY,
            "current",
        ),
        # The primary is back, and has no figures yet.
        (
            heard(report("a"), url=PRIMARY),
            heard(report("a", figures(100, 90), role="active"), url=STANDBY),
            STANDBY,
            "current",
        ),
        # Neither answers: the later answer says what is deployed.
        (
            heard(report("a", figures(100, 95)), url=PRIMARY, age_s=90),
            heard(report("a", figures(80, 90), role="active"), url=STANDBY, age_s=40),
            STANDBY,
            "late",
        ),
    ],
)
def test_a_pair_of_agents_is_one_site(first: Heard, second: Heard, url: str, standing: str) -> None:
    """Whichever has figures counts, once; the primary's if both have."""
    for pair in ((first, second), (second, first)):
        seen = site_view("a", pair, clock_s=AT, stale_after_s=STALE_AFTER_S)
        assert (seen.url, seen.standing) == (url, standing)
        total = fleet_figures((seen,))
        assert total.deployed_hs == (80 if standing == "late" else 100) * PHS
        assert sum(total.sites.values()) == 1
