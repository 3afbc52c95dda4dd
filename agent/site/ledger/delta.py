"""The difference between two ledgers in force, or between two days of one."""

from typing import NamedTuple

from agent.site.ledger.entries import LedgerEntry


class LedgerDelta(NamedTuple):
    """The units that differ from before; all others need no attention.

    Attributes:
        changed: Entries of units that are new, or whose entry is another than before.
        gone: Ids of units that are no longer deployed.
    """

    changed: tuple[LedgerEntry, ...]
    gone: tuple[str, ...]
