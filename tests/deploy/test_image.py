"""The container image: what is copied into it, what it says of itself, and its health check."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from certificates import Authority
from paths import DEPLOY, ROOT
from programs import free_port
from web_doors import USERS, served, written

HERE = Path(sys.executable).parent
TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"


def _run(*command: str, cwd: Path = ROOT) -> str:
    """Run a program and return its output; fail with the output on a non-zero exit."""
    environment = {"PYTHONPATH": str(cwd), "LANG": "C.UTF-8"}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=cwd, env=environment)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def _let_through() -> set[str]:
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    return {line[1:] for line in lines if line.startswith("!")}


def test_the_image_is_built_by_the_book() -> None:
    """Hadolint finds nothing."""
    assert _run(str(HERE / "hadolint"), "--no-color", str(DEPLOY / "Dockerfile")) == ""


def test_image_gets_what_it_copies_and_nothing_else() -> None:
    """The files that the Dockerfile copies exist and are not ignored, and the image runs as an unnamed user."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied = {name for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE) for name in line.split()[:-1]}
    assert copied == _let_through()
    assert all((ROOT / name).exists() for name in copied)
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE)[-1] == "65532:65532"


def test_rules_are_written_from_the_files_of_the_image(tmp_path: Path) -> None:
    """With nothing but what the image copies at its side, `hashsight rules` has every rule, template and runbook."""
    for name in _let_through():
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    links = ("--grafana", "https://grafana.mine.net", "--runbooks", "https://runbooks.mine.net")
    _run(sys.executable, "-m", "agent", "rules", *links, "-o", "out", cwd=tmp_path)
    written = {path.name for path in (tmp_path / "out").rglob("*.*") if path.is_file()}
    expected = [*(ROOT / "grafana/rules").glob("*.yml"), *(ROOT / "grafana/runbooks").glob("*.md")]
    assert written == {path.name for path in expected} | {"alertmanager.yml", "alertmanager.tmpl"}


def test_the_image_says_what_it_is() -> None:
    """The image has the Open Containers labels, and a health check that runs without a shell."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    labels = dict(re.findall(r"org\.opencontainers\.image\.([a-z.]+)=\"(.+?)\"", text))
    assert set(labels) == {"title", "description", "licenses", "version", "revision", "created", "base.name"}
    assert {labels[name] for name in ("version", "revision", "created")} == {"$VERSION", "$REVISION", "$CREATED"}
    assert labels["base.name"] == re.findall(r"^FROM (\S+)$", text, re.MULTILINE)[-1]
    (check,) = re.findall(r"^HEALTHCHECK .* CMD (.*)$", text, re.MULTILINE)
    assert json.loads(check) == ["python", "/app/healthcheck.py"]


@pytest.mark.parametrize(
    ("file", "illness", "status"),
    [
        ("", None, 0),
        ("", "nothing was polled for 60 s", 1),
        (USERS, None, 0),
        (TLS, None, 0),
        (TLS + USERS, None, 0),
        (TLS, "nothing was polled for 60 s", 1),
    ],
)
async def test_the_health_check_knows_a_login_from_an_illness(
    file: str, illness: str | None, status: int, tmp_path: Path
) -> None:
    """An agent that asks for a login or speaks TLS is alive; one that says it is ill is not."""
    Authority(tmp_path, "ca").sign("server")
    async with served(written(tmp_path, file), illness=lambda: illness) as port:
        command = (sys.executable, str(DEPLOY / "healthcheck.py"), f"127.0.0.1:{port}")
        assert await (await asyncio.create_subprocess_exec(*command)).wait() == status


async def test_the_health_check_finds_nobody_dead() -> None:
    """Where nothing listens, nothing is alive."""
    command = (sys.executable, str(DEPLOY / "healthcheck.py"), f"127.0.0.1:{free_port()}")
    assert await (await asyncio.create_subprocess_exec(*command)).wait() == 1
