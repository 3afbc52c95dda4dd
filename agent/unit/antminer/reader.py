"""The reader of stock Bitmain firmware."""

from dataclasses import replace
from functools import partial
from typing import Final

from agent.unit.antminer.conversation import Memory, converse, hear_version
from agent.unit.coolant import SensorLayouts
from agent.unit.reader import Reader

READER: Final = Reader(name="antminer", new_memory=Memory, converse=converse, hear_version=hear_version)


def reader_with(layouts: SensorLayouts) -> Reader[Memory]:
    """Return the reader that tells sensors apart by a site's own catalogue."""
    return replace(READER, new_memory=partial(Memory, layouts=layouts))
