"""`hashsight demo`: the whole path on one machine, against simulated units on real sockets.

The simulators, and Prometheus and Alertmanager if installed, are separate programs. This command starts them on free
loopback ports, runs the agent in its own process, and stops all of it together. The figures are not scripted: they come
from the replies of the simulated units.
"""

import asyncio
import signal
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from agent.address import Endpoint, parse_endpoint
from agent.app import Agent
from agent.commands.demo_programs import reserved_port, simulators, start_alertmanager, start_prometheus
from agent.commands.machine_output import write_lines
from agent.commands.site_summary import headline, site_fields, site_summary
from agent.commands.terminal import FAILED, err, exit_codes, out, usage_error
from agent.runtime import logs
from agent.runtime.process import run_loop, run_until_signalled
from agent.runtime.setup import Setup, load_setup

SITE = "demo"

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
{alertmanager}
[log]
level = "error"
"""


def demo(*, units: int, interval_s: float, listen: str, seed: int, seconds: float | None, as_json: bool) -> None:
    """Run simulators and agent until a signal, or for some seconds."""
    with exit_codes():
        try:
            host, port = parse_endpoint(listen)
        except ValueError as error:
            raise usage_error("demo", "--listen", listen, str(error)) from error
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
                        as_json=as_json,
                    )
                )
        except asyncio.CancelledError:
            raise typer.Exit(FAILED) from None


async def _demo(
    folder: Path,
    *,
    units: int,
    interval_s: float,
    listen: Endpoint,
    seed: int,
    seconds: float | None,
    as_json: bool,
) -> None:
    _cancel_on_signals()
    async with AsyncExitStack() as programs:
        with err.status(f"starting {units} simulated units"):
            control, web_port = await programs.enter_async_context(simulators(folder, units=units, seed=seed))
        port = programs.enter_context(reserved_port(listen.host, listen.port))
        address = Endpoint(listen.host, port)
        with err.status("starting Alertmanager"):
            alertmanager = await start_alertmanager(programs, folder)
        config = CONFIG.format(
            site=SITE,
            interval_s=f"{interval_s:g}",
            listen=address,
            web_port=web_port,
            alertmanager="" if alertmanager is None else f'alertmanager = "http://{alertmanager}"\n',
        )
        (folder / "site.toml").write_text(config, encoding="utf-8")
        setup = load_setup(folder / "site.toml")
        lines = [
            f"status page    http://{address}/",
            f"metrics        http://{address}/metrics",
            f"what is true   {control}",
        ]
        with err.status("starting Prometheus"):
            lines += await start_prometheus(
                programs, folder, listen=str(address), interval_s=interval_s, alerts_to=alertmanager
            )
        lines.append("Ctrl-C stops all of it." if seconds is None else f"Stops after {seconds:g} s.")
        await _watch(setup, "\n".join(lines), seconds, as_json=as_json)


def _cancel_on_signals() -> None:
    """Cancel this task on SIGTERM and SIGHUP, so that a signal during start-up also stops the programs."""
    task = asyncio.current_task()
    if task is not None:
        for signal_number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(signal_number, task.cancel)


class _Shown:
    """An agent that SIGHUP stops: its terminal was closed, and there is nothing to reload."""

    def __init__(self, agent: Agent) -> None:
        self.stop = self.reload_wanted = agent.stop
        self._agent = agent

    async def run(self) -> None:
        await self._agent.run()


async def _watch(setup: Setup, addresses: str, seconds: float | None, *, as_json: bool) -> None:
    """Run the agent and show its figures: redrawn in place on a terminal, else one line per interval."""
    logs.set_up(setup.config.log.level, setup.config.log.format)
    logs.catch_strays()
    agent = Agent(setup)
    if seconds is not None:
        asyncio.get_running_loop().call_later(seconds, agent.stop.set)
    if as_json:
        err.print(addresses, markup=False, soft_wrap=True)
        agent.timer.on_figures = lambda figures: write_lines([msgspec.json.encode(site_fields(SITE, figures)).decode()])
        await run_until_signalled(_Shown(agent))
        return
    if not out.is_terminal:
        out.print(addresses, markup=False, soft_wrap=True)
        agent.timer.on_figures = lambda figures: out.print(headline(SITE, figures.site), soft_wrap=True)
        await run_until_signalled(_Shown(agent))
        return
    with Live(console=out, auto_refresh=False) as view:
        view.update(Group(Text(addresses), "", "first round of polls is running"), refresh=True)
        agent.timer.on_figures = lambda figures: view.update(
            Group(Text(addresses), "", site_summary(SITE, figures, agent.loss_lines(figures))), refresh=True
        )
        await run_until_signalled(_Shown(agent))
