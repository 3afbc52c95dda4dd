"""One look at a unit, as checks see it: its replies by request, decoded once, from a capture or a unit.

A unit that is looked at now, a simulated unit and a capture are the same here: all are captures.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

import msgspec

from agent.errors import ForeignProtocolError, PollError
from agent.hil.capture import form
from agent.hil.capture.form import Capture, Moment, Timing
from agent.hil.capture.replayed import reading_of
from agent.hil.capture.requests import EPIC_SUMMARY, PAGES, Firmware, is_epic
from agent.hil.verify.reply import Reply, replies_of, report_of
from agent.hil.verify.verdict import UnansweredError
from agent.unit.cgminer import wire
from agent.unit.cgminer.firmware import firmware_of
from agent.unit.coolant import CoolantLayout
from agent.unit.model_names import names_firmware
from agent.unit.nameplate import shipped_layouts
from agent.unit.reading import UnitReading

VERSION: Final = "version"
SUMMARY: Final = "summary"
STATS: Final = "stats"
POOLS: Final = "pools"
STATS_NEW_API: Final = "stats new_api"
SUMMARY_NEW_API: Final = "summary new_api"
UNKNOWN: Final = "devdetails"
"""A report of upstream's that stock firmware does not know. Documented (D10)."""

REPORTS: Final = (VERSION, SUMMARY, STATS, POOLS, STATS_NEW_API, SUMMARY_NEW_API)
LOOK: Final = (VERSION, STATS_NEW_API, STATS, SUMMARY_NEW_API, SUMMARY, POOLS, UNKNOWN)
"""Requests of one look, in order: both dialects of a report follow each other, so that they are of one second."""
POLLED: Final = STATS_NEW_API
"""Requests of the agent at every poll."""
LEGACY_REPORTS: Final = (VERSION, SUMMARY, STATS, POOLS)
EPIC_LOOK: Final = PAGES[Firmware.EPIC]
"""Requests of one look at a unit under ePIC firmware, after `version`."""


class Observed:
    """One look at a unit. Immutable; what is decoded is kept.

    Args:
        capture: What was recorded.
        moment: One of its moments; None for the first replies.

    Attributes:
        name: Of the capture, with the moment.
        replies: By request, in the order in which they came.
    """

    def __init__(self, capture: Capture, moment: Moment | None = None) -> None:
        self.capture = capture
        self.moment = moment
        self.name = capture.name if moment is None else f"{capture.name} {moment.folder}"
        self.replies: Mapping[str, Reply] = {reply.request: reply for reply in replies_of(capture, moment)}
        self._bodies: dict[str, dict[str, Any] | str] = {}
        self._pages: dict[str, Any] = {}

    @cached_property
    def reading(self) -> UnitReading | PollError:
        """The agent's reading of this look."""
        return reading_of(self.capture, self.moment)

    @property
    def timings(self) -> tuple[Timing, ...]:
        """Every exchange of the recording on TCP 4028; empty if nothing was measured."""
        timings = self.capture.timings
        if timings is None:
            return ()
        return tuple(timing for timing in timings.replies if form.is_on_api_port(timing.request))

    @cached_property
    def model(self) -> str | None:
        """The model as any of its replies says it."""
        return next((text for _, text in self.said("Type", "type")), None)

    @cached_property
    def layout(self) -> CoolantLayout:
        """Layout in which this model reports its coolant."""
        return shipped_layouts().of(self.model, CoolantLayout.NONE)

    @cached_property
    def descriptions(self) -> tuple[str, ...]:
        """The program's names in its legacy replies: `Description` and `Msg` of STATUS."""
        found: list[str] = []
        for request in self.replies:
            try:
                status = self.body(request).get("STATUS")
            except UnansweredError:
                continue
            if isinstance(status, list) and status and isinstance(status[0], dict):
                found += [str(status[0].get(key, "")) for key in ("Description", "Msg")]
        return tuple(found)

    @cached_property
    def is_stock(self) -> bool:
        """False if a reply names another maker's firmware."""
        is_named = any(firmware_of(text) is not None for text in self.descriptions)
        return not is_named and not self.is_epic and not names_firmware(self.model or "")

    @cached_property
    def is_epic(self) -> bool:
        """True if its page `/summary` on TCP 4028 is that of ePIC firmware, which answers reports with status 400."""
        page = self.replies.get(EPIC_SUMMARY)
        return page is not None and is_epic(page.data or b"")

    @cached_property
    def strangers(self) -> Mapping[str, str]:
        """Strangers that answer instead of a unit, by request: another protocol, or another make."""
        found: dict[str, str] = {}
        for reply in self.replies.values():
            if not reply.data or self.is_epic:
                continue
            try:
                wire.decode_reply(reply.data[: wire.MAX_REPLY_BYTES], reply.request.partition(" ")[0])
            except ForeignProtocolError as error:
                found[reply.request] = error.speaker
            except PollError:
                continue
        return found

    @property
    def of_unit(self) -> Iterator[Reply]:
        """The replies on TCP 4028 that are not a stranger's."""
        if self.is_epic:
            return iter(())
        return (reply for reply in self.replies.values() if not reply.is_page and reply.request not in self.strangers)

    def reply(self, request: str) -> Reply:
        """Return a reply that has bytes.

        Raises:
            UnansweredError: It was not asked for, or nothing came.
        """
        found = self.replies.get(request)
        if found is None:
            raise UnansweredError(f"{request} was not asked")
        if found.data is None:
            raise UnansweredError(f"{request} got no reply")
        return found

    def body(self, request: str) -> dict[str, Any]:
        """Return a reply's JSON, refusals included.

        Raises:
            UnansweredError: There is none, or it is no reply; another check is about that.
        """
        reply = self.reply(request)
        if request not in self._bodies:
            try:
                self._bodies[request] = wire.decode_reply(reply.data or b"", request.partition(" ")[0]).body
            except PollError:
                cut = "was cut by its publisher" if not reply.is_complete else "is not a reply"
                self._bodies[request] = f"{request} {cut}"
        body = self._bodies[request]
        if isinstance(body, str):
            raise UnansweredError(body)
        return body

    def page(self, request: str) -> Any:
        """Return the JSON of a page on TCP 4028.

        Raises:
            UnansweredError: There is none, or it is no JSON; another check is about that.
        """
        reply = self.reply(request)
        if request not in self._pages:
            try:
                self._pages[request] = json.loads(reply.data or b"")
            except (ValueError, RecursionError):
                self._pages[request] = UnansweredError
        if self._pages[request] is UnansweredError:
            raise UnansweredError(f"{request} is no JSON")
        return self._pages[request]

    def document(self, request: str) -> Any:
        """Return the JSON of a report, or of a page on TCP 4028.

        Raises:
            UnansweredError: As for `body` and `page`.
        """
        return self.page(request) if request.startswith(form.API_PAGE) else self.body(request)

    def rows(self, request: str) -> list[dict[str, Any]]:
        """Return the objects of a report.

        Raises:
            UnansweredError: There is no reply, it is a refusal, or it has no such list.
        """
        body, name = self.body(request), request.partition(" ")[0].upper()
        rows = body.get(name)
        if not isinstance(rows, list):
            raise UnansweredError(f"{request} has no {name}")
        return [row for row in rows if isinstance(row, dict)]

    def figures(self, request: str) -> tuple[str, dict[str, Any]]:
        """Return the object with a report's figures, and its path.

        Raises:
            UnansweredError: As for `rows`; or it is the legacy `stats` of a sleeping unit, which has a header alone.
        """
        name, rows = request.partition(" ")[0].upper(), self.rows(request)
        if request == STATS and not is_new_dialect(self.body(request)):
            # Observed (O26): header and figures. Observed (O61): asleep, a header alone.
            if len(rows) < 2:
                raise UnansweredError(f"{request} has a header alone: asleep")
            return f"{request}: {name}[1]", rows[1]
        if not rows:
            raise UnansweredError(f"{request} has no element in {name}")
        last = len(rows) - 1 if name == "STATS" else 0
        return f"{request}: {name}[{last}]", rows[last]

    def each_figures(self, *requests: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield `figures` of those requests that have any.

        Raises:
            UnansweredError: None of them has; the reason is that of the first.
        """
        first: UnansweredError | None = None
        is_any = False
        for request in requests:
            try:
                found = self.figures(request)
            except UnansweredError as error:
                first = first or error
                continue
            is_any = True
            yield found
        if not is_any and first is not None:
            raise first

    def said(self, *keys: str) -> Iterator[tuple[str, str]]:
        """Yield the texts under some keys of `version`, of `stats` and of INFO, with their paths."""
        for request in (VERSION, STATS, STATS_NEW_API, SUMMARY_NEW_API):
            try:
                body = self.body(request)
            except UnansweredError:
                continue
            for name in (request.partition(" ")[0].upper(), "INFO"):
                row = body.get(name)
                if isinstance(row, list):
                    row = row[0] if row else None
                if isinstance(row, dict):
                    yield from ((f"{request}: {name}.{key}", row[key]) for key in keys if isinstance(row.get(key), str))

    def when(self, request: str) -> float | None:
        """Return the unit's own Unix time in a reply, s; None if it does not tell it."""
        status = self.body(request).get("STATUS")
        if isinstance(status, list):
            status = status[0] if status else None
        if not isinstance(status, dict):
            return None
        return number(status.get("When", status.get("when")))

    def is_refusal(self, request: str) -> bool:
        """Return True if a reply's STATUS is E or F."""
        status = self.body(request).get("STATUS")
        if isinstance(status, list):
            status = status[0] if status else None
        return isinstance(status, dict) and status.get("STATUS") in {"E", "F"}

    def is_close(self, request: str, other: str, within_s: float = 60.0) -> bool:
        """Return True if two replies came within so many seconds of each other by the unit's own clock."""
        first, second = self.when(request), self.when(other)
        return first is not None and second is not None and abs(first - second) <= within_s

    def rate_ghs(self) -> float:
        """Return the 5 s rate of `stats`, or else of `summary`, GH/s.

        Raises:
            UnansweredError: None is reported.
        """
        for _, figures in self.each_figures(STATS_NEW_API, STATS, SUMMARY):
            for key, factor in (("rate_5s", 1.0), ("GHS 5s", 1.0), ("MHS 5s", 1e-3)):
                rate = number(figures.get(key))
                if rate is not None:
                    return rate * factor
        raise UnansweredError("no 5 s rate is reported")


def looks_of(capture: Capture) -> tuple[Observed, ...]:
    """Return every look of a capture in time order: the first replies, then each moment."""
    return (Observed(capture), *(Observed(capture, moment) for moment in capture.manifest.moments))


def restricted(look: Observed, requests: Collection[str]) -> Observed:
    """Return a look as the first and only one of a capture, with its replies to these requests alone."""
    prefix = "" if look.moment is None else f"{look.moment.folder}/"
    recorded = look.capture.manifest.replies if look.moment is None else look.moment.replies
    kept = tuple(
        reply if reply.file is None else msgspec.structs.replace(reply, file=prefix + reply.file)
        for reply in recorded
        if report_of(reply.request) in requests
    )
    manifest = msgspec.structs.replace(look.capture.manifest, replies=kept, moments=())
    return Observed(msgspec.structs.replace(look.capture, manifest=manifest))


def is_new_dialect(body: Mapping[str, Any]) -> bool:
    """Return True for a reply of the new dialect. Observed (O09): its STATUS is an object."""
    return isinstance(body.get("STATUS"), dict)


def number(value: Any) -> float | None:
    """Return a finite number, also from a text; None otherwise. Observed (O28, O74): some firmware writes texts."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) < float("inf") else None


def sensors(value: Any) -> list[float | None]:
    """Return the temperatures of a board's array, from a list or from a text such as ``54-54-68-68``."""
    if isinstance(value, str):
        return [number(part) for part in re.split(r"(?<=[^-])-", value[:100])] if value else []
    return [number(each) for each in value[:16]] if isinstance(value, list) else []


def shown(value: Any) -> str:
    """Return a value for a finding: JSON, clipped."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
