"""Messages to the service manager: readiness, watchdog pings tied to progress, and the end."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import PATIENT_S
from programs import CONFIG, farm, free_port, program

from agent.runtime.systemd import ServiceManager


@contextlib.contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    """Listen in place of the service manager, at a path or at an abstract address."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + address[1:] if address.startswith("@") else address)
        manager.setblocking(False)  # noqa: FBT003  The socket's own signature.
        yield manager


async def heard(manager: socket.socket) -> str:
    """Return the next datagram."""
    async with asyncio.timeout(PATIENT_S):
        return (await asyncio.get_running_loop().sock_recv(manager, 4096)).decode()


@pytest.mark.parametrize("kind", ["path", "abstract"])
async def test_sends_to_both_kinds_of_address(tmp_path: Path, kind: str) -> None:
    """A path and an abstract address both receive the assignments, one a line."""
    address = str(tmp_path / "notify") if kind == "path" else f"@hashsight-test-{os.getpid()}"
    with listening(address) as manager:
        ServiceManager({"NOTIFY_SOCKET": address}).notify("READY=1", "STATUS=up")
        assert await heard(manager) == "READY=1\nSTATUS=up"


def test_a_missing_service_manager_raises_nothing(tmp_path: Path) -> None:
    """Without a service manager nothing is sent; with one that is gone, nothing is raised."""
    ServiceManager({}).notify("READY=1")
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).notify("READY=1")


@pytest.mark.parametrize(
    ("environment", "watchdog_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, None),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "30000000"}, 30.0),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "soon"}, None),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "0"}, None),
    ],
)
def test_watchdog_is_on_for_this_process_alone(environment: dict[str, str], watchdog_s: float | None) -> None:
    """The watchdog needs a socket, a period, and this process's id or none."""
    assert ServiceManager(environment).watchdog_s == watchdog_s


async def test_no_progress_is_no_sign_of_life(tmp_path: Path) -> None:
    """The watchdog is pinged only if progress was made since the last ping."""
    address = str(tmp_path / "notify")
    looks: list[float] = []
    enough = asyncio.Event()
    steps = iter([1.0, 1.0, 1.0, 2.0])

    def progress() -> float:
        looks.append(next(steps, 2.0))
        if len(looks) == 8:
            enough.set()
        return looks[-1]

    with listening(address) as manager:
        watching = asyncio.create_task(
            ServiceManager({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "3000"}).watch(progress), name="watchdog"
        )
        await enough.wait()
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        assert [await heard(manager), await heard(manager)] == ["WATCHDOG=1", "WATCHDOG=1"]
        with pytest.raises(BlockingIOError):
            manager.recv(100)


async def test_an_agent_notifies_the_service_manager(tmp_path: Path) -> None:
    """`hashsight run` reports ready once it serves, pings the watchdog as it polls, and reports its end."""
    address = str(tmp_path / "notify")
    config = tmp_path / "site.toml"
    config.write_text(CONFIG.format(interval_s=1, port=free_port(), count_simulated="true"), encoding="utf-8")
    environment = ("env", f"NOTIFY_SOCKET={address}", "WATCHDOG_USEC=300000")
    command = (*environment, sys.executable, "-m", "agent", "run", "--config", str(config))
    async with farm(tmp_path, units=3):
        with listening(address) as manager:
            async with program(*command, log=tmp_path / "agent.log") as running:
                first = [await heard(manager) for _ in range(4)]
                assert sorted(first) == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]
                running.process.send_signal(signal.SIGTERM)
                last = ""
                while last != "STOPPING=1":
                    last = await heard(manager)
                assert await running.ended() == 0
