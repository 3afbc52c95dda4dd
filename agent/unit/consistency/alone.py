"""A reading held against itself where no ledger says what the unit is: a scan, one read, a capture."""

from dataclasses import dataclass

import msgspec

from agent.unit.consistency.rules import hold_together
from agent.unit.nameplate import Catalogue, Nameplate
from agent.unit.reading import UnitReading, without_window


@dataclass
class _NoMemory:
    """The memory of a unit that is read once."""

    sleep_doubted_at: float | None = None
    young_uptime: tuple[float, float] | None = None


def held_alone(reading: UnitReading, catalogue: Catalogue) -> UnitReading:
    """Return a reading held against itself, and against the strongest bin of the model that it says it is.

    There is no ledger row to hold it against. A model that the catalogue does not know has no strongest bin.

    Raises:
        ContradictoryReplyError: It refutes its own rate.
    """
    plate = _strongest_bin(reading, catalogue)
    if reading.hashrate_5s_hs is not None or reading.stand_in_hs is None or reading.stand_in_window_s is not None:
        return hold_together(reading, plate, _NoMemory())
    # A rate without a window is the total that the boards sum to, and stays without one.
    total = msgspec.structs.replace(reading, hashrate_5s_hs=reading.stand_in_hs, stand_in_hs=None)
    return without_window(hold_together(total, plate, _NoMemory()))


def _strongest_bin(reading: UnitReading, catalogue: Catalogue) -> Nameplate | None:
    model = reading.identity.model or ""
    bins_hs = catalogue.bins_hs(model)
    return catalogue.find(model, bins_hs[0]) if bins_hs else None
