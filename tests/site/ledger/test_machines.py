"""Machines of a ledger: from the catalogue, or given by the row that names their make."""

from ipaddress import ip_network
from zoneinfo import ZoneInfo

import pytest

from agent.errors import ConfigError
from agent.site.ledger.compare import cells_of
from agent.site.ledger.entries import LedgerEntry
from agent.site.ledger.reader import MACHINE_COLUMNS, REQUIRED_COLUMNS, read_ledger
from agent.unit.coolant import CoolantLayout
from agent.unit.nameplate import Nameplate, shipped_catalogue

CATALOGUE = shipped_catalogue()
HEADER = ",".join((*REQUIRED_COLUMNS, *MACHINE_COLUMNS))
UTC = ZoneInfo("UTC")


def entries(*machines: str, header: str = HEADER) -> tuple[LedgerEntry, ...]:
    """Read a ledger of machines, each as ``model,hashrate_th,make,power_w,boards,chips_per_board``."""
    rows = []
    for number, machine in enumerate(machines, start=1):
        model, hashrate_th, *others = machine.split(",")
        rows.append(f"u{number},{model},{hashrate_th},10.0.0.{number},,,,,,deployed,{','.join(others)}")
    text = "\n".join([header, *rows])
    return read_ledger(text, "ledger.csv", catalogue=CATALOGUE, zone=UTC, networks=(ip_network("10.0.0.0/8"),)).entries


def nameplate(machine: str) -> Nameplate:
    """Return the nameplate of one machine."""
    return entries(machine)[0].nameplate


def mistake(*machines: str) -> str:
    """Return the only mistake of a ledger of machines."""
    with pytest.raises(ConfigError) as caught:
        entries(*machines)
    (found,) = caught.value.mistakes
    return f"{found.where}: {found.reason}"


def test_a_machine_of_the_row_alone() -> None:
    """Make, hashrate, and what else the row gives; what nobody tells is not known, its cooling least of all."""
    full = nameplate("Proto Rig,819,Proto,12000,9,60")
    assert (full.make, full.model, full.hashrate_hs, full.power_watts) == ("Proto", "Proto Rig", 819e12, 12000.0)
    assert (full.boards, full.chips_per_board, full.fans, full.cooling) == (9, 60, None, "")
    assert (full.layout, full.is_declared, full.source) == (CoolantLayout.NONE, True, "this site's ledger")
    bare = nameplate("Proto Rig,819,Proto,,,")
    assert (bare.power_watts, bare.boards, bare.chips_per_board, bare.frequency_hz) == (None, None, None, None)


@pytest.mark.parametrize(
    ("machine", "cooling", "layout"),
    [
        ("S99 Hyd.,900,Bitmain,,,", "hydro", CoolantLayout.UNKNOWN),
        ("S99 Immersion,900,Bitmain,,,", "immersion", CoolantLayout.NONE),
        ("Whatsminer M99,900,MicroBT,,,", "", CoolantLayout.NONE),
    ],
)
def test_cooling_is_what_the_name_tells(machine: str, cooling: str, layout: CoolantLayout) -> None:
    """Hydro and immersion are in names; their absence says nothing."""
    assert (nameplate(machine).cooling, nameplate(machine).layout) == (cooling, layout)


def test_a_machine_of_the_catalogue_may_say_its_make() -> None:
    """The very nameplate of the catalogue, however make and model are spelt; equal figures contradict nothing."""
    rated = CATALOGUE.find("S21", 200e12)
    assert nameplate("S21,200,bitmain,,,") is rated
    assert nameplate("S21,200,,3500,3,108") is rated
    m50s = CATALOGUE.find("Whatsminer M50S", 126e12)
    assert m50s is not None
    assert [entry.nameplate for entry in entries("M50S_VH50,126,,,,", "whatsminer m50s,126,Whatsminer,,,")] == [
        m50s
    ] * 2


def test_a_row_fills_what_the_catalogue_does_not_know() -> None:
    """Chips of a Whatsminer differ by version; the site knows them. The rest stays the catalogue's."""
    filled = nameplate("Whatsminer M50S,126,,,,105")
    assert (filled.chips_per_board, filled.boards, filled.power_watts) == (105, 3, 3276.0)
    assert filled.is_declared


def test_another_bin_of_another_make() -> None:
    """Other makes sell bins of 2 TH/s: with its make, a bin near the known ones has the known hardware."""
    between = nameplate("Whatsminer M50S,130,MicroBT,3380,,")
    assert (between.model, between.hashrate_hs, between.power_watts) == ("Whatsminer M50S", 130e12, 3380.0)
    assert (between.boards, between.fans, between.cooling) == (3, 2, "air")
    unrated = nameplate("Teraflux AT1500,150,Auradine,,,")
    assert (unrated.make, unrated.boards, unrated.chips_per_board) == ("Auradine", 3, 132)


@pytest.mark.parametrize(
    ("machine", "text"),
    [
        # Without a make the advice is as ever, and names the shorter way for another make.
        ("S99,200,,,,", "line 2, column model: not in the catalogue; to add it, name a file in ledger.models_file"),
        ("Whatsminer M99,200,,,,", "; or say MicroBT in a column make of the ledger, and its power_w and boards"),
        ("Whatsminer M50S,130,,,,", "line 2, column hashrate_th: Whatsminer M50S comes with 128, 126 TH/s; to add it"),
        # A slip of a finger stays one, with a make or without.
        ("S21 Por,234,Bitmain,,,", "line 2, column model: not in the catalogue; did you mean S21 Pro?"),
        ("S21,201,Bitmain,,,", "line 2, column hashrate_th: S21 comes with 200, 195, 188, 175, 151 TH/s"),
        ("Whatsminer M50S,1260,MicroBT,,,", "line 2, column hashrate_th: Whatsminer M50S comes with 128, 126 TH/s"),
        # The catalogue is not overruled.
        ("S21,200,MicroBT,,,", "line 2, column make: S21 is a machine of Bitmain"),
        ("Whatsminer M50S,130,Canaan,,,", "line 2, column make: Whatsminer M50S is a machine of MicroBT"),
        (
            "S21,200,,3400,,",
            "line 2, column power_w: the catalogue has 3500 for S21 of 200 TH/s; leave this cell empty",
        ),
        ("S21,200,,,4,", "line 2, column boards: the catalogue has 3 for S21; leave this cell empty"),
        ("S21,200,,,,65", "line 2, column chips_per_board: the catalogue has 108 for S21; leave this cell empty"),
        # Cells.
        ("Proto Rig,819,Proto,1.5e4,,", "column power_w: a whole number of W from 1 to 100000 is expected"),
        ("Proto Rig,819,Proto,,0,", "column boards: a whole number of boards from 1 to 16 is expected"),
        ("Proto Rig,819,Proto,,,9999", "column chips_per_board: a whole number of chips from 1 to 4096 is expected"),
        ("Proto Rig,,Proto,,,", "column hashrate_th: a number of TH/s above 0 is expected"),
    ],
)
def test_what_is_refused(machine: str, text: str) -> None:
    """One mistake, with its column, and what to do."""
    assert text in mistake(machine)


def test_no_other_machine_is_proposed_for_one_with_a_make() -> None:
    """`S19 XP` is no spelling of `S21 XP`: with a make, it is a machine of its own."""
    assert nameplate("S25 XP,400,Bitmain,,,").model == "S25 XP"
    assert "did you mean" not in mistake("S25 XP,400,,,,")


def test_one_machine_has_one_name() -> None:
    """The first spelling in the ledger is the label of all its units."""
    first, second, third = entries("Proto Rig,819,Proto,,,", "PROTO RIG,819,proto,,,", "proto-rig,800,Proto,,,")
    assert {first.nameplate.model, second.nameplate.model, third.nameplate.model} == {"Proto Rig"}


def test_a_missing_machine_is_explained_once() -> None:
    """The advice stands at its first row."""
    with pytest.raises(ConfigError) as caught:
        entries("S99,200,,,,", "Antminer S99,200,,,,")
    assert [found.reason[:34] for found in caught.value.mistakes][1] == "not in the catalogue, as on line 2"


def test_cells_of_a_declared_machine() -> None:
    """What the row gave is compared; what the catalogue has is not repeated."""
    given, plain = entries("Proto Rig,819,Proto,12000,9,", "S21,200,Bitmain,,,")
    assert [cells_of(given, UTC)[column] for column in MACHINE_COLUMNS] == ["Proto", "12000", "9", ""]
    assert [cells_of(plain, UTC)[column] for column in MACHINE_COLUMNS] == ["", "", "", ""]


def test_columns_may_come_alone() -> None:
    """A ledger with one of the columns needs none of the others."""
    header = ",".join((*REQUIRED_COLUMNS, "make"))
    (entry,) = entries("Proto Rig,819,Proto", header=header)
    assert (entry.nameplate.make, entry.nameplate.power_watts) == ("Proto", None)
