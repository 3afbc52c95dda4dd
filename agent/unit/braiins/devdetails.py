"""`devdetails`: the model, and each board's chips and clock.

Documented (D250): `Chips` is 0 of a board that was found and does not run.
"""

from typing import Final, NamedTuple

from agent.unit.braiins.reply import board_number, present, report_in
from agent.unit.braiins.reports import DETAILS_SHAPE
from agent.unit.cgminer.fields import interned
from agent.unit.limits import HZ_PER_MHZ, MAX_FREQUENCY_HZ, MIN_FREQUENCY_HZ

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
    for row in present(report_in(DETAILS_SHAPE, "devdetails", data, repairs).DEVDETAILS, "devdetails", data):
        model = model or interned(row.model)
        number = board_number(row.number, repairs)
        if number is None or number in boards:
            continue
        boards[number] = BoardDetails(None if row.chips is None else int(row.chips), _clock_hz(row.clock, repairs))
    return Details(model, boards)


def _clock_hz(clock: float | None, repairs: set[str]) -> float | None:
    if not clock:
        return None
    hz = clock if clock >= _LEAST_HZ else clock * HZ_PER_MHZ
    if MIN_FREQUENCY_HZ <= hz <= MAX_FREQUENCY_HZ:
        return hz
    repairs.add("implausible")
    return None
