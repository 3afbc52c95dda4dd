"""Trends read from a history file: what is read again when, and the calendar month of the site."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from history_cases import operating, unix, write

from agent.errors import HistoryError
from agent.history.reader import HistoryReader
from agent.runtime.trends import TrendReader

NOW = float(unix("2025-11-03 12:00"))
ZONE = ZoneInfo("America/Chicago")


@pytest.fixture(name="counted")
def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the spans that are read from files, by their steps, s."""
    steps: list[int] = []
    real = HistoryReader.rows

    def rows(self: HistoryReader, start: int, end: int, step: int, container: str | None = None) -> Any:
        steps.append(step)
        return real(self, start, end, step, container)

    monkeypatch.setattr(HistoryReader, "rows", rows)
    return steps


def reader(path: Path) -> TrendReader:
    """Return a reader of a file for a site in Chicago."""
    return TrendReader(lambda: path, lambda: ZONE)


def written(folder: Path) -> Path:
    """Return a history file: 80 % in the last hours of October, 95 % since, of 1 PH/s."""
    midnight = unix("2025-11-01 05:00")
    rows = [
        *operating(midnight - 7200, midnight, deployed_hs=1e15, operating_hs=0.8e15),
        *operating(midnight, int(NOW), deployed_hs=1e15, operating_hs=0.95e15),
    ]
    return write(folder / "history.sqlite", rows)


def test_the_month_begins_at_the_sites_midnight(tmp_path: Path) -> None:
    """October's hours do not count in November to date; they are in the 30 days."""
    trends = reader(written(tmp_path)).read(NOW)
    assert trends.month_start == unix("2025-11-01 05:00")
    assert trends.to_date is not None
    assert trends.to_date.operational_efficiency_ratio == 0.95
    assert trends.month.rows[0].operating_hs < 0.95e15
    assert (trends.day.step_s, trends.month.step_s) == (600, 21_600)
    assert trends.day.end - trends.day.start == 86_400
    assert trends.day.start <= NOW < trends.day.end + 600


def test_many_viewers_cost_one_read_a_minute(tmp_path: Path, counted: list[int]) -> None:
    """The day is read at most once a minute, the month once in ten minutes."""
    trends = reader(written(tmp_path))
    for second in (0, 10, 59):
        trends.read(NOW + second)
    assert len(counted) == 3
    trends.read(NOW + 61)
    assert counted[3:] == [600]
    trends.read(NOW + 601)
    assert len(counted) == 7


def test_a_file_that_cannot_be_read_is_tried_once_a_minute(tmp_path: Path) -> None:
    """Viewers do not wait for a broken file one after another; it is read again once it is there."""
    trends = reader(tmp_path / "history.sqlite")
    for _ in range(2):
        with pytest.raises(HistoryError) as refused:
            trends.read(NOW)
        assert refused.value.reason == "absent"
    written(tmp_path)
    with pytest.raises(HistoryError):
        trends.read(NOW + 30)
    assert trends.read(NOW + 61).to_date is not None


def test_a_clock_set_back_reads_again(tmp_path: Path, counted: list[int]) -> None:
    """What was read for a later moment is not shown for an earlier one."""
    trends = reader(written(tmp_path))
    trends.read(NOW)
    before = len(counted)
    assert trends.read(NOW - 3600).day.end <= NOW
    assert len(counted) > before
