"""The boards of a unit from three reports: rates from `devs`, chips and clocks from `devdetails`, sensors from `temps`.

A board's slot follows from its number. Observed (O181): an S9 numbers its boards 6, 7, 8, a BMM 100 from 1. Documented
(D255): an S19j Pro from 1. Assumed (A182): so do all others, and none begins at 2 to 5.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from agent.unit.braiins.devdetails import BoardDetails
from agent.unit.braiins.devs import Board
from agent.unit.braiins.temps import Sensors
from agent.unit.limits import MAX_BOARDS
from agent.unit.reading import BoardReading

_OF_S9: Final = 6
_NO_DETAILS: Final = BoardDetails(None, None)
_NO_SENSORS: Final = Sensors(None, None)


def first_number(numbers: Collection[int]) -> int:
    """Return the number of slot 0, from the numbers of the boards that are there; any of them may be missing."""
    least = min(numbers, default=1)
    return least if least == 0 else _OF_S9 if least >= _OF_S9 else 1


def stopped(boards: Sequence[Board]) -> frozenset[int]:
    """Return the numbers of the boards that were found and do not run."""
    return frozenset([board.number for board in boards if board.nominal_hs == 0])


def board_readings(
    boards: Sequence[Board],
    details: Mapping[int, BoardDetails],
    sensors: Mapping[int, Sensors],
    *,
    first: int,
    is_now: bool,
    repairs: set[str],
) -> tuple[BoardReading, ...]:
    """Return the boards by slot. One that was not found is not among them.

    A board that does not run beside others that do has no chips. While none runs, how many chips are there is not
    known: the unit may be paused.

    Args:
        boards: Of `devs`.
        details: Of `devdetails`, by number.
        sensors: Of `temps`, by number.
        first: The number of slot 0.
        is_now: Take the rates over 5 s instead of 60.
        repairs: Names of repairs; those needed here are added.
    """
    idle = stopped(boards)
    is_running = len(idle) < len(boards)
    readings = []
    for board in boards:
        number = board.number
        slot = number - first
        if not 0 <= slot < MAX_BOARDS:
            repairs.add("implausible")
            continue
        chips, frequency_hz = details.get(number, _NO_DETAILS)
        if number in idle:
            chips, frequency_hz = 0 if is_running else None, None
        pcb, chip = sensors.get(number, _NO_SENSORS)
        readings.append(
            BoardReading(
                slot=slot,
                hashrate_hs=board.now_hs if is_now else board.minute_hs,
                chips=chips,
                chip_celsius=() if chip is None else (chip,),
                pcb_celsius=() if pcb is None else (pcb,),
                frequency_hz=frequency_hz,
                hw_errors=board.hw_errors,
            )
        )
    if len(readings) > 1:
        readings.sort(key=lambda reading: reading.slot)
    return tuple(readings)
