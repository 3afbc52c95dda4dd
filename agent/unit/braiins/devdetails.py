"""`devdetails`: the model, and each board's chips and clock. Read rarely, so always field by field.

Documented (D250): `Chips` is 0 of a board that was found and does not run.
"""

from typing import Final, NamedTuple

from agent.unit.braiins.reply import board_id, rows_of
from agent.unit.cgminer.fields import interned
from agent.unit.cgminer.rows import Row
from agent.unit.limits import HZ_PER_MHZ, MAX_CHIPS, MAX_FREQUENCY_HZ

_LEAST_HZ: Final = 1e5
"""Observed (O182): 799682118 is Hz, on builds of 2020; 739 is MHz, on 24.06. No clock is 100 GHz, or 0.1 MHz."""


class BoardDetails(NamedTuple):
    """One row: chips that were counted, 0 of a board that does not run, and their clock, Hz."""

    chips: int | None
    frequency_hz: float | None


class Details(NamedTuple):
    """A `devdetails` reply: the model as the firmware spells it, and the boards by number."""

    model: str | None
    boards: dict[int, BoardDetails]


def read_devdetails(data: bytes, repairs: set[str]) -> Details:
    """Read a `devdetails` reply.

    Args:
        data: The reply as received.
        repairs: Names of repairs; those needed here are added.

    Raises:
        MalformedReplyError: The bytes are not a reply.
        RefusedError: The unit refused the command.
        UnsupportedReplyError: Another program answers, or the report is missing from the reply.
    """
    model: str | None = None
    boards: dict[int, BoardDetails] = {}
    for item in rows_of(data, "devdetails", "DEVDETAILS", repairs):
        row = Row(item, repairs)
        model = model or interned(item.get("Model"))
        number = board_id(row, repairs)
        if number is None or number in boards:
            continue
        chips = row.number("Chips", MAX_CHIPS)
        boards[number] = BoardDetails(None if chips is None else int(chips), _clock_hz(row))
    return Details(model, boards)


def _clock_hz(row: Row) -> float | None:
    clock = row.number("Frequency", MAX_FREQUENCY_HZ)
    if not clock:
        return None
    return clock if clock >= _LEAST_HZ else row.number("Frequency", MAX_FREQUENCY_HZ, HZ_PER_MHZ)
