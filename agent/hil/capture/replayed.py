"""The reading of a capture: its replies passed through the agent's reader, as if a unit sent them now. Pure.

A request that was never asked is answered as `hashsight-sim replay` answers it: one in the new dialect by the page that
prints the same report (D17) or by the legacy reply (D13), any other with a refusal in the words of the unit's firmware.
Joined commands are answered by the replies to each of them, if the unit runs firmware that joins reports (O175).
A unit with pages on TCP 4028 answers what is no HTTP with status 400 (D161), and a page that was not recorded with 404.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final, TypeAlias

import msgspec

from agent.errors import DeadlineError, DisconnectedError, MisreadReplyError, PollError, UnreachableError
from agent.hil.capture.form import API_PAGE, Capture, Ending, Moment, RecordedReply
from agent.unit import registry
from agent.unit.cgminer import wire
from agent.unit.cgminer.page_reply import PartialPage
from agent.unit.cgminer.partial_reply import PartialReply
from agent.unit.consistency.alone import held_alone
from agent.unit.nameplate import Catalogue, shipped_catalogue
from agent.unit.reader import Conversation, read_whole
from agent.unit.reading import UnitReading

UNIT_ID: Final = "recorded"
"""The name of a recorded unit in its readings: the same for each capture, so that two can be compared."""
AT: Final = 0.0
"""The time of its readings, Unix s: a capture of the same unit in the same state gives the same reading."""

_NEW_API: Final = " new_api"
_JOINING: Final = b"LUXminer"
_DESCRIPTION: Final = re.compile(rb'"Description" *: *"([^"\\]{1,128})"')
_VNISH: Final = re.compile(rb'"Type" *: *"[^"]*\(Vnish', re.IGNORECASE)
_STOCK: Final = b"cgminer 1.0.0"
_LENGTH: Final = re.compile(rb"(?i)(\r\ncontent-length:[ \t]*)[0-9]+")
_BAD_REQUEST: Final = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
_NOT_FOUND: Final = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

_Recorded: TypeAlias = Mapping[str, tuple[RecordedReply, bytes | None]]


def reading_of(capture: Capture, moment: Moment | None = None) -> UnitReading | PollError:
    """Return what the agent reads from a capture, or the error with which that poll fails.

    The reader is chosen by what the unit said, as for a unit that no ledger row describes.

    Args:
        capture: Any capture, with a manifest or without.
        moment: One of its moments; what that look did not ask for is taken from the first replies. None for the first
            replies alone.
    """
    conversation = read_whole(registry.CHOOSING, UNIT_ID, wall=lambda: AT)
    try:
        return held_alone(_held(conversation, _recorded(capture, moment)), _catalogue())
    except PollError as error:
        return error
    except Exception as error:  # noqa: BLE001 - It is passed on as the cause of the poll's error.
        # A reply that triggers a bug of ours is worth keeping; the client makes the same error of it.
        misread = MisreadReplyError(f"{type(error).__name__} while reading the reply")
        misread.__cause__ = error
        return misread


@cache
def _catalogue() -> Catalogue:
    """Return the shipped catalogue: reading its file takes twenty times as long as reading a capture."""
    return shipped_catalogue()


def _recorded(capture: Capture, moment: Moment | None) -> _Recorded:
    found: dict[str, tuple[RecordedReply, bytes | None]] = {}
    looks = [("", capture.manifest.replies)]
    if moment is not None:
        looks.append((f"{moment.folder}/", moment.replies))
    for prefix, replies in looks:
        for reply in replies:
            found[reply.request] = reply, None if reply.file is None else capture.data[prefix + reply.file]
    return found


def _held(conversation: Conversation, recorded: _Recorded) -> UnitReading:
    """Hold a conversation with recorded replies.

    Raises:
        PollError: It failed.
    """
    try:
        request = next(conversation)
        while True:
            answer = _answer(request, recorded)
            request = conversation.throw(answer) if isinstance(answer, PollError) else conversation.send(answer)
    except StopIteration as over:
        reading: UnitReading = over.value
        return reading


def _answer(request: bytes, recorded: _Recorded) -> bytes | PollError:
    """Return the reply to a request, or the error that the agent's client makes of its ending."""
    name = name_of(request)
    if name.startswith(API_PAGE):
        return _page(name, recorded, wire.cap_of(request))
    command = name.removesuffix(_NEW_API)
    names = [name, f"GET /cgi-bin/{command}.cgi", command] if name != command else [name]
    reply, data = next((recorded[each] for each in names if each in recorded), (None, None))
    if reply is None and "+" in command and _joins_reports(recorded):
        data = _joined(command.split("+"), recorded)
    elif reply is None and any(each.startswith(API_PAGE) for each in recorded):
        data = _BAD_REQUEST
    elif reply is None:
        data = _refusal(recorded)
    if data is None:
        return _nothing_came(None if reply is None else reply.ending)
    return _received(data, Ending.NUL if reply is None else reply.ending, wire.cap_of(request))


def _joins_reports(recorded: _Recorded) -> bool:
    """Return True for firmware that joins reports. Observed (O175): LuxOS does. Documented (D14): stock does not."""
    return any(data is not None and _JOINING in data for _, data in recorded.values())


def _joined(commands: Sequence[str], recorded: _Recorded) -> bytes:
    """Return the reply to joined commands: each command's is the only item of a list under its name."""
    parts = [
        msgspec.json.encode(command) + b":[" + _part(command, recorded).strip(b"\0 \r\n") + b"]"
        for command in dict.fromkeys(commands)
    ]
    return b"{" + b",".join(parts) + b',"id":1}'


def _part(command: str, recorded: _Recorded) -> bytes:
    _, data = recorded.get(command, (None, None))
    return _refusal(recorded) if data is None else data


def _refusal(recorded: _Recorded) -> bytes:
    """Return a unit's refusal of an unknown command: its own `Description`, E/14 or VNish's E/0.

    Observed (O03): stock firmware. Observed (O86): VNish since 1.2.6, without an `id`.
    """
    said, is_vnish = None, False
    for _, data in recorded.values():
        if data is not None:
            said = said or _DESCRIPTION.search(data)
            is_vnish = is_vnish or _VNISH.search(data) is not None
    return b'{"STATUS":[{"STATUS":"E","When":0,"Code":%d,"Msg":"Invalid command","Description":"%s"}]%s}' % (
        0 if is_vnish else 14,
        said[1] if said else _STOCK,
        b"" if is_vnish else b',"id":1',
    )


def _page(name: str, recorded: _Recorded, cap: int) -> bytes | PollError:
    """Return a page as the agent's client returns it, or the error that it makes of its ending."""
    reply, data = recorded.get(name, (None, b""))
    if reply is None:
        return _NOT_FOUND
    if data is None and reply.head is None:
        return _nothing_came(reply.ending)
    partial = PartialPage(cap)
    whole = partial.add(_page_bytes(reply, data or b""))
    if whole is not None:
        return whole
    if reply.ending is Ending.CLOSE:
        return partial.close()
    if reply.ending is Ending.RESET:
        return DisconnectedError(f"reset after {partial.size} bytes while it was recorded")
    return partial.foreign() or DeadlineError(f"{partial.size} bytes of a page while it was recorded")


def _page_bytes(reply: RecordedReply, body: bytes) -> bytes:
    """Return a recorded page with its head and its chunks; without a known head, with one that has the length."""
    if reply.head is None:
        known = b"" if reply.ending is not None else b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        return known + body
    head = reply.head.encode("latin-1") + b"\r\n"
    if reply.ending is Ending.LENGTH:
        # A body that was altered for a trial has another length.
        head = _LENGTH.sub(b"\\g<1>%d" % len(body), head)
    if "\ntransfer-encoding: chunked" not in reply.head.lower():
        return head + body
    if reply.ending is Ending.LENGTH:
        return b"%b%x\r\n%b\r\n0\r\n\r\n" % (head, len(body), body) if body else head + b"0\r\n\r\n"
    pieces, at = [head], 0
    for size in reply.chunks:
        piece = body[at : at + size]
        pieces += (b"%x\r\n" % size, piece, b"\r\n" if len(piece) == size else b"")
        at += size
    return b"".join(pieces)


def name_of(request: bytes) -> str:
    """Return the name of a request on TCP 4028 as in a manifest: ``stats new_api``, ``GET :4028/summary``."""
    if request.startswith(b"GET "):
        return API_PAGE + request.split(b" ", 2)[1].decode("ascii", "replace")
    fields = msgspec.json.decode(request, type=dict[str, str | bool])
    words = [fields["command"], fields.get("parameter"), "new_api" if fields.get("new_api") else None]
    return " ".join(str(word) for word in words if word)


def _nothing_came(ending: Ending | None) -> PollError:
    match ending:
        case Ending.SILENCE:
            return DeadlineError("no reply while it was recorded")
        case Ending.RESET:
            return DisconnectedError("reset after 0 bytes while it was recorded", is_reset=True)
        case Ending.CLOSE:
            return DisconnectedError("closed without a reply while it was recorded")
    return UnreachableError("did not accept a connection while it was recorded")


def _received(data: bytes, ending: Ending | None, cap: int) -> bytes | PollError:
    """Return recorded bytes as the agent's client returns them."""
    has_nul = ending not in {Ending.CLOSE, Ending.RESET, Ending.SILENCE, Ending.TOO_LARGE}
    partial = PartialReply(cap)
    whole = partial.add(data + b"\0" if has_nul else data)
    if whole is not None:
        return whole
    if ending is Ending.CLOSE:
        return partial.close()
    had = f"{len(data)} bytes of a reply"
    if ending is Ending.RESET:
        return DisconnectedError(f"reset after {len(data)} bytes while it was recorded")
    return partial.foreign() or DeadlineError(f"{had} while it was recorded")
