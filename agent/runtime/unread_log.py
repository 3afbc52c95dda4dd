"""Fields of units' replies that no reader uses, as log lines: once for each name of a firmware."""

import time
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from agent.site.unread import UnreadBook, UnreadFigures
from agent.unit.reading import Identity
from agent.unit.unread import Unread

log = structlog.get_logger("agent.units")

LINES_AN_INTERVAL: Final = 20
NAMES_A_LINE: Final = 16


class UnreadLog:
    """Keeps which fields no reader uses, and logs those of a firmware that are new.

    Args:
        wall: Returns Unix time, s.
    """

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._book = UnreadBook()
        self._lines = 0
        self._unlogged = 0

    def note(self, unit_id: str, identity: Identity, unread: Unread) -> None:
        """Take in what a look at one unit's replies found."""
        news = self._book.note(unit_id, identity, unread, at=self._wall())
        if news is None:
            return
        if self._lines >= LINES_AN_INTERVAL:
            self._unlogged += len(news.fields)
            return
        self._lines += 1
        log.info(
            "unread fields",
            model=news.of.model,
            firmware=news.of.firmware,
            unit=unit_id,
            fields=[f"{field.report}: {field.path}" for field in news.fields[:NAMES_A_LINE]],
            more=max(0, len(news.fields) - NAMES_A_LINE) + unread.more,
        )

    def forget(self, unit_ids: Iterable[str]) -> None:
        """Drop units that left the ledger."""
        self._book.forget(unit_ids)

    def figures(self) -> UnreadFigures:
        """Return the unread fields by firmware."""
        return self._book.figures()

    def close_interval(self) -> None:
        """Log how many more names there were than were logged, and start the next interval."""
        if self._unlogged:
            log.info("more unread fields", fields=self._unlogged)
        self._lines = self._unlogged = 0
