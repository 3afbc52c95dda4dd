"""The seam for firmware: a reader conducts each poll as a conversation with one unit.

The poller knows readers and no firmware. A reader does no I/O: its conversation yields requests and receives replies.
"""

from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from agent.address import Endpoint
from agent.errors import PollError, drop_frames
from agent.unit.login import Login
from agent.unit.nameplate import Nameplate
from agent.unit.reading import SystemInfo, UnitReading

AUTO: Final = "auto"
"""The name of the reader that chooses another by what the unit says it runs."""

NAMES: Final = (AUTO, "antminer", "braiins", "epic", "foreign", "luxos", "vnish")
"""The names of all readers, as a ledger may have them; `registry` holds the readers."""

M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)

Conversation: TypeAlias = Generator[bytes, bytes, UnitReading]
"""Requests out, whole replies in, a reading at the end.

The driver sends each request on a connection of its own. It sends the reply into the generator, or throws a `PollError`
into it. The conversation raises the error of an essential request, and absorbs that of an optional one.
"""


class Converse(Protocol[M_contra]):
    """Begins the conversation of one poll."""

    def __call__(
        self,
        unit_id: str,
        memory: M_contra,
        *,
        nameplate: Nameplate | None = None,
        slow_every: int,
        pools_every: int | None = None,
        wall: Callable[[], float],
    ) -> Conversation:
        """Return the conversation of one poll; nothing is sent yet.

        Args:
            unit_id: The ledger's name for the unit.
            memory: The reader's memory of this unit, made by its own `new_memory`.
            nameplate: The unit's rating in the ledger, against which a reply is held; None if it is not known.
            slow_every: Ask for share counters and pools every this many polls; 1 is every poll.
            pools_every: Ask for pools alone after this many polls without them; None to leave it at `slow_every`.
            wall: Returns Unix time, s.
        """


def _heedless(_memory: object, _error: PollError) -> None:
    """Change nothing: a failed poll says nothing about how to read this unit."""


def _always(_memory: object) -> bool:
    """Return True: one poll asks for everything that this reader reads."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader(Generic[M]):
    """One way of reading units on TCP 4028.

    Attributes:
        name: A short lower-case word, unique among readers; the key in `registry.READERS`.
        new_memory: Returns the memory of a unit that was never polled. The poller keeps it and passes it to `converse`.
        converse: Begins each poll's conversation.
        on_failed: Called with the memory and the error after a poll that failed.
        hear_version: Called before the first `converse` with a unit's answer to `version`, so that it is not asked
            again; None if the reader has no use for it.
        is_whole: Returns True after a poll if every report has been asked for that this reader reads; a reader that
            spreads reports over polls says so here.
    """

    name: str
    new_memory: Callable[[], M]
    converse: Converse[M]
    on_failed: Callable[[M, PollError], None] = _heedless
    hear_version: Callable[[M, bytes], None] | None = None
    is_whole: Callable[[M], bool] = _always


AnyReader: TypeAlias = Reader[Any]
MOST_POLLS: Final = 5
"""Polls in a row by which everything is read of a unit that is asked once."""
_NEVER_AGAIN: Final = 1 << 30


def read_whole(reader: AnyReader, unit_id: str, *, wall: Callable[[], float]) -> Conversation:
    """Read everything that a reader reads, of a unit that is asked once: in as many polls as that takes.

    For `hashsight read` and for a recording, which have no next poll. Rates are those of the last one.

    Args:
        reader: The reader, or the one that chooses.
        unit_id: The name in the reading.
        wall: Returns Unix time, s.

    Raises:
        PollError: The first poll failed. What a later one does not get is left out.
    """
    memory = reader.new_memory()
    reading = yield from reader.converse(unit_id, memory, slow_every=_NEVER_AGAIN, wall=wall)
    for _ in range(MOST_POLLS - 1):
        if reader.is_whole(memory):
            break
        try:
            reading = yield from reader.converse(unit_id, memory, slow_every=_NEVER_AGAIN, wall=wall)
        except PollError as error:
            drop_frames(error)
            break
    return reading


class FetchSystemInfo(Protocol):
    """Reads a unit's identity from its own web page."""

    def __call__(
        self,
        endpoint: Endpoint,
        login: Login,
        *,
        connect_timeout_s: float,
        deadline_s: float,
    ) -> Coroutine[Any, Any, SystemInfo]:
        """Return the identity on the page.

        Args:
            endpoint: Address and port of the unit's web pages.
            login: User and password for digest authentication.
            connect_timeout_s: Time allowed for connecting alone.
            deadline_s: Time allowed for everything, connecting included.

        Raises:
            PollError: The page could not be read; `RefusedError` for a wrong password.
            LocalResourceError: This process has no socket to spare.
        """
