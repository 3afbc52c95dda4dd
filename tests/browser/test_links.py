"""Every link on the pages leads somewhere."""

from collections import Counter
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urldefrag, urljoin, urlsplit

import aiohttp
import pytest
from agent_pages import pages_of
from browsing import Serve

pytestmark = pytest.mark.asyncio(loop_scope="session")

HEALTH = ("/healthz", "/readyz", "/-/healthy", "/-/ready")
"""Addresses that answer 503 while the agent is not well."""
MOST_ADDRESSES = 400
MOST_OF_A_SHAPE = 6
"""Of addresses that differ in a unit's id or a parameter's value, so many are followed."""


class Linked(HTMLParser):
    """Addresses that a page refers to, and its own anchors."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.outward: list[dict[str, str]] = []
        self.anchors: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what an element refers to."""
        given = {name: value or "" for name, value in attrs}
        self.anchors.add(given.get("id", ""))
        address = given.get("href") or given.get("xlink:href") or given.get("src") or given.get("action")
        if address is None:
            return
        if tag == "a" and "//" in address.partition("?")[0]:
            self.outward.append(given)
        else:
            self.links.append(address)


def shape(address: str) -> tuple[str, ...]:
    """Return what kind of address it is: its first folder, its depth, and the names of its parameters."""
    parts = urlsplit(address)
    folders = parts.path.split("/")
    return (folders[1], str(len(folders)), *sorted(name for name, _ in parse_qsl(parts.query, keep_blank_values=True)))


@pytest.mark.parametrize("name", ["healthy", "curtailed", "starting", "empty", "hostile"])
async def test_every_link_answers(condition: Serve, name: str) -> None:
    """Crawled from every page, each link, asset and form answers 200; links to units' own pages give nothing away."""
    served = await condition(name)
    left = [urljoin(served.address, page.path) for page in pages_of(served.source.units())]
    seen, shapes = set(left), Counter(map(shape, left))
    async with aiohttp.ClientSession() as client:
        while left and len(seen) < MOST_ADDRESSES:
            address = left.pop()
            async with client.get(address) as answer:
                text = await answer.text()
                assert answer.status in ({200, 503} if address.endswith(HEALTH) else {200}), address
                if answer.content_type != "text/html":
                    continue
            linked = Linked(text)
            for given in linked.outward:
                assert {"noopener", "noreferrer"} <= set(given.get("rel", "").split()), given
            for link in linked.links:
                assert not link.startswith("/"), f"{link} of {address} leads away from under a proxy's prefix"
                target, anchor = urldefrag(urljoin(address, link))
                if target == address:
                    assert anchor in linked.anchors, f"{link} of {address}"
                if target not in seen and shapes[shape(target)] < MOST_OF_A_SHAPE:
                    shapes[shape(target)] += 1
                    seen.add(target)
                    left.append(target)
    assert {shape(urljoin(served.address, page.path)) for page in pages_of(served.source.units())} <= set(shapes)
