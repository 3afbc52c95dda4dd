"""The site's course over some time: rows at even steps, for pictures. Pure."""

from dataclasses import dataclass

from agent.history.minutes import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Means of the site at even steps.

    Attributes:
        start, end: Unix times, s; half open.
        step_s: Length of a step, s.
        rows: Oldest first; a step without a watched second has no row.
    """

    start: int
    end: int
    step_s: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trends:
    """The course of the past for the first page.

    Attributes:
        day: The last 24 hours.
        month: The last 30 days.
        to_date: Means since the first of the calendar month, in the site's zone; None if nothing of it was watched.
        month_start: Unix time at which that month began, s.
    """

    day: Trend
    month: Trend
    to_date: Row | None
    month_start: int
