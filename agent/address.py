"""Strict parsing of IP addresses, endpoints, networks and MAC addresses."""

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple, TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_THIS_HOST = ipaddress.IPv4Network("0.0.0.0/8")
_RESERVED = ipaddress.IPv4Network("240.0.0.0/4")
_MAC = re.compile(r"[0-9a-f]{2}([:-]?)(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}")
_NO_MAC = "000000000000"
_LONGEST_MAC = 17


class Endpoint(NamedTuple):
    """A literal IP address and a port; a link-local address includes its interface (``fe80::1%eth0``)."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Return the literal IP address in `text`.

    Raises:
        ValueError: For host names, IPv4-mapped IPv6 addresses, link-local addresses without an interface, and the
            short, octal, decimal and hexadecimal spellings that C libraries accept. The message is for operators.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        if re.fullmatch(r"[0-9.]+", text):
            reason = "an IPv4 address is four numbers from 0 to 255 without leading zeros"
        else:
            reason = "a literal IP address is expected, such as 10.0.3.17; names are not looked up"
        raise ValueError(reason) from None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            raise ValueError(f"an IPv4 address written as IPv6 is refused; write {address.ipv4_mapped}")
        if address.is_link_local and address.scope_id is None:
            raise ValueError(f"a link-local address needs its interface, as in {address}%eth0")
        if address.scope_id is not None and not (
            address.is_link_local and re.fullmatch(r"[A-Za-z0-9._-]{1,15}", address.scope_id)
        ):
            raise ValueError("only a link-local address has an interface, of 1 to 15 of A-Z a-z 0-9 . _ -")
    return address


def parse_endpoint(text: str, *, default_port: int | None = None) -> tuple[Address, int]:
    """Return address and port of ``10.0.0.1:80`` or ``[fc00::1]:80``; the port may be left out if it has a default.

    Raises:
        ValueError: With a message for operators.
    """
    port: str | None
    if bracketed := re.fullmatch(r"\[([^\[\]]*:[^\[\]]*)\](?::(.*))?", text):
        host, port = bracketed[1], bracketed[2]
    elif text.count(":") == 1:
        host, port = text.split(":")
    else:
        host, port = text, None
    address = parse_address(host)
    if port is None:
        if default_port is None:
            raise ValueError("a port is needed, as in 127.0.0.1:9184 or [::1]:9184")
        return address, default_port
    if not re.fullmatch(r"0|[1-9][0-9]{0,4}", port) or int(port) > 65535:
        raise ValueError("a port is a whole number up to 65535")
    return address, int(port)


def parse_network(text: str) -> Network:
    """Return the network in `text`: an address and a prefix length, no wider than the widest private network.

    Raises:
        ValueError: With a message for operators.
    """
    reason = "a network is expected, such as 10.20.0.0/16 or fd00:20::/64"
    if not re.fullmatch(r"[0-9A-Fa-f.:]+/[0-9]{1,3}", text):
        raise ValueError(reason)
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(reason) from None
    if network.network_address != ipaddress.ip_address(text.partition("/")[0]):
        raise ValueError(f"the address has bits beyond its prefix; write {network}")
    widest = 8 if network.version == 4 else 7
    if network.prefixlen < widest:
        raise ValueError(f"wider than any private network; /{widest} or longer is expected")
    if network.is_multicast or network.network_address in _THIS_HOST or network.network_address in _RESERVED:
        raise ValueError("no unit can have an address in this network")
    return network


def parse_mac(text: str) -> str:
    """Return a MAC address as ``aa:bb:cc:dd:ee:ff``, from any common spelling.

    Raises:
        ValueError: Not the address of one machine; this includes multicast addresses and all zeros.
    """
    folded = text.lower()
    digits = re.sub(r"[:.-]", "", folded)
    # An odd first octet is a multicast address (IEEE 802); tools print zeros for "unknown".
    if not _MAC.fullmatch(folded) or int(digits[:2], 16) % 2 or digits == _NO_MAC:
        raise ValueError("the MAC address of one machine is expected, such as 02:1a:2b:3c:4d:5e")
    return ":".join(re.findall("..", digits))


@lru_cache(maxsize=4096)
def _mac_or_none(text: str) -> str | None:
    try:
        return parse_mac(text)
    except ValueError:
        return None


def mac_or_none(text: str | None) -> str | None:
    """Return a MAC address as `parse_mac` does; None for any other text, and without one."""
    # A longer text is none, and is not remembered.
    return _mac_or_none(text) if text is not None and len(text) <= _LONGEST_MAC else None


PRIVATE_NETWORKS: tuple[Network, ...] = tuple(
    parse_network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "127.0.0.0/8",
        "100.64.0.0/10",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)
"""The networks in which units are found unless a site says otherwise: RFC 1918, loopback for simulators, the
carrier-grade space of some hosting sites (RFC 6598), IPv6 unique local and link-local. Listed, because `is_private` is
False for 100.64.0.0/10."""


def is_loopback(host: str) -> bool:
    """Return True for an address of this machine's own loopback network, and for the name ``localhost``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
