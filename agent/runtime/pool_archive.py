"""Closed windows of credited hashrate in the site's history, for the reader of pools' accounts."""

from collections.abc import Iterable

from agent.errors import HistoryError
from agent.history.credits import PoolCredit
from agent.history.keeper import History
from agent.history.reader import read_history
from agent.site.credited.windows import Window

READ_S = 10.0


class PoolArchive:
    """An archive over a history that a thread of its own writes.

    Args:
        history: The history.
    """

    def __init__(self, history: History) -> None:
        self._history = history

    def known(self, account: str, window_s: int, start: int) -> set[int]:
        """Return the Unix times at which the kept windows of an account begin, from `start` on, s.

        Raises:
            HistoryError: The file cannot be read now.
        """
        # Those that wait first: one that is written in between is then in both, not in neither.
        known = [*self._history.waiting_credits(), *self._written(start)]
        return {
            each.window.start
            for each in known
            if each.account == account and each.window.window_s == window_s and each.window.start >= start
        }

    def keep(self, account: str, windows: Iterable[Window], fetched: float) -> None:
        """Keep windows that were read at Unix time `fetched`, s."""
        self._history.record_credits(PoolCredit(account, window, int(fetched)) for window in windows)

    def _written(self, start: int) -> list[PoolCredit]:
        try:
            reader = read_history(self._history.path)
        except HistoryError as error:
            if error.reason in {"absent", "older"}:
                return []
            raise
        try:
            reader.interrupt_after(READ_S)
            return reader.pool_credits(start, float("inf"))
        finally:
            reader.close()
