"""MAC and IP addresses: which ones tell something, and reserved ones of the same length to put in their place. Pure."""

import re
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address
from itertools import product
from typing import Final

MAC: Final = re.compile(
    r"(?<![0-9A-Za-z\x80-\U0001ffff])[0-9A-Fa-f]{2}([:_-])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4}(?![0-9A-Za-z\x80-\U0001ffff]|\1[0-9A-Fa-f])"
    r"|(?<![0-9A-Za-z\x80-\U0001ffff.])[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}(?![0-9A-Za-z\x80-\U0001ffff]|\.[0-9A-Fa-f])"
)
BARE_MAC: Final = re.compile(r"(?=.*[A-Fa-f])(?:[0-9a-f]{12}|[0-9A-F]{12})")
IPV4: Final = re.compile(
    r"(?<![0-9A-Za-z\x80-\U0001ffff.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9A-Za-z\x80-\U0001ffff]|\.[0-9])"
)
IPV6: Final = re.compile(
    r"(?<![0-9A-Za-z\x80-\U0001ffff:])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]{1,4})?(?![0-9A-Za-z\x80-\U0001ffff:])"
)
SHORTEST_IPV6: Final = 6
LONGEST_IPV6: Final = 39
# Locally administered, and never all digits: without separators it would be taken for a number.
_MAC_START: Final = "02face"
# Private, shared, loopback, link-local and multicast addresses, netmasks, and "no address".
_TELLING_NOTHING: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/32",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "224.0.0.0/4",
        "255.0.0.0/8",
    )
)
# Documentation (RFC 5737), benchmarks (RFC 2544), never assigned (RFC 1112), and "this network" (RFC 791).
_RESERVED: Final = ("192.0.2", "198.51.100", "203.0.113", "198.18", "198.19", "240", "241", "242", "0")
_OCTETS: Final = (range(0), range(10), range(10, 100), range(100, 256))


def mac_digits(text: str) -> str:
    """Return the twelve digits of a MAC address, in lower case and without separators."""
    return re.sub(r"[^0-9a-f]", "", text.lower())


def is_telling_mac(text: str) -> bool:
    """Return True if a text that matches `MAC` is some machine's address.

    A list of six temperatures, ``50-40-50-50-41-42``, is none; neither are 0.0.0.0 and 255.255.255.255.
    """
    digits = mac_digits(text)
    if digits in {"0" * 12, "f" * 12}:
        return False
    if text[2] in "-_" and digits.isdecimal():
        return "0" in digits[::2]
    return not (text[4] == "." and digits.isdecimal())


def other_mac(text: str, number: int) -> str:
    """Return the MAC address of a number (from 1) in the notation of `text`.

    The separators and the case stay; without letters, or with both cases, it is lower case.
    """
    digits = iter(f"{_MAC_START}{number % 0x1000000:06x}")
    letters = [character for character in text if character.isalpha()]
    if letters and all(character.isupper() for character in letters):
        digits = iter("".join(digits).upper())
    return "".join(next(digits) if character.isalnum() else character for character in text)


@lru_cache(maxsize=4096)
def is_telling_ipv4(text: str) -> bool | None:
    """Return True if an IPv4 address is public, False if it tells nothing, None if it is no address."""
    try:
        address = IPv4Address(text)
    except AddressValueError:
        return None
    return not any(address in network for network in _TELLING_NOTHING)


@lru_cache(maxsize=4096)
def is_telling_ipv6(text: str) -> bool | None:
    """Return True if an IPv6 address may tell a site or a machine, False if not, None if it is no address.

    Private ones tell nothing while their interface is a small number; others are often made from the MAC address.
    """
    if not SHORTEST_IPV6 <= len(text) <= LONGEST_IPV6:
        return None
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return None
    if address.ipv4_mapped is not None:
        return is_telling_ipv4(str(address.ipv4_mapped))
    first = int(address) >> 112
    is_private = first & 0xFE00 == 0xFC00 or first & 0xFFC0 == 0xFE80 or first == 0
    return not ((is_private and int(address) & (1 << 64) - 1 < 1 << 16) or first & 0xFF00 == 0xFF00)


def reserved_ipv4(length: int) -> Iterator[str]:
    """Yield reserved IPv4 addresses of a length of 7 to 15 characters, in a fixed order."""
    for prefix in _RESERVED:
        free = 3 - prefix.count(".")
        for lengths in product((1, 2, 3), repeat=free):
            if len(prefix) + free + sum(lengths) == length:
                last = range(1, 10) if lengths[-1] == 1 else _OCTETS[lengths[-1]]
                for octets in product(*(_OCTETS[digits] for digits in lengths[:-1]), last):
                    yield ".".join((prefix, *map(str, octets)))


def reserved_ipv6(length: int, number: int) -> str:
    """Return the reserved IPv6 address of a number (from 1), of a length of 6 to 39 characters.

    Documentation (RFC 3849), or of the prefix that is discarded (RFC 6666) where that is too long.
    """
    if length == LONGEST_IPV6:
        prefix, groups = "2001:0db8:", 6
    elif length >= 35:
        prefix, groups = "2001:db8:", 6
    else:
        prefix = "100::" if length < 11 else "2001:db8::"
        groups = (length - len(prefix) + 5) // 5
    digits = length - len(prefix) - (groups - 1)
    tail = f"{number % 16**digits:0{digits}x}"
    sizes = [(digits + place) // groups for place in range(groups)]
    parts: list[str] = []
    for size in sizes:
        parts.append(tail[:size])
        tail = tail[size:]
    return prefix + ":".join(parts)
