"""Notifications to the service manager: ready, progress, stopping.

Source: sd_notify(3), sd_watchdog_enabled(3). Newline-separated assignments in one datagram to the socket named by
NOTIFY_SOCKET, where a leading ``@`` stands for the abstract namespace; WATCHDOG_USEC, for the process WATCHDOG_PID.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping

import structlog

log = structlog.get_logger(__name__)


class ServiceManager:
    """systemd, if it started this process: without NOTIFY_SOCKET nothing is sent.

    Args:
        environment: This process' environment.

    Attributes:
        watchdog_s: The longest allowed time between two watchdog notifications, s; None without a watchdog.
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
        """Send assignments such as ``READY=1``. A manager that cannot be reached is logged; the agent continues."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as wire:
                wire.sendto("\n".join(assignments).encode(), self._address)
        except OSError as error:
            log.warning("service manager not told", told=assignments, error=str(error))

    async def watch(self, progress: Callable[[], float]) -> None:
        """Notify the watchdog three times a period, if there was progress since the last time, until cancelled.

        Args:
            progress: Returns a number that grows with real work; a timer would prove nothing.
        """
        if self.watchdog_s is None:
            return
        notified: float | None = None
        while True:
            reached = progress()
            if notified is None or reached > notified:
                self.notify("WATCHDOG=1")
                notified = reached
            await asyncio.sleep(self.watchdog_s / 3)
