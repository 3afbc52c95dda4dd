"""The reader `auto`: asks a unit what firmware it runs, and reads it with that firmware's reader from then on.

    version ..... before the first poll of a unit, after its uptime went backwards, after it was gone, and after answers
       |          that made no sense
       '- stats . only if `version` was refused as E with code 0: VNish since 1.2.6 (Documented (D215))

A rule a firmware decides, in the order of the registry; what no rule knows is read as stock firmware, whose errors say
what is wrong. `stats` alone does not decide: LuxOS answers it as stock firmware does.

A unit whose answers make no sense is asked again after its first, second, fourth, eighth ... such poll, so that it
costs little more than before. So is one whose answer to `version` could not be read: till then its reader is a guess.

A unit that was gone may come back with other firmware and a longer uptime than it had: its first poll after that asks.

Assumed (A214): a web server may say nothing until a request's line ends, and none ends in `version`. So the poll after
one in which `version` got no answer asks for a page first; what answers in HTTP is told by that. Silence at the page
makes the next poll begin with `version` again.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Final

import msgspec

from agent.errors import (
    ContradictoryReplyError,
    DeadlineError,
    DisconnectedError,
    ForeignProtocolError,
    MalformedReplyError,
    PollError,
    RefusedError,
    UnreachableError,
    UnsupportedReplyError,
    drop_frames,
)
from agent.unit.cgminer import wire
from agent.unit.nameplate import Nameplate
from agent.unit.reader import AUTO, AnyReader, Conversation, Reader

VERSION: Final = wire.encode_request("version")
STATS: Final = wire.encode_request("stats")
REQUESTS: Final = (VERSION, STATS)

_HTTP: Final = b"HTTP/"
# Answers that another reader may understand. A unit that is silent or gone is asked by the same reader again.
_DOUBTFUL: Final = (
    ContradictoryReplyError,
    ForeignProtocolError,
    MalformedReplyError,
    RefusedError,
    UnsupportedReplyError,
)


class Told(msgspec.Struct, frozen=True, gc=False):
    """A unit's words about itself.

    Attributes:
        version: Its answer to `version`, also one that refuses; None if it is no reply.
        stats: Its answer to `stats`, as received; empty if it was not asked.
        error: Why there is no reply, such as another protocol's bytes; None if there is one.
    """

    version: wire.Reply | None
    stats: bytes = b""
    error: PollError | None = None


class Rule(msgspec.Struct, frozen=True, gc=False):
    """One firmware's rule.

    Attributes:
        reader: Name of the reader.
        is_spoken: Returns True if a unit that says this runs the firmware.
    """

    reader: str
    is_spoken: Callable[[Told], bool]


class Chosen(msgspec.Struct, gc=False):
    """The memory of a unit whose reader is chosen by itself.

    Attributes:
        reader: The reader in use; None until the unit was asked.
        memory: That reader's memory.
        uptime_s: As it was when the latest poll began, s.
        doubts: Polls in a row whose answers made no sense to that reader.
        is_doubted: The latest poll was one of those.
        is_gone: No connection could be made since the reader was chosen.
        guesses: Polls since the reader was chosen without a readable answer; 0 if it was chosen by one.
        silences: Polls in a row that ended while the unit was asked what it runs, without an answer.
        is_asking: The running poll asks that; of the latest poll, whether it ended there.
        is_of_page: A page told it, since `version` got no answer.
    """

    reader: AnyReader | None = None
    memory: Any = None
    uptime_s: float | None = None
    doubts: int = 0
    is_doubted: bool = False
    is_gone: bool = False
    guesses: int = 0
    silences: int = 0
    is_asking: bool = False
    is_of_page: bool = False

    def is_to_be_chosen(self) -> bool:
        """Return True if the next poll begins with `version`; looked at once a poll."""
        if self.reader is None or self.is_gone:
            return True
        before_s, now_s = self.uptime_s, self.memory.uptime_s
        if now_s != before_s:
            self.uptime_s, self.doubts = now_s, 0
            if now_s is not None and before_s is not None and now_s < before_s:
                return True
        elif not self.is_doubted:
            # A unit that sleeps may report one uptime all the time.
            self.doubts = 0
        return _is_power_of_two(self.doubts) or _is_power_of_two(self.guesses)


def _is_power_of_two(count: int) -> bool:
    return count > 0 and count & (count - 1) == 0


def auto_reader(
    readers: Mapping[str, AnyReader], rules: Sequence[Rule], *, default: str, page: bytes | None = None
) -> Reader[Chosen]:
    """Return the reader that chooses among others. Every reader's memory has an attribute `uptime_s`.

    Args:
        readers: By name.
        rules: Asked in this order.
        default: Name of the reader for what no rule knows.
        page: The GET for a unit that does not answer `version`; None to ask for no page.
    """

    def converse(
        unit_id: str,
        memory: Chosen,
        *,
        nameplate: Nameplate | None = None,
        slow_every: int,
        pools_every: int | None = None,
        wall: Callable[[], float],
    ) -> Conversation:
        is_to_be_chosen = memory.is_to_be_chosen()
        memory.is_doubted = False
        if memory.guesses:
            memory.guesses += 1
        if is_to_be_chosen:
            return chosen_first(unit_id, memory, nameplate, (slow_every, pools_every), wall)
        reader: AnyReader = memory.reader  # type: ignore[assignment]  # chosen by now
        return reader.converse(
            unit_id, memory.memory, nameplate=nameplate, slow_every=slow_every, pools_every=pools_every, wall=wall
        )

    def chosen_first(
        unit_id: str,
        memory: Chosen,
        nameplate: Nameplate | None,
        cadence: tuple[int, int | None],
        wall: Callable[[], float],
    ) -> Conversation:
        memory.is_asking = True
        first = page if memory.is_of_page or memory.silences % 2 else None
        told, data = yield from _told(first)
        memory.is_asking, memory.silences = False, 0
        memory.is_of_page = first is not None and isinstance(told.error, ForeignProtocolError)
        name = next((rule.reader for rule in rules if rule.is_spoken(told)), None)
        if name is None and isinstance(told.error, ForeignProtocolError):
            # No firmware of ours; its own reader's second request would only wait for a deadline.
            raise told.error
        memory.is_gone = False
        if name is not None or told.error is None:
            memory.guesses = 0
        else:
            memory.guesses = memory.guesses or 1
            if memory.reader is not None and not memory.doubts:
                # One answer that is cut is no other firmware.
                name = memory.reader.name
        reader = readers[name or default]
        if memory.reader is not reader:
            memory.reader, memory.memory, memory.uptime_s = reader, reader.new_memory(), None
        if reader.hear_version is not None and data:
            reader.hear_version(memory.memory, data)
        slow_every, pools_every = cadence
        return (
            yield from reader.converse(
                unit_id, memory.memory, nameplate=nameplate, slow_every=slow_every, pools_every=pools_every, wall=wall
            )
        )

    return Reader(name=AUTO, new_memory=Chosen, converse=converse, on_failed=_note_failure, is_whole=_is_whole)


def _is_whole(memory: Chosen) -> bool:
    return memory.reader is None or memory.reader.is_whole(memory.memory)


def _note_failure(memory: Chosen, error: PollError) -> None:
    if memory.is_asking:
        memory.silences = memory.silences + 1 if isinstance(error, DeadlineError) else 0
        memory.is_asking = memory.is_of_page = False
    if isinstance(error, UnreachableError) or (isinstance(error, DisconnectedError) and error.is_reset):
        # Nothing listens, or what accepts, as a port that is forwarded does, has no program behind it.
        memory.is_gone = True
    elif isinstance(error, _DOUBTFUL):
        memory.doubts += 1
        memory.is_doubted = True


def _told(page: bytes | None) -> Generator[bytes, bytes, tuple[Told, bytes]]:
    """Ask for `version`; return what was said, and the reply as received if it is no refusal.

    Args:
        page: A GET that is asked first; None for none.

    Raises:
        PollError: The unit is silent or gone, or refuses `version` as VNish does and its `stats` cannot be read.
    """
    if page is not None and (yield from _speaks_http(page)):
        return Told(None, error=ForeignProtocolError("it answers GET", speaker="HTTP")), b""
    try:
        data = yield VERSION
        reply = wire.decode_reply(data, "version")
    except _DOUBTFUL as error:
        drop_frames(error)
        return Told(None, error=error), b""
    is_refused = reply.status in wire.REFUSALS
    stats = b""
    if is_refused and reply.code == 0:
        # Its error is the poll's: the refusal alone does not tell VNish, and no stock firmware refuses so.
        stats = yield STATS
    return Told(reply, stats), b"" if is_refused else data


def _speaks_http(page: bytes) -> Generator[bytes, bytes, bool]:
    """Ask for a page; return True if the answer is HTTP.

    Raises:
        DeadlineError: There is none in time.
        UnreachableError: The unit is gone.
    """
    try:
        data = yield page
    except (DeadlineError, UnreachableError):
        raise
    except PollError as error:
        drop_frames(error)
        return False
    return data.startswith(_HTTP)
