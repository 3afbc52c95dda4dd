"""Delivery of a reply: whole and at once, unless wire and protocol faults of the unit alter it."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple, Protocol, Self

from simulators.unit.snapshot import Phase


class Ending(StrEnum):
    """End of a connection after the last byte."""

    CLOSE = "close"
    RESET = "reset"
    HANG = "hang"


class Facts(NamedTuple):
    """The truth about a unit when it replies, for faults that alter the figures of a reply.

    Attributes:
        phase: The phase it is in.
        phase_s: How long it has been in it, s.
        nameplate_hs: Its nameplate, H/s.
        power_watts: Power at the wall.
        boards: Boards of its model.
    """

    phase: Phase
    phase_s: float
    nameplate_hs: float
    power_watts: float
    boards: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One reply on its way.

    Attributes:
        command: The requested command.
        reply: The bytes, with the closing NUL.
        wait_s: Real seconds before the first byte.
        piece_bytes: Size of the pieces it is cut into; 0 sends it whole.
        gap_s: Real seconds between two pieces.
        linger_s: Real seconds between the last byte and the ending.
        draw: Random number of this delivery, uniform in [0, 1).
        ending: How the connection ends; with HANG the client has to end it.
        facts: The truth about the unit; None at an address without a simulated unit.
    """

    command: str
    reply: bytes
    wait_s: float = 0.0
    piece_bytes: int = 0
    gap_s: float = 0.0
    linger_s: float = 0.0
    draw: float = 0.0
    ending: Ending = Ending.CLOSE
    facts: Facts | None = None

    @property
    def is_at_once(self) -> bool:
        """True if it is sent whole and the connection closed after it, without any wait."""
        return self.ending is Ending.CLOSE and not (self.wait_s or self.piece_bytes or self.linger_s)

    def with_reply(self, reply: bytes) -> Self:
        """Return the same delivery of another reply, which is sent as it is: it needs its own NUL."""
        return replace(self, reply=reply)


class Spoiler(Protocol):
    """A wire or protocol fault as a delivery sees it."""

    def spoil(self, delivery: Delivery) -> Delivery:
        """Return the delivery altered by this fault."""
        ...
