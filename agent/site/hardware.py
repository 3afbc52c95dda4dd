"""The boards and chips of a nameplate that a reading shows at work, and what each visible fault takes. Pure.

The arithmetic uses only minus, times, divide, min and max, so it runs on floats and, in the tests, on exact fractions.
"""

from typing import NamedTuple

from agent.unit.nameplate import Nameplate
from agent.unit.reading import BoardReading, Mode, UnitReading


class Faults(NamedTuple):
    """The part of a nameplate that each visible fault would take, H/s.

    Attributes:
        boards_hs: Rating of the boards that are absent.
        chips_hs: Rating of the chips that are missing or bad on the boards that are present.
        clocks_hs: The part that low clocks take of the chips that are present; all of it in a low-power mode without a
            clock. The part that the running profile takes, if that is more.
        has_clocks: True if a present board reports a clock that can be compared with the nameplate's, or if the unit
            reports what its profile should give.
    """

    boards_hs: float
    chips_hs: float
    clocks_hs: float
    has_clocks: bool


def visible_faults(nameplate: Nameplate, reading: UnitReading) -> Faults:
    """Return what the reading shows of absent boards, missing or bad chips, and low clocks."""
    present, has_clocks = 0, False
    is_low = reading.mode is Mode.LOW
    nothing_hs = nameplate.hashrate_hs * 0
    board_hs = nameplate.hashrate_hs if nameplate.boards is None else nameplate.hashrate_hs / nameplate.boards
    rated_chips, rated_hz = nameplate.chips_per_board, nameplate.frequency_hz
    chips_missing, clocks_hs = 0, nothing_hs
    for board in reading.boards:
        chips = board.chips
        # A whole board, which most are, needs neither question.
        is_whole = chips is not None and chips == rated_chips and not board.bad_chips
        if not is_whole and not is_up(board):
            continue
        present += 1
        # The rating of the chips that are present; a slow clock takes nothing from missing ones.
        populated_hs = board_hs
        if rated_chips is not None and not is_whole:
            working = working_chips(board, rated_chips)
            if working < rated_chips:
                chips_missing += rated_chips - working
                populated_hs = board_hs * working / rated_chips
        if rated_hz is not None and board.frequency_hz is not None:
            has_clocks = True
            if board.frequency_hz < rated_hz:
                clocks_hs += populated_hs * (1 - board.frequency_hz / rated_hz)
        elif is_low:
            # No clock to compare: a declared low-power mode explains the whole remainder. The caller caps it.
            clocks_hs += populated_hs
    if nameplate.boards is None or not present:
        # No layout to compare with. Or the unit hashes and lists no boards: then the list is missing, not the boards.
        clocks_hs = nameplate.hashrate_hs if is_low else nothing_hs
        faults = Faults(nothing_hs, nothing_hs, clocks_hs, has_clocks=False)
    else:
        chips_hs = board_hs * chips_missing / rated_chips if rated_chips else nothing_hs
        faults = Faults(board_hs * max(0, nameplate.boards - present), chips_hs, clocks_hs, has_clocks)
    return faults if is_low else _with_profile(nameplate, reading, faults)


def _with_profile(nameplate: Nameplate, reading: UnitReading, faults: Faults) -> Faults:
    """Return faults with what the running profile takes: its ideal rate below the rating of what is present.

    Observed (O97): the ideal rate of other firmware is that of its profile.
    """
    ideal_hs = reading.hashrate_ideal_hs
    if not reading.is_profile_ideal or not ideal_hs:
        return faults
    profile_hs = max(nameplate.hashrate_hs * 0, capacity_hs(nameplate, faults) - ideal_hs)
    return faults._replace(clocks_hs=max(faults.clocks_hs, profile_hs), has_clocks=True)


def capacity_hs(nameplate: Nameplate, faults: Faults) -> float:
    """Return the rating of the boards and chips that are present, H/s; a unit may list more boards than it should."""
    return max(nameplate.hashrate_hs * 0, nameplate.hashrate_hs - faults.boards_hs - faults.chips_hs)


def working_chips(board: BoardReading, rated_chips: int) -> int:
    """Return how many of a board's chips work: those that answered, less those that its own map marks as bad.

    Args:
        board: A board that is present.
        rated_chips: What the nameplate gives it; stands in for a count that is not reported.
    """
    answered = rated_chips if board.chips is None else board.chips
    return max(0, answered - board.bad_chips) if board.bad_chips else answered


def is_up(board: BoardReading) -> bool:
    """Return True if a listed board counts as present: its chips were enumerated or, without a chip count, it hashes.

    A board that reports neither is no visible fault: a field that could not be read must not become a missing board.
    """
    if board.chips is None:
        return board.hashrate_hs is None or board.hashrate_hs > 0
    return board.chips > 0


def absent_slots(nameplate: Nameplate, reading: UnitReading) -> tuple[int, ...]:
    """Return the slots of the boards that are absent: listed and not up first, then those not listed.

    At most as many as the nameplate's boards lack; without that number, all that are listed and not up. In a unit that
    does not hash, a board without a chip count is not absent for hashing nothing.
    """
    is_idle = not reading.rate_hs
    up = {board.slot for board in reading.boards if is_up(board) or (is_idle and board.chips is None)}
    dead = [board.slot for board in reading.boards if board.slot not in up]
    if nameplate.boards is None:
        return tuple(sorted(set(dead)))
    listed = {board.slot for board in reading.boards}
    dead += [slot for slot in range(nameplate.boards) if slot not in listed]
    return tuple(sorted(list(dict.fromkeys(dead))[: max(0, nameplate.boards - len(up))]))
