"""Where a hydro unit reports its coolant: the words of the catalogue, and the layout of each model."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from agent.unit.model_names import base_key, is_board_name, is_hydro_name

# Models are few. A peer that invents names must not fill the memory.
_REMEMBERED_NAMES: Final = 1024


class CoolantLayout(StrEnum):
    """The closed list of layouts, most of them named after the key that holds the coolant.

    A board's sensors are in arrays of four. Keys of their own for the coolant, `temp_in` and `temp_out`, win whatever
    the layout.

    Attributes:
        TEMP_CHIP: Coolant in and out are the first two of `temp_chip`. Documented (D37, D40).
        TEMP_PCB: They are first and third of `temp_pcb`; `temp_pic` starts with the chip. Documented (D38, D39).
        TEMP_PIC: They are first and third of `temp_pic`. Documented (D122).
        TEMP_IN_OUT: They are in no array, if anywhere in `temp_in` and `temp_out`. Documented (D86).
        UNKNOWN: A hydro machine whose layout no source tells.
        NONE: A machine without coolant sensors.
    """

    TEMP_CHIP = "temp_chip"
    TEMP_PCB = "temp_pcb"
    TEMP_PIC = "temp_pic"
    TEMP_IN_OUT = "temp_in_out"
    UNKNOWN = "unknown"
    NONE = "none"


NAMED_LAYOUTS: Final = (
    CoolantLayout.TEMP_CHIP,
    CoolantLayout.TEMP_PCB,
    CoolantLayout.TEMP_PIC,
    CoolantLayout.TEMP_IN_OUT,
)
"""The layouts that a catalogue may name; the other two follow from an empty cell."""


class SensorLayouts:
    """The layout of each model of a catalogue.

    Args:
        by_key: Layouts by `base_key` of the model; None for one that the catalogue has with different cooling.

    Attributes:
        by_key: As given.
        without_coolant: Some names of models without coolant sensors, whatever the ledger says; for a fast test.
    """

    def __init__(self, by_key: Mapping[str, CoolantLayout | None]) -> None:
        self.by_key = by_key
        self._keys: dict[str, str] = {}
        self.without_coolant: set[str] = set()

    def take_over(self, other: "SensorLayouts") -> None:
        """Continue with another catalogue's layouts."""
        self.by_key = other.by_key
        self._keys.clear()
        self.without_coolant.clear()

    def of(self, reported: str | None, rated: CoolantLayout) -> CoolantLayout:
        """Return the layout of a reply's arrays.

        The reply's own model decides if the catalogue has it, and the ledger's if the reply names no model. A stranger
        that may be a hydro machine has no known layout.

        Args:
            reported: The model that the unit reports; None if it reports none.
            rated: The layout of the model in the ledger; NONE if the unit is not in a ledger.
        """
        if reported is None:
            return rated
        key = self._key(reported)
        if key in self.by_key:
            return self.by_key[key] or rated
        is_hydro = rated is not CoolantLayout.NONE
        if is_hydro and is_board_name(reported):
            return rated
        return CoolantLayout.UNKNOWN if is_hydro or is_hydro_name(reported) else CoolantLayout.NONE

    def _key(self, name: str) -> str:
        if name not in self._keys:
            if len(self._keys) >= _REMEMBERED_NAMES:
                self._keys.clear()
                self.without_coolant.clear()
            self._keys[name] = base_key(name)
            if self.by_key.get(self._keys[name]) is CoolantLayout.NONE:
                self.without_coolant.add(name)
        return self._keys[name]
