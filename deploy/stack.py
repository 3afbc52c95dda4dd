"""Run the whole stack natively: simulated units, an agent, Prometheus with the shipped rules, and Alertmanager.

This is ``make stack``. Everything listens on loopback, on fixed high ports (or free ones if those are taken), writes to
``.run/stack``, begins without the state of an earlier run, and ends with Ctrl-C or with its terminal. Notifications of
Alertmanager are printed. Needs the project's environment; Prometheus and Alertmanager come from Debian's packages and
are left out if not installed.
"""

import argparse
import asyncio
import contextlib
import fcntl
import http.server
import json
import secrets
import shutil
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from agent.commands.demo_programs import DemoError, local_links, reserved_port
from agent.commands.rules import write_rules

ROOT = Path(__file__).resolve().parents[1]
START_S, STOP_S = 60.0, 5.0
ALERTMANAGERS = ("prometheus-alertmanager", "alertmanager")  # Debian's name, and upstream's
# The host of the webhooks that the shipped configuration has in place of receivers.
PLACEHOLDER = "alerts.example"

# Everything that a run writes into its folder. Nothing else there is touched.
STATE = ("*.log", "alertmanager*", "api.token", "ledger.csv", "prometheus*", "site.*")

SITE = """\
# Written by deploy/stack.py; deploy/site.example.toml explains every key.
[site]
name = "stack"
count_simulated = true
[ledger]
file = "ledger.csv"
[poll]
interval_s = {interval_s:g}
slow_every = 6
[web]
listen = "{listen}"
{alertmanager}[api]
token_file = "api.token"
"""


class StackError(Exception):
    """A program did not start, a shipped file lacks an expected text, or the folder is in use."""


def say(text: str) -> None:
    """Print at once; a terminal that is gone stops nothing."""
    with contextlib.suppress(OSError):
        print(text, flush=True)  # noqa: T201  the program's output


@contextlib.contextmanager
def fresh(folder: Path) -> Iterator[None]:
    """Hold the folder for the block, without the state of an earlier run.

    Raises:
        StackError: Another run uses the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(f"another run uses {folder}; end it, or choose another --folder") from None
        for pattern in STATE:
            for path in folder.glob(pattern):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        yield


def adapted(path: Path, changes: dict[str, str]) -> str:
    """Return the text of a shipped file with texts replaced; each must occur."""
    text = path.read_text(encoding="utf-8")
    for before, after in changes.items():
        if before not in text:
            raise StackError(f"{path.name} has no {before!r} any more")
        text = text.replace(before, after)
    return text


@contextlib.asynccontextmanager
async def running(folder: Path, name: str, *command: str, address: str) -> AsyncIterator[None]:
    """Run a program for the block, which begins once it listens; its output goes to a log."""
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        await _until_open(name, process, address, log)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def _until_open(name: str, process: asyncio.subprocess.Process, address: str, log: Path) -> None:
    host, port = address.rsplit(":", 1)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_S):
            while process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection(host, int(port))
                except OSError:
                    await asyncio.sleep(0.05)
                    continue
                writer.close()
                await writer.wait_closed()
                return
    raise StackError(f"{name} does not listen on {address}: {_last_lines(log)}")


def _last_lines(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " / ".join(lines[-3:]) or "no output"


class Pager(http.server.BaseHTTPRequestHandler):
    """Webhook that prints the notifications of Alertmanager."""

    timeout = 5

    def do_POST(self) -> None:
        """Print one line for each alert."""
        notification = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.send_response(204)
        self.end_headers()
        for alert in notification.get("alerts", []):
            summary = alert["annotations"].get("summary", "")
            say(f"  {self.path.strip('/'):7} {alert['status']:8} {summary} ({alert['labels']['alertname']})")

    def log_message(self, *_: object) -> None:
        """Do not log requests."""


@contextlib.contextmanager
def pager() -> Iterator[str]:
    """Run the webhook; yield its address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pager) as server:
        thread = threading.Thread(target=server.serve_forever, name="pager", daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


async def stack(options: argparse.Namespace) -> None:
    """Start everything, print the addresses, wait for the end, and stop everything."""
    folder: Path = options.folder
    stop = asyncio.Event()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as started:
        units, control, listen, prometheus, alertmanager = (
            f"127.0.0.1:{started.enter_context(reserved_port('127.0.0.1', port))}"
            for port in (14028, 18028, 19184, 19090, 19093)
        )
        farm = ("farm", "--units", str(options.units), "--seed", str(options.seed), "--port", units.rsplit(":", 1)[1])
        ledger = ("--no-pages", "--control", control, "--ledger-out", str(folder / "ledger.csv"))
        module = (sys.executable, "-m")
        await started.enter_async_context(
            running(folder, "simulators", *module, "simulators", *farm, *ledger, address=control)
        )
        # Before the agent, whose wall asks it.
        write_rules(folder / "rules", local_links(folder / "rules"))
        alerting = await _alertmanager(started, folder, alertmanager)
        config = _configure_agent(folder, options.interval, listen, alertmanager if _program(*ALERTMANAGERS) else None)
        watching = ("agent", "run", "--config", str(config))
        await started.enter_async_context(running(folder, "agent", *module, *watching, address=listen))
        lines = [f"status page    http://{listen}/", f"what is true   http://{control}/truth"]
        lines += alerting
        lines += await _prometheus(
            started, folder, prometheus, agent=listen, alertmanager=alertmanager, interval_s=options.interval
        )
        lines += [f"logs, config   {folder}", "Ctrl-C ends all of it. Alerts appear below."]
        say("\n".join(lines))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(options.seconds):
                await stop.wait()
    say("ended")


def _configure_agent(folder: Path, interval_s: float, listen: str, alertmanager: str | None) -> Path:
    """Write the agent's configuration; its wall asks the Alertmanager at that address, if there is one."""
    config, token = folder / "site.toml", folder / "api.token"
    asked = "" if alertmanager is None else f'alertmanager = "http://{alertmanager}"\n'
    config.write_text(SITE.format(interval_s=interval_s, listen=listen, alertmanager=asked), encoding="utf-8")
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32), encoding="utf-8")
    return config


def _program(*names: str) -> str | None:
    return next(filter(None, map(shutil.which, names)), None)


async def _alertmanager(started: contextlib.AsyncExitStack, folder: Path, address: str) -> list[str]:
    program = _program(*ALERTMANAGERS)
    if program is None:
        return ["Alertmanager   not installed: sudo apt-get install prometheus-alertmanager"]
    receiver = started.enter_context(pager())
    config = folder / "rules/alertmanager/alertmanager.yml"
    config.write_text(adapted(config, {f"https://{PLACEHOLDER}": f"http://{receiver}"}), encoding="utf-8")
    command = (
        program,
        f"--config.file={config}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    )
    await started.enter_async_context(running(folder, "alertmanager", *command, address=address))
    return [f"Alertmanager   http://{address}/"]


async def _prometheus(
    started: contextlib.AsyncExitStack, folder: Path, address: str, *, agent: str, alertmanager: str, interval_s: float
) -> list[str]:
    program = _program("prometheus")
    if program is None:
        return ["Prometheus     not installed: sudo apt-get install prometheus"]
    # Prometheus durations have no fractions.
    interval = f"{round(interval_s * 1000)}ms"
    changes = {
        "127.0.0.1:9184": agent,
        "127.0.0.1:9093": alertmanager,
        "scrape_interval: 15s": f"scrape_interval: {interval}",
        "scrape_timeout: 10s": f"scrape_timeout: {interval}",
        "evaluation_interval: 15s": f"evaluation_interval: {interval}",
        "../grafana/rules": str(folder / "rules"),
    }
    config = folder / "prometheus.yml"
    config.write_text(adapted(ROOT / "deploy/prometheus.yml", changes), encoding="utf-8")
    command = (
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    )
    await started.enter_async_context(running(folder, "prometheus", *command, address=address))
    return [f"Prometheus     http://{address}/"]


def main() -> int:
    """Parse the options and run; return the exit status."""
    parser = argparse.ArgumentParser(description="The whole stack on this machine, on loopback.")
    parser.add_argument("--units", type=int, default=300, help="simulated units")
    parser.add_argument("--seed", type=int, default=1, help="random seed")
    parser.add_argument("--interval", type=float, default=5, help="seconds between polls, and between scrapes")
    parser.add_argument("--seconds", type=float, default=None, help="stop after this time; default: on Ctrl-C")
    parser.add_argument("--folder", type=Path, default=ROOT / ".run/stack", help="folder for all files")
    options = parser.parse_args()
    try:
        with fresh(options.folder):
            asyncio.run(stack(options))
    except (StackError, DemoError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
