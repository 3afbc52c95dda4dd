"""Promtool accepts every rule, and every unit test of rules passes."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from grafana import rules_lint

RULES = Path(rules_lint.__file__).parent / "rules"
TESTS = sorted((RULES / "tests").glob("*.yml"))

Said = tuple[int, str]


def promtool(*arguments: str | Path) -> Said:
    """Run promtool; return its exit status and output."""
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def unit_tests() -> Iterator[dict[str, Future[Said]]]:
    """Start all files of unit tests, two at a time."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {path.name: pool.submit(promtool, "test", "rules", path) for path in TESTS}


@pytest.mark.program("promtool")
def test_promtool_has_no_complaint() -> None:
    """Promtool's own lint finds nothing in our rules."""
    status, said = promtool("check", "rules", "--lint=all", "--lint-fatal", *sorted(RULES.glob("*.yml")))
    assert status == 0, said
    assert said.count("SUCCESS") == len(list(RULES.glob("*.yml")))


@pytest.mark.program("promtool")
@pytest.mark.parametrize("name", [path.name for path in TESTS])
def test_unit_tests_hold(name: str, unit_tests: dict[str, Future[Said]]) -> None:
    """Each file of promtool's unit tests passes."""
    status, said = unit_tests[name].result()
    assert status == 0, said
    assert "SUCCESS" in said
