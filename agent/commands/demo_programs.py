"""The demo's child programs: started on free loopback ports, awaited until ready, and stopped by process id."""

import asyncio
import json
import re
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from agent.commands.alert_links import Links
from agent.commands.rules import has_rules, write_rules
from agent.errors import AgentError

# A program that fails exits, which is noticed at once; this bounds one that hangs, on a slow machine with other work.
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 4.0

GRAFANA = "http://127.0.0.1:3000"  # where `deploy/compose.yml` has one; the demo starts none
ALERTMANAGER_NAMES = ("prometheus-alertmanager", "alertmanager")  # Debian's name, and upstream's

PROMETHEUS = """\
global:
  scrape_interval: {interval_ms}ms
  scrape_timeout: {interval_ms}ms
  evaluation_interval: 5s
rule_files: {rules}
alerting:
  alertmanagers:
    - static_configs:
        - targets: {alertmanagers}
scrape_configs:
  - job_name: hashsight
    static_configs:
      - targets: ["{listen}"]
"""


class DemoError(AgentError):
    """A program of the demo did not start."""


@asynccontextmanager
async def simulators(folder: Path, *, units: int, seed: int) -> AsyncIterator[tuple[str, int]]:
    """Run a simulated farm; yields the address of its control API and the port of its units' web pages."""
    arguments = ["farm", "--units", str(units), "--seed", str(seed), "--ledger-out", str(folder / "ledger.csv")]
    # The farm binds port 0 and prints what it got: a port found free here could be taken before the farm binds it.
    arguments += ["--port", "0", "--http-port", "0", "--control", "127.0.0.1:0"]
    log_file = folder / "simulators.log"
    async with run_program([sys.executable, "-m", "simulators", *arguments], log_file) as process:
        ready = await until_logged(r"^web pages \S+:(\d+)/\ncontrol (\S+)\n", process, log_file)
        yield ready[2], int(ready[1])


async def start_alertmanager(programs: AsyncExitStack, folder: Path) -> str | None:
    """Write the rules, and start Alertmanager.

    Rules and Alertmanager need the files that the wheel and a checkout have. Links of alerts lead to this machine.

    Args:
        programs: Stops it on exit.
        folder: The rules, and its data and log.

    Returns:
        Its address; None where it is not installed, or Prometheus is not, which would call it.
    """
    if not has_rules():
        return None
    write_rules(folder / "rules", local_links(folder / "rules"))
    alertmanager = next(filter(None, map(shutil.which, ALERTMANAGER_NAMES)), None)
    if alertmanager is None or shutil.which("prometheus") is None:
        return None
    return await programs.enter_async_context(_alertmanager(alertmanager, folder))


async def start_prometheus(
    programs: AsyncExitStack, folder: Path, *, listen: str, interval_s: float, alerts_to: str | None
) -> list[str]:
    """Start Prometheus, scraping the agent, if it is installed.

    Args:
        programs: Stops it on exit.
        folder: Its configuration, data and log.
        listen: The agent's address.
        interval_s: Time between two scrapes.
        alerts_to: Address of Alertmanager; None without one.

    Returns:
        One line for it and for Alertmanager, each with its address; none if it is not installed.
    """
    prometheus = shutil.which("prometheus")
    if prometheus is None:
        return []
    called = [] if alerts_to is None else [alerts_to]
    graphs = await programs.enter_async_context(
        _prometheus(prometheus, folder, listen=listen, interval_s=interval_s, alerts_to=called)
    )
    return [f"Prometheus     http://{graphs}/", *(f"Alertmanager   http://{address}/" for address in called)]


def local_links(folder: Path) -> Links:
    """Return links that open on this machine, for rules written into `folder`."""
    return Links(GRAFANA, (folder.resolve() / "runbooks").as_uri())


@asynccontextmanager
async def _prometheus(
    program: str, folder: Path, *, listen: str, interval_s: float, alerts_to: list[str]
) -> AsyncIterator[str]:
    """Run a Prometheus that scrapes the agent; yields its address."""
    config = PROMETHEUS.format(
        listen=listen,
        # Prometheus durations have no fractions.
        interval_ms=round(interval_s * 1000),
        # JSON is valid YAML and quotes any path.
        rules=json.dumps([str(folder / "rules/*.yml")]),
        alertmanagers=json.dumps(alerts_to),
    )
    (folder / "prometheus.yml").write_text(config, encoding="utf-8")
    with reserved_port("127.0.0.1", 0) as port:
        address = f"127.0.0.1:{port}"
        command = [
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address={address}",
        ]
        log_file = folder / "prometheus.log"
        async with run_program(command, log_file) as process:
            await until_logged("Server is ready to receive web requests", process, log_file)
            yield address


@asynccontextmanager
async def _alertmanager(program: str, folder: Path) -> AsyncIterator[str]:
    """Run an Alertmanager with the shipped configuration; yields its address."""
    # The receivers stay but lose their webhooks: a demo must not page people.
    config = folder / "rules/alertmanager/alertmanager.yml"
    text = re.sub(r"^    webhook_configs:\n(?:      .*\n)+", "", config.read_text(encoding="utf-8"), flags=re.MULTILINE)
    config.write_text(text, encoding="utf-8")
    with reserved_port("127.0.0.1", 0) as port:
        address = f"127.0.0.1:{port}"
        command = [
            program,
            f"--config.file={config}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
        ]
        log_file = folder / "alertmanager.log"
        async with run_program(command, log_file) as process:
            await until_logged("Listening on", process, log_file)
            yield address


@asynccontextmanager
async def run_program(command: list[str], log_file: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program in its own session, so that Ctrl-C reaches only this process, and stop it by its id.

    If util-linux is installed, the kernel terminates the program when this process is killed.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is not None:
        command = [setpriv, "--pdeathsig", "TERM", "--", *command]
    with log_file.open("wb") as output:
        starting = asyncio.create_task(
            asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            ),
            name=f"start of {log_file.stem}",
        )
        try:
            # Shielded: a cancellation during the start must not lose a program that already runs.
            yield await asyncio.shield(starting)
        finally:
            await _stop(await starting)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def until_logged(pattern: str, process: asyncio.subprocess.Process, log_file: Path) -> re.Match[str]:
    """Wait until a program logs that it is ready. An open port is no proof: it may belong to another program.

    Args:
        pattern: Regular expression of its ready message.
        process: The program.
        log_file: Its output.

    Raises:
        DemoError: It exited or was not ready in time; the message quotes the end of its output.
    """
    loop = asyncio.get_running_loop()
    latest = loop.time() + START_TIMEOUT_S
    while process.returncode is None and loop.time() < latest:
        ready = re.search(pattern, _output(log_file), re.MULTILINE)
        if ready is not None:
            return ready
        await asyncio.sleep(0.05)
    raise DemoError(f"{log_file.stem} did not start: {_last_lines(log_file)}")


def _output(log_file: Path) -> str:
    return log_file.read_text(encoding="utf-8", errors="replace")


def _last_lines(log_file: Path) -> str:
    lines = _output(log_file).strip().splitlines()[-5:]
    return " / ".join(lines) or "no output"


@contextmanager
def reserved_port(host: str, wanted: int) -> Iterator[int]:
    """Reserve port `wanted` on `host`, or any free port if it is taken, for a program that will listen there.

    On Linux a socket that is bound but not listening leaves the port to programs that set SO_REUSEADDR, as all of ours
    do. It also keeps the port from being assigned to a program that binds port 0.

    Raises:
        DemoError: There is no free port.
    """
    for port in (wanted, 0):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as holder:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                holder.bind((host, port))
            except OSError:
                continue
            held: int = holder.getsockname()[1]
            yield held
            return
    raise DemoError(f"no free port on {host}")
