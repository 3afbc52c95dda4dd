"""`devs`: one row for each board that was found, with its rates and what it should give at its clock, in MH/s.

Observed (O181): `Enabled`, `Status`, `Temperature`, `Accepted` and `Last Share Pool` are constants and say nothing.
Documented (D250): a board that was not found has no row; one that was found and does not run has `Nominal MHS` 0.
"""

from typing import NamedTuple

from agent.errors import UnsupportedReplyError, excerpt
from agent.unit.braiins.reply import board_number, present, report_in
from agent.unit.braiins.reports import DEVS_SHAPE
from agent.unit.limits import HS_PER_MHS


class Board(NamedTuple):
    """One row.

    Attributes:
        number: The firmware's number of the board.
        minute_hs, now_hs: Rates over 60 s and 5 s, H/s.
        nominal_hs: What it should give at its present clock, H/s; 0 while it does not run.
        hw_errors: Since the process started.
    """

    number: int
    minute_hs: float | None
    now_hs: float | None
    nominal_hs: float | None
    hw_errors: int | None


def read_devs(data: bytes, repairs: set[str]) -> tuple[Board, ...]:
    """Return the boards of a `devs` reply in the unit's order, each number once.

    Args:
        data: The reply as received.
        repairs: Names of repairs; those needed here are added.

    Raises:
        MalformedReplyError: The bytes are not a reply.
        RefusedError: The unit refused the command.
        UnsupportedReplyError: Another program answers, the report is missing from the reply, or a board is not told.
    """
    boards: dict[int, Board] = {}
    for row in present(report_in(DEVS_SHAPE, "devs", data, repairs).DEVS, "devs", data):
        number = board_number(row.number, repairs)
        if number is None:
            # Left out, a board that hashes would count as missing.
            raise UnsupportedReplyError(f"devs: a board without its ID: {excerpt(data)!r}")
        if number in boards:
            repairs.add("implausible")
            continue
        minute_mhs, now_mhs, nominal_mhs = row.minute_mhs, row.now_mhs, row.nominal_mhs
        boards[number] = Board(
            number,
            None if minute_mhs is None else minute_mhs * HS_PER_MHS,
            None if now_mhs is None else now_mhs * HS_PER_MHS,
            None if nominal_mhs is None else nominal_mhs * HS_PER_MHS,
            row.hw_errors,
        )
    return tuple(boards.values())
