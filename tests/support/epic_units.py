"""A recorded unit under ePIC firmware that answers over HTTP, and polls of it without a socket."""

import json
from collections.abc import Mapping
from typing import Any

from paths import WEB_CAPTURES

from agent.errors import PollError
from agent.unit import registry
from agent.unit.epic.conversation import CAPABILITIES_PATH, NETWORK_PATH, SUMMARY_PATH
from agent.unit.nameplate import Nameplate
from agent.unit.reader import AnyReader
from agent.unit.reading import UnitReading

AT = 1755134759.0
FOLDER = WEB_CAPTURES / "s19xp-epic-2025"
S19_XP = Nameplate(
    model="S19 XP",
    hashrate_hs=141e12,
    power_watts=3010,
    boards=3,
    chips_per_board=110,
    cooling="air",
    source="a test",
)
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"


def page(body: bytes) -> bytes:
    """Return a page with its head. Assumed (A198): no head was recorded."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


SUMMARY = (FOLDER / "http4028-summary.json").read_bytes()
CAPABILITIES = (FOLDER / "http4028-capabilities.json").read_bytes()
NETWORK = (FOLDER / "http4028-network.json").read_bytes()
PAGES: Mapping[str, bytes] = {
    SUMMARY_PATH: page(SUMMARY),
    CAPABILITIES_PATH: page(CAPABILITIES),
    NETWORK_PATH: page(NETWORK),
}


def told(**sections: Any) -> bytes:
    """Return `/summary` with other sections, written with underscores for blanks; a dict changes keys, `...` drops."""
    body = json.loads(SUMMARY)
    for name, value in sections.items():
        key = name.replace("_", " ")
        if value is ...:
            del body[key]
        elif isinstance(value, dict) and isinstance(body.get(key), dict):
            body[key].update(value)
        else:
            body[key] = value
    return page(json.dumps(body).encode())


class EpicUnit:
    """A unit that answers GETs with pages and everything else with 400.

    Args:
        pages: By path; any other is not found. A `PollError` is thrown.
        reader: Reads it.

    Attributes:
        asked: The requests of each poll: a path, or a command.
    """

    def __init__(
        self, pages: Mapping[str, bytes | PollError] = PAGES, *, reader: AnyReader = registry.READERS["epic"]
    ) -> None:
        self.pages = dict(pages)
        self.asked: list[list[str]] = []
        self._reader = reader
        self.memory = reader.new_memory()

    def _answer(self, request: bytes) -> bytes | PollError:
        words = request.split(b"\r\n")[0].split(b" ")
        is_get = words[0] == b"GET" and len(words) == 3
        self.asked[-1].append(words[1].decode() if is_get else json.loads(request)["command"])
        return self.pages.get(words[1].decode(), NOT_FOUND) if is_get else BAD_REQUEST

    def poll(self, *, at: float = AT, nameplate: Nameplate | None = S19_XP) -> UnitReading:
        """Return the reading of one poll.

        Raises:
            PollError: The poll failed.
        """
        self.asked.append([])
        talk = self._reader.converse("u1", self.memory, nameplate=nameplate, slow_every=6, wall=lambda: at)
        try:
            request = next(talk)
            while True:
                reply = self._answer(request)
                request = talk.throw(reply) if isinstance(reply, PollError) else talk.send(reply)
        except StopIteration as over:
            reading: UnitReading = over.value
            return reading
        except PollError as error:
            self._reader.on_failed(self.memory, error)
            raise
