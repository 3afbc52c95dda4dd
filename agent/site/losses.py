"""Where one unit's shortfall went.

    nameplate - sum(losses) + uplift == measured        always

A unit that is not hashing lost its whole shortfall to its state. A unit that is hashing lost it, in this order, to a
curtailment event that asks for less than the nameplate, boards that are not there, chips that are not there, a clock
set or throttled below the nameplate's, and last to whatever remains unexplained: *underperforming*. Each step takes at
most what is left, so nothing is counted twice.

The arithmetic uses only minus, times, divide, min and max, so it runs on floats and, in the tests, on exact fractions.
"""

from agent.site.ledger import LedgerEntry
from agent.site.status import Cause, Loss, UnitState
from agent.unit.nameplate import Nameplate
from agent.unit.reading import BoardReading, Mode, UnitReading

_WHOLE_SHORTFALL = {
    UnitState.CURTAILED: Cause.CURTAILED,
    UnitState.MAINTENANCE: Cause.MAINTENANCE,
    UnitState.UNREACHABLE: Cause.UNREACHABLE,
    UnitState.UNREADABLE: Cause.UNREADABLE,
    UnitState.STOPPED: Cause.STOPPED,
    UnitState.STARTING: Cause.STARTING,
}


def attribute(
    entry: LedgerEntry,
    state: UnitState,
    reading: UnitReading | None,
    hashrate_hs: float | None,
    *,
    target_ratio: float = 1,
) -> tuple[tuple[Loss, ...], float]:
    """Give the losses by cause and the uplift of one unit, H/s.

    Args:
        entry: Gives the nameplate.
        state: The unit's state now.
        reading: Its fresh reading, or None.
        hashrate_hs: The rate of that reading; None counts as nothing delivered.
        target_ratio: What an event in force leaves the unit to hash, as a share of its nameplate; 1 without an event.
    """
    nameplate_hs = entry.nameplate.hashrate_hs
    measured_hs = hashrate_hs if hashrate_hs is not None else nameplate_hs * 0
    if measured_hs >= nameplate_hs:
        return (), measured_hs - nameplate_hs
    shortfall_hs = nameplate_hs - measured_hs
    cause = _WHOLE_SHORTFALL.get(state)
    if cause is not None:
        return (Loss(cause, shortfall_hs),), nameplate_hs * 0
    losses = []
    left_hs = shortfall_hs
    claims = [(Cause.CURTAILED, nameplate_hs * (1 - target_ratio)), *_claims(entry.nameplate, reading)]
    for cause, claim_hs in claims:
        taken_hs = min(claim_hs, left_hs)
        if taken_hs > 0:
            losses.append(Loss(cause, taken_hs))
            left_hs -= taken_hs
    if left_hs > 0:
        losses.append(Loss(Cause.UNDERPERFORMING, left_hs))
    return tuple(losses), nameplate_hs * 0


def _claims(nameplate: Nameplate, reading: UnitReading | None) -> list[tuple[Cause, float]]:
    """Give what each visible fault would take of this nameplate, H/s, in the order in which they are believed."""
    if reading is None:
        return []
    present = [board for board in reading.boards if _is_up(board)]
    if nameplate.boards is None or not present:
        # No layout to compare with; or no board told of a unit that hashes, so the list is what is missing, not they.
        return [(Cause.DERATED, nameplate.hashrate_hs)] if reading.mode is Mode.LOW else []
    board_hs = nameplate.hashrate_hs / nameplate.boards
    claims = [(Cause.MISSING_BOARDS, board_hs * max(0, nameplate.boards - len(present)))]
    if nameplate.chips_per_board is not None:
        chips_missing = sum(
            max(0, nameplate.chips_per_board - board.chips) for board in present if board.chips is not None
        )
        claims.append((Cause.MISSING_CHIPS, board_hs * chips_missing / nameplate.chips_per_board))
    derated_hs = nameplate.hashrate_hs * 0
    for board in present:
        slowed_ratio = _slowed_ratio(nameplate, reading, board)
        if slowed_ratio:
            derated_hs += _populated_hs(nameplate, board_hs, board) * slowed_ratio
    claims.append((Cause.DERATED, derated_hs))
    return claims


def _is_up(board: BoardReading) -> bool:
    """A listed board counts as there once its chips were enumerated, or, where chips are not told, once it hashes.

    One that tells neither is no visible fault: a field that could not be read must not become a missing board.
    """
    if board.chips is None:
        return board.hashrate_hs is None or board.hashrate_hs > 0
    return board.chips > 0


def _populated_hs(nameplate: Nameplate, board_hs: float, board: BoardReading) -> float:
    """Give what the chips that are there are rated for; a slow clock takes nothing from those that are not."""
    if nameplate.chips_per_board is None or board.chips is None:
        return board_hs
    return board_hs * min(board.chips, nameplate.chips_per_board) / nameplate.chips_per_board


def _slowed_ratio(nameplate: Nameplate, reading: UnitReading, board: BoardReading) -> float:
    """Give by how much, 0 to 1, this board's clock is below the one its nameplate needs."""
    if nameplate.frequency_hz is not None and board.frequency_hz is not None:
        return max(0, 1 - board.frequency_hz / nameplate.frequency_hz)
    # No clock to compare: a declared low-power mode explains the whole remainder, the caller caps it.
    return 1 if reading.mode is Mode.LOW else 0
