"""`/summary` as a reading: all figures of a poll are on this page.

Observed (O191): the rate now is the sum of `HBs[].Hashrate[0]`, in MH/s; `Session.Average MHs` is the mean of the run.
Over which time the former is averaged is not told, so it has no window. Observed (O190): a board that is disabled is
in `HBStatus` and not in `HBs`, so it is missing at its slot.
"""

from typing import Final, NamedTuple

from agent.errors import ForeignProtocolError, MalformedReplyError, UnsupportedReplyError, drop_frames
from agent.unit.cgminer.fields import clean, clock_hz, interned
from agent.unit.epic.reports import SUMMARY_SHAPE, BoardRow, PoolRow, SummaryPage, rpm_of
from agent.unit.epic.words import Words, words_of
from agent.unit.limits import HS_PER_MHS
from agent.unit.reading import (
    BoardReading,
    Dialect,
    Identity,
    Places,
    PoolReading,
    PowerKind,
    ShareReading,
    UnitReading,
)

NAME: Final = "epic"

_WHOLE: Final = 100.0
_NO_REPAIRS: Final[frozenset[str]] = frozenset()


class Pools(NamedTuple):
    """Pools as last made, and the parts of the page that they were made of."""

    rows: tuple[PoolRow, ...] = ()
    used: int | None = None
    is_connected: bool | None = None
    readings: tuple[PoolReading, ...] = ()


NO_POOLS: Final = Pools()


def read_summary(
    body: bytes, unit_id: str, identity: Identity, pools: Pools = NO_POOLS, *, at: float
) -> tuple[UnitReading, Pools]:
    """Return the reading of a page, before it is held together, and its pools.

    Args:
        body: The page without its head.
        unit_id: The ledger's name for the unit.
        identity: As last reported; the program is on this page.
        pools: As of the page before; made anew only if this page has others.
        at: When the page was complete, Unix s.

    Raises:
        MalformedReplyError: The page is not JSON; `ForeignProtocolError` if another web server answers.
        UnsupportedReplyError: There is no rate, and no state that explains it.
    """
    page, repairs = _page(body)
    if page.boards is None and page.session is None and page.status is None:
        raise not_epic("/summary")
    words = words_of(page)
    boards, board_repairs = _boards(page.boards or ())
    rate_hs = _rate_hs(page, words)
    session = page.session
    if page.program != identity.firmware:
        program = interned(page.program)
        if program != identity.firmware:
            identity = Identity(model=identity.model, firmware=program)
    pools = _pools(page, pools)
    watts = None if page.supply is None else page.supply.watts or None
    average_mhs = None if session is None else session.average_mhs
    reading = UnitReading(
        unit_id=unit_id,
        at=at,
        dialect=Dialect.LEGACY,
        mode=words.mode,
        identity=identity,
        uptime_s=None if session is None else session.uptime_s,
        hashrate_5s_hs=rate_hs,
        hashrate_avg_hs=None if average_mhs is None else average_mhs * HS_PER_MHS,
        hashrate_ideal_hs=_ideal_hs(page.boards or ()),
        is_profile_ideal=True,
        power_watts=watts,
        power_kind=None if watts is None else PowerKind.MEASURED,
        boards=boards,
        fan_rpm=_fans(page),
        pools=pools.readings,
        shares=None if session is None else ShareReading(at=at, accepted=session.accepted, rejected=session.rejected),
        faults=words.faults,
        is_starting=words.is_starting,
        repairs=tuple(sorted({*repairs, *board_repairs})) if board_repairs else repairs,
        reader=NAME,
    )
    return reading, pools


def _page(body: bytes) -> tuple[SummaryPage, tuple[str, ...]]:
    """Return the page, and the repairs that reading it took.

    Raises:
        MalformedReplyError: It is not JSON. Not quoted: it has the pools' passwords.
    """
    try:
        return SUMMARY_SHAPE.read(body)
    except ForeignProtocolError:
        raise
    except MalformedReplyError as error:
        drop_frames(error)
    raise MalformedReplyError(f"/summary: the page is not a JSON object ({len(body)} bytes)")


def not_epic(path: str) -> ForeignProtocolError:
    """Return the error for a web server on this port that is not ePIC's."""
    return ForeignProtocolError(
        f"something that speaks HTTP answers on 4028: its {path} is not ePIC firmware's", speaker="HTTP"
    )


def _rate_hs(page: SummaryPage, words: Words) -> float | None:
    """Return the sum over the boards that run, each once; None of a unit that starts and does not tell it.

    A unit that idles says itself that it hashes nothing: a board that tells no rate has none. So does one that lists no
    board and counts none.

    Raises:
        UnsupportedReplyError: There is none, and no state that explains it.
    """
    rows = page.boards or ()
    total_mhs, seen, is_complete = 0.0, set(), bool(rows)
    for row in rows:
        slot, rate = row.slot, row.rate
        # A board whose slot is not told hashes all the same.
        if slot is not None and slot in seen:
            continue
        seen.add(slot)
        if rate and rate[0] is not None:
            total_mhs += rate[0]
        else:
            is_complete = False
    if is_complete or words.is_idle:
        return total_mhs * HS_PER_MHS
    if words.is_starting:
        return None
    if page.boards is not None and not rows and page.session is not None and page.session.active_boards == 0:
        return 0.0
    raise UnsupportedReplyError("/summary: no rate of every board that runs, and no state that explains it")


def _boards(rows: tuple[BoardRow, ...]) -> tuple[tuple[BoardReading, ...], frozenset[str]]:
    """Return the boards by slot, each once, and the repairs that it took.

    None of them if a board does not tell its slot: then the page does not say which one is missing.
    """
    repairs: set[str] = set()
    by_slot: dict[int, BoardReading] = {}
    for row in rows:
        slot = row.slot
        if slot is None:
            return (), frozenset({"wrong_type"})
        if slot in by_slot:
            repairs.add("implausible")
            continue
        by_slot[slot] = _board(slot, row, repairs)
    slots = sorted(by_slot)
    return tuple([by_slot[slot] for slot in slots]), frozenset(repairs) if repairs else _NO_REPAIRS


def _board(slot: int, row: BoardRow, repairs: set[str]) -> BoardReading:
    rate, celsius = row.rate, row.celsius
    return BoardReading(
        slot=slot,
        hashrate_hs=rate[0] * HS_PER_MHS if rate and rate[0] is not None else None,
        chips=None,
        # Exactly 0, and -1, stand for no value.
        pcb_celsius=(celsius,) if celsius and celsius != -1 else (),
        frequency_hz=clock_hz(row.mhz, repairs),
    )


def _ideal_hs(rows: tuple[BoardRow, ...]) -> float | None:
    """Return what the boards should give at their clocks, H/s; None unless each tells its share of it."""
    total_mhs = 0.0
    for row in rows:
        now_mhs, share = row.rate[0] if row.rate else None, row.rate[1] if len(row.rate) > 1 else None
        if now_mhs is None or not share:
            return None
        total_mhs += now_mhs * _WHOLE / share
    return total_mhs * HS_PER_MHS or None


def _fans(page: SummaryPage) -> Places:
    """Return the fans' speeds up to the last place that has one, rpm. Observed (O192): a fan that stands has 0."""
    if page.fans is None:
        return ()
    speeds = rpm_of(page.fans)
    count = len(speeds)
    while count and speeds[count - 1] is None:
        count -= 1
    return speeds[:count]


def _pools(page: SummaryPage, before: Pools) -> Pools:
    """Return the configured pools, `before` itself if they are the same; the shares are the unit's, and no pool's."""
    stratum = page.stratum
    used = None if stratum is None else stratum.index
    connected = None if stratum is None else stratum.is_connected
    if before[:3] == (page.pools, used, connected):
        return before
    pools = []
    for index, row in enumerate(page.pools):
        is_used = None if used is None else index == used
        word = None if connected is None or not is_used else "Alive" if connected else "Dead"
        pools.append(
            PoolReading(
                index=index,
                status=word,
                # A pool that is in use may be cut off; one that is not used has no connection.
                is_active=connected if is_used else is_used,
                url=interned(row.pool),
                user=clean(row.login),
            )
        )
    return Pools(page.pools, used, connected, tuple(pools))
