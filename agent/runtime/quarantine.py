"""Units of other makes whose bytes end, hang or flood pyasic's process, found by asking suspects alone. Pure.

    process fails --> all that it had in hand are suspects --> each is asked alone
                                       answers well --> no suspect any more
                        fails the process once more --> a strike; from the second on: quarantine

A unit in quarantine is not asked, for `Limits.quarantine_s` at first and twice as long after each further strike. Then
it is asked alone. The first reading ends it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from agent.errors import QuarantineError
from agent.unit.cgminer.call import Address

# A process that fails with one unit after the other, and has no answer in between, fails by itself.
_MOST_IN_A_ROW: Final = 8
_STRIKES: Final = 2


@dataclass(slots=True, kw_only=True)
class _Suspect:
    """One unit.

    Attributes:
        strikes: Times that the process failed with this unit alone in hand.
        why: How it failed the last time.
        until: When it is asked again, by the monotonic clock, s.
        held_s: For how long it was not asked then, s; 0 before quarantine.
    """

    strikes: int = 0
    why: str = ""
    until: float = float("-inf")
    held_s: float = 0.0


class Quarantine:
    """Suspects and units in quarantine, by address; kept over replacements of the process and of the lane.

    Args:
        first_s: The first quarantine, s.
        longest_s: The longest, s.
    """

    def __init__(self, *, first_s: float, longest_s: float) -> None:
        self.first_s, self.longest_s = first_s, longest_s
        self._suspects: dict[Address, _Suspect] = {}
        self._in_a_row: set[Address] = set()

    def __len__(self) -> int:
        return sum(1 for suspect in self._suspects.values() if suspect.held_s)

    def is_suspect(self, address: Address) -> bool:
        """Return True for a unit that is asked alone."""
        return address in self._suspects

    def error(self, address: Address, *, now: float) -> QuarantineError | None:
        """Return the error of a unit that is not asked now; None for one that may be."""
        suspect = self._suspects.get(address)
        return _error(suspect) if suspect is not None and now < suspect.until else None

    def suspect(self, addresses: Iterable[Address]) -> None:
        """Ask these units alone from now on: a process failed that had all of them in hand."""
        for address in addresses:
            self._suspects.setdefault(address, _Suspect())

    def strike(self, address: Address, why: str, *, now: float) -> QuarantineError | None:
        """Note that a process failed with this unit alone in hand; returns its error if it is in quarantine now."""
        suspect = self._suspects.setdefault(address, _Suspect())
        suspect.strikes, suspect.why = suspect.strikes + 1, why
        self._in_a_row.add(address)
        if suspect.strikes < _STRIKES:
            return None
        suspect.held_s = min(self.longest_s, self.first_s * 2.0 ** min(suspect.strikes - _STRIKES, 32))
        suspect.until = now + suspect.held_s
        return _error(suspect)

    def is_new(self, address: Address) -> bool:
        """Return True for a unit that is in its first quarantine."""
        suspect = self._suspects.get(address)
        return suspect is not None and suspect.strikes == _STRIKES

    @property
    def is_process_at_fault(self) -> bool:
        """True if one unit after the other seems to fail the process: then none of them does."""
        return len(self._in_a_row) >= _MOST_IN_A_ROW

    def pardon(self) -> None:
        """Take back what was held against the units with which the process failed in a row."""
        for address in self._in_a_row:
            self._suspects.pop(address, None)
        self._in_a_row.clear()

    def note_answer(self, address: Address, *, is_read: bool) -> bool:
        """Note an answer of the process for a unit; returns True if that ends a quarantine.

        An answer without a reading clears a suspect, and not a unit that failed the process when it was asked alone.
        """
        self._in_a_row.clear()
        suspect = self._suspects.get(address)
        if suspect is None or (suspect.strikes and not is_read):
            return False
        del self._suspects[address]
        return suspect.held_s > 0

    def keep(self, addresses: Iterable[Address]) -> None:
        """Forget every unit that is at none of these addresses."""
        there = set(addresses)
        for address in self._suspects.keys() - there:
            del self._suspects[address]
        self._in_a_row &= there


def _error(suspect: _Suspect) -> QuarantineError:
    words = f"its answers failed pyasic's process {suspect.strikes} times ({suspect.why})"
    return QuarantineError(f"{words}; not asked for {suspect.held_s / 60:.0f} min")
