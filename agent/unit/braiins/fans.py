"""`fans`: one row for each connector of the control board, used or not. The duty beside the speed is a command.

Observed (O183): an S9 with two fans lists four connectors; those without a fan read 0 rpm.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from agent.unit.braiins.reply import Statuses, regular, rows_of
from agent.unit.cgminer.rows import Row
from agent.unit.limits import MAX_FANS, MAX_RPM
from agent.unit.reading import Places


class _Row(msgspec.Struct, frozen=True, gc=False):
    RPM: Annotated[float, Meta(ge=0, le=MAX_RPM)] | None = None


class _Reply(msgspec.Struct, frozen=True, gc=False):
    STATUS: Statuses
    FANS: Annotated[tuple[_Row, ...], Meta(max_length=MAX_FANS)]


_decode: Final = msgspec.json.Decoder(_Reply).decode


def read_fans(data: bytes, repairs: set[str]) -> Places:
    """Return the speed at each connector, rpm, in the unit's order; None for one without a number.

    Args:
        data: The reply as received.
        repairs: Names of repairs; those needed here are added.

    Raises:
        MalformedReplyError: The bytes are not a reply.
        RefusedError: The unit refused the command.
        UnsupportedReplyError: Another program answers, or the report is missing from the reply.
    """
    reply = regular(data, _decode)
    if reply is not None:
        return tuple([row.RPM for row in reply.FANS])
    rows = rows_of(data, "fans", "FANS", repairs, most=MAX_FANS)
    return tuple([Row(row, repairs).number("RPM", MAX_RPM) for row in rows])


def without_empty(connectors: Places, fans: int | None, turned: frozenset[int]) -> Places:
    """Return the speeds of the fans: without the connectors that nothing is plugged into.

    Args:
        connectors: Speed at each, rpm.
        fans: How many fans the model has; None if that is not known.
        turned: The connectors at which a fan was seen turning.

    A connector at 0 rpm is a stopped fan if a fan turned there before, or if the model has as many fans. Without
    either it has no value.
    """
    if not any(rpm == 0 for rpm in connectors):
        return connectors
    if fans is None:
        return _places([rpm or (0.0 if place in turned else None) for place, rpm in enumerate(connectors)])
    surplus = len(connectors) - fans
    kept: list[float | None] = []
    for place in reversed(range(len(connectors))):
        if surplus > 0 and not connectors[place] and place not in turned:
            surplus -= 1
            continue
        kept.append(connectors[place])
    return tuple(reversed(kept))


def _places(values: list[float | None]) -> Places:
    return tuple(values) if any(value is not None for value in values) else ()
