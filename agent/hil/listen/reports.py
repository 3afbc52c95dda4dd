"""The datagram of a unit whose IP-report button is pressed: its address and MAC address. Pure."""

import re
from typing import Final, NamedTuple

from agent.address import parse_address, parse_mac

ANTMINER_PORT: Final = 14235
WHATSMINER_PORT: Final = 8888
PORTS: Final = (ANTMINER_PORT, WHATSMINER_PORT)
LONGEST: Final = 1024

_ADDRESS: Final = rb"([0-9]{1,3}(?:\.[0-9]{1,3}){3})"
_MAC: Final = rb"((?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2})(?![0-9A-Fa-f:-])"
_FORMS: Final = (
    # Documented (D200, D205, D206): `10.0.3.17,02:1A:2B:3C:4D:5E`, or `[10.0.3.17/22],...`; other makes do likewise.
    re.compile(rb"\[?" + _ADDRESS + rb"(?:/[0-9]{1,2})?\]?," + _MAC),
    # Documented (D203): `IP:10.0.3.17MAC:02:1A:2B:3C:4D:5E` and one more byte.
    re.compile(rb"IP:" + _ADDRESS + rb"MAC:" + _MAC),
)


class Report(NamedTuple):
    """One press of a button.

    Attributes:
        host: The unit's address, as it says itself.
        mac: Its MAC address, as `agent.address.parse_mac` writes it.
    """

    host: str
    mac: str


def read_report(data: bytes) -> Report | None:
    """Return what a datagram reports; None if it is no report.

    Documented (D202): `OK` and eight NUL bytes come to these ports too. A report begins at the first byte; what follows
    it is ignored.
    """
    if len(data) > LONGEST:
        return None
    match = next((match for form in _FORMS if (match := form.match(data))), None)
    if match is None:
        return None
    try:
        address = parse_address(match[1].decode("ascii"))
        mac = parse_mac(match[2].decode("ascii"))
    except ValueError:
        return None
    if address.is_unspecified or address.is_multicast:
        return None
    return Report(str(address), mac)
