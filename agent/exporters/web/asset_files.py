"""The files that pages load: styles, script and icon, each at an address that changes with its content."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from aiohttp import web

ASSETS: Mapping[str, str] = {
    "page.css": "text/css",
    "walk.css": "text/css",
    "page.js": "text/javascript",
    "repairs.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
"""Name and content type of every file."""


@cache
def asset(name: str) -> bytes:
    """Return the content of a file of `ASSETS`."""
    return files("agent.exporters.web").joinpath("assets", name).read_bytes()


@cache
def asset_address(name: str) -> str:
    """Return the address of a file, relative to the site's pages; it changes with the content, so caches never mix."""
    return f"assets/{name}?v={hashlib.sha256(asset(name)).hexdigest()[:12]}"


async def answer_asset(request: web.Request) -> web.Response:
    """Answer with a file of `ASSETS`, or 404."""
    name = request.match_info["name"]
    if name not in ASSETS:
        raise web.HTTPNotFound
    return web.Response(body=asset(name), content_type=ASSETS[name], headers={"Cache-Control": "max-age=3600"})
