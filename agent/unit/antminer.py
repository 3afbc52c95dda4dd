"""Antminer replies to readings, in both dialects and all firmware lines. GH/s becomes H/s here and nowhere else.

One typed decode gives the whole of a sound `stats` reply. When that fails, the reply is decoded again with the named
repairs of `wire` and taken field by field, so that one bad optional field costs that field and not the unit:

    number_in_string   a number came as text where this firmware family sends numbers
    wrong_type         a field held something else altogether: it reads as absent
    implausible        a number beyond what any unit can do: it reads as absent

What must be there is the 5 s rate (or a shape that says the unit is asleep); without it there is no reading.
Field meanings: antminer-api sections 3 and 4, and the captures named beside each oddity.
"""

import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeVar, cast

import msgspec

from agent.errors import MalformedReplyError, RefusedError, UnsupportedReplyError, excerpt
from agent.unit import wire
from agent.unit.reading import BoardReading, Dialect, Identity, Mode, PoolReading, ShareReading, UnitReading

HS_PER_GHS = 1e9
HZ_PER_MHZ = 1e6
INVALID_COMMAND = 14

# Far beyond any unit of the catalogue (860 TH/s); a rate above it is a lie, and would move a site's total.
MAX_HASHRATE_HS = 2e15
MAX_CELSIUS = 200.0
MIN_CELSIUS = -60.0
MAX_RPM = 30_000.0
MAX_CHIPS = 4096
MAX_FREQUENCY_HZ = 5e9
MAX_WATTS = 50_000.0
MAX_UPTIME_S = 3e9
# Counters beyond these are lies as well; what is worked out from them must stay finite, and fit 64 bits.
MAX_COUNT = 1e15
MAX_DIFFICULTY = 1e18
# Longer lists than any unit has hardware for are no lists of hardware.
MAX_BOARDS = 16
MAX_FANS = 16
MAX_SENSORS = 16

_HS_PER_UNIT: Final[dict[str | None, float]] = {
    None: HS_PER_GHS,
    "GH": HS_PER_GHS,
    "GH/s": HS_PER_GHS,
    "H/s": 1.0,
    "MH/s": 1e6,
    "TH/s": 1e12,
}

# `miner-mode` of the new_api dialect; set_miner_conf uses the same numbers (antminer-api 4.2, 6.3).
_NEW_API_MODES: Final[dict[float, Mode]] = {0: Mode.NORMAL, 1: Mode.SLEEP, 2: Mode.HIGH, 3: Mode.LOW}
# `Mode` of the legacy dialect counts differently: 2 while hashing (capture s19pro-stock-202212), 1 asleep (S21+,
# line C, antminer-api 3.3).
_LEGACY_MODES: Final[dict[float, Mode]] = {1: Mode.SLEEP, 2: Mode.NORMAL}

_Number = float | None
_Numbers = tuple[float, ...] | None
_Text = str | None
_NumberOrText = float | str | None


class _Status(msgspec.Struct, frozen=True, gc=False):
    STATUS: str
    Code: int | None = None
    Msg: _Text = None


class _Info(msgspec.Struct, frozen=True, gc=False):
    type: _Text = None
    CompileTime: _Text = None
    miner_version: _Text = None


class _Chain(msgspec.Struct, frozen=True, gc=False):
    index: _Number = None
    rate_real: _Number = None
    asic_num: _Number = None
    freq_avg: _Number = None
    temp_chip: _Numbers = None
    temp_pcb: _Numbers = None
    temp_pic: _Numbers = None
    hw: _Number = None
    sn: _Text = None


_SPELLINGS: Final = {"miner_mode": "miner-mode", "ghs_5s": "GHS 5s", "ghs_av": "GHS av"}


class _Stats(msgspec.Struct, frozen=True, gc=False, rename=_SPELLINGS):
    """An element of STATS in either dialect: their keys do not collide, but for two that mean the same in both."""

    # Both dialects.
    rate_30m: _Number = None
    rate_unit: _Text = None
    # new_api.
    elapsed: _Number = None
    rate_5s: _Number = None
    rate_avg: _Number = None
    rate_ideal: _Number = None
    fan_num: _Number = None
    fan: _Numbers = None
    miner_mode: _Number = None
    chain: tuple[_Chain, ...] | None = None
    # Other families report one of these (L9 `power`, L11 `watt`: asic-rs PR 325); stock S21 and T21 neither.
    power: _Number = None
    watt: _Number = None
    # Legacy: the header, STATS[0].
    Type: _Text = None
    CompileTime: _Text = None
    Miner: _Text = None
    # Legacy: the data, STATS[1]. Slots count from 1, and a slot without a board is listed with zeros and "".
    Elapsed: _Number = None
    ghs_5s: _Number = None
    ghs_av: _Number = None
    Mode: _Number = None
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


class _StatsReply(msgspec.Struct, frozen=True, gc=False):
    STATUS: _Status | tuple[_Status, ...]
    STATS: tuple[_Stats, ...]
    INFO: _Info | None = None


_decode_stats = msgspec.json.Decoder(_StatsReply).decode
_NO_IDENTITY: Final = Identity()


def read_stats(
    data: bytes,
    *,
    unit_id: str,
    at: float,
    identity: Identity = _NO_IDENTITY,
    pools: tuple[PoolReading, ...] = (),
    shares: ShareReading | None = None,
) -> UnitReading:
    """Read one whole `stats` reply in whichever dialect it came.

    Args:
        data: The reply as received.
        unit_id: Whose it is.
        at: Unix time at which it was whole, s.
        identity: What is known of the unit already; the reply's own word on model and firmware wins.
        pools: As last asked; passed through.
        shares: Likewise.

    Raises:
        MalformedReplyError: No reply, or rates that no unit can have.
        RefusedError: The unit said no, e.g. to a dialect that it does not know.
        UnsupportedReplyError: A reply without a rate, in no shape that is known to mean asleep.
    """
    payload = wire.unframe(data)
    repairs: set[str] = set()
    try:
        reply = _decode_stats(payload)
    except (ValueError, RecursionError):
        reply = _decode_leniently(payload, repairs)
    is_new_api = isinstance(reply.STATUS, _Status)
    status = reply.STATUS if isinstance(reply.STATUS, _Status) else next(iter(reply.STATUS), None)
    _check_status("stats", status, payload)
    facts = _Facts(payload, unit_id, at, identity, pools, shares, repairs)
    return _new_api_reading(reply, facts) if is_new_api else _legacy_reading(reply, facts)


class _Facts(NamedTuple):
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


def _new_api_reading(reply: _StatsReply, facts: _Facts) -> UnitReading:
    if not reply.STATS:
        raise UnsupportedReplyError(f"stats: no element in STATS: {excerpt(facts.payload)!r}")
    stats = reply.STATS[0]
    hs = _hashes_per_unit(stats.rate_unit)
    identity = _identity(facts.identity, reply.INFO)
    mode = _NEW_API_MODES.get(stats.miner_mode) if stats.miner_mode is not None else None
    rate_hs = facts.number(stats.rate_5s, hs, 0, MAX_HASHRATE_HS)
    if rate_hs is None and mode is not Mode.SLEEP:
        raise _no_rate("rate_5s", stats.rate_5s, facts)
    return UnitReading(
        unit_id=facts.unit_id,
        at=facts.at,
        dialect=Dialect.NEW_API,
        mode=mode,
        identity=identity,
        uptime_s=facts.number(stats.elapsed, 1, 0, MAX_UPTIME_S),
        hashrate_5s_hs=rate_hs,
        hashrate_30m_hs=facts.number(stats.rate_30m, hs, 0, MAX_HASHRATE_HS),
        hashrate_avg_hs=facts.number(stats.rate_avg, hs, 0, MAX_HASHRATE_HS),
        hashrate_ideal_hs=facts.number(stats.rate_ideal, hs, 0, MAX_HASHRATE_HS),
        power_watts=facts.number(stats.power if stats.power is not None else stats.watt, 1, 0, MAX_WATTS),
        boards=_new_api_boards(stats.chain or (), hs, identity.model, facts),
        fan_rpm=_fans(stats.fan or (), facts),
        pools=facts.pools,
        shares=facts.shares,
        repairs=tuple(sorted(facts.repairs)) if facts.repairs else (),
    )


def _new_api_boards(chains: Sequence[_Chain], hs: float, model: str | None, facts: _Facts) -> tuple[BoardReading, ...]:
    """Give one board a slot, in the order of slots; of two that claim one slot the first has it."""
    listed = [_new_api_board(position, chain, hs, model, facts) for position, chain in enumerate(chains[:MAX_BOARDS])]
    if len(listed) == len(chains) and all(map(_is_at, listed, _PLACES)):
        return tuple(listed)
    boards: dict[int, BoardReading] = {}
    for board in listed:
        boards.setdefault(board.slot, board)
    if len(boards) < len(chains):
        facts.repairs.add("implausible")
    return tuple(boards[slot] for slot in sorted(boards))


_PLACES: Final = tuple(range(MAX_BOARDS))


def _is_at(board: BoardReading, slot: int) -> bool:
    return board.slot == slot


def _new_api_board(position: int, chain: _Chain, hs: float, model: str | None, facts: _Facts) -> BoardReading:
    if model in _HYDRO_LAYOUTS:
        chips, pcb, coolant = _hydro_temperatures(model, chain)
        coolant_celsius = facts.celsius(coolant)
    else:
        chips, pcb, coolant_celsius = chain.temp_chip or (), chain.temp_pcb or (), ()
    slot = facts.whole(chain.index, MAX_BOARDS - 1)
    return BoardReading(
        slot=position if slot is None else slot,
        hashrate_hs=facts.number(chain.rate_real, hs, 0, MAX_HASHRATE_HS),
        chips=facts.whole(chain.asic_num, MAX_CHIPS),
        chip_celsius=facts.celsius(chips),
        pcb_celsius=facts.celsius(pcb),
        # One of the two alone would not tell which it is.
        coolant_celsius=coolant_celsius if len(coolant_celsius) == 2 else (),
        frequency_hz=facts.number(chain.freq_avg, HZ_PER_MHZ, 0, MAX_FREQUENCY_HZ),
        hw_errors=facts.whole(chain.hw, MAX_COUNT),
        serial=_clean(chain.sn),
    )


_S21_HYDRO = "Antminer S21 Hyd."
_HYDRO_LAYOUTS: Final = frozenset({_S21_HYDRO, "Antminer S21+ Hyd.", "Antminer S21+ Hyd"})


def _hydro_temperatures(
    model: str | None, chain: _Chain
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Give chip, board and coolant temperatures of one board; hydro units fill the arrays in ways of their own.

    Documented: pyasic issue 295 (reported by owners) for the two layouts named here. Other hydro models are read as
    air units, without a coolant, until a capture shows theirs; zeros, which mean no sensor, are dropped later. An array
    that is not as long as its layout wants tells nothing: which of its numbers is which cannot be known.
    """
    chip, pcb, pic = chain.temp_chip or (), chain.temp_pcb or (), chain.temp_pic or ()
    if model == _S21_HYDRO:
        return (), pcb, chip[:2]
    if len(pic) < 4 or len(pcb) < 4:
        return (), (), ()
    return pic[:1], (*pic[1:4], pcb[1], pcb[3]), (pcb[0], pcb[2])


def _legacy_reading(reply: _StatsReply, facts: _Facts) -> UnitReading:
    if not reply.STATS:
        raise UnsupportedReplyError(f"stats: no element in STATS: {excerpt(facts.payload)!r}")
    header = reply.STATS[0]
    identity = _identity(
        facts.identity, _Info(type=header.Type, CompileTime=header.CompileTime, miner_version=header.Miner)
    )
    data = next((item for item in reply.STATS if item.ghs_5s is not None or item.Elapsed is not None), None)
    if data is None:
        # Observed: s21-stock-202410-sleep and t21-stock-202501-sleep answer with the header alone.
        if len(reply.STATS) == 1 and header.Type is not None:
            return UnitReading(
                unit_id=facts.unit_id,
                at=facts.at,
                dialect=Dialect.LEGACY,
                mode=Mode.SLEEP,
                identity=identity,
                pools=facts.pools,
                shares=facts.shares,
                repairs=tuple(sorted(facts.repairs)) if facts.repairs else (),
            )
        raise _no_rate("GHS 5s", None, facts)
    hs = _hashes_per_unit(data.rate_unit)
    mode = _LEGACY_MODES.get(data.Mode) if data.Mode is not None else None
    rate_hs = facts.number(data.ghs_5s, hs, 0, MAX_HASHRATE_HS)
    if rate_hs is None and mode is not Mode.SLEEP:
        raise _no_rate("GHS 5s", data.ghs_5s, facts)
    fans = (data.fan1, data.fan2, data.fan3, data.fan4)
    return UnitReading(
        unit_id=facts.unit_id,
        at=facts.at,
        dialect=Dialect.LEGACY,
        mode=mode,
        identity=identity,
        uptime_s=facts.number(data.Elapsed, 1, 0, MAX_UPTIME_S),
        hashrate_5s_hs=rate_hs,
        hashrate_30m_hs=facts.number(data.rate_30m, hs, 0, MAX_HASHRATE_HS),
        hashrate_avg_hs=facts.number(data.ghs_av, hs, 0, MAX_HASHRATE_HS),
        hashrate_ideal_hs=facts.number(data.total_rateideal, hs, 0, MAX_HASHRATE_HS),
        power_watts=facts.number(data.power if data.power is not None else data.watt, 1, 0, MAX_WATTS),
        boards=tuple(_legacy_boards(data, hs, facts)),
        # A fan is known by its place: after one that was not told, the others have none.
        fan_rpm=_fans(fans[: fans.index(None)] if None in fans else fans, facts),
        pools=facts.pools,
        shares=facts.shares,
        repairs=tuple(sorted(facts.repairs)) if facts.repairs else (),
    )


def _legacy_boards(data: _Stats, hs: float, facts: _Facts) -> Iterator[BoardReading]:
    listed = data.miner_count if data.miner_count is not None else 0
    columns = zip(
        (data.chain_rate1, data.chain_rate2, data.chain_rate3, data.chain_rate4),
        (data.chain_acn1, data.chain_acn2, data.chain_acn3, data.chain_acn4),
        (data.chain_hw1, data.chain_hw2, data.chain_hw3, data.chain_hw4),
        (data.freq1, data.freq2, data.freq3, data.freq4),
        (data.temp_chip1, data.temp_chip2, data.temp_chip3, data.temp_chip4),
        (data.temp_pcb1, data.temp_pcb2, data.temp_pcb3, data.temp_pcb4),
        strict=True,
    )
    for slot, (rate, chips, hw_errors, frequency, chip_celsius, pcb_celsius) in enumerate(columns):
        # Observed: s19pro-stock-202212 lists a fourth slot with 0 chips and rate "" though the unit has three boards.
        hashrate_hs = facts.number(_number(rate, facts.repairs, is_text_normal=True), hs, 0, MAX_HASHRATE_HS)
        if not chips and not hashrate_hs and slot >= listed:
            continue
        yield BoardReading(
            slot=slot,
            hashrate_hs=hashrate_hs,
            chips=facts.whole(chips, MAX_CHIPS),
            chip_celsius=facts.celsius(_dashed(chip_celsius, facts.repairs)),
            pcb_celsius=facts.celsius(_dashed(pcb_celsius, facts.repairs)),
            frequency_hz=facts.number(frequency, HZ_PER_MHZ, 0, MAX_FREQUENCY_HZ),
            hw_errors=facts.whole(hw_errors, MAX_COUNT),
        )


def _fans(values: Sequence[float | None], facts: _Facts) -> tuple[float, ...]:
    """Give fan speeds; a fan that stands still is a measured 0.

    Hydro units list four fans that all stand still, because there are none (capture s19proplus-hyd-stock-202303). The
    reading keeps what the unit said; the nameplate knows that there are no fans.
    """
    speeds = tuple([rpm for rpm in values if rpm is not None and 0 <= rpm <= MAX_RPM])
    if len(speeds) == len(values) <= MAX_FANS:
        return speeds
    facts.repairs.add("implausible")
    return ()


def _hashes_per_unit(rate_unit: str | None) -> float:
    factor = _HS_PER_UNIT.get(rate_unit)
    if factor is None:
        raise UnsupportedReplyError(f"stats: rate_unit {str(rate_unit)[:20]!r} is not known")
    return factor


def _no_rate(key: str, value: float | None, facts: _Facts) -> MalformedReplyError | UnsupportedReplyError:
    if value is None:
        return UnsupportedReplyError(f"stats: no usable {key}, and no known shape of sleep: {excerpt(facts.payload)!r}")
    return MalformedReplyError(f"stats: {key} = {value:g} is beyond what a unit can do")


def _identity(known: Identity, info: _Info | None) -> Identity:
    """Give `known` itself when the reply adds nothing: one object a unit, not one a poll."""
    if info is None or (info.type, info.CompileTime, info.miner_version) == (known.model, known.firmware, known.miner):
        return known
    model, firmware, miner = _shared(info.type), _shared(info.CompileTime), _shared(info.miner_version)
    if model in {None, known.model} and firmware in {None, known.firmware} and miner in {None, known.miner}:
        return known
    is_same_firmware = firmware == known.firmware
    return Identity(model=model, firmware=firmware, miner=miner, api=known.api if is_same_firmware else None)


def read_version(data: bytes) -> tuple[Identity, tuple[str, ...]]:
    """Read a `version` reply: who the unit says it is, and the repairs that took.

    Raises:
        MalformedReplyError, RefusedError, UnsupportedReplyError: As `read_stats`.
    """
    reply = wire.accept(wire.decode_reply(data, "version"))
    row = _first_row(reply, "VERSION")
    identity = Identity(
        model=_shared(row.get("Type")),
        firmware=_shared(row.get("CompileTime")),
        api=_shared(row.get("API")),
        miner=_shared(row.get("Miner")),
    )
    return identity, reply.repairs


class SummaryReading(NamedTuple):
    """A `summary` reply: rates in H/s, uptime in s, and the share counters."""

    uptime_s: float | None
    hashrate_5s_hs: float | None
    hashrate_30m_hs: float | None
    hashrate_avg_hs: float | None
    shares: ShareReading
    repairs: tuple[str, ...]


def read_summary(data: bytes, *, at: float) -> SummaryReading:
    """Read a legacy `summary` reply.

    Raises:
        MalformedReplyError, RefusedError, UnsupportedReplyError: As `read_stats`.
    """
    reply = wire.accept(wire.decode_reply(data, "summary"))
    repairs = set(reply.repairs)
    row = _Row(_first_row(reply, "SUMMARY"), repairs)
    if not row.has("GHS 5s", "Elapsed"):
        raise UnsupportedReplyError(f"summary: neither GHS 5s nor Elapsed: {excerpt(data)!r}")
    return SummaryReading(
        uptime_s=row.number("Elapsed", MAX_UPTIME_S),
        hashrate_5s_hs=row.number("GHS 5s", MAX_HASHRATE_HS, HS_PER_GHS),
        hashrate_30m_hs=row.number("GHS 30m", MAX_HASHRATE_HS, HS_PER_GHS),
        hashrate_avg_hs=row.number("GHS av", MAX_HASHRATE_HS, HS_PER_GHS),
        shares=ShareReading(
            at=at,
            accepted=row.whole("Accepted"),
            rejected=row.whole("Rejected"),
            stale=row.whole("Stale"),
            difficulty_accepted=row.number("Difficulty Accepted", MAX_DIFFICULTY),
            difficulty_rejected=row.number("Difficulty Rejected", MAX_DIFFICULTY),
            difficulty_stale=row.number("Difficulty Stale", MAX_DIFFICULTY),
            hw_errors=row.whole("Hardware Errors"),
            best_share=row.number("Best Share", MAX_DIFFICULTY),
        ),
        repairs=tuple(sorted(repairs)),
    )


def read_pools(data: bytes) -> tuple[tuple[PoolReading, ...], tuple[str, ...]]:
    """Read a legacy `pools` reply: the pools in the unit's order, and the repairs that took.

    Raises:
        MalformedReplyError, RefusedError, UnsupportedReplyError: As `read_stats`.
    """
    reply = wire.accept(wire.decode_reply(data, "pools"))
    rows = reply.body.get("POOLS")
    if not isinstance(rows, list):
        raise UnsupportedReplyError(f"pools: no POOLS: {excerpt(data)!r}")
    repairs = set(reply.repairs)
    pools = []
    for position, item in enumerate(rows[:16]):
        if not isinstance(item, dict):
            repairs.add("wrong_type")
            continue
        row = _Row(item, repairs)
        index = row.whole("POOL")
        is_active = item.get("Stratum Active")
        pools.append(
            PoolReading(
                index=position if index is None else index,
                status=_shared(item.get("Status")),
                is_active=is_active if isinstance(is_active, bool) else None,
                url=_shared(item.get("URL")),
                user=_clean(item.get("User")),
                accepted=row.whole("Accepted"),
                rejected=row.whole("Rejected"),
                stale=row.whole("Stale"),
                difficulty_accepted=row.number("Difficulty Accepted", MAX_DIFFICULTY),
                difficulty_rejected=row.number("Difficulty Rejected", MAX_DIFFICULTY),
                difficulty_stale=row.number("Difficulty Stale", MAX_DIFFICULTY),
            )
        )
    return tuple(pools), tuple(sorted(repairs))


def is_invalid_command(error: RefusedError) -> bool:
    """Say whether a unit refused because it does not know the command, not because of who asked."""
    return error.code == INVALID_COMMAND


class _Row:
    """One JSON object's numbers, each scaled, bounded and finite, or None."""

    def __init__(self, row: dict[str, Any], repairs: set[str]) -> None:
        self._row, self._repairs = row, repairs

    def has(self, *keys: str) -> bool:
        return any(key in self._row for key in keys)

    def number(self, key: str, high: float, factor: float = 1) -> float | None:
        value = _number(self._row.get(key), self._repairs)
        if value is None:
            return None
        scaled = value * factor
        if not 0 <= scaled <= high:
            self._repairs.add("implausible")
            return None
        return scaled

    def whole(self, key: str) -> int | None:
        value = self.number(key, MAX_COUNT)
        return None if value is None else int(value)


def _first_row(reply: wire.Reply, key: str) -> dict[str, Any]:
    rows = reply.body.get(key)
    if not isinstance(rows, list) or not rows or not isinstance(rows[0], dict):
        raise UnsupportedReplyError(f"{reply.command}: no element in {key}")
    row: dict[str, Any] = rows[0]
    return row


def _check_status(command: str, status: _Status | None, payload: bytes) -> None:
    if status is None:
        raise UnsupportedReplyError(f"{command}: STATUS is empty: {excerpt(payload)!r}")
    if status.STATUS in {"S", "I", "W"}:
        return
    if status.STATUS in {"E", "F"}:
        raise RefusedError(f"{command}: code {status.Code}, {str(status.Msg)[:100]!r}", code=status.Code)
    raise UnsupportedReplyError(f"{command}: STATUS is {status.STATUS[:20]!r}")


def _number(value: Any, repairs: set[str], *, is_text_normal: bool = False) -> float | None:
    """Give a finite number, from a number or from text that is one; note in `repairs` what was not as it should be."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        repairs.add("wrong_type")
        return None
    try:
        number = float(value)
    except ValueError:
        repairs.add("wrong_type")
        return None
    except OverflowError:
        # The strict decoder takes an integer of up to 4300 digits.
        number = math.inf
    if not math.isfinite(number):
        repairs.add("out_of_range")
        return None
    if isinstance(value, str) and not is_text_normal:
        repairs.add("number_in_string")
    return number


_DASHES = re.compile(r"(?<=[0-9])-")


def _dashed(text: str | None, repairs: set[str]) -> tuple[float, ...]:
    """Read `"54-54-68-68"`; below zero it reads `"-3--4-10-12"`."""
    if not text:
        return ()
    return _all_or_none([_number(part, repairs, is_text_normal=True) for part in _DASHES.split(text[:100])], repairs)


def _all_or_none(numbers: Sequence[float | None], repairs: set[str]) -> tuple[float, ...]:
    """Give the numbers of a list, in which the place says what a number is: with one missing, none can be told."""
    if None in numbers:
        repairs.add("wrong_type")
        return ()
    return cast("tuple[float, ...]", tuple(numbers))


def _clean(value: Any) -> str | None:
    """Give a unit's text fit for a label or a terminal: printable, at most 64 characters; None for none."""
    if not isinstance(value, str):
        return None
    text = value[:64]
    if not text.isprintable():
        text = "".join(filter(str.isprintable, text))
    return text.strip() or None


def _shared(value: Any) -> str | None:
    """Give a text that many units tell alike as one object for all of them: 0.6 kB less a unit."""
    text = _clean(value)
    return None if text is None else sys.intern(text)


def _decode_leniently(payload: bytes, repairs: set[str]) -> _StatsReply:
    """Decode with the wire's repairs and take every field by itself; a bad one is absent, and counted."""
    reply = wire.decode_reply(payload, "stats")
    repairs.update(reply.repairs)
    is_new_api = isinstance(reply.body["STATUS"], dict) if "STATUS" in reply.body else "INFO" in reply.body
    code = _number(reply.code, repairs)
    status = _Status(STATUS=reply.status, Code=None if code is None else int(code), Msg=reply.message)
    items = reply.body.get("STATS")
    if items is None and reply.status in {"E", "F"}:
        items = []
    if not isinstance(items, list):
        raise UnsupportedReplyError(f"stats: no STATS: {excerpt(payload)!r}")
    info = reply.body.get("INFO")
    return _StatsReply(
        STATUS=status if is_new_api else (status,),
        STATS=tuple(_lenient(_Stats, item, repairs) for item in items[:_MAX_ITEMS]),
        INFO=None if info is None else _lenient(_Info, info, repairs),
    )


_Shape = TypeVar("_Shape", bound=msgspec.Struct)
_MAX_ITEMS: Final = 64


def _lenient(shape: type[_Shape], item: Any, repairs: set[str]) -> _Shape:
    """Something that is no object keeps its place, and says nothing."""
    values: dict[str, Any] = {}
    if not isinstance(item, dict):
        repairs.add("wrong_type")
        return shape()
    for field in msgspec.structs.fields(shape):
        value = item.get(field.encode_name)
        if value is not None:
            values[field.name] = _TAKE[field.type](value, repairs)
    return shape(**values)


def _take_text(value: Any, repairs: set[str]) -> str | None:
    if isinstance(value, str):
        return value
    repairs.add("wrong_type")
    return None


def _take_numbers(value: Any, repairs: set[str]) -> tuple[float, ...] | None:
    if not isinstance(value, list):
        repairs.add("wrong_type")
        return None
    return _all_or_none([_number(item, repairs) for item in value[:_MAX_ITEMS]], repairs)


def _take_number_or_text(value: Any, repairs: set[str]) -> float | str | None:
    return value if isinstance(value, str) else _number(value, repairs)


def _take_chains(value: Any, repairs: set[str]) -> tuple[_Chain, ...] | None:
    if not isinstance(value, list):
        repairs.add("wrong_type")
        return None
    return tuple(_lenient(_Chain, item, repairs) for item in value[:_MAX_ITEMS])


_TAKE: Final[dict[Any, Callable[[Any, set[str]], Any]]] = {
    _Number: _number,
    _Text: _take_text,
    _Numbers: _take_numbers,
    _NumberOrText: _take_number_or_text,
    tuple[_Chain, ...] | None: _take_chains,
}
