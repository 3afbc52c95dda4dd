"""The two ways of decoding a report: one typed decode in C for regular replies, and field by field for all others.

Both make the same rows. The types of a report carry the bounds of `limits`, so a regular reply needs no further look.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Protocol, TypeVar

import msgspec
from msgspec import Meta

from agent.errors import UnsupportedReplyError, excerpt
from agent.unit.cgminer import wire
from agent.unit.cgminer.rows import Row
from agent.unit.cgminer.wire import MAX_REPAIRED_BYTES, Reply
from agent.unit.limits import MAX_BOARDS, MAX_COUNT, MAX_HASHRATE_HS

HS_PER_MHS: Final = 1e6
MAX_ID: Final = 63
"""The highest number of a board."""

Mhs = Annotated[float, Meta(ge=0, le=MAX_HASHRATE_HS / HS_PER_MHS)] | None
Count = Annotated[int, Meta(ge=0, le=int(MAX_COUNT))] | None
BoardId = Annotated[int, Meta(ge=0, le=MAX_ID)]

_BRAIINS: Final = ("boser", "bosminer")
_NOT_READY: Final = "not ready"


class Status(msgspec.Struct, frozen=True, gc=False):
    """The envelope of a reply: one letter, and the program with its version."""

    STATUS: str
    Description: str


Statuses = Annotated[tuple[Status, ...], Meta(min_length=1, max_length=1)]


class _Typed(Protocol):
    @property
    def STATUS(self) -> tuple[Status, ...]: ...  # noqa: N802 - The firmware's spelling.


T = TypeVar("T", bound=_Typed)


def regular(data: bytes, decode: Callable[[bytes], T]) -> T | None:
    """Return a regular reply of Braiins OS by its type; None if it must be read field by field."""
    if len(data) > MAX_REPAIRED_BYTES:
        return None
    try:
        reply = decode(data[:-1] if data.endswith(b"\0") else data)
    except (ValueError, RecursionError):
        return None
    status = reply.STATUS[0]
    return reply if status.STATUS == "S" and is_braiins(status.Description) else None


def is_braiins(description: str) -> bool:
    """Return True for the program's name in `Description`. Observed (O82): BOSer, BOSminer+."""
    return description[:8].casefold().startswith(_BRAIINS)


def is_not_ready(reply: Reply) -> bool:
    """Return True if a command is refused because no board is ready. Documented (D253)."""
    return reply.status in wire.REFUSALS and reply.message[:40].strip().casefold() == _NOT_READY


def accepted(reply: Reply, data: bytes) -> Reply:
    """Return a reply of Braiins OS that is no refusal.

    Raises:
        RefusedError: The unit refused the command.
        UnsupportedReplyError: Another program answers, so the unit has other firmware by now.
    """
    wire.accept(reply)
    if reply.description and not is_braiins(reply.description):
        raise UnsupportedReplyError(f"{reply.command}: {reply.description[:40]!r} is not Braiins OS: {excerpt(data)!r}")
    return reply


def rows_of(data: bytes, command: str, key: str, repairs: set[str], *, most: int = MAX_BOARDS) -> Sequence[Any]:
    """Return the objects in the list of a report, at most `most`; what is no object is left out, with a repair.

    Raises:
        MalformedReplyError: The bytes are not a reply.
        RefusedError, UnsupportedReplyError: As `accepted`, or the report is missing from the reply.
    """
    reply = accepted(wire.decode_reply(data, command), data)
    rows = reply.body.get(key)
    if not isinstance(rows, list):
        raise UnsupportedReplyError(f"{command}: no {key}: {excerpt(data)!r}")
    repairs.update(reply.repairs)
    if len(rows) > most:
        repairs.add("implausible")
    objects = [row for row in rows[:most] if isinstance(row, dict)]
    if len(objects) < len(rows[:most]):
        repairs.add("wrong_type")
    return objects


def board_id(row: Row, repairs: set[str]) -> int | None:
    """Return the number of the board that a row is about; None, with a repair, if it has none."""
    value = row.number("ID", MAX_ID)
    if value is None or not value.is_integer():
        repairs.add("wrong_type")
        return None
    return int(value)
