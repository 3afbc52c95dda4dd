"""Two agents' histories of one site put together, each second counted once. Pure but for the files.

A minute that both wrote is the first one's; the second adds at most the seconds that the first did not watch. So the
seconds in which both published, as at a return or in a partition, count once. Changes of units' states are the first's
alone: while it was away, the second's are in its own file.

A row that is the same in both to the last digit was written by one agent, and one file is a copy of the other, such as
a backup: it counts once.
"""

from typing import NamedTuple

from agent.errors import HistoryError
from agent.history.minutes import Values, merge
from agent.history.reader import HistoryReader
from agent.history.writer import QUARTER_S, HistoryWriter

ALWAYS = 1e12


class Merged(NamedTuple):
    """Where the minutes of the site come from.

    Attributes:
        first: Minutes that are the first history's alone.
        second: Minutes that only the second history has.
        completed: Minutes of the first to which the second added seconds.
        repeated: Minutes of the second that the first had watched; they were left out.
    """

    first: int
    second: int
    completed: int
    repeated: int


def merge_histories(first: HistoryReader, second: HistoryReader, into: HistoryWriter) -> Merged:
    """Write both histories into a new one.

    Args:
        first: The primary's.
        second: The standby's.
        into: An empty history.

    Raises:
        HistoryError: ``foreign`` for histories of different sites; others as of the files.
    """
    if first.site != second.site:
        raise HistoryError("foreign", f"{second.path}: the history of site {second.site}, not of {first.site}")
    merged = _merge_site(first, second, into)
    _merge_containers(first, second, into)
    into.write(changes=first.changes(-ALWAYS, ALWAYS))
    return merged


def _merge_site(first: HistoryReader, second: HistoryReader, into: HistoryWriter) -> Merged:
    rows: dict[float | None, Values] = {}
    for chunk in first.chunks(-ALWAYS, ALWAYS):
        into.write(site=chunk)
        rows.update((values[0], values) for values in chunk)
    only_second = completed = repeated = 0
    for chunk in second.chunks(-ALWAYS, ALWAYS):
        into.write(site=[values for values in chunk if values != rows.get(values[0])])
        for values in chunk:
            before = rows.get(values[0])
            if before is None:
                only_second += 1
            elif values != before and merge(before, values) != before:
                completed += 1
            else:
                repeated += 1
    return Merged(len(rows) - completed, only_second, completed, repeated)


def _merge_containers(first: HistoryReader, second: HistoryReader, into: HistoryWriter) -> None:
    for container in first.containers():
        for chunk in first.chunks(-ALWAYS, ALWAYS, container):
            into.write(containers=[(container, values) for values in chunk])
    for container in second.containers():
        rows = {values for chunk in first.chunks(-ALWAYS, ALWAYS, container) for values in chunk}
        quarters = {values[0] for values in rows if values[1] == QUARTER_S}
        for chunk in second.chunks(-ALWAYS, ALWAYS, container):
            into.write(containers=[(container, _fitted(values, quarters)) for values in chunk if values not in rows])


def _fitted(values: Values, quarters: set[float | None]) -> Values:
    """Return a container's row as part of the quarter of an hour that the first history has made of its minutes."""
    quarter = (values[0] or 0) // QUARTER_S * QUARTER_S
    return (quarter, QUARTER_S, *values[2:]) if quarter in quarters else values
