"""The reader of Braiins OS, and the rule by which a unit is known to run it."""

from typing import Final

from agent.unit.braiins.conversation import NAME, converse, hear_version, is_whole
from agent.unit.braiins.memory import Memory
from agent.unit.braiins.reply import is_braiins
from agent.unit.choice import Told
from agent.unit.reader import Reader

READER: Final = Reader(name=NAME, new_memory=Memory, converse=converse, hear_version=hear_version, is_whole=is_whole)


def is_spoken(told: Told) -> bool:
    """Return True if a unit that says this runs Braiins OS.

    Observed (O82): `Description` begins with BOSer, BOSminer or BOSminer+, also where it refuses (a reply of E/23 to
    broken JSON in other-s9-braiins2208-202503), and VERSION has a key of the same name.
    """
    reply = told.version
    if reply is None:
        return False
    if is_braiins(reply.description):
        return True
    rows = reply.body.get("VERSION")
    row = rows[0] if isinstance(rows, list) and rows else None
    return isinstance(row, dict) and any(is_braiins(key) for key in row)
