"""A request on TCP 4028 as any firmware of the CGMiner API parses it, or one of HTTP, as ePIC firmware does."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

MAX_REQUEST_BYTES: Final = 4095  # Documented (D01): upstream's one recv takes up to 4095 bytes.
NUL: Final = b"\0"  # Documented (D02): the end of a reply. Assumed (A01): of an S21's too.

_HTTP: Final = re.compile(rb"([A-Z]{3,7} /[!-~]{0,255}) HTTP/1\.[01]\r?\n")


class Request(NamedTuple):
    """One parsed request.

    Attributes:
        command: The command word, or several joined by ``+``; empty if the bytes hold none. Of HTTP, method and path.
        is_new_api: It holds a top-level ``"new_api": true``.
        data: The bytes as they came.
        parameter: Its parameter as text; empty without one, and for one that is neither text nor a number.
    """

    command: str
    is_new_api: bool
    data: bytes = b""
    parameter: str = ""

    @property
    def commands(self) -> tuple[str, ...]:
        """The joined commands, one by one."""
        return tuple(self.command.split("+"))


@lru_cache(maxsize=512)
def read_request(data: bytes) -> Request:
    """Parse the bytes of one request. Assumed (A08): unreadable bytes count as an unknown command."""
    text = data.rstrip(b"\0\r\n \t")
    if not text.startswith(b"{"):
        http = _HTTP.match(data)
        if http is not None:
            return Request(http[1].decode("ascii"), is_new_api=False, data=data)
        # Assumed (A03): plain text is understood as upstream does; whether an S21 does is not known.
        words = [word.decode("ascii", "replace") for word in text.split(b"|")]
        return Request(words[0], is_new_api=False, data=data, parameter="|".join(words[1:]))
    try:
        body = msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        return Request("", is_new_api=False, data=data)
    command, parameter = body.get("command"), body.get("parameter")
    is_plain = isinstance(parameter, str | int | float) and not isinstance(parameter, bool)
    return Request(
        command if isinstance(command, str) else "",
        is_new_api=body.get("new_api") is True,
        data=data,
        parameter=str(parameter) if is_plain else "",
    )


def request_name(request: Request) -> str:
    """Return a request as captures name it: command, parameter, and ``new_api`` last."""
    return " ".join([request.command, *request.parameter.split(), *(["new_api"] if request.is_new_api else [])])
