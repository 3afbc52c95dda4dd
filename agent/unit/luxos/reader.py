"""The reader of LuxOS, and the rule by which a unit is known to run it."""

from typing import Final

from agent.unit.cgminer.firmware import is_luxos
from agent.unit.choice import Told
from agent.unit.luxos.conversation import converse, hear_version
from agent.unit.luxos.memory import Memory
from agent.unit.reader import Reader

READER: Final = Reader(
    name="luxos", new_memory=Memory, converse=converse, hear_version=hear_version, is_whole=Memory.is_whole
)


def is_spoken(told: Told) -> bool:
    """Return True if `version` names LUXminer (Observed (O83)). `stats` is no help: it looks like stock firmware's."""
    version = told.version
    if version is None:
        return False
    if is_luxos(version.description, version.message):
        return True
    rows = version.body.get("VERSION")
    return isinstance(rows, list) and bool(rows) and isinstance(rows[0], dict) and "LUXminer" in rows[0]
