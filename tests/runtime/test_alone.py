"""Two processes of one machine that poll one site notice each other."""

import subprocess
import sys
from pathlib import Path

import structlog
from patience import PATIENT_S
from site_cases import AT

from agent.app import Agent
from agent.runtime.alone import claimed, other_process
from agent.runtime.setup import load_setup

HOLD = """\
import sys
from agent.runtime.alone import claimed
with claimed(sys.argv[1]) as other:
    print(other, flush=True)
    sys.stdin.read()
"""
LEDGER = (
    "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"
    "u1,S21,200,127.77.0.1,C1,R1,1,2025-01-01,,deployed\n"
)
NAME = f"alone-{AT}-test"


def test_a_second_process_learns_who_was_first() -> None:
    """The second is told the process id of the first; once that ended, a third has the claim."""
    command = (sys.executable, "-c", HOLD, NAME)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "None\n"
        with claimed(NAME) as other:
            assert other == first.pid
        with claimed(f"{NAME} (shard 1 of 2)") as other:
            assert other is None
        first.communicate(timeout=PATIENT_S)
    assert other_process(NAME) is None
    with claimed(NAME) as other:
        assert other is None


def test_a_name_of_any_length_is_a_claim() -> None:
    """A site's name is longer than the address of a socket may be: the claim is of its beginning."""
    with claimed("x" * 300), claimed("x" * 300) as other:
        assert other is not None


async def test_an_agent_warns_where_another_polls_its_site(tmp_path: Path) -> None:
    """The line names site and process; a standby, which polls on purpose, has a claim of its own."""
    (tmp_path / "site.toml").write_text(
        f'[site]\nname = "{NAME[:60]}"\n[ledger]\nfile = "ledger.csv"\n', encoding="utf-8"
    )
    (tmp_path / "ledger.csv").write_text(LEDGER, encoding="utf-8")
    setup = load_setup(tmp_path / "site.toml")
    with structlog.testing.capture_logs() as lines:
        async with Agent(setup).polling(), Agent(setup).polling():
            pass
    warnings = [line for line in lines if line["event"] == "another agent polls this site"]
    assert [(line["log_level"], line["site"]) for line in warnings] == [("warning", NAME[:60])]
    assert isinstance(warnings[0]["pid"], int)
