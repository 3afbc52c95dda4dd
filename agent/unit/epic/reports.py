"""The shapes of ePIC's pages; the keys are those of the recorded ones (O190).

What carries a password, and figures that are 0 because they are not measured (O192), are left out on purpose.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from agent.unit.cgminer.bounded import Celsius, Count, Mhs, Mhz, PowerWatts, Rpm, Seconds, Slot
from agent.unit.cgminer.pools_shape import MAX_POOLS
from agent.unit.cgminer.shapes import Shape
from agent.unit.limits import MAX_BOARDS
from agent.unit.reading import Places

_Word = Annotated[str, Meta(max_length=64)] | None
_Flag = bool | None

FANS: Final = 12


class FanSpeeds(
    msgspec.Struct, frozen=True, gc=False, rename={f"fan{place}": f"Fans Speed {place}" for place in range(1, FANS + 1)}
):
    """The places of fans. Observed (O192): there are twelve, and null at those without a fan."""

    fan1: Rpm = None
    fan2: Rpm = None
    fan3: Rpm = None
    fan4: Rpm = None
    fan5: Rpm = None
    fan6: Rpm = None
    fan7: Rpm = None
    fan8: Rpm = None
    fan9: Rpm = None
    fan10: Rpm = None
    fan11: Rpm = None
    fan12: Rpm = None


rpm_of: Final[Callable[[FanSpeeds], Places]] = attrgetter(*[f"fan{place}" for place in range(1, FANS + 1)])
"""Returns the speeds of all places, rpm."""


class BoardState(
    msgspec.Struct, frozen=True, gc=False, rename={"is_detected": "Detected", "is_enabled": "Enabled", "slot": "Index"}
):
    """A board that the unit has, whether it runs or not."""

    is_detected: _Flag = None
    is_enabled: _Flag = None
    slot: Slot = None


class BoardRow(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={"mhz": "Core Clock Avg", "rate": "Hashrate", "slot": "Index", "celsius": "Temperature"},
):
    """A board that runs. `rate` is MH/s now, and the percentage of what its clock should give (O191)."""

    mhz: Mhz = None
    rate: Annotated[tuple[Mhs, ...], Meta(max_length=8)] = ()
    slot: Slot = None
    celsius: Celsius = None


class Supply(msgspec.Struct, frozen=True, gc=False, rename={"watts": "Input Power"}):
    """The power supply."""

    watts: PowerWatts = None


class Session(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={
        "accepted": "Accepted",
        "active_boards": "Active HBs",
        "average_mhs": "Average MHs",
        "rejected": "Rejected",
        "uptime_s": "Uptime",
    },
):
    """The run of the mining program."""

    accepted: Count = None
    active_boards: Count = None
    average_mhs: Mhs = None
    rejected: Count = None
    uptime_s: Seconds = None


class Status(msgspec.Struct, frozen=True, gc=False, rename={"last_error": "Last Error", "state": "Operating State"}):
    """The unit's own words for its state."""

    last_error: Any = None
    state: _Word = None


class Stratum(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={"index": "Config Id", "url": "Current Pool", "user": "Current User", "is_connected": "IsPoolConnected"},
):
    """The pool in use."""

    index: Count = None
    url: str | None = None
    user: str | None = None
    is_connected: _Flag = None


class PoolRow(msgspec.Struct, frozen=True, gc=False):
    """A configured pool. Its password is not read."""

    login: str | None = None
    pool: str | None = None


class SummaryPage(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={
        "fans": "Fans Rpm",
        "states": "HBStatus",
        "boards": "HBs",
        "is_idle_without_pool": "IdleOnConnectionLost",
        "supply": "Power Supply Stats",
        "session": "Session",
        "program": "Software",
        "status": "Status",
        "stratum": "Stratum",
        "pools": "StratumConfigs",
    },
):
    """`/summary`."""

    fans: FanSpeeds | None = None
    states: Annotated[tuple[BoardState, ...], Meta(max_length=MAX_BOARDS)] | None = None
    boards: Annotated[tuple[BoardRow, ...], Meta(max_length=MAX_BOARDS)] | None = None
    is_idle_without_pool: _Flag = None
    supply: Supply | None = None
    session: Session | None = None
    program: _Word = None
    status: Status | None = None
    stratum: Stratum | None = None
    pools: Annotated[tuple[PoolRow, ...], Meta(max_length=MAX_POOLS)] = ()


class CapabilitiesPage(msgspec.Struct, frozen=True, gc=False, rename={"model": "Model"}):
    """`/capabilities`: what the hardware is made for, of which only the model is a fact about this unit."""

    model: _Word = None


class Interface(msgspec.Struct, frozen=True, gc=False, rename={"mac": "mac_address"}):
    """The network interface, under the way in which it got its address."""

    mac: _Word = None


class NetworkPage(msgspec.Struct, frozen=True, gc=False):
    """`/network`."""

    dhcp: Interface | None = None
    static: Interface | None = None


SUMMARY_SHAPE: Final = Shape(SummaryPage)
CAPABILITIES_SHAPE: Final = Shape(CapabilitiesPage)
NETWORK_SHAPE: Final = Shape(NetworkPage)
