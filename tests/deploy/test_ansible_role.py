"""The Ansible role: its checker finds nothing, and it installs the package in a bare Debian 12 without network."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from bare_debian import BareDebian, bare_debian
from paths import DEPLOY, ROOT

ANSIBLE = ROOT / ".venv/ansible/bin"
ROLE = DEPLOY / "ansible"
LEDGER = (
    "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"
    "u1,S21,200,10.20.1.11,C1,R1,1,2025-01-01,,deployed\n"
)
PLAY_S = 600

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (ANSIBLE / "ansible-playbook").exists(), reason="Ansible is not installed; `make test-slow` installs it"
    ),
]


def test_the_checker_finds_nothing(tmp_path: Path) -> None:
    """Its strictest profile accepts role, playbook and handlers."""
    shutil.copytree(ROLE, tmp_path / "ansible")
    command = [str(ANSIBLE / "ansible-lint"), "--offline", "--profile", "production", "--strict", "site.yml", "roles"]
    ran = subprocess.run(
        command,
        check=False,
        cwd=tmp_path / "ansible",
        capture_output=True,
        text=True,
        timeout=PLAY_S,
        env=_environment(tmp_path),
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _environment(home: Path) -> dict[str, str]:
    path = f"{ANSIBLE}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "ANSIBLE_NOCOLOR": "1", "NO_COLOR": "1"}


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareDebian]:
    """Yield a bare Debian that has Python, as Ansible needs of each machine."""
    with bare_debian(tmp_path_factory.mktemp("bare")) as made:
        made.run("apt-get", "install", "-y", "--no-install-recommends", "python3", "python3-apt")
        yield made


@pytest.mark.program("mmdebstrap", "dpkg-deb", "nsenter")
def test_a_second_run_changes_nothing(debian: BareDebian, package: Path, tmp_path: Path) -> None:
    """The role installs, writes files that the agent accepts, and is then idempotent; a bad ledger fails the play."""
    ledger = tmp_path / "ledger.csv"
    ledger.write_text(LEDGER, encoding="utf-8")
    (tmp_path / "inventory.yml").write_text(
        "gateways:\n  hosts:\n    gateway:\n"
        f"      ansible_ssh_executable: {_way_in(debian, tmp_path)}\n      ansible_ssh_transfer_method: piped\n"
        "      ansible_become: false\n      ansible_python_interpreter: /usr/bin/python3\n"
        f"      hashsight_package: {package}\n      hashsight_ledger: {ledger}\n"
        "      hashsight_site_name: north-1\n      hashsight_networks: [10.20.0.0/16]\n"
        '      hashsight_more: "[poll]\\ninterval_s = 20"\n',
        encoding="utf-8",
    )
    first = _play(tmp_path)
    assert first["failed"] == 0
    assert first["changed"] >= 4
    second = _play(tmp_path)
    assert (second["changed"], second["failed"], second["unreachable"]) == (0, 0, 0)
    text = debian.path("/etc/hashsight/site.toml").read_text(encoding="utf-8")
    assert 'name = "north-1"' in text
    assert "interval_s = 20" in text
    assert "north-1: 1 units deployed" in debian.run("hashsight", "check", "-c", "/etc/hashsight/site.toml").said
    ledger.write_text(LEDGER.replace("10.20.1.11", "8.8.8.8"), encoding="utf-8")
    assert _play(tmp_path)["failed"] == 1


def _way_in(debian: BareDebian, folder: Path) -> Path:
    """Write a stand-in for ssh, whose last word is the command, and which runs it in the Debian."""
    script = folder / "ssh"
    inside = shlex.join(debian.command("/bin/sh", "-c"))
    script.write_text(f'#!/bin/sh\nfor last; do :; done\nexec {inside} "$last"\n', encoding="utf-8")
    script.chmod(0o755)
    return script


def _play(folder: Path) -> dict[str, int]:
    """Run the playbook; return the numbers of its recap."""
    command = [str(ANSIBLE / "ansible-playbook"), "-i", str(folder / "inventory.yml"), str(ROLE / "site.yml")]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PLAY_S, env=_environment(folder))
    recap = re.findall(r"(\w+)=(\d+)", ran.stdout.partition("PLAY RECAP")[2])
    assert recap, ran.stdout + ran.stderr
    numbers = {name: int(number) for name, number in recap}
    assert ran.returncode == (2 if numbers["failed"] else 0), ran.stdout + ran.stderr
    return numbers
