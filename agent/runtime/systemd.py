"""What the service manager is told: that the agent is ready, that it makes progress, that it ends.

Documented: sd_notify(3), sd_watchdog_enabled(3): newline-separated assignments in one datagram to the socket named by
NOTIFY_SOCKET, where a leading ``@`` stands for the abstract namespace; WATCHDOG_USEC, for the process WATCHDOG_PID.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping

import structlog

log = structlog.get_logger(__name__)


class ServiceManager:
    """systemd, or nobody: without NOTIFY_SOCKET everything here does nothing.

    Args:
        environment: The process' own.

    Attributes:
        watchdog_s: Within how many seconds it wants to hear of progress; None when it does not.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        period, owner = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
        is_ours = owner in {"", str(os.getpid())}
        self.watchdog_s = (
            int(period) / 1e6 if is_ours and self._address and period.isdecimal() and int(period) else None
        )

    def notify(self, *assignments: str) -> None:
        """Send assignments such as ``READY=1``; a manager that cannot be reached is logged, and no reason to stop."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as wire:
                wire.sendto("\n".join(assignments).encode(), self._address)
        except OSError as error:
            log.warning("service manager not told", told=assignments, error=str(error))

    async def watch(self, progress: Callable[[], float]) -> None:
        """Tell of progress until cancelled, thrice a period, and only where there was some since last told.

        Args:
            progress: Gives a number that grows whenever real work is done; a timer of its own would prove nothing.
        """
        if self.watchdog_s is None:
            return
        told: float | None = None
        while True:
            reached = progress()
            if told is None or reached > told:
                self.notify("WATCHDOG=1")
                told = reached
            await asyncio.sleep(self.watchdog_s / 3)
