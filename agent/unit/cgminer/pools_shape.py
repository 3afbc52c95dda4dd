"""The declared shape of `pools`: one typed decode of a sound reply, at a sixth of the cost of reading it row by row."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from agent.unit.cgminer.fields import interned, pool_text
from agent.unit.cgminer.shapes import Report, Shape
from agent.unit.limits import MAX_COUNT, MAX_DIFFICULTY
from agent.unit.reading import PoolReading

MAX_POOLS: Final = 16
_Any = TypeVar("_Any")


def bounded(rows: Sequence[_Any], is_active: Callable[[_Any], Any]) -> list[tuple[int, _Any]]:
    """Return at most `MAX_POOLS` rows with their places: of more, those in use, however far down, and the first others.

    Args:
        rows: All rows.
        is_active: Returns True for a row that is in use.
    """
    places = list(enumerate(rows))
    if len(places) <= MAX_POOLS:
        return places
    in_use_first = sorted(places, key=lambda each: is_active(each[1]) is not True)
    return sorted(in_use_first[:MAX_POOLS], key=lambda each: each[0])


_Count = Annotated[float, Meta(ge=0, le=MAX_COUNT)] | None
_Difficulty = Annotated[float, Meta(ge=0, le=MAX_DIFFICULTY)] | None


class PoolRow(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={
        "index": "POOL",
        "kind": "Type",
        "url": "URL",
        "user": "User",
        "status": "Status",
        "is_active": "Stratum Active",
        "accepted": "Accepted",
        "rejected": "Rejected",
        "stale": "Stale",
        "difficulty_accepted": "Difficulty Accepted",
        "difficulty_rejected": "Difficulty Rejected",
        "difficulty_stale": "Difficulty Stale",
    },
):
    """One element of POOLS; `kind` is a mark of VNish."""

    index: _Count = None
    kind: Any = None
    url: str | None = None
    user: str | None = None
    status: str | None = None
    is_active: bool | None = None
    accepted: _Count = None
    rejected: _Count = None
    stale: _Count = None
    difficulty_accepted: _Difficulty = None
    difficulty_rejected: _Difficulty = None
    difficulty_stale: _Difficulty = None


class PoolsReport(Report, frozen=True, gc=False):
    """A reply to `pools`."""

    POOLS: tuple[PoolRow, ...] | None = None


_SHAPE: Final = Shape(PoolsReport)


def fast_pools(data: bytes, is_fee: Callable[[Mapping[str, Any]], bool] | None) -> tuple[PoolReading, ...] | None:
    """Return the pools of a sound reply; None for any other, which is read row by row.

    Args:
        data: The reply as received.
        is_fee: As of `read_pools`.
    """
    report = _SHAPE.strictly(data)
    if report is None or report.POOLS is None or not report.STATUS or report.STATUS[0].STATUS != "S":
        return None
    return tuple([_pool(place, row, is_fee) for place, row in bounded(report.POOLS, lambda row: row.is_active)])


def _pool(place: int, row: PoolRow, is_fee: Callable[[Mapping[str, Any]], bool] | None) -> PoolReading:
    index, accepted, rejected, stale = row.index, row.accepted, row.rejected, row.stale
    return PoolReading(
        index=place if index is None else int(index),
        status=interned(row.status),
        is_active=row.is_active,
        url=pool_text(row.url),
        user=pool_text(row.user),
        accepted=None if accepted is None else int(accepted),
        rejected=None if rejected is None else int(rejected),
        stale=None if stale is None else int(stale),
        difficulty_accepted=row.difficulty_accepted,
        difficulty_rejected=row.difficulty_rejected,
        difficulty_stale=row.difficulty_stale,
        is_fee=is_fee is not None and is_fee({"Type": row.kind, "URL": row.url, "User": row.user}),
    )
