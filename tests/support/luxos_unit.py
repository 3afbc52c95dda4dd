"""A unit under LuxOS that answers from recorded replies, alone or joined, and the poll that reads it."""

import json
from collections.abc import Mapping
from typing import Any

from capture_files import FOLDERS
from paths import CAPTURES

from agent.errors import PollError
from agent.unit.luxos.reader import READER
from agent.unit.nameplate import Nameplate
from agent.unit.reader import AnyReader
from agent.unit.reading import UnitReading

AT = 1763674560.0
LUXOS_FOLDERS = tuple(folder.name for folder in FOLDERS if "-luxos-" in folder.name)
DESCRIPTION = "LUXminer 2025.4.8.220305-57b389c7"


def refused(code: int, words: str) -> dict[str, Any]:
    """Return a refusal, decoded."""
    status = {"STATUS": "E", "When": int(AT), "Code": code, "Msg": words, "Description": DESCRIPTION}
    return {"STATUS": [status], "id": 1}


UNKNOWN = refused(14, "Invalid command")


def recorded(folder: str) -> dict[str, Any]:
    """Return the replies of one capture, decoded, by command."""
    files = (CAPTURES / folder).glob("tcp4028-*.json")
    return {
        path.name.removeprefix("tcp4028-").removesuffix(".json"): json.loads(path.read_bytes())
        for path in files
        if "joined" not in path.name
    }


class LuxosUnit:
    """A unit that answers with what it is given.

    Args:
        replies: By command, decoded; any other command is refused. A `PollError` is thrown, bytes are sent as they are.
        is_joining: It answers joined requests; otherwise it refuses them.
        reader: Reads it.

    Attributes:
        asked: The commands of each poll.
    """

    def __init__(self, replies: Mapping[str, Any], *, is_joining: bool = True, reader: AnyReader = READER) -> None:
        self.replies = dict(replies)
        self.is_joining = is_joining
        self.asked: list[list[str]] = []
        self._reader = reader
        self.memory = reader.new_memory()

    def says(self, section: str, command: str, **fields: Any) -> None:
        """Change fields of the first row of a report; `...` drops one. Blanks are written as two underscores."""
        reply = json.loads(json.dumps(self.replies[command]))
        for key, value in fields.items():
            name = key.replace("__", " ")
            if value is ...:
                reply[section][0].pop(name, None)
            else:
                reply[section][0][name] = value
        self.replies[command] = reply

    def answer(self, request: bytes) -> bytes | PollError:
        """Return the reply to one request, or the error in place of it."""
        command = json.loads(request)["command"]
        self.asked[-1].append(command)
        if "+" not in command:
            found = self.replies.get(command, UNKNOWN)
        elif command in self.replies:
            found = self.replies[command]
        elif self.is_joining:
            found = {part: [self.replies.get(part, UNKNOWN)] for part in command.split("+")} | {"id": 1}
        else:
            found = UNKNOWN
        return found if isinstance(found, bytes | PollError) else json.dumps(found).encode() + b"\0"

    def poll(self, *, at: float = AT, nameplate: Nameplate | None = None, slow_every: int = 6) -> UnitReading:
        """Return the reading of one poll.

        Raises:
            PollError: The poll failed.
        """
        self.asked.append([])
        talk = self._reader.converse("u1", self.memory, nameplate=nameplate, slow_every=slow_every, wall=lambda: at)
        try:
            request = next(talk)
            while True:
                reply = self.answer(request)
                request = talk.throw(reply) if isinstance(reply, PollError) else talk.send(reply)
        except StopIteration as over:
            reading: UnitReading = over.value
            return reading

    def polls(self, count: int, **given: Any) -> UnitReading:
        """Return the reading of the last of several polls."""
        for _ in range(count - 1):
            self.poll(**given)
        return self.poll(**given)
