"""Rows proposed for finds: what is the unit's word, what is guessed, and what a ledger would refuse."""

import csv
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from agent.address import PRIVATE_NETWORKS
from agent.hil.scan.found import Found, Kind
from agent.hil.scan.proposal import EXTRA_COLUMNS, Proposed, propose, write_proposal
from agent.site.ledger.reader import COLUMNS, read_ledger
from agent.unit.models_file import read_models
from agent.unit.nameplate import shipped_catalogue
from agent.unit.reading import Dialect, Identity, Mode, SystemInfo, UnitReading

CATALOGUE = shipped_catalogue()
COLUMNS_OF_MODELS = CATALOGUE.columns
MAC, OTHER_MAC = "02:1a:2b:3c:4d:5e", "02:1a:2b:3c:4d:5f"


def found(
    host: str = "10.0.0.7",
    *,
    model: str | None = "Antminer S21",
    ideal_th: float | None = None,
    sale_th: float | None = None,
    mac: str | None = MAC,
    serial: str | None = "SN1",
    firmware: str | None = None,
    api: str | None = "3.1",
    is_profile_ideal: bool = False,
    web_port: int = 80,
) -> Found:
    """Return a unit that was read, and its page."""
    reading = UnitReading(
        unit_id=f"{host}:4028",
        at=0.0,
        dialect=Dialect.NEW_API,
        mode=Mode.NORMAL,
        identity=Identity(model=model, firmware=firmware, api=api),
        hashrate_ideal_hs=None if ideal_th is None else ideal_th * 1e12,
        hashrate_sale_hs=None if sale_th is None else sale_th * 1e12,
        is_profile_ideal=is_profile_ideal,
    )
    info = SystemInfo(mac=mac, serial=serial, firmware=firmware)
    return Found(
        host=host,
        port=4028,
        web_port=web_port,
        at=0.0,
        kind=Kind.IDENTIFIED,
        reader="antminer",
        reading=reading,
        info=info,
    )


def row(unit: Found) -> Proposed:
    """Return the row of the only unit."""
    (only,) = propose([unit], CATALOGUE).rows
    return only


def test_what_the_unit_says_itself_is_not_guessed() -> None:
    """Model, bin, MAC and serial are its own word; its id is ours."""
    assert row(found(sale_th=188.0, ideal_th=200.0)) == Proposed(
        unit_id="SN1",
        model="S21",
        hashrate_th="188",
        host="10.0.0.7",
        serial="SN1",
        mac=MAC,
        guessed=("unit_id",),
        source="10.0.0.7:4028",
    )


@pytest.mark.parametrize(
    ("model", "ideal_th", "expected"),
    [
        ("Antminer S21", 200.0, "200"),
        ("Antminer S21", 198.7, "200"),
        ("Antminer S21", 189.4, "188"),
        ("Antminer T21", 190.0, "190"),
    ],
)
def test_without_a_bin_the_nearest_to_the_ideal_rate_is_a_guess(model: str, ideal_th: float, expected: str) -> None:
    """It is marked as one."""
    proposed = row(found(model=model, ideal_th=ideal_th))
    assert (proposed.hashrate_th, proposed.guessed) == (expected, ("unit_id", "hashrate_th"))


def test_a_profile_is_the_weakest_word_on_the_bin() -> None:
    """Other firmware's ideal rate follows its profile: the nearest bin is a guess, and the note says of what."""
    proposed = row(found(model="Antminer S21 (Vnish 1.2.6)", ideal_th=150.0, is_profile_ideal=True))
    assert (proposed.model, proposed.hashrate_th, proposed.guessed) == ("S21", "151", ("unit_id", "hashrate_th"))
    assert proposed.note == (
        "its running profile should give 150.0 TH/s; its bin is a guess that only its label can confirm"
    )


def test_a_profile_of_an_unknown_model_is_no_bin() -> None:
    """No catalogue has a bin that it could be near."""
    proposed = row(found(model="Antminer S99 (Vnish 1.2.6)", ideal_th=150.0, is_profile_ideal=True))
    assert (proposed.model, proposed.hashrate_th) == ("S99", "")
    assert "fill in the hashrate on its label" in proposed.note


def test_a_machine_of_another_make_says_that_it_is_not_read() -> None:
    """Its model and bin are its own word; the line for the catalogue does not call it an Antminer."""
    machine = replace(found(model="Whatsminer M99S+_VE40", sale_th=101.0, serial=None), reader=None, make="MicroBT")
    proposal = propose([machine], CATALOGUE)
    (proposed,) = proposal.rows
    assert (proposed.model, proposed.hashrate_th, proposed.guessed) == ("Whatsminer M99S+_VE40", "101", ("unit_id",))
    assert "made by MicroBT, which this agent does not read: in a ledger it counts as unreadable" in proposed.note
    (line,) = proposal.missing_models
    assert "this line: Whatsminer M99S+_VE40,101," in line
    file = read_models(",".join(COLUMNS_OF_MODELS) + "\n" + line.rpartition("this line: ")[2] + "\n", "own.csv")
    assert [each.hardware.model for each in file.rows] == ["Whatsminer M99S+_VE40"]


@pytest.mark.parametrize(
    ("make", "model", "line", "cells", "note"),
    [
        (
            *("MicroBT", "Whatsminer M30S+_VE40", None, ("MicroBT", "")),
            "made by MicroBT: in a ledger it is read through pyasic",
        ),
        (
            *("Bitmain", "AntMiner S19 XP", "ePIC", ("", "epic")),
            "runs ePIC firmware, whose pages the scan could not read as a poll reads them",
        ),
    ],
)
def test_a_machine_that_no_poll_read_gets_the_cell_that_says_so(
    make: str, model: str, line: str | None, cells: tuple[str, str], note: str
) -> None:
    """Another make by its make; an Antminer whose own reader failed by the column `reader`."""
    told = found(model=model, sale_th=101.0, serial=None)
    assert told.reading is not None
    reading = replace(told.reading, reader="", identity=replace(told.reading.identity, miner=line))
    machine = replace(told, reader=cells[1] or "foreign", make=make, reading=reading)
    proposed = row(machine)
    assert (proposed.make, proposed.reader) == cells
    assert proposed.note.startswith(note)
    assert machine.firmware_line == line


def test_a_model_that_the_catalogue_lacks_comes_with_its_line() -> None:
    """Once for all its units; the line is ready for the site's own file."""
    proposal = propose(
        [found(f"10.0.0.{last}", model="Antminer S99", ideal_th=400.2, mac=None, serial=None) for last in (1, 2)],
        CATALOGUE,
    )
    (line,) = proposal.missing_models
    assert "Antminer S99,400," in line
    assert [(each.model, each.hashrate_th) for each in proposal.rows] == [("S99", "400")] * 2


def test_two_units_with_one_mac_are_named_and_get_none() -> None:
    """A ledger would refuse both; a third unit keeps its own."""
    units = [
        found("10.0.0.9", serial="A"),
        found("10.0.0.10", serial="B"),
        found("10.0.0.11", serial="C", mac=OTHER_MAC),
    ]
    proposal = propose(units, CATALOGUE)
    assert proposal.clashes == (f"2 units report the MAC address {MAC}: 10.0.0.9:4028, 10.0.0.10:4028",)
    assert [each.mac for each in proposal.rows] == ["", "", OTHER_MAC]
    assert proposal.rows[0].note.startswith(f"reports the MAC address {MAC} as 10.0.0.10:4028 does")


def test_two_units_with_one_serial_get_ids_of_their_own() -> None:
    """Serial numbers are compared without case."""
    proposal = propose([found("10.0.0.9", serial="a", mac=None), found("10.0.0.10", serial="A", mac=None)], CATALOGUE)
    assert [each.unit_id for each in proposal.rows] == ["at-10.0.0.9", "at-10.0.0.10"]
    assert [each.serial for each in proposal.rows] == ["", ""]


@pytest.mark.parametrize("text", ["=cmd|'/c calc'!A0", "+1+1", "-2", "@SUM(A1)", "\t= =1", "Antminer =1+1"])
def test_no_text_of_a_unit_is_a_formula(text: str) -> None:
    """A proposal is opened in spreadsheets, and a unit's texts are anyone's."""
    (row,) = propose([found(model=text, serial=text)], CATALOGUE).rows
    assert not row.model.startswith(("=", "+", "-", "@"))
    assert not row.serial.startswith(("=", "+", "-", "@"))


def test_a_model_of_control_characters_is_cleaned() -> None:
    """10 kB of them leave one short printable line, and the row can still be read as a ledger."""
    proposed = row(found(model="\x1b]0;owned\x07" * 1000 + "S21", ideal_th=200.0))
    assert proposed.model.isprintable()
    assert len(proposed.model) <= 64


def test_rows_are_in_the_order_of_addresses() -> None:
    """As numbers, not as text."""
    hosts = ["10.0.0.10", "10.0.0.9", "9.0.0.1"]
    units = [found(host, serial=host, mac=None, ideal_th=200.0) for host in hosts]
    assert [each.host for each in propose(units, CATALOGUE).rows] == ["9.0.0.1", "10.0.0.9", "10.0.0.10"]


def test_the_cells_are_a_ledger(tmp_path: Path) -> None:
    """The ledger's columns of a proposal pass as a ledger as they are."""
    units = [
        found("10.0.0.9", serial="A", mac=None, sale_th=200.0, web_port=8080),
        found("10.0.0.10", serial="B", model="Antminer T21", ideal_th=190.0),
    ]
    write_proposal(tmp_path / "proposal.csv", propose(units, CATALOGUE).rows)
    rows = list(csv.DictReader((tmp_path / "proposal.csv").read_text(encoding="utf-8").splitlines()))
    assert tuple(rows[0]) == (*COLUMNS, *EXTRA_COLUMNS)
    text = "\n".join([",".join(COLUMNS), *(",".join(each[column] for column in COLUMNS) for each in rows)])
    ledger = read_ledger(text, "ledger.csv", catalogue=CATALOGUE, zone=ZoneInfo("UTC"), networks=PRIVATE_NETWORKS)
    assert [(each.unit_id, each.nameplate.hashrate_hs, each.mac, each.web_port) for each in ledger.entries] == [
        ("A", 200e12, None, 8080),
        ("B", 190e12, MAC, None),
    ]


def test_a_full_disk_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing half-written, and no temporary file."""
    path = tmp_path / "proposal.csv"
    write_proposal(path, [Proposed("u1", "S21", "200", "10.0.0.7")])
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_proposal(path, [Proposed("u2", "S21", "200", "10.0.0.8")])
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["proposal.csv"]


@pytest.mark.parametrize(
    ("api", "firmware", "expected"),
    [
        ("3.1", "Fri Oct 11 16:34:48 CST 2024", "stock A"),
        ("3.1", "FR-1.12(251009-S21)", "stock B"),
        ("1.0.0", "FR-1.15(250422-S21+)", "stock C"),
        (None, "LUXminer 2025.1", "LuxOS (LUXminer)"),
        (None, "BOSer 1.0", "Braiins OS (BOSer)"),
        (None, None, None),
    ],
)
def test_firmware_lines(api: str | None, firmware: str | None, expected: str | None) -> None:
    """By API version and the name of the build."""
    assert found(api=api, firmware=firmware).firmware_line == expected
