"""The wheel and the sdist: installed alone in a clean environment, they hold every data file that a command reads."""

import asyncio
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from paths import ROOT
from patience import PATIENT_S
from programs import free_port, get_json, program, until

from agent.built import built_commit

# Suffixes of files that code reads beside itself: nameplates, schemas, page assets, scenarios, type markers.
DATA = {".csv", ".json", ".css", ".svg", ".toml", ".typed"}
CONFIG = '[site]\nname = "alpha"\n[ledger]\nfile = "ledger.csv"\nnetworks = ["127.0.0.0/8"]\n'
LEDGER = (
    "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"
    "u1,S21,200,127.77.0.1,C1,R1,1,2025-01-01,,deployed\n"
)
BUILD_S = 120
GRAFANA_PARTS = ("dashboards", "rules", "runbooks", "provisioning/dashboards", "provisioning/datasources")
DEPLOYED = ("*.example.*", "*.service", "prometheus*.yml", "alertmanager.*", "mosquitto.*", "telegraf.conf")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the built wheel and sdist, by kind."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist", "-d", str(folder)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True, timeout=BUILD_S)
    return {"wheel": next(folder.glob("*.whl")), "sdist": next(folder.glob("*.tar.gz"))}


@pytest.fixture(scope="module")
def clean(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the commands' folder of a new environment that holds the wheel and borrows only its dependencies."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "install"]
    options = ["--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, *options, str(built["wheel"])], check=True, capture_output=True, timeout=BUILD_S)
    site_packages = next(folder.glob("lib/python*/site-packages"))
    # A folder on the path, not a site folder: the checkout that its own .pth names stays off the path.
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / "bin"


def shipped() -> set[str]:
    """Return every data file that git tracks in the two packages."""
    listed = subprocess.run(
        ["git", "ls-files", "agent", "simulators"], check=True, cwd=ROOT, capture_output=True, text=True
    )
    return {name for name in listed.stdout.splitlines() if Path(name).suffix in DATA}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="git knows the files of a checkout only")
def test_both_hold_every_data_file(built: dict[str, Path]) -> None:
    """No data file of the packages is left out of the wheel or of the sdist."""
    with zipfile.ZipFile(built["wheel"]) as wheel:
        in_wheel = set(wheel.namelist())
    with tarfile.open(built["sdist"]) as sdist:
        in_sdist = {name.partition("/")[2] for name in sdist.getnames()}
    assert len(shipped()) > 20
    assert shipped() - in_wheel == set()
    assert shipped() - in_sdist == set()
    assert {"docs/antminer-api.md", "pyproject.toml", "LICENSE"} <= in_sdist


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="git knows the commit of a checkout only")
def test_both_name_the_commit_they_were_built_from(built: dict[str, Path], tmp_path: Path) -> None:
    """Statements name the commit of the software that made them; a checkout has no such file."""
    head = subprocess.run(["git", "rev-parse", "HEAD"], check=True, cwd=ROOT, capture_output=True, text=True)
    with zipfile.ZipFile(built["wheel"]) as wheel:
        in_wheel = wheel.read("agent/commit.txt")
    with tarfile.open(built["sdist"]) as sdist:
        name = next(each for each in sdist.getnames() if each.endswith("/agent/commit.txt"))
        member = sdist.extractfile(name)
        assert member is not None
        assert member.read() == in_wheel
    file = tmp_path / "commit.txt"
    file.write_bytes(in_wheel)
    assert built_commit(file) in {head.stdout.strip(), f"{head.stdout.strip()}-changed"}
    for other in (b"", b"unknown\n", b"\xff", in_wheel[:10]):
        file.write_bytes(other)
        assert built_commit(file) is None
    assert built_commit() is None


def test_the_installed_code_is_the_wheels(clean: Path, tmp_path: Path) -> None:
    """The environment imports the packages that the wheel installed, not this checkout."""
    code = "import agent, simulators; print(agent.__file__, simulators.__file__)"
    found = subprocess.run(
        [str(clean / "python"), "-E", "-c", code],
        check=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENT_S,
    )
    assert all(name.startswith(str(clean.parent)) for name in found.stdout.split())


def test_check_runs_from_the_wheel(clean: Path, tmp_path: Path) -> None:
    """`hashsight check` reads a configuration, a ledger and the shipped nameplates."""
    (tmp_path / "site.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "ledger.csv").write_text(LEDGER, encoding="utf-8")
    command = [str(clean / "hashsight"), "check", "--config", "site.toml"]
    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENT_S)
    assert (done.returncode, done.stderr) == (0, "")
    assert "200.00 TH/s" in done.stdout


def test_the_examples_come_with_the_wheel(clean: Path, tmp_path: Path) -> None:
    """The example configurations and ledger are installed, and `hashsight check` accepts them as they are."""
    examples = clean.parent / "share" / "hashsight"
    for name in ("site.example.toml", "gateway.example.toml"):
        text = (examples / name).read_text(encoding="utf-8")
        assert text == (ROOT / "deploy" / name).read_text(encoding="utf-8")
        text = text.replace("/etc/hashsight/ledger.csv", "ledger.example.csv")
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / "ledger.example.csv").write_bytes((examples / "ledger.example.csv").read_bytes())
        command = [str(clean / "hashsight"), "check", "--config", name]
        done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENT_S)
        assert (done.returncode, done.stderr) == (0, "")


def test_rules_are_written_from_the_wheel(clean: Path, tmp_path: Path) -> None:
    """`hashsight rules` has every rule, Alertmanager's files and every runbook of the checkout."""
    links = ("--grafana", "https://grafana.mine.net", "--runbooks", "https://runbooks.mine.net")
    command = [str(clean / "hashsight"), "rules", *links, "-o", "out"]
    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENT_S)
    assert (done.returncode, done.stderr) == (0, "")
    written = {path.name for path in (tmp_path / "out").rglob("*.*") if path.is_file()}
    expected = [*(ROOT / "grafana/rules").glob("*.yml"), *(ROOT / "grafana/runbooks").glob("*.md")]
    assert written == {path.name for path in expected} | {"alertmanager.yml", "alertmanager.tmpl"}


def test_dashboards_and_rules_come_with_the_wheel(clean: Path) -> None:
    """Everything that Prometheus, Grafana and systemd need is installed in share/hashsight, byte for byte."""
    share = clean.parent / "share" / "hashsight"
    grafana = {f"{part}/{path.name}": path for part in GRAFANA_PARTS for path in (ROOT / "grafana" / part).glob("*.*")}
    del grafana["rules/README.md"]
    deployed = {path.name: path for pattern in DEPLOYED for path in (ROOT / "deploy").glob(pattern)}
    for name, path in (grafana | deployed).items():
        assert (share / name).read_bytes() == path.read_bytes(), name
    assert {path.name for path in (share / "rules").iterdir()} == {"alerts.yml", "fleet.yml", "periods.yml", "site.yml"}


@pytest.fixture(scope="module")
def alone(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the commands' folder of an environment with nothing but the wheel and what pip brings with it."""
    folder = tmp_path_factory.mktemp("alone")
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", str(built["wheel"])], check=True, timeout=900, capture_output=True)
    subprocess.run([*pip, "check"], check=True, timeout=PATIENT_S, capture_output=True)
    return folder / "bin"


@pytest.mark.slow
async def test_pip_alone_makes_a_site(alone: Path, tmp_path: Path) -> None:
    """With the wheel alone a site is begun, checked, run and demonstrated."""

    def ran(*words: str) -> str:
        command = [str(alone / "hashsight"), *words]
        done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENT_S)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "--units" in ran("demo", "--help")
    init = ("init", "site", "--name", "alpha", "--zone", "UTC", "--network", "127.0.0.0/8", "--no-scan")
    ran(*init)
    (tmp_path / "site/ledger.csv").write_text(LEDGER, encoding="utf-8")
    assert "200.00 TH/s" in ran("check", "--config", "site/site.toml")
    port = free_port()
    with (tmp_path / "site/site.toml").open("a", encoding="utf-8") as config:
        config.write(f'[web]\nlisten = "127.0.0.1:{port}"\n')
    command = (str(alone / "hashsight"), "run", "--config", str(tmp_path / "site/site.toml"))
    async with program(*command, log=tmp_path / "agent.log") as running:
        site = await until(lambda: get_json(f"http://127.0.0.1:{port}/api/v1/site"), running)
        assert site["units"] == 1
    assert "/metrics" in ran("demo", "--units", "3", "--seconds", "2")


async def test_a_farm_runs_from_the_wheel(clean: Path, tmp_path: Path) -> None:
    """`hashsight-sim farm --units 3` answers on its sockets and ends with status 0."""
    ledger = tmp_path / "ledger.csv"
    command = (str(clean / "hashsight-sim"), "farm", "--units", "3", "--port", "0", "--no-pages")
    command += ("--ledger-out", str(ledger))
    async with program(*command, log=tmp_path / "farm.log") as running:

        async def is_written() -> bool:
            return ledger.exists() and len(ledger.read_text(encoding="utf-8").splitlines()) == 4

        await until(is_written, running)
        host, port = ledger.read_text(encoding="utf-8").splitlines()[1].split(",")[3].rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b'{"command":"version"}')
        reply = await reader.read()
        writer.close()
        assert b'"STATUS":"S"' in reply
        running.process.terminate()
        assert await running.ended() == 0
