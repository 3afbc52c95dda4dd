"""The fast path for `stats`: a regular new_api reply, which most units send at nearly every poll.

The types here carry the bounds of `limits`, so one decode in C checks that every number is a number and plausible.
Anything irregular is left to the slow path: the legacy dialect, a number in quotes, a hydro layout, unordered boards.
The slow path reads field by field and reports each repair. Both paths make the same reading of the same reply.
"""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta

from agent.unit.antminer.new_api import NEW_API_MODES
from agent.unit.antminer.reply_context import Known, bad_chips, without_zeros
from agent.unit.antminer.stats_schema import Info, Status
from agent.unit.cgminer.fields import clean
from agent.unit.cgminer.wire import MAX_REPAIRED_BYTES
from agent.unit.chip_map import marked_map
from agent.unit.coolant import CoolantLayout
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
    MAX_SENSORS,
    MAX_UPTIME_S,
    MAX_WATTS,
    MIN_CELSIUS,
)
from agent.unit.reading import BoardReading, Dialect, PowerKind, UnitReading

_LONGEST_SERIAL: Final = 64
_SPELLINGS: Final = {
    "miner_mode": "miner-mode",
    "psu_power_spaced": "PSU Power",
    "input_power_spaced": "Input Power",
    "total_power_spaced": "Total Power",
    "power_consumption_spaced": "Power Consumption",
    "psu_input_power_spaced": "PSU Input Power",
}

_Ghs = Annotated[float, Meta(ge=0, le=MAX_HASHRATE_HS / HS_PER_GHS)] | None
# Whole degrees, as all firmware sends them, stay integers: Python keeps one object for each small integer.
_Degrees = (
    Annotated[int, Meta(ge=int(MIN_CELSIUS), le=int(MAX_CELSIUS))]
    | Annotated[float, Meta(ge=MIN_CELSIUS, le=MAX_CELSIUS)]
)
_Celsius = Annotated[tuple[_Degrees, ...], Meta(max_length=MAX_SENSORS)] | None
# Keys of the coolant's own: with anything in them the reply needs the slow path.
_Empty = Annotated[tuple[float, ...], Meta(max_length=0)] | None
_Watts = Annotated[float, Meta(ge=0, le=MAX_WATTS)] | None


# The fields are in the firmware's order, which is where the decoder looks first.
class _Chain(msgspec.Struct, frozen=True, gc=False):
    index: Annotated[int, Meta(ge=0, le=MAX_BOARDS - 1)] | None = None
    freq_avg: Annotated[float, Meta(ge=0, le=MAX_FREQUENCY_HZ / HZ_PER_MHZ)] | None = None
    rate_real: _Ghs = None
    asic_num: Annotated[int, Meta(ge=0, le=MAX_CHIPS)] | None = None
    asic: str | None = None
    temp_pcb: _Celsius = None
    temp_chip: _Celsius = None
    hw: Annotated[int, Meta(ge=0, le=int(MAX_COUNT))] | None = None
    sn: Annotated[str, Meta(max_length=_LONGEST_SERIAL)] | None = None
    # Last, because hardly any firmware sends them.
    temp_in: _Empty = None
    temp_out: _Empty = None
    # As at the end of `_Stats`.
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


class _Stats(msgspec.Struct, frozen=True, gc=False, rename=_SPELLINGS):
    elapsed: Annotated[float, Meta(ge=0, le=MAX_UPTIME_S)] | None = None
    rate_5s: _Ghs = None
    rate_30m: _Ghs = None
    rate_avg: _Ghs = None
    rate_ideal: _Ghs = None
    rate_sale: _Ghs = None
    rate_unit: str | None = None
    fan: Annotated[tuple[Annotated[float, Meta(ge=0, le=MAX_RPM)], ...], Meta(max_length=MAX_FANS)] | None = None
    miner_mode: int | None = None
    chain: Annotated[tuple[_Chain, ...], Meta(max_length=MAX_BOARDS)] | None = None
    power: _Watts = None
    watt: _Watts = None
    # Keys of other firmware, last and of type None: any value fails, at no cost to replies without them.
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


class _Reply(msgspec.Struct, frozen=True, gc=False):
    STATUS: Status
    INFO: Info
    STATS: Annotated[tuple[_Stats, ...], Meta(min_length=1, max_length=1)]


_decode = msgspec.json.Decoder(_Reply).decode


def fast_reading(data: bytes, known: Known) -> UnitReading | None:
    """Return the reading of a regular reply of a unit without coolant sensors; None if it needs the slow path.

    Args:
        data: The reply as received.
        known: The values from before it.
    """
    unit_id, at, identity, pools, shares, _, layouts = known
    if identity.model not in layouts.without_coolant and known.layout_of(identity.model) is not CoolantLayout.NONE:
        return None
    if len(data) > MAX_REPAIRED_BYTES:
        # Longer than any regular reply; the slow path looks at its shape before it decodes anything.
        return None
    try:
        reply = _decode(data[:-1] if data.endswith(b"\0") else data)
    except (ValueError, RecursionError):
        return None
    info, stats = reply.INFO, reply.STATS[0]
    if (
        reply.STATUS.STATUS != "S"
        or stats.rate_unit != "GH/s"
        or stats.rate_5s is None
        or stats.miner_mode is None
        # An identity that differs from the known one is rare, and left to the slow path.
        or info.type != identity.model
        or info.CompileTime != identity.firmware
        or info.miner_version != identity.miner
    ):
        return None
    boards = []
    for place, chain in enumerate(stats.chain or ()):
        if chain.index != place:
            return None
        rate_ghs, frequency_mhz, serial, asic = chain.rate_real, chain.freq_avg, chain.sn, chain.asic
        chips, pcb = chain.temp_chip or (), chain.temp_pcb or ()
        boards.append(
            BoardReading(
                slot=place,
                hashrate_hs=None if rate_ghs is None else rate_ghs * HS_PER_GHS,
                chips=chain.asic_num,
                # Observed (O57): exactly 0 stands for a missing sensor.
                chip_celsius=chips if 0 not in chips else without_zeros(chips),
                pcb_celsius=pcb if 0 not in pcb else without_zeros(pcb),
                bad_chips=None if not asic else bad_chips(asic, chain.asic_num) if "x" in asic else 0,
                chip_map=marked_map(asic) if asic and "x" in asic else UNSET,
                frequency_hz=None if frequency_mhz is None else frequency_mhz * HZ_PER_MHZ,
                hw_errors=chain.hw,
                serial=serial if serial and serial.isalnum() else clean(serial),
            )
        )
    watts = stats.power or stats.watt
    if watts is None:
        watts = stats.power
    rate_30m_ghs, rate_avg_ghs, rate_ideal_ghs = stats.rate_30m, stats.rate_avg, stats.rate_ideal
    reading = UnitReading(
        unit_id=unit_id,
        at=at,
        dialect=Dialect.NEW_API,
        mode=NEW_API_MODES.get(stats.miner_mode),
        identity=identity,
        uptime_s=stats.elapsed,
        hashrate_5s_hs=stats.rate_5s * HS_PER_GHS,
        hashrate_30m_hs=None if rate_30m_ghs is None else rate_30m_ghs * HS_PER_GHS,
        hashrate_avg_hs=None if rate_avg_ghs is None else rate_avg_ghs * HS_PER_GHS,
        hashrate_ideal_hs=None if rate_ideal_ghs is None else rate_ideal_ghs * HS_PER_GHS,
        power_watts=watts,
        boards=tuple(boards),
        fan_rpm=stats.fan or (),
        pools=pools,
        shares=shares,
    )
    sold_ghs = stats.rate_sale
    if watts is not None or sold_ghs:
        # CPython hands over more than 15 keywords in a dictionary, which would take every reply a tenth longer.
        reading = msgspec.structs.replace(
            reading,
            power_kind=None if watts is None else PowerKind.ESTIMATED,
            hashrate_sale_hs=sold_ghs * HS_PER_GHS if sold_ghs else None,
        )
    return reading
