"""Lists of addresses for units that do not sit on one range, each with a port of its own if it has one."""

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

MAX_PORTS = 1024  # Each is a listening socket.
_MAX_LIST_BYTES = 16_000_000
_SEPARATOR = re.compile(r"[,\s]+")


class EndpointError(ValueError):
    """A list of addresses that cannot be used; the message names the entry."""


class Endpoint(NamedTuple):
    """Address and port of one unit.

    Attributes:
        address: IPv4 address as a number.
        port: TCP port of its API; 0 for the port of the whole farm.
    """

    address: int
    port: int = 0

    def __str__(self) -> str:
        host = str(ipaddress.IPv4Address(self.address))
        return f"{host}:{self.port}" if self.port else host


def read_endpoints(entries: Iterable[str]) -> tuple[Endpoint, ...]:
    """Parse ``ADDRESS`` and ``ADDRESS:PORT`` entries, keeping their order.

    Raises:
        EndpointError: No entry, a malformed or repeated entry, or more than `MAX_PORTS` different ports.
    """
    endpoints: dict[Endpoint, None] = {}
    for entry in entries:
        host, colon, port = entry.partition(":")
        try:
            endpoint = Endpoint(int(ipaddress.IPv4Address(host)), _port(port) if colon else 0)
        except ValueError:
            raise EndpointError(f"{entry[:60]!r} is not IPV4 or IPV4:PORT, as in 127.10.0.1:4028") from None
        if endpoint in endpoints:
            raise EndpointError(f"{entry[:60]!r} is listed twice")
        endpoints[endpoint] = None
    if not endpoints:
        raise EndpointError("a list of at least one address is expected")
    if len({endpoint.port for endpoint in endpoints}) > MAX_PORTS:
        raise EndpointError(f"more than {MAX_PORTS} different ports")
    return tuple(endpoints)


def find_endpoints(text: str) -> tuple[Endpoint, ...]:
    """Parse a comma-separated list; ``@FILE`` reads it from a file with one entry a line and ``#`` comments.

    Raises:
        EndpointError: As `read_endpoints`, or the file cannot be read.
    """
    if text.startswith("@"):
        path = Path(text[1:])
        try:
            with path.open(encoding="utf-8") as file:
                text = file.read(_MAX_LIST_BYTES)
        except OSError as error:
            raise EndpointError(f"{path}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise EndpointError(f"{path}: not text in UTF-8") from error
        text = re.sub(r"#.*", "", text)
    return read_endpoints(entry for entry in _SEPARATOR.split(text) if entry)


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError(text)
    return int(text)
