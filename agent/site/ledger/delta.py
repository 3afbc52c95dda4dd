"""What changes when another ledger, or another day of the same one, comes into force."""

from typing import NamedTuple

from agent.site.ledger.entries import LedgerEntry


class LedgerDelta(NamedTuple):
    """The units that are not as before; all others stay as they are, and nobody has to look at them.

    Attributes:
        changed: Entries of units that are new, or of which something else is said than before.
        gone: Ids of units that are deployed no longer.
    """

    changed: tuple[LedgerEntry, ...]
    gone: tuple[str, ...]
