"""The allow-list: which entry a destination matches."""

import pytest
from pool_cases import allow_list, entry

from agent.config.pool_patterns import is_match
from agent.site.pools.allow import AllowEntry, Match
from agent.site.pools.destinations import destination_of
from agent.site.pools.work import PoolClass

LISTED, DIVERTED, TOLERATED = PoolClass.LISTED, PoolClass.DIVERTED, PoolClass.TOLERATED


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("site", "site", True),
        ("site", "Site", False),
        ("site", "site2", False),
        ("*", "", True),
        ("site-*", "site-7", True),
        ("*-site", "north-site", True),
        ("a*b*c", "a--b--c", True),
        ("a*b*c", "a--c", False),
        # The end must not overlap the beginning.
        ("ab*ba", "aba", False),
    ],
)
def test_a_star_stands_for_any_characters(pattern: str, text: str, *, expected: bool) -> None:
    """A pattern is the whole text; case counts, because addresses of bitcoin differ by it."""
    assert is_match(pattern, text) is expected


@pytest.mark.parametrize(
    ("listed", "url", "user", "expected"),
    [
        (entry("own", "*.pool.example"), "eu.pool.example:25", "site.1", Match(LISTED, "own")),
        # A host that only ends like it is another's.
        (entry("own", "*.pool.example"), "evilpool.example:25", "site.1", Match(DIVERTED, None)),
        (entry("own", "eu.pool.example:3333"), "eu.pool.example:25", "site.1", Match(DIVERTED, None)),
        (entry("own", "stratum+ssl://eu.pool.example"), "eu.pool.example", "site.1", Match(DIVERTED, None)),
        (entry("own", "stratum+tcp://eu.pool.example"), "eu.pool.example", "site.1", Match(LISTED, "own")),
        # The same pool for another account: the address was changed, and the host was not.
        (entry("own"), "eu.pool.example:3333", "stranger.1", Match(DIVERTED, None)),
        (entry("own", workers=("rig*",)), "eu.pool.example", "site.rig1", Match(LISTED, "own")),
        (entry("own", workers=("rig*",)), "eu.pool.example", "site.x", Match(DIVERTED, None)),
        (entry("fee", "fee.example", accounts=("*",), is_fee=True), "fee.example:1", "x", Match(TOLERATED, "fee")),
    ],
)
def test_every_part_of_an_entry_has_to_fit(listed: AllowEntry, url: str, user: str, expected: Match) -> None:
    """Host, port, scheme, account and worker fit together, or the destination is not listed."""
    destination = destination_of(url)
    assert destination is not None
    assert allow_list(listed).match(destination, user, "") == expected


def test_an_owners_entry_is_for_that_owners_units_alone() -> None:
    """Work of one owner's unit for another owner's account is diverted."""
    allow = allow_list(entry("north", owner="North"), entry("south", accounts=("south",), owner="South"))
    destination = destination_of("eu.pool.example:3333")
    assert destination is not None
    assert allow.match(destination, "site.1", "North") == Match(LISTED, "north")
    assert allow.match(destination, "site.1", "South") == Match(DIVERTED, None)
    assert allow.match(destination, "south.1", "South") == Match(LISTED, "south")
    assert allow.match(destination, "south.1", "") == Match(DIVERTED, None)
