"""A fleet as a process: agents asked and pages served until stopped; the file read again on request, whole or not."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from agent import __version__
from agent.errors import ConfigError, Mistake
from agent.fleet.asking import session
from agent.fleet.passing import MAX_PASSED, Passing
from agent.fleet.server import FleetServer
from agent.fleet.setup import FleetSetup, load_fleet_setup, warn_of_open_credentials
from agent.fleet.watch import Watch

log = structlog.get_logger("agent.fleet")

FIXED_KEYS = ("listen", "max_connections", "web_config_file")
"""Keys of sockets in use, and of the file that the door watches itself; a reload that changes one is refused whole."""


class Manager(Protocol):
    """The service manager, such as systemd."""

    def notify(self, *assignments: str) -> None:
        """Send assignments such as ``READY=1``."""

    async def watch(self, progress: Callable[[], float]) -> None:
        """Notify of progress until cancelled; `progress` returns a number that grows with real work."""


class FleetService:
    """One fleet, watched and served.

    Args:
        setup: Checked.
        manager: The service manager that hears of start, progress and end.

    Attributes:
        watch: Its sites.
        stop: Set it to end `run`.
        reload_wanted: Set it to have the file read again.
        served_at: Address and port while it runs.
    """

    def __init__(self, setup: FleetSetup, *, manager: Manager) -> None:
        self._manager = manager
        self.watch = Watch(setup)
        self.stop = asyncio.Event()
        self.reload_wanted = asyncio.Event()
        self.served_at: tuple[str, int] | None = None

    async def run(self) -> None:
        """Ask and serve until `stop` is set."""
        setup = self.watch.setup
        log.info("fleet started", version=__version__, fleet=setup.config.fleet.name, sites=len(setup.sites))
        warn_of_open_credentials(setup)
        async with (
            session(connections=MAX_PASSED) as client,
            FleetServer(self.watch, Passing(client)).serve() as self.served_at,
            asyncio.TaskGroup() as tasks,
        ):
            running = [
                tasks.create_task(self.watch.run(), name="watch"),
                tasks.create_task(self._reload_when_wanted(), name="reload"),
                tasks.create_task(self._manager.watch(self.watch.progress), name="watchdog"),
            ]
            self._manager.notify("READY=1")
            await self.stop.wait()
            self._manager.notify("STOPPING=1")
            for task in running:
                task.cancel()
        log.info("fleet stopped")

    async def reload(self) -> None:
        """Read the file again and put it in force, or keep the old one and log why."""
        before = self.watch.setup
        try:
            setup = await asyncio.to_thread(load_fleet_setup, before.path, web_config_file=before.web_config_file)
            _refuse_fixed(before, setup)
        except ConfigError as error:
            for mistake in error.mistakes:
                # Not with a traceback: the mistake is in the file.
                log.error("reload refused", mistake=str(mistake))  # noqa: TRY400
            return
        self.watch.replace(setup)
        log.info("reloaded", sites=len(setup.sites))
        warn_of_open_credentials(setup)

    async def _reload_when_wanted(self) -> None:
        while True:
            await self.reload_wanted.wait()
            self.reload_wanted.clear()
            await self.reload()


def _refuse_fixed(before: FleetSetup, after: FleetSetup) -> None:
    mistakes = []
    for key in FIXED_KEYS:
        old, new = getattr(before.config.fleet, key), getattr(after.config.fleet, key)
        if old != new:
            reason = f"cannot change while running (it is {old}); restart the fleet server"
            mistakes.append(Mistake(file=str(after.path), where=f"fleet.{key}", value=str(new), reason=reason))
    if mistakes:
        raise ConfigError(mistakes)
