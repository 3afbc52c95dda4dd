"""Delivery of a recorded answer: its ending, what lies beyond a recorder's cap, and its recorded delay."""

from types import MappingProxyType
from typing import Final, NamedTuple

from simulators.captures.form import Answer, Ending
from simulators.firmware.request import NUL
from simulators.sockets.page_bytes import BEYOND_CAP
from simulators.unit import delivery
from simulators.unit.delivery import Delivery

MAX_PIECES: Final = 1000
MAX_DELAY_S: Final = 120.0

_ON_THE_WIRE: Final = MappingProxyType(
    {
        Ending.NUL: delivery.Ending.HANG,
        Ending.SILENCE: delivery.Ending.HANG,
        Ending.RESET: delivery.Ending.RESET,
    }
)


class Delay(NamedTuple):
    """Recorded delays of a reply.

    Attributes:
        wait_s: Before its first byte.
        spread_s: From its first byte to its last.
        pieces: Reads in which it came.
    """

    wait_s: float
    spread_s: float
    pieces: int


def is_heard(answer: Answer) -> bool:
    """Return True if there was a connection, whatever came over it. Replies without a manifest count."""
    return answer.reply.ending is not None or answer.reply.file is not None


def delivered(answer: Answer, command: str, delay: Delay | None) -> bytes | Delivery:
    """Return a recorded answer as it travels: at once, or with its ending and its recorded delay."""
    ending, data = answer.reply.ending, answer.data
    if not is_heard(answer):
        ending = Ending.RESET  # It was refused then. Here the port is open, and a reset is the nearest.
    if ending in (None, Ending.NUL_CLOSE) and delay is None:
        return data
    if ending in (None, Ending.NUL_CLOSE, Ending.NUL):
        data += NUL
    elif ending is Ending.TOO_LARGE:
        data += BEYOND_CAP
    wait_s, spread_s, pieces = delay or (0.0, 0.0, 1)
    pieces = max(1, min(pieces, len(data), MAX_PIECES))
    return Delivery(
        command=command,
        reply=data,
        wait_s=wait_s,
        piece_bytes=-(-len(data) // pieces) if pieces > 1 else 0,
        gap_s=spread_s / (pieces - 1) if pieces > 1 else 0.0,
        ending=delivery.Ending.CLOSE if ending is None else _ON_THE_WIRE.get(ending, delivery.Ending.CLOSE),
    )
