"""The judgement of one look at a unit's pools."""

import pytest
from capture_files import capture
from pool_cases import BACKUP, OWN, STRANGE, allow_list, entry, pool

from agent.site.pools.judgement import Found, Pools, in_use, look_at
from agent.site.pools.work import PoolClass
from agent.unit.cgminer.pools import read_pools

LISTED, TOLERATED, DIVERTED = PoolClass.LISTED, PoolClass.TOLERATED, PoolClass.DIVERTED
IDLE, UNKNOWN = PoolClass.IDLE, PoolClass.UNKNOWN

FEE = pool(2, "DevFee", "DevFee", is_active=True, is_fee=True, accepted=50)


def judged(pools: Pools, before: Pools = ()) -> PoolClass:
    """Return the class of a unit of the site's own."""
    return look_at(pools, before, allow_list(), "").pool_class


@pytest.mark.parametrize(
    ("pools", "expected"),
    [
        # The firmware says which pool is in use.
        ((pool(0), pool(1, BACKUP)), LISTED),
        ((pool(0, is_active=False, status="Dead"), pool(1, BACKUP, is_active=True)), LISTED),
        ((pool(0, STRANGE), pool(1, OWN)), DIVERTED),
        ((pool(0, OWN, "stranger.1"), pool(1, OWN)), DIVERTED),
        # An unlisted backup is no matter until it is used.
        ((pool(0), pool(1, STRANGE)), LISTED),
        ((pool(0, is_active=False, status="Dead"), pool(1, STRANGE, is_active=True)), DIVERTED),
        # None in use: reconnecting, starting, asleep, or no pool alive.
        ((pool(0, is_active=False), pool(1, STRANGE, is_active=False)), IDLE),
        ((pool(0, is_active=False, status="Dead"), pool(1, STRANGE, is_active=False, status="Dead")), IDLE),
        # Not told which: the first living one works.
        ((pool(0, is_active=None), pool(1, STRANGE, is_active=None)), LISTED),
        ((pool(0, is_active=None, status="Dead"), pool(1, STRANGE, is_active=None)), DIVERTED),
        ((pool(0, is_active=None, status="Dead"), pool(1, STRANGE, is_active=None, status="Dead")), IDLE),
        # What says nothing makes no class.
        ((), UNKNOWN),
        ((pool(0, None),), UNKNOWN),
        ((pool(0, "***"),), UNKNOWN),
        ((pool(0, "stratum+tcp://***"),), UNKNOWN),
        ((pool(0, "***:3333"),), UNKNOWN),
        ((pool(0, OWN, "***"),), UNKNOWN),
        ((pool(0, STRANGE, "***"),), DIVERTED),
        ((pool(0, "stratum+tcp://***@pool.stranger.example:1"),), DIVERTED),
        ((pool(0, OWN, None),), UNKNOWN),
        ((pool(0, status=None, is_active=None),), UNKNOWN),
        # Without a user, a host that is nobody's of the list is enough to tell.
        ((pool(0, STRANGE, None),), DIVERTED),
        # The pool in use hides its address by leaving it out, beside one that is listed.
        ((pool(0, is_active=False), pool(1, None, "a.1", is_active=True)), UNKNOWN),
        # An address that is none is not listed.
        ((pool(0, "stratum+tcp://pool example:1"),), DIVERTED),
        # Empty slots are left out.
        ((pool(0), pool(1, None, None, status="Deed", is_active=False)), LISTED),
        # The firmware's own pool beside the owner's, which get the work; alone; and under a stranger's.
        ((pool(0), FEE), LISTED),
        ((pool(0, is_active=False), FEE), TOLERATED),
        ((pool(0, STRANGE), FEE), DIVERTED),
        # A mark is no proof: with an address, the list decides.
        ((pool(0, STRANGE, "DevFee.1", is_fee=True),), DIVERTED),
        ((pool(0, OWN, "site.1", is_fee=True),), LISTED),
        # Nor is a mark beside it that hides its address, or is not in use.
        ((pool(0, is_active=False), FEE, pool(3, STRANGE, "DevFee.1", is_active=True, is_fee=True)), DIVERTED),
        ((pool(0, is_active=False), FEE, pool(3, STRANGE, "DevFee.1", is_active=None, is_fee=True)), TOLERATED),
    ],
)
def test_the_pool_in_use_decides(pools: Pools, expected: PoolClass) -> None:
    """Work goes to the pool that the firmware calls active, or to the first living one if it does not say."""
    assert judged(pools) is expected


def grown(*pools: tuple[int, str, int]) -> Pools:
    """Return pools of which all are active, by place, URL and accepted shares."""
    return tuple(pool(place, url, is_active=True, accepted=accepted) for place, url, accepted in pools)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        # Two strata are connected: the one that is paid gets the work.
        (((0, OWN, 100), (1, STRANGE, 0)), ((0, OWN, 101), (1, STRANGE, 0)), LISTED),
        (((0, OWN, 100), (1, STRANGE, 0)), ((0, OWN, 100), (1, STRANGE, 1)), DIVERTED),
        # Groups share the work: one that is not listed is enough.
        (((0, OWN, 100), (1, STRANGE, 5)), ((0, OWN, 101), (1, STRANGE, 6)), DIVERTED),
        # Nothing was accepted since: the first of them.
        (((0, OWN, 100), (1, STRANGE, 5)), ((0, OWN, 100), (1, STRANGE, 5)), LISTED),
        # Another pool in the same place is no growth of the first.
        (((0, BACKUP, 100), (1, STRANGE, 5)), ((0, OWN, 200), (1, STRANGE, 5)), LISTED),
    ],
)
def test_of_several_active_pools_those_that_grow_count(
    before: tuple[tuple[int, str, int], ...], now: tuple[tuple[int, str, int], ...], expected: PoolClass
) -> None:
    """Counters say more than a connection that stands by."""
    assert judged(grown(*now), grown(*before)) is expected


def test_counters_tell_a_turn_of_the_firmwares_pool() -> None:
    """Where both strata stay active, the owner's counters stand while the firmware's grow."""
    before = (pool(0, accepted=100), FEE)
    turn = pool(2, "DevFee", "DevFee", is_active=True, is_fee=True, accepted=51)
    assert judged((pool(0, accepted=100), turn), before) is TOLERATED
    assert judged((pool(0, accepted=101), turn), before) is LISTED
    assert look_at((pool(0, accepted=100), turn), before, allow_list(tolerates_firmware_fees=False), "") == Found(
        DIVERTED
    )


def test_what_is_found_names_entry_destination_and_account() -> None:
    """The account is without its worker."""
    found = look_at((pool(0, STRANGE, "bc1qstranger.rig1"),), (), allow_list(), "")
    assert (found.entry, str(found.destination), found.account) == (None, f"stratum+tcp://{STRANGE}", "bc1qstranger")
    assert look_at((pool(0),), (), allow_list(), "").entry == "own"


@pytest.mark.parametrize(
    ("name", "hosts"),
    [
        ("s21-stock-aml-202407", ("stratum+tcp://stratum.braiins.com:3333",)),
        ("s21pro-vnish-2026", ("stratum.braiins.com:3333",)),
        ("s19kpro-luxos-2025", ("stratum+tcp://ca.stratum.braiins.com:3333",)),
        ("other-bmm100-braiins-2026", ("stratum+tcp://pool1.test:3333",)),
    ],
)
def test_recorded_units_tell_the_pool_in_use(name: str, hosts: tuple[str, ...]) -> None:
    """Each firmware's recorded reply names one of the owner's pools as active, and it is the one found."""
    pools, _ = read_pools(capture(f"{name}/tcp4028-pools.json"))
    assert tuple(each.url for each in in_use(pools) if not each.is_fee)[:1] == hosts
    allow = allow_list(entry("recorded", "*.braiins.com", "*.test", accounts=("*",)))
    assert look_at(pools, (), allow, "").pool_class is LISTED


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # Called active at no look, and paid between two: a pool that takes turns, or a firmware that hides it.
        ((pool(0, accepted=101), pool(1, STRANGE, accepted=101)), DIVERTED),
        ((pool(0, is_active=False), pool(1, STRANGE, accepted=101)), DIVERTED),
        ((pool(0, accepted=101), pool(1, STRANGE)), LISTED),
        ((pool(0, accepted=101), pool(1, BACKUP, accepted=101)), LISTED),
        ((pool(0, accepted=101), pool(1, STRANGE, "DevFee.1", accepted=101, is_fee=True)), DIVERTED),
        # Paid, without an address to judge.
        ((pool(0, accepted=101), pool(1, "DevFee", "DevFee", accepted=101, is_fee=True)), LISTED),
    ],
)
def test_a_stranger_that_was_paid_between_two_looks_diverts(now: Pools, expected: PoolClass) -> None:
    """What the firmware calls active at the moments of the looks is not all that happened."""
    before = tuple(pool(each.index, each.url, each.user, is_fee=each.is_fee) for each in now)
    assert judged(now, before) is expected


def test_pools_that_claim_one_place_are_told_apart() -> None:
    """The growth of one is no growth of another with the same index."""
    before = pool(0), pool(0, STRANGE, is_active=True)
    now = pool(0, accepted=101), pool(0, STRANGE, is_active=True)
    assert judged(now, before) is LISTED
