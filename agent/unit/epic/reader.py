"""The reader of ePIC firmware, and the rule by which a unit is known to run it."""

from typing import Final

from agent.errors import ForeignProtocolError
from agent.unit.choice import Told
from agent.unit.epic.conversation import SUMMARY, Memory, converse
from agent.unit.epic.summary import NAME
from agent.unit.reader import Reader

__all__ = ["READER", "SUMMARY", "is_spoken"]

READER: Final = Reader(name=NAME, new_memory=Memory, converse=converse)


def is_spoken(told: Told) -> bool:
    """Return True if a unit answers `version` over HTTP, which no other firmware does (Documented (D103, D161)).

    Whether that web server is ePIC's is told by its first page, and by it alone.
    """
    return isinstance(told.error, ForeignProtocolError) and told.error.speaker == "HTTP"
