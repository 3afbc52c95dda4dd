"""The reader of stock Bitmain firmware."""

from typing import Final

from agent.unit.antminer.conversation import Memory, converse
from agent.unit.reader import Reader

READER: Final = Reader(name="antminer", new_memory=Memory, converse=converse)
