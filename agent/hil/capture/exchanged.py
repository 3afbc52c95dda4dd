"""One exchange with a unit as it is kept while recording: what came, how it ended, and when. Pure."""

from typing import Final

import msgspec

from agent.errors import ForeignProtocolError, PollError
from agent.hil.capture import form
from agent.hil.capture.form import Ending, Port, RecordedReply, Timing
from agent.unit.cgminer import wire

UNAUTHORIZED: Final = 401
_DIGITS: Final = 6


class Exchange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One request and what came of it.

    Attributes:
        look: Number of the look, from 0.
        request: As in `RecordedReply`.
        at_s: Since the recording began, s.
        port: What the port did to the connection.
        data: The reply without its NUL, or the body of a page; empty if no byte came.
        ending: How it ended; None without a connection.
        connect_s, first_byte_s, last_byte_s, reads: As in `Timing`.
        status, head, chunks, has_login: As in `RecordedReply`.
    """

    look: int
    request: str
    at_s: float
    port: Port
    data: bytes = b""
    ending: Ending | None = None
    connect_s: float | None = None
    first_byte_s: float | None = None
    last_byte_s: float | None = None
    reads: tuple[int, ...] = ()
    status: int | None = None
    head: str | None = None
    chunks: tuple[int, ...] = ()
    has_login: bool = False

    @property
    def is_page(self) -> bool:
        """True for a page, False for a report of the API."""
        return self.request.startswith("GET ")

    @property
    def is_on_api_port(self) -> bool:
        """True for what is on TCP 4028: a report, or a page of ePIC firmware."""
        return form.is_on_api_port(self.request)

    @property
    def is_challenge(self) -> bool:
        """True for the answer to a GET without a login that asks for one."""
        return self.status == UNAUTHORIZED and not self.has_login

    @property
    def is_answered(self) -> bool:
        """True if anything came: a byte, or the head of a page."""
        return bool(self.data) or self.head is not None

    def file(self) -> str | None:
        """Return the name of its file; None if nothing came."""
        if not self.is_answered:
            return None
        stem = form.file_stem(self.request, is_challenge=self.is_challenge)
        return f"{stem}.json" if is_json(self.data) else f"{stem}.txt"

    def recorded(self) -> RecordedReply:
        """Return it as in a manifest."""
        return RecordedReply(
            request=self.request,
            file=self.file(),
            ending=self.ending,
            status=self.status,
            head=self.head,
            chunks=self.chunks,
            has_login=self.has_login,
        )

    def timing(self, state: str | None) -> Timing:
        """Return its times."""
        return Timing(
            request=self.request,
            at_s=round(self.at_s, _DIGITS),
            connect_s=_rounded(self.connect_s),
            first_byte_s=_rounded(self.first_byte_s),
            last_byte_s=_rounded(self.last_byte_s),
            reads=self.reads,
            state=state,
        )


def is_json(data: bytes) -> bool:
    """Return True for whole JSON, white space around it included; what nests too deeply is none."""
    try:
        # Checked without making its objects: a megabyte of brackets would be half a million lists.
        msgspec.json.decode(data.decode(), type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


def may_be_epic(version: Exchange) -> bool:
    """Return True for an answer in HTTP, and for none: a server may wait for the end of a request's line."""
    if not version.data:
        return version.ending is Ending.SILENCE
    try:
        wire.decode_reply(version.data, "version")
    except ForeignProtocolError as error:
        return error.speaker == "HTTP"
    except PollError:
        return False
    return False


def refuse_foreign(reply: Exchange) -> None:
    """Refuse what another protocol or another make answers.

    Raises:
        ForeignProtocolError: It is one.
    """
    try:
        wire.decode_reply(reply.data, "version")
    except ForeignProtocolError:
        raise
    except PollError:
        # A unit may send what no reader reads: that is worth recording.
        return


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, _DIGITS)
