"""A fleet as a process: its start, its reload, its end."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from fleet_cases import fleet_setup, site
from patience import PATIENT_S
from structlog.testing import capture_logs

from agent.errors import AgentError
from agent.fleet.service import FleetService
from agent.fleet.setup import load_fleet_setup


class Manager:
    """A service manager that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def notify(self, *assignments: str) -> None:
        """Keep it."""
        self.heard.extend(assignments)

    async def watch(self, progress: Callable[[], float]) -> None:
        """Look once."""
        assert progress() >= 0


async def test_it_serves_until_it_is_stopped(tmp_path: Path) -> None:
    """The service manager hears when it is ready and when it stops; credentials in the clear are told once."""
    token = tmp_path / "token"
    token.write_text("s3cret" * 3, encoding="ascii")
    token.chmod(0o600)
    manager = Manager()
    service = FleetService(
        fleet_setup(tmp_path, site("a", "http://127.0.0.1:1", token_file=token.name)), manager=manager
    )
    with capture_logs() as logs:
        running = asyncio.create_task(service.run())
        async with asyncio.timeout(PATIENT_S):
            while "READY=1" not in manager.heard:  # noqa: ASYNC110  the manager sets no event
                await asyncio.sleep(0.01)
        assert service.served_at is not None
        service.stop.set()
        await running
    assert manager.heard == ["READY=1", "STOPPING=1"]
    assert [each["event"] for each in logs if each["event"].startswith(("fleet", "credentials"))] == [
        "fleet started",
        "credentials without tls",
        "fleet stopped",
    ]


async def test_an_address_that_is_taken_is_told_with_its_key(tmp_path: Path) -> None:
    """The key is that of this file, not an agent's."""
    taken = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with taken:
        port = taken.sockets[0].getsockname()[1]
        setup = fleet_setup(tmp_path, site("a", "http://a:1"))
        setup.path.write_text(setup.path.read_text().replace(":0", f":{port}"), encoding="utf-8")
        service = FleetService(load_fleet_setup(setup.path), manager=Manager())
        with pytest.raises(AgentError, match=rf"another program holds 127.0.0.1:{port} \(fleet.listen\)"):
            await service.run()


@pytest.mark.parametrize(
    ("text", "sites", "said"),
    [
        (site("b", "http://b:1"), ["b"], ["reloaded"]),
        ("[[site]]\nname = 'b'", ["a"], ["reload refused"]),
        ("[[site]]\nname = 'b'\nurl = 'x'\nuser = 'u'", ["a"], ["reload refused"]),
        (f"[fleet]\nlisten = '127.0.0.1:9999'\n{site('b', 'http://b:1')}", ["a"], ["reload refused"]),
        (f"[fleet]\nlisten = '127.0.0.1:0'\nmax_connections = 9\n{site('b', 'http://b:1')}", ["a"], ["reload refused"]),
    ],
)
async def test_a_reload_is_all_or_nothing(tmp_path: Path, text: str, sites: list[str], said: list[str]) -> None:
    """A mistake, or a change of a socket in use, leaves the old file in force and says why."""
    setup = fleet_setup(tmp_path, site("a", "http://a:1"))
    service = FleetService(setup, manager=Manager())
    head = "" if text.startswith("[fleet]") else '[fleet]\nlisten = "127.0.0.1:0"\n'
    setup.path.write_text(head + text, encoding="utf-8")
    with capture_logs() as logs:
        await service.reload()
    assert [each["event"] for each in logs] == said
    assert [view.name for view in service.watch.views()] == sites
