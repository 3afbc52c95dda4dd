"""The bench itself: each seeded defect of the agent's readers is caught on a shipped capture, at a figure it spoils."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from paths import CAPTURES

from agent.hil.capture import form
from agent.hil.capture.folder import read_capture
from agent.hil.verify.alone import held_to_golden
from agent.unit.antminer import legacy, new_api
from agent.unit.antminer.temperatures import Temperatures, sort_temperatures
from agent.unit.braiins import boards as braiins_boards
from agent.unit.braiins import conversation as braiins
from agent.unit.braiins import devs as braiins_devs
from agent.unit.cgminer import bounded, pools, pools_shape, summary, version
from agent.unit.luxos import assembly as luxos
from agent.unit.luxos import boards as luxos_boards
from agent.unit.reading import BoardReading, Identity, Mode, PoolReading, ShareReading, UnitReading
from agent.unit.vnish import conversation as vnish
from agent.unit.vnish import stats as vnish_stats

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
    """One defect of one or several readers.

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
    return _made(BoardReading, altered, legacy, new_api, vnish_stats, luxos_boards, braiins_boards)


def _of_unit(altered: Callable[[Values], Values]) -> Seed:
    return _made(UnitReading, altered, legacy, new_api, vnish_stats, luxos, braiins)


def _moved(key: str, other: str) -> Callable[[Values], Values]:
    """Return an alteration that gives one figure the value of another, where it has one."""

    def altered(values: Values) -> Values:
        return values if values.get(other) is None else {**values, key: values[other]}

    return altered


def _scaled(key: str, factor: float) -> Callable[[Values], Values]:
    """Return an alteration that multiplies one figure, where there is one."""

    def altered(values: Values) -> Values:
        return {**values, key: values[key] * factor} if values.get(key) else values

    return altered


def _without_first(fans: tuple[float | None, ...]) -> tuple[float | None, ...]:
    return fans[1:] if len(fans) == 4 and None not in fans else fans


def _two_boards(values: Values) -> Values:
    return {**values, "boards": values.get("boards", ())[:2]}


def _wrong_unit(patch: pytest.MonkeyPatch) -> None:
    for module in (legacy, new_api):
        patch.setattr(module, "hashes_per_unit", lambda *_: 1e6)
    patch.setattr(vnish_stats, "HS_PER_GHS", 1e6)


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


def _seeded(module: Any, name: str, value: Any) -> Seed:
    return lambda patch: patch.setattr(module, name, value)


XP = "s19xp-vnish-2023"
S9 = "other-s9-bosminerplus-2020"
HASHING = (S21, S19, VNISH, LUXOS, XP)
DEFECTS = (
    _defect("MH/s for GH/s", _wrong_unit, "hashrate_ideal_hs", S21, S19, VNISH, XP),
    _defect("GH/s for MH/s", _seeded(braiins_devs, "HS_PER_MHS", 1e9), "hashrate_ideal_hs", BRAIINS),
    _defect(
        "inlet and outlet swapped",
        _sorted_wrongly(lambda found: Temperatures(found.chips[::-1], found.board[::-1], found.coolant[::-1])),
        "boards[0].chip_celsius[1]",
        *(S21, S19),
    ),
    _defect(
        "chips for boards",
        _sorted_wrongly(lambda found: Temperatures(found.board, found.chips, found.coolant)),
        "boards[0].pcb_celsius[0]",
        *(S21, S19),
    ),
    _defect(
        "boards for chips",
        _of_boards(_moved("chip_celsius", "pcb_celsius")),
        "boards[0].chip_celsius[0]",
        *(S21, S19, VNISH, LUXOS, XP, BRAIINS),
    ),
    _defect(
        "mode off by one",
        _seeded(legacy, "_LEGACY_MODES", {0: Mode.SLEEP, 1: Mode.NORMAL, 2: Mode.HIGH}),
        "mode",
        S19,
    ),
    _defect(
        "slots from 1",
        _of_boards(lambda values: {**values, "slot": values["slot"] + 1}),
        "boards[0].slot",
        *(*HASHING, BRAIINS),
    ),
    _defect("the next board's errors", _of_unit(_next_boards_errors), "boards[0].hw_errors", S21, S19, VNISH, XP),
    _defect("the third board dropped", _of_unit(_two_boards), "boards[2].slot", *HASHING),
    _defect(
        "a fan dropped",
        # Of four that turn: under Braiins OS places without a fan follow, and a mini miner has one.
        _of_unit(lambda values: {**values, "fan_rpm": _without_first(values.get("fan_rpm", ()))}),
        "fan_rpm[3]",
        *HASHING,
    ),
    _defect("uptime in minutes", _of_unit(_scaled("uptime_s", 60.0)), "uptime_s", *HASHING, BRAIINS, S9),
    _defect(
        "the ideal for the rate",
        _of_unit(_moved("hashrate_5s_hs", "hashrate_ideal_hs")),
        "hashrate_5s_hs",
        *(*HASHING, BRAIINS),
    ),
    _defect(
        "30 minutes for 5 s", _of_unit(_moved("hashrate_5s_hs", "hashrate_30m_hs")), "hashrate_5s_hs", S21, S19, LUXOS
    ),
    _defect(
        "the average for 5 s",
        _of_unit(_moved("hashrate_5s_hs", "hashrate_avg_hs")),
        "hashrate_5s_hs",
        *(*HASHING, BRAIINS, S9),
    ),
    _defect("a minute's window for 5 s", _seeded(braiins, "MINUTE_S", 5.0), "short_window_s", BRAIINS, S9),
    _defect(
        "rejected for accepted difficulty",
        _made(PoolReading, _moved("difficulty_accepted", "difficulty_rejected"), pools, pools_shape),
        "pools[0].difficulty_accepted",
        *(*HASHING, BRAIINS, S9),
    ),
    _defect(
        "stale for rejected shares",
        _made(ShareReading, _moved("rejected", "stale"), summary, vnish, bounded),
        "shares.rejected",
        *(*HASHING, BRAIINS),
    ),
    _defect(
        "the fee counted for the owner's", _seeded(vnish, "is_fee_pool", lambda _: False), "shares.accepted", VNISH, XP
    ),
    _defect(
        "serial numbers dropped", _of_boards(lambda values: {**values, "serial": None}), "boards[0].serial", S21, LUXOS
    ),
    _defect("watts in kW", _of_unit(_scaled("power_watts", 1e-3)), "power_watts", VNISH, LUXOS),
    _defect("good chips as bad", _good_as_bad, "boards[0].bad_chips", S19),
    _defect(
        "the miner's version as the API's",
        _made(Identity, _moved("api", "miner"), version),
        "identity.api",
        *(S21, S19, LUXOS),
    ),
    _defect(
        "a header alone taken for awake",
        _of_unit(lambda values: {**values, "mode": Mode.NORMAL} if values.get("mode") is Mode.SLEEP else values),
        "mode",
        *(ASLEEP, "t21-stock-202501-sleep"),
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


def test_the_reader_as_it_is_differs_nowhere() -> None:
    """Without a defect there is nothing to catch."""
    assert caught() == {}


@pytest.mark.parametrize("defect", DEFECTS, ids=str)
def test_a_seeded_defect_is_caught(defect: Defect, monkeypatch: pytest.MonkeyPatch) -> None:
    """The defect shows on the captures that have the figure, and on no other; the figure is named."""
    defect.seed(monkeypatch)
    found = {name: paths for name, paths in caught().items() if name in BENCH}
    assert frozenset(found) == defect.caught_on
    for paths in found.values():
        assert f"reading first: {defect.path}" in paths


def test_the_defects_are_many() -> None:
    """No two are one, and fourteen at least show on captures of stock firmware."""
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS)
    assert len([defect for defect in DEFECTS if defect.caught_on & {S21, S19, ASLEEP}]) >= 14
