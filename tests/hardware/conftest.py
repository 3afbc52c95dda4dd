"""Real units: their addresses from the command line, one recording of each, and the report at the end."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hardware_report import Report, as_json, as_text
from hardware_units import read_units

from agent.address import Endpoint
from agent.hil.capture.form import Capture
from agent.hil.verify.checks.catalogue import verdicts_of
from agent.hil.verify.looking import Series, look_at
from agent.hil.verify.observed import Observed
from agent.hil.verify.verdict import Verdict

LIVE = "test_live.py"
UNITS = pytest.StashKey[tuple[Endpoint, ...]]()
REPORTS = pytest.StashKey[dict[Endpoint, Report]]()


def pytest_configure(config: pytest.Config) -> None:
    """Read the addresses, and refuse them all if one may not be asked."""
    try:
        config.stash[UNITS] = read_units(config.getoption("--units"))
    except ValueError as error:
        raise pytest.UsageError(f"--units: {error}") from error
    config.stash[REPORTS] = {}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the tests of real units where none is named."""
    return True if collection_path.name == LIVE and not config.getoption("--units") else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test for each unit of the command line."""
    if "endpoint" in metafunc.fixturenames:
        metafunc.parametrize("endpoint", metafunc.config.stash[UNITS], ids=str)


@pytest.fixture(scope="session")
def recorded(request: pytest.FixtureRequest) -> dict[Endpoint, dict[str, Verdict]]:
    """Return the verdicts on each unit; all units are looked at and polled side by side, each by one client."""
    config = request.config
    endpoints = config.stash[UNITS]
    series = Series(polls=config.getoption("--polls"), every_s=config.getoption("--every"))

    async def look_at_all() -> list[Capture]:
        recorded_at = datetime.now(UTC).isoformat(timespec="seconds")
        looks = (look_at(endpoint, series, clock=time.monotonic, recorded_at=recorded_at) for endpoint in endpoints)
        return list(await asyncio.gather(*looks))

    captures = asyncio.run(look_at_all())
    found: dict[Endpoint, dict[str, Verdict]] = {}
    for endpoint, capture in zip(endpoints, captures, strict=True):
        verdicts = verdicts_of(capture)
        config.stash[REPORTS][endpoint] = Report.of(str(endpoint), Observed(capture), verdicts)
        found[endpoint] = {verdict.check: verdict for verdict in verdicts}
    return found


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report, if one was asked for and units were looked at."""
    config = session.config
    file, reports = config.getoption("--report"), list(config.stash[REPORTS].values())
    if file and reports:
        Path(f"{file}.txt").write_text(as_text(reports), encoding="utf-8")
        Path(f"{file}.json").write_bytes(as_json(reports))
