"""The trends of the first page, read from history at most once a minute however many people look."""

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from agent.errors import HistoryError
from agent.history.reader import HistoryReader, read_history
from agent.history.trend import Trend, Trends

DAY_S, DAY_STEP_S, DAY_KEPT_S = 86_400, 600, 60.0
MONTH_S, MONTH_STEP_S, MONTH_KEPT_S = 30 * 86_400, 21_600, 600.0
READ_S = 5.0


class TrendReader:
    """Reads trends, and keeps them for as long as they hardly change.

    Args:
        path: Returns the history file.
        zone: Returns the site's time zone.
    """

    def __init__(self, path: Callable[[], Path], zone: Callable[[], ZoneInfo]) -> None:
        self._path, self._zone = path, zone
        self._lock = threading.Lock()
        self._trends: Trends | None = None
        self._failure: HistoryError | None = None
        self._day_at = self._month_at = self._failed_at = float("-inf")

    def read(self, now: float) -> Trends:
        """Return the trends up to Unix time `now`; call it in a thread, because it may read for seconds.

        Raises:
            HistoryError: If the file cannot be read, or not within `READ_S`.
        """
        with self._lock:
            if self._failure is not None and 0 <= now - self._failed_at < DAY_KEPT_S:
                # Viewers get the first failure at once instead of waiting for the next.
                raise HistoryError(self._failure.reason, str(self._failure))
            try:
                trends = self._fresh(now)
            except HistoryError as error:
                self._failure, self._failed_at = error, now
                raise
            self._failure = None
            return trends

    def _fresh(self, now: float) -> Trends:
        trends = self._trends
        is_day_due = not 0 <= now - self._day_at < DAY_KEPT_S
        is_month_due = not 0 <= now - self._month_at < MONTH_KEPT_S
        if trends is not None and not is_day_due and not is_month_due:
            return trends
        reader = read_history(self._path())
        try:
            reader.interrupt_after(READ_S)
            day = _trend(reader, now, DAY_S, DAY_STEP_S)
            if trends is None or is_month_due:
                month_start = _month_start(now, self._zone())
                whole = reader.rows(month_start, int(now) + 1, int(now) + 1 - month_start)
                month = _trend(reader, now, MONTH_S, MONTH_STEP_S)
                to_date = whole[0] if whole else None
                trends = Trends(day=day, month=month, to_date=to_date, month_start=month_start)
                self._month_at = now
            else:
                trends = Trends(day=day, month=trends.month, to_date=trends.to_date, month_start=trends.month_start)
        finally:
            reader.close()
        self._trends, self._day_at = trends, now
        return trends


def _trend(reader: HistoryReader, now: float, span_s: int, step_s: int) -> Trend:
    end = (int(now) // step_s + 1) * step_s
    start = end - span_s
    return Trend(start=start, end=end, step_s=step_s, rows=tuple(reader.rows(start, end, step_s)))


def _month_start(now: float, zone: ZoneInfo) -> int:
    local = datetime.fromtimestamp(now, zone)
    return int(datetime(local.year, local.month, 1, tzinfo=zone).timestamp())
