"""The addresses of a scan, from CIDR networks and ranges ``a-b``. Pure.

All ranges of a command are accepted, or every mistake in them is reported. An address is named once: ranges that
overlap are a typing error more often than a wish.
"""

import ipaddress
import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from agent.address import PRIVATE_NETWORKS, Address, Network, parse_address, parse_network
from agent.config.mistakes import SHOWN_MISTAKES, clip
from agent.errors import ConfigError, Mistake

NOT_PRIVATE = "not a private address, nor in ledger.networks of --config; --any-address allows it"
MOST_RANGES = 1000
MOST_ADDRESSES = 1 << 20
"""The addresses of 16 sites with a /16 each; at the default rate one look at them takes four minutes."""

_TOO_WIDE = re.compile(r"/0*[0-6]$")
_GOLDEN = (math.sqrt(5) - 1) / 2
_V4_BITS = 32
# A network of two addresses has neither a network's nor a broadcast address (RFC 3021).
_SHORTEST_PAIR = 31
_NOT_UNITS = (
    ipaddress.IPv4Network("0.0.0.0/8"),
    ipaddress.IPv4Network("224.0.0.0/3"),
    ipaddress.IPv6Network("ff00::/8"),
)


class Span(NamedTuple):
    """Successive addresses.

    Attributes:
        version: 4 or 6.
        first, last: As numbers; both are included.
        text: As the operator wrote it.
    """

    version: int
    first: int
    last: int
    text: str

    @property
    def size(self) -> int:
        """Number of addresses."""
        return self.last - self.first + 1


class Targets:
    """The addresses of a scan, by index from 0.

    Args:
        spans: Without overlaps.
    """

    def __init__(self, spans: Iterable[Span]) -> None:
        self.spans = tuple(sorted(spans))
        self._ends = list(accumulate(span.size for span in self.spans))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> str:
        """Return an address as text."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        place = bisect_right(self._ends, index)
        span = self.spans[place]
        number = span.last - (self._ends[place] - 1 - index)
        if span.version == 4:
            return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        return str(ipaddress.IPv6Address(number))

    def index_of(self, host: str) -> int:
        """Return the index of an address.

        Raises:
            ValueError: It is none of them.
        """
        address = ipaddress.ip_address(host)
        number = int(address)
        for span, end in zip(self.spans, self._ends, strict=True):
            if span.version == address.version and span.first <= number <= span.last:
                return end - 1 - (span.last - number)
        raise ValueError(f"{host} is none of the addresses")

    def outside(self, networks: Sequence[Network]) -> tuple[str, ...]:
        """Return the ranges, as written, that are not wholly in these networks."""
        return tuple(dict.fromkeys(span.text for span in self.spans if not _is_within(span, networks)))

    def order(self, start: int) -> Iterator[int]:
        """Yield every index once, far from the one before it, so that successive probes fall in different subnets.

        Args:
            start: Any number; the first index is its remainder.
        """
        count = len(self)
        step = max(1, int(count * _GOLDEN))
        while math.gcd(step, count) > 1:
            step += 1
        return ((start + number * step) % count for number in range(count))


def parse_targets(
    ranges: Sequence[str],
    excluded: Sequence[str] = (),
    *,
    allowed: Sequence[Network] | None,
    command: str = "scan",
    not_allowed: str = NOT_PRIVATE,
) -> Targets:
    """Return the addresses of a command line.

    The first and the last address of an IPv4 network are left out: they are no machine's.

    Args:
        ranges: ``10.20.0.0/22``, ``10.20.8.10-10.20.8.90`` or ``10.20.9.1``, at least one.
        excluded: Likewise; each covers at least one address of `ranges`.
        allowed: The networks that may be scanned; None for any.
        command: Its name in messages.
        not_allowed: The reason for an address outside of them.

    Raises:
        ConfigError: With every mistake.
    """
    mistakes = _Mistakes(command)
    for where, texts in (("RANGE", ranges), ("--exclude", excluded)):
        if len(texts) > MOST_RANGES:
            mistakes.add(
                where, "", f"{len(texts):,} ranges are too many for one scan; at most {MOST_RANGES:,} are taken"
            )
    mistakes.raise_any()
    spans = list(mistakes.spans("RANGE", ranges, lambda text: _span(text, allowed, not_allowed)))
    for one, other in _overlaps(spans):
        mistakes.add("RANGE", other.text, f"overlaps {one.text}; name each address once")
    holes = list(mistakes.spans("--exclude", excluded, lambda text: _span(text, None, is_hole=True)))
    mistakes.raise_any()
    for hole in holes:
        if not any(_is_overlap(span, hole) for span in spans):
            mistakes.add("--exclude", hole.text, "has no address in common with the ranges")
    targets = Targets(_without(spans, holes))
    if not len(targets):
        mistakes.add("RANGE", ", ".join(ranges), "no address is left to scan")
    elif len(targets) > MOST_ADDRESSES:
        mistakes.add("RANGE", ", ".join(ranges), _too_many(len(targets)))
    mistakes.raise_any()
    return targets


class _Mistakes:
    """The mistakes of a command line; the first ones are kept."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._kept: list[Mistake] = []
        self._count = 0

    def add(self, where: str, value: str, reason: str) -> None:
        self._count += 1
        if len(self._kept) < SHOWN_MISTAKES:
            self._kept.append(Mistake(file=self._command, where=where, value=clip(value), reason=reason))

    def spans(self, where: str, texts: Iterable[str], parse: Callable[[str], Span]) -> Iterator[Span]:
        for text in texts:
            try:
                yield parse(text)
            except ValueError as error:
                self.add(where, text, str(error))

    def raise_any(self) -> None:
        if self._kept:
            more = self._count - len(self._kept)
            if more:
                reason = f"{more:,} more mistakes are not shown"
                self._kept.append(Mistake(file=self._command, where="RANGE", value="", reason=reason))
            raise ConfigError(self._kept)


def _too_many(count: int) -> str:
    return f"{count:,} addresses; at most {MOST_ADDRESSES:,} are scanned at once, so name smaller ranges"


def refuse_public(address: Address, networks: Sequence[Network] = ()) -> None:
    """Refuse an address that is neither private nor in a network of the site's.

    Raises:
        ValueError: With a message for operators.
    """
    if not any(address in network for network in (*PRIVATE_NETWORKS, *networks)):
        raise ValueError(NOT_PRIVATE)


def _span(
    text: str, allowed: Sequence[Network] | None, not_allowed: str = NOT_PRIVATE, *, is_hole: bool = False
) -> Span:
    """Return one range.

    Raises:
        ValueError: With a message for operators.
    """
    if "/" in text:
        if _TOO_WIDE.search(text):
            raise ValueError(
                f"wider than any private network; at most {MOST_ADDRESSES:,} addresses are scanned at once"
            )
        network = parse_network(text)
        first, last = int(network.network_address), int(network.broadcast_address)
        if network.version == 4 and network.prefixlen < _SHORTEST_PAIR and not is_hole:
            first, last = first + 1, last - 1
        version: int = network.version
    elif "-" in text:
        version, first, last = _ends(text)
    else:
        address = parse_address(text)
        version, first, last = address.version, int(address), int(address)
    span = Span(version, first, last, text)
    if not is_hole and span.size > MOST_ADDRESSES:
        raise ValueError(_too_many(span.size))
    if any(network.version == version and _is_overlap(span, _whole(network)) for network in _NOT_UNITS):
        raise ValueError("no unit can have an address in this range")
    if allowed is not None and not _is_within(span, allowed):
        raise ValueError(not_allowed)
    return span


def _ends(text: str) -> tuple[int, int, int]:
    begin, _, end = text.partition("-")
    first, last = parse_address(begin), parse_address(end)
    if first.version != last.version:
        raise ValueError("both ends of a range are of one kind, IPv4 or IPv6")
    if int(first) > int(last):
        raise ValueError(f"the first address comes after the last; write {end}-{begin}")
    return first.version, int(first), int(last)


def _whole(network: Network) -> Span:
    return Span(network.version, int(network.network_address), int(network.broadcast_address), str(network))


def _is_within(span: Span, networks: Sequence[Network]) -> bool:
    """Return True if every address of a span is in one of the networks."""
    missing = [span]
    for network in networks:
        missing = list(_without(missing, [_whole(network)]))
    return not missing


def _is_overlap(one: Span, other: Span) -> bool:
    return one.version == other.version and one.first <= other.last and other.first <= one.last


def _overlaps(spans: Iterable[Span]) -> Iterator[tuple[Span, Span]]:
    widest: Span | None = None
    for span in sorted(spans):
        if widest is not None and _is_overlap(widest, span):
            yield widest, span
        if widest is None or widest.version != span.version or span.last > widest.last:
            widest = span


def _without(spans: Iterable[Span], holes: Sequence[Span]) -> Iterator[Span]:
    """Yield what is left of spans without the addresses of other spans."""
    for span in spans:
        first = span.first
        for hole in sorted(holes):
            if hole.version != span.version or hole.last < first or hole.first > span.last:
                continue
            if hole.first > first:
                yield span._replace(first=first, last=hole.first - 1)
            first = hole.last + 1
        if first <= span.last:
            yield span._replace(first=first)
