"""Facts of the ledger: another one in force, and which units were added, removed or changed."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.runtime.fact_log import FactLog
from agent.runtime.ledger_rows import LedgerRows
from agent.runtime.setup import Setup
from agent.site.ledger.file import journal_end
from agent.site.ledger.row_changes import MOST_NAMED, RowChanges, row_changes, row_digests


class LedgerFacts:
    """Compares ledgers, in threads.

    Args:
        facts: Where facts go.
        setup: Returns the setup in force.
    """

    def __init__(self, facts: FactLog, setup: Callable[[], Setup]) -> None:
        self._facts, self._setup = facts, setup
        config = setup().config
        self._rows = LedgerRows(config.ledger_rows_path(setup().path))
        self._reloads: list[tuple[float, Setup, Setup]] = []
        self._begun_with: Setup | None = None

    async def begin(self, before: str | None, at: float) -> None:
        """Record the ledger in force if it differs from the one that was told last.

        Args:
            before: Digest of that one; None without one.
            at: Unix time of the start, s.
        """
        self._begun_with = setup = self._setup()
        if before != setup.ledger.digest:
            rows = await asyncio.to_thread(row_digests, setup.watched.entries)
            earlier = None if before is None else await asyncio.to_thread(self._read, before)
            await self._tell(at, before, setup, rows, earlier)

    def note(self, at: float, before: Setup, fresh: Setup) -> None:
        """Note a reload at Unix time `at`, s; `tell` compares."""
        self._reloads.append((at, before, fresh))

    async def tell(self) -> None:
        """Record what reloads changed."""
        reloads, self._reloads = self._reloads, []
        # A reload while the past was read is told already, as part of the start.
        done = next((number for number, each in enumerate(reloads, start=1) if each[2] is self._begun_with), 0)
        self._begun_with = None if reloads else self._begun_with
        for at, before, fresh in reloads[done:]:
            earlier, rows = [await asyncio.to_thread(row_digests, setup.watched.entries) for setup in (before, fresh)]
            await self._tell(at, before.ledger.digest, fresh, rows, earlier)

    async def _tell(
        self,
        at: float,
        before: str | None,
        setup: Setup,
        rows: dict[str, bytes],
        earlier: dict[str, bytes] | None,
    ) -> None:
        changes = None if earlier is None else row_changes(earlier, rows)
        entries, digest = setup.watched.at(at), setup.ledger.digest
        self._facts.record(
            "ledger",
            at,
            digest=digest,
            before=before,
            units=len(entries),
            deployed_hs=sum(entry.nameplate.hashrate_hs for entry in entries),
            journal=await asyncio.to_thread(self._journal_hash, setup.config.ledger.file),
            **_named(changes),
        )
        try:
            await asyncio.to_thread(self._rows.write, digest, rows)
        except OSError as error:
            self._facts.fail("ledger rows", f"{self._rows.path}: {error.strerror}")

    def _journal_hash(self, ledger: Path) -> str | None:
        """Return the hash after the last line of the ledger's journal; None without one."""
        try:
            return journal_end(ledger).hash or None
        except OSError as error:
            self._facts.fail("ledger journal", f"{ledger}: {error.strerror}")
            return None

    def _read(self, digest: str) -> dict[str, bytes] | None:
        try:
            return self._rows.read(digest)
        except (OSError, ValueError) as error:
            self._facts.fail("ledger rows", f"{self._rows.path}: {error}")
            return None


def _named(changes: RowChanges | None) -> dict[str, Any]:
    """Return the lists and counts of a ledger's changes; all are None where the rows of before are not known."""
    if changes is None:
        return dict.fromkeys(each for name in RowChanges._fields for each in (name, f"{name}_count"))
    lists = changes._asdict()
    return {name: list(ids[:MOST_NAMED]) for name, ids in lists.items()} | {
        f"{name}_count": len(ids) for name, ids in lists.items()
    }
