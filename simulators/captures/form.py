"""The form of a capture, as the simulators know it: what its files are called, and what its manifest holds.

Written apart from the agent's on purpose: a recorder and a simulator that share code agree on the same mistake.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import msgspec

NEWEST_FORM: Final = 1
MANIFEST: Final = "capture.json"
TIMINGS: Final = "timings.json"
API_PREFIX: Final = "tcp4028-"
PAGE_PREFIX: Final = "http-"
API_PAGE_PREFIX: Final = "http4028-"
API_PAGE: Final = "GET :4028"
"""Beginning of a request for a page on TCP 4028, where ePIC firmware serves HTTP."""
API_PORT: Final = 4028
WEB_PORT: Final = 80
ANY_COMMAND: Final = "*"
"""Stands for every command that was not recorded."""

_NEW_API = "-new_api"
_MOMENT = re.compile(r"moments/[0-9]{2,4}-[a-z_]+")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+.-]*")
# Names that publishers gave to the answer to a command which the unit does not have.
_REFUSALS = frozenset({"invalid-command", "unknown-command"})


class Ending(StrEnum):
    """End of a recorded reply.

    Attributes:
        NUL_CLOSE: With a NUL, then the unit closed the connection.
        NUL: With a NUL; the connection stayed open.
        CLOSE: Without a NUL; the unit closed the connection.
        LENGTH: A page, at its announced length or after its last chunk.
        RESET: The unit reset the connection.
        SILENCE: Nothing more came.
        TOO_LARGE: The recorder stopped at its cap; more would have come.
    """

    NUL_CLOSE = "nul_close"
    NUL = "nul"
    CLOSE = "close"
    LENGTH = "length"
    RESET = "reset"
    SILENCE = "silence"
    TOO_LARGE = "too_large"


class PortState(StrEnum):
    """Response of a recorded TCP port to a connection."""

    OPEN = "open"
    REFUSED = "refused"
    SILENT = "silent"
    NO_ROUTE = "no_route"


class Reply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One reply of a manifest.

    Attributes:
        request: A command and its words, ``new_api`` last; or ``GET PATH``, of a page on TCP 4028 ``GET :4028PATH``.
        file: Its bytes without the NUL, relative to the moment's folder; None if no byte came.
        ending: None if it is not known.
        status: HTTP status of a page.
        head: A page's status line and header lines, Latin-1; None on the API.
        chunks: Sizes of a page's chunks; empty without chunked transfer.
        has_login: The request carried a login.
    """

    request: str
    file: str | None = None
    ending: Ending | None = None
    status: int | None = None
    head: str | None = None
    chunks: tuple[int, ...] = ()
    has_login: bool = False

    @property
    def is_page(self) -> bool:
        """True for a page, of the web server or of the API's port."""
        return self.request.startswith("GET ")

    @property
    def is_on_api_port(self) -> bool:
        """True for what is on TCP 4028: a report, or a page there."""
        return not self.is_page or self.request.startswith(API_PAGE)


class Moment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The replies of one look; `folder` is ``moments/NN-STATE``."""

    folder: str
    state: str
    replies: tuple[Reply, ...]


class RecordedAs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Identity that the recorded unit told; `bin_hs` is the hashrate it was sold as, H/s."""

    model: str | None = None
    firmware: str | None = None
    reader: str | None = None
    bin_hs: float | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Content of ``capture.json``. See the attributes of `Recording`."""

    form: int
    recorded_by: str
    is_redacted: bool
    unit: RecordedAs
    ports: dict[str, PortState]
    replies: tuple[Reply, ...]
    moments: tuple[Moment, ...] = ()


class Timing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Times of one reply.

    Attributes:
        request: As in `Reply`.
        at_s: Since the recording began, s.
        connect_s: Until the connection stood; None if it never did.
        first_byte_s: From the request to the first byte; None if none came.
        last_byte_s: From the request to the last byte.
        reads: Bytes of each read from the socket.
        state: State of the unit in that look.
    """

    request: str
    at_s: float
    connect_s: float | None = None
    first_byte_s: float | None = None
    last_byte_s: float | None = None
    reads: tuple[int, ...] = ()
    state: str | None = None


class Timings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Content of ``timings.json``."""

    recorded_at: str
    replies: tuple[Timing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A recorded reply with its bytes.

    Attributes:
        reply: What is known about it.
        data: The bytes, without the NUL and without the head; empty if none came.
    """

    reply: Reply
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedMoment:
    """One look at a unit.

    Attributes:
        folder: ``moments/NN-STATE``.
        state: State of the unit.
        answers: In the order in which they were asked for.
    """

    folder: str
    state: str
    answers: tuple[Answer, ...]

    @property
    def name(self) -> str:
        """``NN-STATE``."""
        return self.folder.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A capture.

    Attributes:
        name: Name of its folder.
        unit: What the recorded unit said it is.
        ports: State by TCP port; empty without a manifest.
        answers: The first answer to each request.
        moments: In time order.
        timings: None if nothing was measured.
        has_manifest: False for a folder that only has replies.
    """

    name: str
    answers: tuple[Answer, ...]
    ports: Mapping[int, PortState]
    unit: RecordedAs = field(default_factory=RecordedAs)
    moments: tuple[RecordedMoment, ...] = ()
    timings: Timings | None = None
    has_manifest: bool = True


def is_moment(folder: str) -> bool:
    """Return True for the name of a moment's folder."""
    return _MOMENT.fullmatch(folder) is not None


def is_file(name: str) -> bool:
    """Return True for the name of a file inside a capture or moment: no path leads out of it."""
    return _FILE.fullmatch(name) is not None


def request_of(file: str) -> str | None:
    """Return the request that a file answers, by its name; None if it is no reply.

    `ANY_COMMAND` is what was recorded as the refusal of an unknown command.
    """
    stem = file.split(".", 1)[0]
    if stem.startswith(API_PAGE_PREFIX):
        return f"{API_PAGE}/{stem.removeprefix(API_PAGE_PREFIX)}"
    if stem.startswith(PAGE_PREFIX):
        name = stem.removeprefix(PAGE_PREFIX).removeprefix("401-")
        return "GET /" if name == "root" else f"GET /cgi-bin/{name}.cgi"
    if not stem.startswith(API_PREFIX):
        return None
    name = stem.removeprefix(API_PREFIX)
    if name in _REFUSALS:
        return ANY_COMMAND
    name = name.removesuffix("-denied").removeprefix("joined-")
    command, *parameters = name.removesuffix(_NEW_API).split("_")
    return " ".join([command, *parameters, *(["new_api"] if name.endswith(_NEW_API) else [])])


def is_challenge(file: str) -> bool:
    """Return True if a file holds the answer to a GET without a login, by its name."""
    return ".401." in file or file.startswith(f"{PAGE_PREFIX}401-")


def normal_request(request: str) -> str:
    """Return a request with ``new_api`` as its last word, so that two ways to write it are one."""
    words = request.split(" ")
    if request.startswith("GET ") or "new_api" not in words:
        return request
    return " ".join([*(word for word in words if word != "new_api"), "new_api"])
