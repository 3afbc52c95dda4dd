"""Spans of IPv4 addresses: one address, two with a dash between, or a network."""

import ipaddress
from collections.abc import Iterable, Iterator
from typing import NamedTuple

MAX_ADDRESSES = 1 << 20


class SpanError(ValueError):
    """A span that cannot be used; the message names it."""


class Span(NamedTuple):
    """Addresses that follow each other.

    Attributes:
        first: First IPv4 address, as a number.
        last: Last one; it belongs to the span.
    """

    first: int
    last: int

    def __contains__(self, address: object) -> bool:
        return isinstance(address, int) and self.first <= address <= self.last

    @property
    def size(self) -> int:
        """Number of its addresses."""
        return self.last - self.first + 1


def read_span(text: str) -> Span:
    """Read ``127.10.8.1``, ``127.10.8.1-127.10.9.40`` or ``127.10.8.0/22``.

    Raises:
        SpanError: The text is malformed or reversed, or holds more than `MAX_ADDRESSES` addresses.
    """
    try:
        if "/" in text:
            network = ipaddress.IPv4Network(text)
            span = Span(int(network.network_address), int(network.broadcast_address))
        else:
            first, dash, last = text.partition("-")
            begin = int(ipaddress.IPv4Address(first))
            span = Span(begin, int(ipaddress.IPv4Address(last)) if dash else begin)
    except ValueError:
        raise SpanError(f"{text[:60]!r} is not IPV4, IPV4-IPV4 or a network such as 127.10.8.0/24") from None
    if not 1 <= span.size <= MAX_ADDRESSES:
        raise SpanError(f"{text[:60]!r} holds {span.size} addresses; 1 to {MAX_ADDRESSES} are expected")
    return span


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the same addresses in as few spans as possible, in order."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.first <= found[-1].last + 1:
            found[-1] = Span(found[-1].first, max(found[-1].last, span.last))
        else:
            found.append(span)
    return found


def addresses_in(spans: Iterable[Span]) -> Iterator[int]:
    """Yield every address of some spans, as a number."""
    for span in spans:
        yield from range(span.first, span.last + 1)
