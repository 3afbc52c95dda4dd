"""The programs of the demonstration: started on free loopback ports, listened to until they are there, ended by id."""

import asyncio
import json
import re
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from agent.errors import AgentError

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 4.0

CHECKOUT = Path(__file__).resolve().parents[2]
RULES = CHECKOUT / "grafana/rules"
ALERTMANAGER = CHECKOUT / "deploy/alertmanager.yml"
ALERTMANAGER_NAMES = ("prometheus-alertmanager", "alertmanager")  # Debian's name for it, and its own

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
    """A program of the demonstration did not come up."""


@asynccontextmanager
async def simulators(folder: Path, *, units: int, seed: int) -> AsyncIterator[tuple[str, int]]:
    """Run a farm; gives the address at which it tells the truth about itself, and the port of its units' web pages."""
    arguments = ["farm", "--units", str(units), "--seed", str(seed), "--ledger-out", str(folder / "ledger.csv")]
    # It takes free ports itself and says which: one that was free when somebody looked may be another's by now.
    arguments += ["--port", "0", "--http-port", "0", "--control", "127.0.0.1:0"]
    log_file = folder / "simulators.log"
    async with _program([sys.executable, "-m", "simulators", *arguments], log_file) as process:
        said = await _until_said(r"^web pages \S+:(\d+)/\ncontrol (\S+)\n", process, log_file)
        yield said[2], int(said[1])


async def start_prometheus(programs: AsyncExitStack, folder: Path, *, listen: str, interval_s: float) -> list[str]:
    """Run what is installed of a Prometheus that scrapes the agent and an Alertmanager behind it.

    The shipped rules are in force, and Alertmanager runs, where this is a checkout; an installed package has neither.

    Args:
        programs: Ends them.
        folder: Where they write.
        listen: The agent's address.
        interval_s: Between two scrapes.

    Returns:
        What runs, and where, a line each.
    """
    prometheus = shutil.which("prometheus")
    if prometheus is None:
        return []
    alerts_to: list[str] = []
    alertmanager = next(filter(None, map(shutil.which, ALERTMANAGER_NAMES)), None)
    if alertmanager is not None and ALERTMANAGER.is_file():
        alerts_to = [await programs.enter_async_context(_alertmanager(alertmanager, folder))]
    graphs = await programs.enter_async_context(
        _prometheus(prometheus, folder, listen=listen, interval_s=interval_s, alerts_to=alerts_to)
    )
    return [f"Prometheus     http://{graphs}/", *(f"Alertmanager   http://{address}/" for address in alerts_to)]


@asynccontextmanager
async def _prometheus(
    program: str, folder: Path, *, listen: str, interval_s: float, alerts_to: list[str]
) -> AsyncIterator[str]:
    """Run a Prometheus that scrapes the agent; gives its address."""
    config = PROMETHEUS.format(
        listen=listen,
        # Prometheus' durations have no fractions.
        interval_ms=round(interval_s * 1000),
        # JSON is YAML in which no path needs further quotes.
        rules=json.dumps([str(RULES / "*.yml")] if RULES.is_dir() else []),
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
        async with _program(command, log_file) as process:
            await _until_said("Server is ready to receive web requests", process, log_file)
            yield address


@asynccontextmanager
async def _alertmanager(program: str, folder: Path) -> AsyncIterator[str]:
    """Run an Alertmanager with the shipped configuration; gives its address."""
    # Who would be called is not in a demonstration: its receivers stay, and tell nobody.
    config = re.sub(
        r"^    webhook_configs:\n(?:      .*\n)+", "", ALERTMANAGER.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    (folder / "alertmanager.yml").write_text(config, encoding="utf-8")
    with reserved_port("127.0.0.1", 0) as port:
        address = f"127.0.0.1:{port}"
        command = [
            program,
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
        ]
        log_file = folder / "alertmanager.log"
        async with _program(command, log_file) as process:
            await _until_said("Listening on", process, log_file)
            yield address


@asynccontextmanager
async def _program(command: list[str], log_file: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program in a session of its own, so that Ctrl-C reaches it through us alone, and end it by its id.

    Where util-linux is installed, the kernel ends it should this process be killed and end nothing any more.
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
            # Cancelled in mid-start, this must not lose a program that is there already.
            yield await asyncio.shield(starting)
        finally:
            await _end(await starting)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _until_said(words: str, process: asyncio.subprocess.Process, log_file: Path) -> re.Match[str]:
    """Wait until a program says that it is there; its port may be open because it is another's.

    Args:
        words: Regular expression of what it says then.
        process: The program.
        log_file: Where it says it.

    Raises:
        DemoError: It ended, or says nothing of the kind in time; with the end of what it said.
    """
    loop = asyncio.get_running_loop()
    latest = loop.time() + START_TIMEOUT_S
    while process.returncode is None and loop.time() < latest:
        said = re.search(words, _said_so_far(log_file), re.MULTILINE)
        if said is not None:
            return said
        await asyncio.sleep(0.05)
    raise DemoError(f"{log_file.stem} did not start: {_last_words(log_file)}")


def _said_so_far(log_file: Path) -> str:
    return log_file.read_text(encoding="utf-8", errors="replace")


def _last_words(log_file: Path) -> str:
    said = _said_so_far(log_file).strip().splitlines()[-5:]
    return " / ".join(said) or "it said nothing"


@contextmanager
def reserved_port(host: str, wanted: int) -> Iterator[int]:
    """Hold `wanted` on `host`, or any free port if it is not free, for a program that is yet to listen there.

    On Linux who is bound and does not listen leaves the port to those that set SO_REUSEADDR, as all of our programs do,
    and keeps it from everybody who asks for any free port.

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
