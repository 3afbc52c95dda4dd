"""The identity of simulated units, as far as an agent knows them by it."""

import pytest
from sim_cases import make_farm

from agent.site.ledger.entries import LedgerEntry, Place
from agent.site.ledger.simulated import SIMULATED_SERIAL, with_detection
from agent.unit.nameplate import shipped_catalogue

REAL_SERIALS = ("DGAHDP9BDJHAE05YD", "JYZZF3UBDJABC0123", "SMTTKDABBJHHE02TK", "SIMON123456789012", "")


def test_an_agent_knows_every_serial_number_that_the_simulator_makes() -> None:
    """The form that the agent takes for a simulator's is the one the simulator uses; no machine's has it."""
    serials = [unit.identity.serial for unit in make_farm(200).units]
    assert len(set(serials)) == 200
    assert all(SIMULATED_SERIAL.fullmatch(serial) for serial in serials)
    assert not any(SIMULATED_SERIAL.fullmatch(serial) for serial in REAL_SERIALS)


@pytest.mark.parametrize("serial", REAL_SERIALS)
def test_a_machine_stays_a_machine(serial: str) -> None:
    """An entry with another serial number at an address of the site's network is the very same object."""
    nameplate = next(iter(shipped_catalogue()))
    entry = LedgerEntry(unit_id="u1", nameplate=nameplate, place=Place(), host="10.0.0.1", serial=serial or None)
    assert with_detection(entry) is entry
