"""Figures under the keys of other firmware, from an element of STATS as plain JSON: power, state, clocks and rates.

Keys are compared without case, blanks and signs, so ``PSU Power`` and ``psu_power`` are one.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from agent.unit.antminer.reply_context import ReplyContext, Watts
from agent.unit.antminer.state_words import ASLEEP, AWAKE, BOARD_LOST, FAILED, HASHING, StateWord, state_word
from agent.unit.cgminer.fields import number, spelled
from agent.unit.cgminer.rates import Rates, read_rates
from agent.unit.limits import HZ_PER_MHZ, MAX_FREQUENCY_HZ
from agent.unit.reading import BoardReading, PowerKind

# A new key here is also a field of type None in `stats_schema` and, if the new dialect may have it, in `fast_stats`.
_STATE_KEYS: Final = ("state", "minerstate", "minerstatus", "status", "workmode")

# The supply's own figure first, then the unit's. Assumed (A61): a key that names the supply or its input is measured.
_SUPPLY_KEYS: Final = ("psupower", "inputpower", "psuinputpower", "psuwatt", "psuwatts")
_UNIT_KEYS: Final = (
    "power",
    "watt",
    "watts",
    "wattage",
    "totalpower",
    "powerconsumption",
    "consumption",
    "chainpower",
    "powerkw",
    "powerw",
    "powerusage",
    "totalwatt",
    "totalwatts",
    "minerpower",
    "totalconsumption",
    "totalpowerconsumption",
)
_BOARD_POWER_KEYS: Final = (
    "chainconsumption",
    "chainpower",
    "chainwatt",
    "chainwatts",
    "powerconsumption",
    "consumption",
    "power",
    "watt",
    "watts",
)
_CLOCK_KEYS: Final = ("freqavg", "freq", "frequency", "chainfreq", "chainfreqavg", "chainfrequency")


_SLOT_STATE: Final = "chainstate"


def reads_of_unit(key: str) -> bool:
    """Return True if `Elsewhere` reads a key of an element of STATS, rates left out."""
    return spelled(key) in _READ_OF_UNIT


def reads_of_board(key: str) -> bool:
    """Return True if `Elsewhere` reads a key of an element of `chain`."""
    return spelled(key) in _READ_OF_BOARD


def reads_of_slot(key: str, slots: Iterable[str]) -> bool:
    """Return True if `Elsewhere` reads a numbered key of the legacy dialect, in one of the slots."""
    name = spelled(key)
    return any(name.endswith(slot) and name.removesuffix(slot) in _READ_OF_SLOT for slot in slots)


_READ_OF_UNIT: Final = frozenset((*_STATE_KEYS, *_SUPPLY_KEYS, *_UNIT_KEYS))
_READ_OF_BOARD: Final = frozenset((*_BOARD_POWER_KEYS, *_CLOCK_KEYS))
_READ_OF_SLOT: Final = _READ_OF_BOARD | {_SLOT_STATE}


class Elsewhere:
    """One element of STATS by its keys as `spelled`.

    Args:
        row: The element.
        context: Counts the repairs.
    """

    __slots__ = ("_context", "_row", "_values")

    def __init__(self, row: Mapping[str, Any], context: ReplyContext) -> None:
        self._row = row
        self._values = {spelled(key): value for key, value in row.items()}
        self._context = context

    def rates(self) -> Rates:
        """Return every rate of the element."""
        return read_rates(self._row, self._context.repairs)

    def state(self, slots: Iterable[str] = ()) -> StateWord | None:
        """Return the meaning of the unit's state word or, without one, of its boards' (numbered from 1)."""
        for key in _STATE_KEYS:
            found = state_word(self._values.get(key))
            if found is not None:
                return found
        words = [state_word(self._values.get(f"{_SLOT_STATE}{slot}")) for slot in slots]
        of_boards = [word for word in words if word is not None]
        for meaning in (HASHING, BOARD_LOST, FAILED, AWAKE):
            if meaning in of_boards:
                return meaning
        return ASLEEP if of_boards else None

    def watts(self, boards: Sequence[BoardReading], board_watts: Sequence[float | None]) -> Watts | None:
        """Return the unit's power: the supply's, the unit's, or the boards' sum if all that hash have one.

        A zero counts only if nothing else is reported.
        """
        candidates = [
            *((self._watts(key), PowerKind.MEASURED) for key in _SUPPLY_KEYS),
            *((self._watts(key), PowerKind.ESTIMATED) for key in _UNIT_KEYS),
            # Assumed (A60): boards' figures are the firmware's own, and leave out the control board.
            (_sum_of_boards(boards, board_watts), PowerKind.ESTIMATED),
        ]
        known = [Watts(watts, kind) for watts, kind in candidates if watts is not None]
        return next((found for found in known if found.watts), known[0] if known else None)

    def board_watts(self, suffix: str = "") -> float | None:
        """Return the power of one board, W; `suffix` is its number in the legacy dialect."""
        for key in _BOARD_POWER_KEYS:
            watts = self._watts(f"{key}{suffix}")
            if watts is not None:
                return watts
        return None

    def clock_hz(self, suffix: str = "") -> float | None:
        """Return the clock of one board, Hz, from MHz; `suffix` as for `board_watts`."""
        for key in _CLOCK_KEYS:
            mhz = number(self._values.get(f"{key}{suffix}"), self._context.repairs, is_text_normal=True)
            if mhz is not None:
                return self._context.number(mhz, HZ_PER_MHZ, 0, MAX_FREQUENCY_HZ)
        return None

    def _watts(self, key: str) -> float | None:
        return self._context.power(self._values.get(key), is_kilo=key.endswith("kw"))


def _sum_of_boards(boards: Sequence[BoardReading], board_watts: Sequence[float | None]) -> float | None:
    """Return the sum; None if a board that hashes reports nothing, or a nought beside others that report power."""
    known = [watts for watts in board_watts if watts is not None]
    hashing = [watts for board, watts in zip(boards, board_watts, strict=True) if board.hashrate_hs]
    is_partial = None in hashing or (any(known) and 0 in hashing)
    return sum(known) if known and not is_partial else None
