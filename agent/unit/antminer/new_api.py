"""The slow path for `stats` in the new_api dialect: a decoded reply to a reading, field by field."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from agent.errors import UnsupportedReplyError
from agent.unit.antminer.elsewhere import Elsewhere
from agent.unit.antminer.reply_context import (
    PartialReading,
    ReplyContext,
    bad_chips,
    fans,
    known_identity,
    mode_of,
    no_rate,
)
from agent.unit.antminer.stats_schema import Chain, DecodedStats, Stats, decode_leniently
from agent.unit.antminer.temperatures import Arrays, sort_temperatures
from agent.unit.cgminer.fields import clean
from agent.unit.cgminer.rates import Rates, hashes_per_unit
from agent.unit.chip_map import marked_map
from agent.unit.coolant import CoolantLayout
from agent.unit.limits import (
    HZ_PER_MHZ,
    MAX_BOARDS,
    MAX_CHIPS,
    MAX_COUNT,
    MAX_FREQUENCY_HZ,
    MAX_HASHRATE_HS,
    MAX_UPTIME_S,
)
from agent.unit.reading import BoardReading, Dialect, Mode, UnitReading

# Documented (D42): `miner-mode` of the new_api dialect; set_miner_conf uses the same numbers.
NEW_API_MODES: Final[dict[float, Mode]] = {0: Mode.NORMAL, 1: Mode.SLEEP, 2: Mode.HIGH, 3: Mode.LOW}


def new_api_reading(decoded: DecodedStats, context: ReplyContext) -> PartialReading:
    """Return the reading of a reply whose STATUS is a success.

    Raises:
        UnsupportedReplyError: STATS is empty, or the unit of its rates is unknown.
    """
    if not decoded.reply.STATS:
        raise UnsupportedReplyError(f"stats: {context.described('no element in STATS')}")
    stats, rows = decoded.reply.STATS[0], decoded.rows
    hs = hashes_per_unit(stats.rate_unit, "stats")
    identity = known_identity(context.known.identity, decoded.reply.INFO)
    if rows is None and stats.rate_5s is None:
        rows = decode_leniently(context.payload, context.repairs).rows
    elsewhere = Elsewhere(rows[0], context) if rows else None
    rates = _rates(stats, hs, elsewhere, context)
    uptime_s = context.number(stats.elapsed, 1, 0, MAX_UPTIME_S)
    stand_in_hs, stand_in_window_s = None, None
    if rates.five_s_hs is None and stats.rate_5s is None and rates.others:
        stand_in_hs, stand_in_window_s = rates.stand_in(uptime_s) or (None, None)
    chains = stats.chain or ()
    layout = context.known.layout_of(identity.model)
    boards, others = _new_api_boards(chains, hs, layout, context), _other_boards(rows, context)
    if others:
        boards = _with_clocks(boards, others)
    state = elsewhere.state() if elsewhere is not None else None
    power = context.watts(stats.power, stats.watt)
    if elsewhere is not None:
        of_boards = [others[board.slot].board_watts() if board.slot in others else None for board in boards]
        power = elsewhere.watts(boards, of_boards) or power
    reading = UnitReading(
        unit_id=context.known.unit_id,
        at=context.known.at,
        dialect=Dialect.NEW_API,
        mode=mode_of(stats.miner_mode, NEW_API_MODES, state, context),
        identity=identity,
        uptime_s=uptime_s,
        hashrate_5s_hs=rates.five_s_hs,
        hashrate_30m_hs=rates.thirty_min_hs,
        hashrate_avg_hs=rates.average_hs,
        hashrate_ideal_hs=context.number(stats.rate_ideal, hs, 0, MAX_HASHRATE_HS),
        hashrate_sale_hs=context.number(stats.rate_sale, hs, 0, MAX_HASHRATE_HS) or None,
        coolant_layout=layout,
        stand_in_hs=stand_in_hs,
        stand_in_window_s=stand_in_window_s,
        power_watts=None if power is None else power.watts,
        power_kind=None if power is None else power.kind,
        boards=boards,
        fan_rpm=fans(stats.fan or (), context),
        pools=context.known.pools,
        shares=context.known.shares,
        faults=() if state is None or state.fault is None else (state.fault,),
        is_profile_ideal=state is not None,
        repairs=context.repairs_used(),
    )
    if reading.hashrate_5s_hs is None and reading.mode is not Mode.SLEEP:
        return PartialReading(reading, no_rate("rate_5s", stats.rate_5s, context))
    return PartialReading(reading, None)


def _rates(stats: Stats, hs: float, elsewhere: Elsewhere | None, context: ReplyContext) -> Rates:
    own = Rates(
        context.number(stats.rate_5s, hs, 0, MAX_HASHRATE_HS),
        context.number(stats.rate_30m, hs, 0, MAX_HASHRATE_HS),
        context.number(stats.rate_avg, hs, 0, MAX_HASHRATE_HS),
    )
    return own if stats.rate_5s is not None or elsewhere is None else elsewhere.rates().beside(own)


def _other_boards(rows: Sequence[Mapping[str, Any]] | None, context: ReplyContext) -> dict[int, Elsewhere]:
    """Return the other keys of each board by slot, from the plain JSON; empty without it."""
    chains = rows[0].get("chain") if rows else None
    if not isinstance(chains, list):
        return {}
    by_slot: dict[int, Elsewhere] = {}
    for position, chain in enumerate(chains[:MAX_BOARDS]):
        if isinstance(chain, dict):
            index = chain.get("index")
            by_slot.setdefault(index if isinstance(index, int) else position, Elsewhere(chain, context))
    return by_slot


def _with_clocks(boards: tuple[BoardReading, ...], others: Mapping[int, Elsewhere]) -> tuple[BoardReading, ...]:
    return tuple(
        [
            msgspec.structs.replace(board, frequency_hz=others[board.slot].clock_hz())
            if board.frequency_hz is None and board.slot in others
            else board
            for board in boards
        ]
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
    coolant = [(value,) if isinstance(value, float) else value for value in (chain.temp_in, chain.temp_out)]
    arrays = Arrays(chain.temp_chip, chain.temp_pcb, chain.temp_pic, *coolant)
    chips, board, water = sort_temperatures(arrays, layout, context)
    slot, asic_num = context.whole(chain.index, MAX_BOARDS - 1), context.whole(chain.asic_num, MAX_CHIPS)
    return BoardReading(
        slot=position if slot is None else slot,
        hashrate_hs=context.number(chain.rate_real, hs, 0, MAX_HASHRATE_HS),
        chips=asic_num,
        chip_celsius=chips,
        pcb_celsius=board,
        coolant_celsius=water,
        bad_chips=bad_chips(chain.asic, asic_num),
        chip_map=marked_map(chain.asic),
        frequency_hz=context.number(chain.freq_avg, HZ_PER_MHZ, 0, MAX_FREQUENCY_HZ),
        hw_errors=context.whole(chain.hw, MAX_COUNT),
        serial=clean(chain.sn),
    )
