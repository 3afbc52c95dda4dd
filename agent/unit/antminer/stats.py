"""`stats` replies to readings, in both dialects and all firmware lines.

Most replies take the fast path, one typed decode (`fast_stats`). Any other is decoded into a schema common to both
dialects (`stats_schema`), with the named repairs of `wire` if needed. It is then read field by field (`new_api`,
`legacy`), so that a bad optional field costs that field and not the reading:

    number_in_string   a number sent as text where this firmware family sends numbers
    wrong_type         a field of another type; it reads as absent
    implausible        a number beyond what any unit can reach; it reads as absent

A reply with keys of other firmware is read from its plain JSON as well (`elsewhere`). The 5 s rate is
required, unless the reply has a known shape of a sleeping unit.
Field meanings: docs/antminer-api.md; comments cite its facts by id.
"""

from typing import Final

from agent.errors import MalformedReplyError, RefusedError
from agent.unit.antminer.fast_stats import fast_reading
from agent.unit.antminer.legacy import legacy_reading
from agent.unit.antminer.new_api import new_api_reading
from agent.unit.antminer.reply_context import Known, PartialReading, ReplyContext
from agent.unit.antminer.stats_schema import Status, decode_stats
from agent.unit.cgminer import wire
from agent.unit.coolant import SensorLayouts
from agent.unit.nameplate import Nameplate, shipped_layouts
from agent.unit.reading import Identity, PoolReading, ShareReading, UnitReading

# Observed (O03): s19pro-stock-2023-issue50.
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
    nameplate: Nameplate | None = None,
    layouts: SensorLayouts | None = None,
) -> UnitReading:
    """Read one whole `stats` reply in either dialect.

    Args:
        data: The reply as received.
        unit_id: The ledger's name for the unit.
        at: Unix time at which the reply was complete, s.
        identity: The identity known so far; the model and firmware in the reply take precedence.
        pools: Pools as last read; passed through.
        shares: Share counters as last read; passed through.
        nameplate: The unit's rating in the ledger; None if it is not known.
        layouts: The sensor layouts of all models; by default those shipped with the agent.

    Raises:
        MalformedReplyError: The bytes are not a reply, or the rate is beyond any unit.
        RefusedError: The unit refused the request, for example because it does not know the dialect.
        UnsupportedReplyError: The reply has no rate, and no known shape of a sleeping unit.
    """
    known = Known(unit_id, at, identity, pools, shares, nameplate, layouts or shipped_layouts())
    reading = fast_reading(data, known)
    if reading is not None:
        return reading
    partial = slow_reading(data, known)
    if partial.missing is not None:
        raise partial.missing
    return partial.reading


def slow_reading(data: bytes, known: Known) -> PartialReading:
    """Read a reply field by field; errors as for `read_stats`, but a reply without a rate is returned.

    Args:
        data: The reply as received.
        known: The values from before it.
    """
    payload = wire.unframe(data)
    repairs: set[str] = set()
    decoded = decode_stats(payload, repairs)
    context = ReplyContext(payload, known, repairs)
    status = decoded.reply.STATUS
    if isinstance(status, Status):
        _check_status(status)
        return new_api_reading(decoded, context)
    if not status:
        raise MalformedReplyError(f"stats: {context.described('STATUS is empty')}")
    _check_status(status[0])
    return legacy_reading(decoded, status[0], context)


def _check_status(status: Status) -> None:
    if status.STATUS in {"S", "I", "W"}:
        return
    if status.STATUS in {"E", "F"}:
        raise wire.refusal("stats", status.Code, status.Msg or "", status.Description or "")
    raise MalformedReplyError(f"stats: STATUS is {status.STATUS[:20]!r}")


def is_invalid_command(error: RefusedError) -> bool:
    """Return True if the unit does not know the command, False if it refused for another reason.

    Observed (O03): code 14. Observed (O86): VNish refuses with code 0 and the same words.
    """
    return error.code == _INVALID_COMMAND or (error.code in {0, None} and "nvalid command" in str(error))
