"""A report of Braiins OS by its declared shape: whose it is, and that it is no refusal."""

from collections.abc import Sequence
from typing import Final, TypeVar

from agent.errors import MalformedReplyError, UnsupportedReplyError, excerpt
from agent.unit.cgminer.shapes import Report, Shape, raise_for_refusal

_BRAIINS: Final = ("boser", "bosminer")
_NOT_READY: Final = "not ready"
_GRANTED: Final = frozenset({"S", "I", "W"})

R = TypeVar("R", bound=Report)
Item = TypeVar("Item")


def is_braiins(description: str) -> bool:
    """Return True for the program's name in `Description`. Observed (O82): BOSer, BOSminer+."""
    return description[:8].casefold().startswith(_BRAIINS)


def is_not_ready(report: Report) -> bool:
    """Return True if a command is refused because no board is ready. Documented (D253)."""
    return report.is_refused and (report.STATUS[0].Msg or "")[:40].strip().casefold() == _NOT_READY


def accepted(report: R, command: str, data: bytes, repairs: set[str]) -> R:
    """Return a report of Braiins OS that is no refusal.

    Args:
        report: The reply, decoded.
        command: The command that it answers.
        data: The reply as received, for an excerpt.
        repairs: Names of repairs; those needed here are added.

    Raises:
        MalformedReplyError: STATUS is no letter.
        RefusedError: The unit refused the command.
        UnsupportedReplyError: Another program answers, so the unit has other firmware by now.
    """
    if not report.STATUS:
        repairs.add("missing_status")
        return report
    raise_for_refusal(report, command)
    letter, program = report.STATUS[0].STATUS, report.STATUS[0].Description
    if letter is None:
        raise MalformedReplyError(f"{command}: no STATUS: {excerpt(data)!r}")
    if letter not in _GRANTED:
        raise UnsupportedReplyError(f"{command}: STATUS is {letter[:20]!r}")
    if program and not is_braiins(program):
        raise UnsupportedReplyError(f"{command}: {program[:40]!r} is not Braiins OS: {excerpt(data)!r}")
    return report


def report_in(shape: Shape[R], command: str, data: bytes, repairs: set[str]) -> R:
    """Return a reply by its shape.

    Args:
        shape: The command's.
        command: The command.
        data: The reply as received.
        repairs: Names of repairs; those needed here are added.

    Raises:
        MalformedReplyError: The bytes are not a reply.
        RefusedError, UnsupportedReplyError: As `accepted`.
    """
    report, needed = shape.read(data)
    repairs.update(needed)
    return accepted(report, command, data, repairs)


def present(rows: Sequence[Item] | None, command: str, data: bytes) -> Sequence[Item]:
    """Return the list of a report.

    Raises:
        UnsupportedReplyError: It is missing from the reply.
    """
    if rows is None:
        raise UnsupportedReplyError(f"{command}: the report is missing: {excerpt(data)!r}")
    return rows


def board_number(number: float | None, repairs: set[str]) -> int | None:
    """Return the number of the board that a row is about; None, with a repair, if it has none."""
    if number is None or not number.is_integer():
        repairs.add("wrong_type")
        return None
    return int(number)
