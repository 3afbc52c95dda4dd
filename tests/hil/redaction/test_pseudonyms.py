"""Pseudonyms of addresses are reserved addresses of the same length."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network
from itertools import islice

import pytest

from agent.hil.redaction.addresses import other_mac, reserved_ipv4, reserved_ipv6
from agent.hil.redaction.harmless import may_be_harmless, why_chunk
from agent.hil.redaction.pseudonyms import Pseudonyms
from agent.hil.redaction.vocabulary import KNOWN_LABELS, WORDS


@pytest.mark.parametrize("length", range(7, 16))
def test_ipv4(length: int) -> None:
    """Hundreds of each length, none twice, none public or private."""
    addresses = list(islice(reserved_ipv4(length), 600))
    assert len(set(addresses)) == 600
    assert {len(address) for address in addresses} == {length}
    assert not [address for address in addresses if IPv4Address(address).is_global]


@pytest.mark.parametrize("length", range(6, 40))
def test_ipv6(length: int) -> None:
    """Of documentation or of the prefix that is discarded, and of the length asked for."""
    reserved = (IPv6Network("2001:db8::/32"), IPv6Network("100::/64"))
    addresses = [reserved_ipv6(length, number) for number in range(1, 16)]
    assert {len(address) for address in addresses} == {length}
    assert len(set(addresses)) == 15
    assert all(any(IPv6Address(address) in network for network in reserved) for address in addresses)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A4:5C:11:9B:02:7F", "02:FA:CE:00:00:2A"),
        ("a45c.119b.027f", "02fa.ce00.002a"),
        ("00-11-22-33-44-55", "02-fa-ce-00-00-2a"),
    ],
)
def test_mac(text: str, expected: str) -> None:
    """A MAC address stays one: locally administered, in its own notation and case."""
    assert other_mac(text, 42) == expected


@pytest.mark.parametrize("form", ["aaaa", "Aa", "A0", "0a000", "00aaaaaa", "aaAaa", "AAAA0000", "aa0"])
def test_no_pseudonym_is_harmless(form: str) -> None:
    """A pseudonym is found again, so that redacting a redacted capture changes nothing."""
    pseudonyms = Pseudonyms()
    made = [pseudonyms.of_atom(str(number), form) for number in range(120)]
    assert not [one for one in made if may_be_harmless(one) or why_chunk(one)]


def test_no_word_is_a_name() -> None:
    """What people call sites, networks and workers is in no vocabulary."""
    names = "acme alice bob home office farm rig test admin mysite quarry north satoshi secret guest house family"
    assert not set(names.split()) & (WORDS | KNOWN_LABELS)
