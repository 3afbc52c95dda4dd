"""The Debian package in a bare Debian 12 without network: installed, run, upgraded, removed and purged."""

import importlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from bare_debian import BareDebian, bare_debian, require
from paths import DEPLOY
from patience import PATIENT_S

from agent import __version__

pytestmark = [pytest.mark.slow, pytest.mark.program("dpkg-deb", "mmdebstrap", "nsenter")]
NEWER = "9.9"
CONFIG = "/etc/hashsight/site.toml"
LEDGER = "/etc/hashsight/ledger.csv"
SITE = "http://127.0.0.1:9184/api/v1/site"
READ_SITE = f"from urllib.request import urlopen; print(urlopen('{SITE}').read().decode())"


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    """Return the builder's module."""
    sys.path.insert(0, str(DEPLOY / "debian"))
    try:
        return importlib.import_module("build")
    finally:
        sys.path.remove(str(DEPLOY / "debian"))


@pytest.fixture(scope="module")
def package(builder: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the package of this checkout, with all locked packages inside."""
    require()
    return Path(builder.build(tmp_path_factory.mktemp("package"), "amd64", __version__, level=0))


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


def _runs_a_site(debian: BareDebian, tmp_path: Path) -> None:
    """Do as deploy/README.md says with simulated units, and see them polled."""
    edit(debian, {'name = "example-1"': 'name = "north-1"', '"10.20.0.0/16"': '"127.0.0.0/8"'})
    farm = ("hashsight-sim", "farm", "--units", "12", "--seed", "7", "--ledger-out", "/root/farm.csv")
    with debian.running(*farm, log=tmp_path / "farm.log"):
        debian.until("test", "-s", "/root/farm.csv")
        hosts = re.findall(r"127\.[\d.]+", debian.path("/root/farm.csv").read_text(encoding="utf-8"))
        assert len(hosts) == 12
        network = f"{hosts[0].rpartition('.')[0]}.0/24"
        debian.run("hashsight", "scan", network, "-c", CONFIG, "--out", "/root/proposal.csv")
        debian.run("hashsight", "ledger", "import", "/root/proposal.csv", "--kind", "new", "-c", CONFIG)
        assert "north-1" in debian.run("hashsight", "check", "-c", CONFIG).said
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
            ready = "from urllib.request import urlopen; urlopen('http://127.0.0.1:9184/readyz')"
            debian.until("/usr/lib/hashsight/bin/python", "-c", ready)
            site = json.loads(debian.run("/usr/lib/hashsight/bin/python", "-c", READ_SITE).said)
            print(json.dumps(site)[:3000])
            assert process.poll() is None
        assert process.returncode == 0
