"""No rate of a unit is beyond its nameplate, whatever it says: the total, a longer rate, one board, or all together."""

from typing import Any

import hypothesis.strategies as st
from hypothesis import example, given

from agent.errors import ContradictoryReplyError
from agent.unit.antminer.conversation import Memory
from agent.unit.consistency.rules import hold_together
from agent.unit.consistency.yardstick import BOARD_LIMIT_RATIO, LIMIT_RATIO, SURE_RATIO
from agent.unit.limits import MAX_HASHRATE_HS
from agent.unit.nameplate import Nameplate
from agent.unit.reading import BoardReading, Dialect, Mode, UnitReading

RATED_HS = 200e12
PLATE = Nameplate(
    model="S21", hashrate_hs=RATED_HS, power_watts=3500, boards=3, chips_per_board=108, cooling="air", source="test"
)
UNKNOWN = Nameplate(model="?", hashrate_hs=RATED_HS, cooling="air", source="test")
SHARES = (0.0, 1e-3, 0.33, 0.5, 0.66, 1.0, 1.2, 1.3, 1.9, 2.1, 3.0, 10.0)
rates = st.none() | st.sampled_from(SHARES).map(lambda share: share * RATED_HS)


@st.composite
def readings(draw: st.DrawFn) -> UnitReading:
    """Draw a reading with any rates up to the most that a reader lets through."""
    total = draw(rates)
    boards = [
        BoardReading(slot=slot, hashrate_hs=hashrate_hs, chips=draw(st.sampled_from([None, 0, 108])))
        for slot, hashrate_hs in enumerate(draw(st.lists(rates, max_size=8)))
    ]
    return UnitReading(
        unit_id="u1",
        at=0.0,
        dialect=Dialect.NEW_API,
        mode=draw(st.sampled_from([None, Mode.NORMAL, Mode.SLEEP])),
        uptime_s=draw(st.sampled_from([None, 10.0, 900.0, 90_000.0])),
        hashrate_5s_hs=total,
        hashrate_30m_hs=draw(rates),
        hashrate_avg_hs=draw(rates),
        hashrate_ideal_hs=draw(rates),
        stand_in_hs=draw(rates) if total is None else None,
        boards=tuple(boards),
    )


def _boards(*shares: float) -> tuple[BoardReading, ...]:
    return tuple(BoardReading(slot=slot, hashrate_hs=share * RATED_HS, chips=108) for slot, share in enumerate(shares))


def _reading(**changes: Any) -> UnitReading:
    return UnitReading(unit_id="u1", at=0.0, dialect=Dialect.NEW_API, **changes)


@given(reading=readings(), nameplate=st.sampled_from([PLATE, UNKNOWN]))
@example(reading=_reading(mode=Mode.SLEEP, boards=_boards(10, 10, 10)), nameplate=PLATE)
@example(reading=_reading(mode=Mode.SLEEP, hashrate_5s_hs=10 * RATED_HS), nameplate=UNKNOWN)
@example(reading=_reading(mode=None, hashrate_5s_hs=1.9 * RATED_HS, boards=_boards(*[0.5] * 8)), nameplate=PLATE)
def test_every_rate_is_bounded_by_the_nameplate(reading: UnitReading, nameplate: Nameplate) -> None:
    """Twice the rating at most, for one board twice its share, or the whole of a sure total; in sleep too."""
    try:
        held = hold_together(reading, nameplate, Memory())
    except ContradictoryReplyError:
        return
    most_hs = LIMIT_RATIO * RATED_HS
    for rate_hs in (
        *(held.rate_hs, held.hashrate_5s_hs, held.stand_in_hs),
        *(held.hashrate_30m_hs, held.hashrate_avg_hs, held.hashrate_ideal_hs),
    ):
        assert rate_hs is None or rate_hs <= most_hs
    boards_hs = [board.hashrate_hs or 0.0 for board in held.boards]
    assert sum(boards_hs) <= most_hs
    share_hs = BOARD_LIMIT_RATIO * RATED_HS / (nameplate.boards or max(1, len(held.boards)))
    assert max(boards_hs, default=0.0) <= max(share_hs, SURE_RATIO * RATED_HS)


@given(reading=readings())
def test_without_a_nameplate_the_bound_is_the_unit_s_own_ideal_or_that_of_all_machines(reading: UnitReading) -> None:
    """A unit outside any ledger, as `hashsight read` may meet it, is held against its own ideal rate."""
    try:
        held = hold_together(reading, None, Memory())
    except ContradictoryReplyError:
        return
    assert held.rate_hs is None or held.rate_hs <= MAX_HASHRATE_HS
    if held.hashrate_ideal_hs and held.hashrate_ideal_hs == reading.hashrate_ideal_hs:
        assert held.rate_hs is None or held.rate_hs <= LIMIT_RATIO * held.hashrate_ideal_hs
