"""Units by reader and firmware, and operating hashrate by the window of its rates."""

import dataclasses

import msgspec
import pytest
from hypothesis import given
from site_cases import AT, BINARY, NO_ANSWER, TH, Case, entry, fleets, reading, statuses

from agent.site.firmware_mix import FIRMWARES_KEPT, MAKES_KEPT, OTHER, WINDOWS, window_name
from agent.site.totals import site_figures
from agent.unit.reading import Identity


def case(unit_id: str, **changes: object) -> Case:
    """Return a unit whose reading differs from a stock one in these fields."""
    read = msgspec.structs.replace(reading(unit_id), **changes)
    return Case(entry=entry(unit_id), reading=read, error=None, is_stale=False)


def of(*cases: Case) -> object:
    """Return the mix of some units."""
    return site_figures(statuses(cases), AT).mix


@pytest.mark.parametrize(
    ("window_s", "name"),
    [
        (None, "unknown"),
        (0.0, "5s"),
        (5.0, "5s"),
        (30.0, "1m"),
        (60.0, "1m"),
        (62.0, "1m"),
        (300.0, "5m"),
        (900.0, "30m"),
        (1800.0, "30m"),
        (86400.0, "longer"),
    ],
)
def test_windows_have_names(window_s: float | None, name: str) -> None:
    """A window has the name of the shortest of the list that it fits in."""
    assert window_name(window_s) == name
    assert name in WINDOWS


def test_units_count_by_reader_and_firmware() -> None:
    """A unit without a reading that counts is in no count."""
    lux = Identity(firmware="LUXminer 2025.4.8")
    silent = Case(entry=entry("d"), reading=None, error=NO_ANSWER, is_stale=True)
    mix = of(case("a"), case("b", reader="luxos", identity=lux), case("c", reader="luxos", identity=lux), silent)
    assert mix.units_by_reader == {"antminer": 1, "luxos": 2}
    assert mix.units_by_firmware["luxos", "LUXminer 2025.4.8"] == 2
    assert sum(mix.units_by_firmware.values()) == 3


def made_by(unit_id: str, make: str) -> Case:
    """Return a unit whose row has this make."""
    one = case(unit_id)
    plate = dataclasses.replace(one.entry.nameplate, make=make)
    return dataclasses.replace(one, entry=msgspec.structs.replace(one.entry, nameplate=plate))


def test_units_count_by_make() -> None:
    """By the ledger's word; a site with more makes than are told apart has the rest under one name."""
    assert of(case("a"), made_by("b", "MicroBT"), made_by("c", "MicroBT")).units_by_make == {"Bitmain": 1, "MicroBT": 2}
    many = of(case("a"), case("b"), *(made_by(f"u{number}", f"make {number}") for number in range(40))).units_by_make
    assert (len(many), many["Bitmain"], many[OTHER]) == (MAKES_KEPT + 1, 2, 41 - MAKES_KEPT)


def test_operating_is_told_by_window() -> None:
    """Stock rates are means over 5 s, others over their own window; a stand-in over that of the longer rate."""
    mix = of(
        case("a", hashrate_5s_hs=200 * TH),
        case("b", hashrate_5s_hs=100 * TH, short_window_s=60.0),
        case("c", hashrate_5s_hs=None, stand_in_hs=50 * TH, stand_in_window_s=1800.0),
        case("d", hashrate_5s_hs=None, stand_in_hs=25 * TH, stand_in_window_s=None),
    )
    assert mix.operating_hs_by_window == {"5s": 200 * TH, "1m": 100 * TH, "30m": 50 * TH, "unknown": 25 * TH}


def test_firmwares_are_bounded() -> None:
    """Units that say a firmware of their own each cannot grow the list; all of them count."""
    mix = of(*(case(f"u{n}", identity=Identity(firmware=f"F{n}")) for n in range(100)))
    assert len(mix.units_by_firmware) == FIRMWARES_KEPT + 1
    assert mix.units_by_firmware["antminer", OTHER] == 100 - FIRMWARES_KEPT


@given(fleet=fleets(BINARY))
def test_windows_add_up_to_operating(fleet: list[Case]) -> None:
    """The sum over windows is the operating hashrate, whatever the units say."""
    figures = site_figures(statuses(fleet), AT)
    assert sum(figures.mix.operating_hs_by_window.values()) == pytest.approx(figures.site.operating_hs)
