"""Sizes of the pages of 20,000 units, as they go over the wire. The times are for tests/bench/bench_pages.py."""

import gzip
from importlib.resources import files

import aiohttp
import pytest
from agent_pages import pages_of
from browsing import Serve

SCRIPT_BYTES = 15_000
"""Most bytes of a script of ours, as it is written."""


@pytest.mark.asyncio(loop_scope="session")
async def test_pages_of_20_000_units_are_small(condition: Serve) -> None:
    """Any page is under 60 kB compressed, the map under 150 kB."""
    served = await condition("many")
    async with aiohttp.ClientSession(served.address, auto_decompress=False) as client:
        for page in pages_of(served.source.units()):
            async with client.get(page.path, headers={"Accept-Encoding": "gzip"}) as answer:
                body = await answer.read()
                assert answer.status == 200
                packed = body if answer.headers.get("Content-Encoding") == "gzip" else gzip.compress(body)
            assert len(packed) < page.most_bytes, f"{page.name}: {len(packed):,} bytes compressed"


def test_scripts_are_short() -> None:
    """A page's scripts have at most 15 kB together, uncompressed."""
    scripts = [each for each in files("agent.exporters.web").joinpath("assets").iterdir() if each.name.endswith(".js")]
    assert scripts
    assert sum(len(each.read_bytes()) for each in scripts) <= SCRIPT_BYTES
