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
from programs import program, until

# Suffixes of files that code reads beside itself: nameplates, schemas, page assets, scenarios, type markers.
DATA = {".csv", ".json", ".css", ".svg", ".toml", ".typed"}
CONFIG = '[site]\nname = "alpha"\n[ledger]\nfile = "ledger.csv"\nnetworks = ["127.0.0.0/8"]\n'
LEDGER = (
    "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"
    "u1,S21,200,127.77.0.1,C1,R1,1,2025-01-01,,deployed\n"
)
BUILD_S = 120


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
