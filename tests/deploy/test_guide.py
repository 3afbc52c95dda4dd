"""deploy/README.md, parts 1 to 3, 5 and 7, typed in a bare Debian 12 under systemd, which hands over the secrets."""

import json
import re
import shutil
import signal
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from bare_debian import BareDebian
from certificates import Authority
from paths import DEPLOY
from patience import PATIENT_S

pytestmark = [pytest.mark.slow, pytest.mark.program("mmdebstrap", "nsenter")]
GUIDE = (DEPLOY / "README.md").read_text(encoding="utf-8")
CONFIG = "/etc/hashsight/site.toml"
CREDENTIALS = "/run/credentials/hashsight.service"
CONTROL = "http://127.0.0.1:18028"
NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
# As a shell with a terminal starts it; a test in the background hands down that this signal is ignored.
CTRL_C = ("env", "--default-signal=INT")
# In the order of the farm's containers, which are C1, C2 and C3.
HOSTS = [f"10.20.{container}.{slot}" for container in range(3) for slot in range(11, 15)]


def commands(words: str) -> str:
    """Return the block of commands of the guide in which these words stand."""
    (found,) = [block for block in re.findall(r"(?:^    .*\n)+", GUIDE, re.MULTILINE) if words in block]
    return textwrap.dedent(found)


def typed(debian: BareDebian, block: str) -> str:
    """Type commands as root in its home, up to one that fails; return what they said. Nobody is there to answer apt."""
    block = re.sub(r"^(apt|apt-get) install", r"\1 install -y", block, flags=re.MULTILINE)
    return debian.run("sh", "-ec", f"cd\n{block}").said


def edit(debian: BareDebian, before: str, after: str) -> None:
    """Replace the one place of the configuration that has this text."""
    path = debian.path(CONFIG)
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1
    path.write_text(text.replace(before, after), encoding="utf-8")


@pytest.fixture(scope="module")
def gateway(booted: BareDebian, package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareDebian]:
    """Yield a gateway on which parts 1 to 3 were typed, up to the first poll of each of twelve simulated units."""
    install = commands("apt install ./")
    (name,) = re.findall(r"\./(\S+\.deb)", install)
    shutil.copy(package, booted.path(f"/root/{name}"))
    booted.answer_at("10.20.0.0/22")
    typed(booted, install)
    farm = ("hashsight-sim", "farm", "--addresses", ",".join(HOSTS), "--seed", "7", "--allow-remote")
    options = ("--elsewhere", "refuse", "--control", CONTROL.removeprefix("http://"))
    with booted.running(*farm, *options, log=tmp_path_factory.mktemp("farm") / "farm.log"):
        booted.until("hashsight", "read", HOSTS[-1])
        edit(booted, 'name = "example-1"', 'name = "north-1"')
        assert "north-1: 12 units deployed" in typed(booted, commands("hashsight scan 10.20.0.0/22 -c"))
        start, _, endless = commands("systemctl start hashsight\n").partition("journalctl")
        assert endless.startswith(" -u hashsight -f")
        typed(booted, start)
        booted.until("sh", "-c", "curl -s http://127.0.0.1:9184/readyz | grep -qx ready")
        yield booted


def states(debian: BareDebian, container: str) -> set[str]:
    """Return the states that the running agent shows of the units in a container."""
    listed = json.loads(debian.run("curl", "-fsS", "http://127.0.0.1:9184/api/v1/units").said)
    return {each["state"] for each in listed["units"] if each["container"] == container}


def test_part_3_curtails_with_the_token_of_the_service(gateway: BareDebian) -> None:
    """A sleeping container is curtailed from `curtail start` on, and its units are missing from `curtail stop` on."""
    secret, _, rest = commands("(umask 077; head -c 32").partition("# Uncomment token_file of [api]")
    _, _, rest = rest.partition("\n")
    start, _, end = rest.partition("hashsight curtail list")
    typed(gateway, secret)
    key = f'token_file = "{CREDENTIALS}/api.token"'
    edit(gateway, f"# {key}", key)
    said = typed(gateway, start)
    (name,) = re.findall(r"^stop it with: hashsight curtail stop (\S+)$", said, re.MULTILINE)
    assert f"{name}: container 2 to 0 %" in said
    # The token is systemd's copy: the original is for root alone, and the service is not root.
    assert gateway.run("stat", "-c", "%U %a", f"{CREDENTIALS}/api.token").said == "hashsight 400\n"
    assert gateway.run("stat", "-c", "%U %a", "/etc/hashsight/api.token").said == "root 600\n"

    gateway.until("sh", "-c", "hashsight curtail list | grep -q '^  0 of 4 asleep'")
    asleep = '{"fault": "asleep", "who": {"containers": ["C3"]}}'
    gateway.run("curl", "-fsS", "-d", asleep, f"{CONTROL}/faults")
    gateway.until("sh", "-c", "hashsight curtail list | grep -q '^  4 of 4 asleep'")
    assert (states(gateway, "1"), states(gateway, "2")) == ({"hashing"}, {"curtailed"})
    listed, _, stopped = typed(gateway, f"hashsight curtail list{end}").partition("4 of 4 asleep")
    assert f"{name}: active, container 2 to 0 %" in listed
    assert "by grid call" in listed
    assert f"{name}: restoring" in stopped
    gateway.run("curl", "-fsS", "-X", "DELETE", f"{CONTROL}/faults")
    _goes_on_without_the_service(gateway)


def _goes_on_without_the_service(gateway: BareDebian) -> None:
    """Commands of root take the file beside the configuration while the service is down; those of others take none."""
    assert "note:" not in gateway.run("hashsight", "check").said
    gateway.run("systemctl", "stop", "hashsight")
    assert not gateway.path(CREDENTIALS).exists()
    assert "; /etc/hashsight/api.token is used instead\n" in gateway.run("hashsight", "check").said
    gateway.run("systemctl", "start", "hashsight")
    for command in ("check", "once"):
        said = gateway.run(*NOBODY, "hashsight", command).said
        assert "note: api.token_file:" in said
        assert "not looked at" in said


@pytest.mark.program("mosquitto")
def test_part_5_publishes_under_the_shipped_access_list(gateway: BareDebian) -> None:
    """The checkup is well, and `mqtt tail` prints what is published, as the agent and as a consumer, until Ctrl-C."""
    block, tail, _ = commands("apt-get install mosquitto").partition("hashsight mqtt tail")
    asks = "mosquitto_passwd /etc/mosquitto/passwords consumer"
    assert asks in block
    block = block.replace("YOUR-SITE", "north-1").replace(asks, f"printf 'a secret\\na secret\\n' | {asks}")
    said = typed(gateway, block)
    assert [line[:11] for line in said.splitlines() if re.match(r"(ok|bad) ", line)] == ["ok   site: "] * 3
    assert "as hashsight" in said
    assert "a message to hashsight/v1/north-1/agent/canary came back" in said
    assert gateway.run("stat", "-c", "%U %a", f"{CREDENTIALS}/mqtt.password").said == "hashsight 400\n"
    gateway.path("/root/consumer").write_text("a secret\n", encoding="ascii")
    gateway.path("/root/consumer").chmod(0o600)
    consumer = ("--username", "consumer", "--password-file", "/root/consumer")
    for words in (tail.split(), [*tail.split(), *consumer]):
        _is_shown(gateway, words)


def _is_shown(gateway: BareDebian, words: list[str]) -> None:
    log = gateway.path("/root/tail.log")
    with gateway.running(*CTRL_C, *words, log=log, ends_by=signal.SIGINT) as process:
        for each in ("figures [0-9:]* .* PH/s of 2.* PH/s", "containers/2 ", "units/", "agent (kept) .* online"):
            gateway.until("grep", "-q", f"^{each}", "/root/tail.log", within_s=PATIENT_S)
        assert process.poll() is None
    assert process.returncode == 0, log.read_text(encoding="utf-8")
    assert "Traceback" not in log.read_text(encoding="utf-8")


@pytest.mark.program("openssl")
def test_part_7_lets_in_who_has_a_login_over_tls(gateway: BareDebian, tmp_path: Path) -> None:
    """Certificate, key and users come from the service's credentials; `doctor` knows the agent behind the login."""
    Authority(tmp_path, "ca").sign("server", address="127.0.0.1")
    for name in ("ca.pem", "server.pem", "server.key"):
        shutil.copy(tmp_path / name, gateway.path(f"/root/{name}"))
    # The guide's promtool comes with its part 4.
    typed(gateway, "apt-get install --no-install-recommends prometheus")
    block, _, restart = commands("apt-get install apache2-utils").partition("# In site.toml:")
    asks = "htpasswd -nBC"
    assert asks in block
    assert "web-config /etc/hashsight/web.yml\n" in block
    typed(gateway, block.replace(asks, "echo 'a secret' | htpasswd -niBC"))
    for key in (f'config_file = "{CREDENTIALS}/web.yml"', 'operators = ["anna"]'):
        edit(gateway, f"# {key}", key)
    typed(gateway, restart.partition("\n")[2])
    assert gateway.run("stat", "-c", "%U %a", f"{CREDENTIALS}/server.key").said == "hashsight 400\n"
    curl = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", "/root/ca.pem")
    assert gateway.run(*curl, "https://127.0.0.1:9184/").said == "401"
    assert gateway.run(*curl, "-u", "anna:a secret", "https://127.0.0.1:9184/").said == "200"
    findings = gateway.run("hashsight", "doctor", status=None).said
    assert "ok   port: 127.0.0.1:9184: an agent with a login listens\n" in findings


def test_the_service_without_the_package_curtails(gateway: BareDebian) -> None:
    """With `init` and hashsight.service as the guide has them, the token reaches a user that systemd makes up."""
    # The package's own venv instead of `deploy/install`, which fetches one from pip's index.
    apart = "systemctl stop hashsight; cp -a /usr/lib/hashsight /opt; userdel hashsight; mkdir /root/deploy"
    gone = "rm -rf /etc/hashsight /var/lib/hashsight /etc/systemd/system/hashsight.service.d"
    gateway.run("sh", "-ec", f"{apart}; {gone}")
    shutil.copy(DEPLOY / "hashsight.service", gateway.path("/root/deploy"))
    install, words, begin = commands("apt-get install python3-venv").partition("cp deploy/hashsight.service")
    assert [line.split()[0] for line in install.splitlines()] == ["apt-get", "deploy/install"]
    # It asks for what is not given.
    asks = "hashsight init /etc/hashsight"
    assert asks in begin
    typed(gateway, words + begin.replace(asks, f"{asks} --name north-1 --zone UTC"))
    secret, _, rest = commands("(umask 077; head -c 32").partition("# Uncomment token_file of [api]")
    typed(gateway, secret)
    edit(gateway, "[api]\n", f'[api]\ntoken_file = "{CREDENTIALS}/api.token"\n')
    said = typed(gateway, rest.partition("\n")[2])
    assert "active, container 2 to 0 %" in said
    assert "restoring, from" in said
    uid, mode = gateway.run("stat", "-c", "%u %a", f"{CREDENTIALS}/api.token").said.split()
    # The range that systemd takes dynamic users from.
    assert 61184 <= int(uid) <= 65519
    assert mode == "400"
