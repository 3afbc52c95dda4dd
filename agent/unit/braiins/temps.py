"""`temps`: one sensor on each board, and one chip; the chip's is measured on some models and worked out on others.

Observed (O183): an unknown chip temperature is 0.0, and the chip is 23 C above its board on an S9, 7 C on a BMM 100.
Documented (D251): on S19 XP, S21+ and S21 Pro it is 15.0 C above it to the last digit, on fifteen boards of five units.
"""

from typing import Final, NamedTuple

from agent.unit.braiins.reply import accepted, board_number, is_not_ready, present
from agent.unit.braiins.reports import TEMPS_SHAPE
from agent.unit.computed_chips import are_sums, chip_or_none

# Models whose chips have a sensor of their own, by the beginning of their name without the maker.
_MEASURED: Final = ("s9", "t9", "bmm", "braiins mini miner")


class Sensors(NamedTuple):
    """The sensors of one board, C; None without a value."""

    board: float | None
    chip: float | None


class Temps(NamedTuple):
    """A `temps` reply.

    Attributes:
        sensors: By the board's number; a board that does not run is left out.
        is_ready: False if the unit answers that no board is ready.
    """

    sensors: dict[int, Sensors]
    is_ready: bool = True

    def is_chip_computed(self, model: str | None) -> bool:
        """Return True if the firmware works the chips' temperatures out: none is other than the board's and 15 C.

        Args:
            model: Without the maker; None if it is not known. Models with a sensor on the chip are measured, whatever
                the difference is.
        """
        if model is not None and model.casefold().startswith(_MEASURED):
            return False
        chips = [(chip, board) for board, chip in self.sensors.values() if chip is not None]
        return bool(chips) and are_sums(chips)


NOT_READ: Final = Temps({})


def read_temps(data: bytes, repairs: set[str]) -> Temps:
    """Read a `temps` reply.

    Args:
        data: The reply as received.
        repairs: Names of repairs; those needed here are added.

    Raises:
        MalformedReplyError: The bytes are not a reply.
        RefusedError: The unit refused the command for another reason than that it is not ready.
        UnsupportedReplyError: Another program answers, or the report is missing from the reply.
    """
    report, needed = TEMPS_SHAPE.read(data)
    if is_not_ready(report):
        return Temps({}, is_ready=False)
    repairs.update(needed)
    sensors = {}
    for row in present(accepted(report, "temps", data, repairs).TEMPS, "temps", data):
        number = board_number(row.number, repairs)
        if number is not None:
            # A second row of a board is the same board's.
            board = row.board_celsius or None
            sensors[number] = Sensors(board, chip_or_none(row.chip_celsius or None, board))
    return Temps(sensors)
