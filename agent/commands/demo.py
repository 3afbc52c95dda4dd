"""`hashsight demo`: the whole journey on one machine, against simulated units that speak over real sockets.

The simulators, and Prometheus where it is installed, are programs of their own; this command starts them on free
loopback ports, runs the agent in its own process, and ends all of it together. Nothing here knows what the figures
will be: they come out of what the simulated units answer.
"""

import asyncio
import re
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from agent import logs
from agent.address import Endpoint, parse_endpoint
from agent.app import Agent
from agent.commands.summary import headline, site_summary
from agent.commands.terminal import FAILED, err, exit_codes, out
from agent.errors import AgentError, ConfigError, Mistake
from agent.process import run_loop, run_until_signalled
from agent.setup import Setup, load_setup

SITE = "demo"
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 4.0

CONFIG = """\
# Written by `hashsight demo`; deploy/site.example.toml explains every key.
[site]
name = "{site}"
count_simulated = true

[ledger]
file = "ledger.csv"

[poll]
interval_s = {interval_s}
slow_every = 6

[identity]
web_port = {web_port}

[web]
listen = "{listen}"

[log]
level = "error"
"""

PROMETHEUS = """\
global:
  scrape_interval: {interval_s}s
scrape_configs:
  - job_name: hashsight
    static_configs:
      - targets: ["{listen}"]
"""


class DemoError(AgentError):
    """A program of the demonstration did not come up."""


def demo(*, units: int, interval_s: float, listen: str, seed: int, seconds: float | None) -> None:
    """Watch a simulated site.

    Args:
        units: How many simulated units.
        interval_s: Between two polls of one unit.
        listen: Where the agent serves, as HOST:PORT; another free port when that one is taken.
        seed: Of the simulated site's chance.
        seconds: End by itself after so long; None to go on until Ctrl-C.
    """
    with exit_codes():
        try:
            host, port = parse_endpoint(listen)
        except ValueError as error:
            raise ConfigError([Mistake(file="demo", where="--listen", value=listen, reason=str(error))]) from error
        try:
            with tempfile.TemporaryDirectory(prefix="hashsight-demo-") as folder:
                run_loop(
                    _demo(
                        Path(folder),
                        units=units,
                        interval_s=interval_s,
                        listen=Endpoint(str(host), port),
                        seed=seed,
                        seconds=seconds,
                    )
                )
        except asyncio.CancelledError:
            raise typer.Exit(FAILED) from None


async def _demo(
    folder: Path, *, units: int, interval_s: float, listen: Endpoint, seed: int, seconds: float | None
) -> None:
    _cancel_on_signals()
    async with AsyncExitStack() as programs:
        with err.status(f"starting {units} simulated units"):
            control, web_port = await programs.enter_async_context(_simulators(folder, units=units, seed=seed))
        address = Endpoint(listen.host, _free_port(listen.host, listen.port))
        (folder / "site.toml").write_text(
            CONFIG.format(site=SITE, interval_s=f"{interval_s:g}", listen=address, web_port=web_port), encoding="utf-8"
        )
        setup = load_setup(folder / "site.toml")
        lines = [
            f"status page    http://{address}/",
            f"metrics        http://{address}/metrics",
            f"what is true   {control}",
        ]
        prometheus = shutil.which("prometheus")
        if prometheus is not None:
            with err.status("starting Prometheus"):
                graphs = await programs.enter_async_context(
                    _prometheus(prometheus, folder, listen=str(address), interval_s=interval_s)
                )
            lines.append(f"Prometheus     http://{graphs}/")
        lines.append("Ctrl-C stops all of it." if seconds is None else f"Ends by itself after {seconds:g} s.")
        await _watch(setup, "\n".join(lines), seconds)


def _cancel_on_signals() -> None:
    """See that who is told to end while programs are still starting ends them too."""
    task = asyncio.current_task()
    if task is not None:
        for signal_number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(signal_number, task.cancel)


class _Shown:
    """An agent whose terminal may be closed: SIGHUP ends it, as there is nothing to read again."""

    def __init__(self, agent: Agent) -> None:
        self.stop = self.reload_wanted = agent.stop
        self._agent = agent

    async def run(self) -> None:
        await self._agent.run()


async def _watch(setup: Setup, addresses: str, seconds: float | None) -> None:
    """Run the agent and show its figures: redrawn on a terminal, one line an interval elsewhere."""
    logs.set_up(setup.config.log.level, setup.config.log.format)
    agent = Agent(setup)
    if seconds is not None:
        asyncio.get_running_loop().call_later(seconds, agent.stop.set)
    if not out.is_terminal:
        out.print(addresses, markup=False, soft_wrap=True)
        agent.on_figures = lambda figures: out.print(headline(SITE, figures.site), soft_wrap=True)
        await run_until_signalled(_Shown(agent))
        return
    with Live(console=out, auto_refresh=False) as view:
        view.update(Group(Text(addresses), "", "first round of polls under way"), refresh=True)
        agent.on_figures = lambda figures: view.update(
            Group(Text(addresses), "", site_summary(SITE, figures, agent.loss_lines(figures))), refresh=True
        )
        await run_until_signalled(_Shown(agent))


@asynccontextmanager
async def _simulators(folder: Path, *, units: int, seed: int) -> AsyncIterator[tuple[str, int]]:
    """Run a farm; gives the address at which it tells the truth about itself, and the port of its units' web pages."""
    arguments = ["farm", "--units", str(units), "--seed", str(seed), "--ledger-out", str(folder / "ledger.csv")]
    # It takes free ports itself and says which: one that was free when somebody looked may be another's by now.
    arguments += ["--port", "0", "--http-port", "0", "--control", "127.0.0.1:0"]
    log_file = folder / "simulators.log"
    async with _program([sys.executable, "-m", "simulators", *arguments], log_file) as process:
        said = await _until_said(r"^web pages \S+:(\d+)/\ncontrol (\S+)\n", process, log_file)
        yield said[2], int(said[1])


@asynccontextmanager
async def _prometheus(program: str, folder: Path, *, listen: str, interval_s: float) -> AsyncIterator[str]:
    """Run a Prometheus that scrapes the agent; gives its address."""
    (folder / "prometheus.yml").write_text(
        PROMETHEUS.format(listen=listen, interval_s=f"{interval_s:g}"), encoding="utf-8"
    )
    address = f"127.0.0.1:{_free_port('127.0.0.1', 0)}"
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


def _free_port(host: str, wanted: int) -> int:
    """Give `wanted` if it is free on `host`, and any free port if not."""
    for port in (wanted, 0):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            free: int = probe.getsockname()[1]
            return free
    raise DemoError(f"no free port on {host}")
