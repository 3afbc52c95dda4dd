"""One browser a worker, and the conditions' web servers, each started when the first test asks for it."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from browsing import Serve, Served, Shoot, View, Visit, chromium
from page_conditions import CONDITIONS
from playwright.async_api import Browser, async_playwright

from agent.exporters.web import server as web


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Yield the worker's browser."""
    async with async_playwright() as driver, chromium(driver) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def condition(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serve]:
    """Yield a function that serves a condition by its name, once a worker."""
    served: dict[str, Served] = {}
    async with AsyncExitStack() as servers:

        async def serve(name: str) -> Served:
            if name not in served:
                source = CONDITIONS[name](tmp_path_factory.mktemp(name))
                host, port = await servers.enter_async_context(web.serve(source, "127.0.0.1", 0))
                served[name] = Served(f"http://{host}:{port}/", source)
            return served[name]

        yield serve


@pytest.fixture
def shoot(request: pytest.FixtureRequest) -> Shoot:
    """Return a function that keeps pictures of a page in some views, if ``--screenshots`` names a folder."""
    folder = request.config.getoption("--screenshots")

    async def take(visit: Visit, name: str, views: Iterable[View]) -> None:
        for size, theme in views if folder else ():
            await visit.look(size, theme)
            await visit.page.screenshot(path=Path(folder) / f"{name}-{size[0]}-{theme}.png", full_page=True)

    return take
