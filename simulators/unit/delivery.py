"""Delivery of a reply: whole and at once, unless wire and protocol faults of the unit alter it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Ending(StrEnum):
    """End of a connection after the last byte."""

    CLOSE = "close"
    RESET = "reset"
    HANG = "hang"


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
    """

    command: str
    reply: bytes
    wait_s: float = 0.0
    piece_bytes: int = 0
    gap_s: float = 0.0
    linger_s: float = 0.0
    draw: float = 0.0
    ending: Ending = Ending.CLOSE


class Spoiler(Protocol):
    """A wire or protocol fault as a delivery sees it."""

    def spoil(self, delivery: Delivery) -> Delivery:
        """Return the delivery altered by this fault."""
        ...
