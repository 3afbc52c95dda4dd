"""Shared test setup: hypothesis profiles, golden files, event loops, and tests that need a system program.

Hypothesis draws the same examples on every run (`derandomize`), so a failure repeats. Search for new examples with
``pytest --hypothesis-profile=explore``.
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog
import uvloop

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, database=None, print_blob=True)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=2000, print_blob=True)
hypothesis.settings.load_profile("ci")

# Tests start many agents and farms. Where the environment forbids to keep bytecode, each start would
# compile the whole project again, and so would each worker all tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Prometheus and promtool live for seconds here, a fifth of which they spent on collecting garbage.
os.environ.setdefault("GOGC", "800")

GOLDEN = Path(__file__).parent / "golden"
LOOPS: Mapping[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}

WITH_PROGRAMS = {"abuse", "bench", "deploy", "grafana", "journeys"}
"""Rooms whose tests start whole agents and farms."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--update-golden`, `--screenshots`, and the options of tests/hardware against real units."""
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden with the current output")
    parser.addoption("--screenshots", default="", metavar="DIR", help="keep pictures of the pages of tests/browser")
    hardware = parser.getgroup("hardware", "tests/hardware against real units, which only get requests that read")
    hardware.addoption("--units", default="", metavar="IP,...", help="private addresses, with :port if not 4028")
    hardware.addoption("--polls", type=int, default=60, metavar="N", help="polls of each unit (60)")
    hardware.addoption("--every", type=float, default=10.0, metavar="S", help="time between two polls, s (10)")
    hardware.addoption("--report", default="", metavar="FILE", help="write FILE.txt and FILE.json, to be attached")


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run tests on asyncio's own loop, and on all loops those whose mark names `loop_factories`."""
    chosen = item.get_closest_marker("asyncio")
    return LOOPS if chosen is not None and "loop_factories" in chosen.kwargs else {"asyncio": LOOPS["asyncio"]}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files that start programs come first: a worker that begins one of them last keeps the others waiting."""
    here = Path(__file__).parent
    first = {item.path for item in items if item.get_closest_marker("program") is not None}
    items.sort(key=lambda item: item.path not in first and item.path.relative_to(here).parts[0] not in WITH_PROGRAMS)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose program is not installed, with the reason; fail it where CI=true."""
    for mark in item.iter_markers("program"):
        for name in mark.args:
            if shutil.which(name) is not None:
                continue
            if os.environ.get("CI") == "true":
                pytest.fail(f"{name} is not installed", pytrace=False)
            pytest.skip(f"{name} is not installed; this test needs the real one")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, Any], None]:
    """Return a function that compares a JSON-able value with ``tests/golden/NAME.json``."""

    def compare(name: str, value: Any) -> None:
        path = GOLDEN / f"{name}.json"
        if isinstance(value, dict) and value.get("system_info", name) is None:
            # As in a capture's golden reading: few units tell it, and the others have no key for it.
            value = {key: each for key, each in value.items() if key != "system_info"}
        text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path.name} is missing; write it with pytest --update-golden, and review it"
        assert path.read_text(encoding="utf-8") == text

    return compare


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder in memory, so that a broker that saves each message does not wait for the disk."""
    memory = Path("/dev/shm")  # noqa: S108  it has no other name
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """Reset structlog after each test: the stream that the test logged to may be closed."""
    yield
    structlog.reset_defaults()
