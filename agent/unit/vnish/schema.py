"""`stats` of VNish as figures: one typed decode of a regular reply, or field by field with the named repairs.

Both ways give the same figures of the same reply, in the reply's own units and within bounds. A slot is numbered from
1, as in the keys. The typed decode knows four slots and four fans; a reply with more, such as an S9's, is read slowly.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta

from agent.errors import MalformedReplyError, UnsupportedReplyError, excerpt
from agent.unit.cgminer import wire
from agent.unit.cgminer.fields import number
from agent.unit.limits import (
    HS_PER_GHS,
    HZ_PER_MHZ,
    MAX_BOARDS,
    MAX_CELSIUS,
    MAX_CHIPS,
    MAX_COUNT,
    MAX_FANS,
    MAX_FREQUENCY_HZ,
    MAX_HASHRATE_HS,
    MAX_RPM,
    MAX_UPTIME_S,
    MAX_WATTS,
)

MAX_GHS: Final = MAX_HASHRATE_HS / HS_PER_GHS
MAX_MHZ: Final = MAX_FREQUENCY_HZ / HZ_PER_MHZ
_MAX_ITEMS: Final = 8
_LONGEST: Final = 64
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
    fans_rpm: tuple[float | None, ...]
    slots: tuple[Slot, ...]
    is_rate_implausible: bool = False


_Ghs = Annotated[float, Meta(ge=0, le=MAX_GHS)] | None
_Mhz = Annotated[float, Meta(ge=0, le=MAX_MHZ)] | None
_Watts = Annotated[float, Meta(ge=0, le=MAX_WATTS)] | None
_Chips = Annotated[int, Meta(ge=0, le=MAX_CHIPS)] | None
_Count = Annotated[int, Meta(ge=0, le=int(MAX_COUNT))] | None
_Rpm = Annotated[float, Meta(ge=0, le=MAX_RPM)] | None
_Fans = Annotated[float, Meta(ge=0, le=MAX_FANS)] | None
_Word = Annotated[str, Meta(max_length=_LONGEST)] | None
_Temperatures = Annotated[str, Meta(max_length=_LONGEST_TEMPERATURES)] | None
_Map = Annotated[str, Meta(max_length=_LONGEST_MAP)] | None


class _Status(msgspec.Struct, frozen=True, gc=False):
    STATUS: str


class _Head(msgspec.Struct, frozen=True, gc=False):
    Type: _Word = None
    Miner: _Word = None
    CompileTime: _Word = None


# The fields are in the order of VNish 1.2.7, which is where the decoder looks first.
class _Data(msgspec.Struct, frozen=True, gc=False, rename={"ghs_5s": "GHS 5s", "ghs_av": "GHS av"}):
    Elapsed: Annotated[float, Meta(ge=0, le=MAX_UPTIME_S)] | None = None
    ghs_5s: Annotated[str, Meta(max_length=24)] | None = None
    ghs_av: _Ghs = None
    temp_chip1: _Temperatures = None
    temp_chip2: _Temperatures = None
    temp_chip3: _Temperatures = None
    temp_chip4: _Temperatures = None
    temp_pcb1: _Temperatures = None
    temp_pcb2: _Temperatures = None
    temp_pcb3: _Temperatures = None
    temp_pcb4: _Temperatures = None
    chain_consumption1: _Watts = None
    chain_consumption2: _Watts = None
    chain_consumption3: _Watts = None
    chain_consumption4: _Watts = None
    chain_hw1: _Count = None
    chain_hw2: _Count = None
    chain_hw3: _Count = None
    chain_hw4: _Count = None
    fan_num: _Fans = None
    fan1: _Rpm = None
    fan2: _Rpm = None
    fan3: _Rpm = None
    fan4: _Rpm = None
    chain_rate1: _Ghs = None
    chain_rate2: _Ghs = None
    chain_rate3: _Ghs = None
    chain_rate4: _Ghs = None
    freq_avg1: _Mhz = None
    freq_avg2: _Mhz = None
    freq_avg3: _Mhz = None
    freq_avg4: _Mhz = None
    state: _Word = None
    total_rateideal: _Ghs = None
    chain_state1: _Word = None
    chain_state2: _Word = None
    chain_state3: _Word = None
    chain_state4: _Word = None
    chain_fault1: _Word = None
    chain_fault2: _Word = None
    chain_fault3: _Word = None
    chain_fault4: _Word = None
    chain_acn1: _Chips = None
    chain_acn2: _Chips = None
    chain_acn3: _Chips = None
    chain_acn4: _Chips = None
    chain_acs1: _Map = None
    chain_acs2: _Map = None
    chain_acs3: _Map = None
    chain_acs4: _Map = None
    # Of type None: any value fails, at no cost to replies without it.
    chain_acn5: None = None
    chain_rate5: None = None
    chain_state5: None = None
    fan5: None = None


class _Reply(msgspec.Struct, frozen=True, gc=False):
    STATUS: Annotated[tuple[_Status, ...], Meta(min_length=1)]
    STATS: tuple[_Head, _Data]


_decode = msgspec.json.Decoder(_Reply).decode


def fast_figures(data: bytes) -> Figures | None:
    """Return the figures of a regular reply; None if it needs the slow way.

    Args:
        data: The reply as received.
    """
    if len(data) > wire.MAX_REPAIRED_BYTES:
        return None
    try:
        reply = _decode(data[:-1] if data.endswith(b"\0") else data)
    except (ValueError, RecursionError):
        return None
    head, row = reply.STATS
    now_ghs = _plain_ghs(row.ghs_5s)
    if reply.STATUS[0].STATUS != "S" or now_ghs is None:
        return None
    if row.temp_pcb1 is None and row.temp_pcb2 is None and row.temp_pcb3 is None and row.temp_pcb4 is None:
        # An older build's, which has its temperatures elsewhere, or a unit that lists no board.
        return None
    fans = (row.fan1, row.fan2, row.fan3, row.fan4)
    slots: tuple[Slot, ...] = (
        (
            row.chain_rate1,
            row.chain_acn1,
            row.chain_acs1,
            row.chain_state1,
            row.chain_fault1,
            row.freq_avg1,
            row.chain_hw1,
            row.temp_pcb1,
            row.temp_chip1,
            row.chain_consumption1,
        ),
        (
            row.chain_rate2,
            row.chain_acn2,
            row.chain_acs2,
            row.chain_state2,
            row.chain_fault2,
            row.freq_avg2,
            row.chain_hw2,
            row.temp_pcb2,
            row.temp_chip2,
            row.chain_consumption2,
        ),
        (
            row.chain_rate3,
            row.chain_acn3,
            row.chain_acs3,
            row.chain_state3,
            row.chain_fault3,
            row.freq_avg3,
            row.chain_hw3,
            row.temp_pcb3,
            row.temp_chip3,
            row.chain_consumption3,
        ),
    )
    if row.chain_acn4 is not None or row.chain_rate4 is not None or row.chain_state4 is not None:
        slots = (
            *slots,
            (
                row.chain_rate4,
                row.chain_acn4,
                row.chain_acs4,
                row.chain_state4,
                row.chain_fault4,
                row.freq_avg4,
                row.chain_hw4,
                row.temp_pcb4,
                row.temp_chip4,
                row.chain_consumption4,
            ),
        )
    return Figures(
        (head.Type, head.CompileTime, head.Miner),
        row.Elapsed,
        now_ghs,
        row.ghs_av,
        row.total_rateideal,
        row.state,
        fans if fans[3] is not None else _listed_fans(fans),
        slots,
    )


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
    head, row = rows[0], rows[min(1, len(rows) - 1)]
    take = _Taker(row, repairs)
    is_rate_implausible = False
    now_ghs = take.number("GHS 5s", MAX_GHS)
    if now_ghs is None and "GHS 5s" in row and "implausible" in repairs:
        is_rate_implausible = True
    if now_ghs is None and not is_rate_implausible:
        # Observed (O170): the same rate again.
        now_ghs = take.number("total_rate", MAX_GHS)
    fans = tuple([take.number(f"fan{position}", MAX_RPM) for position in take.positions(MAX_FANS, "fan")])
    slots = [take.slot(position) for position in take.positions(MAX_BOARDS, "chain_acn", "chain_rate", "chain_state")]
    while len(slots) > _LEAST_SLOTS and slots[-1][:4] == _NO_SLOT:
        slots.pop()
    header = _Taker(head, repairs)
    return Figures(
        (header.text("Type"), header.text("CompileTime"), header.text("Miner")),
        take.number("Elapsed", MAX_UPTIME_S),
        now_ghs,
        take.number("GHS av", MAX_GHS),
        take.number("total_rateideal", MAX_GHS),
        take.text("state"),
        _turning(_listed_fans(fans), take.number("fan_num", MAX_FANS)),
        tuple(slots),
        is_rate_implausible,
    )


_LEAST_SLOTS: Final = 3
_REGULAR: Final = 4
_NO_SLOT: Final = (None, None, None, None)


class _Taker:
    """Reads one JSON object key by key, within bounds; deviations are added to `repairs`."""

    __slots__ = ("_repairs", "_row")

    def __init__(self, row: Mapping[str, Any], repairs: set[str]) -> None:
        self._row, self._repairs = row, repairs

    def number(self, key: str, high: float) -> float | None:
        """Return a number, which may be text, from 0 to `high`."""
        value = number(self._row.get(key), self._repairs, is_text_normal=True)
        if value is None or 0 <= value <= high:
            return value
        self._repairs.add("implausible")
        return None

    def count(self, key: str, high: float) -> int | None:
        """Return a whole number from 0 to `high`."""
        value = self.number(key, high)
        return None if value is None else int(value)

    def text(self, key: str, most: int = _LONGEST) -> str | None:
        """Return a text of at most `most` characters; a longer one is cut."""
        value = self._row.get(key)
        if value is None or isinstance(value, str):
            return value if value is None else value[:most]
        self._repairs.add("wrong_type")
        return None

    def positions(self, most: int, *keys: str) -> range:
        """Return the numbers of slots or fans: four, and further ones as long as one of the numbered keys is there."""
        last = _REGULAR
        while last < most and any(self._row.get(f"{key}{last + 1}") is not None for key in keys):
            last += 1
        return range(1, last + 1)

    def degrees(self, key: str) -> str | None:
        """Return a single temperature as text; None for 0, which is none."""
        celsius = self.number(key, MAX_CELSIUS)
        return f"{celsius:g}" if celsius else None

    def slot(self, position: int) -> Slot:
        """Return the figures of a slot, numbered from 1."""
        if any(self._row.get(f"temp_pcb{number}") is not None for number in range(1, _REGULAR + 1)):
            pcb = self.text(f"temp_pcb{position}", _LONGEST_TEMPERATURES)
            chip = self.text(f"temp_chip{position}", _LONGEST_TEMPERATURES)
        else:
            # Observed (O174): 3.8.6 has one temperature of the board, and one of the chips that is 15 more.
            pcb, chip = self.degrees(f"temp{position}"), self.degrees(f"temp2_{position}")
        return (
            self.number(f"chain_rate{position}", MAX_GHS),
            self.count(f"chain_acn{position}", MAX_CHIPS),
            self.text(f"chain_acs{position}", _LONGEST_MAP),
            self.text(f"chain_state{position}"),
            self.text(f"chain_fault{position}"),
            self.number(f"freq_avg{position}", MAX_MHZ),
            self.count(f"chain_hw{position}", MAX_COUNT),
            pcb,
            chip,
            self.number(f"chain_consumption{position}", MAX_WATTS),
        )


def _listed_fans(speeds: tuple[float | None, ...]) -> tuple[float | None, ...]:
    """Return the fans up to the last with a value."""
    count = len(speeds)
    while count and speeds[count - 1] is None:
        count -= 1
    return speeds[:count]


def _turning(speeds: tuple[float | None, ...], fans: float | None) -> tuple[float | None, ...]:
    """Return as many fans as the unit has. Observed (O174): an S9 lists eight connectors, six of them at 0."""
    if not fans or len(speeds) <= _REGULAR or len(speeds) <= fans:
        return speeds
    spare = len(speeds) - int(fans)
    kept = []
    for rpm in reversed(speeds):
        if spare and not rpm:
            spare -= 1
        else:
            kept.append(rpm)
    return tuple(reversed(kept))
