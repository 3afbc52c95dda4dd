"""One unit's memory of where its work goes, and the tracker that keeps it."""

from typing import Any

import pytest
from polled_farm import declared
from pool_cases import OWN, STRANGE, allow_list, entry, pool
from sim_cases import START, make_unit

from agent.errors import DeadlineError
from agent.site.pools.allow import AllowList
from agent.site.pools.watch import WorkWatch
from agent.site.pools.work import PoolClass, UnitWork
from agent.site.tracker import Tracker
from agent.unit.reading import Dialect, Poll, PoolReading, UnitReading

LISTED, TOLERATED, DIVERTED = PoolClass.LISTED, PoolClass.TOLERATED, PoolClass.DIVERTED
UNKNOWN = PoolClass.UNKNOWN
ENTRY = declared(make_unit())


class Looks:
    """A watch, shown pools at moments of one clock.

    Args:
        allow: The site's allow-list.
    """

    def __init__(self, allow: AllowList) -> None:
        self.allow = allow
        self.watch = WorkWatch(0.0)

    def see(self, at: float, *pools: PoolReading) -> PoolClass:
        """Show pools that were just read; return the class."""
        self.watch.see(tuple(pools), self.allow, "", clock_s=at, at=at, stale_after_s=self.allow.stale_after_s)
        return self.watch.work.pool_class

    def age(self, at: float) -> PoolClass:
        """Let time pass; return the class."""
        self.watch.age(clock_s=at, at=at, stale_after_s=self.allow.stale_after_s)
        return self.watch.work.pool_class


def test_nothing_is_known_before_the_first_look() -> None:
    """A unit that was not asked is unknown, and has no time at which it told anything."""
    assert WorkWatch(5.0).work == UnitWork(pool_class=UNKNOWN, since=5.0)


def test_since_is_the_moment_of_the_change() -> None:
    """It stays while the same account works at the same place, and begins anew with another one."""
    looks = Looks(allow_list())
    looks.see(10.0, pool())
    looks.see(60.0, pool(accepted=101))
    assert (looks.watch.work.since, looks.watch.work.known_at) == (10.0, 60.0)
    looks.see(110.0, pool(url=STRANGE))
    looks.see(160.0, pool(url=STRANGE, accepted=101))
    work = looks.watch.work
    assert (work.pool_class, work.since, work.known_at) == (DIVERTED, 110.0, 160.0)
    assert (str(work.destination), work.account, work.account_head) == (f"stratum+tcp://{STRANGE}", "site", "si…")


def test_what_is_too_old_is_unknown_and_keeps_where_it_was() -> None:
    """The last destination stays for people, with the time at which it was told."""
    looks = Looks(allow_list(stale_after_s=180.0))
    looks.see(0.0, pool(url=STRANGE))
    assert looks.age(180.0) is DIVERTED
    assert looks.age(180.1) is UNKNOWN
    work = looks.watch.work
    assert (work.destination is not None, work.known_at, work.since) == (True, 0.0, 180.1)
    assert looks.see(190.0, pool(url=STRANGE)) is DIVERTED


def test_a_fee_that_lasts_is_no_fee() -> None:
    """The firmware's pool is tolerated for its window at a stretch; then its work is diverted, until it ends."""
    looks = Looks(allow_list(fee_window_s=300.0, stale_after_s=3600.0))
    own = pool(accepted=100)
    looks.see(0.0, own, fee := pool(2, "DevFee", "DevFee", is_fee=True, is_active=True, accepted=1))
    for at in (50.0, 100.0, 350.0):
        fee = _more(fee)
        assert looks.see(at, own, fee) is TOLERATED
    assert looks.see(351.0, own, _more(fee)) is DIVERTED
    assert looks.see(400.0, _more(own), fee) is LISTED
    assert looks.see(450.0, own, _more(_more(fee))) is TOLERATED


@pytest.mark.parametrize(("fee_looks", "owner_looks", "is_theft"), [(1, 9, False), (1, 4, False), (3, 1, True)])
def test_a_fee_that_pauses_is_held_to_its_share(fee_looks: int, owner_looks: int, *, is_theft: bool) -> None:
    """A stranger that hides behind the mark and leaves now and then gets no new window; a true fee stays tolerated."""
    looks = Looks(allow_list(fee_window_s=300.0))
    classes: set[PoolClass] = set()
    for number in range(400):
        is_turn = number % (fee_looks + owner_looks) < fee_looks
        own = pool(0, is_active=not is_turn, accepted=number)
        fee = pool(2, "DevFee", "DevFee", is_fee=True, is_active=is_turn, accepted=number)
        classes.add(looks.see(50.0 * number, own, fee))
    assert classes == {LISTED, TOLERATED, DIVERTED} if is_theft else classes == {LISTED, TOLERATED}


def test_a_fee_before_and_after_silence_is_no_fee_of_all_that_time() -> None:
    """A unit without power for hours, seen in its fee's turn before and after, was not seen to work for a stranger."""
    looks = Looks(allow_list(fee_window_s=900.0, stale_after_s=360.0))
    own = pool(is_active=False)
    fee = pool(2, "DevFee", "DevFee", is_fee=True, is_active=True, accepted=1)
    looks.see(0.0, own, fee)
    assert looks.age(7200.0) is UNKNOWN
    assert looks.see(7201.0, own, _more(fee)) is TOLERATED
    assert looks.see(7561.0, own, fee) is TOLERATED
    assert looks.see(7921.0, own, _more(fee)) is TOLERATED
    assert looks.see(8200.0, own, fee) is DIVERTED


def _more(told: PoolReading) -> PoolReading:
    return pool(
        told.index,
        told.url,
        told.user,
        is_fee=told.is_fee,
        is_active=told.is_active,
        accepted=(told.accepted or 0) + 1,
    )


def test_another_list_judges_again_what_is_known() -> None:
    """A reload that allows a destination needs no new look."""
    watch, pools = WorkWatch(0.0), (pool(url=STRANGE),)
    for at, allow in ((0.0, allow_list()), (10.0, allow_list(entry("new", "pool.stranger.example")))):
        watch.see(pools, allow, "", clock_s=at, at=at, stale_after_s=180.0)
    assert (watch.work.pool_class, watch.work.entry, watch.work.known_at) == (LISTED, "new", 0.0)


def reading(*pools: PoolReading, **facts: Any) -> UnitReading:
    """Return the reading of a unit that hashes."""
    values: dict[str, Any] = {"at": START, "uptime_s": 5000.0, "hashrate_5s_hs": 200e12} | facts
    return UnitReading(unit_id=ENTRY.unit_id, dialect=Dialect.LEGACY, mode=None, pools=tuple(pools), **values)


def polled(tracker: Tracker, at: float, *pools: PoolReading, **facts: Any) -> UnitWork | None:
    """Record a poll of the unit with these pools; return where its work goes."""
    told = reading(*pools, at=at, uptime_s=5000.0 + at, **facts)
    return recorded(tracker, Poll(unit_id=ENTRY.unit_id, at=at, took_s=0.1, reading=told))


def recorded(tracker: Tracker, poll: Poll) -> UnitWork | None:
    """Record a poll; return where its unit's work goes."""
    outcome = tracker.record(poll, clock_s=poll.at)
    assert outcome is not None
    return outcome[0].work


def test_without_a_list_no_status_says_where_work_goes() -> None:
    """The site that did not ask for it pays nothing, and shows nothing."""
    tracker = Tracker([ENTRY], stale_after_s=30.0, at=0.0)
    assert polled(tracker, 10.0, pool(url=STRANGE)) is None


def test_a_status_is_unknown_from_the_start_and_judged_with_its_first_poll() -> None:
    """A list that is put in force while running counts from each unit's next poll on; so does its end."""
    tracker = Tracker([ENTRY], stale_after_s=30.0, at=0.0, allow=allow_list())
    status = tracker.status(ENTRY.unit_id)
    assert status is not None
    assert status.work == UnitWork(pool_class=UNKNOWN, since=0.0)
    work = polled(tracker, 10.0, pool(url=STRANGE))
    assert work is not None
    assert work.is_diverted
    tracker.allow = None
    assert polled(tracker, 20.0, pool(url=STRANGE)) is None


def test_a_failed_poll_changes_no_class() -> None:
    """A unit that is silent for a moment is what it was; after a time nobody knows."""
    tracker = Tracker([ENTRY], stale_after_s=30.0, at=0.0, allow=allow_list(stale_after_s=180.0))
    polled(tracker, 10.0, pool())
    for at, expected in ((20.0, LISTED), (190.0, LISTED), (191.0, UNKNOWN)):
        error = DeadlineError("silent")
        work = recorded(tracker, Poll(unit_id=ENTRY.unit_id, at=at, took_s=5.0, error=error))
        assert work is not None
        assert work.pool_class is expected


def test_a_restart_without_pools_is_unknown_and_never_diverted() -> None:
    """A conversation drops the pools of the process before; the next look decides."""
    tracker = Tracker([ENTRY], stale_after_s=30.0, at=0.0, allow=allow_list())
    polled(tracker, 10.0, pool())
    work = polled(tracker, 20.0)
    assert work is not None
    assert work.pool_class is UNKNOWN


def test_another_machine_at_the_address_is_looked_at_anew() -> None:
    """What was read at the old address is not this unit's."""
    tracker = Tracker([ENTRY], stale_after_s=30.0, at=0.0, allow=allow_list())
    polled(tracker, 10.0, pool(url=STRANGE))
    moved = type(ENTRY)(**{**{name: getattr(ENTRY, name) for name in ENTRY.__struct_fields__}, "host": "127.9.9.9"})
    tracker.replace_entries([moved], at=20.0)
    status = tracker.status(ENTRY.unit_id)
    assert status is not None
    assert status.work == UnitWork(pool_class=UNKNOWN, since=20.0)


@pytest.mark.parametrize(("owner", "expected"), [("North", LISTED), ("South", DIVERTED), ("", DIVERTED)])
def test_an_owners_pool_is_for_that_owners_units(owner: str, expected: PoolClass) -> None:
    """The ledger says whose unit it is."""
    owned = type(ENTRY)(**{**{name: getattr(ENTRY, name) for name in ENTRY.__struct_fields__}, "owner": owner})
    tracker = Tracker([owned], stale_after_s=30.0, at=0.0, allow=allow_list(entry("north", owner="North")))
    work = polled(tracker, 10.0, pool(url=OWN))
    assert work is not None
    assert work.pool_class is expected
