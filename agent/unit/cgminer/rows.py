"""Rows of a report: JSON objects read number by number."""

from typing import Any, Final, NamedTuple

from agent.errors import UnsupportedReplyError
from agent.unit.cgminer.fields import number
from agent.unit.cgminer.wire import Reply
from agent.unit.limits import MAX_COUNT


class ShareKeys(NamedTuple):
    """Keys of share counters, alike in `summary` and `pools`: shares, and sums of their difficulty."""

    accepted: str = "Accepted"
    rejected: str = "Rejected"
    stale: str = "Stale"
    difficulty_accepted: str = "Difficulty Accepted"
    difficulty_rejected: str = "Difficulty Rejected"
    difficulty_stale: str = "Difficulty Stale"


SHARE_KEYS: Final = ShareKeys()


class Row:
    """One JSON object, read number by number.

    Args:
        row: The object.
        repairs: Names of repairs; those needed here are added.
    """

    def __init__(self, row: dict[str, Any], repairs: set[str]) -> None:
        self._row, self._repairs = row, repairs

    def has(self, *keys: str) -> bool:
        """Return True if at least one of the keys is present."""
        return any(key in self._row for key in keys)

    def number(self, key: str, high: float, factor: float = 1) -> float | None:
        """Return a number times `factor`; None if it is absent, not finite, negative or above `high`."""
        value = number(self._row.get(key), self._repairs)
        if value is None:
            return None
        scaled = value * factor
        if not 0 <= scaled <= high:
            self._repairs.add("implausible")
            return None
        return scaled

    def whole(self, key: str) -> int | None:
        """Return a count; None as for `number`."""
        value = self.number(key, MAX_COUNT)
        return None if value is None else int(value)


def first_row(reply: Reply, key: str) -> dict[str, Any]:
    """Return the first object of the list at `key`.

    Raises:
        UnsupportedReplyError: The list is missing, empty, or begins with something else.
    """
    rows = reply.body.get(key)
    if not isinstance(rows, list) or not rows or not isinstance(rows[0], dict):
        raise UnsupportedReplyError(f"{reply.command}: no element in {key}")
    row: dict[str, Any] = rows[0]
    return row
