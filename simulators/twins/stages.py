"""The replies of a capture by the stage of a unit's life that they show."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from simulators.captures import form
from simulators.captures.form import Answer, Ending, Recording

# What publishers left of a reply: not what a unit sends.
_CUT = re.compile(r"\.(?:subset|truncated|malformed|python-repr)\b")
# Documented (D10): the pages show replies of the API in the new dialect.
_OF_PAGES: Final = {
    "GET /cgi-bin/stats.cgi": "stats new_api",
    "GET /cgi-bin/summary.cgi": "summary new_api",
    "GET /cgi-bin/pools.cgi": "pools new_api",
    "GET /cgi-bin/warning.cgi": "warning new_api",
    "GET /cgi-bin/chart.cgi": "rate new_api",
}


class Stage(StrEnum):
    """Activity of a unit when it was looked at."""

    HASHING = "hashing"
    RAMPING = "ramping"
    ASLEEP = "asleep"
    STARTING = "starting"
    FAULT = "fault"


_WORDS: Final[Mapping[str, Stage]] = {
    **dict.fromkeys(("hashing", "mining", "running", "throttled"), Stage.HASHING),
    **dict.fromkeys(("ramp", "ramping"), Stage.RAMPING),
    **dict.fromkeys(("asleep", "sleep", "sleeping", "paused", "standby", "curtailed"), Stage.ASLEEP),
    **dict.fromkeys(("boot", "booting", "starting", "enumerating"), Stage.STARTING),
    **dict.fromkeys(("fault", "faulty", "protected", "stopped"), Stage.FAULT),
}


_AWAY: Final = frozenset({"off", "unreachable"})  # Nothing that it answers then is of a stage.


class Replies(msgspec.Struct, frozen=True, kw_only=True):
    """Whole replies of one stage.

    Attributes:
        api: Bytes by request, ``new_api`` last; whole JSON each.
        pages: Bodies of pages by path; whole JSON each.
        endings: How a reply of the API ended, by request; without those that are not known.
        chunks: Sizes of a page's chunks, by path.
    """

    api: Mapping[str, bytes]
    pages: Mapping[str, bytes]
    endings: Mapping[str, Ending] = {}
    chunks: Mapping[str, tuple[int, ...]] = {}


def stages_of(recording: Recording) -> dict[Stage, Replies]:
    """Return the first whole replies of each stage. What the manifest calls a state decides, or else the figures."""
    looks: list[tuple[str, tuple[Answer, ...]]] = [("", recording.answers)]
    looks += [(moment.state, moment.answers) for moment in recording.moments]
    stages: dict[Stage, Replies] = {}
    for word, answers in looks:
        replies = _whole(answers)
        stage = None if word in _AWAY else _WORDS.get(word) or stage_of(replies)
        if stage is not None and (replies.api or replies.pages):
            known = stages.get(stage)
            stages[stage] = replies if known is None else _over(known, replies)
    return stages


def stage_of(replies: Replies) -> Stage | None:
    """Return the stage that the figures of `stats` or else `summary` show; None if there are no figures."""
    rows = [
        row for request in ("stats", "stats new_api", "summary", "summary new_api") for row in rows_of(replies, request)
    ]
    for row in rows:
        rates = [number(row.get(key)) for key in ("GHS 5s", "GHS av", "MHS 5s", "MHS av", "rate_5s", "rate_avg")]
        known = [rate for rate in rates if rate is not None]
        if row.get("Mode") == 1 or row.get("miner-mode") == 1:
            return Stage.ASLEEP
        if known:
            if max(known) > 0.0:
                return Stage.HASHING
            elapsed = number(row.get("Elapsed", row.get("elapsed")))
            return Stage.ASLEEP if elapsed is not None and elapsed <= 1 else Stage.STARTING
    # Observed (O61): asleep, `stats` is a header alone.
    headers = [row for row in rows_of(replies, "stats") if "Type" in row]
    return Stage.ASLEEP if headers else None


def rows_of(replies: Replies, request: str) -> list[dict[str, Any]]:
    """Return the objects in the list of a reply that carries its figures; empty if there are none."""
    data = replies.api.get(request)
    if data is None:
        return []
    body = decoded(data)
    rows = body.get(request.partition(" ")[0].upper()) if body is not None else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def rows_with(replies: Replies, keys: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the rows of every reply that have all of some keys."""
    return [row for request in replies.api for row in rows_of(replies, request) if all(key in row for key in keys)]


def decoded(data: bytes) -> dict[str, Any] | None:
    """Return the JSON object in some bytes; None if they hold none, or nest too deeply."""
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return None


def number(value: object) -> float | None:
    """Return a number that was sent as a number or as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if abs(found) < 1e18 else None


def _whole(answers: tuple[Answer, ...]) -> Replies:
    api: dict[str, bytes] = {}
    pages: dict[str, bytes] = {}
    endings: dict[str, Ending] = {}
    chunks: dict[str, tuple[int, ...]] = {}
    for answer in answers:
        reply = answer.reply
        if _CUT.search(reply.file or "") or decoded(answer.data) is None:
            continue
        if not reply.is_page:
            request = form.normal_request(reply.request)
            api.setdefault(request, answer.data)
            if reply.ending is not None:
                endings.setdefault(request, reply.ending)
        elif reply.status in (None, 200):
            path = reply.request.removeprefix("GET ")
            if path not in pages:
                pages[path], chunks[path] = answer.data, reply.chunks
    for page, request in _OF_PAGES.items():
        path = page.removeprefix("GET ")
        if path in pages:
            api.setdefault(request, pages[path])
    return Replies(api=api, pages=pages, endings=endings, chunks=chunks)


def _over(first: Replies, second: Replies) -> Replies:
    return Replies(
        api={**second.api, **first.api},
        pages={**second.pages, **first.pages},
        endings={**second.endings, **first.endings},
        chunks={**second.chunks, **first.chunks},
    )
