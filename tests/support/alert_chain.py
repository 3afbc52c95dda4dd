"""The shipped rules and Alertmanager configuration, sped up 60 times, and a receiver of notifications."""

import contextlib
import json
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from aiohttp import web
from paths import ROOT
from programs import Program, free_port, get, program, until

FASTER = 60
RULES = ("site.yml", "alerts.yml")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Notified(NamedTuple):
    """One alert in one notification."""

    status: str
    alert: str
    container: str


class Receiver:
    """The notifications received, by path (``page`` or ``ticket``), and the summaries of alerts that paged.

    Attributes:
        leaves_out: Names of alerts to overlook.
    """

    def __init__(self) -> None:
        self.address = ""
        self.notifications: dict[str, list[list[Notified]]] = {"page": [], "ticket": []}
        self.summaries: list[str] = []
        self.leaves_out: frozenset[str] = frozenset()

    @property
    def pages(self) -> list[list[Notified]]:
        """The notifications that page an operator, each with its alerts."""
        return self.notifications["page"]

    def clear(self) -> None:
        """Forget the pages so far."""
        self.pages.clear()
        self.summaries.clear()

    async def take(self, request: web.Request) -> web.Response:
        """Take in one notification."""
        body = await request.json()
        alerts = [
            Notified(alert["status"], alert["labels"]["alertname"], alert["labels"].get("container", ""))
            for alert in body["alerts"]
        ]
        alerts = [each for each in alerts if each.alert not in self.leaves_out]
        if not alerts:
            return web.Response(status=204)
        self.notifications[request.match_info["kind"]].append(alerts)
        if request.match_info["kind"] == "page":
            self.summaries += [
                alert["annotations"]["summary"]
                for alert in body["alerts"]
                if alert["status"] == "firing" and alert["labels"]["alertname"] not in self.leaves_out
            ]
        return web.Response(status=204)


@contextlib.asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Listen for notifications on a free loopback port."""
    taken = Receiver()
    app = web.Application()
    app.router.add_post("/{kind:page|ticket}", taken.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        taken.address = f"{host}:{port}"
        yield taken
    finally:
        await runner.cleanup()


def faster(duration: str) -> str:
    """Return a duration divided by `FASTER`, in whole seconds and at least one."""
    return f"{max(1, int(duration[:-1]) * _UNITS_S[duration[-1]] // FASTER)}s"


def hurried_rules(text: str) -> str:
    """Return a rule file with every duration divided: ranges, subqueries, ``for`` and intervals."""

    def divided(found: re.Match[str]) -> str:
        return re.sub(r"\d+[smhd]\b", lambda duration: faster(duration[0]), found[0])

    text = re.sub(r"\[\d+[smhd](?::\d+[smhd])?\]", divided, text)
    return re.sub(r"^ *(?:for|interval): \d+[smhd]$", divided, text, flags=re.MULTILINE)


@contextlib.asynccontextmanager
async def alertmanager(folder: Path, pager: str, *, wait: str = "1s") -> AsyncIterator[tuple[str, Program]]:
    """Run a real Alertmanager with the shipped configuration; only waits and receiver addresses are replaced."""
    shutil.copy(ROOT / "deploy/alertmanager.tmpl", folder)
    text = (ROOT / "deploy/alertmanager.yml").read_text(encoding="utf-8")
    text = text.replace("https://alerts.example", f"http://{pager}")
    text = re.sub(r"(group_wait|group_interval): \d+[sm]", rf"\1: {wait}", text)
    (folder / "alertmanager.yml").write_text(text, encoding="utf-8")
    async with run_alertmanager(folder) as running:
        yield running


@contextlib.asynccontextmanager
async def run_alertmanager(folder: Path, *options: str) -> AsyncIterator[tuple[str, Program]]:
    """Run a real Alertmanager with the configuration in `folder`; yield its address and the process."""
    address = f"127.0.0.1:{free_port()}"
    command = ("prometheus-alertmanager", f"--config.file={folder / 'alertmanager.yml'}")
    data = (f"--storage.path={folder / 'alertmanager'}", f"--web.listen-address={address}")
    async with program(
        *command, *data, "--cluster.listen-address=", *options, log=folder / "alertmanager.log"
    ) as running:
        await until(_is_ready(f"http://{address}"), running)
        yield address, running


@contextlib.asynccontextmanager
async def ruling_prometheus(folder: Path, target: str, alerts_to: str) -> AsyncIterator[tuple[Program, str]]:
    """Run a real Prometheus that scrapes `target` and evaluates the sped-up rules every second."""
    rules = []
    for name in RULES:
        path = folder / name
        path.write_text(hurried_rules((ROOT / "grafana/rules" / name).read_text(encoding="utf-8")), encoding="utf-8")
        rules.append(str(path))
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": rules,
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alerts_to]}]}]},
        "scrape_configs": [{"job_name": "hashsight", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.json").write_text(json.dumps(config), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = ("prometheus", f"--config.file={folder / 'prometheus.json'}", f"--storage.tsdb.path={folder / 'tsdb'}")
    options = (f"--web.listen-address={address}", "--rules.alert.resend-delay=1s")
    async with program(*command, *options, log=folder / "prometheus.log") as running:
        await until(_is_ready(f"http://{address}"), running)
        yield running, f"http://{address}"


def _is_ready(url: str) -> Callable[[], Awaitable[bool]]:
    async def is_ready() -> bool:
        return (await get(f"{url}/-/ready"))[0] == 200

    return is_ready
