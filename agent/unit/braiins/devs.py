"""`devs`: one row for each board that was found, with its rates and what it should give at its clock, in MH/s.

Observed (O181): `Enabled`, `Status`, `Temperature`, `Accepted` and `Last Share Pool` are constants and say nothing.
Documented (D250): a board that was not found has no row; one that was found and does not run has `Nominal MHS` 0.
"""

from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from agent.unit.braiins.reply import HS_PER_MHS, BoardId, Count, Mhs, Statuses, board_id, regular, rows_of
from agent.unit.cgminer.rows import Row
from agent.unit.limits import MAX_BOARDS, MAX_HASHRATE_HS


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


_KEYS: Final = {
    "hw_errors": "Hardware Errors",
    "minute_mhs": "MHS 1m",
    "now_mhs": "MHS 5s",
    "nominal_mhs": "Nominal MHS",
}


class _Row(msgspec.Struct, frozen=True, gc=False, rename=_KEYS):
    ID: BoardId
    hw_errors: Count = None
    minute_mhs: Mhs = None
    now_mhs: Mhs = None
    nominal_mhs: Mhs = None


class _Reply(msgspec.Struct, frozen=True, gc=False):
    STATUS: Statuses
    DEVS: Annotated[tuple[_Row, ...], Meta(max_length=MAX_BOARDS)]


_decode: Final = msgspec.json.Decoder(_Reply).decode


def read_devs(data: bytes, repairs: set[str]) -> tuple[Board, ...]:
    """Return the boards of a `devs` reply in the unit's order, each number once.

    Args:
        data: The reply as received.
        repairs: Names of repairs; those needed here are added.

    Raises:
        MalformedReplyError: The bytes are not a reply.
        RefusedError: The unit refused the command.
        UnsupportedReplyError: Another program answers, or the report is missing from the reply.
    """
    reply = regular(data, _decode)
    boards = _field_by_field(data, repairs) if reply is None else [_board(row) for row in reply.DEVS]
    once = {board.number: board for board in reversed(boards)}
    if len(once) == len(boards):
        return tuple(boards)
    repairs.add("implausible")
    return tuple([board for board in boards if once.get(board.number) is board])


def _board(row: _Row) -> Board:
    minute_mhs, now_mhs, nominal_mhs = row.minute_mhs, row.now_mhs, row.nominal_mhs
    return Board(
        row.ID,
        None if minute_mhs is None else minute_mhs * HS_PER_MHS,
        None if now_mhs is None else now_mhs * HS_PER_MHS,
        None if nominal_mhs is None else nominal_mhs * HS_PER_MHS,
        row.hw_errors,
    )


def _field_by_field(data: bytes, repairs: set[str]) -> list[Board]:
    boards = []
    for item in rows_of(data, "devs", "DEVS", repairs):
        row = Row(item, repairs)
        number = board_id(row, repairs)
        if number is None:
            continue
        boards.append(
            Board(
                number,
                row.number("MHS 1m", MAX_HASHRATE_HS, HS_PER_MHS),
                row.number("MHS 5s", MAX_HASHRATE_HS, HS_PER_MHS),
                row.number("Nominal MHS", MAX_HASHRATE_HS, HS_PER_MHS),
                row.whole("Hardware Errors"),
            )
        )
    return boards
