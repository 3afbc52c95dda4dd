"""Cases for the simulators' tests: farms with a stopped clock, one unit of any model, and a plain client."""

import asyncio
from collections.abc import Iterable

from simulators.farm.clock import SimClock
from simulators.farm.farm import Farm
from simulators.farm.plan import HEALTHY_FARM, FarmPlan, Troubles, read_mix
from simulators.strangers.surroundings import QUIET, Surroundings
from simulators.unit import physics
from simulators.unit.builds import build_for
from simulators.unit.conditions import Condition
from simulators.unit.identity import STOCK, Identity
from simulators.unit.models import find_model
from simulators.unit.unit import Unit

START = 1_760_000_000.0  # 2025-10-09 08:53:20 UTC.
MILD = physics.Climate(mean_celsius=22.0, swing_celsius=5.0)


def make_unit(
    model: str = "S21",
    *,
    hashrate_th: float | None = None,
    key: int = 7,
    uptime_s: float = 86400.0,
    climate: physics.Climate = MILD,
    build: str = "",
    faults: Iterable[Condition] = (),
    start: float = START,
    firmware: str = STOCK,
    tuning: float = 1.0,
) -> Unit:
    """Return one unit whose counters begin at `start`."""
    identity = Identity(
        unit_id="C1-R01-01",
        index=0,
        model=find_model(model, hashrate_th),
        build=build or build_for(model, 0.0),
        address=0x7F0A0001,
        container="C1",
        rack="C1-R01",
        slot=1,
        key=key,
        firmware=firmware,
        tuning=tuning,
    )
    return Unit(identity, climate, start=start, uptime_s=uptime_s, faults=faults)


def make_farm(
    units: int = 4,
    *,
    seed: int = 1,
    mix: str = "S21=100%",
    base: str = "127.77.0.1",
    containers: int = 1,
    troubles: Troubles = HEALTHY_FARM,
    around: Surroundings = QUIET,
) -> Farm:
    """Return a farm whose clock stands at `START` until it is advanced."""
    plan = FarmPlan(
        units=units,
        seed=seed,
        base=base,
        mix=read_mix(mix),
        containers=containers,
        troubles=troubles,
        around=around,
    )
    return Farm(plan, SimClock(start=START, speed=0.0))


async def ask(host: str, port: int, request: bytes = b'{"command":"stats","new_api":true}') -> bytes:
    """Send one request; return everything received until the close."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        return await reader.read()
    finally:
        writer.close()
