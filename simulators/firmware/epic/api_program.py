"""The web server of ePIC firmware on TCP 4028: it picks the page, and marks what acts."""

from typing import Any, Final

import msgspec

from simulators.firmware.epic.figures import figures_of
from simulators.firmware.epic.pages import PAGES
from simulators.firmware.request import Request
from simulators.unit.unit import Unit
from simulators.unit.work_modes import WORK_MODE_NORMAL, WORK_MODE_SLEEP

# Documented (D294): everything that changes a unit is a POST with its password.
WRITE_COMMANDS: Final = frozenset(
    f"POST /{name}"
    for name in (
        *("clearhashrate", "coin", "fanspeed", "hwconfig", "identify", "miner", "mode", "network", "password"),
        *("perpetualtune", "power", "reboot", "shutdowntemp", "softreboot", "systemupdate", "tune"),
        *("tune/clock/all", "tune/voltage"),
    )
)
TUNINGS: Final = ((1.0, 0.5), (0.84, 0.25), (0.7, 0.1), (1.09, 0.15))
"""Clock over rated clock of its presets (Observed (O194)), with the share of units (assumed (A213))."""

_MINER: Final = "POST /miner"
_MODES: Final = {"stop": WORK_MODE_SLEEP, "autostart": WORK_MODE_NORMAL}


def ordered_mode(unit: Unit, request: Request) -> int | None:
    """Return the work mode that a POST of `/miner` orders; None for any other request, and where nothing changes.

    Documented (D294): `Stop` and `Autostart`. Assumed (A213): any password is taken.
    """
    if request.command != _MINER:
        return None
    mode = _MODES.get(_parameter(request.data).casefold())
    is_asleep = unit.work_mode == WORK_MODE_SLEEP
    return None if mode is None or (mode == WORK_MODE_SLEEP) == is_asleep else mode


def answer(unit: Unit, request: Request, t: float) -> bytes:
    """Return the reply of `unit` at `t`, head and body. Documented (D161): what is no HTTP gets status 400."""
    method, _, path = request.command.partition(" ")
    page = PAGES.get(path)
    if method == "GET" and page is not None:
        body = msgspec.json.format(_encode(page(figures_of(unit, t))), indent=2)
        return _reply("200 OK", body)
    if request.command in WRITE_COMMANDS:
        return _reply("200 OK", _encode({"error": None, "result": True}))
    return _reply("404 Not Found" if path.startswith("/") else "400 Bad Request", b"")


_encode = msgspec.json.Encoder(order="sorted").encode


def _parameter(data: bytes) -> str:
    """Return the `param` of an order's body; empty without one."""
    try:
        body: dict[str, Any] = msgspec.json.decode(data.partition(b"\r\n\r\n")[2], type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    parameter = body.get("param")
    return parameter if isinstance(parameter, str) else ""


def _reply(status: str, body: bytes) -> bytes:
    """Return a page with its head. Assumed (A211): no head was recorded."""
    kind = "Content-Type: application/json\r\n" if body else ""
    head = f"HTTP/1.1 {status}\r\n{kind}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode("ascii") + body
