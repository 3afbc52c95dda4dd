"""The reader of stock Bitmain firmware."""

from dataclasses import replace
from functools import partial
from typing import Final

from agent.unit.antminer.conversation import converse, hear_version
from agent.unit.antminer.memory import Memory
from agent.unit.coolant import SensorLayouts
from agent.unit.reader import Reader
from agent.unit.unread import OnUnread

READER: Final = Reader(name="antminer", new_memory=Memory, converse=converse, hear_version=hear_version)


def reader_with(layouts: SensorLayouts, on_unread: OnUnread | None = None) -> Reader[Memory]:
    """Return the reader that tells sensors apart by a site's own catalogue, and says which fields no reader uses."""
    return replace(READER, new_memory=partial(Memory, layouts=layouts, on_unread=on_unread))
