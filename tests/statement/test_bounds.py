"""Bounds and gates: time and units that were not seen never flatter a statement."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from history_cases import AT, DAY_S, EH, HOUR_S, PH, hours, operating, row, unix
from hypothesis import given
from hypothesis import strategies as st
from statement_cases import OCTOBER, OCTOBER_PERIOD, Kept, course, published, shown, stated

from agent.history.chain.links import Fact
from agent.site.status import Cause, UnitState
from agent.statement import text as statement_text
from agent.statement.check import decode, verify
from agent.statement.errors import StatementError
from agent.statement.period import parse_period
from agent.statement.statement import Statement, state
from agent.statement.unseen import GapReason

DECEMBER = parse_period("2025-12", ZoneInfo("UTC"))
FEBRUARY_2026 = unix("2026-02-01")


def _december_cut(*, is_gateway_up: bool, recovered: float | None = None) -> Statement:
    """Return December at 92 % with a power cut of 36 h, which takes the gateway along or does not.

    Args:
        is_gateway_up: True if the gateway is on a UPS.
        recovered: Share of deployed that units' counters prove of the gap; None without a fact of it.
    """
    cut = unix("2025-12-10 03:00")
    back = cut + 36 * HOUR_S
    deployed = {"deployed_hs": 50 * EH, "known_hs": 50 * EH}
    dark = hours(cut, back, operating_hs=0.0, losses_hs={Cause.UNREACHABLE: 50 * EH}, efficient_hs=0.0, **deployed)
    starting = {"operating_hs": 0.0, "losses_hs": {Cause.STARTING: 50 * EH}, "span_s": 1800, "watched_s": 1800.0}
    rows = [
        *operating(DECEMBER.start, cut, deployed_hs=50 * EH, operating_hs=46 * EH),
        *(dark if is_gateway_up else ()),
        row(back, **starting, **deployed),
        row(back + 1800, operating_hs=46 * EH, span_s=1800, watched_s=1800.0, **deployed),
        *operating(back + HOUR_S, DECEMBER.end, deployed_hs=50 * EH, operating_hs=46 * EH),
    ]
    kept = Kept(rows)
    if recovered is not None:
        deployed_hashes = 50 * EH * (back - cut)
        units = {"units": 0, "of_units": 250, "restarted_units": 250, "unknown_units": 0}
        body = {"from": cut, "until": back, "hashes": recovered * deployed_hashes, "deployed_hashes": deployed_hashes}
        kept.kept_facts = (Fact("start", back - 30, {}), Fact("recovered", back + 600, body | units))
    return state(kept, DECEMBER, now=FEBRUARY_2026, is_draft=False)


@pytest.mark.parametrize("recovered", [0.0, 0.9])
def test_the_cut_with_facts_has_the_same_floor(recovered: float) -> None:
    """Starts and recovered time change neither floor nor verdict nor the reason: power was lost."""
    alone, plain = _december_cut(is_gateway_up=False, recovered=recovered), _december_cut(is_gateway_up=False)
    assert shown(alone)["floor"][0] == "87.49 %"
    assert alone.figures.is_above_target is False
    assert (alone.notes, alone.parts[0].unseen) == (plain.notes, plain.parts[0].unseen)


def test_a_power_cut_that_takes_the_gateway_along() -> None:
    """It is published with its floor, which is what a gateway on a UPS would have measured, and not as above 90 %."""
    alone, seen = _december_cut(is_gateway_up=False), _december_cut(is_gateway_up=True)
    assert shown(alone)["Operational efficiency"][0] == "91.94 %"
    assert shown(alone)["floor"][0] == shown(seen)["floor"][0] == shown(seen)["Operational efficiency"][0] == "87.49 %"
    assert shown(alone)["Operational efficiency"][2].startswith("not above the 90 % line by the floor")
    assert (alone.figures.is_above_target, seen.figures.is_above_target) == (False, False)
    assert [(gap.seconds, gap.reason) for gap in alone.parts[0].unseen.gaps] == [(36 * HOUR_S, GapReason.POWER)]
    assert alone.notes == (
        "NOT ABOVE 90 %: 91.94 % is of the time that was watched; the floor over the whole time is 87.49 %.",
        "alpha: gaps over 5 minutes: 1 power (36.0 hours).",
    )
    for form in (statement_text.table, statement_text.markdown, statement_text.csv):
        assert "alpha: 2025-12-10 03:00 +0000 to 2025-12-11 15:00 +0000, 36.0 hours: power" in form(alone)


def test_units_off_at_the_breaker_are_published_as_a_lower_bound() -> None:
    """6 % of units in no known state all month, everything watched: the figure is its own floor, and is marked."""
    rows = hours(*OCTOBER, losses_hs={Cause.UNREACHABLE: 3 * PH, Cause.STOPPED: PH}, known_hs=47 * PH)
    statement = published(rows)
    figures = statement.figures
    assert (figures.unknown_ratio, figures.watched_ratio) == (pytest.approx(0.06), 1.0)
    assert figures.operational_efficiency_floor_ratio == figures.operational_efficiency_ratio == 0.92
    assert figures.operational_efficiency_ceiling_ratio == pytest.approx(0.98)
    assert figures.is_above_target
    assert statement_text.title(statement).startswith("Statement (lower bound) of alpha")
    (note,) = statement.notes
    assert note.startswith("LOWER BOUND: 6.00 % of deployed was in no known state and counts as nothing.")
    assert note.endswith("The figure to publish is the floor, 92.00 %.")
    assert decode(msgspec.json.encode(statement), "s.json") == statement


def test_rates_of_units_that_were_not_asked_in_time_are_not_in_the_floor() -> None:
    """They count with their last rate in the figure; nothing is lost to them, and the floor leaves them out."""
    figures = stated(hours(*OCTOBER, losses_hs={Cause.STOPPED: 4 * PH}, known_hs=47 * PH)).figures
    assert figures.operational_efficiency_ratio == 0.92
    assert figures.operational_efficiency_floor_ratio == pytest.approx(43 / 50)
    assert figures.is_above_target is False


def test_october_netted_and_capped() -> None:
    """Units above their nameplates carry October over the line: both ratios are named, and which the verdict is by."""
    rows = hours(
        *OCTOBER,
        deployed_hs=50 * EH,
        known_hs=50 * EH,
        operating_hs=46.09 * EH,
        uplift_hs=0.655 * EH,
        losses_hs={Cause.STOPPED: 4.565 * EH},
    )
    lines = shown(published(rows))
    assert lines["Operational efficiency"] == ("92.18 %", "", "above the 90 % line by the floor, uplift netted")
    assert lines["capped per unit"] == ("90.87 %", "", "no unit above its nameplate; floor 90.87 %")
    rows = hours(*OCTOBER, operating_hs=45.5 * PH, uplift_hs=PH, losses_hs={Cause.STOPPED: 5.5 * PH})
    assert shown(published(rows))["Operational efficiency"][2] == (
        "above the 90 % line by the floor, uplift netted; not above it capped"
    )


@pytest.mark.parametrize(
    ("month", "zone"),
    [("2025-11", "America/Chicago"), ("2025-03", "Europe/Berlin"), ("2028-02", "UTC"), ("2025-04", "Asia/Kathmandu")],
)
def test_nothing_unseen_is_nothing_between_the_bounds(month: str, zone: str) -> None:
    """Clock changes, a leap day, odd zones and bins, and a fleet that grows: equal to the last bit."""
    period = parse_period(month, ZoneInfo(zone))
    grown = period.start + 10 * DAY_S
    rows = [
        *operating(period.start, grown, deployed_hs=31.4159 * EH, operating_hs=29.7 * EH),
        *operating(grown, period.end, deployed_hs=44.8059 * EH, operating_hs=41.1234567 * EH),
    ]
    ledger = course((31.4159, None, None), (13.39, datetime.fromtimestamp(grown, UTC).isoformat(" ")[:16], None))
    statement = state(Kept(rows), period, now=period.end + 9999.0, is_draft=False, course=ledger)
    figures = statement.figures
    assert statement.notes == ()
    assert figures.operational_efficiency_floor_ratio == figures.operational_efficiency_ratio
    assert figures.operational_efficiency_ceiling_ratio == figures.operational_efficiency_ratio
    assert figures.deployed_whole_hs == figures.deployed_hs
    whole_hs = ledger.hashes(period.start, period.end) / period.seconds
    assert figures.deployed_whole_hs == pytest.approx(whole_hs, rel=1e-12)
    assert (figures.coverage_ratio, figures.watched_ratio) == (1.0, 1.0)


# The ledger


def test_deployed_is_the_ledgers_over_all_time() -> None:
    """A gap of 4.6 % after the fleet grew leaves the mean of deployed at the ledger's 40.54 EH/s, not at 40.09."""
    grown = unix("2025-10-17 07:00")
    ledger = course((32.0, None, None), (18.0, "2025-10-17 07:00", None))
    rows = [
        *operating(AT, grown, deployed_hs=32 * EH, operating_hs=30 * EH),
        *operating(grown + 34 * HOUR_S, OCTOBER[1], deployed_hs=50 * EH, operating_hs=47 * EH),
    ]
    statement = published(rows, ledger=ledger)
    exact_hs = (32 * 391 + 50 * 353) / 744 * EH
    assert statement.figures.deployed_whole_hs == pytest.approx(exact_hs, rel=1e-12)
    assert shown(statement)["Deployed, mean"] == ("40.54 EH/s", "", "over all the time, watched or not")
    assert shown(statement)["while watched"][0] == "40.09 EH/s"
    assert statement.parts[0].unseen.ledger_digest == "d" * 64
    assert verify(statement, Kept(rows), OCTOBER_PERIOD, course=ledger) == []
    assert verify(statement, Kept(rows), OCTOBER_PERIOD) == []
    other = course((32.0, None, None), (18.0, "2025-10-18", None))
    assert [each.split(":")[0] for each in verify(statement, Kept(rows), OCTOBER_PERIOD, course=other)] == [
        "unseen unwatched"
    ]


def test_without_a_ledger_the_larger_edge_counts() -> None:
    """Nothing says when the fleet grew within a gap: the floor takes the larger fleet for all of it."""
    grown = AT + 10 * DAY_S
    rows = [
        *operating(AT, grown - DAY_S, deployed_hs=30 * EH, operating_hs=28 * EH),
        *operating(grown, OCTOBER[1], deployed_hs=50 * EH, operating_hs=47 * EH),
    ]
    assert stated(rows).figures.deployed_whole_hs == pytest.approx((30 * 9 + 50 * 22) / 31 * EH)


def test_a_ledger_that_was_changed_for_the_past_is_noticed() -> None:
    """30 removals backdated to the first of the month: named, and published only when acknowledged."""
    rows = operating(*OCTOBER, deployed_hs=50 * EH, operating_hs=46 * EH)
    assert published(rows, ledger=course((50.0, None, None))).notes == ()
    backdated = course((44.0, None, None), (6.0, None, "2025-10-01"))
    doubt = "the ledger now says 12.00 % less deployed than history kept at the time"
    with pytest.raises(StatementError, match=rf"{doubt}.*--acknowledge ledger\)"):
        published(rows, ledger=backdated)
    statement = published(rows, ledger=backdated, acknowledged=("ledger", "delivered"))
    assert statement.acknowledged == ("ledger",)
    assert statement.notes == (f"alpha: {doubt}: it was changed for the past. Acknowledged by the publisher.",)
    assert statement.figures.operational_efficiency_ratio == 0.92
    assert decode(msgspec.json.encode(statement), "s.json") == statement
    silent = msgspec.structs.replace(
        statement, acknowledged=(), notes=(f"alpha: {doubt}: it was changed for the past.",)
    )
    with pytest.raises(StatementError, match="not to be published"):
        decode(msgspec.json.encode(silent), "s.json")


def test_the_course_of_a_ledger() -> None:
    """Steps are exact at their moments; a unit that leaves and comes back counts while it is there."""
    steps = course((1.0, None, "2025-10-02"), (2.0, "2025-10-03", "2025-10-05"), (0.5, "2025-10-04", None))
    days = [steps.hashes(AT + day * DAY_S, AT + (day + 1) * DAY_S) / DAY_S / EH for day in range(6)]
    assert days == [1.0, 0.0, 2.0, 2.5, 0.5, 0.5]
    assert steps.hashes(AT + DAY_S / 2, AT + 2.5 * DAY_S) == (0.5 + 1.0) * DAY_S * EH
    assert steps.first_deployed_at(AT, OCTOBER[1]) == AT
    assert steps.first_deployed_at(AT + DAY_S, OCTOBER[1]) == AT + 2 * DAY_S
    assert course((1.0, "2025-12-01", None)).first_deployed_at(*OCTOBER) is None


# Delivered


@pytest.mark.parametrize(("delivered_hs", "is_published"), [(45.5, True), (43.0, False), (48.5, False)])
def test_delivered_that_diverges_is_acknowledged_or_not_published(delivered_hs: float, *, is_published: bool) -> None:
    """Delivered and operating per nameplate must agree within 5 %, as `MiningDeliveredDiverges` has it."""
    delivered = {"delivered_hs": delivered_hs * PH, "delivered_s": 3600.0, "delivered_deployed_hs": 50 * PH}
    rows = hours(*OCTOBER, **delivered)
    if is_published:
        assert published(rows).notes == ()
        return
    with pytest.raises(
        StatementError, match=r"delivered is [0-9.]+ % of operating, 95 % to 105 %.*--acknowledge delivered"
    ):
        published(rows)
    statement = published(rows, acknowledged=("delivered",))
    assert statement.notes[0].endswith("one of the two is wrong. Acknowledged by the publisher.")


def test_silent_units_without_a_counter_are_no_divergence() -> None:
    """What is off at the breaker has no counter either: the rest delivers all of operating, and more would be wrong."""
    silent = {"losses_hs": {Cause.UNREACHABLE: 4 * PH}, "delivered_s": 3600.0, "delivered_deployed_hs": 46 * PH}
    assert published(hours(*OCTOBER, **silent, delivered_hs=45.5 * PH)).notes == ()
    for wrong_hs in (43 * PH, 48.5 * PH):
        with pytest.raises(StatementError, match="--acknowledge delivered"):
            published(hours(*OCTOBER, **silent, delivered_hs=wrong_hs))
    # Half of the units hash and have no counter.
    half = {"delivered_s": 3600.0, "delivered_deployed_hs": 25 * PH}
    assert published(hours(*OCTOBER, **half, delivered_hs=23 * PH)).notes == ()


def test_delivered_counts_over_the_time_in_which_it_is_known() -> None:
    """Half a month without counters is no divergence, nor is an hour of bad luck."""
    known = {"delivered_hs": 46 * PH, "delivered_s": 3600.0, "delivered_deployed_hs": 50 * PH}
    middle = AT + 15 * DAY_S
    assert published([*hours(AT, middle), *hours(middle, OCTOBER[1], **known)]).notes == ()
    unlucky = hours(AT, AT + HOUR_S, **known | {"delivered_hs": 30 * PH})
    assert published([*unlucky, *hours(AT + HOUR_S, OCTOBER[1])]).notes == ()


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 60), st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=40))
def test_the_truth_lies_between_the_bounds(minutes: list[tuple[bool, float, float, float]]) -> None:
    """What hashed in minutes that were not watched, or in units that were not known, is between the bounds."""
    true, rows = 0.0, []
    for number, (is_kept, watched_s, share, dark) in enumerate([(True, 60.0, 0.9, 0.0), *minutes]):
        seen_hs, hidden_hs = (1 - dark) * share * PH, dark * (1 - share) * PH
        true += (seen_hs + hidden_hs) * 60
        if not is_kept or not watched_s:
            continue
        rows.append(
            row(
                AT + 60 * number,
                watched_s=watched_s,
                deployed_hs=PH,
                operating_hs=seen_hs,
                known_hs=(1 - dark) * PH,
                losses_hs={Cause.UNREACHABLE: dark * PH, Cause.STOPPED: (1 - dark) * (1 - share) * PH},
                efficient_hs=0.0,
                efficient_deployed_hs=0.0,
                units_by_state={UnitState.HASHING: 250.0},
            )
        )
    end = AT + 60 * (len(minutes) + 1)
    # An hour later, so that what follows the last row is a gap, in which nothing hashed.
    figures = stated(rows, now=end + HOUR_S).figures
    ratio = true / (PH * (end + HOUR_S - AT))
    assert figures.operational_efficiency_floor_ratio is not None
    assert figures.operational_efficiency_ceiling_ratio is not None
    assert figures.operational_efficiency_floor_ratio <= ratio + 1e-9
    assert ratio <= figures.operational_efficiency_ceiling_ratio + 1e-9
