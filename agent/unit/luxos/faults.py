"""`events`: what is wrong with the unit now, by its own word.

Documented (D244): an event keeps the time when it was first seen, and is no longer listed once it is cured.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from agent.unit.luxos.reports import EventRow, EventsReport
from agent.unit.reading import Fault

# Observed (O176): NOPIC_PROTECTION, REBOOT_NOT_HASHING. Documented (D244): the others. A protection of the miner names
# no part; a board's event names the board.
_FAULT_OF_CODE: Final[Mapping[str, Fault]] = {
    "BOARD_NOT_DETECTED": Fault.BOARD,
    "FAN_FAILURE": Fault.FAN,
    "NO_ACTIVE_POOLS": Fault.POOLS,
    "NOPIC_PROTECTION": Fault.UNNAMED,
    "PSU_PANIC": Fault.SUPPLY,
    "REBOOT_NOT_HASHING": Fault.BOARD,
}
# Assumed (A179): a code of another version says by its words what it is about.
_FAULT_OF_WORD: Final[Mapping[str, Fault]] = {
    "FAN": Fault.FAN,
    "FANS": Fault.FAN,
    "PSU": Fault.SUPPLY,
    "POOL": Fault.POOLS,
    "POOLS": Fault.POOLS,
    "OVERHEAT": Fault.TOO_HOT,
    "OVERHEATED": Fault.TOO_HOT,
    "HOT": Fault.TOO_HOT,
    "DANGEROUS": Fault.TOO_HOT,
    "COLD": Fault.TOO_COLD,
    "BOARD": Fault.BOARD,
    "CHIP": Fault.BOARD,
    "CHIPS": Fault.BOARD,
    "EEPROM": Fault.BOARD,
}
_BAD_WORDS: Final = frozenset(
    {"ERROR", "FAILED", "FAILURE", "FAULT", "PANIC", "PROTECTION", "OVERHEAT", "OVERHEATED", "DANGEROUS", "COLD", "HOT"}
)
_LONGEST_CODE: Final = 64


def faults_of(report: EventsReport) -> tuple[Fault, ...]:
    """Return the faults that a unit names, each once, in the order of `Fault`. Sleep, idling and news are none."""
    found = {_fault(event) for event in report.EVENTS}
    return tuple(fault for fault in Fault if fault in found)


def _fault(event: EventRow) -> Fault | None:
    if event.Code is None:
        return None
    # Cut before it is looked up: what is remembered must not be as long as a unit likes.
    return _fault_of(event.Code[:_LONGEST_CODE], is_board=event.Target == "BOARD")


@lru_cache(maxsize=256)
def _fault_of(code: str, *, is_board: bool) -> Fault | None:
    known = _FAULT_OF_CODE.get(code)
    if known is not None:
        return known
    words = code.split("_")
    if _BAD_WORDS.isdisjoint(words):
        return None
    named = {_FAULT_OF_WORD[word] for word in words if word in _FAULT_OF_WORD}
    about = next((fault for fault in Fault if fault in named), None)
    return about or (Fault.BOARD if is_board else Fault.UNNAMED)
