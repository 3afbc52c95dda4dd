"""`pools`, `devdetails` and `events`: what changes slowly, joined or one at a time.

Read as plain JSON: they are asked for every `slow_every` polls, and `pools` is the report that all firmware shares.
Observed (O178): one pool of each group is active, so two can be; all of them are the owner's.
"""

from typing import Any, NamedTuple, TypeVar

from agent.errors import PollError, UnsupportedReplyError
from agent.unit.cgminer import wire
from agent.unit.cgminer.pools import pools_in
from agent.unit.cgminer.shapes import Report, Shape, raise_for_refusal
from agent.unit.luxos.boards import Details, details_by_slot
from agent.unit.luxos.faults import faults_of
from agent.unit.luxos.reports import DETAILS_SHAPE, EVENTS_SHAPE, MAX_EVENTS
from agent.unit.luxos.requests import SLOW_COMMANDS
from agent.unit.reading import Fault, PoolReading


class Found(NamedTuple):
    """Fields that were read; None for those that were not. `repairs` names the repairs that it took."""

    pools: tuple[PoolReading, ...] | None = None
    details: Details | None = None
    faults: tuple[Fault, ...] | None = None
    repairs: tuple[str, ...] = ()


def read_joined(data: bytes) -> Found:
    """Return what a joined reply has. A part that cannot be read, or was refused, is None.

    Raises:
        MalformedReplyError: The bytes are not a reply.
        RefusedError: The unit refused the request as a whole.
        UnsupportedReplyError: The reply has none of the parts.
    """
    body, repairs = wire.decode_object(data)
    parts = {command: part for command in SLOW_COMMANDS if (part := _part(body.get(command))) is not None}
    if not parts:
        if "STATUS" in body:
            wire.accept(wire.reply_in(body, "joined reports", repairs, data))
        raise UnsupportedReplyError("joined reports: none of them is in the reply")
    found = Found(repairs=repairs)
    for command, part in parts.items():
        try:
            found = _with_part(found, command, part, data)
        except PollError:
            continue
    return found


def read_single(command: str, data: bytes) -> Found:
    """Return what one report has.

    Raises:
        MalformedReplyError: The bytes are not a reply.
        RefusedError: The unit refused the command.
        UnsupportedReplyError: The report is missing from the reply.
    """
    body, repairs = wire.decode_object(data)
    return _with_part(Found(repairs=repairs), command, body, data)


def _part(parts: Any) -> dict[str, Any] | None:
    """Return a part of a joined reply: the only object of a list."""
    part = parts[0] if isinstance(parts, list) and len(parts) == 1 else None
    return part if isinstance(part, dict) else None


def _with_part(found: Found, command: str, body: dict[str, Any], data: bytes) -> Found:
    if command == "pools":
        pools, needed = pools_in(wire.reply_in(body, command, (), data), data)
        return found._replace(pools=pools, repairs=found.repairs + needed)
    repairs: set[str] = set()
    if command == "devdetails":
        details = details_by_slot(_report(DETAILS_SHAPE, command, body, repairs), repairs)
        return found._replace(details=details, repairs=(*found.repairs, *sorted(repairs)))
    events = body.get("EVENTS")
    if isinstance(events, list) and len(events) > MAX_EVENTS:
        # Cut, because a list that is dropped as too long would name no fault.
        body = {**body, "EVENTS": events[:MAX_EVENTS]}
        repairs.add("implausible")
    faults = faults_of(_report(EVENTS_SHAPE, command, body, repairs))
    return found._replace(faults=faults, repairs=(*found.repairs, *sorted(repairs)))


_R = TypeVar("_R", bound=Report)


def _report(shape: Shape[_R], command: str, body: dict[str, Any], repairs: set[str]) -> _R:
    report = shape.convert(body, repairs)
    raise_for_refusal(report, command)
    return report
