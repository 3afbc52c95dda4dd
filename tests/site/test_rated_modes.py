"""The power model against ratings that it was not made from: Bitmain's work modes, older machines, another firmware.

A rating that the catalogue holds is data, and comes out exactly. What the model does without it is measured here: each
rating is left out and predicted from the machine's others. `pytest -s` prints the errors.
"""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from agent.site.hash_energy import ENERGY_PER_CLOCK
from agent.site.power import STANDBY_WATTS, PowerModel
from agent.unit.nameplate import Nameplate, RatedMode, shipped_catalogue
from agent.unit.reading import Dialect, Mode, UnitReading

FOLDER = Path(__file__).parent
MODEL = PowerModel()
LEFT_OUT_RATIO = 0.075
OTHER_FIRMWARE_RATIO = 0.06


class Rated(NamedTuple):
    """One rating of a machine, and the machine as another of its ratings has it."""

    plate: Nameplate
    mode: RatedMode

    @property
    def name(self) -> str:
        """The machine and the mode, by hashrate."""
        return f"{self.plate.model} {self.plate.hashrate_hs / 1e12:g} as {self.mode.hashrate_hs / 1e12:g} TH/s"


def rated() -> Iterator[Rated]:
    """Yield every pair of ratings that one machine has, in both directions."""
    for plate in shipped_catalogue():
        if plate.power_watts is not None:
            yield from (Rated(plate, mode) for mode in plate.modes)
    older: dict[str, list[Nameplate]] = {}
    with (FOLDER / "rated_modes.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rating = Nameplate(
                model=row["machine"],
                hashrate_hs=float(row["hashrate_th_s"]) * 1e12,
                power_watts=float(row["power_w"]),
                cooling="air",
                source=row["source"],
            )
            older.setdefault(rating.model, []).append(rating)
    for one, other in older.values():
        for plate, mode in ((one, other), (other, one)):
            watts = mode.power_watts or 0.0
            yield Rated(plate, RatedMode(hashrate_hs=mode.hashrate_hs, power_watts=watts))


RATED = list(rated())


def modelled(plate: Nameplate, hashrate_hs: float) -> float:
    """Return the watts of a whole machine in another mode, at the temperature of its rating."""
    mode = Mode.HIGH if hashrate_hs > plate.hashrate_hs else Mode.LOW
    reading = UnitReading(unit_id="u1", at=0.0, dialect=Dialect.NEW_API, mode=mode, hashrate_5s_hs=hashrate_hs)
    watts = MODEL.watts(plate, reading)
    assert watts is not None
    return watts


def test_every_machine_with_several_ratings_is_here() -> None:
    """Immersed S21 and S21 XP, T21, and two machines that the catalogue does not hold."""
    assert {each.plate.model.partition(" (")[0] for each in RATED} == {"S21 Imm.", "S21 XP Imm.", "T21", "S15", "T15"}


@pytest.mark.parametrize("each", [each for each in RATED if each.plate.modes], ids=lambda each: each.name)
def test_a_rated_mode_is_data(each: Rated) -> None:
    """A machine in a mode that Bitmain rates draws what Bitmain says, from whichever of its rows it is modelled."""
    assert modelled(each.plate, each.mode.hashrate_hs) == pytest.approx(each.mode.power_watts, rel=1e-9)


@pytest.mark.parametrize("each", RATED, ids=lambda each: each.name)
def test_a_rating_left_out_is_predicted_from_the_others(each: Rated) -> None:
    """Without its own rating, a mode is at most 7.5 % off: what the coefficient is good for."""
    others = tuple(mode for mode in each.plate.modes if mode != each.mode)
    error = modelled(replace(each.plate, modes=others), each.mode.hashrate_hs) / each.mode.power_watts - 1
    print(f"{each.name:45s} {error:+.1%}")  # noqa: T201  for pytest -s
    assert abs(error) < LEFT_OUT_RATIO


def test_no_other_coefficient_does_better() -> None:
    """The largest error over all ratings, each from its machine's main one, is nearly the smallest that can be had."""

    def largest_error(coefficient: float) -> float:
        errors = []
        for each in RATED:
            rate, rated_rate = each.mode.hashrate_hs, each.plate.hashrate_hs
            if (rate > rated_rate) is each.plate.model.startswith(("S21", "T21")):
                joules, rated_joules = (
                    (watts - STANDBY_WATTS) / hs
                    for watts, hs in ((each.mode.power_watts, rate), (each.plate.power_watts or 0.0, rated_rate))
                )
                errors.append(abs((1 + coefficient * (rate / rated_rate - 1)) * rated_joules / joules - 1))
        assert len(errors) == 8
        return max(errors)

    best = min(largest_error(number / 100) for number in range(20, 81))
    assert best > 0.05
    assert largest_error(ENERGY_PER_CLOCK) < best + 0.01


def test_a_point_of_bitmains_curve_between_two_modes() -> None:
    """Documented (D143): in hot oil an S21 Imm. in high mode hashes 278 TH/s at 18.5 J/TH; interpolated are 17.6.

    The manual's high mode costs 18.5 J/TH at any oil temperature, so the lower clock is not its only change.
    """
    plate = shipped_catalogue().find("S21 Imm. (NEM)", 239e12)
    assert plate is not None
    joules = modelled(plate, 278e12) / 278
    assert joules == pytest.approx(17.57, abs=0.01)
    assert joules / 18.5 - 1 == pytest.approx(-0.05, abs=0.002)


def profiles() -> list[tuple[float, float, float]]:
    """Return clock in MHz, TH/s and watts of each profile that LuxOS offers for an S19k Pro, the default one first."""
    with (FOLDER / "profiles-s19kpro-luxos.csv").open(encoding="utf-8") as file:
        rows = [(float(row["mhz"]), float(row["hashrate_th_s"]), float(row["power_w"])) for row in csv.DictReader(file)]
    return sorted(rows, key=lambda row: row[0] != 590)


def test_another_firmwares_table_of_clocks() -> None:
    """Documented (D144): from half the clock to a third more, the model is within 6 % of LuxOS's own estimates."""
    (_, rated_ths, rated_watts), *others = profiles()
    plate = Nameplate(
        model="S19k Pro", hashrate_hs=rated_ths * 1e12, power_watts=rated_watts, cooling="air", source="LuxOS"
    )
    errors = {mhz: modelled(plate, ths * 1e12) / watts - 1 for mhz, ths, watts in others if mhz >= 295}
    for mhz, error in errors.items():
        print(f"{mhz:4.0f} MHz {error:+.1%}")  # noqa: T201  for pytest -s
    assert len(errors) == 19
    assert max(map(abs, errors.values())) < OTHER_FIRMWARE_RATIO
    assert max(abs(error) for mhz, error in errors.items() if mhz >= 490) < 0.02
