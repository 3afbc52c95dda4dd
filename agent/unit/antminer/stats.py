"""Antminer replies to readings, in both dialects and all firmware lines. GH/s becomes H/s here and nowhere else.

A sound `stats` reply of the new_api dialect is read in one go (`sound_stats`). Any other is decoded into one shape of
both dialects (`stats_reply`), if need be with the named repairs of `wire`, and taken field by field (`new_api`,
`legacy`), so that one bad optional field costs that field and not the unit:

    number_in_string   a number came as text where this firmware family sends numbers
    wrong_type         a field held something else altogether: it reads as absent
    implausible        a number beyond what any unit can do: it reads as absent

What must be there is the 5 s rate (or a shape that says the unit is asleep); without it there is no reading.
Field meanings: antminer-api sections 3 and 4, and the captures named beside each oddity.
"""

from typing import Final

from agent.errors import RefusedError, UnsupportedReplyError, excerpt
from agent.unit.antminer.fast_stats import fast_reading
from agent.unit.antminer.legacy import legacy_reading
from agent.unit.antminer.new_api import new_api_reading
from agent.unit.antminer.reply_context import ReplyContext
from agent.unit.antminer.stats_schema import Status, decode_stats
from agent.unit.cgminer import wire
from agent.unit.reading import Identity, PoolReading, ShareReading, UnitReading

_INVALID_COMMAND: Final = 14
_NO_IDENTITY: Final = Identity()


def read_stats(
    data: bytes,
    *,
    unit_id: str,
    at: float,
    identity: Identity = _NO_IDENTITY,
    pools: tuple[PoolReading, ...] = (),
    shares: ShareReading | None = None,
) -> UnitReading:
    """Read one whole `stats` reply in whichever dialect it came.

    Args:
        data: The reply as received.
        unit_id: Whose it is.
        at: Unix time at which it was whole, s.
        identity: What is known of the unit already; the reply's own word on model and firmware wins.
        pools: As last asked; passed through.
        shares: Likewise.

    Raises:
        MalformedReplyError: No reply, or rates that no unit can have.
        RefusedError: The unit said no, e.g. to a dialect that it does not know.
        UnsupportedReplyError: A reply without a rate, in no shape that is known to mean asleep.
    """
    reading = fast_reading(data, unit_id=unit_id, at=at, identity=identity, pools=pools, shares=shares)
    if reading is not None:
        return reading
    payload = wire.unframe(data)
    repairs: set[str] = set()
    reply = decode_stats(payload, repairs)
    is_new_api = isinstance(reply.STATUS, Status)
    status = reply.STATUS if isinstance(reply.STATUS, Status) else next(iter(reply.STATUS), None)
    _check_status("stats", status, payload)
    context = ReplyContext(payload, unit_id, at, identity, pools, shares, repairs)
    return new_api_reading(reply, context) if is_new_api else legacy_reading(reply, context)


def _check_status(command: str, status: Status | None, payload: bytes) -> None:
    if status is None:
        raise UnsupportedReplyError(f"{command}: STATUS is empty: {excerpt(payload)!r}")
    if status.STATUS in {"S", "I", "W"}:
        return
    if status.STATUS in {"E", "F"}:
        raise RefusedError(f"{command}: code {status.Code}, {str(status.Msg)[:100]!r}", code=status.Code)
    raise UnsupportedReplyError(f"{command}: STATUS is {status.STATUS[:20]!r}")


def is_invalid_command(error: RefusedError) -> bool:
    """Say whether a unit refused because it does not know the command, not because of who asked."""
    return error.code == _INVALID_COMMAND
