"""The names under which the server answers: a defence against DNS rebinding.

A web page of another site can point a name of its own at this machine's address. To a browser, the agent's answers then
belong to that page. The ``Host`` header of such a request has the page's name, which is not among ours. An IP address
in its place is safe, because no name was looked up.
"""

import ipaddress
import re
import socket
from collections.abc import Collection

LOOPBACK_NAME = "localhost"
_SHOWN_CHARS = 64
# RFC 9110, section 7.2: a host and an optional port.
_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?)\]|([^\[\]:@/?#\s]*))(?::[0-9]{0,5})?")


def own_names() -> frozenset[str]:
    """Return the names of this machine: ``localhost``, its host name, and the first label of that."""
    name = normal_name(socket.gethostname())
    return frozenset({LOOPBACK_NAME, name, name.partition(".")[0]} - {""})


def normal_name(name: str) -> str:
    """Return a host name in the form in which names are compared."""
    return name.rstrip(".").lower()


def refusal(authority: str, names: Collection[str], *, setting: str = "web.hosts") -> tuple[int, str] | None:
    """Return status and reason if a request for `authority` is refused; None if it is served.

    Args:
        authority: Host with or without a port, from a ``Host`` header; empty if the client sent none.
        names: The names that are served, as `normal_name` returns them. IP addresses are always served.
        setting: The configuration key that names them, for messages.
    """
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        return 400, "the Host header is not a host with an optional port"
    host = normal_name(parts[1] or parts[2] or "")
    if not host or host in names or _is_address(host):
        return None
    shown = ascii(host[:_SHOWN_CHARS])
    return 421, f"this agent does not answer for {shown}: use its IP address, or add the name to {setting}"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
