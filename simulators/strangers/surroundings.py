"""The network around the units of a farm: what stands at its other addresses, and how well it carries packets."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from simulators.strangers.spans import Span, addresses_in, merged, read_span

MAX_ANSWERING = 4096
MAX_LOSS_RATIO = 0.5
MAX_LATENCY_S = 60.0


class Make(StrEnum):
    """Machine at an address that is no unit's.

    Attributes:
        SILENT: Nothing: packets to it are lost.
        MUTE: A port that is open, takes a request and never answers.
        WEB: A web server on TCP 4028, such as a printer's.
        WHATSMINER, AVALON, SEALMINER, AURADINE, EPIC: A machine of that make, with recorded replies.
    """

    SILENT = "silent"
    MUTE = "mute"
    WEB = "web"
    WHATSMINER = "whatsminer"
    AVALON = "avalon"
    SEALMINER = "sealminer"
    AURADINE = "auradine"
    EPIC = "epic"


MAKERS: Final[Mapping[Make, str]] = MappingProxyType(
    {Make.WHATSMINER: "MicroBT", Make.AVALON: "Canaan", Make.SEALMINER: "Bitdeer", Make.AURADINE: "Auradine"}
)
"""The makers of machines that can stand in a ledger."""


class Elsewhere(StrEnum):
    """Response of TCP 4028 at an address without a machine.

    Attributes:
        RESET: It connects and is reset; all units share one listening socket.
        REFUSE: It is refused, as by a machine without the port. Each unit needs a listening socket of its own.
        SILENT: Its packets are lost, as where no machine is.
    """

    RESET = "reset"
    REFUSE = "refuse"
    SILENT = "silent"


class SurroundingsError(ValueError):
    """Surroundings that cannot be built; the message names the value."""


class Listed(NamedTuple):
    """A machine as a ledger has it.

    Attributes:
        make: Its maker.
        model: As on its label.
        hashrate_th: Its bin, TH/s, as text.
    """

    make: str
    model: str
    hashrate_th: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strangers:
    """Machines of one make, or silence.

    Attributes:
        make: What stands there.
        spans: Where.
        listed: The row that each of them has in the farm's ledger; None for machines that are not deployed.
    """

    make: Make
    spans: tuple[Span, ...]
    listed: Listed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The network around the units. The defaults cost nothing.

    Attributes:
        strangers: What stands at addresses of no unit.
        elsewhere: What a client meets at all other addresses.
        latency_s: Real seconds by which each reply on TCP 4028 is late.
        loss_ratio: Share of the packets to TCP 4028 that are lost; the client's system sends them again.
    """

    strangers: tuple[Strangers, ...] = ()
    elsewhere: Elsewhere = Elsewhere.RESET
    latency_s: float = 0.0
    loss_ratio: float = 0.0

    @property
    def needs_filter(self) -> bool:
        """True if packets are to be lost, whatever the units do."""
        return bool(self.loss_ratio or self.silent) or self.elsewhere is Elsewhere.SILENT

    @property
    def silent(self) -> tuple[Span, ...]:
        """The addresses that are silent for good."""
        return tuple(merged(span for group in self.strangers if group.make is Make.SILENT for span in group.spans))

    def answering(self) -> Iterator[tuple[int, Make]]:
        """Yield address and make of every stranger that is not silent."""
        for group in self.strangers:
            if group.make is not Make.SILENT:
                yield from ((address, group.make) for address in addresses_in(group.spans))

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            SurroundingsError: An address has two strangers, there are too many, or a figure is out of range.
        """
        if not 0.0 <= self.latency_s <= MAX_LATENCY_S:
            raise SurroundingsError(f"latency {self.latency_s!r} s is out of range (0 to {MAX_LATENCY_S:g})")
        if not 0.0 <= self.loss_ratio <= MAX_LOSS_RATIO:
            raise SurroundingsError(f"loss {self.loss_ratio!r} is out of range (0 to {MAX_LOSS_RATIO:g})")
        spans = [span for group in self.strangers for span in group.spans]
        if sum(span.size for span in merged(spans)) < sum(span.size for span in spans):
            raise SurroundingsError("two strangers stand at one address")
        answering = sum(span.size for group in self.strangers if group.make is not Make.SILENT for span in group.spans)
        if answering > MAX_ANSWERING:
            raise SurroundingsError(f"{answering} strangers that answer; at most {MAX_ANSWERING} are expected")


QUIET: Final = Surroundings()


def read_listed(text: str, make: Make) -> Listed:
    """Read ``Whatsminer M30S+:101``: a model and its bin in TH/s.

    Raises:
        SurroundingsError: It has another form, or what stands there is no machine.
    """
    model, _, hashrate_th = text.rpartition(":")
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]+)?", hashrate_th) or not model.isprintable() or not model.strip():
        raise SurroundingsError(f"{text[:60]!r} is not of the form MODEL:TH, as in Whatsminer M30S+:101")
    if make not in MAKERS:
        raise SurroundingsError(f"{make} is no machine that a ledger may have; those are {', '.join(MAKERS)}")
    return Listed(MAKERS[make], model.strip(), hashrate_th)


def read_strangers(text: str) -> Strangers:
    """Read ``whatsminer=127.10.8.1-127.10.8.20``: make, and where.

    Raises:
        SurroundingsError: The make is unknown, or there is no ``=``.
        SpanError: The addresses are malformed.
    """
    make, equals, span = text.partition("=")
    if not equals or make not in set(Make):
        raise SurroundingsError(f"{text[:60]!r} is not MAKE=ADDRESSES, with one of {', '.join(Make)}")
    return Strangers(make=Make(make), spans=(read_span(span),))


def read_elsewhere(text: str) -> Elsewhere:
    """Read ``reset``, ``refuse`` or ``silent``.

    Raises:
        SurroundingsError: It is none of them.
    """
    if text not in set(Elsewhere):
        raise SurroundingsError(f"elsewhere {text[:60]!r} is none of {', '.join(Elsewhere)}")
    return Elsewhere(text)
