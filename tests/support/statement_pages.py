"""Statements with something of everything, for the tests of their page: all causes, gaps, uplift, many notes."""

import math
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from history_cases import DAY_S, EH, HOUR_S, PH, hour
from statement_cases import LATER, Kept

from agent.history.minutes import Row
from agent.site.power import PowerSource
from agent.site.status import Cause
from agent.statement.days import Day, DayBook
from agent.statement.period import Period, parse_period
from agent.statement.statement import Statement, combine, state

FLEET = {
    "kentucky-1": ("America/New_York", 6 * EH),
    "rockdale-texas": ("America/Chicago", 15 * EH),
    "corsicana": ("America/Chicago", 8 * EH),
    "georgia-south": ("America/New_York", 12 * EH),
    "oman-salalah": ("Asia/Muscat", 9 * EH),
}
_SHARES = {
    Cause.STOPPED: 0.012,
    Cause.MISSING_BOARDS: 0.011,
    Cause.UNDERPERFORMING: 0.009,
    Cause.MAINTENANCE: 0.006,
    Cause.MISSING_CHIPS: 0.004,
    Cause.DERATED: 0.003,
    Cause.STARTING: 0.002,
    Cause.UNREADABLE: 0.002,
}
_UPLIFT = 0.006


def busy_hours(start: int, end: int, *, deployed_hs: float, without: Iterable[range] = ()) -> list[Row]:
    """Return hours with every loss, power of every source, uplift and a curtailment on every third afternoon.

    Args:
        start: Unix time, s.
        end: Unix time, s.
        deployed_hs: Deployed, H/s.
        without: Times of which there are no rows.
    """
    missing = {at for each in without for at in each}
    return [_busy_hour(at, deployed_hs) for at in range(start, end, HOUR_S) if at not in missing]


def _busy_hour(at: int, deployed_hs: float) -> Row:
    losses_hs = {cause: share * deployed_hs for cause, share in _SHARES.items()}
    losses_hs[Cause.UNREACHABLE] = deployed_hs * (0.01 + 0.005 * math.sin(at / 2e5))
    if 15 <= at // HOUR_S % 24 < 19 and at // DAY_S % 3 == 0:
        losses_hs[Cause.CURTAILED] = 0.4 * deployed_hs
    operating_hs = deployed_hs - sum(losses_hs.values()) + _UPLIFT * deployed_hs
    watts = operating_hs / 1e12 * 17.5
    return hour(
        at,
        deployed_hs=deployed_hs,
        operating_hs=operating_hs,
        uplift_hs=_UPLIFT * deployed_hs,
        losses_hs=losses_hs,
        known_hs=deployed_hs - losses_hs[Cause.UNREACHABLE] - losses_hs[Cause.UNREADABLE],
        delivered_hs=0.98 * operating_hs,
        delivered_s=float(HOUR_S),
        delivered_deployed_hs=deployed_hs,
        diverted_hs=0.001 * operating_hs,
        judged_s=float(HOUR_S),
        efficient_hs=operating_hs,
        efficient_deployed_hs=deployed_hs,
        efficient_watts=watts,
        watts={source: watts / len(PowerSource) for source in PowerSource},
    )


def gappy(period: Period, *, every_h: int) -> list[range]:
    """Return an hour without rows in every `every_h` hours of a period."""
    return [range(at, at + HOUR_S, HOUR_S) for at in range(period.start + HOUR_S, period.end, every_h * HOUR_S)]


def busy_month(
    site: str = "alpha",
    zone: str = "America/Chicago",
    *,
    period: str = "2025-10",
    deployed_hs: float = 50 * PH,
    every_h: int = 0,
    now: float = LATER,
) -> tuple[Statement, list[Day]]:
    """Return a site's statement and its days, with the month before in its history.

    Args:
        site: The site's name.
        zone: Its zone.
        period: The period.
        deployed_hs: Deployed, H/s.
        every_h: An hour is missing in every so many; 0 for none.
        now: When it is computed, Unix time, s.
    """
    covered = parse_period(period, ZoneInfo(zone))
    without = gappy(covered, every_h=every_h) if every_h else []
    end = min(covered.end, int(now) // HOUR_S * HOUR_S)
    rows = busy_hours(covered.start - 31 * DAY_S, end, deployed_hs=deployed_hs, without=without)
    book = DayBook(covered)
    stated = state(Kept(rows, site), covered, now=now, taker=book)
    return stated, book.days(stated.parts[0])


def busy_fleet(*, every_h: int = 0) -> Statement:
    """Return the statement of five sites in three zones."""
    return combine(
        [
            busy_month(site, zone, deployed_hs=deployed_hs, every_h=every_h)[0]
            for site, (zone, deployed_hs) in FLEET.items()
        ],
        now=LATER,
    )
