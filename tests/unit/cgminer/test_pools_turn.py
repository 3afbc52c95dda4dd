"""When a unit is asked for its pools: by turn, and at once when its counters look like another pool's."""

from itertools import pairwise

from agent.unit.cgminer.pools_turn import PoolsTurn
from agent.unit.reading import ShareReading

EVERY = 5


def shares(accepted: int, difficulty: float) -> ShareReading:
    """Return the counters of a unit, as heard at one poll."""
    return ShareReading(at=0.0, accepted=accepted, difficulty_accepted=difficulty)


def asked_at(unit_id: str, polls: int, slow_at: frozenset[int]) -> list[int]:
    """Return the polls at which pools were asked for, of a unit that is new at the first."""
    turn, asked = PoolsTurn(), []
    for number in range(polls):
        is_slow = number == 0 or number in slow_at
        if turn.is_due(EVERY, unit_id, is_new=number == 0, is_asked=is_slow) or is_slow:
            asked.append(number)
    return asked


def test_no_two_looks_are_further_apart_than_the_turn() -> None:
    """Whatever the unit's own turn and its slow polls; and they are not asked at every poll either."""
    for number in range(50):
        for slow_at in (frozenset[int](), frozenset({3, 17, 31})):
            asked = asked_at(f"unit-{number}", 60, slow_at)
            assert max(later - earlier for earlier, later in pairwise(asked)) <= EVERY
            assert 60 // EVERY <= len(asked) <= 60 // EVERY + 4


def test_units_of_a_fleet_take_turns() -> None:
    """A fleet that starts together does not ask for all pools at the same polls."""
    firsts = [asked_at(f"unit-{number}", 7, frozenset())[1] for number in range(200)]
    assert {firsts.count(poll) > 20 for poll in range(1, EVERY + 1)} == {True}


def due_after(*heard: ShareReading | None) -> bool:
    """Return True if a poll asks for pools out of turn, after these counters."""
    turn = PoolsTurn()
    turn.is_due(100, "u", is_new=False, is_asked=True)
    for each in heard:
        turn.hear(each)
    return turn.is_due(100, "u", is_new=False, is_asked=False)


def test_counters_of_one_pool_ask_for_nothing() -> None:
    """Shares of the same difficulty come, or none do; a reply without counters says nothing."""
    assert not due_after(shares(10, 1000.0), shares(12, 1200.0), shares(12, 1200.0), None, shares(15, 1500.0))


def test_counters_that_fall_ask_at_once() -> None:
    """They are another pool's, or another process'."""
    assert due_after(shares(10, 1000.0), shares(3, 300.0))


def test_shares_of_another_difficulty_ask_at_once() -> None:
    """Another pool sets another one."""
    assert due_after(shares(10, 1000.0), shares(12, 1200.0), shares(13, 1350.0))
    assert not due_after(shares(10, 1000.0), shares(12, 1200.0), shares(13, 1300.4))


def test_an_answer_settles_what_was_odd() -> None:
    """After one look the turn counts again."""
    turn = PoolsTurn()
    for each in (shares(10, 1000.0), shares(3, 300.0)):
        turn.hear(each)
    assert [turn.is_due(3, "u", is_new=False, is_asked=False) for _ in range(7)] == [
        *(True, False, False),
        *(True, False, False),
        True,
    ]
