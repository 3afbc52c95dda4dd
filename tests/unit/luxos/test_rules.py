"""The rule of choice, labels of sensors, names of fans, words and events of LuxOS."""

from typing import Any

import pytest
from capture_files import INVALID_COMMAND, S21_VERSION, capture
from luxos_unit import DESCRIPTION, LuxosUnit, recorded

from agent.unit import registry
from agent.unit.cgminer import wire
from agent.unit.choice import Told
from agent.unit.coolant import CoolantLayout
from agent.unit.luxos.faults import faults_of
from agent.unit.luxos.reader import is_spoken
from agent.unit.luxos.reports import (
    ConfigRow,
    Corner,
    EventRow,
    EventsReport,
    FanRow,
    FansReport,
    LabelRow,
    TempRow,
    TempsReport,
)
from agent.unit.luxos.sensors import fans_by_name, sensors_by_slot
from agent.unit.luxos.words import AWAKE, SILENT, STARTING, Words, words_of
from agent.unit.reading import Fault, Mode

FOLDER = "s19kpro-luxos-2025"
VERSION = capture(f"{FOLDER}/tcp4028-version.json")


def told(data: bytes) -> Told:
    """Return what a unit said to `version`."""
    return Told(wire.decode_reply(data, "version"))


@pytest.mark.parametrize(
    ("data", "is_luxos"),
    [
        (VERSION, True),
        (VERSION.replace(b"LUXminer 2025", b"cgminer 2025").replace(b"LUXminer versions", b"versions"), True),
        (INVALID_COMMAND.replace(b"cgminer 1.0.0", DESCRIPTION.encode()), True),
        (S21_VERSION, False),
        (INVALID_COMMAND, False),
        (capture("other-bmm100-braiins-2026/tcp4028-version.json"), False),
        (capture("s21pro-vnish-2026/tcp4028-unknown-command.json"), False),
    ],
)
def test_which_units_run_it(data: bytes, is_luxos: bool) -> None:  # noqa: FBT001
    """By the program in the answer to `version`; never by `stats`."""
    assert is_spoken(told(data)) is is_luxos
    assert not is_spoken(Told(None, stats=capture(f"{FOLDER}/tcp4028-stats.json")))


def test_it_is_chosen_and_the_first_poll_has_five_requests() -> None:
    """`version`, by which it is chosen, is not asked twice, and tells the API's version."""
    unit = LuxosUnit(recorded(FOLDER), reader=registry.CHOOSING)
    reading = unit.poll()
    assert unit.asked[0] == ["version", "summary", "devs", "power+temps+fans+config", "pools+devdetails+events"]
    assert (reading.reader, reading.identity.api) == ("luxos", "3.7")


def sensors(*labels: str | None, celsius: tuple[float | None, ...] = (30.0, 40.0, 50.0, 60.0)) -> Any:
    """Return the sensors of board 1, whose corners have these labels: top left and right, bottom left and right."""
    corners = [Corner(Label=label) for label in labels]
    row = LabelRow(TopLeft=corners[0], TopRight=corners[1], BottomLeft=corners[2], BottomRight=corners[3])
    temps = TempRow(ID=1, TopLeft=celsius[0], TopRight=celsius[1], BottomLeft=celsius[2], BottomRight=celsius[3])
    return sensors_by_slot(TempsReport(METADATA=(row,), TEMPS=(temps,)))[1]


@pytest.mark.parametrize(
    ("labels", "pcb", "chip", "coolant"),
    [
        (("Board Exhaust (top)", "Board Intake (top)", "Board Exhaust", "Board Intake"), (40, 60, 30, 50), (), ()),
        (("Water Outlet", "Water Inlet", "Board", "Board"), (50, 60), (), (40, 30)),
        (("Water Inlet", "Chip", "Chip", "Water Outlet"), (), (40, 50), (30, 60)),
        (("Water Inlet", "Board", "Board", "Board"), (40, 50, 60), (), (30, None)),
        ((None, None, None, None), (30, 40, 50, 60), (), ()),
    ],
)
def test_labels_say_what_a_sensor_measures(
    labels: tuple[str | None, ...], pcb: tuple[float, ...], chip: tuple[float, ...], coolant: tuple[float | None, ...]
) -> None:
    """Water is the coolant, inlet first; what has no label is on the board."""
    assert sensors(*labels) == (pcb, chip, coolant)


@pytest.mark.parametrize("nothing", [0.0, -1.0, None])
def test_a_sensor_without_a_value_keeps_its_place(nothing: float | None) -> None:
    """Nought and -1 are no temperatures."""
    found = sensors("Intake", "Exhaust", "Exhaust", "Intake", celsius=(nothing, 40.0, 50.0, 60.0))
    assert found.pcb == (None, 60, 40, 50)
    assert sensors("Intake", "", "", "", celsius=(nothing,) * 4).pcb == ()


def test_coolant_has_keys_of_its_own() -> None:
    """A hydro unit's reading says that its coolant is told apart."""
    unit = LuxosUnit(recorded(FOLDER))
    assert unit.poll().coolant_layout is CoolantLayout.NONE
    unit.says("METADATA", "temps", TopLeft={"Label": "Water Inlet"}, TopRight={"Label": "Water Outlet"})
    reading = unit.poll()
    assert reading.coolant_layout is CoolantLayout.TEMP_IN_OUT
    assert reading.boards[0].coolant_celsius == (47, 34)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("FAN2", 20), ("FAN1", 10), ("FAN3", None)], (10, 20, None)),
        ([("FAN1", 10), ("FAN1", 20)], (10, 20)),
        ([("left", 10), (None, 0)], (10, 0)),
        ([("FAN1", None)], ()),
        ([], ()),
    ],
)
def test_fans_are_in_the_order_of_their_names(
    rows: list[tuple[str | None, float | None]], expected: tuple[float | None, ...]
) -> None:
    """The list is not; where names do not tell, the list's order stays."""
    assert fans_by_name(FansReport(FANS=tuple(FanRow(FAN=name, RPM=rpm) for name, rpm in rows))) == expected


@pytest.mark.parametrize(
    ("curtail", "is_on", "status", "is_hashing", "expected"),
    [
        ("None", True, "Normal", True, AWAKE),
        ("None", False, "Normal", False, AWAKE),
        ("None", True, "Initializing", False, STARTING),
        ("WakeUp", True, "Normal", False, STARTING),
        ("Sleep", False, "Normal", False, Words(Mode.SLEEP, is_off=True)),
        ("Sleep", False, "Normal", True, Words(Mode.SLEEP, is_off=True)),
        ("Sleep", True, "Normal", False, Words(Mode.SLEEP)),
        ("Sleep", None, "Normal", False, Words(Mode.SLEEP)),
        ("Sleep", True, "Normal", True, Words(is_refuted=True)),
        ("Sleep", None, "Normal", True, Words(is_refuted=True)),
        ("Sleep", False, "Normal", None, Words(Mode.SLEEP, is_off=True)),
        ("Sleep", True, "Normal", None, SILENT),
        ("Sleep", None, "Normal", None, SILENT),
        ("None", True, "Normal", None, AWAKE),
        ("Doze", False, "Normal", False, SILENT),
        (None, False, "Normal", False, SILENT),
    ],
)
def test_words(
    curtail: str | None,
    is_on: bool | None,  # noqa: FBT001
    status: str,
    is_hashing: bool | None,  # noqa: FBT001
    expected: Words,
) -> None:
    """Each word beside supply and rate; an unknown one says nothing, and `Sleep` nothing beside an unknown rate."""
    config = ConfigRow(CurtailMode=curtail, IsPowerSupplyOn=is_on, SystemStatus=status)
    assert words_of(config, is_hashing=is_hashing) == expected


@pytest.mark.parametrize(
    ("code", "target", "fault"),
    [
        ("FAN_FAILURE", "MINER", Fault.FAN),
        ("BOARD_NOT_DETECTED", "BOARD", Fault.BOARD),
        ("PSU_PANIC", "MINER", Fault.SUPPLY),
        ("NO_ACTIVE_POOLS", "MINER", Fault.POOLS),
        ("NOPIC_PROTECTION", "MINER", Fault.UNNAMED),
        ("REBOOT_NOT_HASHING", "BOARD", Fault.BOARD),
        ("BOARD_OVERHEAT", "BOARD", Fault.TOO_HOT),
        ("EEPROM_ERROR", "BOARD", Fault.BOARD),
        ("STRANGE_FAILURE", "MINER", Fault.UNNAMED),
        ("STRANGE_FAILURE", "BOARD", Fault.BOARD),
        ("IDLE", "MINER", None),
        ("SLEEP", "MINER", None),
        ("PROFILE_CHANGED", "BOARD", None),
        (None, "BOARD", None),
    ],
)
def test_events(code: str | None, target: str, fault: Fault | None) -> None:
    """Faults by code, those of unknown codes by their words; sleep, idling and news are no faults."""
    report = EventsReport(EVENTS=(EventRow(Code=code, Target=target),) * 2)
    assert faults_of(report) == (() if fault is None else (fault,))


@pytest.mark.parametrize("slot", [None, 1.5, 99, 0, "one"])
def test_a_list_that_does_not_place_a_board_makes_none_missing(slot: Any) -> None:
    """Boards are then those of the other reports, without a rate; the total and the profile stay."""
    unit = LuxosUnit(recorded(FOLDER))
    sound = unit.poll()
    unit.says("DEVS", "devs", ID=slot)
    reading = unit.poll()
    assert [(board.slot, board.hashrate_hs) for board in reading.boards] == [(0, None), (1, None), (2, None)]
    assert (reading.rate_hs, reading.hashrate_ideal_hs) == (sound.rate_hs, sound.hashrate_ideal_hs)
    assert "wrong_type" in reading.repairs
    unit.says("DEVS", "devs", ID="2")
    assert [board.slot for board in unit.poll().boards if board.hashrate_hs] == [0, 1, 2]


def test_two_figures_of_power_are_none() -> None:
    """Whether they are parts of one, or one twice, is not told."""
    unit = LuxosUnit(recorded(FOLDER))
    unit.replies["power"]["POWER"].append({"PSU": True, "Watts": 900})
    reading = unit.poll()
    assert (reading.power_watts, reading.power_kind) == (None, None)


@pytest.mark.parametrize(("is_of_supply", "watts"), [(False, None), (True, 1051)])
def test_a_unit_whose_supply_is_off_does_not_draw_its_profile(
    is_of_supply: bool,  # noqa: FBT001
    watts: float | None,
) -> None:
    """What the supply itself measured stays."""
    unit = LuxosUnit(recorded(FOLDER))
    unit.says("POWER", "power", PSU=is_of_supply)
    unit.says("CONFIG", "config", CurtailMode="Sleep", IsPowerSupplyOn=False)
    unit.says("SUMMARY", "summary", GHS__5s=0.0)
    reading = unit.poll()
    assert (reading.mode, reading.power_watts) == (Mode.SLEEP, watts)


@pytest.mark.parametrize("mhz", [0.59, 0, 590e6])
def test_a_clock_that_is_not_in_mhz_is_none(mhz: float) -> None:
    """The unit that was meant is not told."""
    unit = LuxosUnit({**recorded(FOLDER), "devdetails": recorded("s19jpro-luxos-2025")["devdetails"]})
    unit.says("DEVDETAILS", "devdetails", Frequency=mhz)
    clocks = [board.frequency_hz for board in unit.poll().boards]
    assert len([clock for clock in clocks if clock]) == 2
