"""Recorded units of any firmware as decoded replies that a test changes, and whole readings without a socket."""

import copy
import json
from collections.abc import Callable
from typing import Any

from capture_files import replies_in
from paths import CAPTURES

from agent.unit import registry
from agent.unit.reader import read_whole
from agent.unit.reading import UnitReading

AT = 1_760_242_394.0
_REFUSALS = {
    "luxos": (14, "LUXminer 2025.4.8.220305-57b389c7"),
    "braiins": (14, "BOSer boser-openwrt 0.1.0-fc9fe388"),
    "vnish": (0, "cgminer 4.11.1"),
}


class Firmware:
    """A recorded unit.

    Args:
        name: Of its firmware, as readers are named.
        folders: Captures of it, the first that has a report counts.

    Attributes:
        replies: Decoded, by command.
    """

    def __init__(self, name: str, *folders: str) -> None:
        self.name = name
        self.replies: dict[str, Any] = {}
        for folder in reversed(folders):
            for path in replies_in(CAPTURES / folder):
                command = path.name.removeprefix("tcp4028-").split(".")[0]
                if path.name.startswith("tcp4028-") and command.isalpha():
                    self.replies[command] = json.loads(path.read_bytes().replace(b"}{", b"},{"))
        code, program = _REFUSALS[name]
        self.refusal = {"STATUS": [{"STATUS": "E", "Code": code, "Msg": "Invalid command", "Description": program}]}

    def changed(self, change: Callable[[dict[str, Any]], None]) -> "Firmware":
        """Return a unit whose replies were changed in place by a function."""
        other = copy.copy(self)
        other.replies = copy.deepcopy(self.replies)
        change(other.replies)
        return other

    def rows(self, command: str) -> list[dict[str, Any]]:
        """Return the rows of a report."""
        found: list[dict[str, Any]] = self.replies[command][command.upper()]
        return found

    def _reply(self, command: str) -> Any:
        if "+" in command and self.name == "luxos":
            return {part: [self._reply(part)] for part in command.split("+")} | {"id": 1}
        return self.replies.get(command, self.refusal)

    def read(self) -> UnitReading:
        """Return everything that is read of it, its reader chosen by its own word.

        Raises:
            PollError: It cannot be read.
        """
        talk = read_whole(registry.CHOOSING, "u1", wall=lambda: AT)
        try:
            request = next(talk)
            while True:
                request = talk.send(json.dumps(self._reply(json.loads(request)["command"])).encode() + b"\0")
        except StopIteration as over:
            reading: UnitReading = over.value
            return reading
