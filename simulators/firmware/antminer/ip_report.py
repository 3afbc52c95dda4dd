"""Report of a stock unit when its button is pressed: its addresses, in one datagram to everybody.

Documented (D200): the text is the IPv4 address, a comma and the MAC address; it goes to UDP port 14235.
Documented (D201): it comes from UDP port 14236 of the unit, which its packet filter leaves open (D07).
Assumed (A130): capital letters, no newline and no NUL.
"""

from typing import Final

PORT: Final = 14235
SOURCE_PORT: Final = 14236


def report(host: str, mac: str) -> bytes:
    """Return the payload for a unit's IPv4 and MAC address."""
    return f"{host},{mac}".encode("ascii")
