"""The slow path for `stats` in the legacy dialect: a decoded reply to a reading, field by field."""

from collections.abc import Iterator
from typing import Final

from agent.errors import UnsupportedReplyError, excerpt
from agent.unit.antminer.reply_context import ReplyContext, fans, hashes_per_unit, known_identity, no_rate
from agent.unit.antminer.stats_schema import Info, Stats, StatsReply
from agent.unit.antminer.temperatures import Arrays, sort_temperatures
from agent.unit.cgminer.fields import dashed, number
from agent.unit.coolant import CoolantLayout
from agent.unit.limits import (
    HZ_PER_MHZ,
    MAX_CHIPS,
    MAX_COUNT,
    MAX_FREQUENCY_HZ,
    MAX_HASHRATE_HS,
    MAX_UPTIME_S,
    MAX_WATTS,
)
from agent.unit.reading import BoardReading, Dialect, Mode, UnitReading

# `Mode` is numbered differently from `miner-mode`. Observed (O60): 2 while hashing, s19pro-stock-202212.
# Documented (D44): 1 asleep, on an S21+ of line C.
_LEGACY_MODES: Final[dict[float, Mode]] = {1: Mode.SLEEP, 2: Mode.NORMAL}


def legacy_reading(reply: StatsReply, context: ReplyContext) -> UnitReading:
    """Return the reading of a reply whose STATUS is a success.

    Raises:
        MalformedReplyError, UnsupportedReplyError: As for `stats.read_stats`.
    """
    if not reply.STATS:
        raise UnsupportedReplyError(f"stats: no element in STATS: {excerpt(context.payload)!r}")
    header = reply.STATS[0]
    identity = known_identity(
        context.identity, Info(type=header.Type, CompileTime=header.CompileTime, miner_version=header.Miner)
    )
    data = next((item for item in reply.STATS if item.ghs_5s is not None or item.Elapsed is not None), None)
    if data is None:
        # Observed (O61): s21-stock-202410-sleep and t21-stock-202501-sleep answer with the header alone.
        # Assumed (A30): a header alone means sleep and nothing else.
        if len(reply.STATS) == 1 and header.Type is not None:
            return UnitReading(
                unit_id=context.unit_id,
                at=context.at,
                dialect=Dialect.LEGACY,
                mode=Mode.SLEEP,
                identity=identity,
                pools=context.pools,
                shares=context.shares,
                repairs=tuple(sorted(context.repairs)) if context.repairs else (),
            )
        raise no_rate("GHS 5s", None, context)
    hs = hashes_per_unit(data.rate_unit)
    layout = context.layouts.of(identity.model, context.rated)
    mode = _LEGACY_MODES.get(data.Mode) if data.Mode is not None else None
    rate_hs = context.number(data.ghs_5s, hs, 0, MAX_HASHRATE_HS)
    if rate_hs is None and mode is not Mode.SLEEP:
        raise no_rate("GHS 5s", data.ghs_5s, context)
    speeds = [data.fan1, data.fan2, data.fan3, data.fan4]
    while speeds and speeds[-1] is None:
        speeds.pop()
    return UnitReading(
        unit_id=context.unit_id,
        at=context.at,
        dialect=Dialect.LEGACY,
        mode=mode,
        identity=identity,
        uptime_s=context.number(data.Elapsed, 1, 0, MAX_UPTIME_S),
        hashrate_5s_hs=rate_hs,
        hashrate_30m_hs=context.number(data.rate_30m, hs, 0, MAX_HASHRATE_HS),
        hashrate_avg_hs=context.number(data.ghs_av, hs, 0, MAX_HASHRATE_HS),
        hashrate_ideal_hs=context.number(data.total_rateideal, hs, 0, MAX_HASHRATE_HS),
        power_watts=context.number(data.power if data.power is not None else data.watt, 1, 0, MAX_WATTS),
        boards=tuple(_legacy_boards(data, hs, layout, context)),
        coolant_layout=layout,
        fan_rpm=fans(speeds, context),
        pools=context.pools,
        shares=context.shares,
        repairs=tuple(sorted(context.repairs)) if context.repairs else (),
    )


def _legacy_boards(data: Stats, hs: float, layout: CoolantLayout, context: ReplyContext) -> Iterator[BoardReading]:
    listed = data.miner_count if data.miner_count is not None else 0
    columns = zip(
        (data.chain_rate1, data.chain_rate2, data.chain_rate3, data.chain_rate4),
        (data.chain_acn1, data.chain_acn2, data.chain_acn3, data.chain_acn4),
        (data.chain_hw1, data.chain_hw2, data.chain_hw3, data.chain_hw4),
        (data.freq1, data.freq2, data.freq3, data.freq4),
        (data.temp_chip1, data.temp_chip2, data.temp_chip3, data.temp_chip4),
        (data.temp_pcb1, data.temp_pcb2, data.temp_pcb3, data.temp_pcb4),
        (data.temp_pic1, data.temp_pic2, data.temp_pic3, data.temp_pic4),
        strict=True,
    )
    for slot, (rate, chips, hw_errors, frequency, *texts) in enumerate(columns):
        # Observed (O27): s19pro-stock-202212 lists a fourth slot with 0 chips and rate "", but has three boards.
        hashrate_hs = context.number(number(rate, context.repairs, is_text_normal=True), hs, 0, MAX_HASHRATE_HS)
        if not chips and not hashrate_hs and slot >= listed:
            continue
        arrays = Arrays(*[dashed(text, context.repairs) for text in texts])
        chip_celsius, pcb_celsius, coolant_celsius = sort_temperatures(arrays, layout, context)
        yield BoardReading(
            slot=slot,
            hashrate_hs=hashrate_hs,
            chips=context.whole(chips, MAX_CHIPS),
            chip_celsius=chip_celsius,
            pcb_celsius=pcb_celsius,
            coolant_celsius=coolant_celsius,
            frequency_hz=context.number(frequency, HZ_PER_MHZ, 0, MAX_FREQUENCY_HZ),
            hw_errors=context.whole(hw_errors, MAX_COUNT),
        )
