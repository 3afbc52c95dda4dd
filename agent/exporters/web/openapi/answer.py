"""``/api/v1/openapi.json``: made once, because it never changes while the agent runs."""

from functools import cache

import msgspec
from aiohttp import web

from agent.exporters.web.openapi.document import describe
from agent.exporters.web.openapi.operations import OPERATIONS
from agent.exporters.web.source import SOURCE

OPENAPI = "/api/v1/openapi.json"


async def answer_openapi(request: web.Request) -> web.Response:
    """Answer with the document."""
    return web.Response(body=_body(request.app[SOURCE].version), content_type="application/json")


@cache
def _body(version: str) -> bytes:
    return msgspec.json.encode(describe(OPERATIONS, version=version))
