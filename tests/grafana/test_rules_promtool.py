"""Promtool accepts every rule, and every unit test of rules passes.

Promtool evaluates every rule at every step, and most are sums that no alert reads, at levels that record the same. So
unit tests of alerts and of months run without those that they do not read; the other tests run with all rules.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from grafana import rules_lint

RULES = Path(rules_lint.__file__).parent / "rules"
TESTS = sorted((RULES / "tests").glob("*.yml"))
WITH_FEW = ("alerts_", "periods.")
WORDS = re.compile(r"[A-Za-z_:][\w:]*")

Said = tuple[int, str]


def promtool(*arguments: str | Path) -> Said:
    """Run promtool; return its exit status and output."""
    command = ["promtool", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    return done.returncode, done.stdout + done.stderr


def words_of(text: str) -> set[str]:
    """Return all words of a text that could be names of metrics."""
    return set(WORDS.findall(text))


def read_of(name: str, *texts: str) -> dict[str, Any]:
    """Return a file of recording rules without those that neither the texts name nor a rule they name rests on."""
    found = rules_lint.read_yaml(RULES / name, name)
    exprs = {rule["record"]: rule["expr"] for group in found["groups"] for rule in group["rules"]}
    names, new = set[str](), words_of(" ".join(texts)) & exprs.keys()
    while new:
        names |= new
        new = (words_of(" ".join(exprs[name] for name in new)) & exprs.keys()) - names
    groups = [
        group | {"rules": [rule for rule in group["rules"] if rule["record"] in names]} for group in found["groups"]
    ]
    return {"groups": [group for group in groups if group["rules"]]}


@pytest.fixture(scope="module")
def unit_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Said]]]:
    """Start all files of unit tests, two at a time."""
    few = shutil.copytree(RULES, tmp_path_factory.mktemp("few") / "rules")
    texts = {path.name: path.read_text(encoding="utf-8") for path in (RULES / "alerts.yml", *TESTS)}
    for_alerts = [text for name, text in texts.items() if name.startswith("alerts")]
    for name, rules in (
        ("site.yml", read_of("site.yml", *for_alerts)),
        ("periods.yml", read_of("periods.yml", texts["periods.test.yml"])),
    ):
        (few / name).write_text(json.dumps(rules), encoding="utf-8")
    paths = [few / "tests" / path.name if path.name.startswith(WITH_FEW) else path for path in TESTS]
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {path.name: pool.submit(promtool, "test", "rules", path) for path in paths}


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
