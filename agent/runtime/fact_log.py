"""The way of facts into history's chain: checked before they are queued, and logged once if they cannot be made."""

import time
from collections.abc import Callable
from typing import Any

import structlog

from agent.history.chain.links import Fact, fact_body
from agent.history.recorder import Recorder

log = structlog.get_logger("agent")


class FactLog:
    """Queues facts.

    Args:
        recorder: The history; None where none is kept, and then nothing is recorded.
        wall: Returns Unix time, s.
    """

    def __init__(self, recorder: Recorder | None, *, wall: Callable[[], float] = time.time) -> None:
        self._recorder, self._wall = recorder, wall
        self._failed: set[str] = set()

    def record(self, kind: str, at: float | None = None, **body: Any) -> None:
        """Queue a fact of Unix time `at`, s; of now by default."""
        if self._recorder is None:
            return
        at = self._wall() if at is None else at
        try:
            # In the queue, one that cannot be written would keep all behind it from the disk.
            fact_body(Fact(kind, int(at), body)).encode()
        except (TypeError, ValueError) as error:
            self.fail(kind, str(error))
            return
        self._recorder.history.record_fact(kind, at, **body)

    def fail(self, kind: str, reason: str) -> None:
        """Log why a kind of fact cannot be made, once."""
        if kind not in self._failed:
            self._failed.add(kind)
            log.warning("fact not made", kind=kind, reason=reason)
