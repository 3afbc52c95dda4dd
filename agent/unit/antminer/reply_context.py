"""Shared by the slow paths of both dialects: scaling and bounds of numbers, rates, fans and identity."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from agent.errors import MalformedReplyError, UnsupportedReplyError, excerpt
from agent.unit.antminer.stats_schema import Info
from agent.unit.cgminer.fields import interned
from agent.unit.coolant import CoolantLayout, SensorLayouts
from agent.unit.limits import HS_PER_GHS, HS_PER_THS, MAX_CELSIUS, MAX_FANS, MAX_RPM, MAX_SENSORS, MIN_CELSIUS
from agent.unit.reading import Identity, Places, PoolReading, ShareReading

_HS_PER_UNIT: Final[dict[str | None, float]] = {
    None: HS_PER_GHS,
    "GH": HS_PER_GHS,
    "GH/s": HS_PER_GHS,
    "H/s": 1.0,
    "MH/s": 1e6,
    "TH/s": HS_PER_THS,
}


class ReplyContext(NamedTuple):
    """The values that a reading needs besides the reply's own figures, and the checks that count repairs.

    Attributes:
        payload: The JSON text of the reply, for excerpts in errors.
        unit_id: The ledger's name for the unit.
        at: Unix time at which the reply was complete, s.
        identity: The identity known before this reply.
        pools: Pools as last read.
        shares: Share counters as last read.
        rated: The sensor layout of the unit's model in the ledger; NONE if it has none or is not known.
        layouts: The sensor layouts of all models.
        repairs: Names of the repairs so far.
    """

    payload: bytes
    unit_id: str
    at: float
    identity: Identity
    pools: tuple[PoolReading, ...]
    shares: ShareReading | None
    rated: CoolantLayout
    layouts: SensorLayouts
    repairs: set[str]

    def number(self, value: float | None, factor: float, low: float, high: float) -> float | None:
        """Return `value` times `factor`; None if it is absent or outside `low` to `high`, which counts a repair."""
        if value is None:
            return None
        scaled = value * factor
        if low <= scaled <= high:
            return scaled
        self.repairs.add("implausible")
        return None

    def whole(self, value: float | None, high: float) -> int | None:
        """Return a count; None if it is absent or outside 0 to `high`, which counts a repair."""
        if value is None:
            return None
        if 0 <= value <= high:
            return int(value)
        self.repairs.add("implausible")
        return None

    def celsius(self, values: Sequence[float | None] | None) -> Places:
        """Return temperatures, each in its place; None for one that is missing or implausible.

        Observed (O57): exactly 0 stands for a missing sensor.
        """
        return _places(self.sensors(values)) if values else ()

    def sensors(self, values: Sequence[float | None]) -> Places:
        """Return temperatures as `celsius` does, but keep a list in which no sensor has a value."""
        if len(values) > MAX_SENSORS:
            self.repairs.add("implausible")
            return ()
        return tuple([self.number(value, 1, MIN_CELSIUS, MAX_CELSIUS) or None for value in values])


def fans(values: Sequence[float | None], context: ReplyContext) -> Places:
    """Return fan speeds, each in its place; None for one that is missing or implausible. A stopped fan is a measured 0.

    Observed (O58): hydro units have no fans but list four at 0 rpm, s19proplus-hyd-stock-202303. The reading keeps
    them; the nameplate says that there are no fans.
    """
    if len(values) > MAX_FANS:
        context.repairs.add("implausible")
        return ()
    return _places([context.number(rpm, 1, 0, MAX_RPM) for rpm in values])


def without_zeros(values: Sequence[float]) -> Places:
    """Return temperatures with None for exact zeros; empty if there is nothing else, as on the slow path."""
    return _places([value or None for value in values])


def _places(values: Sequence[float | None]) -> Places:
    """Return a list by position; empty if no place has a value."""
    return tuple(values) if any(value is not None for value in values) else ()


def hashes_per_unit(rate_unit: str | None) -> float:
    """Return the H/s in one `rate_unit` of a reply; GH/s if it names none.

    Raises:
        UnsupportedReplyError: The unit is unknown.
    """
    factor = _HS_PER_UNIT.get(rate_unit)
    if factor is None:
        raise UnsupportedReplyError(f"stats: rate_unit {str(rate_unit)[:20]!r} is not known")
    return factor


def no_rate(key: str, value: float | None, context: ReplyContext) -> MalformedReplyError | UnsupportedReplyError:
    """Return the error for a reply with no rate at `key`, or with one beyond any unit."""
    if value is None:
        return UnsupportedReplyError(
            f"stats: no usable {key}, and no known shape of sleep: {excerpt(context.payload)!r}"
        )
    return MalformedReplyError(f"stats: {key} = {value:g} is beyond what a unit can do")


def known_identity(known: Identity, info: Info | None) -> Identity:
    """Return the identity after a reply: `known` itself if the reply adds nothing, so a unit keeps one object.

    Args:
        known: The identity before this reply.
        info: The identity in the reply; None if it has none.
    """
    if info is None or (info.type, info.CompileTime, info.miner_version) == (known.model, known.firmware, known.miner):
        return known
    model, firmware, miner = interned(info.type), interned(info.CompileTime), interned(info.miner_version)
    if model in {None, known.model} and firmware in {None, known.firmware} and miner in {None, known.miner}:
        return known
    is_same_firmware = firmware == known.firmware
    return Identity(model=model, firmware=firmware, miner=miner, api=known.api if is_same_firmware else None)
