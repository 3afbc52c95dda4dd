"""The protocol of pyasic's process: one JSON object a line, each way.

    to it ...... {"id": 7, "host": "10.20.0.11", "port": 4028, "want": "read"}
                 {..., "login": {"make": "Auradine", "user": "admin", "password": "..."}}   where one is configured
    from it .... {"id": 0}                                                 once, when it has started
                 {"id": 7, "make": "WhatsMiner", ..., "data": {...}}        figures, as pyasic names them
                 {"id": 7, "error": "silent", "text": "..."}               one of `Trouble`

The process is not trusted: it may write anything.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from agent.errors import (
    DeadlineError,
    MalformedReplyError,
    PollError,
    UnreachableError,
    UnsupportedReplyError,
    excerpt,
)

READ: Final = b"read"
IDENTIFY: Final = b"identify"
API_PORT: Final = 4028
LONGEST_ANSWER: Final = 64 * 1024
"""The longest line that the process writes, characters: twenty times that of any unit recorded."""
CONNECT_S: Final = 2.0
"""Time for a unit's ports to answer, before it is identified and after one that told no rate, s."""
IDENTIFY_S: Final = 8.0
READ_S: Final = 10.0
LONGEST_S: Final = CONNECT_S + IDENTIFY_S + READ_S + CONNECT_S
"""Longest time for one request, s: after that its answer is that it had none in time."""
STARTED: Final = 0
"""The id of the line that says that the process has started; no request has it."""


class Trouble(StrEnum):
    """The closed list of what keeps pyasic's process from figures."""

    SILENT = "silent"
    REFUSED = "refused"
    DEADLINE = "deadline"
    UNKNOWN = "unknown"
    OWN = "own"
    FAILED = "failed"


class Unit(msgspec.Struct, frozen=True, gc=False):
    """A unit of hashrate: how many H/s it is."""

    value: float


class Rate(msgspec.Struct, frozen=True, gc=False):
    """A hashrate with its unit. Documented (D264): a unit whose model pyasic does not know has its rates in H/s."""

    unit: Unit
    rate: float

    @property
    def hs(self) -> float:
        """The rate, H/s."""
        return self.rate * self.unit.value


class Board(msgspec.Struct, frozen=True, gc=False):
    """One board; `missing` is True for a place of which pyasic knows nothing."""

    slot: int
    hashrate: Rate | None = None
    chips: int | None = None
    chip_temp: float | None = None
    temp: float | None = None
    serial_number: str | None = None
    missing: bool = True


class Fan(msgspec.Struct, frozen=True, gc=False):
    """One fan, rpm."""

    speed: float | None = None


class Pool(msgspec.Struct, frozen=True, gc=False):
    """One pool."""

    url: str | None = None
    user: str | None = None
    accepted: int | None = None
    rejected: int | None = None
    active: bool | None = None
    alive: bool | None = None
    index: int | None = None


class Data(msgspec.Struct, frozen=True, gc=False):
    """Those of pyasic's figures that are read; `distrust` says what is believed of them."""

    mac: str | None = None
    serial_number: str | None = None
    api_ver: str | None = None
    fw_ver: str | None = None
    wattage: float | None = None
    uptime: float | None = None
    hashboards: tuple[Board, ...] = ()
    fans: tuple[Fan, ...] = ()
    pools: tuple[Pool, ...] = ()


class Answer(msgspec.Struct, frozen=True, gc=False):
    """One line from pyasic's process.

    Attributes:
        id: That of the request.
        error, text: What kept it from figures, one of `Trouble`, and in pyasic's words; None if nothing did.
        make, model, firmware: As pyasic names them; None if it does not know the unit.
        summary: The unit's own total, where pyasic's is the sum of its boards.
        data: The figures; None for an identification.
        login_refused: The unit did not take the login that came with the request.
    """

    id: int
    error: str | None = None
    text: str = ""
    make: str | None = None
    model: str | None = None
    firmware: str | None = None
    summary: Rate | None = None
    data: Data | None = None
    login_refused: bool = False


class Head(msgspec.Struct, frozen=True, gc=False):
    """Fields of an answer that the lane itself reads; fields as in `Answer`."""

    id: int
    login_refused: bool = False


class MakeLogin(msgspec.Struct, frozen=True, gc=False):
    """User and password for the units of one make; the password is left out of the `repr`."""

    make: str
    user: str
    password: str

    def __repr__(self) -> str:
        """Name the make alone."""
        return f"MakeLogin(make={self.make!r})"


_ANSWERS: Final = msgspec.json.Decoder(Answer)
_HEADS: Final = msgspec.json.Decoder(Head)
_ENCODER: Final = msgspec.json.Encoder()


def encode_request(
    number: int, host: str, want: bytes, *, port: int = API_PORT, login: MakeLogin | None = None
) -> bytes:
    """Return the line of a request; `port` is where the unit's API is, `login` the one configured for it."""
    asked: dict[str, object] = {"id": number, "host": host, "port": port, "want": want.decode("ascii")}
    if login is not None:
        asked["login"] = login
    return _ENCODER.encode(asked) + b"\n"


def encode_answer(number: int, answer: Mapping[str, Any]) -> str:
    """Return the line of an answer; an error in its place if a unit's figures make it no JSON, or too long.

    Neither of them may be taken for a failure of the process: units decide what they say.
    """
    try:
        line = json.dumps({"id": number, **answer}, allow_nan=False)
    except ValueError:
        return _encode_failure(number, "its figures are not finite")
    if len(line) > LONGEST_ANSWER:
        return _encode_failure(number, f"its figures take {len(line)} characters")
    return line + "\n"


def _encode_failure(number: int, text: str) -> str:
    return json.dumps({"id": number, "error": Trouble.FAILED, "text": text}) + "\n"


def head_of(line: bytes) -> Head | None:
    """Return the head of an answer; None for a line that is none."""
    try:
        return _HEADS.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def decode_answer(line: bytes) -> Answer:
    """Return an answer.

    Raises:
        MalformedReplyError: The line is none.
    """
    try:
        return _ANSWERS.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedReplyError(f"no answer of pyasic's process ({error}): {excerpt(line)!r}") from None


def error_of(answer: Answer) -> PollError:
    """Return the error of an answer without figures."""
    text = excerpt(answer.text.encode())
    if answer.error == Trouble.SILENT:
        return UnreachableError(f"no machine answers ({text})")
    if answer.error == Trouble.REFUSED:
        return UnreachableError(f"nothing listens ({text})", is_refusal=True)
    if answer.error == Trouble.DEADLINE:
        return DeadlineError(f"pyasic had no whole answer in time ({text})")
    if answer.error == Trouble.UNKNOWN:
        return UnsupportedReplyError("pyasic does not know what answers there")
    if answer.error == Trouble.OWN:
        return UnsupportedReplyError(f"it is no unit of another make but {text}: leave its column `reader` empty")
    return UnsupportedReplyError(f"pyasic cannot read it: {text}")
