"""History rows for tests: one site with round numbers, and months of it."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.history.minutes import Row
from agent.history.writer import write_history
from agent.site.power import PowerSource
from agent.site.status import Cause, UnitState

AT = 1759276800  # 2025-10-01 00:00:00 UTC
HOUR_S = 3600
DAY_S = 86_400
PH = 1e15
EH = 1e18


def row(at: int = AT, **changes: Any) -> Row:
    """Return a fully watched minute of a site of 50 PH/s that lost 4 PH/s: 3 unreachable, 1 underperforming."""
    changes = _balanced(changes) | changes
    minute = Row(
        at=at,
        watched_s=60.0,
        units=250.0,
        deployed_hs=50 * PH,
        operating_hs=46 * PH,
        losses_hs={Cause.UNREACHABLE: 3 * PH, Cause.UNDERPERFORMING: PH},
        known_hs=50 * PH,
        units_by_state={UnitState.HASHING: 235.0, UnitState.UNREACHABLE: 15.0},
        watts={PowerSource.MODELLED: 800e3},
        efficient_watts=800e3,
        efficient_hs=46 * PH,
        efficient_deployed_hs=47 * PH,
    )
    return replace(minute, **changes)


def _balanced(changes: dict[str, Any]) -> dict[str, Any]:
    """Return what must follow from `changes` of deployed, operating and units for the row to add up."""
    deployed_hs, operating_hs = changes.get("deployed_hs", 50 * PH), changes.get("operating_hs", 46 * PH)
    uplift_hs = max(changes.get("uplift_hs", 0.0), operating_hs - deployed_hs)
    short_hs = deployed_hs - operating_hs + uplift_hs
    unreachable_hs, units = min(3 * PH, short_hs), changes.get("units", 250.0)
    balanced: dict[str, Any] = {
        "losses_hs": {Cause.UNREACHABLE: unreachable_hs, Cause.UNDERPERFORMING: short_hs - unreachable_hs},
        "uplift_hs": uplift_hs,
        "known_hs": min(50 * PH, deployed_hs),
        "units_by_state": {UnitState.HASHING: units - min(15.0, units), UnitState.UNREACHABLE: min(15.0, units)},
        "efficient_hs": min(46 * PH, operating_hs),
        "efficient_deployed_hs": min(47 * PH, deployed_hs),
    }
    return balanced if "losses_hs" not in changes else balanced | {"uplift_hs": 0.0}


def hour(at: int, **changes: Any) -> Row:
    """Return one row for a whole hour, so that months are written quickly."""
    return row(at, **{"span_s": HOUR_S, "watched_s": float(HOUR_S)} | changes)


def hours(start: int, end: int, **changes: Any) -> list[Row]:
    """Return a row for every hour of a span."""
    return [hour(at, **changes) for at in range(start, end, HOUR_S)]


def operating(start: int, end: int, *, deployed_hs: float, operating_hs: float) -> list[Row]:
    """Return hours in which everything that did not operate was stopped."""
    return hours(
        start,
        end,
        deployed_hs=deployed_hs,
        operating_hs=operating_hs,
        known_hs=deployed_hs,
        losses_hs={Cause.STOPPED: max(0.0, deployed_hs - operating_hs)},
        uplift_hs=max(0.0, operating_hs - deployed_hs),
    )


def write(path: Path, rows: Iterable[Row], *, site: str = "alpha", zone: str = "UTC") -> Path:
    """Write rows of a site into a history file; return its path."""
    with closing(write_history(path)) as file:
        file.claim(site=site, zone=zone)
        file.write(site=[each.values() for each in rows])
    return path


def unix(text: str) -> int:
    """Return the Unix time of ``2025-10-01`` or ``2025-10-01 12:30``, UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
