"""`stats` of VNish as figures: by its declared shape as a whole or, where that fails, field by field.

Both ways give the same figures of the same reply, in the reply's own units and within bounds. A slot is numbered from
1, as in the keys. The shape of a whole reply has four slots and four fans; one with more, such as an S9's, has a shape
of as many.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta

from agent.errors import MalformedReplyError, UnsupportedReplyError, excerpt
from agent.unit.cgminer import wire
from agent.unit.cgminer.bounded import Count, Ghs, Mhz, PowerWatts, Rpm, Seconds
from agent.unit.cgminer.rates import read_rates
from agent.unit.cgminer.shapes import Shape
from agent.unit.connectors import without_empty
from agent.unit.limits import (
    HS_PER_GHS,
    HZ_PER_MHZ,
    MAX_BOARDS,
    MAX_CELSIUS,
    MAX_CHIPS,
    MAX_FANS,
    MAX_FREQUENCY_HZ,
    MAX_HASHRATE_HS,
)
from agent.unit.reading import Places

MAX_GHS: Final = MAX_HASHRATE_HS / HS_PER_GHS
MAX_MHZ: Final = MAX_FREQUENCY_HZ / HZ_PER_MHZ
_MAX_ITEMS: Final = 8
_LONGEST: Final = 64
_LONGEST_RATE: Final = 24
_LONGEST_TEMPERATURES: Final = 100
_LONGEST_MAP: Final = 4 * MAX_CHIPS


Header: TypeAlias = tuple[str | None, str | None, str | None]
"""A unit's own words for itself: `Type`, the build's date, and the version of the hash side; None for an absent one."""

NO_HEADER: Final[Header] = (None, None, None)

Slot: TypeAlias = tuple[
    float | None,
    int | None,
    str | None,
    str | None,
    str | None,
    float | None,
    int | None,
    str | None,
    str | None,
    float | None,
]
"""The figures of one slot; None for an absent one. Plain tuples, because every poll makes three.

5 s rate, GH/s; chips counted; map of the chips, ``o`` and ``x`` (only before 1.2.6); the words for its state and its
fault; mean clock, MHz; hardware errors; temperatures of the board and of the chips, as ``50-40-50-50``; watts."""


class Figures(NamedTuple):
    """The figures of a reply; None for an absent one.

    Attributes:
        header: Model and build.
        uptime_s: Of this mining run.
        now_ghs, average_ghs: Over 5 s, and since the start of the run.
        is_rate_implausible: There is a 5 s rate, beyond what a unit can do.
        ideal_ghs: What the running profile should give.
        state: The unit's word.
        fans_rpm: As listed; None keeps the place of one without a value.
        slots: By number from 1; at least three, and up to the last with a figure or a word.
    """

    header: Header
    uptime_s: float | None
    now_ghs: float | None
    average_ghs: float | None
    ideal_ghs: float | None
    state: str | None
    fans_rpm: Places
    slots: tuple[Slot, ...]
    is_rate_implausible: bool = False


_Fans = Annotated[float, Meta(ge=0, le=MAX_FANS)] | None
_Word = Annotated[str, Meta(max_length=_LONGEST)] | None
_Temperatures = Annotated[str, Meta(max_length=_LONGEST_TEMPERATURES)] | None
_Field: TypeAlias = tuple[str, Any, Any]

# The keys of a slot without its number, in the order of `Slot`.
_OF_SLOT: Final[Mapping[str, Any]] = {
    "chain_rate": Ghs,
    "chain_acn": Annotated[int, Meta(ge=0, le=MAX_CHIPS)] | None,
    "chain_acs": Annotated[str, Meta(max_length=_LONGEST_MAP)] | None,
    "chain_state": _Word,
    "chain_fault": _Word,
    "freq_avg": Mhz,
    "chain_hw": Count,
    "temp_pcb": _Temperatures,
    "temp_chip": _Temperatures,
    "chain_consumption": PowerWatts,
}
_IN_USE: Final = ("chain_acn", "chain_rate", "chain_state")
"""The keys by which a slot is there."""


class _Status(msgspec.Struct, frozen=True, gc=False):
    STATUS: str


class _Head(msgspec.Struct, frozen=True, gc=False):
    Type: _Word = None
    Miner: _Word = None
    CompileTime: _Word = None


def _data(name: str, rate: Any, slots: int, fans: int, beyond: Sequence[_Field] = ()) -> type[msgspec.Struct]:
    """Return the struct of the figures.

    Args:
        name: Of the struct.
        rate: The type of `GHS 5s`.
        slots: How many there are.
        fans: How many there are.
        beyond: Further fields, of which no regular reply has a value.
    """
    numbered = {key: [(f"{key}{slot}", kind, None) for slot in range(1, slots + 1)] for key, kind in _OF_SLOT.items()}
    # In the order of VNish 1.2.7, which is where the decoder looks first.
    fields: list[_Field] = [
        ("Elapsed", Seconds, None),
        ("ghs_5s", rate, None),
        ("ghs_av", Ghs, None),
        *(field for key in ("temp_chip", "temp_pcb", "chain_consumption", "chain_hw") for field in numbered[key]),
        ("fan_num", _Fans, None),
        *((f"fan{fan}", Rpm, None) for fan in range(1, fans + 1)),
        *(field for key in ("chain_rate", "freq_avg") for field in numbered[key]),
        ("state", _Word, None),
        ("total_rate", Ghs, None),
        ("total_rateideal", Ghs, None),
        *(field for key in ("chain_state", "chain_fault", "chain_acn", "chain_acs") for field in numbered[key]),
        *beyond,
    ]
    keys = {"ghs_5s": "GHS 5s", "ghs_av": "GHS av"}
    return msgspec.defstruct(name, fields, frozen=True, gc=False, rename=keys)


def _slots_of(row: msgspec.Struct, slots: Sequence[Callable[[Any], Slot]]) -> tuple[Slot, ...]:
    return tuple([take(row) for take in slots])


_SLOTS: Final[Sequence[Callable[[Any], Slot]]] = tuple(
    attrgetter(*[f"{key}{slot}" for key in _OF_SLOT]) for slot in range(1, MAX_BOARDS + 1)
)
_REGULAR: Final = 4
_LEAST_SLOTS: Final = 3
_NO_SLOT: Final = (None, None, None, None)
# Of type None: any value fails, at no cost to replies without it.
_BEYOND: Final = [(f"{key}{_REGULAR + 1}", None, None) for key in (*_IN_USE, "fan")]
_Data: Final = _data("_Data", Annotated[str, Meta(max_length=_LONGEST_RATE)] | None, _REGULAR, _REGULAR, beyond=_BEYOND)


class _Reply(msgspec.Struct, frozen=True, gc=False):
    STATUS: Annotated[tuple[_Status, ...], Meta(min_length=1)]
    STATS: tuple[_Head, _Data]  # type: ignore[valid-type]  # made of a table


_SHAPE: Final = Shape(_Reply)
_HEAD_SHAPE: Final = Shape(_Head)


@cache
def _irregular(slots: int, fans: int) -> Shape[msgspec.Struct]:
    """Return the shape of the figures of a reply with so many slots and fans, whose numbers may all be text."""
    return Shape(_data("_Irregular", float | None, slots, fans), is_text_normal=True)


class _Degrees(msgspec.Struct, frozen=True, gc=False):
    """A temperature of a board and one of its chips, in a reply that has no others."""

    board: Annotated[float, Meta(ge=0, le=MAX_CELSIUS)] | None = None
    chip: Annotated[float, Meta(ge=0, le=MAX_CELSIUS)] | None = None


_DEGREES_SHAPE: Final = Shape(_Degrees, is_text_normal=True)


def fast_figures(data: bytes) -> Figures | None:
    """Return the figures of a regular reply; None if it needs the slow way.

    Args:
        data: The reply as received.
    """
    reply = _SHAPE.strictly(data)
    if reply is None:
        return None
    head: _Head = reply.STATS[0]
    row: Any = reply.STATS[1]
    now_ghs = _plain_ghs(row.ghs_5s)
    if reply.STATUS[0].STATUS != "S" or now_ghs is None:
        return None
    if row.temp_pcb1 is None and row.temp_pcb2 is None and row.temp_pcb3 is None and row.temp_pcb4 is None:
        # An older build's, which has its temperatures elsewhere, or a unit that lists no board.
        return None
    has_fourth = row.chain_acn4 is not None or row.chain_rate4 is not None or row.chain_state4 is not None
    fans = (row.fan1, row.fan2, row.fan3, row.fan4)
    return Figures(
        (head.Type, head.CompileTime, head.Miner),
        row.Elapsed,
        now_ghs,
        row.ghs_av,
        row.total_rateideal,
        row.state,
        fans if fans[3] is not None else _listed_fans(fans),
        _slots_of(row, _FOUR if has_fourth else _THREE),
    )


_THREE: Final = _SLOTS[:_LEAST_SLOTS]
_FOUR: Final = _SLOTS[:_REGULAR]


def _plain_ghs(text: str | None) -> float | None:
    """Return the rate in a text as the firmware writes it; None if it is anything else."""
    if text is None or "_" in text or not text.isascii():
        return None
    try:
        ghs = float(text)
    except ValueError:
        return None
    return ghs if 0 <= ghs <= MAX_GHS else None


def slow_figures(data: bytes, repairs: set[str]) -> Figures:
    """Return the figures of any reply, field by field: a bad field is absent and counts a repair.

    Args:
        data: The reply as received.
        repairs: Names of repairs; those needed here are added.

    Raises:
        MalformedReplyError: The bytes are not a reply, or STATS holds no object.
        RefusedError: The unit refused the command.
        UnsupportedReplyError: The reply has no STATS.
    """
    wire.refuse_unlike_a_reply(wire.unframe(data))
    reply = wire.accept(wire.decode_reply(data, "stats"))
    repairs.update(reply.repairs)
    items = reply.body.get("STATS")
    if items is None:
        raise UnsupportedReplyError(f"stats: no STATS: {excerpt(data)!r}")
    rows = [item for item in items[:_MAX_ITEMS] if isinstance(item, dict)] if isinstance(items, list) else []
    if not rows:
        raise MalformedReplyError(f"stats: STATS is not a list of objects: {excerpt(data)!r}")
    # Observed (O171): the header first, then the figures.
    head, fields = _HEAD_SHAPE.convert(rows[0], repairs), rows[min(1, len(rows) - 1)]
    slots, fans = _last(fields, MAX_BOARDS, *_IN_USE), _last(fields, MAX_FANS, "fan")
    row: Any = _irregular(slots, fans).convert(fields, repairs)
    now_ghs, is_rate_implausible = row.ghs_5s, False
    if now_ghs is None:
        # Observed (O170): the same rate again. Without either, the key may name another unit.
        now_ghs = row.total_rate if row.total_rate is not None else _five_s_ghs(fields, repairs)
    elif not 0 <= now_ghs <= MAX_GHS:
        now_ghs, is_rate_implausible = None, True
        repairs.add("implausible")
    return Figures(
        (head.Type, head.CompileTime, head.Miner),
        row.Elapsed,
        now_ghs,
        row.ghs_av,
        row.total_rateideal,
        row.state,
        _fans(tuple([getattr(row, f"fan{fan}") for fan in range(1, fans + 1)]), row.fan_num),
        _listed_slots(row, slots, fields, repairs),
        is_rate_implausible,
    )


def _five_s_ghs(fields: Mapping[str, Any], repairs: set[str]) -> float | None:
    rate_hs = read_rates(fields, repairs).five_s_hs
    return None if rate_hs is None else rate_hs / HS_PER_GHS


def _last(row: Mapping[str, Any], most: int, *keys: str) -> int:
    """Return the number of the last slot or fan: four, and more as long as one of the numbered keys is there."""
    last = _REGULAR
    while last < most and any(row.get(f"{key}{last + 1}") is not None for key in keys):
        last += 1
    return last


def _listed_slots(row: msgspec.Struct, count: int, fields: Mapping[str, Any], repairs: set[str]) -> tuple[Slot, ...]:
    """Return the slots up to the last with a figure or a word, at least three."""
    slots = list(_slots_of(row, _SLOTS[:count]))
    if all(fields.get(f"temp_pcb{number}") is None for number in range(1, _REGULAR + 1)):
        slots = [(*slot[:7], *_degrees(fields, place, repairs), slot[9]) for place, slot in enumerate(slots, 1)]
    while len(slots) > _LEAST_SLOTS and slots[-1][:4] == _NO_SLOT:
        slots.pop()
    return tuple(slots)


def _degrees(fields: Mapping[str, Any], position: int, repairs: set[str]) -> tuple[str | None, str | None]:
    """Return the two temperatures of a board as texts; None for 0, which is none.

    Observed (O174): 3.8.6 has one temperature of the board, and one of the chips that is 15 more.
    """
    two = {"board": fields.get(f"temp{position}"), "chip": fields.get(f"temp2_{position}")}
    found = _DEGREES_SHAPE.convert(two, repairs)
    return f"{found.board:g}" if found.board else None, f"{found.chip:g}" if found.chip else None


def _listed_fans(speeds: Places) -> Places:
    """Return the fans up to the last with a value."""
    count = len(speeds)
    while count and speeds[count - 1] is None:
        count -= 1
    return speeds[:count]


def _fans(speeds: Places, fans: float | None) -> Places:
    """Return as many fans as the unit has. Observed (O174): an S9 lists eight connectors, six of them at 0."""
    listed = _listed_fans(speeds)
    return without_empty(listed, int(fans)) if fans and len(listed) > _REGULAR else listed
