"""Recorded replies of other makes on TCP 4028, each machine with a MAC address and serial number of its own.

The replies are those of `recordings`, one folder a make and one file a command.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Final

from simulators.strangers.surroundings import Make

WHATSMINER_PORT: Final = 8888
HTTP_PATHS: Final = MappingProxyType({"/summary": "summary", "/capabilities": "capabilities", "/network": "network"})

_RECORDINGS = resources.files("simulators") / "strangers" / "recordings"
_MAC = re.compile(rb"\"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}\"")
_SERIAL = re.compile(rb'("SerialNo":)"[^"]*"')
_RUNNING = re.compile(rb'("(?:Elapsed|Device Elapsed|Uptime|uptime)":\s*)(\d+)')
_MAKE_OCTETS: Final = MappingProxyType(
    {Make.WHATSMINER: 0x57, Make.AVALON: 0xA7, Make.SEALMINER: 0x5E, Make.AURADINE: 0xAD, Make.EPIC: 0xE1}
)

# Documented (D162): a Whatsminer's refusal. Assumed (A131): the others refuse as cgminer does.
_WHATSMINER_REFUSAL = b'{"STATUS":"E","When":0,"Code":14,"Msg":"invalid cmd","Description":"whatsminer v1.4.0"}'
_REFUSAL = (
    b'{"STATUS":[{"STATUS":"E","When":0,"Code":14,"Msg":"Invalid command","Description":"cgminer 4.11.1"}],"id":1}'
)


@cache
def recordings(make: Make) -> Mapping[str, bytes]:
    """Return the recorded replies of a make by command, without NUL or newline."""
    folder = _RECORDINGS / make
    return MappingProxyType({file.name.removesuffix(".json"): file.read_bytes().rstrip() for file in folder.iterdir()})


def mac_of(make: Make, address: int) -> str:
    """Return the MAC address of a machine, from the locally administered range; none is another's."""
    octets = (0x02, _MAKE_OCTETS.get(make, 0), *address.to_bytes(4, "big"))
    return ":".join(f"{octet:02X}" for octet in octets)


def reply_of(make: Make, address: int, command: str, *, ran_s: int = 0) -> bytes:
    """Return the reply of a machine to a command, without the closing NUL; a refusal where none was recorded.

    Its counters of running time are `ran_s` later than recorded: a machine that repeats them stands still.
    """
    recorded = recordings(make).get(command)
    if recorded is None:
        return _WHATSMINER_REFUSAL if make is Make.WHATSMINER else _REFUSAL
    reply = _MAC.sub(b'"%b"' % mac_of(make, address).encode("ascii"), recorded)
    reply = _SERIAL.sub(rb'\1"AU%08X"' % address, reply)
    return _RUNNING.sub(lambda found: found[1] + b"%d" % (int(found[2]) + ran_s), reply) if ran_s else reply


def report_of(make: Make, address: int) -> tuple[int, bytes] | None:
    """Return UDP port and payload that a machine's report button sends; None if its make has none that is known.

    Documented (D203): a Whatsminer sends ``IP:``, ``MAC:`` and one more byte to port 8888. Assumed (A132): that byte is
    a NUL.
    """
    if make is not Make.WHATSMINER:
        return None
    host = ".".join(str(octet) for octet in address.to_bytes(4, "big"))
    return WHATSMINER_PORT, f"IP:{host}MAC:{mac_of(make, address)}\0".encode("ascii")


def page_of(make: Make, address: int, request: bytes) -> bytes:
    """Return what a machine that speaks HTTP answers, with its head.

    Documented (D103): ePIC firmware serves HTTP on TCP 4028.
    Documented (D104): a request that is none of HTTP gets 400.
    """
    words = request.split(b"\r\n", 1)[0].split(b" ")
    if len(words) != 3 or not words[2].startswith(b"HTTP/"):
        return _http("400 Bad Request", "text/plain", b"")
    name = HTTP_PATHS.get(words[1].decode("ascii", "replace"))
    if make is Make.EPIC and name is not None:
        return _http("200 OK", "application/json", reply_of(make, address, name))
    if make is Make.WEB and words[1] == b"/":
        return _http("200 OK", "text/html", b"<!doctype html><title>Printer</title>")
    return _http("404 Not Found", "text/plain", b"")


def _http(status: str, kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode("ascii") + body
