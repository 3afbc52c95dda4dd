"""The slow path for `stats` in the new_api dialect: a decoded reply to a reading, field by field."""

from collections.abc import Sequence
from typing import Final

from agent.errors import UnsupportedReplyError, excerpt
from agent.unit.antminer.reply_context import ReplyContext, fans, hashes_per_unit, known_identity, no_rate
from agent.unit.antminer.stats_schema import Chain, StatsReply
from agent.unit.antminer.temperatures import Arrays, sort_temperatures
from agent.unit.cgminer.fields import clean
from agent.unit.coolant import CoolantLayout
from agent.unit.limits import (
    HZ_PER_MHZ,
    MAX_BOARDS,
    MAX_CHIPS,
    MAX_COUNT,
    MAX_FREQUENCY_HZ,
    MAX_HASHRATE_HS,
    MAX_UPTIME_S,
    MAX_WATTS,
)
from agent.unit.reading import BoardReading, Dialect, Mode, UnitReading

# Documented (D42): `miner-mode` of the new_api dialect; set_miner_conf uses the same numbers.
NEW_API_MODES: Final[dict[float, Mode]] = {0: Mode.NORMAL, 1: Mode.SLEEP, 2: Mode.HIGH, 3: Mode.LOW}


def new_api_reading(reply: StatsReply, context: ReplyContext) -> UnitReading:
    """Return the reading of a reply whose STATUS is a success.

    Raises:
        MalformedReplyError, UnsupportedReplyError: As for `stats.read_stats`.
    """
    if not reply.STATS:
        raise UnsupportedReplyError(f"stats: no element in STATS: {excerpt(context.payload)!r}")
    stats = reply.STATS[0]
    hs = hashes_per_unit(stats.rate_unit)
    identity = known_identity(context.identity, reply.INFO)
    layout = context.layouts.of(identity.model, context.rated)
    mode = NEW_API_MODES.get(stats.miner_mode) if stats.miner_mode is not None else None
    rate_hs = context.number(stats.rate_5s, hs, 0, MAX_HASHRATE_HS)
    if rate_hs is None and mode is not Mode.SLEEP:
        raise no_rate("rate_5s", stats.rate_5s, context)
    return UnitReading(
        unit_id=context.unit_id,
        at=context.at,
        dialect=Dialect.NEW_API,
        mode=mode,
        identity=identity,
        uptime_s=context.number(stats.elapsed, 1, 0, MAX_UPTIME_S),
        hashrate_5s_hs=rate_hs,
        hashrate_30m_hs=context.number(stats.rate_30m, hs, 0, MAX_HASHRATE_HS),
        hashrate_avg_hs=context.number(stats.rate_avg, hs, 0, MAX_HASHRATE_HS),
        hashrate_ideal_hs=context.number(stats.rate_ideal, hs, 0, MAX_HASHRATE_HS),
        hashrate_sale_hs=context.number(stats.rate_sale, hs, 0, MAX_HASHRATE_HS) or None,
        coolant_layout=layout,
        power_watts=context.number(stats.power if stats.power is not None else stats.watt, 1, 0, MAX_WATTS),
        boards=_new_api_boards(stats.chain or (), hs, layout, context),
        fan_rpm=fans(stats.fan or (), context),
        pools=context.pools,
        shares=context.shares,
        repairs=tuple(sorted(context.repairs)) if context.repairs else (),
    )


def _new_api_boards(
    chains: Sequence[Chain], hs: float, layout: CoolantLayout, context: ReplyContext
) -> tuple[BoardReading, ...]:
    """Return one board per slot, in slot order; if two claim a slot, the first keeps it."""
    listed = [
        _new_api_board(position, chain, hs, layout, context) for position, chain in enumerate(chains[:MAX_BOARDS])
    ]
    if len(listed) == len(chains) and [board.slot for board in listed] == list(range(len(listed))):
        return tuple(listed)
    boards: dict[int, BoardReading] = {}
    for board in listed:
        boards.setdefault(board.slot, board)
    if len(boards) < len(chains):
        context.repairs.add("implausible")
    return tuple(boards[slot] for slot in sorted(boards))


def _new_api_board(
    position: int, chain: Chain, hs: float, layout: CoolantLayout, context: ReplyContext
) -> BoardReading:
    arrays = Arrays(chain.temp_chip, chain.temp_pcb, chain.temp_pic, chain.temp_in, chain.temp_out)
    chips, board, coolant = sort_temperatures(arrays, layout, context)
    slot = context.whole(chain.index, MAX_BOARDS - 1)
    return BoardReading(
        slot=position if slot is None else slot,
        hashrate_hs=context.number(chain.rate_real, hs, 0, MAX_HASHRATE_HS),
        chips=context.whole(chain.asic_num, MAX_CHIPS),
        chip_celsius=chips,
        pcb_celsius=board,
        coolant_celsius=coolant,
        frequency_hz=context.number(chain.freq_avg, HZ_PER_MHZ, 0, MAX_FREQUENCY_HZ),
        hw_errors=context.whole(chain.hw, MAX_COUNT),
        serial=clean(chain.sn),
    )
