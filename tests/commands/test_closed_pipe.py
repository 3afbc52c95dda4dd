"""A reader that leaves, such as `head`, ends a printing command without a word."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENT_S

CONFIG = '[site]\nname = "alpha"\n[ledger]\nfile = "ledger.csv"\n[poll]\ndeadline_s = 2\nconnect_timeout_s = 1\n'
LEDGER = (
    "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"
    "u1,S21,200,127.77.0.1,C1,R1,1,2025-01-01,,deployed\n"
)
COMMANDS = (
    "ledger -h",
    "metrics",
    "check",
    "check --json",
    "once --all",
    "ledger show",
    "ledger show --format json",
    "ledger set u1 --slot 2 --dry-run",
    "doctor",
    "top --once --direct",
)
UNBUFFERED = ("--version", "metrics --json", "check --show")
"""These write past the buffer, as the interpreter does where it has none."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of one unit that refuses connections."""
    made = tmp_path_factory.mktemp("pipe")
    (made / "site.toml").write_text(CONFIG, encoding="utf-8")
    (made / "ledger.csv").write_text(LEDGER, encoding="utf-8")
    return made


@pytest.mark.parametrize("command", [*COMMANDS, *UNBUFFERED])
def test_a_reader_that_left_is_no_error(folder: Path, command: str) -> None:
    """Nothing but notes is on standard error, no traceback, and exit status 0 or 1."""
    reader, writer = os.pipe()
    os.close(reader)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    try:
        ended = subprocess.run(
            (sys.executable, "-m", "agent", *command.split()),
            cwd=folder,
            env=environment
            | {"HASHSIGHT_CONFIG": "site.toml", "PYTHONPATH": str(Path(__file__).parents[2])}
            | ({"PYTHONUNBUFFERED": "1"} if command in UNBUFFERED else {}),
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENT_S,
            check=False,
        )
    finally:
        os.close(writer)
    said = [line for line in ended.stderr.splitlines() if not line.startswith(("configuration: ", "note: "))]
    assert [line for line in said if line not in {"", "no unit could be read"}] == []
    assert ended.returncode in {0, 1}
