"""Sensor layouts: a column of the catalogue, and which row of it a reply follows."""

import pytest

from agent.errors import ConfigError
from agent.unit.coolant import CoolantLayout
from agent.unit.models_file import COLUMNS, read_models
from agent.unit.nameplate import Catalogue, shipped_catalogue

HEADER = ",".join(COLUMNS)
SHIPPED = shipped_catalogue()
CHIP, PCB, PIC, KEYS = (CoolantLayout(word) for word in ("temp_chip", "temp_pcb", "temp_pic", "temp_in_out"))
UNKNOWN, NONE = CoolantLayout.UNKNOWN, CoolantLayout.NONE


def with_own(*rows: str, header: str = f"{HEADER},coolant_layout") -> Catalogue:
    """Return the shipped catalogue with a site's own rows."""
    return shipped_catalogue(read_models("\n".join([header, *rows]), "own.csv"))


@pytest.mark.parametrize(
    ("reported", "layout"),
    [
        ("Antminer S21 Hyd.", CHIP),
        ("Antminer S21 Hyd", CHIP),
        ("ANTMINER S21 HYDRO (Vnish 1.2.7)", CHIP),
        ("Antminer S19 XP+ Hyd.", CHIP),
        ("Antminer S21+ Hyd.", PCB),
        ("Antminer S21e Hyd.", PCB),
        ("Antminer S23 Hyd.", PIC),
        ("Antminer S21j XP Hyd.", KEYS),
        ("Antminer S21 XP Hyd.", UNKNOWN),
        ("Antminer S19 Pro+ Hyd.", UNKNOWN),
        ("Antminer S99 Hyd.", UNKNOWN),
        ("U3S99XPH", UNKNOWN),
        ("Antminer S21", NONE),
        ("Antminer S21 XP Imm.", NONE),
        ("Antminer S99", NONE),
        ("Antminer BHB68601", NONE),
        ("Antminer HHB68XXX", UNKNOWN),
        (None, NONE),
    ],
)
def test_layout_of_a_reported_model(reported: str | None, layout: CoolantLayout) -> None:
    """Without a ledger the reported model decides; a hydro machine whose layout no source tells is unknown."""
    assert SHIPPED.layouts.of(reported, NONE) is layout


@pytest.mark.parametrize(
    ("reported", "rated", "layout"),
    [
        ("Antminer S21 Hyd.", PCB, CHIP),
        ("Antminer S21", PCB, NONE),
        ("Antminer S21e Hyd.", NONE, PCB),
        (None, PCB, PCB),
        ("Antminer HHB68XXX", PCB, PCB),
        ("Antminer HHB68XXX", NONE, UNKNOWN),
        ("Antminer S99", PCB, UNKNOWN),
        ("Antminer S99", NONE, NONE),
    ],
)
def test_the_reply_decides_before_the_ledger(reported: str | None, rated: CoolantLayout, layout: CoolantLayout) -> None:
    """The ledger's layout counts only for a reply that names no model; a stranger on a hydro row is unknown."""
    assert SHIPPED.layouts.of(reported, rated) is layout


def test_layout_of_a_sites_own_row() -> None:
    """A site names the layout of a model that ships without one, and all bins of the model have it."""
    catalogue = with_own("S21 XP Hyd.,500,,,3,160,,0,hydro,measured,temp_pcb")
    assert catalogue.layouts.of("Antminer S21 XP Hyd.", NONE) is PCB
    assert {nameplate.layout for nameplate in catalogue if nameplate.model == "S21 XP Hyd."} == {PCB}


def test_file_without_the_column_loads_and_keeps_the_shipped_layout() -> None:
    """A row of a file that was written before the column was there has the layout of its model."""
    catalogue = with_own("Antminer S23 Hydro,563,5461,9.7,3,84,,0,hydro,here", header=HEADER)
    found = catalogue.find("Antminer S23 Hyd.", 563e12)
    assert found is not None
    assert (found.model, found.layout, found.power_watts) == ("S23 Hyd.", PIC, 5461)


def test_unrated_row_names_a_layout() -> None:
    """A row without a hashrate is enough to tell a layout."""
    assert with_own("S99 Hyd.,,,,,,,,hydro,seen,temp_pic").layouts.of("Antminer S99 Hyd", NONE) is PIC


def test_machine_rebuilt_for_water_is_told_by_its_ledger_row() -> None:
    """If a model has bins with different cooling, the reply's model does not tell; the ledger row does."""
    catalogue = with_own("S19j Pro,120,,,3,126,BM1362,0,hydro,rebuilt,temp_pcb")
    rebuilt, normal = catalogue.find("S19j Pro", 120e12), catalogue.find("S19j Pro", 104e12)
    assert rebuilt is not None
    assert normal is not None
    assert (rebuilt.layout, normal.layout) == (PCB, NONE)
    for nameplate in (rebuilt, normal):
        assert catalogue.layouts.of("Antminer S19j Pro", nameplate.layout) is nameplate.layout


@pytest.mark.parametrize(
    ("row", "mistake"),
    [
        (
            "S21 XP Hyd.,500,,,3,160,,0,hydro,x,temp_water",
            "column coolant_layout = 'temp_water': one of temp_chip, temp_pcb, temp_pic, temp_in_out is expected",
        ),
        ("S21 XP Hyd.,500,,,3,160,,0,hydro,x,unknown", "column coolant_layout = 'unknown': one of temp_chip"),
        ("S21,201,,,3,108,,4,air,x,temp_pcb", "column coolant_layout = 'temp_pcb': only a machine with hydro cooling"),
    ],
)
def test_bad_layout(row: str, mistake: str) -> None:
    """A word outside the list is refused, and so is a coolant in a machine without."""
    with pytest.raises(ConfigError, match=r"own\.csv: line 2") as caught:
        with_own(row)
    assert mistake in str(caught.value)


def test_names_are_remembered_within_bounds() -> None:
    """A peer that answers under ever new names fills no memory, and is judged rightly all the same."""
    layouts = shipped_catalogue().layouts
    for number in range(3000):
        assert layouts.of(f"Antminer S21 ({number})", NONE) is NONE
    assert len(layouts.without_coolant) <= 1024
    assert layouts.of("Antminer S21 Hyd.", NONE) is CHIP
