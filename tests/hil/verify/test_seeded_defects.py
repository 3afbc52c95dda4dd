"""The bench itself: each seeded defect of the agent's reader is caught on a shipped capture, at a figure it spoils."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
import pytest
from paths import CAPTURES

from agent.hil.capture import form
from agent.hil.capture.folder import read_capture
from agent.hil.verify.alone import held_to_golden
from agent.unit.antminer import legacy, new_api
from agent.unit.antminer.elsewhere import Elsewhere
from agent.unit.antminer.temperatures import Temperatures, sort_temperatures
from agent.unit.cgminer import pools, rates, summary, version
from agent.unit.reading import BoardReading, Identity, Mode, PoolReading, ShareReading, UnitReading

Values = Mapping[str, Any]
Seed = Callable[[pytest.MonkeyPatch], None]

S21 = "s21-stock-aml-202407"
S19 = "s19pro-stock-202212"
ASLEEP = "s21-stock-202410-sleep"
VNISH = "s21pro-vnish-2026"
LUXOS = "s19kpro-luxos-2025"
BRAIINS = "other-bmm100-braiins-2026"
BENCH = frozenset(
    {S21, S19, ASLEEP, VNISH, LUXOS, BRAIINS}
    | {"other-s9-bosminerplus-2020", "s19xp-vnish-2023", "t21-stock-202501-sleep", "other-s19jpro-hiveon-2024"}
)
"""What the defects are looked for on. The library grows; a capture that is added to it changes no row below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """One defect of the reader.

    Attributes:
        name: What is wrong.
        seed: Puts it in.
        caught_on: The captures of `BENCH` on which it shows; on no other of them.
        path: A figure that it spoils there.
    """

    name: str
    seed: Seed
    caught_on: frozenset[str]
    path: str

    def __str__(self) -> str:
        return self.name.replace(" ", "_")


def _defect(name: str, seed: Seed, path: str, *caught_on: str) -> Defect:
    return Defect(name=name, seed=seed, path=path, caught_on=frozenset(caught_on))


def _made(kind: type[msgspec.Struct], altered: Callable[[Values], Values], *modules: Any) -> Seed:
    """Return a seed that alters the values of which a module makes its readings."""

    def seed(patch: pytest.MonkeyPatch) -> None:
        for module in modules:
            patch.setattr(module, kind.__name__, lambda **values: kind(**altered(values)))

    return seed


def _of_boards(altered: Callable[[Values], Values]) -> Seed:
    return _made(BoardReading, altered, legacy, new_api)


def _of_unit(altered: Callable[[Values], Values]) -> Seed:
    return _made(UnitReading, altered, legacy, new_api)


def _moved(key: str, other: str) -> Callable[[Values], Values]:
    """Return an alteration that gives one figure the value of another, where it has one."""

    def altered(values: Values) -> Values:
        return values if values.get(other) is None else {**values, key: values[other]}

    return altered


def _wrong_unit(patch: pytest.MonkeyPatch) -> None:
    for module in (legacy, new_api):
        patch.setattr(module, "hashes_per_unit", lambda *_: 1e6)


def _millions_as_billions(patch: pytest.MonkeyPatch) -> None:
    meaning = rates._meaning

    def wrong(key: str) -> tuple[float, float] | None:
        found = meaning(key)
        return found if found is None or found[0] != 1e6 else (1e9, found[1])

    patch.setattr(rates, "_meaning", wrong)


def _next_boards_errors(values: Values) -> Values:
    boards = values.get("boards", ())
    errors = [board.hw_errors for board in boards]
    shifted = [*errors[1:], *errors[:1]]
    return {
        **values,
        "boards": tuple(
            msgspec.structs.replace(board, hw_errors=error) for board, error in zip(boards, shifted, strict=True)
        ),
    }


def _sorted_wrongly(altered: Callable[[Temperatures], Temperatures]) -> Seed:
    def seed(patch: pytest.MonkeyPatch) -> None:
        for module in (legacy, new_api):
            patch.setattr(module, "sort_temperatures", lambda *given: altered(sort_temperatures(*given)))

    return seed


def _good_as_bad(patch: pytest.MonkeyPatch) -> None:
    for module in (legacy, new_api):
        patch.setattr(module, "bad_chips", lambda chip_map, _: chip_map.count("o") if chip_map else None)


def _kilowatts(patch: pytest.MonkeyPatch) -> None:
    told = Elsewhere.board_watts

    def in_kilowatts(self: Elsewhere, suffix: str = "") -> float | None:
        watts = told(self, suffix)
        return None if watts is None else watts / 1000.0

    patch.setattr(Elsewhere, "board_watts", in_kilowatts)


def _seeded(module: Any, name: str, value: Any) -> Seed:
    return lambda patch: patch.setattr(module, name, value)


HASHING = (S21, S19, VNISH, LUXOS, "s19xp-vnish-2023")
DEFECTS = (
    _defect("MH/s for GH/s", _wrong_unit, "hashrate_ideal_hs", *HASHING),
    _defect(
        "GH/s for MH/s",
        _millions_as_billions,
        "hashrate_avg_hs",
        BRAIINS,
        "other-s9-bosminerplus-2020",
    ),
    _defect(
        "inlet and outlet swapped",
        _sorted_wrongly(lambda found: Temperatures(found.chips[::-1], found.board[::-1], found.coolant[::-1])),
        "boards[0].chip_celsius[1]",
        S21,
        S19,
        VNISH,
        "s19xp-vnish-2023",
    ),
    _defect(
        "chips for boards",
        _sorted_wrongly(lambda found: Temperatures(found.board, found.chips, found.coolant)),
        "boards[0].pcb_celsius[0]",
        S21,
        S19,
        VNISH,
        "s19xp-vnish-2023",
    ),
    _defect(
        "mode off by one",
        _seeded(legacy, "_LEGACY_MODES", {0: Mode.SLEEP, 1: Mode.NORMAL, 2: Mode.HIGH}),
        "mode",
        S19,
        LUXOS,
    ),
    _defect(
        "slots from 1",
        _of_boards(lambda values: {**values, "slot": values["slot"] + 1}),
        "boards[0].slot",
        *HASHING,
    ),
    _defect(
        "the next board's errors",
        _of_unit(_next_boards_errors),
        "boards[0].hw_errors",
        S21,
        S19,
        VNISH,
        "s19xp-vnish-2023",
    ),
    _defect(
        "the last board dropped",
        _of_unit(lambda values: {**values, "boards": values.get("boards", ())[:-1]}),
        "boards[2].slot",
        *HASHING,
    ),
    _defect(
        "a fan dropped",
        _of_unit(lambda values: {**values, "fan_rpm": values.get("fan_rpm", ())[1:]}),
        "fan_rpm[3]",
        *HASHING,
    ),
    _defect(
        "uptime in minutes",
        _of_unit(lambda values: {**values, "uptime_s": 60 * values["uptime_s"]} if values.get("uptime_s") else values),
        "uptime_s",
        *HASHING,
    ),
    _defect(
        "the ideal for the rate", _of_unit(_moved("hashrate_5s_hs", "hashrate_ideal_hs")), "hashrate_5s_hs", *HASHING
    ),
    _defect(
        "30 minutes for 5 s", _of_unit(_moved("hashrate_5s_hs", "hashrate_30m_hs")), "hashrate_5s_hs", S21, S19, LUXOS
    ),
    _defect("the average for 5 s", _of_unit(_moved("hashrate_5s_hs", "hashrate_avg_hs")), "hashrate_5s_hs", *HASHING),
    _defect(
        "rejected for accepted difficulty",
        _made(PoolReading, _moved("difficulty_accepted", "difficulty_rejected"), pools),
        "pools[0].difficulty_accepted",
        S21,
        S19,
    ),
    _defect(
        "stale for rejected shares",
        _made(ShareReading, _moved("rejected", "stale"), summary),
        "shares.rejected",
        *HASHING,
        BRAIINS,
    ),
    _defect(
        "serial numbers dropped",
        _of_boards(lambda values: {**values, "serial": None}),
        "boards[0].serial",
        S21,
    ),
    _defect("watts in kW", _kilowatts, "power_watts", VNISH),
    _defect("good chips as bad", _good_as_bad, "boards[0].bad_chips", S19, LUXOS, "s19xp-vnish-2023"),
    _defect(
        "the miner's version as the API's",
        _made(Identity, _moved("api", "miner"), version),
        "identity.api",
        S21,
        S19,
        LUXOS,
    ),
    _defect(
        "a header alone taken for awake",
        _of_unit(lambda values: {**values, "mode": Mode.NORMAL} if values.get("mode") is Mode.SLEEP else values),
        "mode",
        ASLEEP,
        "t21-stock-202501-sleep",
    ),
    _defect(
        "averages of boards taken for rates",
        _seeded(legacy, "is_luxos", lambda *_: False),
        "boards[0].is_average",
        LUXOS,
    ),
)


def caught() -> dict[str, list[str]]:
    """Return the figures at which the shipped captures differ from their golden readings, by capture."""
    found: dict[str, list[str]] = {}
    for folder in sorted(CAPTURES.iterdir()):
        golden = folder / form.GOLDEN
        if golden.exists():
            report = held_to_golden(read_capture(folder), json.loads(golden.read_bytes()))
            if report.changes_meaning:
                found[folder.name] = [each.path for each in report.differences if each.changes_meaning]
    return found


@cache
def read_by_stock() -> frozenset[str]:
    """Return the captures that the stock reader reads: the defects are seeded in it."""
    readings = {path.parent.name: json.loads(path.read_bytes())["first"] for path in CAPTURES.glob("*/golden.json")}
    return frozenset(
        name for name, reading in readings.items() if reading.get("reader") == "antminer" and name in BENCH
    )


def test_the_reader_as_it_is_differs_nowhere() -> None:
    """Without a defect there is nothing to catch."""
    assert caught() == {}


@pytest.mark.parametrize("defect", DEFECTS, ids=str)
def test_a_seeded_defect_is_caught(defect: Defect, monkeypatch: pytest.MonkeyPatch) -> None:
    """The defect shows on the captures that have the figure, and on no other; the figure is named."""
    expected = defect.caught_on & read_by_stock()
    if not expected:
        pytest.skip("its captures are read by another reader now; seed it there")
    defect.seed(monkeypatch)
    found = {name: paths for name, paths in caught().items() if name in read_by_stock()}
    assert frozenset(found) == expected
    for paths in found.values():
        assert f"reading first: {defect.path}" in paths


def test_the_defects_are_many() -> None:
    """No two are one, and fourteen at least show on captures of stock firmware."""
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS)
    assert len([defect for defect in DEFECTS if defect.caught_on & {S21, S19, ASLEEP}]) >= 14
