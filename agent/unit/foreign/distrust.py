"""Rules for believing pyasic's figures, make by make. Pure.

pyasic fills in what a unit did not say: boards from its own list of models, a work state of True, an expected rate made
of the measured one. So only this is taken: identity, boards that answered, pools, fans that turn, watts as an estimate,
and a rate whose window nobody tells.

| Make | Documented (D260, D265) | Here |
|---|---|---|
| all | `expected_*` follows the profile or the rate itself; `is_mining` is True by default | never read |
| all | zeros stand for what was not told | no value; the state of such a unit is not known |
| all | boards are counted by pyasic's model, whose last digit may be wrong | fewer than the row's: unknown |
| all | boards after one that lacks a key count as missing | unknown, if the total says that they hash |
| Avalon | its boards' rates are means since the start, and so is their sum | boards marked; the total is `summary` |
| Whatsminer | a refused request leaves every figure empty, without an error | an error |
| Whatsminer | the last digit of its model is replaced by 0 | no model of a Whatsminer is held against its row |
| ePIC | twelve places of fans, most of them empty | empty places are left out |
"""

from typing import Final

from agent.errors import UnsupportedReplyError
from agent.unit.cgminer.fields import pool_text
from agent.unit.foreign.protocol import Answer, Board, Data, Fan, Pool, Rate, error_of
from agent.unit.limits import (
    MAX_BOARDS,
    MAX_CELSIUS,
    MAX_CHIPS,
    MAX_COUNT,
    MAX_FANS,
    MAX_HASHRATE_HS,
    MAX_RPM,
    MAX_UPTIME_S,
    MAX_WATTS,
)
from agent.unit.nameplate import Nameplate
from agent.unit.reading import BoardReading, Dialect, Identity, Places, PoolReading, PowerKind, UnitReading

READER: Final = "foreign"
_MOST_POOLS: Final = 16
_LONGEST_TEXT: Final = 120
# A total this far above what is left of the boards is no board's loss: pyasic gave up at a key that one of them lacks.
_GAVE_UP_RATIO: Final = 1.25
_NAMELESS: Final = frozenset({"", "none", "unknown"})


def reading_of(answer: Answer, unit_id: str, nameplate: Nameplate | None, *, at: float) -> UnitReading:
    """Return what is believed of an answer, for the rules of `consistency`; `without_window` comes after them.

    Args:
        answer: As the process wrote it.
        unit_id: The ledger's name for the unit.
        nameplate: Its rating in the ledger; None if it is not known.
        at: Unix time of the answer, s.

    Raises:
        PollError: There are no figures, or none that is believed.
    """
    data = answer.data
    if answer.error is not None or data is None:
        raise error_of(answer)
    is_avalon = _is_make(answer, "avalon")
    rate_hs = _rate_hs(answer.summary)
    boards = _boards(data, nameplate, rate_hs, are_averages=is_avalon)
    if rate_hs is None and not is_avalon:
        rate_hs = _sum_hs(data.hashboards)
    uptime_s = _positive(data.uptime, MAX_UPTIME_S)
    watts = _positive(data.wattage, MAX_WATTS)
    if rate_hs is None and uptime_s is None and watts is None and not boards and not data.pools:
        raise UnsupportedReplyError("pyasic read not one figure: the unit refused its request, or said nothing")
    return UnitReading(
        unit_id=unit_id,
        at=at,
        dialect=Dialect.LEGACY,
        mode=None,
        identity=_identity(answer, data),
        # An uptime would explain a missing rate as a start; nothing is known of a unit without a rate.
        uptime_s=None if rate_hs is None else uptime_s,
        hashrate_5s_hs=rate_hs,
        power_watts=watts,
        power_kind=None if watts is None else PowerKind.ESTIMATED,
        boards=boards,
        fan_rpm=_fans(data.fans),
        pools=tuple(_pool(place, pool) for place, pool in enumerate(data.pools[:_MOST_POOLS])),
        reader=READER,
    )


def _is_make(answer: Answer, name: str) -> bool:
    return name in (answer.make or "").casefold()


def _positive(value: float | None, most: float) -> float | None:
    """Return a value above zero and within its bound; pyasic's zero may stand for nothing told."""
    return value if value is not None and 0.0 < value <= most else None


def _identity(answer: Answer, data: Data) -> Identity:
    # Documented (D260): pyasic replaces the last digit of a Whatsminer's model by 0.
    model = None if _is_make(answer, "whatsminer") else _named(answer.model)
    return Identity(
        model=model,
        firmware=_named(data.fw_ver) or _named(answer.firmware),
        api=_named(data.api_ver),
        miner=_named(answer.make),
    )


def _named(text: str | None) -> str | None:
    """Return a printable name; None for what pyasic writes where it knows none."""
    kept = "".join(char for char in (text or "")[:_LONGEST_TEXT] if char.isprintable()).strip()
    return None if kept.casefold() in _NAMELESS else kept


def _pool_text(text: str | None) -> str | None:
    kept = pool_text(text)
    return None if kept is None or kept.casefold() in _NAMELESS else kept


def _boards(
    data: Data, nameplate: Nameplate | None, total_hs: float | None, *, are_averages: bool
) -> tuple[BoardReading, ...]:
    """Return the boards that answered; none if pyasic looked for fewer than the unit has, or read some and gave up."""
    told = data.hashboards[:MAX_BOARDS]
    if nameplate is not None and nameplate.boards is not None and len(told) < nameplate.boards:
        return ()
    there = {board.slot: board for board in told if not board.missing and _says_something(board)}
    boards_hs = _sum_hs(tuple(there.values()))
    if total_hs is not None and len(there) < len(told) and (boards_hs or 0.0) * _GAVE_UP_RATIO < total_hs:
        return ()
    return tuple(
        BoardReading(
            slot=slot,
            hashrate_hs=_rate_hs(board.hashrate),
            chips=_chips(board.chips),
            chip_celsius=_celsius(board.chip_temp),
            pcb_celsius=_celsius(board.temp),
            serial=_named(board.serial_number),
            is_average=are_averages,
        )
        for slot, board in sorted(there.items())
        if 0 <= slot < MAX_BOARDS
    )


def _says_something(board: Board) -> bool:
    return bool(_rate_hs(board.hashrate) or _chips(board.chips) or _celsius(board.chip_temp) or _celsius(board.temp))


def _rate_hs(rate: Rate | None) -> float | None:
    return _positive(None if rate is None else rate.hs, MAX_HASHRATE_HS)


def _chips(chips: int | None) -> int | None:
    return chips if chips is not None and 0 < chips <= MAX_CHIPS else None


def _celsius(value: float | None) -> Places:
    celsius = _positive(value, MAX_CELSIUS)
    return () if celsius is None else (celsius,)


def _sum_hs(boards: tuple[Board, ...]) -> float | None:
    """Return the boards' sum, H/s; None unless every board that answered has a rate."""
    rates = [_rate_hs(board.hashrate) for board in boards if not board.missing]
    told = [rate_hs for rate_hs in rates if rate_hs is not None]
    return _positive(sum(told), MAX_HASHRATE_HS) if len(told) == len(rates) else None


def _fans(fans: tuple[Fan, ...]) -> Places:
    speeds = (_positive(fan.speed, MAX_RPM) for fan in fans)
    return tuple(rpm for rpm in speeds if rpm is not None)[:MAX_FANS]


def _pool(place: int, pool: Pool) -> PoolReading:
    return PoolReading(
        index=place if pool.index is None else pool.index,
        status=None if pool.alive is None else ("Alive" if pool.alive else "Dead"),
        is_active=pool.active,
        url=_pool_text(pool.url),
        user=_pool_text(pool.user),
        accepted=_count(pool.accepted),
        rejected=_count(pool.rejected),
    )


def _count(value: int | None) -> int | None:
    return value if value is not None and 0 <= value <= MAX_COUNT else None
