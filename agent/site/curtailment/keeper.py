"""The file of ordered curtailments in the running agent: read at the start, locked, and replaced with every change.

The file is read without its lock, so that `hashsight once` works beside a running agent. It is read again once the lock
is taken: another agent may have written it since.
"""

import asyncio
from contextlib import suppress
from pathlib import Path

import structlog

from agent.errors import ConfigError
from agent.files.lock import FileLock
from agent.site.curtailment.file import KeptOrders, StateError, read_orders, write_orders

log = structlog.get_logger("agent.curtailment")


class OrderKeeper:
    """Keeps the orders of one site on disk; only one process at a time writes the file.

    Args:
        path: The file.
        site: The site's name.

    Attributes:
        is_kept: True if the orders are on disk; None until the first attempt to write them.
    """

    def __init__(self, path: Path, *, site: str) -> None:
        self.path = path
        self.is_kept: bool | None = None
        self._site = site
        self._held: FileLock | None = None
        self._found: KeptOrders | None = None
        self._trouble = ""
        self._is_damaged = False

    def read(self) -> KeptOrders:
        """Return what the file keeps; nothing if it is damaged, which is logged.

        Raises:
            ConfigError: The file is another site's.
        """
        try:
            orders = read_orders(self.path, site=self._site)
        except StateError as error:
            if not self._is_damaged:
                log.error("curtailments forgotten", file=str(self.path), error=str(error))  # noqa: TRY400 - our file, no bug
            self.is_kept, self._is_damaged = False, True
            return KeptOrders()
        self._is_damaged = False
        return orders

    async def claim(self) -> KeptOrders | None:
        """Take the lock, unless it is held already; returns what the file keeps if it was taken now, else None.

        Raises:
            OSError: The lock cannot be taken. It is a `BlockingIOError` if another agent holds it.
        """
        if self._held is None:
            await asyncio.to_thread(self._lock_and_read)
        # A caller that was cancelled meanwhile leaves it to the next one.
        found, self._found = self._found, None
        return found

    def _lock_and_read(self) -> None:
        held = FileLock(self.path)
        try:
            self._found = self.read()
        except ConfigError as error:
            held.close()
            raise OSError(str(error)) from error
        self._held = held

    async def write(self, orders: KeptOrders) -> bool:
        """Replace the file, which must be claimed; returns False if that failed, which is logged."""
        try:
            await asyncio.to_thread(self._replace, orders)
        except OSError as error:
            self.fail(error.strerror or str(error))
            return False
        self.is_kept, self._trouble = True, ""
        return True

    def fail(self, reason: str) -> None:
        """Record that orders cannot be kept, and log the reason if it is a new one."""
        self.is_kept = False
        if reason != self._trouble:
            log.error("curtailments not kept", file=str(self.path), error=reason)
        self._trouble = reason

    def _replace(self, orders: KeptOrders) -> None:
        if self._is_damaged:
            # Kept for a look at what was in it.
            with suppress(FileNotFoundError):
                self.path.replace(self.path.with_name(f"{self.path.name}.bad"))
            self._is_damaged = False
        write_orders(self.path, orders, site=self._site)

    def close(self) -> None:
        """Release the lock."""
        held, self._held = self._held, None
        if held is not None:
            held.close()
