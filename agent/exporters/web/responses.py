"""Responses of the HTTP server: JSON, text, and errors in the form the client reads."""

from collections.abc import Mapping

import msgspec
from aiohttp import web


class ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The reason for a refusal or failure."""

    error: str


def json_response(
    answer: msgspec.Struct | Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return `answer` encoded as JSON."""
    body = msgspec.json.encode(answer)
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def text_response(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return one line of plain text."""
    return web.Response(text=text + "\n", status=status, headers=headers)


def json_error(status: int, reason: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return an error of the JSON API."""
    return json_response(ErrorAnswer(error=reason), status, headers)


def error_response(
    request: web.Request, status: int, reason: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return an error as JSON under /api/, and as one line of text elsewhere."""
    if request.path.startswith("/api/"):
        return json_error(status, reason, headers)
    return text_response(reason, status, headers)
