"""One schema for `stats` of both dialects, decoded strictly, or field by field if that fails.

A reply with a key of other firmware fails the strict decode on purpose, so that its plain JSON is at hand.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from agent.errors import MalformedReplyError, UnsupportedReplyError, excerpt
from agent.unit.cgminer import wire
from agent.unit.cgminer.fields import number

_Number = float | None
_Numbers = tuple[float | None, ...] | None
_NumbersOrOne = tuple[float | None, ...] | float | None
_Text = str | None
_NumberOrText = float | str | None


class Status(msgspec.Struct, frozen=True, gc=False):
    """The STATUS of a reply: one letter, and in the legacy dialect a code and the program's name."""

    STATUS: str
    Code: int | None = None
    Msg: _Text = None
    Description: _Text = None


class Info(msgspec.Struct, frozen=True, gc=False):
    """The unit's identity in the new_api dialect."""

    type: _Text = None
    CompileTime: _Text = None
    miner_version: _Text = None


class Chain(msgspec.Struct, frozen=True, gc=False):
    """A board in the new_api dialect."""

    index: _Number = None
    freq_avg: _Number = None
    rate_real: _Number = None
    asic_num: _Number = None
    asic: _Text = None
    temp_chip: _Numbers = None
    temp_pcb: _Numbers = None
    temp_pic: _Numbers = None
    # Documented (D85, D86): builds of 2026 for hydro units.
    temp_in: _NumbersOrOne = None
    temp_out: _NumbersOrOne = None
    hw: _Number = None
    sn: _Text = None
    # As at the end of `Stats`.
    freq: None = None
    frequency: None = None
    power: None = None
    watt: None = None
    consumption: None = None
    chain_power: None = None
    chain_consumption: None = None
    chain_watt: None = None
    watts: None = None
    power_consumption: None = None


_SPELLINGS: Final = {
    "miner_mode": "miner-mode",
    "ghs_5s": "GHS 5s",
    "ghs_av": "GHS av",
    "psu_power_spaced": "PSU Power",
    "input_power_spaced": "Input Power",
    "total_power_spaced": "Total Power",
    "power_consumption_spaced": "Power Consumption",
    "psu_input_power_spaced": "PSU Input Power",
}


class BothStats(msgspec.Struct, frozen=True, gc=False):
    """The keys that the dialects share, with the same meaning in both."""

    rate_30m: _Number = None
    rate_unit: _Text = None
    # Documented (D59, D81): other families, and builds of 2026, report one of these. Observed (O63): an S21 of 2024
    # reports neither.
    power: _NumberOrText = None
    watt: _NumberOrText = None


class NewApiStats(BothStats, frozen=True, gc=False, rename=_SPELLINGS):
    """The keys of the new_api dialect that are read."""

    elapsed: _Number = None
    rate_5s: _Number = None
    rate_avg: _Number = None
    rate_ideal: _Number = None
    # Documented (D84): builds of 2026 tell the bin the unit was sold as.
    rate_sale: _Number = None
    fan: _Numbers = None
    miner_mode: _NumberOrText = None
    chain: tuple[Chain, ...] | None = None


class Stats(NewApiStats, frozen=True, gc=False, rename=_SPELLINGS):
    """An element of STATS in either dialect.

    The three classes tell which dialect reads which key; `known_fields` derives from them what is read.
    """

    # Legacy: the header, STATS[0].
    Type: _Text = None
    CompileTime: _Text = None
    Miner: _Text = None
    # Legacy: the data, STATS[1]. Slots count from 1, and a slot without a board is listed with zeros and "".
    Elapsed: _Number = None
    ghs_5s: _Number = None
    ghs_av: _Number = None
    Mode: _NumberOrText = None
    miner_count: _Number = None
    total_rateideal: _Number = None
    fan1: _Number = None
    fan2: _Number = None
    fan3: _Number = None
    fan4: _Number = None
    chain_rate1: _NumberOrText = None
    chain_rate2: _NumberOrText = None
    chain_rate3: _NumberOrText = None
    chain_rate4: _NumberOrText = None
    chain_acn1: _Number = None
    chain_acn2: _Number = None
    chain_acn3: _Number = None
    chain_acn4: _Number = None
    chain_acs1: _Text = None
    chain_acs2: _Text = None
    chain_acs3: _Text = None
    chain_acs4: _Text = None
    chain_hw1: _Number = None
    chain_hw2: _Number = None
    chain_hw3: _Number = None
    chain_hw4: _Number = None
    freq1: _Number = None
    freq2: _Number = None
    freq3: _Number = None
    freq4: _Number = None
    temp_chip1: _Text = None
    temp_chip2: _Text = None
    temp_chip3: _Text = None
    temp_chip4: _Text = None
    temp_pcb1: _Text = None
    temp_pcb2: _Text = None
    temp_pcb3: _Text = None
    temp_pcb4: _Text = None
    temp_pic1: _Text = None
    temp_pic2: _Text = None
    temp_pic3: _Text = None
    temp_pic4: _Text = None
    # Keys of other firmware, last and of type None: any value fails the strict decode, at no cost to replies without
    # them. `elsewhere` then reads these keys from the plain JSON.
    state: None = None
    status: None = None
    miner_state: None = None
    miner_status: None = None
    work_mode: None = None
    Power: None = None
    Watts: None = None
    watts: None = None
    wattage: None = None
    total_power: None = None
    power_consumption: None = None
    consumption: None = None
    chain_power: None = None
    psu_power: None = None
    power_kw: None = None
    psu_power_spaced: None = None
    input_power_spaced: None = None
    total_power_spaced: None = None
    power_consumption_spaced: None = None
    psu_input_power_spaced: None = None
    psu_input_power: None = None
    input_power: None = None
    power_w: None = None
    power_usage: None = None
    total_watt: None = None
    total_watts: None = None
    miner_power: None = None
    total_consumption: None = None
    psu_watt: None = None
    chain_state1: None = None
    chain_state2: None = None
    chain_state3: None = None
    chain_state4: None = None
    chain_consumption1: None = None
    chain_consumption2: None = None
    chain_consumption3: None = None
    chain_consumption4: None = None
    chain_power1: None = None
    chain_power2: None = None
    chain_power3: None = None
    chain_power4: None = None
    freq_avg1: None = None
    freq_avg2: None = None
    freq_avg3: None = None
    freq_avg4: None = None
    frequency1: None = None
    frequency2: None = None
    frequency3: None = None
    frequency4: None = None
    chain_freq1: None = None
    chain_freq2: None = None
    chain_freq3: None = None
    chain_freq4: None = None
    chain_watt1: None = None
    chain_watt2: None = None
    chain_watt3: None = None
    chain_watt4: None = None


class StatsReply(msgspec.Struct, frozen=True, gc=False):
    """A whole reply; STATUS is a list only in the legacy dialect."""

    STATUS: Status | tuple[Status, ...]
    STATS: tuple[Stats, ...]
    INFO: Info | None = None


class DecodedStats(NamedTuple):
    """A reply by the schema, and the elements of its STATS as plain JSON, if the strict decode failed."""

    reply: StatsReply
    rows: tuple[dict[str, Any], ...] | None


_decode_strictly = msgspec.json.Decoder(StatsReply).decode


def decode_stats(payload: bytes, repairs: set[str]) -> DecodedStats:
    """Decode an unframed reply; the names of the repairs it took are added to `repairs`.

    Raises:
        MalformedReplyError: It is not JSON, even after the repairs of `wire`, has no STATUS, or no object in STATS.
        UnsupportedReplyError: It has no STATS.
    """
    try:
        return DecodedStats(_decode_strictly(payload), None)
    except (ValueError, RecursionError):
        return decode_leniently(payload, repairs)


def decode_leniently(payload: bytes, repairs: set[str]) -> DecodedStats:
    """Decode with the repairs of `wire` and convert each field by itself; a bad field is absent and counts a repair.

    Raises:
        MalformedReplyError, UnsupportedReplyError: As for `decode_stats`; also if it is longer, or has more parts, than
            any reply worth reading field by field.
    """
    wire.refuse_unlike_a_reply(payload)
    reply = wire.decode_reply(payload, "stats")
    repairs.update(reply.repairs)
    is_new_api = isinstance(reply.body["STATUS"], dict) if "STATUS" in reply.body else "INFO" in reply.body
    code = number(reply.code, repairs)
    status = Status(
        STATUS=reply.status, Code=None if code is None else int(code), Msg=reply.message, Description=reply.description
    )
    items = reply.body.get("STATS")
    if items is None and reply.status in {"E", "F"}:
        items = []
    if items is None:
        raise UnsupportedReplyError(f"stats: no STATS: {excerpt(payload)!r}")
    if not isinstance(items, list) or (items and not any(isinstance(item, dict) for item in items[:MAX_ITEMS])):
        raise MalformedReplyError(f"stats: STATS is not a list of objects: {excerpt(payload)!r}")
    items = items[:MAX_ITEMS]
    info = reply.body.get("INFO")
    decoded = StatsReply(
        STATUS=status if is_new_api else (status,),
        STATS=tuple(_lenient(Stats, item, repairs) for item in items),
        INFO=None if info is None else _lenient(Info, info, repairs),
    )
    return DecodedStats(decoded, tuple(item if isinstance(item, dict) else {} for item in items))


_Shape = TypeVar("_Shape", bound=msgspec.Struct)
MAX_ITEMS: Final = 64


def _lenient(shape: type[_Shape], item: Any, repairs: set[str]) -> _Shape:
    """Return one object converted field by field; anything but an object becomes one without fields, in its place."""
    values: dict[str, Any] = {}
    if not isinstance(item, dict):
        repairs.add("wrong_type")
        return shape()
    for name, key, take in _fields(shape):
        value = item.get(key)
        if value is not None:
            values[name] = take(value, repairs)
    return shape(**values)


@cache
def _fields(shape: type[msgspec.Struct]) -> tuple[tuple[str, str, Callable[[Any, set[str]], Any]], ...]:
    """Return (attribute, key, conversion) of every field that is read; other firmware's are read elsewhere."""
    return tuple(
        (field.name, field.encode_name, _TAKE[field.type])
        for field in msgspec.structs.fields(shape)
        if field.type in _TAKE
    )


def _take_text(value: Any, repairs: set[str]) -> str | None:
    if isinstance(value, str):
        return value
    repairs.add("wrong_type")
    return None


def _take_numbers(value: Any, repairs: set[str]) -> _Numbers:
    if not isinstance(value, list):
        repairs.add("wrong_type")
        return None
    return tuple([number(item, repairs) for item in value[:MAX_ITEMS]])


def _take_numbers_or_one(value: Any, repairs: set[str]) -> _NumbersOrOne:
    return _take_numbers(value, repairs) if isinstance(value, list) else number(value, repairs)


def _take_number_or_text(value: Any, repairs: set[str]) -> float | str | None:
    return value if isinstance(value, str) else number(value, repairs)


def _take_chains(value: Any, repairs: set[str]) -> tuple[Chain, ...] | None:
    if not isinstance(value, list):
        repairs.add("wrong_type")
        return None
    return tuple(_lenient(Chain, item, repairs) for item in value[:MAX_ITEMS])


_TAKE: Final[dict[Any, Callable[[Any, set[str]], Any]]] = {
    _Number: number,
    _Text: _take_text,
    _Numbers: _take_numbers,
    _NumbersOrOne: _take_numbers_or_one,
    _NumberOrText: _take_number_or_text,
    tuple[Chain, ...] | None: _take_chains,
}
