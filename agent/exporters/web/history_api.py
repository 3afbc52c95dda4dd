"""History over the API: what ``/api/v1/history`` is asked, and what it answers; read from the file for each request."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from agent.errors import QueryError
from agent.history.minutes import MINUTE_S, Row
from agent.history.reader import read_history
from agent.site.power import PowerSource
from agent.site.status import Cause, UnitState
from agent.unit.limits import HS_PER_THS

MAX_STEPS = 11_000
DEFAULT_SPAN_S = 86_400
DEFAULT_STEPS = 1440
READ_S = 20.0
_VALUE_CHARS = 128
_NAMES = ("from", "to", "step", "container")


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryQuery:
    """A checked query.

    Attributes:
        start, end: Unix times, s; half open.
        step_s: From one row to the next, s.
        container: Whose rows; None for the site's.
    """

    start: int
    end: int
    step_s: int
    container: str | None = None


class HistoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """Means over the part of one step that was watched.

    Attributes:
        at, span_s: Where the step begins, and how long it is.
        watched_s: How much of it was watched; what was not is a gap, and no zero.
        units, simulated_units, units_by_state: How many, on average.
        operational_efficiency_ratio: Mean operating over mean deployed; not to be averaged.
        coverage_ratio: Share of deployed nameplate whose state was known, over the whole step.
        watts, joules: By source; energy is of the time that was watched.
        energy_efficiency_j_per_th: Of the units with both power and hashrate; `efficient_deployed_hs` is theirs.
        delivered_hs: What pools credited over the hour before; null where that is not known.
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
    """Rows of the site, or of one container.

    Attributes:
        begins, ends: What was asked for; half open.
        rows: Oldest first; a step of which nothing was watched is not there.
    """

    site: str
    container: str | None
    begins: datetime
    ends: datetime
    step_s: int
    rows: list[HistoryRow]


def parse_history_query(parameters: Iterable[tuple[str, str]], *, now: float) -> HistoryQuery:
    """Give the query that name and value pairs stand for: a day up to now, by the minute, unless told.

    Raises:
        QueryError: For the first that is unknown, given twice, or has a value there is not.
    """
    given: dict[str, str] = {}
    for name, value in parameters:
        if name not in _NAMES:
            raise QueryError(f"unknown parameter {name[:_VALUE_CHARS]!r}: there are {', '.join(_NAMES)}")
        if name in given:
            raise QueryError(f"{name} is given twice")
        if len(value) > _VALUE_CHARS:
            raise QueryError(f"{name} is longer than {_VALUE_CHARS} characters")
        given[name] = value
    end = _moment("to", given["to"]) if "to" in given else int(now)
    start = _moment("from", given["from"]) if "from" in given else end - DEFAULT_SPAN_S
    if end <= start:
        raise QueryError("to is expected after from")
    step_s = _step(given["step"]) if "step" in given else _default_step(end - start)
    if (end - start) / step_s > MAX_STEPS:
        raise QueryError(f"{(end - start) // step_s:,} steps are too many: at most {MAX_STEPS:,}; take a longer step")
    # Rows begin at whole minutes.
    return HistoryQuery(start=start - start % MINUTE_S, end=end, step_s=step_s, container=given.get("container"))


def _default_step(span_s: int) -> int:
    return max(1, -(-span_s // (DEFAULT_STEPS * MINUTE_S))) * MINUTE_S


def _step(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) < MINUTE_S or int(text) % MINUTE_S:
        raise QueryError(f"step is a number of seconds, {MINUTE_S} or a multiple of it, not {text!r}")
    return int(text)


def _moment(name: str, text: str) -> int:
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]+)?", text):
        return int(float(text))
    try:
        # A + that was not escaped arrives as a space.
        moment = datetime.fromisoformat(re.sub(r" (\d\d:?\d\d)$", r"+\1", text) if "T" in text else text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError) as error:
        raise QueryError(f"{name} is a Unix time or ISO 8601, UTC without an offset, not {text!r}") from error


def answer_history(path: Path, site: str, query: HistoryQuery) -> HistoryAnswer:
    """Read what was asked for; takes up to seconds, so call it in a thread.

    Raises:
        HistoryError: When the file cannot be read, or not within `READ_S`.
    """
    reader = read_history(path)
    try:
        reader.interrupt_after(READ_S)
        rows = reader.rows(query.start, query.end, query.step_s, query.container)
    finally:
        reader.close()
    return HistoryAnswer(
        site=site,
        container=query.container,
        begins=datetime.fromtimestamp(query.start, UTC),
        ends=datetime.fromtimestamp(query.end, UTC),
        step_s=query.step_s,
        rows=[_row(row) for row in rows],
    )


def _row(row: Row) -> HistoryRow:
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
        operational_efficiency_ratio=row.operating_hs / row.deployed_hs if row.deployed_hs else None,
        coverage_ratio=row.known_hs * row.watched_s / (row.deployed_hs * row.span_s) if row.deployed_hs else None,
        watts=dict(row.watts),
        joules=row.joules,
        energy_efficiency_j_per_th=row.efficient_watts / (row.efficient_hs / HS_PER_THS) if row.efficient_hs else None,
        efficient_deployed_hs=row.efficient_deployed_hs,
        delivered_hs=row.delivered_hs,
        delivered_deployed_hs=row.delivered_deployed_hs,
    )
