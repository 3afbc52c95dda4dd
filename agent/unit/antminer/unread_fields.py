"""The fields of a unit's replies that no reader uses: of new firmware, the news.

Never raises, and bounded: at most `MOST_NAMES` fields, `_MOST_LOOKED_AT` keys and elements, and a few levels.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from agent.errors import PollError
from agent.unit.antminer.known_fields import SHAPES, Shape, stats_shape
from agent.unit.antminer.stats_schema import MAX_ITEMS, decode_stats
from agent.unit.cgminer import wire
from agent.unit.unread import MAX_PATH, MOST_NAMES, Unread, UnreadField, example_of, form_of, shown_name

_MOST_LOOKED_AT: Final = 4096
_DEEPEST: Final = 4
_PAGE: Final = "page "
_EMPTY: Final = Shape()


def report_of(request: bytes) -> str:
    """Return the name of the report that a request asks for, such as ``stats new_api``; empty for no request."""
    try:
        asked = msgspec.json.decode(request, type=dict[str, Any])
    except msgspec.MsgspecError:
        return ""
    return f"{asked.get('command', '')}{' new_api' if asked.get('new_api') is True else ''}"


def unread_fields(replies: Iterable[tuple[str, bytes]], *, with_text: bool = False) -> Unread:
    """Return the fields of one unit's replies that no reader uses.

    A reply that cannot be read, is longer than is worth repairing, or is a refusal has none; nor has a report that the
    agent never asks for.

    Args:
        replies: Name of the report, as of `report_of` or ``page get_system_info``, and the reply as received.
        with_text: Show texts as they are, which may be serial numbers or accounts.
    """
    look = _Look(with_text=with_text)
    for report, data in replies:
        try:
            body, shape, name = _decoded(report, data)
        except PollError:
            continue
        look.at_object(body, shape, name, "")
    return look.result()


def _decoded(report: str, data: bytes) -> tuple[dict[str, Any], Shape, str]:
    """Return a reply as JSON, what is known of it, and the report by the dialect in which it came.

    Raises:
        PollError: It cannot be read.
    """
    if report.startswith(_PAGE):
        try:
            return msgspec.json.decode(data, type=dict[str, Any]), SHAPES.get(report, _EMPTY), report
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return {}, _EMPTY, report
    command = report.removesuffix(" new_api")
    if len(data) > wire.MAX_REPAIRED_BYTES:
        return {}, _EMPTY, report
    body = _body(data, command)
    is_new_api = isinstance(body.get("STATUS"), dict)
    name = f"{command} new_api" if is_new_api else command
    if command == "stats":
        return body, _shape_of_stats(data, is_new_api=is_new_api), name
    shape = SHAPES.get(name)
    return ({}, _EMPTY, name) if shape is None else (body, shape, name)


def _body(data: bytes, command: str) -> dict[str, Any]:
    """Return a reply as JSON; a regular success takes one decode.

    Raises:
        PollError: It cannot be read, or is a refusal.
    """
    try:
        body: dict[str, Any] = _decode(wire.unframe(data))
        status = body["STATUS"]
        if (status if isinstance(status, dict) else status[0])["STATUS"] == "S" and command.upper() in body:
            return body
    except (ValueError, RecursionError, LookupError, TypeError):
        pass
    return wire.accept(wire.decode_reply(data, command)).body


_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


def _shape_of_stats(data: bytes, *, is_new_api: bool) -> Shape:
    decoded = decode_stats(wire.unframe(data), set())
    items = decoded.reply.STATS
    has_rate = any((item.rate_5s if is_new_api else item.ghs_5s) is not None for item in items)
    return stats_shape(is_new_api=is_new_api, is_elsewhere=decoded.rows is not None or not has_rate, has_rate=has_rate)


class _Look:
    """Fields found so far."""

    def __init__(self, *, with_text: bool) -> None:
        self._with_text = with_text
        self._found: dict[tuple[str, str], UnreadField] = {}
        self._more = 0
        self._left = _MOST_LOOKED_AT

    def result(self) -> Unread:
        """Return what was found, by report and path."""
        if not self._found:
            return _NOTHING if not self._more else Unread((), self._more)
        return Unread(tuple(self._found[key] for key in sorted(self._found)), self._more)

    def at_object(self, value: dict[str, Any], shape: Shape, report: str, path: str) -> None:
        """Look at an object of which a shape is known."""
        for key in shape.unread(tuple(value)):
            self._add(value[key], report, f"{path}{shown_name(shape.name_of(key))}", depth=0)
        for key, inner in shape.inner.items():
            below = value.get(key)
            if isinstance(below, dict):
                self.at_object(below, inner, report, f"{path}{key}.")
            elif isinstance(below, list):
                for item in below[:MAX_ITEMS]:
                    if isinstance(item, dict):
                        self.at_object(item, inner, report, f"{path}{key}[].")

    def _add(self, value: Any, report: str, path: str, *, depth: int) -> None:
        """Add a field; of an object, or a list of objects, the fields in it."""
        self._left -= 1
        if self._left < 0:
            self._more += 1
            return
        if depth < _DEEPEST and isinstance(value, dict) and value:
            for key in value:
                self._add(value[key], report, f"{path}.{shown_name(_EMPTY.name_of(key))}", depth=depth + 1)
            return
        if depth < _DEEPEST and isinstance(value, list) and value and isinstance(value[0], dict):
            for item in value[:MAX_ITEMS]:
                self._add(item, report, f"{path}[]", depth=depth + 1)
            return
        self._count(value, report, path if len(path) <= MAX_PATH else f"{path[: MAX_PATH - 1]}…")

    def _count(self, value: Any, report: str, path: str) -> None:
        known = self._found.get((report, path))
        if known is not None:
            self._found[report, path] = msgspec.structs.replace(known, times=known.times + 1)
        elif len(self._found) >= MOST_NAMES:
            self._more += 1
        else:
            self._found[report, path] = UnreadField(
                report=report,
                path=path,
                times=1,
                form=form_of(value),
                example=example_of(value, with_text=self._with_text),
            )


_NOTHING: Final = Unread()
