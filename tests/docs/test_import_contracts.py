"""The import contracts of pyproject.toml can fail: a copy of the code that breaks each of them is refused."""

import os
import shutil
import subprocess
import sys
from typing import NamedTuple

import pytest
from paths import ROOT


class Violation(NamedTuple):
    """An import that a contract forbids: the file that makes it, the module it imports."""

    contract: str
    file: str
    imported: str


FIRMWARE = "only the registry of readers names a firmware"
EXPORTERS = "exporters do not know each other"
PURE = "pure rooms: no clock, no randomness, no socket, no event loop, no log"
MQTT = "aiomqtt and protobuf each in one file of agent.exporters.mqtt, paho nowhere"
VIOLATIONS = [
    Violation(FIRMWARE, "agent/site/poller.py", "agent.unit.antminer.stats"),
    Violation(FIRMWARE, "agent/commands/read.py", "agent.unit.antminer"),
    Violation(EXPORTERS, "agent/exporters/web/pages/site_page.py", "agent.exporters.mqtt.topics"),
    Violation(EXPORTERS, "agent/exporters/broker_numbers.py", "agent.exporters.prometheus.family"),
    Violation(MQTT, "agent/exporters/mqtt/broker.py", "aiomqtt"),
    Violation(MQTT, "agent/exporters/mqtt/connection.py", "paho"),
    Violation(PURE, "agent/site/losses.py", "time"),
    Violation(PURE, "agent/text/losses.py", "logging"),
    Violation(PURE, "agent/statement/period.py", "secrets"),
    Violation(PURE, "agent/unit/digest.py", "uuid"),
    Violation(PURE, "agent/history/minutes.py", "urllib"),
]

# Files that no contract lists: each must be given its place before it can import anything.
UNLISTED = {
    "agent/newcomer.py": "rooms of the agent, top to bottom",
    "agent/exporters/newcomer/__init__.py": EXPORTERS,
    "agent/hil/newcomer.py": "rooms of hil, top to bottom",
    "agent/site/newcomer.py": "rooms of the agent's site, top to bottom",
    "agent/unit/newcomer.py": "rooms of one unit, top to bottom",
    "simulators/newcomer.py": "rooms of the simulators, top to bottom",
}


@pytest.fixture(scope="module")
def refusal(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what the linter prints about a copy of the code with every violation in it."""
    copy = tmp_path_factory.mktemp("contracts")
    for package in ("agent", "simulators"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    for unlisted in UNLISTED:
        (copy / unlisted).parent.mkdir(exist_ok=True)
        (copy / unlisted).touch()
    for violation in VIOLATIONS:
        with (copy / violation.file).open("a", encoding="utf-8") as code:
            code.write(f"\nimport {violation.imported}\n")
    linter = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    ended = subprocess.run(
        (sys.executable, "-c", linter, "--no-cache"),
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.parametrize("violation", VIOLATIONS, ids=lambda violation: f"{violation.file} {violation.imported}")
def test_a_violation_is_refused(violation: Violation, refusal: str) -> None:
    """The contract is broken, and the linter names the import."""
    assert f"{violation.contract} BROKEN" in refusal
    assert f"{module(violation.file)} -> {violation.imported}" in refusal


@pytest.mark.parametrize("file", UNLISTED)
def test_a_new_room_needs_a_place(file: str, refusal: str) -> None:
    """A file or folder beside the listed rooms breaks the contract that lists them."""
    assert f"{UNLISTED[file]} BROKEN" in refusal
    assert f"- {module(file)} " in f"{refusal} ".replace("\n", " ")


def module(file: str) -> str:
    """Return the name under which a file is imported."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
