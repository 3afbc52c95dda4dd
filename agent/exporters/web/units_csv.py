"""Units as CSV: what ``/units`` shows, in base units, for spreadsheets."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from agent.exporters.web.csv_text import csv_bytes
from agent.exporters.web.pages.unit_rows import reason_text
from agent.site.pools.work import UnitWork
from agent.site.status import UnitStatus

HEADS = (
    "unit_id",
    "container",
    "rack",
    "slot",
    "state",
    "reason",
    "why",
    "shortfall_hs",
    "since",
    "model",
    "hashrate_hs",
    "nameplate_hs",
    "hottest_chip_celsius",
    "is_chip_computed",
    "power_watts",
    "power_source",
    "host",
    "mac",
    "serial",
    "firmware",
    "is_fresh",
    "pool_class",
    "pool_entry",
    "pool",
    "pool_account",
    "pool_since",
    "owner",
)


def units_csv(statuses: Iterable[UnitStatus], now: float, zone: ZoneInfo, *, is_whole: bool = False) -> bytes:
    """Return units as CSV, a row each: base units, times as ISO 8601; an empty cell where there is no figure.

    Args:
        statuses: The units, in the order of the rows.
        now: Unix time, s.
        zone: Time zone of the site.
        is_whole: True for a caller who may see where work goes in full: the pool's address instead of its host, and the
            account instead of its first characters.
    """
    return csv_bytes(HEADS, (_row(status, now, zone, is_whole=is_whole) for status in statuses))


def _row(status: UnitStatus, now: float, zone: ZoneInfo, *, is_whole: bool) -> tuple[str | float | None, ...]:
    entry, reading, place = status.entry, status.reading, status.entry.place
    is_judged, power = status.is_looked_at, status.power
    return (
        entry.unit_id,
        place.container,
        place.rack,
        place.slot,
        str(status.state) if is_judged else None,
        str(status.reason) if is_judged else None,
        reason_text(status, now) if is_judged else None,
        status.shortfall_hs if is_judged else None,
        datetime.fromtimestamp(status.since, zone).isoformat(timespec="seconds") if is_judged else None,
        entry.nameplate.model,
        status.hashrate_hs,
        entry.nameplate.hashrate_hs,
        reading.hottest_chip_celsius if reading is not None and status.is_fresh else None,
        None if reading is None else _yes(is_so=reading.is_chip_computed),
        None if power is None else power.watts,
        None if power is None else str(power.source),
        entry.host,
        entry.mac,
        entry.serial,
        None if reading is None else reading.identity.firmware,
        _yes(is_so=status.is_fresh),
        *_work(status.work, zone, is_whole=is_whole),
        entry.owner,
    )


def _work(work: UnitWork | None, zone: ZoneInfo, *, is_whole: bool) -> tuple[str | None, ...]:
    if work is None:
        return (None,) * 5
    place = work.destination
    return (
        str(work.pool_class),
        work.entry,
        None if place is None else str(place) if is_whole else place.host,
        work.account if is_whole else work.account_head,
        datetime.fromtimestamp(work.since, zone).isoformat(timespec="seconds"),
    )


def _yes(*, is_so: bool) -> str:
    return "yes" if is_so else "no"
