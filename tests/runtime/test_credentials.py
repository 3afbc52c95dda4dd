"""Credentials of a service as other processes find them: stand-ins, notes, and real mistakes."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.commands.command_line import app
from agent.config.file import load_config
from agent.runtime import credentials
from agent.runtime.credentials import with_stand_ins

LEDGER = (
    "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"
    "u1,S21,200,127.77.0.1,C1,R1,1,2025-01-01,,deployed\n"
)
BEARER = "s3cr3t-0123456789"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site whose secrets are credentials of a service that is not running."""
    run = tmp_path / "run/credentials"
    run.mkdir(parents=True)
    monkeypatch.setattr(credentials, "CREDENTIALS", run)
    service = run / "hashsight.service"
    (tmp_path / "site.toml").write_text(
        f"""\
[site]
name = "alpha"
[ledger]
file = "ledger.csv"
[web]
config_file = "{service}/web.yml"
operators = ["anna"]
[api]
token_file = "{service}/api.token"
[[mqtt]]
name = "site"
host = "127.0.0.1"
username = "hashsight"
password_file = "{service}/mqtt.password"
[[foreign_login]]
make = "Auradine"
networks = ["10.20.0.0/16"]
user = "admin"
password_file = "{service}/auradine.password"
""",
        encoding="utf-8",
    )
    (tmp_path / "ledger.csv").write_text(LEDGER, encoding="utf-8")
    return tmp_path


def test_a_service_that_is_down_is_a_note(folder: Path) -> None:
    """`check` succeeds, and says of each credential that it was not looked at."""
    result = CliRunner().invoke(app, ["check", "-c", str(folder / "site.toml")])
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "ok")
    notes = [line for line in result.stderr.splitlines() if line.startswith("note: ")]
    assert [line.split(": ")[1] for line in notes] == [
        "web.config_file",
        "api.token_file",
        "foreign_login[0].password_file",
        "mqtt[0].password_file",
    ]
    assert all("hashsight.service while that runs" in line and line.endswith("not looked at") for line in notes)


def test_the_source_beside_the_configuration_stands_in(folder: Path) -> None:
    """What the service would load is checked instead: a token of a wrong mode is a mistake, as ever."""
    source = folder / "api.token"
    source.write_text(BEARER, encoding="utf-8")
    source.chmod(0o600)
    config, found = with_stand_ins(load_config(folder / "site.toml"), folder / "site.toml")
    assert config.api.token_file == source
    assert [each.instead for each in found if each.key == "api.token_file"] == [source]
    source.chmod(0o644)
    result = CliRunner().invoke(app, ["check", "-c", str(folder / "site.toml")])
    assert (result.exit_code, "others may read or change this secret" in result.stderr) == (2, True)


def test_a_credential_that_the_running_service_lacks_is_a_mistake(folder: Path) -> None:
    """The service's folder is there and this file is not: no LoadCredential line has it."""
    (credentials.CREDENTIALS / "hashsight.service").mkdir()
    result = CliRunner().invoke(app, ["check", "-c", str(folder / "site.toml")])
    assert result.exit_code == 2
    assert "hashsight.service/api.token: file: cannot be read: No such file or directory" in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_another_account_may_not_look(folder: Path) -> None:
    """A folder that this account cannot enter is a note, too."""
    service = credentials.CREDENTIALS / "hashsight.service"
    service.mkdir(mode=0)
    config, found = with_stand_ins(load_config(folder / "site.toml"), folder / "site.toml")
    service.chmod(0o700)
    assert (config.api.token_file, len(found)) == (None, 4)


def test_a_needed_secret_is_not_passed_over(folder: Path) -> None:
    """`mqtt check` without the password, and `curtail` without the token, name the file that they cannot read."""
    for command, file in ((["mqtt", "check"], "mqtt.password"), (["curtail", "list"], "web.yml")):
        result = CliRunner().invoke(app, [*command, "-c", str(folder / "site.toml")])
        assert (result.exit_code, f"{file}: file: cannot be read" in result.stderr) == (2, True)


def test_what_is_no_credential_stays(folder: Path) -> None:
    """A path elsewhere is read as it is, whatever is beside the configuration."""
    text = (
        (folder / "site.toml")
        .read_text(encoding="utf-8")
        .replace("run/credentials/hashsight.service/api", "secret/api")
    )
    (folder / "site.toml").write_text(text, encoding="utf-8")
    config, found = with_stand_ins(load_config(folder / "site.toml"), folder / "site.toml")
    assert str(config.api.token_file).endswith("/secret/api.token")
    assert "api.token_file" not in {each.key for each in found}
