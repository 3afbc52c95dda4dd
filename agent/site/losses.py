"""One unit's shortfall by cause.

    nameplate - sum(losses) + uplift == measured        always

A unit that is not hashing lost its whole shortfall to its state. A unit that is hashing lost it to these, in order: a
curtailment event that asks for less than the nameplate; missing boards; missing chips; a clock set or throttled below
the nameplate's. The rest is unexplained: *underperforming*. Each step takes at most what is left, so nothing is counted
twice.

The arithmetic uses only minus, times, divide, min and max, so it runs on floats and, in the tests, on exact fractions.
"""

from agent.site.ledger.entries import LedgerEntry
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
    """Return the losses by cause and the uplift of one unit, H/s.

    Args:
        entry: For its nameplate.
        state: The unit's state now.
        reading: Its fresh reading, or None.
        hashrate_hs: The rate of that reading; None counts as nothing delivered.
        target_ratio: The share of its nameplate that an event in force leaves the unit to hash; 1 without an event.
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
    curtailed_hs = nameplate_hs * (1 - target_ratio)
    for cause, claim_hs in ((Cause.CURTAILED, curtailed_hs), *_claims(entry.nameplate, reading)):
        if claim_hs > 0 and left_hs > 0:
            taken_hs = min(claim_hs, left_hs)
            losses.append(Loss(cause, taken_hs))
            left_hs -= taken_hs
    if left_hs > 0:
        losses.append(Loss(Cause.UNDERPERFORMING, left_hs))
    return tuple(losses), nameplate_hs * 0


def _claims(nameplate: Nameplate, reading: UnitReading | None) -> tuple[tuple[Cause, float], ...]:
    """Return what each visible fault would take of this nameplate, H/s, most certain first."""
    if reading is None:
        return ()
    present = 0
    is_low = reading.mode is Mode.LOW
    board_hs = nameplate.hashrate_hs if nameplate.boards is None else nameplate.hashrate_hs / nameplate.boards
    rated_chips, rated_hz = nameplate.chips_per_board, nameplate.frequency_hz
    chips_missing, derated_hs = 0, nameplate.hashrate_hs * 0
    for board in reading.boards:
        if not _is_up(board):
            continue
        present += 1
        # The rating of the chips that are present; a slow clock takes nothing from missing ones.
        populated_hs = board_hs
        if rated_chips is not None and board.chips is not None and board.chips < rated_chips:
            chips_missing += rated_chips - board.chips
            populated_hs = board_hs * board.chips / rated_chips
        if rated_hz is not None and board.frequency_hz is not None:
            if board.frequency_hz < rated_hz:
                derated_hs += populated_hs * (1 - board.frequency_hz / rated_hz)
        elif is_low:
            # No clock to compare: a declared low-power mode explains the whole remainder. The caller caps it.
            derated_hs += populated_hs
    if nameplate.boards is None or not present:
        # No layout to compare with. Or the unit hashes and lists no boards: then the list is missing, not the boards.
        return ((Cause.DERATED, nameplate.hashrate_hs),) if is_low else ()
    missing_chips_hs = board_hs * chips_missing / rated_chips if rated_chips else nameplate.hashrate_hs * 0
    return (
        (Cause.MISSING_BOARDS, board_hs * max(0, nameplate.boards - present)),
        (Cause.MISSING_CHIPS, missing_chips_hs),
        (Cause.DERATED, derated_hs),
    )


def _is_up(board: BoardReading) -> bool:
    """Return True if a listed board counts as present: its chips were enumerated or, without a chip count, it hashes.

    A board that reports neither is no visible fault: a field that could not be read must not become a missing board.
    """
    if board.chips is None:
        return board.hashrate_hs is None or board.hashrate_hs > 0
    return board.chips > 0
