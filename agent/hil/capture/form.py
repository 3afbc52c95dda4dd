"""The form of a capture: a folder with one unit's replies, byte for byte, and what is known about them.

    NAME/
      capture.json               the manifest: what was asked, how each reply ended, which ports refuse
      timings.json               when each reply came, and how long it took; no two recordings agree on it
      golden.json                what hashsight read of it, by moment
      SOURCES.md                 a drafted row for the list of sources
      tcp4028-stats-new_api.json a reply without its NUL; `.txt` if it is not whole JSON
      http-get_system_info.json  the body of a page
      http4028-summary.json      the body of a page on TCP 4028, where ePIC firmware serves HTTP
      http-get_system_info.401.txt  the answer to the same GET without a login
      moments/01-hashing/...     replies at one moment, under the same names

The same unit in the same state gives the same folder again, but for `timings.json`. A folder without a manifest is a
capture too, as those in `tests/captures` are: the names of its files say what they answer, and nothing else is known.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

FORM: Final = 1
"""Version of the form that this program writes, and the newest that it reads."""
MANIFEST: Final = "capture.json"
TIMINGS: Final = "timings.json"
GOLDEN: Final = "golden.json"
SOURCES: Final = "SOURCES.md"
MOMENTS: Final = "moments"
API_PREFIX: Final = "tcp4028-"
PAGE_PREFIX: Final = "http-"
API_PAGE_PREFIX: Final = "http4028-"
API_PAGE: Final = "GET :4028"
"""Beginning of the request of a page on TCP 4028, which its path follows: ``GET :4028/summary``."""

_NEW_API: Final = "-new_api"
_PAGE: Final = "GET /cgi-bin/"
_PAGE_SUFFIX: Final = ".cgi"
_CHALLENGE: Final = ".401"
_DENIED: Final = "-denied"
# What publishers left of a reply; see `tests/captures/SOURCES.md`.
_GRADES: Final = ("subset", "truncated", "malformed", "chunked", "python-repr")
_STEM: Final = re.compile(r"[A-Za-z0-9_+]+(?:-new_api)?")
_MOMENT: Final = re.compile(r"moments/[0-9]{2,4}-[a-z_]+")


class Ending(StrEnum):
    """End of a reply."""

    NUL_CLOSE = "nul_close"
    """With a NUL, and then the unit closed the connection, as stock firmware does."""
    NUL = "nul"
    """With a NUL; the unit left the connection open."""
    CLOSE = "close"
    """Without a NUL; the unit closed the connection. A page without a length ends so."""
    LENGTH = "length"
    """A page: at its announced length, or after its last chunk."""
    RESET = "reset"
    """The unit reset the connection, before or within the reply."""
    SILENCE = "silence"
    """Nothing more came within the recorder's patience."""
    TOO_LARGE = "too_large"
    """The recorder stopped at its cap."""


class Port(StrEnum):
    """Response of a TCP port of the unit to a connection."""

    OPEN = "open"
    REFUSED = "refused"
    SILENT = "silent"
    NO_ROUTE = "no_route"


class RecordedReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One reply.

    Attributes:
        request: A command and its words: ``stats``, ``stats new_api``, ``healthchipget 0``; or ``GET PATH``, of a page
            on TCP 4028 ``GET :4028PATH``.
        file: Relative to the moment's folder; None if no byte came.
        ending: None if it is not known.
        status: The HTTP status of a page.
        head: A page's status line and header lines, as sent, decoded as Latin-1; None for a report of port 4028.
        chunks: Sizes of a page's HTTP chunks, bytes; empty without chunked transfer.
        has_login: A page: the request carried a login.
    """

    request: str
    file: str | None = None
    ending: Ending | None = None
    status: int | None = None
    head: str | None = None
    chunks: tuple[int, ...] = ()
    has_login: bool = False


class Moment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The replies of one look at a unit, kept because its state or a reply's shape was new.

    Attributes:
        folder: ``moments/NN-STATE``.
        state: The unit's state, a lower-case word.
        replies: In the order in which they were asked for.
    """

    folder: str
    state: str
    replies: tuple[RecordedReply, ...]


class CapturedUnit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Identity that the unit told; None where it did not say.

    Attributes:
        model: As in its own words.
        firmware: Its build or version.
        reader: The reader that read it; None if none could.
        bin_hs: The hashrate it was sold as, H/s.
    """

    model: str | None = None
    firmware: str | None = None
    reader: str | None = None
    bin_hs: float | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Content of `capture.json`.

    Attributes:
        form: Version of this form.
        recorded_by: The program and its version.
        is_redacted: Serials, addresses and names were replaced. A capture without redaction is private.
        unit: What was recorded.
        ports: By TCP port number, as text. The API's and the pages' are 4028 and 80, also where they were reached at
            other ports.
        replies: The first reply to each request, in the order in which they were asked for.
        moments: In time order; empty if the unit was looked at once.
    """

    form: int
    recorded_by: str
    is_redacted: bool
    unit: CapturedUnit
    ports: dict[str, Port]
    replies: tuple[RecordedReply, ...]
    moments: tuple[Moment, ...] = ()


class Timing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Duration of one reply.

    Attributes:
        request: As in the manifest.
        at_s: Since the recording began, s.
        connect_s: Until the connection stood; None if it never did.
        first_byte_s: From the request to the first byte of its reply; None if none came.
        last_byte_s: From the request to the last byte.
        reads: Bytes of each read from the socket, in order.
        state: The unit's state in that look, a lower-case word.
    """

    request: str
    at_s: float
    connect_s: float | None = None
    first_byte_s: float | None = None
    last_byte_s: float | None = None
    reads: tuple[int, ...] = ()
    state: str | None = None


class Timings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Content of `timings.json`.

    Attributes:
        recorded_at: Date and time of the beginning, UTC, ISO 8601.
        replies: Every exchange, also those whose reply was not kept.
    """

    recorded_at: str
    replies: tuple[Timing, ...]


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """A whole capture.

    Attributes:
        name: Of its folder.
        manifest: What is known about the replies.
        data: Replies by path relative to the folder, without the NUL.
        timings: None if nothing was measured.
        has_manifest: False for a folder that only has replies.
    """

    name: str
    manifest: Manifest
    data: Mapping[str, bytes]
    timings: Timings | None = None
    has_manifest: bool = True

    def replies(self, moment: Moment | None = None) -> Mapping[str, bytes]:
        """Return the replies of a moment, or the first ones, by request; without those that got no byte.

        A page that was asked for twice is there with its last answer, which is the one with a login.
        """
        recorded = self.manifest.replies if moment is None else moment.replies
        prefix = "" if moment is None else f"{moment.folder}/"
        return MappingProxyType(
            {reply.request: self.data[prefix + reply.file] for reply in recorded if reply.file is not None}
        )


def file_stem(request: str, *, is_challenge: bool = False) -> str:
    """Return the name of a request's file without its ending: ``tcp4028-stats-new_api``, ``http4028-summary``.

    Args:
        request: As in `RecordedReply`.
        is_challenge: The file holds the answer to a GET without a login.
    """
    if request.startswith(API_PAGE):
        return f"{API_PAGE_PREFIX}{_plain(request.removeprefix(API_PAGE))}"
    if request.startswith("GET "):
        page = request.removeprefix("GET ").removeprefix("/cgi-bin/").removesuffix(_PAGE_SUFFIX).strip("/")
        return f"{PAGE_PREFIX}{_plain(page)}{_CHALLENGE if is_challenge else ''}"
    command, *words = request.split(" ")
    is_new_api = "new_api" in words
    parameters = "".join(f"_{word}" for word in words if word != "new_api")
    return f"{API_PREFIX}{command}{parameters}{_NEW_API if is_new_api else ''}"


def _plain(page: str) -> str:
    """Return a page's path as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", page.strip("/")) or "root"


def is_on_api_port(request: str) -> bool:
    """Return True for a report or page on TCP 4028, False for a page of another port."""
    return not request.startswith("GET ") or request.startswith(API_PAGE)


def request_of(file: str) -> str | None:
    """Return the request that a file answers, by its name alone; None if it is no reply.

    A page whose path is no script looks like one that is: only a manifest has its path.
    """
    stem = file.split(".", 1)[0].removesuffix(_DENIED)
    if stem.startswith(API_PAGE_PREFIX) and _STEM.fullmatch(stem.removeprefix(API_PAGE_PREFIX)):
        return f"{API_PAGE}/{stem.removeprefix(API_PAGE_PREFIX)}"
    for prefix in (API_PREFIX, PAGE_PREFIX):
        if stem.startswith(prefix) and _STEM.fullmatch(stem.removeprefix(prefix)):
            name = stem.removeprefix(prefix)
            if prefix == PAGE_PREFIX:
                return "GET /" if name == "root" else f"{_PAGE}{name}{_PAGE_SUFFIX}"
            command, _, parameter = name.removesuffix(_NEW_API).partition("_")
            words = [command, *parameter.split("_")] if parameter else [command]
            return " ".join([*words, "new_api"] if name.endswith(_NEW_API) else words)
    return None


def is_challenge(file: str) -> bool:
    """Return True if a file holds the answer to a GET without a login."""
    return _CHALLENGE in file.removeprefix(PAGE_PREFIX)


def is_complete(file: str) -> bool:
    """Return True if a reply is as the unit sent it: nothing left out or cut by its publisher."""
    return not any(f".{grade}" in file for grade in _GRADES)


def is_moment(folder: str) -> bool:
    """Return True if this is the name of a moment's folder."""
    return _MOMENT.fullmatch(folder) is not None
