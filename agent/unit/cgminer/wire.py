r"""Framing of the CGMiner API: a command to bytes, and bytes to a reply. No socket, no clock.

A reply is one JSON object, a NUL, and the end of the connection. Decoding is strict first. Only if that fails are the
named repairs tried. Each repair is for one defect, and each use of it is counted: an invisible repair hides an outage.

| repair               | defect                                   | seen on                          |
|----------------------|------------------------------------------|----------------------------------|
| `missing_comma`      | ``}{`` between two objects               | S9 and Z series                  |
| `stray_comma`        | ``,}`` ``,]`` ``[,`` ``{,``              | older units and clones           |
| `bare_nan`           | ``nan``, ``inf`` as tokens: become null  | older units and clones           |
| `out_of_range`       | numbers no float can hold: become null   | none yet; nothing may become inf |
| `control_character`  | raw control bytes inside a string        | older units and clones           |
| `bad_utf8`           | invalid UTF-8: becomes U+FFFD            | user names, pool names           |
| `bad_surrogate`      | half of a UTF-16 pair: becomes U+FFFD    | none yet; it cannot be printed   |
| `missing_status`     | data without a STATUS: taken as success  | sanitised captures               |

A reply that was cut short is malformed; nothing completes it by guessing. `agent.unit.repairs` has every repair.

A unit decides what it sends, so what that may cost is bounded here. A reply has a cap by command. Only a reply of the
size and shape of a real one is repaired, and each repair takes time in proportion to its length (DECISIONS 89).
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import msgspec

from agent.errors import (
    MalformedReplyError,
    RefusedError,
    TooLargeReplyError,
    UnsupportedReplyError,
    excerpt,
)
from agent.unit.cgminer.firmware import firmware_of
from agent.unit.cgminer.foreign import foreign_bytes, foreign_object

# Observed (O105): the largest reply recorded to each command has 2,501 (stats), 2,677 (pools), 1,066 (summary) and 420
# bytes (version). Assumed (A100): no firmware sends nine times as much.
MAX_REPLY_BYTES: Final = 64 * 1024
"""Cap of a reply to any command."""
REPLY_CAPS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "stats": MAX_REPLY_BYTES,
        "pools": 32 * 1024,
        "summary": 16 * 1024,
        "version": 8 * 1024,
        # Observed (O179, O184): the largest recorded of LuxOS and Braiins OS units have 3,743 (devs), 1,534 (config),
        # 1,467 (tunerstatus), 1,187 (temps), 1,078 (devdetails), 785 (events), 631 (fans) and 266 bytes (power).
        "devs": 24 * 1024,
        "tunerstatus": 16 * 1024,
        "config": 8 * 1024,
        "temps": 8 * 1024,
        "devdetails": 8 * 1024,
        "events": 16 * 1024,
        "fans": 8 * 1024,
        "power": 8 * 1024,
        "power+temps+fans+config": 24 * 1024,
        "pools+devdetails+events": 48 * 1024,
    }
)
"""Caps by command, bytes with the NUL."""
LEAST_CAP: Final = min(REPLY_CAPS.values())
MAX_REPAIRED_BYTES: Final = 24 * 1024
"""Longest reply that is decoded leniently: nine times the largest recorded."""
# Observed (O106): recorded replies have at most 17 brackets and 95 commas; simulated ones of four boards 41 and 369.
MAX_BRACKETS: Final = 1024
MAX_REPAIRED_COMMAS: Final = 4096
MAX_CURES: Final = 1024
"""Most defects that are repaired in one reply; one with more is no reply with defects."""
MAX_NESTING = 32
MAX_CODE = 1 << 31
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

REPAIRS = (
    "missing_comma",
    "stray_comma",
    "bare_nan",
    "out_of_range",
    "control_character",
    "bad_utf8",
    "bad_surrogate",
    "missing_status",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One decoded reply.

    Attributes:
        command: The command that was sent.
        status: One letter: S success, I info, W warning, E error, F fatal.
        code: Message code of the legacy dialect; None in `new_api`.
        message: The firmware's own words.
        description: The program and its version, in the legacy dialect.
        body: The whole JSON object.
        repairs: Names of the repairs applied, in the order of the table above.
    """

    command: str
    status: str
    code: int | None
    message: str
    description: str
    body: dict[str, Any]
    repairs: tuple[str, ...] = ()


def encode_request(command: str, *, new_api: bool = False) -> bytes:
    """Return the request for `command`.

    Documented (D12): `new_api` stands at the top level of the object. Under ``parameter`` the firmware ignores it and
    answers in the legacy dialect. Documented (D06): no newline is needed.
    """
    request: dict[str, Any] = {"command": command}
    if new_api:
        request["new_api"] = True
    return msgspec.json.encode(request)


def encode_get(path: str) -> bytes:
    """Return the request for a page of firmware that serves HTTP on this port, on a connection of its own.

    Assumed (A198): it does not look at `Host`, which HTTP/1.1 requires.
    """
    return f"GET {path} HTTP/1.1\r\nHost: miner\r\nConnection: close\r\n\r\n".encode("ascii")


PAGE_CAPS: Final[Mapping[str, int]] = MappingProxyType(
    # Observed (O190): the largest recorded have 3,750, 3,043 and 168 bytes, without a head.
    {"/summary": 32 * 1024, "/capabilities": 32 * 1024, "/network": 16 * 1024}
)
"""Caps of pages by path, bytes with their head."""

_CAPS: Final[Mapping[bytes, int]] = {
    encode_request(command, new_api=new_api): cap for command, cap in REPLY_CAPS.items() for new_api in (False, True)
} | {encode_get(path): cap for path, cap in PAGE_CAPS.items()}


def cap_of(request: bytes) -> int:
    """Return the most bytes that the reply to a request may have, its NUL included."""
    return _CAPS.get(request, MAX_REPLY_BYTES)


def too_large(data: bytes, cap: int) -> TooLargeReplyError:
    """Return the error for a reply of which more than `cap` bytes have come."""
    return TooLargeReplyError(f"reply is larger than {cap:,} bytes, more than any unit sends: {excerpt(data)!r}")


def unframe(data: bytes) -> bytes:
    """Return the JSON text of a whole reply, without the NUL and the white space around it.

    Raises:
        MalformedReplyError: It is empty, nested deeper than `MAX_NESTING`, or has more than `MAX_BRACKETS` brackets;
            `TooLargeReplyError` if it is larger than `MAX_REPLY_BYTES`; `ForeignProtocolError` if it is another
            protocol's.
    """
    if len(data) > MAX_REPLY_BYTES:
        raise too_large(data, MAX_REPLY_BYTES)
    payload = data.strip(b"\0 \t\r\n")
    if not payload.startswith((b"{", b"[")) and (foreign := foreign_bytes(data)) is not None:
        raise foreign
    if not payload:
        raise MalformedReplyError(f"reply is empty ({len(data)} bytes)")
    # The quick counts include brackets inside strings; only a suspect reply gets the exact check without strings.
    brackets = payload.count(b"[") + payload.count(b"{")
    if brackets > MAX_BRACKETS:
        raise MalformedReplyError(f"reply has {brackets:,} brackets, at most {MAX_BRACKETS:,}: {excerpt(payload)!r}")
    if brackets > MAX_NESTING and _is_too_deep(payload) and _is_too_deep(_STRING.sub(b"", payload)):
        raise MalformedReplyError(f"reply is nested deeper than {MAX_NESTING} levels: {excerpt(payload)!r}")
    return payload


_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_A_BRACKET = bytes(byte for byte in range(256) if byte not in b"[]{}")
_INNERMOST = re.compile(rb"\[\]|\{\}")


def _is_too_deep(payload: bytes) -> bool:
    """Return True if brackets nest deeper than `MAX_NESTING`; peels innermost pairs, cheaply for flat replies."""
    brackets = payload.translate(None, _NOT_A_BRACKET)
    for _ in range(MAX_NESTING):
        peeled = _INNERMOST.sub(b"", brackets)
        if len(peeled) == len(brackets):
            # Brackets without a partner are text inside strings, or the reply is not JSON.
            return len(brackets) > MAX_NESTING and len(brackets) > len(payload) // 2
        if not peeled:
            return False
        brackets = peeled
    return True


def decode_object(data: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the JSON object in a whole reply, of whatever make, and the names of the repairs it took.

    Raises:
        MalformedReplyError: The bytes are no JSON object, even after the repairs; `ForeignProtocolError` if another
            protocol answers.
    """
    payload = unframe(data)
    repairs: tuple[str, ...] = ()
    try:
        body = msgspec.json.decode(payload)
    except (ValueError, RecursionError):
        body, repairs = _decode_with_repairs(payload)
    if not isinstance(body, dict):
        raise MalformedReplyError(f"reply is a JSON {type(body).__name__}, not an object: {excerpt(payload)!r}")
    return body, repairs


def decode_reply(data: bytes, command: str) -> Reply:
    """Decode one whole reply, refusals included; `accept` raises for those.

    Raises:
        MalformedReplyError: The bytes are not a reply, even after the repairs, or the JSON has no STATUS of a known
            form; `ForeignProtocolError` if another protocol or another make answers.
    """
    body, repairs = decode_object(data)
    if (foreign := foreign_object(body)) is not None:
        raise foreign
    return reply_in(body, command, repairs, data)


def reply_in(body: dict[str, Any], command: str, repairs: tuple[str, ...], data: bytes) -> Reply:
    """Return the reply that a decoded object is, such as one part of a joined reply.

    Args:
        body: The object.
        command: The command that it answers.
        repairs: Names of the repairs that decoding it took.
        data: The whole reply as received, for an excerpt.

    Raises:
        MalformedReplyError: It has no STATUS of a known form.
    """
    envelope = body.get("STATUS")
    if envelope is None and any(isinstance(value, list) for value in body.values()):
        # Assumed (A09): a refusal always has a STATUS, so data without one is a success.
        envelope = {"STATUS": "S"}
        repairs = (*repairs, "missing_status")
    if isinstance(envelope, list):
        envelope = envelope[0] if envelope else None
    if not isinstance(envelope, dict) or not isinstance(envelope.get("STATUS"), str):
        raise MalformedReplyError(f"reply has no STATUS: {excerpt(data)!r}")
    code = envelope.get("Code", envelope.get("code"))
    if isinstance(code, str) and code.isascii() and code.isdecimal() and len(code) < _CODE_DIGITS:
        code = int(code)
    message, description = envelope.get("Msg"), envelope.get("Description")
    return Reply(
        command=command,
        status=envelope["STATUS"],
        code=code if isinstance(code, int) and not isinstance(code, bool) and 0 <= code < MAX_CODE else None,
        message=message if isinstance(message, str) else "",
        description=description if isinstance(description, str) else "",
        body=body,
        repairs=repairs,
    )


REFUSALS: Final = frozenset({"E", "F"})
"""STATUS of a command that was refused."""


def accept(reply: Reply) -> Reply:
    """Return `reply` if its STATUS is a success.

    Raises:
        RefusedError: STATUS is E or F.
        UnsupportedReplyError: STATUS is an unknown letter.
    """
    if reply.status in REFUSALS:
        raise refusal(reply.command, reply.code, reply.message, reply.description)
    if reply.status not in {"S", "I", "W"}:
        raise UnsupportedReplyError(f"{reply.command}: STATUS is {reply.status[:20]!r}")
    return reply


ACCESS_DENIED = 45
_CODE_DIGITS = 10


def refusal(command: str, code: int | None, message: str, description: str) -> RefusedError:
    """Return the error for a reply with STATUS E or F; it names aftermarket firmware, and for code 45 says what to do.

    Observed (O04): code 45 is access denied. Documented (D106): `api-allow` lists the addresses that may ask.
    """
    firmware = firmware_of(description)
    text = f"{command}: code {code}, {message[:100]!r}"
    if firmware is not None:
        text += f" from {firmware}"
    if code == ACCESS_DENIED:
        text += "; add this gateway's address to the access list in the unit's configuration (api-allow)"
    return RefusedError(text, code=code)


# Strings are matched first and left alone, so that a repair never changes their content. A string that never ends is
# matched to the end of the text; retrying from each of its quotes would take quadratic time.
_DEFECTS = re.compile(
    r"""
    (?P<string>"(?:[^"\\]++|\\.)*+(?:"|\\?\Z))
    |(?P<missing_comma>\}(?=\s*\{))
    |(?P<stray_comma>,(?=\s*[\]},])|(?<=[\[{]),)
    |(?P<bare_nan>-?\b(?:nan|inf|infinity)\b)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_CURES = {"missing_comma": "},", "stray_comma": "", "bare_nan": "null"}


def _decode_with_repairs(payload: bytes) -> tuple[Any, tuple[str, ...]]:
    """Return the decoded JSON and the names of the repairs it took.

    Raises:
        MalformedReplyError: It is not JSON, even after the repairs, or it is not worth repairing.
    """
    refuse_unlike_a_reply(payload)
    done: set[str] = set()
    cures = 0
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = payload.decode("utf-8", "replace")
        done.add("bad_utf8")

    def cure(match: re.Match[str]) -> str:
        nonlocal cures
        kind = match.lastgroup
        if kind is None or kind == "string":
            return match.group()
        cures += 1
        if cures > MAX_CURES:
            raise MalformedReplyError(f"reply needs more than {MAX_CURES:,} repairs: {excerpt(payload)!r}")
        done.add(kind)
        return _CURES[kind]

    text = _DEFECTS.sub(cure, text)
    numbers = _Numbers(done)
    try:
        body = json.loads(
            text,
            strict=False,
            parse_float=numbers.parse_float,
            parse_int=numbers.parse_int,
            parse_constant=numbers.parse_constant,
        )
    except (ValueError, RecursionError) as error:
        if (foreign := foreign_bytes(payload)) is not None:
            raise foreign from None
        at = error.pos if isinstance(error, json.JSONDecodeError) else 0
        at_byte = len(text[:at].encode("utf-8", "replace"))
        # Not chained: the decoder's error holds the whole text, and a unit's status holds its error.
        raise MalformedReplyError(f"reply is not JSON at byte {at_byte}: {excerpt(payload, at_byte)!r}") from None
    if _HAS_CONTROL.search(text):
        done.add("control_character")
    body = _without_surrogates(body, done, MAX_NESTING)
    return body, tuple(name for name in REPAIRS if name in done)


def refuse_unlike_a_reply(payload: bytes) -> None:
    """Refuse to repair what is no unit's reply by its size or shape; counting costs a fiftieth of repairing.

    Raises:
        MalformedReplyError: It is longer, or has more commas, than any reply worth repairing.
    """
    for number, most, things in (
        (len(payload), MAX_REPAIRED_BYTES, "bytes"),
        (payload.count(b","), MAX_REPAIRED_COMMAS, "commas"),
    ):
        if number > most:
            if (foreign := foreign_bytes(payload)) is not None:
                raise foreign
            raise MalformedReplyError(
                f"reply is irregular, and too long to repair: {number:,} {things}, at most {most:,}:"
                f" {excerpt(payload)!r}"
            )


_HAS_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Numbers:
    """Parsers of numeric tokens; a token that no number can hold becomes None, and its repair is added to `done`."""

    def __init__(self, done: set[str]) -> None:
        self._done = done

    def parse_float(self, text: str) -> float | None:
        value = float(text)
        if math.isfinite(value):
            return value
        self._done.add("out_of_range")
        return None

    def parse_int(self, text: str) -> int | None:
        # Every counter fits in twenty digits; Python itself refuses to convert more than 4300.
        if len(text) <= 20:
            return int(text)
        self._done.add("out_of_range")
        return None

    def parse_constant(self, _: str) -> None:
        self._done.add("bare_nan")


def _without_surrogates(value: Any, done: set[str], depth: int) -> Any:
    """Replace lone surrogates; values nested deeper than `depth` are refused, as strings can hide them from `unframe`.

    Raises:
        MalformedReplyError: `value` is nested deeper than `depth`.
    """
    if isinstance(value, str):
        if not value.isascii() and _SURROGATE.search(value):
            done.add("bad_surrogate")
            return _SURROGATE.sub(REPLACEMENT, value)
        return value
    if not isinstance(value, list | dict):
        return value
    if not depth:
        raise MalformedReplyError(f"reply is nested deeper than {MAX_NESTING} levels")
    if isinstance(value, list):
        return [_without_surrogates(item, done, depth - 1) for item in value]
    return {
        _without_surrogates(key, done, depth): _without_surrogates(item, done, depth - 1) for key, item in value.items()
    }
