"""The machine's clock as the kernel sees it, read with `adjtimex`: no program is started and nothing is sent."""

import ctypes
import struct
from typing import Final, NamedTuple

# struct timex (Linux, 64 bits): modes, offset, freq, maxerror, esterror, status; the rest is not read.
_TIMEX: Final = struct.Struct("@Illlli")
_TIMEX_BYTES: Final = 256
_UNSYNCHRONISED, _NANOSECONDS = 0x0040, 0x2000
_ERROR_STATE: Final = 5


class Clock(NamedTuple):
    """The machine's clock as the kernel sees it.

    Attributes:
        is_synchronised: True if a time service disciplines it; None if the kernel does not say.
        offset_s: What the time service still has to correct, s.
        error_s: The largest error that the kernel reckons with, s.
    """

    is_synchronised: bool | None
    offset_s: float = 0.0
    error_s: float = 0.0


def read_clock() -> Clock:
    """Return what the kernel says about the clock."""
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    except (OSError, AttributeError):
        return Clock(None)
    if state < 0:
        return Clock(None)
    _, offset, _, _, error_us, status = _TIMEX.unpack_from(buffer)
    unit_s = 1e-9 if status & _NANOSECONDS else 1e-6
    is_synchronised = state != _ERROR_STATE and not status & _UNSYNCHRONISED
    return Clock(is_synchronised, offset * unit_s, error_us * 1e-6)
