"""Chosen differences, put into a draft of the ledger. Pure; nothing counts until the draft is finished."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from agent.errors import ConfigError, Mistake
from agent.hil.review.changes import Change
from agent.hil.review.kinds import Kind
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
            with _named(change.unit_id):
                draft.remove(change.unit_id, at)
    for change in chosen:
        with _named(change.unit_id):
            match change.kind:
                case Kind.MOVED | Kind.MODEL:
                    draft.set_cells(change.unit_id, change.cells, at)
                case Kind.IDENTITY:
                    draft.fill(change.unit_id, change.cells, at)
    for change in chosen:
        if change.kind in {Kind.NEW, Kind.EXCHANGED} and change.row is not None:
            with _named(change.row.unit_id):
                draft.deploy(change.row.unit_id, change.cells, at)


@contextmanager
def _named(unit_id: str) -> Iterator[None]:
    """Let a mistake name its unit: the cell alone does not tell which of many rows it is in."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(
            Mistake(
                file="ledger import",
                where=f"unit {unit_id}, {mistake.where}",
                value=mistake.value,
                reason=mistake.reason,
            )
            for mistake in error.mistakes
        ) from error
