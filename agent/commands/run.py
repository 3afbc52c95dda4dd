"""`hashsight run`: the agent, until SIGTERM."""

import os
from pathlib import Path

from agent.app import Agent
from agent.commands.site_file import site_file
from agent.commands.terminal import exit_codes
from agent.runtime import garbage, logs
from agent.runtime.process import forbid_core_dumps, run_loop, run_until_signalled
from agent.runtime.setup import Setup, load_setup
from agent.runtime.systemd import ServiceManager


def run(config: Path | None, *, web_config_file: Path | None) -> None:
    """Run the agent until SIGTERM."""
    with exit_codes():
        forbid_core_dumps()
        garbage.pause()
        setup = load_setup(site_file(config, "run"), web_config_file=web_config_file)
        logs.set_up(setup.config.log.level, setup.config.log.format)
        logs.catch_strays()
        try:
            run_loop(_run(setup))
        finally:
            logs.let_go()


async def _run(setup: Setup) -> None:
    await run_until_signalled(Agent(setup, manager=ServiceManager(os.environ)))
