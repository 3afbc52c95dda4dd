"""Shared by the slow paths of both dialects: scaling and bounds of numbers, rates, fans and identity."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from agent.errors import MalformedReplyError, PollError, UnsupportedReplyError, excerpt
from agent.unit.antminer.state_words import StateWord, state_word
from agent.unit.antminer.stats_schema import Info
from agent.unit.cgminer.fields import interned, number
from agent.unit.cgminer.watts import read_watts
from agent.unit.coolant import CoolantLayout, SensorLayouts
from agent.unit.limits import MAX_CELSIUS, MAX_FANS, MAX_RPM, MAX_SENSORS, MAX_WATTS, MIN_CELSIUS
from agent.unit.nameplate import Nameplate, rated_layout
from agent.unit.reading import (
    Identity,
    Mode,
    Places,
    PoolReading,
    PowerKind,
    ShareReading,
    UnitReading,
)


class PartialReading(NamedTuple):
    """A reading, and why it has no rate; None if it has one, or sleeps."""

    reading: UnitReading
    missing: PollError | None


class Watts(NamedTuple):
    """Power of a unit, W, and how the unit knows it."""

    watts: float
    kind: PowerKind


class Known(NamedTuple):
    """The values that a reading needs besides the reply's own figures.

    Attributes:
        unit_id: The ledger's name for the unit.
        at: Unix time at which the reply was complete, s.
        identity: The identity known before this reply.
        pools: Pools as last read.
        shares: Share counters as last read.
        nameplate: The unit's rating in the ledger; None if it is not known.
        layouts: The sensor layouts of all models.
    """

    unit_id: str
    at: float
    identity: Identity
    pools: tuple[PoolReading, ...]
    shares: ShareReading | None
    nameplate: Nameplate | None
    layouts: SensorLayouts

    def layout_of(self, reported: str | None) -> CoolantLayout:
        """Return the sensor layout of a unit that reports this model; None if it reports none."""
        return self.layouts.of(reported, rated_layout(self.nameplate))


class ReplyContext(NamedTuple):
    """The values that a reading needs besides the reply's own figures, and the checks that count repairs.

    Attributes:
        payload: The JSON text of the reply, for excerpts in errors.
        known: The values from before the reply.
        repairs: Names of the repairs so far.
    """

    payload: bytes
    known: Known
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

    def power(self, value: Any, *, is_kilo: bool = False) -> float | None:
        """Return W from a number or a text with a unit; None as for `number`, or if it is neither."""
        if value is None or value == "":
            return None
        watts = read_watts(value, is_kilo=is_kilo)
        if watts is None:
            self.repairs.add("wrong_type")
        return self.number(watts, 1, 0, MAX_WATTS)

    def watts(self, power: float | str | None, watt: float | str | None) -> Watts | None:
        """Return stock firmware's own figure, the one above zero if there are two; None if it reports neither.

        Documented (D59, D81): other families, and builds of 2026, report one. Assumed (A60): no supply measured it.
        """
        first, second = self.power(power), self.power(watt)
        watts = first or second or (first if first is not None else second)
        return None if watts is None else Watts(watts, PowerKind.ESTIMATED)

    def repairs_used(self) -> tuple[str, ...]:
        """Return the names of the repairs so far."""
        return tuple(sorted(self.repairs)) if self.repairs else ()

    def described(self, text: str) -> str:
        """Return a sentence for an error, with an excerpt of the reply."""
        return f"{text}: {excerpt(self.payload)!r}"

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


def mode_of(
    value: float | str | None, numbered: Mapping[float, Mode], state: StateWord | None, context: ReplyContext
) -> Mode | None:
    """Return the work mode: by the firmware's state word or, without one, by its number or word at the mode's own key.

    Args:
        value: At the mode's own key.
        numbered: The dialect's numbers.
        state: The state word at any other key; None if it has none.
        context: Counts the repairs.
    """
    if state is not None:
        return state.mode
    if isinstance(value, str):
        word = state_word(value)
        if word is not None:
            return word.mode
        value = number(value, context.repairs)
    return None if value is None else numbered.get(value)


def bad_chips(chip_map: str | None, chips: int | None) -> int | None:
    """Return how many of a board's chips its map marks as bad; None without a map.

    A map with more marks than the board has chips also shows those that are missing from the count; they are not
    counted again.

    Documented (D30): ``o`` is a good chip, ``x`` a bad one, ``-`` padding. Documented (D110): on Hiveon the count is
    the board's design while the map marks most chips ``x``.
    """
    if not chip_map:
        return None
    if "o" not in chip_map:
        # Capitals, or no good chip.
        chip_map = chip_map.casefold()
    bad = chip_map.count("x")
    if not bad or chips is None:
        return bad
    missing = max(0, bad + chip_map.count("o") - chips)
    return min(chips, max(0, bad - missing))


def no_rate(key: str, value: float | None, context: ReplyContext) -> MalformedReplyError | UnsupportedReplyError:
    """Return the error for a reply with no rate at `key`, or with one beyond any unit."""
    if value is None:
        return UnsupportedReplyError(f"stats: {context.described(f'no usable {key}, and no known shape of sleep')}")
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
