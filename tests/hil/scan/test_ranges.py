"""The addresses of a scan: what a command line means, and one clear message for every range that cannot be meant."""

import ipaddress
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.address import PRIVATE_NETWORKS, parse_network
from agent.errors import ConfigError
from agent.hil.scan.ranges import MOST_ADDRESSES, MOST_RANGES, Targets, parse_targets, refuse_public


def targets(*ranges: str, excluded: tuple[str, ...] = ()) -> Targets:
    """Return the addresses of ranges in private networks."""
    return parse_targets(ranges, excluded, allowed=PRIVATE_NETWORKS)


def reasons(*ranges: str, excluded: tuple[str, ...] = ()) -> list[str]:
    """Return the messages about ranges."""
    with pytest.raises(ConfigError) as caught:
        targets(*ranges, excluded=excluded)
    return [str(mistake) for mistake in caught.value.mistakes]


@pytest.mark.parametrize(
    ("ranges", "excluded", "expected"),
    [
        (("10.0.0.0/30",), (), ["10.0.0.1", "10.0.0.2"]),
        (("10.0.0.0/31",), (), ["10.0.0.0", "10.0.0.1"]),
        (("10.0.0.7/32",), (), ["10.0.0.7"]),
        (("10.0.0.7",), (), ["10.0.0.7"]),
        (("10.0.0.254-10.0.1.1",), (), ["10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1"]),
        (("10.0.0.9", "10.0.0.4-10.0.0.5"), (), ["10.0.0.4", "10.0.0.5", "10.0.0.9"]),
        (("10.0.0.0/29",), ("10.0.0.2-10.0.0.3", "10.0.0.5"), ["10.0.0.1", "10.0.0.4", "10.0.0.6"]),
        (("10.0.0.0/29",), ("10.0.0.0/30",), ["10.0.0.4", "10.0.0.5", "10.0.0.6"]),
        (("fd00::1-fd00::3",), ("fd00::2",), ["fd00::1", "fd00::3"]),
        (("127.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1"), (), None),
    ],
)
def test_ranges_mean_addresses(ranges: tuple[str, ...], excluded: tuple[str, ...], expected: list[str] | None) -> None:
    """Networks lose their first and last address, ranges do not; what is excluded is left out."""
    found = targets(*ranges, excluded=excluded)
    shown = [found[index] for index in range(len(found))]
    assert shown == (sorted(ranges, key=ipaddress.ip_address) if expected is None else expected)
    assert [found.index_of(host) for host in shown] == list(range(len(found)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10.0.0.9-10.0.0.1", "the first address comes after the last; write 10.0.0.1-10.0.0.9"),
        ("0.0.0.0/0", "wider than any private network"),
        ("10.0.0.0/0", "wider than any private network"),
        ("::/0", "wider than any private network"),
        ("10.0.0.0/8", "16,777,214 addresses; at most 1,048,576"),
        ("fd00::/64", "18,446,744,073,709,551,616 addresses; at most 1,048,576"),
        ("10.0.0.1/24", "the address has bits beyond its prefix; write 10.0.0.0/24"),
        ("10.0.0.1-fd00::1", "both ends of a range are of one kind"),
        ("8.8.8.0/24", "not a private address"),
        ("9.255.255.255-10.0.0.3", "not a private address"),
        ("224.0.0.1", "no unit can have an address in this range"),
        ("10.0.0.256", "four numbers from 0 to 255"),
        ("10.0.0.1-90", "four numbers from 0 to 255"),
        ("miners.example", "names are not looked up"),
        ("", "a literal IP address is expected"),
    ],
)
def test_an_absurd_range_gets_one_message(text: str, reason: str) -> None:
    """It names the range and the reason, and nothing else is said."""
    (message,) = reasons(text)
    assert message.startswith("scan: RANGE")
    assert reason in message


@pytest.mark.parametrize(
    ("ranges", "excluded", "expected"),
    [
        (("10.0.0.0/24", "10.0.0.77"), (), "scan: RANGE = '10.0.0.77': overlaps 10.0.0.0/24; name each address once"),
        (("10.0.0.5", "10.0.0.5"), (), "scan: RANGE = '10.0.0.5': overlaps 10.0.0.5; name each address once"),
        (("10.0.0.0/24",), ("10.0.1.1",), "scan: --exclude = '10.0.1.1': has no address in common with the ranges"),
        (("10.0.0.5",), ("10.0.0.0/24",), "scan: RANGE = '10.0.0.5': no address is left to scan"),
        (("10.0.0.5",), ("10.0.0.9-10.0.0.1",), "--exclude = '10.0.0.9-10.0.0.1': the first address comes after"),
    ],
)
def test_ranges_that_do_not_fit_each_other(ranges: tuple[str, ...], excluded: tuple[str, ...], expected: str) -> None:
    """Overlaps, holes outside, and nothing left: one message each."""
    (message,) = reasons(*ranges, excluded=excluded)
    assert expected in message


@given(
    st.lists(st.text("0123456789abcdef.:/-% ", max_size=24), max_size=4),
    st.lists(st.text("0123456789.:/-", max_size=18), max_size=2),
)
@example(["10.0.0.1-"], ["-"])
@example(["fe80::1%eth0"], [])
@example(["fe80::1%eth0-fe80::9%eth0"], ["/"])
def test_any_command_line_is_addresses_or_a_message(ranges: list[str], excluded: list[str]) -> None:
    """Nothing else is ever raised, and every address of a result is private."""
    try:
        found = parse_targets(ranges, excluded, allowed=PRIVATE_NETWORKS)
    except ConfigError:
        return
    for index in (0, len(found) - 1):
        refuse_public(ipaddress.ip_address(found[index]))


def test_ten_thousand_ranges_are_one_mistake() -> None:
    """Their number is named, not each of them."""
    assert reasons(*["10.0.0.1"] * 10_000) == [
        f"scan: RANGE: 10,000 ranges are too many for one scan; at most {MOST_RANGES:,} are taken"
    ]


def test_the_sum_of_ranges_is_bounded() -> None:
    """Each is small enough, all together are not."""
    (message,) = reasons(*(f"10.{octet}.0.0/16" for octet in range(17)))
    assert f"1,114,078 addresses; at most {MOST_ADDRESSES:,}" in message


def test_a_range_may_span_two_allowed_networks() -> None:
    """An address range belongs to the networks together, as far as they touch."""
    halves = (parse_network("203.0.112.0/24"), parse_network("203.0.113.0/24"))
    assert len(parse_targets(["203.0.112.250-203.0.113.5"], allowed=halves)) == 12
    with pytest.raises(ConfigError, match="--any-address"):
        parse_targets(["203.0.112.250-203.0.114.5"], allowed=halves)


def test_any_address_may_be_allowed() -> None:
    """Without a list, public addresses are taken; what is no machine's never is."""
    assert parse_targets(["192.0.2.1-192.0.2.3"], allowed=None)[0] == "192.0.2.1"
    with pytest.raises(ConfigError, match="no unit can have"):
        parse_targets(["239.0.0.1"], allowed=None)


@pytest.mark.parametrize("count", [1, 2, 3, 254, 1022, 65_534])
def test_the_order_has_each_address_once(count: int) -> None:
    """From any start."""
    first = int(ipaddress.ip_address("10.0.0.1"))
    found = targets(f"10.0.0.1-{ipaddress.ip_address(first + count - 1)}")
    assert sorted(found.order(12_345)) == list(range(count))


def test_successive_probes_fall_in_different_subnets() -> None:
    """Of a /22, no two successive addresses are in one /24 more often than a quarter of the time."""
    found = targets("10.0.0.0/22")
    subnets = [found[index].rpartition(".")[0] for index in found.order(7)]
    same = sum(one == other for one, other in pairwise(subnets))
    assert same < len(subnets) // 4


@pytest.mark.parametrize("text", ["10.0.0.1", "127.9.9.9", "fd00::1", "203.0.113.9"])
def test_private_addresses_and_those_of_the_site_are_not_refused(text: str) -> None:
    """The last is in a network of the site's."""
    refuse_public(ipaddress.ip_address(text), (parse_network("203.0.113.0/24"),))


def test_a_public_address_is_refused() -> None:
    """The message names the way out."""
    with pytest.raises(ValueError, match="--any-address"):
        refuse_public(ipaddress.ip_address("203.0.113.9"))


def test_the_number_of_mistakes_that_are_not_shown_is_said() -> None:
    """A hundred lines are enough for a person, and are not all there is."""
    with pytest.raises(ConfigError) as caught:
        parse_targets(["10.0.0.300"] * 150, allowed=None)
    assert len(caught.value.mistakes) == 101
    assert str(caught.value.mistakes[-1]) == "scan: RANGE: 50 more mistakes are not shown"
