"""How a reply travels: normally whole and at once, or as the wire and protocol faults of a unit have it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Ending(StrEnum):
    """What happens to the connection after the last byte."""

    CLOSE = "close"
    RESET = "reset"
    HANG = "hang"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One reply on its way.

    Attributes:
        command: What was asked.
        reply: The bytes, with the closing NUL.
        wait_s: Real seconds before the first byte.
        piece_bytes: Size of the pieces it is cut into; 0 sends it whole.
        gap_s: Real seconds between two pieces.
        linger_s: Real seconds between the last byte and the ending.
        draw: The lot of this delivery, uniform in [0, 1).
        ending: How the connection ends; with HANG the client has to.
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
    """A fault of the wire or the protocol, as far as a delivery knows one."""

    def spoil(self, delivery: Delivery) -> Delivery:
        """Give the delivery with this fault in it."""
        ...
