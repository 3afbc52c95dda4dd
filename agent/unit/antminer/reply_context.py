"""What the readers of both dialects share: scaling and bounds of single numbers, rates, fans, who answers."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from agent.errors import MalformedReplyError, UnsupportedReplyError, excerpt
from agent.unit.antminer.stats_schema import Info
from agent.unit.cgminer.fields import shared
from agent.unit.limits import HS_PER_GHS, HS_PER_THS, MAX_CELSIUS, MAX_FANS, MAX_RPM, MAX_SENSORS, MIN_CELSIUS
from agent.unit.reading import Identity, PoolReading, ShareReading

_HS_PER_UNIT: Final[dict[str | None, float]] = {
    None: HS_PER_GHS,
    "GH": HS_PER_GHS,
    "GH/s": HS_PER_GHS,
    "H/s": 1.0,
    "MH/s": 1e6,
    "TH/s": HS_PER_THS,
}


class Facts(NamedTuple):
    """What a reading carries besides the reply's own figures."""

    payload: bytes
    unit_id: str
    at: float
    identity: Identity
    pools: tuple[PoolReading, ...]
    shares: ShareReading | None
    repairs: set[str]

    def number(self, value: float | None, factor: float, low: float, high: float) -> float | None:
        """Scale a number to our unit; beyond what a unit can do it is a lie, and reads as absent."""
        if value is None:
            return None
        scaled = value * factor
        if low <= scaled <= high:
            return scaled
        self.repairs.add("implausible")
        return None

    def whole(self, value: float | None, high: float) -> int | None:
        """Give a count; one that is negative or beyond what a unit can have reads as absent."""
        if value is None:
            return None
        if 0 <= value <= high:
            return int(value)
        self.repairs.add("implausible")
        return None

    def celsius(self, values: Sequence[float] | None) -> tuple[float, ...]:
        """Exactly 0 is the firmware's word for a sensor that is not there (fourth board, hydro layouts)."""
        if not values:
            return ()
        if len(values) > MAX_SENSORS:
            self.repairs.add("implausible")
            return ()
        if min(values) >= MIN_CELSIUS and max(values) <= MAX_CELSIUS:
            return tuple(values) if 0 not in values else tuple(value for value in values if value != 0)
        self.repairs.add("implausible")
        return tuple(value for value in values if MIN_CELSIUS <= value <= MAX_CELSIUS and value != 0)


def fans(values: Sequence[float | None], facts: Facts) -> tuple[float, ...]:
    """Give fan speeds; a fan that stands still is a measured 0.

    Hydro units list four fans that all stand still, because there are none (capture s19proplus-hyd-stock-202303). The
    reading keeps what the unit said; the nameplate knows that there are no fans.
    """
    speeds = tuple([rpm for rpm in values if rpm is not None and 0 <= rpm <= MAX_RPM])
    if len(speeds) == len(values) <= MAX_FANS:
        return speeds
    facts.repairs.add("implausible")
    return ()


def hashes_per_unit(rate_unit: str | None) -> float:
    """Give the H/s in what the reply calls its unit of rates.

    Raises:
        UnsupportedReplyError: It is none that is known.
    """
    factor = _HS_PER_UNIT.get(rate_unit)
    if factor is None:
        raise UnsupportedReplyError(f"stats: rate_unit {str(rate_unit)[:20]!r} is not known")
    return factor


def no_rate(key: str, value: float | None, facts: Facts) -> MalformedReplyError | UnsupportedReplyError:
    """Give the error of a reply that tells no rate at `key`, or one that no unit can have."""
    if value is None:
        return UnsupportedReplyError(f"stats: no usable {key}, and no known shape of sleep: {excerpt(facts.payload)!r}")
    return MalformedReplyError(f"stats: {key} = {value:g} is beyond what a unit can do")


def known_identity(known: Identity, info: Info | None) -> Identity:
    """Give `known` itself when the reply adds nothing: one object a unit, not one a poll."""
    if info is None or (info.type, info.CompileTime, info.miner_version) == (known.model, known.firmware, known.miner):
        return known
    model, firmware, miner = shared(info.type), shared(info.CompileTime), shared(info.miner_version)
    if model in {None, known.model} and firmware in {None, known.firmware} and miner in {None, known.miner}:
        return known
    is_same_firmware = firmware == known.firmware
    return Identity(model=model, firmware=firmware, miner=miner, api=known.api if is_same_firmware else None)
