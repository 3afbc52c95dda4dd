"""Chosen differences, put into a draft of the ledger. Pure; nothing counts until the draft is finished."""

from collections.abc import Iterable

from agent.hil.review.changes import Change, Kind
from agent.site.ledger.edit import Draft


def apply_changes(draft: Draft, changes: Iterable[Change], at: str, *, with_guesses: bool = False) -> None:
    """Make changes from a moment on.

    A new unit is added, or comes back if it was deployed before. A moved one, and one of another model or bin, gets a
    row that begins then. An exchanged unit ends then, and the machine that answers begins in its place. A missing MAC
    address or serial number is written into the row in force, because an empty cell declared nothing. A unit that is
    gone ends then.

    Args:
        draft: The ledger.
        changes: Those that were chosen.
        at: The moment, as in the ledger.
        with_guesses: Also change bins that the scan worked out.

    Raises:
        ConfigError: A change that the ledger refuses.
    """
    chosen = [change for change in changes if with_guesses or not change.is_guess]
    # First what ends, then what moves: two units may change places with each other.
    for change in chosen:
        if change.kind in {Kind.EXCHANGED, Kind.GONE}:
            draft.remove(change.unit_id, at)
    for change in chosen:
        match change.kind:
            case Kind.MOVED | Kind.MODEL:
                draft.set_cells(change.unit_id, change.cells, at)
            case Kind.IDENTITY:
                draft.fill(change.unit_id, change.cells, at)
    for change in chosen:
        if change.kind in {Kind.NEW, Kind.EXCHANGED} and change.row is not None:
            draft.deploy(change.row.unit_id, change.cells, at)
