"""The Debian package in a bare Debian 12 without network: installed, run, upgraded, removed and purged."""

import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from bare_debian import BareDebian, bare_debian
from paths import DEPLOY
from patience import PATIENT_S

from agent import __version__

pytestmark = [pytest.mark.slow, pytest.mark.program("dpkg-deb", "mmdebstrap", "nsenter")]
NEWER = "9.9"
CONFIG = "/etc/hashsight/site.toml"
LEDGER = "/etc/hashsight/ledger.csv"
PYTHON = "/usr/lib/hashsight/bin/python"
READ = "from urllib.request import urlopen; print(urlopen('http://127.0.0.1:9184/{}').read().decode())"


@pytest.fixture(scope="module")
def newer(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same package with a higher version and another default configuration."""
    folder = tmp_path_factory.mktemp("newer")
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True, timeout=PATIENT_S)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace(f"Version: {__version__}", f"Version: {NEWER}"))
    with (tree / "etc/hashsight/site.toml").open("a", encoding="utf-8") as config:
        config.write("# Of a newer package.\n")
    made = folder / f"hashsight_{NEWER}_amd64.deb"
    command = ["dpkg-deb", "--root-owner-group", "-Zxz", "-z0", "--build", tree, made]
    subprocess.run(command, check=True, timeout=PATIENT_S, capture_output=True)
    shutil.rmtree(tree)
    return made


@pytest.mark.program("lintian")
def test_debians_checker_finds_nothing(package: Path) -> None:
    """Lintian has no error and no warning but those that are overridden, each with its reason."""
    command = ["lintian", "--fail-on", "error,warning", str(package)]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=900)
    assert ran.returncode == 0, ran.stdout


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareDebian]:
    """Yield a bare Debian with neither systemd nor Python."""
    with bare_debian(tmp_path_factory.mktemp("bare")) as made:
        assert not made.path("/usr/bin/python3").exists()
        yield made


def put(debian: BareDebian, package: Path) -> str:
    """Install a package with apt, as a person would; return what apt said."""
    shutil.copy(package, debian.path(f"/root/{package.name}"))
    keep = ("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")
    return debian.run("apt-get", "install", "-y", *keep, f"/root/{package.name}").said


def edit(debian: BareDebian, changes: dict[str, str]) -> None:
    """Replace texts of the configuration; each is in one line."""
    path = debian.path(CONFIG)
    text = path.read_text(encoding="utf-8")
    for before, after in changes.items():
        assert text.count(before) == 1
        text = text.replace(before, after)
    path.write_text(text, encoding="utf-8")


def test_from_installation_to_purge(debian: BareDebian, package: Path, newer: Path, tmp_path: Path) -> None:
    """After two edited lines units are polled; an upgrade keeps what was edited, a purge what was recorded."""
    said = put(debian, package)
    assert "hashsight is installed and not yet configured:" in said
    assert debian.run("hashsight", "--version").said == f"hashsight {__version__}\n"
    assert debian.run("id", "-nG", "hashsight").said == "hashsight\n"
    assert debian.run("stat", "-c", "%U %a", "/var/lib/hashsight").said == "hashsight 750\n"
    _runs_a_site(debian, tmp_path)
    before = {name: debian.path(name).read_bytes() for name in (CONFIG, LEDGER)}
    history = debian.path("/var/lib/hashsight/history.sqlite")
    assert history.stat().st_size > 0

    said = put(debian, newer)
    assert "not yet configured" not in said
    assert debian.run("dpkg-query", "-Wf", "${Version}", "hashsight").said == NEWER
    assert {name: debian.path(name).read_bytes() for name in before} == before
    assert debian.path(f"{CONFIG}.dpkg-dist").exists()
    debian.run("hashsight", "check", "-c", CONFIG)

    debian.run("apt-get", "remove", "-y", "hashsight")
    assert not debian.path("/usr/lib/hashsight").exists()
    assert not debian.path("/usr/bin/hashsight").is_symlink()
    assert {name: debian.path(name).read_bytes() for name in before} == before

    said = debian.run("apt-get", "purge", "-y", "hashsight").said
    assert "history, curtailments, ledger and your own files are kept" in said
    assert "rm -r /var/lib/hashsight /etc/hashsight" in said
    assert not debian.path(CONFIG).exists()
    assert debian.path(LEDGER).read_bytes() == before[LEDGER]
    assert history.exists()
    assert debian.run("dpkg-query", "-W", "hashsight", status=1).said


@contextlib.contextmanager
def units(debian: BareDebian, log: Path) -> Iterator[str]:
    """Run twelve simulated units at port 4028 of loopback addresses; yield their network."""
    farm = ("hashsight-sim", "farm", "--units", "12", "--seed", "7", "--ledger-out", "/root/farm.csv")
    with debian.running(*farm, log=log):
        debian.until("test", "-s", "/root/farm.csv")
        hosts = re.findall(r"127\.[\d.]+", debian.path("/root/farm.csv").read_text(encoding="utf-8"))
        assert len(hosts) == 12
        yield f"{hosts[0].rpartition('.')[0]}.0/24"


def enter(debian: BareDebian, network: str) -> None:
    """Do as deploy/README.md says from the two edited lines to the check."""
    edit(debian, {'name = "example-1"': 'name = "north-1"', '"10.20.0.0/16"': '"127.0.0.0/8"'})
    debian.run("hashsight", "scan", network, "-c", CONFIG, "--out", "/root/proposal.csv")
    debian.run("hashsight", "ledger", "import", "/root/proposal.csv", "--kind", "new", "-c", CONFIG)
    assert "north-1: 12 units deployed" in debian.run("hashsight", "check", "-c", CONFIG).said


def polled(debian: BareDebian) -> int:
    """Return the number of units that hash by the agent's own words, once it is ready."""
    debian.until(PYTHON, "-c", READ.format("readyz"))
    listed = json.loads(debian.run(PYTHON, "-c", READ.format("api/v1/units")).said)
    return sum(each["state"] == "hashing" for each in listed["units"])


def _runs_a_site(debian: BareDebian, tmp_path: Path) -> None:
    with units(debian, tmp_path / "farm.log") as network:
        enter(debian, network)
        agent = (
            "setpriv",
            "--reuid=hashsight",
            "--regid=hashsight",
            "--clear-groups",
            "hashsight",
            "run",
            "-c",
            CONFIG,
        )
        with debian.running(*agent, log=tmp_path / "agent.log") as process:
            assert polled(debian) == 12
            assert process.poll() is None
        assert process.returncode == 0


def test_under_a_running_systemd(booted: BareDebian, package: Path, newer: Path, tmp_path: Path) -> None:
    """The service starts once it is configured, refuses a bad reload, and is restarted by an upgrade if it ran."""

    def shown(name: str) -> str:
        return booted.run("systemctl", "show", "--value", "-p", name, "hashsight").said.strip()

    put(booted, package)
    assert (shown("UnitFileState"), shown("ActiveState")) == ("enabled", "inactive")
    with units(booted, tmp_path / "farm.log") as network:
        enter(booted, network)
        booted.run("systemctl", "start", "hashsight")
        assert polled(booted) == 12
        assert shown("User") == "hashsight"
        first = shown("MainPID")

        booted.run("systemctl", "reload", "hashsight")
        ledger = booted.path(LEDGER)
        sound = ledger.read_text(encoding="utf-8")
        ledger.write_text(f"{sound}u13,S21,200,8.8.8.8\n", encoding="utf-8")
        booted.run("systemctl", "reload", "hashsight", status=1)
        journal = booted.run("journalctl", "-u", "hashsight", "--no-pager").said
        (header,) = re.findall(r"^unit_id,.*$", sound, re.MULTILINE)
        line, cells = sound.count("\n") + 1, header.count(",") + 1
        assert f"{LEDGER}: line {line}: {cells} cells are expected, as in the header; here are 4" in journal
        ledger.write_text(sound, encoding="utf-8")
        assert (shown("ActiveState"), shown("MainPID"), polled(booted)) == ("active", first, 12)

        put(booted, newer)
        assert shown("ActiveState") == "active"
        assert shown("MainPID") != first
        assert polled(booted) == 12
    booted.run("systemctl", "stop", "hashsight")
    booted.run("apt-get", "install", "-y", "--reinstall", f"/root/{newer.name}")
    assert shown("ActiveState") == "inactive"
    booted.run("systemctl", "start", "hashsight")
    booted.run("apt-get", "remove", "-y", "hashsight")
    assert booted.run("systemctl", "is-active", "hashsight", status=None).said.strip() == "inactive"
    put(booted, newer)
    assert shown("ActiveState") == "active"


def test_part_4_of_the_guide_word_by_word(booted: BareDebian, newer: Path) -> None:
    """Typed as it stands, Prometheus and Alertmanager listen on loopback alone, without a private address."""
    put(booted, newer)
    before = booted.path("/etc/prometheus/prometheus.yml")
    part = (DEPLOY / "README.md").read_text(encoding="utf-8").partition("**4. ")[2].partition("**5. ")[0]
    part = part.replace("apt-get install", "apt-get install -y")
    part = part.replace("YOUR-GRAFANA", "grafana.mine.net").replace("YOUR-RUNBOOKS", "runbooks.mine.net")
    typed, _, tried = part.partition("    ss -ltn")
    booted.run("sh", "-ec", "\n".join(re.findall(r"^    (.*)$", typed, re.MULTILINE)))
    assert "job_name: hashsight" not in before.read_text(encoding="utf-8")
    for port, path in ((9090, "-/ready"), (9093, "-/ready")):
        booted.until(PYTHON, "-c", f"from urllib.request import urlopen; urlopen('http://127.0.0.1:{port}/{path}')")
    listening = booted.run("cat", "/proc/net/tcp", "/proc/net/tcp6").said
    # The state 0A is LISTEN; an address is the bytes of an integer, so loopback ends in 7F.
    found = re.findall(r"^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) [0-9A-F:]+ 0A ", listening, re.MULTILINE)
    ports = {int(port, 16) for _, port in found}
    assert ports >= {9090, 9093}
    assert [(address, int(port, 16)) for address, port in found if address != "0100007F"] == []
    booted.run("sh", "-ec", "\n".join(re.findall(r"^    ((?:amtool|  ).*)$", tried, re.MULTILINE)))
    alerts = booted.run("amtool", "alert", "query", "--alertmanager.url=http://127.0.0.1:9093").said
    assert "MiningContainerDark" in alerts
