"""A unit that works for the firmware's own pool: when that is said, when it is over, and when it is not said."""

from collections.abc import Iterable

import pytest
from site_cases import AT, STALE_AFTER_S, TH, answered, board, entry

from agent.site.reasons import REASONS, Reason, Severity
from agent.site.status import UnitState, UnitStatus
from agent.site.tracker import Tracker
from agent.unit.reading import PoolReading

EVERY_S = 300.0
USUAL = 262_144.0


def pools(owner: float | None, fee: float | None, *, shares: int = 100, spare: bool = True) -> tuple[PoolReading, ...]:
    """Return a pool of the owner in use, a spare one, and the firmware's, with these accepted difficulties."""
    own = PoolReading(index=0, status="Alive", is_active=True, accepted=shares, difficulty_accepted=owner)
    others = (PoolReading(index=1, status="Alive", is_active=False, accepted=0, difficulty_accepted=0.0),)
    makers = PoolReading(index=2, status="Alive", is_active=True, accepted=5, difficulty_accepted=fee, is_fee=True)
    return (own, *(others if spare else ()), makers)


def judged(
    counters: Iterable[tuple[float | None, float | None]], *, shares: int = 100, **changes: object
) -> list[UnitStatus]:
    """Return the status after each of some polls five minutes apart, each with these counters of owner and firmware."""
    tracker = Tracker([entry()], stale_after_s=STALE_AFTER_S, at=AT)
    seen = []
    for number, (owner, fee) in enumerate(counters):
        at = number * EVERY_S
        poll = answered(at=AT + at, pools=pools(owner, fee, shares=shares), uptime_s=90_000.0 + at, **changes)
        tracker.record(poll, clock_s=at)
        status = tracker.status("u1")
        assert status is not None
        seen.append(status)
    return seen


STOOD = [(100 * USUAL, 1e6 + number) for number in range(10)]


def test_it_is_said_after_half_an_hour() -> None:
    """Alive and in use, at its full rate: only the counters tell."""
    seen = judged(STOOD)
    assert [status.reason for status in seen] == [Reason.HASHING] * 6 + [Reason.OWNER_UNPAID] * 4
    assert seen[6].why == "owner's pools get nothing for 30 min, the firmware's own does"
    assert all(status.state is UnitState.HASHING for status in seen)
    assert all(not status.losses for status in seen)
    assert REASONS[Reason.OWNER_UNPAID].severity is REASONS[Reason.NO_POOL_ALIVE].severity is Severity.CRITICAL


def test_a_pool_that_never_accepted_anything_is_the_same() -> None:
    """As recorded once: 0 accepted in eleven hours, while DevFee grew."""
    assert judged([(0.0, fee) for _, fee in STOOD], shares=0)[-1].reason is Reason.OWNER_UNPAID


def test_it_is_over_with_the_next_share() -> None:
    """One accepted share of the owner ends it, and the time begins anew."""
    seen = judged([*STOOD, (101 * USUAL, 2e6), (101 * USUAL, 3e6)])
    assert [status.reason for status in seen[-3:]] == [Reason.OWNER_UNPAID, Reason.HASHING, Reason.HASHING]


@pytest.mark.parametrize(
    "counters",
    [
        [(100 * USUAL + number, 1e6 + number) for number in range(10)],
        [(100 * USUAL, 1e6) for _ in range(10)],
        [(None, fee) for _, fee in STOOD],
        [(owner, None) for owner, _ in STOOD],
    ],
    ids=["both grow", "neither grows", "the owner's are not told", "the firmware's are not told"],
)
def test_it_is_not_said_of(counters: list[tuple[float | None, float | None]]) -> None:
    """The owner is paid, or nothing is known of it."""
    assert {status.reason for status in judged(counters)} == {Reason.HASHING}


def test_it_is_not_said_of_a_unit_that_does_not_hash() -> None:
    """Its stop has reasons of its own."""
    assert {status.reason for status in judged(STOOD, hashrate_5s_hs=0 * TH)} == {Reason.STOPPED_UNKNOWN}


def test_a_pool_of_rare_shares_is_given_time() -> None:
    """At 294 TH/s a share of 20 million is due every five minutes: twenty of them are an hour and a half."""
    rare = 20_540_000.0
    seen = judged([(100 * rare, fee + number) for number, (_, fee) in enumerate(STOOD * 3)])
    first = next(number for number, status in enumerate(seen) if status.reason is Reason.OWNER_UNPAID)
    assert first * EVERY_S == pytest.approx(20 * 300.0, abs=EVERY_S)


def test_a_restart_begins_anew() -> None:
    """The counters of a new run say nothing about the old one."""
    tracker = Tracker([entry()], stale_after_s=STALE_AFTER_S, at=AT)
    reasons = []
    for number in range(12):
        uptime_s = 90_000.0 + number * EVERY_S if number < 5 else 1200.0 + (number - 5) * EVERY_S
        poll = answered(at=AT + number * EVERY_S, pools=pools(0.0, 1e6 + number, shares=0), uptime_s=uptime_s)
        tracker.record(poll, clock_s=number * EVERY_S)
        status = tracker.status("u1")
        assert status is not None
        reasons.append(status.reason)
    assert Reason.OWNER_UNPAID not in reasons[:11]
    assert reasons[11] is Reason.OWNER_UNPAID


def test_what_else_is_wrong_is_named_beside_it() -> None:
    """A lost board is a smaller matter than work for nothing."""
    boards = (board(0), board(1))
    last = judged(STOOD, hashrate_5s_hs=196 * TH, boards=boards)[-1]
    assert last.reason is Reason.OWNER_UNPAID
    assert [finding.reason for finding in last.also] == [Reason.BOARD_ABSENT]


def test_a_unit_without_a_pool_of_the_firmware_keeps_no_memory() -> None:
    """Stock units pay nothing for it."""
    tracker = Tracker([entry()], stale_after_s=STALE_AFTER_S, at=AT)
    tracker.record(answered(pools=pools(1.0, 1.0)[:2]), clock_s=0.0)
    status = tracker.status("u1")
    assert status is not None
    assert status.reason is Reason.HASHING


def test_the_firmwares_pool_alone_is_no_pool_alive() -> None:
    """A unit whose own pools are dead stands still, whatever the firmware's pool says."""
    dead = tuple(PoolReading(index=index, status="Dead", is_active=False) for index in range(2))
    makers = PoolReading(index=2, status="Alive", is_active=True, is_fee=True)
    tracker = Tracker([entry()], stale_after_s=STALE_AFTER_S, at=AT)
    tracker.record(answered(hashrate_5s_hs=0 * TH, pools=(*dead, makers)), clock_s=0.0)
    status = tracker.status("u1")
    assert status is not None
    assert status.reason is Reason.NO_POOL_ALIVE


def test_chips_that_are_arithmetic_do_not_stop_a_unit() -> None:
    """A board at 75 C has computed chips of 90 C; nothing measured is too hot."""
    hot = (board(0, chip_celsius=(90.0,), pcb_celsius=(75.0,)),)
    for is_computed, reason in ((True, Reason.BOARD_ABSENT), (False, Reason.TOO_HOT)):
        tracker = Tracker([entry()], stale_after_s=STALE_AFTER_S, at=AT)
        tracker.record(answered(hashrate_5s_hs=0 * TH, boards=hot, is_chip_computed=is_computed), clock_s=0.0)
        status = tracker.status("u1")
        assert status is not None
        assert status.reason is reason
