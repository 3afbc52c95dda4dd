"""`hashsight rules`: what it writes, that Prometheus and Alertmanager load it, and the links that it refuses."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
import yaml
from patience import PATIENT_S
from typer.testing import CliRunner

from agent.commands.alert_links import GRAFANA, RUNBOOKS, production_refusal
from agent.commands.command_line import app

MINE = ("--grafana", "https://grafana.mine.net/", "--runbooks", "https://git.mine.net/ops/runbooks")


def run(*words: str | Path) -> tuple[int, str]:
    """Run `hashsight rules`; return its exit status and all output."""
    done = CliRunner().invoke(app, ["rules", *map(str, words)])
    return done.exit_code, done.output


@pytest.mark.program("promtool", "amtool")
def test_prometheus_and_alertmanager_load_what_is_written(tmp_path: Path) -> None:
    """Every link is the operator's, both programs accept the files, and other users may read them."""
    folder, before = tmp_path / "prometheus", os.umask(0o077)
    try:
        status, said = run(*MINE, "-o", folder)
    finally:
        os.umask(before)
    assert status == 0, said
    names = [str(Path(line).relative_to(folder)) for line in said.splitlines()]
    assert {"alerts.yml", "site.yml", "alertmanager/alertmanager.yml", "runbooks/MiningSiteDark.md"} <= set(names)
    for name in names:
        text = (folder / name).read_text(encoding="utf-8")
        assert GRAFANA not in text, name
        assert RUNBOOKS not in text, name
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o644
        assert stat.S_IMODE((folder / name).parent.stat().st_mode) == 0o755
    alerts = [
        rule
        for group in yaml.safe_load((folder / "alerts.yml").read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]
    for alert in alerts:
        links = alert["annotations"]
        assert links["runbook_url"] == f"https://git.mine.net/ops/runbooks/{alert['alert']}.md"
        assert links["dashboard_url"].startswith("https://grafana.mine.net/d/hashsight-")
    for command in (
        ("promtool", "check", "rules", *sorted(folder.glob("*.yml"))),
        ("amtool", "check-config", folder / "alertmanager/alertmanager.yml"),
    ):
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=PATIENT_S)
        assert done.returncode == 0, done.stdout + done.stderr


def test_another_run_replaces_its_files_and_nothing_else(tmp_path: Path) -> None:
    """A second run with other links leaves an operator's own file alone."""
    assert run(*MINE, "-o", tmp_path)[0] == 0
    (tmp_path / "mine.yml").write_text("groups: []\n", encoding="utf-8")
    assert run("--grafana", "https://g.other.net", *MINE[2:], "-o", tmp_path)[0] == 0
    text = (tmp_path / "alerts.yml").read_text(encoding="utf-8")
    assert "https://g.other.net/d/" in text
    assert "grafana.mine.net" not in text
    assert (tmp_path / "mine.yml").read_text(encoding="utf-8") == "groups: []\n"
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("file:///usr/share/doc/hashsight/runbooks", "a phone cannot open a file of this machine"),
        ("http://grafana.mine.net", "https is expected"),
        ("grafana.mine.net", "https is expected"),
        ("", "an address such as https://grafana.mine.net is expected"),
        ("https://127.0.0.1:3000", "loopback"),
        ("https://127.9.9.9", "loopback"),
        ("https://localhost", "loopback"),
        ("https://ip6-localhost", "loopback"),
        ("https://grafana.localhost.", "loopback"),
        ("https://[::1]:3000", "loopback"),
        ("https://[::ffff:127.0.0.1]", "loopback"),
        ("https://0.0.0.0:3000", "loopback"),
        ("https://127.1", "four numbers"),
        ("https://0x7f000001", "four numbers"),
        ("https://grafana.example", "a placeholder"),
        ("https://", "a host name or an IP address is expected"),
        ("https://[::1", "a host name or an IP address is expected"),
        ("https://grafana.mine.net:99999", "a port from 1 to 65535"),
        ("https://grafana.mine.net:0", "a port from 1 to 65535"),
        ("https://user:secret@grafana.mine.net", "every receiver of an alert would see it"),
        ("https://grafana.mine.net/{{ .Value }}", "without spaces, quotes"),
        ("https://grafana.mine.net/'\n", "without spaces, quotes"),
        ("https://grafana.mine.net/?orgId=1", "without spaces, quotes"),
        ("https://grafana.mine.net/#top", "without spaces, quotes"),
    ],
)
def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path, link: str, reason: str) -> None:
    """The option, its value and the reason are named, with exit status 2, and nothing is written."""
    for option, words in (
        ("--grafana", ("--grafana", link, *MINE[2:])),
        ("--runbooks", (*MINE[:2], "--runbooks", link)),
    ):
        status, said = run(*words, "-o", tmp_path / "out")
        assert status == 2
        assert f"rules: {option}" in said
        assert reason in " ".join(said.split())
        assert not (tmp_path / "out").exists()


def test_a_trial_on_this_machine_says_so(tmp_path: Path) -> None:
    """`--local` accepts http, file and loopback, and still no text that could break a rule file."""
    local = ("--grafana", "http://127.0.0.1:3000", "--runbooks", tmp_path.as_uri(), "--local")
    status, said = run(*local, "-o", tmp_path / "out")
    assert status == 0, said
    text = (tmp_path / "out/alerts.yml").read_text(encoding="utf-8")
    assert f"runbook_url: {tmp_path.as_uri()}/MiningSiteDark.md" in text
    for link in ("ftp://mine.net", "file://host/path", "http://mine.net/{{"):
        assert run("--grafana", link, *local[2:], "-o", tmp_path / "none")[0] == 2


def test_the_names_of_the_files_are_json_too(tmp_path: Path) -> None:
    """`--json` prints the paths written as one array."""
    status, said = run(*MINE, "-o", tmp_path / "out", "--json")
    assert status == 0
    assert {Path(each) for each in json.loads(said)} == {
        each for each in (tmp_path / "out").rglob("*") if each.is_file()
    }


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file in the place of the folder: one line, exit status 1."""
    (tmp_path / "taken").write_text("", encoding="utf-8")
    status, said = run(*MINE, "-o", tmp_path / "taken")
    assert status == 1
    assert str(tmp_path / "taken") in said


def test_the_placeholders_pass_the_lint_of_what_is_shipped() -> None:
    """The lint refuses what a phone cannot open, not the placeholders that `hashsight rules` replaces."""
    assert production_refusal(GRAFANA) is None
    assert production_refusal(RUNBOOKS) is None


def test_a_file_that_cannot_be_written_is_named_as_itself(tmp_path: Path) -> None:
    """A folder in the place of a file: the message has its name, and not that of a temporary file."""
    (tmp_path / "fleet.yml").mkdir()
    status, said = run(*MINE, "-o", tmp_path)
    assert status == 1
    assert str(tmp_path / "fleet.yml") in said
    assert ".fleet.yml" not in said
