"""A walk list of known entries behind its API, for tests of the web server."""

from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web as aiohttp_web
from exporter_cases import AT, entry, gone_silent, status

from agent.exporters.web.repair_api import RepairApi
from agent.exporters.web.responses import json_error
from agent.site.ledger.entries import Place
from agent.site.repairs.entries import RepairEntry, Said
from agent.site.repairs.symptoms import Symptom

FAN = RepairEntry(
    id=7,
    symptom=Symptom.FAN_STOPPED,
    unit_id="u7",
    place=Place(container="C3", rack="R10", slot="12"),
    words="fan 2 at 0 rpm",
    since=AT - 7200,
    opened_at=AT - 6900,
    lost_hashes=3.6e15 * 40,
    before=2,
)


class Listed:
    """A walk list that keeps what is said, and lets callers with a token change it."""

    def __init__(self, *entries: RepairEntry, unlisted: int = 0) -> None:
        self.entries = {each.id: each for each in entries}
        self.api = RepairApi(
            "nd-1",
            entries=lambda: list(self.entries.values()),
            unlisted=lambda: unlisted,
            annotate=self._annotate,
            unit={"u7": gone_silent("u7"), "u8": status(entry("u8"))}.get,
            refusal=self._refusal,
            caller=lambda request: request.headers.get("X-Logged-In", ""),
            wall=lambda: AT,
            zone=lambda: ZoneInfo("America/Chicago"),
        )

    def _refusal(self, request: aiohttp_web.Request) -> aiohttp_web.Response | None:
        return None if request.headers.get("Authorization") == "Bearer right" else json_error(401, "a token is needed")

    def _annotate(self, number: int, note: Said | None, seen: Said | None) -> RepairEntry | None:
        found = self.entries.get(number)
        if found is None:
            return None
        self.entries[number] = msgspec.structs.replace(found, note=note or found.note, seen=seen or found.seen)
        return self.entries[number]
