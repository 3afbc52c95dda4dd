"""Every file of deploy/ and of Grafana's provisioning is accepted by the program that reads it."""

import asyncio
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from paths import ROOT
from patience import PATIENT_S
from programs import free_port, program

from agent.commands import generated
from agent.config.file import load_config
from agent.config.fleet import load_fleet
from agent.exporters.web.influx import INFLUX

DEPLOY, PROVISIONING = ROOT / "deploy", ROOT / "grafana/provisioning"
HERE = Path(sys.executable).parent

# The reader of each file. A new file needs a line here, and a test.
READ_BY = {
    "Dockerfile": "hadolint",
    "Dockerfile.dockerignore": "test_image_gets_what_it_copies_and_nothing_else",
    "README.md": "people",
    "alertmanager.tmpl": "amtool",
    "alertmanager.yml": "amtool",
    "ansible/README.md": "people",
    "ansible/inventory.example.yml": "ansible-playbook",
    "ansible/roles/hashsight/defaults/main.yml": "ansible-lint",
    "ansible/roles/hashsight/handlers/main.yml": "ansible-lint",
    "ansible/roles/hashsight/meta/main.yml": "ansible-lint",
    "ansible/roles/hashsight/tasks/main.yml": "ansible-playbook",
    "ansible/roles/hashsight/templates/site.toml.j2": "ansible-playbook",
    "ansible/site.yml": "ansible-playbook",
    "compose.yml": "check-jsonschema",
    "compose/mosquitto.conf": "mosquitto",
    "compose/prometheus.yml": "promtool",
    "compose/site.toml": "the agent",
    **dict.fromkeys(generated.files(), "tests/commands/test_generated.py"),
    "debian/README.md": "people",
    "debian/build.py": "test_the_package_holds_each_file_in_its_place",
    "debian/control": "dpkg-deb",
    "debian/copyright": "lintian",
    "debian/layout.py": "test_the_package_holds_each_file_in_its_place",
    "debian/lintian-overrides": "lintian",
    "debian/postinst": "dpkg",
    "debian/postrm": "dpkg",
    "debian/preinst": "dpkg",
    "debian/prerm": "dpkg",
    "debian/venv_tree.py": "test_the_package_holds_each_file_in_its_place",
    "dev/ansible.in": "make",
    "dev/ansible.lock": "make",
    "dev/audit.in": "make",
    "dev/audit.lock": "make",
    "dev/client.in": "make",
    "dev/client.lock": "make",
    "dev/audit.py": "test_what_an_audit_says",
    "dev/commit_hook.py": "test_both_name_the_commit_they_were_built_from",
    "dev/install-programs": "make",
    "dev/link_project.py": "make",
    "dev/make-venv": "make",
    "fleet.example.toml": "the fleet server",
    "gateway.example.toml": "the agent",
    "hashsight-fleet.service": "systemd-analyze",
    "hashsight.service": "systemd-analyze",
    "healthcheck.py": "test_the_health_check_knows_a_login_from_an_illness",
    "install": "test_install_makes_an_agent_of_its_own",
    "ledger.example.csv": "the agent",
    "mosquitto.acl": "mosquitto",
    "mosquitto.conf": "mosquitto",
    "prometheus-fleet.yml": "promtool",
    "prometheus.yml": "promtool",
    "site.example.toml": "the agent",
    "standby.example.toml": "the agent",
    "stack.py": "test_stack_comes_up_and_goes_away",
    "telegraf.conf": "test_telegraf_asks_for_an_address_that_is_served",
}


def _run(*command: str, within_s: float = 30) -> str:
    """Run a checker and return its output; fail with the output on a non-zero exit."""
    ran = subprocess.run(command, capture_output=True, text=True, timeout=within_s, check=False)
    output = ran.stdout + ran.stderr
    assert ran.returncode == 0, output
    return output


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_every_file_has_a_reader() -> None:
    """Every file of deploy/ has a known reader."""
    found = {str(path.relative_to(DEPLOY)) for path in DEPLOY.rglob("*") if path.is_file()}
    assert {name for name in found if "__pycache__" not in name} == set(READ_BY)


@pytest.mark.parametrize("name", sorted(name for name in READ_BY if name.endswith(".toml")))
def test_configurations_are_the_agents(name: str) -> None:
    """The agent accepts each example configuration."""
    if READ_BY[name] == "the fleet server":
        assert load_fleet(DEPLOY / name).site
    else:
        assert load_config(DEPLOY / name).site.name


def test_the_example_site_is_whole(tmp_path: Path) -> None:
    """`hashsight check` accepts the example configurations with the example ledger."""
    shutil.copy(DEPLOY / "ledger.example.csv", tmp_path)
    for name in ("site.example.toml", "gateway.example.toml", "standby.example.toml"):
        text = (DEPLOY / name).read_text(encoding="utf-8").replace("/etc/hashsight/ledger.csv", "ledger.example.csv")
        (tmp_path / name).write_text(text.replace("/var/lib/hashsight", str(tmp_path)), encoding="utf-8")
        _run(sys.executable, "-m", "agent", "check", "--config", str(tmp_path / name))


@pytest.mark.program("promtool")
@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus-fleet.yml", "compose/prometheus.yml"])
def test_prometheus_takes_its_configuration(name: str) -> None:
    """Promtool accepts each configuration and finds its rules."""
    assert "SUCCESS" in _run("promtool", "check", "config", str(DEPLOY / name))


@pytest.mark.program("promtool")
@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus-fleet.yml"])
def test_prometheus_takes_what_the_guide_makes_of_it(name: str, tmp_path: Path) -> None:
    """The guide's `sed` writes a configuration that works where the guide puts it."""
    (command,) = re.findall(
        rf"^ +(sed .* /usr/share/hashsight/{re.escape(name)}) >", (DEPLOY / "README.md").read_text(), re.MULTILINE
    )
    command = command.replace("/usr/share/hashsight", "deploy")
    shutil.copytree(ROOT / "grafana/rules", tmp_path / "hashsight")
    made = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, timeout=PATIENT_S, check=True)
    (tmp_path / "prometheus.yml").write_bytes(made.stdout)
    assert "rule files found" in _run("promtool", "check", "config", str(tmp_path / "prometheus.yml"))


def test_telegraf_asks_for_an_address_that_is_served() -> None:
    """The configuration is TOML, and the address in it is the one of the line protocol."""
    (source,) = tomllib.loads((DEPLOY / "telegraf.conf").read_text(encoding="utf-8"))["inputs"]["http"]
    assert [urlsplit(url).path for url in source["urls"]] == [INFLUX]
    assert source["data_format"] == "influx"


@pytest.mark.program("amtool")
def test_alertmanager_takes_its_configuration() -> None:
    """Amtool accepts the configuration."""
    assert "SUCCESS" in _run("amtool", "check-config", str(DEPLOY / "alertmanager.yml"))


@pytest.mark.program("mosquitto")
async def test_mosquitto_takes_the_compose_configuration(tmp_path: Path) -> None:
    """The broker of compose.yml starts with its configuration and listens."""
    port = free_port()
    text = (DEPLOY / "compose/mosquitto.conf").read_text(encoding="utf-8")
    text = text.replace("listener 1883", f"listener {port} 127.0.0.1").replace("/mosquitto/data", str(tmp_path))
    (tmp_path / "mosquitto.conf").write_text(f"user root\n{text}", encoding="utf-8")
    async with program("mosquitto", "-c", str(tmp_path / "mosquitto.conf"), log=tmp_path / "mosquitto.log") as running:
        async with asyncio.timeout(PATIENT_S):
            while True:
                assert running.process.returncode is None, running.said
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.02)
                    continue
                writer.close()
                await writer.wait_closed()
                return


SERVICES = ("hashsight.service", "hashsight-fleet.service")


def _with_a_program_that_exists(tmp_path: Path, name: str) -> str:
    """Copy a service file with an executable that exists on this machine."""
    text = (DEPLOY / name).read_text(encoding="utf-8")
    copy = tmp_path / name
    copy.write_text(text.replace("/opt/hashsight/bin/hashsight", "/bin/true"), encoding="utf-8")
    return str(copy)


@pytest.mark.program("systemd-analyze")
@pytest.mark.parametrize("name", SERVICES)
def test_systemd_takes_the_service(tmp_path: Path, name: str) -> None:
    """`systemd-analyze verify` is silent."""
    assert _run("systemd-analyze", "verify", _with_a_program_that_exists(tmp_path, name)) == ""


@pytest.mark.program("systemd-analyze")
@pytest.mark.parametrize("name", SERVICES)
def test_the_service_is_exposed_to_little(tmp_path: Path, name: str) -> None:
    """The service's exposure is at most 2.0 of 10 by systemd's own measure."""
    service = _with_a_program_that_exists(tmp_path, name)
    output = _run("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", service)
    assert float(re.findall(rf"exposure level for {name}: ([\d.]+)", output)[0]) <= 2.0


def test_a_reload_checks_first_and_needs_no_program_of_its_own() -> None:
    """`systemctl reload` fails when the files are refused; the signal is sent by the shell itself."""
    reloads = re.findall(r"^ExecReload=(.*)$", (DEPLOY / "hashsight.service").read_text(), re.MULTILINE)
    config = load_config(DEPLOY / "gateway.example.toml")
    assert config.ledger.file == Path("/etc/hashsight/ledger.csv")
    assert reloads == [
        "/opt/hashsight/bin/hashsight check --config /etc/hashsight/site.toml",
        "/bin/sh -c 'kill -HUP \"$MAINPID\"'",
    ]
    reloads = re.findall(r"^ExecReload=(.*)$", (DEPLOY / "hashsight-fleet.service").read_text(), re.MULTILINE)
    assert reloads == [
        "/opt/hashsight/bin/hashsight fleet --check --sites /etc/hashsight/fleet.toml",
        "/bin/sh -c 'kill -HUP \"$MAINPID\"'",
    ]


def test_the_service_and_its_configuration_agree_on_paths() -> None:
    """The service may write where its configuration writes, and its watchdog allows more than 30 s."""
    service = (DEPLOY / "hashsight.service").read_text(encoding="utf-8")
    config = load_config(DEPLOY / "gateway.example.toml")
    assert "\nStateDirectory=hashsight\n" in service
    assert config.history.file is not None
    assert config.api.state_file is not None
    assert {config.history.file.parent, config.api.state_file.parent} == {Path("/var/lib/hashsight")}
    assert "--config /etc/hashsight/site.toml" in service
    assert "\nLimitCORE=0\n" in service
    assert int(re.findall(r"\nWatchdogSec=(\d+)\n", service)[0]) > 30


def test_the_fleets_service_and_its_configuration_agree_on_paths() -> None:
    """It reads its file and its secrets where the example says; its watchdog allows more than 30 s."""
    service = (DEPLOY / "hashsight-fleet.service").read_text(encoding="utf-8")
    config = load_fleet(DEPLOY / "fleet.example.toml")
    assert "--sites /etc/hashsight/fleet.toml" in service
    secrets = {site.password_file for site in config.site if site.password_file is not None}
    assert {each.parent for each in secrets} == {Path("/run/credentials/hashsight-fleet.service")}
    assert all(f"LoadCredential={each.name}:" in service for each in secrets)
    assert "StateDirectory" not in service
    assert "\nLimitCORE=0\n" in service
    assert int(re.findall(r"\nWatchdogSec=(\d+)\n", service)[0]) > 30


def test_compose_keeps_the_specification() -> None:
    """compose.yml is valid by the Compose specification's own schema."""
    _run(str(HERE / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose.yml"))


def test_compose_services_are_locked_up() -> None:
    """Every service has a read-only root, no capabilities, no root user, a pinned image, and local ports."""
    for name, service in _yaml(DEPLOY / "compose.yml")["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "build" in service or re.fullmatch(r"\S+/\S+:v?\d+\.\d+\.\d+", service["image"]), name
        assert not service.get("user", "65532").startswith("0"), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name


def test_compose_prometheus_asks_for_a_name_that_the_agent_serves() -> None:
    """The name by which Prometheus reaches the agent in compose.yml is in `web.hosts`; else each scrape is a 421."""
    jobs = _yaml(DEPLOY / "compose/prometheus.yml")["scrape_configs"]
    targets = {target for job in jobs for part in job["static_configs"] for target in part["targets"]}
    hosts = tomllib.loads((DEPLOY / "compose/site.toml").read_text(encoding="utf-8"))["web"]["hosts"]
    assert {f"{host}:9184" for host in hosts} == {target for target in targets if target.endswith(":9184")}


def test_compose_mounts_what_is_there() -> None:
    """Every folder and file that a service mounts is in the repository."""
    compose = _yaml(DEPLOY / "compose.yml")
    for service in compose["services"].values():
        for mount in service["volumes"]:
            source = mount.split(":")[0]
            assert source in compose["volumes"] or (DEPLOY / source).resolve().exists(), mount


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    """Provisioning takes Prometheus' address from the environment and dashboards from the folder that is mounted."""
    (source,) = _yaml(PROVISIONING / "datasources/prometheus.yml")["datasources"]
    (provider,) = _yaml(PROVISIONING / "dashboards/hashsight.yml")["providers"]
    grafana = _yaml(DEPLOY / "compose.yml")["services"]["grafana"]
    assert source["url"].removeprefix("$") in grafana["environment"]
    assert f"../grafana/dashboards:{provider['options']['path']}:ro" in grafana["volumes"]
    assert (source["type"], provider["type"], provider["allowUiUpdates"]) == ("prometheus", "file", False)
    # A graph's shortest step is the scrape interval.
    assert source["jsonData"]["timeInterval"] == _yaml(DEPLOY / "prometheus.yml")["global"]["scrape_interval"]


def test_paths_of_the_guide_exist() -> None:
    """Every repository file named in the guide exists."""
    for name in re.findall(r"(?<![\w/.])((?:deploy|grafana)/[\w./-]*\w)", (DEPLOY / "README.md").read_text()):
        assert (ROOT / name).exists(), name


@pytest.mark.slow
def test_install_makes_an_agent_of_its_own(tmp_path: Path) -> None:
    """deploy/install makes a folder whose hashsight runs without the checkout; a second run upgrades it."""
    to = tmp_path / "opt"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PYTHON"] = sys.executable
    for _ in range(2):
        subprocess.run(
            [DEPLOY / "install", str(to)], check=True, timeout=600, env=environment, stdout=subprocess.DEVNULL
        )
    assert stat.S_IMODE((to / "bin/hashsight").stat().st_mode) == 0o755
    ran = subprocess.run(
        [str(to / "bin/python"), "-c", "import agent; print(agent.__file__)"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=PATIENT_S,
        check=True,
        env=environment,
    )
    assert ran.stdout.strip() == str(to / "app/agent/__init__.py")
    assert not (to / "app.old").exists()
    for name in ("man/man1/hashsight-top.1", "bash-completion/completions/hashsight", "zsh/site-functions/_hashsight"):
        assert (to / "share" / name).is_file()
    links = ("--grafana", "https://grafana.mine.net", "--runbooks", "https://runbooks.mine.net")
    command = [str(to / "bin/hashsight"), "rules", *links, "-o", str(tmp_path / "rules")]
    subprocess.run(command, check=True, timeout=PATIENT_S, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    assert (tmp_path / "rules/alertmanager/alertmanager.tmpl").is_file()
