"""A unit's API program: it parses a request and picks the reply that `legacy` or `new_api` prints."""

from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from simulators.firmware.antminer import legacy, new_api
from simulators.unit.builds import BUILDS
from simulators.unit.unit import Unit

MAX_REQUEST_BYTES: Final = 4095  # Documented (D01): upstream's one recv takes up to 4095 bytes.
NUL: Final = b"\0"  # Documented (D02): the end of a reply. Assumed (A01): of an S21's too.


class Request(NamedTuple):
    """One parsed request.

    Attributes:
        command: The command word; empty if the bytes hold none.
        is_new_api: It holds a top-level ``"new_api": true``.
        data: The bytes as they came.
    """

    command: str
    is_new_api: bool
    data: bytes = b""


@lru_cache(maxsize=512)
def read_request(data: bytes) -> Request:
    """Parse the bytes of one request. Assumed (A08): unreadable bytes count as an unknown command."""
    text = data.rstrip(b"\0\r\n \t")
    if not text.startswith(b"{"):
        # Assumed (A03): plain text is understood as upstream does; whether an S21 does is not known.
        return Request(text.split(b"|", 1)[0].decode("ascii", "replace"), is_new_api=False, data=data)
    try:
        body = msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        return Request("", is_new_api=False, data=data)
    command = body.get("command")
    command = command if isinstance(command, str) else ""
    return Request(command, is_new_api=body.get("new_api") is True, data=data)


def request_name(request: Request) -> str:
    """Return a request as captures name it: command, parameter, and ``new_api`` last."""
    command, data = request.command, request.data.rstrip(NUL + b"\r\n \t")
    parameter = ""
    if data.startswith(b"{"):
        try:
            given = msgspec.json.decode(data, type=dict[str, object]).get("parameter")
        except (msgspec.DecodeError, RecursionError):
            given = None
        if isinstance(given, str | int) and not isinstance(given, bool):
            parameter = str(given)
    else:
        parameter = data.partition(b"|")[2].decode("ascii", "replace")
    words = [command, *parameter.split(), *(["new_api"] if request.is_new_api else [])]
    return " ".join(words)


def answer(unit: Unit, request: Request, t: float) -> bytes:
    """Return the reply of `unit` at `t`, without the closing NUL.

    Observed (O03): a command that the firmware does not have gets E/14. Documented (D14): joined ones are
    among them. Documented (D10, D11): the API program knows five legacy commands and, with `new_api`, five reports
    and three switches (reload, sleep, network).
    """
    # Assumed (A07): a legacy-only command with new_api gets its legacy reply. Documented (D13): so does any command on
    # firmware that does not know new_api.
    if request.is_new_api and request.command in new_api.REPLIES and not unit.conditions.is_legacy_only:
        text = new_api.REPLIES[request.command](unit, BUILDS[unit.build], t)
    elif request.command in legacy.REPLIES:
        text = legacy.REPLIES[request.command](unit, BUILDS[unit.build], t)
    else:
        text = legacy.invalid_command(t)
    return text.encode("ascii", "replace")
