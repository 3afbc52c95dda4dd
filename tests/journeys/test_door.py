"""A running agent behind TLS and users: curl, Prometheus, a standby, `hashsight curtail`, a new certificate."""

import asyncio
import json
import ssl
import sys
from pathlib import Path

import bcrypt
import pytest
from certificates import Authority
from programs import CONFIG, Program, farm, free_port, program, query, until

from agent.standby.watch import Primary
from agent.tls import client_context

TOKEN, READER = "operators-0123456789", "viewers-0123456789"
WITHIN_S = 20.0


def secret(path: Path, text: str) -> None:
    """Write a file that only its owner reads."""
    path.write_text(text, encoding="ascii")
    path.chmod(0o600)


def prepared(folder: Path) -> str:
    """Write certificates, tokens and the web configuration; return the end of the agent's configuration."""
    Authority(folder, "ca").sign("server", address="127.0.0.1")
    users = "".join(
        f"  {name}: {bcrypt.hashpw(name.encode() * 2, bcrypt.gensalt(4)).decode()}\n" for name in ("anna", "scraper")
    )
    tls = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
    secret(folder / "web.yml", f"{tls}basic_auth_users:\n{users}")
    secret(folder / "api.token", TOKEN)
    secret(folder / "viewer.token", READER)
    web = 'config_file = "web.yml"\noperators = ["anna"]\n'
    return f'{web}[api]\ntoken_file = "api.token"\nviewer_token_file = "viewer.token"\n'


async def said(*command: str) -> str:
    """Return what a program prints."""
    process = await asyncio.create_subprocess_exec(*command, stdout=-1, stderr=asyncio.subprocess.STDOUT)
    async with asyncio.timeout(60):
        return (await process.communicate())[0].decode()


async def scraped(folder: Path, target: str, running: Program) -> list[float]:
    """Return `up` of a Prometheus that scrapes over TLS with a password."""
    address = f"127.0.0.1:{free_port()}"
    job = {
        "job_name": "hashsight",
        "scheme": "https",
        "tls_config": {"ca_file": str(folder / "ca.pem")},
        "basic_auth": {"username": "scraper", "password": "scraperscraper"},
        "static_configs": [{"targets": [target]}],
    }
    settings = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [job]}
    (folder / "prometheus.yml").write_text(json.dumps(settings), encoding="utf-8")
    command = ("prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}")
    async with program(*command, f"--web.listen-address={address}", log=folder / "prometheus.log"):

        async def found() -> list[float]:
            try:
                return [value for _, _, value in await query(f"http://{address}", "mining_site_units")]
            except OSError:
                return []

        await until(found, running)
        return [value for _, _, value in await query(f"http://{address}", "up")]


@pytest.mark.program("prometheus", "curl")
async def test_an_agent_behind_tls_and_users(tmp_path: Path) -> None:
    """Each of its clients gets in with its own login and no other, and sees a rotated certificate at once."""
    config, port = tmp_path / "site.toml", free_port()
    text = CONFIG.format(interval_s=1, port=port, count_simulated="true") + prepared(tmp_path)
    config.write_text(text, encoding="utf-8")
    url = f"https://127.0.0.1:{port}"
    curl = ("curl", "-s", "--max-time", "10", "--cacert", str(tmp_path / "ca.pem"))
    status = (*curl, "-o", "/dev/null", "-w", "%{http_code}")
    command = (sys.executable, "-m", "agent", "run", "--config", str(config))
    async with farm(tmp_path, units=6), program(*command, log=tmp_path / "agent.log") as running:

        async def is_ready() -> bool:
            return await said(*status, "-H", f"Authorization: Bearer {READER}", f"{url}/-/ready") == "200"

        await until(is_ready, running)
        assert await said(*status, f"{url}/healthz") == "401"
        assert await said(*status, "-u", "anna:anna", f"{url}/") == "401"
        assert await said(*status, "-u", "anna:annaanna", f"{url}/") == "200"
        assert await said("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"{url}/healthz") == "000"
        assert await scraped(tmp_path, url.removeprefix("https://"), running) == [1.0]
        primary = Primary(url, site="alpha", token=TOKEN, tls=client_context(tmp_path / "ca.pem"))
        assert (await primary.ask(within_s=WITHIN_S)).has_figures
        hashsight = (sys.executable, "-m", "agent", "curtail")
        assert "stop it with" in await said(*hashsight, "start", "--config", str(config), "--for", "10m", "--id", "x")
        listed = await said(
            *(*hashsight, "list", "--url", url, "--token-file", str(tmp_path / "viewer.token")),
            *("--ca-file", str(tmp_path / "ca.pem")),
        )
        assert "x" in listed.split()[0]
        doctor = await said(sys.executable, "-m", "agent", "doctor", "--config", str(config))
        assert f"ok   port: 127.0.0.1:{port}: an agent with a login listens\n" in doctor
        assert "note agent: without a login it says neither its site nor if it is ready" in doctor
        reload = (*status, "-X", "POST", f"{url}/-/reload", "-u")
        own = ("-H", "Content-Type: application/json", "-H", f"Origin: {url}")
        assert await said(*reload, "scraper:scraperscraper", *own) == "403"
        assert await said(*reload, "anna:annaanna") == "415"
        assert await said(*reload, "anna:annaanna", *own) == "200"
        config.write_text(text.replace("interval_s = 1", "interval_s = 0"), encoding="utf-8")
        refused = await said(*curl, "-X", "POST", f"{url}/-/reload", "-H", f"Authorization: Bearer {TOKEN}")
        assert "poll.interval_s" in refused
        before = await serial(url)
        Authority(tmp_path, "ca").sign("server", address="127.0.0.1")
        assert await serial(url) != before
        secret(tmp_path / "web.yml", "tls_server_config: {}\n")
        numbers = await said(*curl, "-u", "anna:annaanna", f"{url}/metrics/site")
        assert "miner_agent_web_config_last_reload_successful 0.0" in numbers
        assert "annaanna" not in running.said


async def serial(url: str) -> str:
    """Return the certificate that a server shows."""
    host, _, port = url.removeprefix("https://").partition(":")
    return await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)))
