"""Queries and answers of ``/api/v1/history``, read from the file for each request."""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from agent.errors import QueryError
from agent.exporters.web.query_string import read_parameters
from agent.history.minutes import MINUTE_S, Row
from agent.history.reader import read_history
from agent.site.power import PowerSource
from agent.site.status import Cause, UnitState
from agent.unit.limits import HS_PER_THS

MAX_STEPS = 11_000
DEFAULT_SPAN_S = 86_400
DEFAULT_STEPS = 1440
READ_S = 20.0
# 9999-12-31T23:59:59Z: the last second that ISO 8601 and `datetime` can express with four digits of year.
LAST_MOMENT = 253_402_300_799
_NAMES = ("from", "to", "step", "container", "owner")


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryQuery:
    """A valid query.

    Attributes:
        start, end: Unix times from 0 to `LAST_MOMENT`, s; half-open.
        step_s: Seconds from one row to the next.
        container: Name of the container; None for the site.
        owner: Name of the owner; None for the site.
    """

    start: int
    end: int
    step_s: int
    container: str | None = None
    owner: str | None = None


class HistoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """Means over the watched part of one step.

    Attributes:
        at, span_s: Beginning and length of the step.
        watched_s: Watched part of the step; the rest is a gap, not a zero.
        units, simulated_units, units_by_state: Mean numbers of units.
        operational_efficiency_ratio: Mean operating over mean deployed; do not average it. Null where units answered
            and none could be read.
        coverage_ratio: Share of deployed nameplate whose state was known, over the whole step.
        watts, joules: Power and energy by source; energy covers the watched time only.
        energy_efficiency_j_per_th: J/TH over the units with both power and hashrate.
        efficient_deployed_hs: Nameplate of these units.
        delivered_hs: Hashrate that pools credited over the hour before; null if unknown.
        delivered_deployed_hs: Nameplate of the units behind `delivered_hs`.
    """

    at: datetime
    span_s: int
    watched_s: float
    units: float
    simulated_units: float
    units_by_state: dict[UnitState, float]
    deployed_hs: float
    operating_hs: float
    uplift_hs: float
    losses_hs: dict[Cause, float]
    known_hs: float
    operational_efficiency_ratio: float | None
    coverage_ratio: float | None
    watts: dict[PowerSource, float]
    joules: dict[PowerSource, float]
    energy_efficiency_j_per_th: float | None
    efficient_deployed_hs: float
    delivered_hs: float | None
    delivered_deployed_hs: float


class HistoryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of the site, of one container or of one owner.

    Attributes:
        begins, ends: The queried span; half-open.
        rows: Oldest first; a step without any watched second has no row.
    """

    site: str
    container: str | None
    owner: str | None
    begins: datetime
    ends: datetime
    step_s: int
    rows: list[HistoryRow]


def parse_history_query(parameters: Iterable[tuple[str, str]], *, now: float) -> HistoryQuery:
    """Return the query of a list of names and values; by default the last day, minute by minute.

    Raises:
        QueryError: For the first parameter that is unknown, repeated, or out of range.
    """
    given = read_parameters(parameters, _NAMES)
    end = _moment("to", given["to"]) if "to" in given else int(now)
    start = _moment("from", given["from"]) if "from" in given else max(0, end - DEFAULT_SPAN_S)
    if end <= start:
        raise QueryError("to must be after from")
    step_s = _step(given["step"]) if "step" in given else _default_step(end - start)
    if (end - start) / step_s > MAX_STEPS:
        raise QueryError(f"{(end - start) // step_s:,} steps are too many (at most {MAX_STEPS:,}); use a longer step")
    container, owner = given.get("container"), given.get("owner")
    if container is not None and owner is not None:
        raise QueryError("container or owner is expected, not both: no rows are kept of both")
    # Rows begin at whole minutes.
    return HistoryQuery(start=start - start % MINUTE_S, end=end, step_s=step_s, container=container, owner=owner)


def _default_step(span_s: int) -> int:
    return max(1, math.ceil(span_s / (DEFAULT_STEPS * MINUTE_S))) * MINUTE_S


def _step(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) < MINUTE_S or int(text) % MINUTE_S:
        raise QueryError(f"step must be a multiple of {MINUTE_S} seconds, not {text!r}")
    return int(text)


def _moment(name: str, text: str) -> int:
    is_unix = re.fullmatch(r"[0-9]{1,12}(\.[0-9]+)?", text)
    moment = int(float(text)) if is_unix else _iso_moment(name, text)
    if not 0 <= moment <= LAST_MOMENT:
        raise QueryError(f"{name} must be a time from 1970 to 9999, not {text!r}")
    return moment


def _iso_moment(name: str, text: str) -> int:
    try:
        # An unescaped + arrives as a space.
        moment = datetime.fromisoformat(re.sub(r" (\d\d:?\d\d)$", r"+\1", text) if "T" in text else text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError) as error:
        raise QueryError(f"{name} must be a Unix time or ISO 8601 (UTC if without an offset), not {text!r}") from error


def answer_history(
    path: Path, site: str, query: HistoryQuery, is_wanted: Callable[[], bool] = lambda: True
) -> HistoryAnswer:
    """Read the queried rows; call it in a thread, because it can take seconds.

    Args:
        path: The history file.
        site: The site's name.
        query: The query.
        is_wanted: Returns False once the answer is no longer wanted; the read then ends with an error.

    Raises:
        HistoryError: If the file cannot be read, or not within `READ_S`.
    """
    reader = read_history(path)
    try:
        reader.interrupt_after(READ_S, is_wanted=is_wanted)
        rows = reader.rows(query.start, query.end, query.step_s, query.container, owner=query.owner)
    finally:
        reader.close()
    return HistoryAnswer(
        site=site,
        container=query.container,
        owner=query.owner,
        begins=datetime.fromtimestamp(query.start, UTC),
        ends=datetime.fromtimestamp(query.end, UTC),
        step_s=query.step_s,
        rows=[_row(row) for row in rows],
    )


def _row(row: Row) -> HistoryRow:
    rate_ths = row.efficient_hs / HS_PER_THS
    return HistoryRow(
        at=datetime.fromtimestamp(row.at, UTC),
        span_s=row.span_s,
        watched_s=round(row.watched_s, 3),
        units=row.units,
        simulated_units=row.simulated_units,
        units_by_state=dict(row.units_by_state),
        deployed_hs=row.deployed_hs,
        operating_hs=row.operating_hs,
        uplift_hs=row.uplift_hs,
        losses_hs=dict(row.losses_hs),
        known_hs=row.known_hs,
        operational_efficiency_ratio=row.operational_efficiency_ratio,
        coverage_ratio=row.known_hs * row.watched_s / (row.deployed_hs * row.span_s) if row.deployed_hs else None,
        watts=dict(row.watts),
        joules=row.joules,
        energy_efficiency_j_per_th=row.efficient_watts / rate_ths if rate_ths else None,
        efficient_deployed_hs=row.efficient_deployed_hs,
        delivered_hs=row.delivered_hs,
        delivered_deployed_hs=row.delivered_deployed_hs,
    )
