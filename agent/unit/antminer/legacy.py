"""The slow path for `stats` in the legacy dialect: a decoded reply to a reading, field by field."""

from collections.abc import Iterator
from typing import Final

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
from agent.unit.antminer.stats_schema import MAX_ITEMS, DecodedStats, Info, Stats, Status, decode_leniently
from agent.unit.antminer.temperatures import Arrays, sort_temperatures
from agent.unit.cgminer.fields import dashed, number
from agent.unit.cgminer.firmware import firmware_of, is_luxos
from agent.unit.cgminer.rates import Rates, hashes_per_unit
from agent.unit.chip_map import marked_map
from agent.unit.coolant import CoolantLayout
from agent.unit.limits import (
    HZ_PER_MHZ,
    MAX_CHIPS,
    MAX_COUNT,
    MAX_FREQUENCY_HZ,
    MAX_HASHRATE_HS,
    MAX_UPTIME_S,
)
from agent.unit.model_names import names_firmware
from agent.unit.reading import BoardReading, Dialect, Identity, Mode, UnitReading

# `Mode` is numbered differently from `miner-mode`. Observed (O60): 2 while hashing, s19pro-stock-202212.
# Documented (D44): 1 asleep, on an S21+ of line C.
_LEGACY_MODES: Final[dict[float, Mode]] = {1: Mode.SLEEP, 2: Mode.NORMAL}
SLOTS: Final = ("1", "2", "3", "4")
"""Numbers at the end of the keys of slots that are read."""


def legacy_reading(decoded: DecodedStats, status: Status, context: ReplyContext) -> PartialReading:
    """Return the reading of a reply whose STATUS is a success.

    Raises:
        UnsupportedReplyError: STATS is empty, or the unit of its rates is unknown.
    """
    items = decoded.reply.STATS[:MAX_ITEMS]
    if not items:
        raise UnsupportedReplyError(f"stats: {context.described('no element in STATS')}")
    header = items[0]
    identity = known_identity(
        context.known.identity, Info(type=header.Type, CompileTime=header.CompileTime, miner_version=header.Miner)
    )
    place = next((at for at, item in enumerate(items) if item.ghs_5s is not None or item.Elapsed is not None), None)
    rows = decoded.rows
    if place is None:
        # Observed (O61): s21-stock-202410-sleep and t21-stock-202501-sleep answer with the header alone.
        # Assumed (A30): a header alone means sleep and nothing else.
        if (
            len(items) == 1
            and header.Type is not None
            and (rows is None or Elsewhere(rows[0], context).state() is None)
        ):
            return PartialReading(_header_alone(identity, context), None)
        place = len(items) - 1
    data = items[place]
    if rows is None and data.ghs_5s is None:
        rows = decode_leniently(context.payload, context.repairs).rows
    elsewhere = Elsewhere(rows[place], context) if rows else None
    reading = _reading(data, identity, elsewhere, context, status)
    if reading.hashrate_5s_hs is None and reading.mode is not Mode.SLEEP:
        return PartialReading(reading, no_rate("GHS 5s", data.ghs_5s, context))
    return PartialReading(reading, None)


def _header_alone(identity: Identity, context: ReplyContext) -> UnitReading:
    return UnitReading(
        unit_id=context.known.unit_id,
        at=context.known.at,
        dialect=Dialect.LEGACY,
        mode=Mode.SLEEP,
        identity=identity,
        pools=context.known.pools,
        shares=context.known.shares,
        repairs=context.repairs_used(),
    )


def _reading(
    data: Stats, identity: Identity, elsewhere: Elsewhere | None, context: ReplyContext, status: Status
) -> UnitReading:
    hs = hashes_per_unit(data.rate_unit, "stats")
    program = (status.Description, status.Msg)
    speeds = [data.fan1, data.fan2, data.fan3, data.fan4]
    while speeds and speeds[-1] is None:
        speeds.pop()
    rates = _rates(data, hs, elsewhere, context)
    stand_in_hs, stand_in_window_s = None, None
    uptime_s = context.number(data.Elapsed, 1, 0, MAX_UPTIME_S)
    if rates.five_s_hs is None and data.ghs_5s is None and rates.others:
        stand_in_hs, stand_in_window_s = rates.stand_in(uptime_s) or (None, None)
    layout = context.known.layout_of(identity.model)
    boards = tuple(_boards(data, hs, layout, elsewhere, context, is_average=is_luxos(*program)))
    state = elsewhere.state(SLOTS) if elsewhere is not None else None
    power = context.watts(data.power, data.watt)
    if elsewhere is not None:
        of_boards = [elsewhere.board_watts(SLOTS[board.slot]) for board in boards]
        power = elsewhere.watts(boards, of_boards) or power
    return UnitReading(
        unit_id=context.known.unit_id,
        at=context.known.at,
        dialect=Dialect.LEGACY,
        mode=mode_of(data.Mode, _LEGACY_MODES, state, context),
        identity=identity,
        uptime_s=uptime_s,
        hashrate_5s_hs=rates.five_s_hs,
        hashrate_30m_hs=rates.thirty_min_hs,
        hashrate_avg_hs=rates.average_hs,
        hashrate_ideal_hs=context.number(data.total_rateideal, hs, 0, MAX_HASHRATE_HS),
        stand_in_hs=stand_in_hs,
        stand_in_window_s=stand_in_window_s,
        power_watts=None if power is None else power.watts,
        power_kind=None if power is None else power.kind,
        boards=boards,
        coolant_layout=layout,
        fan_rpm=fans(speeds, context),
        pools=context.known.pools,
        shares=context.known.shares,
        faults=() if state is None or state.fault is None else (state.fault,),
        # Observed (O97): on other firmware the ideal rate follows the profile.
        is_profile_ideal=state is not None or firmware_of(*program) is not None or names_firmware(identity.model or ""),
        repairs=context.repairs_used(),
    )


def _rates(data: Stats, hs: float, elsewhere: Elsewhere | None, context: ReplyContext) -> Rates:
    own = Rates(
        context.number(data.ghs_5s, hs, 0, MAX_HASHRATE_HS),
        context.number(data.rate_30m, hs, 0, MAX_HASHRATE_HS),
        context.number(data.ghs_av, hs, 0, MAX_HASHRATE_HS),
    )
    return own if data.ghs_5s is not None or elsewhere is None else elsewhere.rates().beside(own)


def _boards(
    data: Stats,
    hs: float,
    layout: CoolantLayout,
    elsewhere: Elsewhere | None,
    context: ReplyContext,
    *,
    is_average: bool,
) -> Iterator[BoardReading]:
    listed = data.miner_count if data.miner_count is not None else 0
    columns = zip(
        (data.chain_rate1, data.chain_rate2, data.chain_rate3, data.chain_rate4),
        (data.chain_acn1, data.chain_acn2, data.chain_acn3, data.chain_acn4),
        (data.chain_acs1, data.chain_acs2, data.chain_acs3, data.chain_acs4),
        (data.chain_hw1, data.chain_hw2, data.chain_hw3, data.chain_hw4),
        (data.freq1, data.freq2, data.freq3, data.freq4),
        (data.temp_chip1, data.temp_chip2, data.temp_chip3, data.temp_chip4),
        (data.temp_pcb1, data.temp_pcb2, data.temp_pcb3, data.temp_pcb4),
        (data.temp_pic1, data.temp_pic2, data.temp_pic3, data.temp_pic4),
        strict=True,
    )
    for slot, (rate, acn, chip_map, hw_errors, frequency, *texts) in enumerate(columns):
        # Observed (O27): s19pro-stock-202212 lists a fourth slot with 0 chips and rate "", but has three boards.
        hashrate_hs = context.number(number(rate, context.repairs, is_text_normal=True), hs, 0, MAX_HASHRATE_HS)
        if not acn and not hashrate_hs and slot >= listed:
            continue
        chips = context.whole(acn, MAX_CHIPS)
        frequency_hz = context.number(frequency, HZ_PER_MHZ, 0, MAX_FREQUENCY_HZ)
        if frequency_hz is None and elsewhere is not None:
            frequency_hz = elsewhere.clock_hz(SLOTS[slot])
        arrays = Arrays(*[dashed(text, context.repairs) for text in texts])
        chip_celsius, pcb_celsius, coolant_celsius = sort_temperatures(arrays, layout, context)
        yield BoardReading(
            slot=slot,
            hashrate_hs=hashrate_hs,
            is_average=is_average,
            chips=chips,
            chip_celsius=chip_celsius,
            pcb_celsius=pcb_celsius,
            coolant_celsius=coolant_celsius,
            bad_chips=bad_chips(chip_map, chips),
            chip_map=marked_map(chip_map),
            frequency_hz=frequency_hz,
            hw_errors=context.whole(hw_errors, MAX_COUNT),
        )
