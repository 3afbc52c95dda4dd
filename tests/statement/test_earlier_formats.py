"""Statements of earlier formats: read by their own rules, and stated as today's."""

from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from history_cases import AT, DAY_S, PH, hours
from statement_cases import LATER, OCTOBER, Kept, stated

from agent.history.export import Digest
from agent.history.minutes import Row
from agent.statement.check import decode, verify
from agent.statement.earlier_formats import NEW_FIGURES
from agent.statement.errors import StatementError
from agent.statement.period import parse_period
from agent.statement.statement import combine

PERIOD = parse_period("2025-10", ZoneInfo("UTC"))
COVERAGE = (
    "COVERAGE IS ONLY 90.32 %: too little is known for these figures to be published (95 % is needed).",
    "alpha: the end of the period was not watched; what is of its end is of 2025-10-29T00:00:00Z.",
)


def as_format_2(rows: list[Row], notes: tuple[str, ...] = (), *, is_draft: bool = True) -> dict[str, Any]:
    """Return the statement of `rows` as the release before bounds wrote it: fields, notes and verdict."""
    content: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(stated(rows)))
    digest = Digest(2)
    digest.add([each.values() for each in rows])
    (part,) = content["parts"]
    part["inputs"] |= {"digest": digest.hexdigest(), "digest_format": 2}
    for name in ("unseen", "apart_hours", "credited", "credited_union_s", "credits_known_by"):
        del part[name]
    for row in (part["mean"], part["last"]):
        del row["judged_s"], row["diverted_hs"]
    figures = content["figures"]
    for name in NEW_FIGURES:
        del figures[name]
    # Summed as that release did: watched over elapsed, of the mean over the watched time.
    mean = part["mean"]
    known, deployed = mean["known_hs"] * mean["watched_s"], mean["deployed_hs"] * part["elapsed_s"]
    figures |= {"coverage_ratio": known / deployed, "is_above_target": figures["operational_efficiency_ratio"] > 0.9}
    del content["acknowledged"], content["sites"]
    return content | {"format": 2, "notes": list(notes), "is_draft": is_draft}


def test_a_month_with_a_gap() -> None:
    """It holds as it was stated, also above the line, and as a part of a new statement it has a floor."""
    rows = hours(AT, AT + 28 * DAY_S)
    old = decode(msgspec.json.encode(as_format_2(rows, COVERAGE)), "s.json")
    assert verify(old, Kept(rows), PERIOD) == []
    assert old.figures.operational_efficiency_floor_ratio == pytest.approx(0.92 * 28 / 31)
    assert old.figures.is_above_target is False
    whole = combine([old, stated(hours(*OCTOBER, operating_hs=45 * PH), site="beta")], now=LATER)
    assert "alpha: WATCHED ONLY 90.32 % of the time" in whole.notes[0]
    assert decode(msgspec.json.encode(whole), "s.json") == whole


def test_a_published_month_stays_published() -> None:
    """Its own gate was coverage: what passed it is read although a gate of today would be closed."""
    rows = hours(*OCTOBER, delivered_hs=40 * PH, delivered_s=3600.0, delivered_deployed_hs=50 * PH)
    old = decode(msgspec.json.encode(as_format_2(rows, is_draft=False)), "s.json")
    assert not old.is_draft
    with pytest.raises(StatementError, match="--acknowledge delivered"):
        combine([old], now=LATER, is_draft=False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"notes": []}, "its notes do not match its figures"),
        ({"is_draft": False}, r"not to be published: coverage is 90\.32 %"),
    ],
)
def test_its_own_rules_hold(changes: dict[str, Any], reason: str) -> None:
    """A removed note, or a removed draft mark, is refused as that release refused it."""
    content = as_format_2(hours(AT, AT + 28 * DAY_S), COVERAGE) | changes
    with pytest.raises(StatementError, match=reason):
        decode(msgspec.json.encode(content), "s.json")


def test_a_changed_verdict() -> None:
    """A verdict that does not follow from the figures of that release is refused."""
    content = as_format_2(hours(*OCTOBER))
    content["figures"]["is_above_target"] = False
    with pytest.raises(StatementError, match="is_above_target does not match"):
        decode(msgspec.json.encode(content), "s.json")
