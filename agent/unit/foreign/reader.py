"""The reader of units of other makes: one request a poll, which pyasic's process answers. Pure.

It never speaks to TCP 4028 itself: its request is a word for `lane`, and no client that opens sockets may hold its
conversations.
"""

from collections.abc import Callable

import msgspec

from agent.unit.consistency.rules import hold_together
from agent.unit.foreign import distrust
from agent.unit.foreign.protocol import READ, decode_answer
from agent.unit.nameplate import Nameplate
from agent.unit.reader import Conversation, Reader
from agent.unit.reading import without_window


class Memory(msgspec.Struct, gc=False):
    """The memory of one unit: what `consistency` keeps of it, and the uptime of its latest reading, s."""

    sleep_doubted_at: float | None = None
    young_uptime: tuple[float, float] | None = None
    uptime_s: float | None = None


def _converse(
    unit_id: str,
    memory: Memory,
    *,
    nameplate: Nameplate | None = None,
    slow_every: int,  # noqa: ARG001 - pyasic asks for everything at once.
    pools_every: int | None = None,  # noqa: ARG001 - Pools included.
    wall: Callable[[], float],
) -> Conversation:
    line = yield READ
    reading = distrust.reading_of(decode_answer(line), unit_id, nameplate, at=wall())
    memory.uptime_s = reading.uptime_s
    return without_window(hold_together(reading, nameplate, memory))


READER = Reader(name=distrust.READER, new_memory=Memory, converse=_converse)
