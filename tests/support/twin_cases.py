"""Farms of twins for tests, and the recorded replies that they are held against."""

from pathlib import Path
from typing import Final

from paths import CAPTURES
from sim_cases import START

from simulators.farm.clock import SimClock
from simulators.farm.farm import Farm
from simulators.farm.plan import HEALTHY_FARM, FarmPlan, read_likes
from simulators.firmware.antminer.api_program import read_request
from simulators.sockets.station import LiveUnit
from simulators.unit.delivery import Delivery
from simulators.unit.unit import Unit

S19_PRO: Final = str(CAPTURES / "s19pro-stock-202212")
S21: Final = str(CAPTURES / "s21-stock-aml-202407")
T21_ASLEEP: Final = str(CAPTURES / "t21-stock-202501-sleep")
LUXOS: Final = f"{CAPTURES / 's19kpro-luxos-2025'}@115:2645"
VNISH_PRO: Final = f"{CAPTURES / 's21pro-vnish-2026'}@234"
VNISH_XP: Final = f"{CAPTURES / 's19xp-vnish-2023'}@140:3010"

WARM_UP_S: Final = 3600.0


def make_twins(*likes: str, units: int = 6, seed: int = 1) -> Farm:
    """Return a healthy farm of twins that has stood for an hour, with its clock at rest."""
    plan = FarmPlan(units=units, seed=seed, containers=1, mix=read_likes(likes), troubles=HEALTHY_FARM)
    farm = Farm(plan, SimClock(start=START, speed=0.0))
    farm.clock.advance(WARM_UP_S)
    return farm


def reply_of(farm: Farm, unit: Unit, request: bytes) -> bytes:
    """Return a unit's reply now, without the NUL."""
    station, now = LiveUnit(farm, unit), farm.clock.now()
    assert station.is_online(now)
    reply = station.answer(read_request(request), now)
    return reply.reply.removesuffix(b"\0") if isinstance(reply, Delivery) else reply


def request_bytes(request: str) -> bytes:
    """Return the bytes of a request as captures name it."""
    command, *words = request.split(" ")
    dialect = ',"new_api":true' if "new_api" in words else ""
    return f'{{"command":"{command}"{dialect}}}'.encode()


def files_of(folder: Path) -> list[Path]:
    """Return the whole replies of a capture on the API."""
    return sorted(file for file in folder.glob("tcp4028-*.json") if ".subset" not in file.name)
