"""The examples of `docs/how-our-figure-differs.md`: the statement's figure, and the same rows by UTC and by hours."""

import re

from history_cases import AT, DAY_S, HOUR_S, PH, hour, hours, unix
from paths import ROOT
from statement_cases import stated

from agent.history.minutes import Row
from agent.text.numbers import ratio_text

PAGE = (ROOT / "docs" / "how-our-figure-differs.md").read_text(encoding="utf-8")


def by_hours(rows: list[Row]) -> str:
    """Return the ratio as the recording rules have it: every hour that has a value weighs the same."""
    return ratio_text(sum(row.operating_hs for row in rows) / sum(row.deployed_hs for row in rows))


def says(head: str, *percents: str) -> bool:
    """Return True if the page's section has rows with these figures, in this order."""
    section = PAGE.partition(f"### {head}")[2].partition("\n### ")[0]
    return tuple(re.findall(r"^\|[^|]*\| ([0-9.]+ %) \|", section, re.MULTILINE)) == percents


def test_one_evening_belongs_to_another_month() -> None:
    """Five hours of the last evening of September in Chicago are October in UTC: 0.62 points."""
    evening, end = AT, unix("2025-11-01") + 5 * HOUR_S
    rows = [
        *hours(AT - DAY_S, evening),
        *hours(evening, evening + 5 * HOUR_S, operating_hs=0.0),
        *hours(evening + 5 * HOUR_S, end),
    ]
    site = stated(rows, zone="America/Chicago").figures.operational_efficiency_ratio
    in_utc = [row for row in rows if AT <= row.at < unix("2025-11-01")]
    assert len(in_utc) == 31 * 24
    assert says("A: one evening", ratio_text(site), by_hours(in_utc))
    assert by_hours(in_utc) == ratio_text(stated(rows).figures.operational_efficiency_ratio)


def test_six_hours_that_were_hardly_watched() -> None:
    """By seconds they are 36 minutes, by hours six hours: 0.59 points, and the floor is below both."""
    bad = {AT + day * DAY_S + 6 * HOUR_S for day in (2, 7, 11, 16, 22, 27)}
    rows = [
        hour(at, watched_s=360.0, operating_hs=5 * PH) if at in bad else hour(at)
        for at in range(AT, unix("2025-11-01"), HOUR_S)
    ]
    figures = stated(rows).figures
    floor = ratio_text(figures.operational_efficiency_floor_ratio)
    assert says("B: six hours", ratio_text(figures.operational_efficiency_ratio), by_hours(rows), floor)
