"""What a poll of VNish asks for and remembers, and whose shares it counts."""

import json

import pytest
from capture_files import capture
from vnish_cases import (
    AT,
    NEW,
    NEW_POOLS,
    NEW_STATS,
    NEW_VERSION,
    OLD_POOLS,
    S21_PRO,
    polled,
    pools_with,
    stats_with,
)

from agent.errors import DeadlineError, MalformedReplyError, UnsupportedReplyError
from agent.unit import registry
from agent.unit.cgminer import wire
from agent.unit.choice import VERSION, Told
from agent.unit.reader import NAMES
from agent.unit.reading import Fault
from agent.unit.vnish import conversation
from agent.unit.vnish.conversation import POOLS, REQUESTS, STATS, Memory
from agent.unit.vnish.reader import READER, is_spoken

# Commands that act, of any aftermarket firmware or of cgminer itself.
ACTING = frozenset(
    (
        *("pause", "resume", "addpool", "removepool", "switchpool", "enablepool", "disablepool", "addgroup"),
        *("removegroup", "groupquota", "pooloptsset", "logset", "kill", "updatecheck", "logon", "logoff", "session"),
        *("quit", "restart", "reboot", "reload", "sleep", "network", "save", "poolpriority", "poolquota", "setconfig"),
        *("ascset", "ascenable", "ascdisable", "pgaset", "pgaenable", "pgadisable", "zero", "debug", "hotplug"),
        *("find-miner", "locate-miner", "unlock", "curtail", "profileset", "fanset", "voltageset", "frequencyset"),
    )
)


def test_only_reports_are_asked_for() -> None:
    """The whitelist, held against every command that acts."""
    asked = {json.loads(request)["command"] for request in REQUESTS}
    assert asked == {"stats", "pools"}
    assert not asked & ACTING


def test_the_reader_is_registered() -> None:
    """By the name that a ledger may pin."""
    assert READER.name in NAMES
    assert registry.READERS["vnish"] is READER


def test_pools_are_asked_for_now_and_then() -> None:
    """At first and every `slow_every` polls; between them the figures stay."""
    memory = Memory()
    asked = []
    for poll in range(13):
        reading, requests = polled({**NEW, STATS: stats_with(Elapsed=4423 + 10 * poll)}, memory, at=AT + 10 * poll)
        asked.append(len(requests))
        assert reading.shares is not None
        assert reading.pools
    assert asked[0] == 2
    assert max(asked) == 2
    assert sum(asked) == 13 + 3


def test_a_restart_forgets_the_shares_and_asks_at_once() -> None:
    """The counters belong to the previous run."""
    memory = Memory()
    polled(NEW, memory)
    reading, asked = polled({STATS: stats_with(Elapsed=3), POOLS: DeadlineError("late")}, memory, at=AT + 10)
    assert asked == [STATS, POOLS]
    assert (reading.pools, reading.shares) == ((), None)
    reading, asked = polled({**NEW, STATS: stats_with(Elapsed=13)}, memory, at=AT + 20)
    assert reading.shares is None


def test_a_unit_that_hashes_nothing_is_asked_for_its_pools() -> None:
    """They may say why."""
    memory = Memory()
    polled(NEW, memory)
    boards = {f"chain_rate{slot}": 0.0 for slot in (1, 2, 3)}
    stopped = stats_with(Elapsed=5000, state="failure", GHS__5s="0.00", total_rate=0.0, **boards)
    assert polled({**NEW, STATS: stopped}, memory)[1] == [STATS, POOLS]
    assert polled({**NEW, STATS: stats_with(Elapsed=5010)}, memory)[1] == [STATS]


def test_pools_that_fail_cost_their_own_figures() -> None:
    """The rate stays."""
    reading, _ = polled({STATS: NEW_STATS, POOLS: b"garbage"})
    assert (reading.rate_hs, reading.pools, reading.shares) == (173_870.94e9, (), None)


def test_stats_that_fails_ends_the_poll() -> None:
    """It is essential."""
    with pytest.raises(MalformedReplyError):
        polled({STATS: b"garbage", POOLS: NEW_POOLS})


def test_a_rate_that_its_boards_refute_is_not_credited() -> None:
    """The rules of consistency hold for this firmware too: ten times the boards' sum is no rate."""
    reading, _ = polled({**NEW, STATS: stats_with(GHS__5s="1738709.4")})
    assert reading.rate_hs == pytest.approx(173_870.9e9, rel=0.01)
    assert reading.repairs


def test_an_identity_is_one_object_from_poll_to_poll() -> None:
    """Ten thousand units share few texts."""
    memory = Memory()
    first, _ = polled(NEW, memory)
    second, _ = polled({**NEW, STATS: stats_with(Elapsed=4433)}, memory, at=AT + 10)
    assert first.identity is second.identity


@pytest.mark.parametrize(
    ("row", "is_fee"),
    [
        ({"URL": "DevFee", "User": "DevFee", "Type": 1}, True),
        ({"URL": "stratum+tcp://x.example:3333", "User": "owner.1", "Type": 1}, True),
        ({"URL": "devfee", "User": "x"}, True),
        ({"URL": "*", "User": "*"}, True),
        ({"URL": "stratum+tcp://DevFee:3333", "User": "x"}, True),
        ({"URL": "stratum+tcp://x.example:3333", "User": "DevFee.1"}, True),
        ({"URL": "stratum+tcp://x.example:3333", "User": "devfeeler.1"}, False),
        ({"URL": "stratum+tcp://x.example:3333", "User": "devFeeMiner.9"}, True),
        ({"URL": "stratum+tcp://x.example:3333", "User": "owner.1", "Type": 0}, False),
        ({"URL": "stratum+tcp://x.example:3333", "User": "owner.1", "Type": True}, False),
        ({"URL": "stratum+tcp://devfee.example:3333", "User": "owner.devfee"}, False),
        ({"URL": 5, "User": None}, False),
        ({}, False),
    ],
)
def test_which_pools_are_the_makers(row: dict[str, object], *, is_fee: bool) -> None:
    """By the type, or by the mark that stands for an address or a user."""
    assert conversation.is_fee_pool(row) is is_fee


def test_a_sum_of_shares_needs_every_pool() -> None:
    """A counter that one of the owner's pools leaves out is no sum."""
    pools = pools_with(lambda rows: [row.pop("Difficulty Accepted") for row in rows[:1]])
    reading, _ = polled({**NEW, POOLS: pools})
    assert reading.shares is not None
    assert (reading.shares.accepted, reading.shares.difficulty_accepted) == (1599, None)


def test_a_unit_with_the_makers_pool_alone_has_no_shares() -> None:
    """No pool of the owner is not the same as nothing accepted."""
    reading, _ = polled({**NEW, POOLS: pools_with(lambda rows: rows.__delitem__(slice(0, 2)))})
    assert [pool.is_fee for pool in reading.pools] == [True]
    assert reading.shares is None


def test_the_header_of_pools_is_not_counted() -> None:
    """`Msg` says 6 pools, 4 are listed."""
    reading, _ = polled({STATS: NEW_STATS, POOLS: OLD_POOLS})
    assert len(reading.pools) == 4


@pytest.mark.parametrize(
    ("stats", "is_vnish"),
    [
        (NEW_STATS, True),
        (NEW_STATS.replace(b"(Vnish 1.2.7)", b"(7Miners 1.2.6-rc1)"), True),
        (NEW_STATS.replace(b"(Vnish 1.2.7)", b"(vnish 1.3.4) "), True),
        (NEW_STATS.replace(b" (Vnish 1.2.7)", b""), False),
        (NEW_STATS.replace(b"(Vnish 1.2.7)", b"(HEM)"), False),
        (NEW_STATS.replace(b"(Vnish 1.2.7)", b"(Bixbit 1.2.7)"), False),
        (b"", False),
        (b"\xff\x00", False),
    ],
)
def test_the_newer_generation_is_told_by_stats(stats: bytes, *, is_vnish: bool) -> None:
    """`version` was refused with code 0; the model in `stats` decides."""
    assert is_spoken(Told(wire.decode_reply(NEW_VERSION, "version"), stats)) is is_vnish


def test_a_unit_that_says_nothing_is_none_of_these() -> None:
    """No reply to `version`, or one without rows."""
    assert not is_spoken(Told(None))
    for body in (b'{"STATUS":[{"STATUS":"S"}],"VERSION":[]}', b'{"STATUS":[{"STATUS":"S"}],"VERSION":[5]}'):
        assert not is_spoken(Told(wire.decode_reply(body, "version")))


def test_stats_asked_for_the_choice_is_asked_again_by_the_reader() -> None:
    """Once, at the first poll; then one request a poll."""
    memory = registry.CHOOSING.new_memory()
    answers = {**NEW, VERSION: NEW_VERSION}
    assert polled(answers, memory, reader=registry.CHOOSING)[1] == [VERSION, STATS, STATS, POOLS]
    answers[STATS] = stats_with(Elapsed=4433)
    assert polled(answers, memory, reader=registry.CHOOSING, nameplate=S21_PRO)[1] == [STATS]


def test_other_firmware_under_the_same_address_is_not_read() -> None:
    """LuxOS answers `stats` with its boards' averages; the choice of a reader hears of it."""
    memory = Memory()
    polled(NEW, memory)
    luxos = {STATS: capture("s19kpro-luxos-2025/tcp4028-stats.json"), POOLS: NEW_POOLS}
    with pytest.raises(UnsupportedReplyError, match="from 'Antminer S19k Pro', no longer VNish"):
        polled(luxos, memory)
    assert polled(NEW, memory)[0].rate_hs


@pytest.mark.parametrize("rate", [0.0, None])
def test_a_failed_unit_whose_boards_are_silent_hashes_nothing(rate: float | None) -> None:
    """Its total may stand still, and the average supports it."""
    boards = {f"chain_rate{slot}": rate for slot in (1, 2, 3)}
    reading, _ = polled({**NEW, STATS: stats_with(state="failure", **boards)})
    assert (reading.rate_hs, reading.faults, reading.repairs) == (0.0, (Fault.UNNAMED,), ("total_from_boards",))


@pytest.mark.parametrize("kind", [1, 1.0, "1"])
def test_a_fee_pool_is_known_by_its_type_alone(kind: object) -> None:
    """As a number or as text, whatever its URL and user are."""
    marked = pools_with(lambda rows: rows[2].update(Type=kind, URL="fee.example:1", User="x"))
    reading, _ = polled({**NEW, POOLS: marked})
    assert [pool.is_fee for pool in reading.pools] == [False, False, True]
    assert reading.shares is not None
    assert reading.shares.accepted == 1599
