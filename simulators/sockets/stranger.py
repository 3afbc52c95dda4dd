"""The other kind of station: what stands at an address of the farm's network and is no unit of it."""

import ipaddress

import msgspec

from simulators.firmware.registry import is_any_write
from simulators.firmware.request import Request
from simulators.strangers import recorded
from simulators.strangers.surroundings import Make
from simulators.unit.delivery import Delivery, Ending


class StrangerAt:
    """A machine of another make, or a port that answers nothing, at one address.

    Args:
        make: What stands there.
        address: IPv4 address as a number.
    """

    __slots__ = ("_address", "_began_s", "_make", "host")

    def __init__(self, make: Make, address: int) -> None:
        self._make = make
        self._address = address
        self._began_s: float | None = None
        self.host = str(ipaddress.IPv4Address(address))

    @property
    def name(self) -> str:
        """Make and address, for the journal."""
        return f"{self._make} {self.host}"

    def is_online(self, _t: float) -> bool:
        """Return True: it always answers, if only with nothing."""
        return True

    def is_write(self, request: Request) -> bool:
        """Return True if the request would change a unit of any firmware."""
        return is_any_write(request)

    def answer(self, request: Request, t: float) -> bytes | Delivery:
        """Return its recorded reply, what its web server says, or nothing on a connection that stays open.

        It has run since it was first asked, at `t` of the farm's clock.
        """
        match self._make:
            case Make.MUTE:
                return Delivery(command=request.command, reply=b"", ending=Ending.HANG)
            case Make.WEB | Make.EPIC:
                page = recorded.page_of(self._make, self._address, request.data)
                return Delivery(command=request.command, reply=page)
            case make:
                if self._began_s is None:
                    self._began_s = t
                command = request.command or _cmd_in(request.data)
                return recorded.reply_of(make, self._address, command, ran_s=int(t - self._began_s))


def _cmd_in(data: bytes) -> str:
    """Return the command under the key ``cmd``. Documented (D209): Whatsminers take it there as well."""
    try:
        body = msgspec.json.decode(data.rstrip(b"\0\r\n \t"), type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        return ""
    command = body.get("cmd")
    return command if isinstance(command, str) else ""
