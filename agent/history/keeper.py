"""History in the running agent: the event loop queues rows and changes, and one thread writes them to disk.

Nothing here can stop polling. While the disk is full or another process holds the file, up to `MAX_PENDING` rows wait
in memory for the next attempt. A damaged file is moved aside, its readable rows are copied, and a new file begins.
Failures are counted, and logged when they change.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from agent.errors import HistoryError
from agent.history.chain.heads import SignedHead
from agent.history.chain.links import Fact
from agent.history.credits import PoolCredit
from agent.history.future import SetAside
from agent.history.heads import Heads, key_file
from agent.history.health import Health
from agent.history.minutes import Minute, Row, Values
from agent.history.state_changes import Change
from agent.history.writer import HistoryWriter, move_aside, write_history
from agent.site.repairs.entries import RepairEntry

log = structlog.get_logger(__name__)

# Six hours of a site with 40 containers, or all changes when a fleet of 10,000 is curtailed; about 20 MB.
MAX_PENDING = 20_000
MAX_HEARD = 100
RETRY_S = 30.0
STOP_S = 2.0
# Writes between two checks of the whole file: an hour at one a minute. A check takes a second at 400 days.
CHECK_EVERY = 60
KEEP_DAYS = 400
MAX_BYTES = 2048 << 20


class _Pending(NamedTuple):
    """One item to write: the site's values, a container's values, or a change."""

    site: Values | None = None
    container: tuple[str, Values] | None = None
    owner: tuple[str, Values] | None = None
    change: Change | None = None
    fact: Fact | None = None


class History:
    """The history of one site, written in a thread of its own.

    Args:
        path: The history file; its folder must exist.
        site: The site's name.
        zone: The time zone of its calendar months, by IANA name.
        keep_days: How long rows are kept, days.
        max_bytes: Target limit for the size of the file.
        key_path: The file of the key that signs the chain's heads; None for the one beside the history.
        version: Version of the agent's software, named by heads.
        other_agents: Ids of keys with which other agents of this site sign.
        wall: Returns Unix time, s.

    Attributes:
        health: Counters and state; safe to read from any thread.
    """

    def __init__(
        self,
        path: Path,
        *,
        site: str,
        zone: str,
        keep_days: float = KEEP_DAYS,
        max_bytes: int = MAX_BYTES,
        key_path: Path | None = None,
        version: str = "",
        other_agents: Collection[str] = (),
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.health = Health()
        self._site, self._zone = site, zone
        self._keep_days, self._max_bytes = keep_days, max_bytes
        self._wall = wall
        self._pending: deque[_Pending] = deque()
        self._repairs: dict[int, RepairEntry] = {}
        self._credits: dict[tuple[str, int, int], PoolCredit] = {}
        self._heard: deque[tuple[SignedHead, str, bool]] = deque()
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._is_stopping = False
        self._thread: threading.Thread | None = None
        self._file: HistoryWriter | None = None
        self._unchecked = 0
        self._heads = Heads(
            path,
            key_path=key_path or key_file(path),
            site=site,
            zone=zone,
            version=version,
            other_agents=other_agents,
            health=self.health,
            wall=wall,
        )
        self._said: tuple[Mapping[str, str], Mapping[str, int]] = ({}, {})

    def record_site(self, row: Row) -> None:
        """Queue one row of the site for the next `flush`."""
        self._add(_Pending(site=row.values()))

    def record_container(self, container: str, row: Row) -> None:
        """Queue one row of a container."""
        self._add(_Pending(container=(container, row.values())))

    def record_owner(self, owner: str, row: Row) -> None:
        """Queue one row of an owner."""
        self._add(_Pending(owner=(owner, row.values())))

    def record_fact(self, kind: str, at: float, **body: Any) -> None:
        """Queue a fact for the chain, to be written at once unless writing fails: facts are rare.

        Args:
            kind: Its name.
            at: Unix time, s.
            body: Its fields, JSON's types only.
        """
        self._add(_Pending(fact=Fact(kind, int(at), body)))
        if self.health.is_writing:
            self._wanted.set()

    def record_change(self, change: Change) -> None:
        """Queue a change: a unit entered or left a state."""
        self._add(_Pending(change=change))

    def record(self, minutes: Iterable[Minute]) -> None:
        """Queue whole minutes and wake the writing thread."""
        for minute in minutes:
            self.record_site(minute.site)
            for container, row in minute.containers.items():
                self.record_container(container, row)
            for owner, row in minute.owners.items():
                self.record_owner(owner, row)
            self._wanted.set()

    def record_repairs(self, entries: Iterable[RepairEntry], *, wakes: bool = False) -> None:
        """Queue entries of the walk list, each in place of what waits of it already.

        Args:
            entries: As they are now.
            wakes: True to write them at once, not with the minute.
        """
        with self._lock:
            for entry in entries:
                self._repairs[entry.id] = entry
            while len(self._repairs) > MAX_PENDING:
                del self._repairs[next(iter(self._repairs))]
                self.health.dropped += 1
        if wakes:
            self._wanted.set()

    def record_credits(self, windows: Iterable[PoolCredit]) -> None:
        """Queue windows of pools; one that waits already stays as it is."""
        with self._lock:
            for each in windows:
                self._credits.setdefault((each.account, each.window.start, each.window.window_s), each)
            while len(self._credits) > MAX_PENDING:
                del self._credits[next(iter(self._credits))]
                self.health.dropped += 1
        self._wanted.set()

    def hear_head(self, signed: SignedHead, by: str, is_retained: bool) -> None:  # noqa: FBT001  a callback's signature
        """Queue a head that a broker has of this site, to be held against the chain with the next write.

        It wakes no thread, and those that came first stay: anyone who may publish there may do so at any rate.

        Args:
            signed: The head.
            by: The broker's name.
            is_retained: True if the broker had retained it; False for one that an agent published just now.
        """
        with self._lock:
            if len(self._heard) < MAX_HEARD:
                self._heard.append((signed, by, is_retained))

    def waiting_credits(self) -> tuple[PoolCredit, ...]:
        """Return the windows of pools that are not on the disk yet."""
        with self._lock:
            return tuple(self._credits.values())

    def _add(self, item: _Pending) -> None:
        with self._lock:
            self._pending.append(item)
            if len(self._pending) > MAX_PENDING:
                self._pending.popleft()
                self.health.dropped += 1
            self.health.pending = len(self._pending)

    def start(self) -> None:
        """Start the writing thread. It is a daemon, so a disk that hangs cannot keep the process alive."""
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Write what is pending and close the file, or give up after `timeout_s`."""
        self._is_stopping = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                log.error("history not closed in time", pending=self.health.pending)
                return
        self.close()

    def _run(self) -> None:
        while True:
            # Flush once more after a stop: rows may have been queued while the last flush was running.
            is_last = self._is_stopping
            self.flush()
            if is_last:
                if self._file is not None:
                    self._heads.stopped(self._file)
                    self._say()
                return
            self._wanted.wait(timeout=RETRY_S if self.health.pending or self._repairs or self._credits else None)
            self._wanted.clear()

    def flush(self) -> bool:
        """Write what is pending. On failure it stays pending.

        Returns:
            True on success.
        """
        try:
            self._flush()
        except HistoryError as error:
            self._fail(error)
            return False
        except Exception as error:
            log.exception("history failed")
            self._fail(HistoryError("unwritable", f"{self.path}: {error}"))
            return False
        if not self.health.is_writing:
            log.info("history is written", file=str(self.path), pending=self.health.pending)
        self.health.is_writing, self.health.trouble = True, None
        self.health.written_at = self._wall()
        return True

    def _flush(self) -> None:
        if self._file is not None and not self._file.is_in_place:
            log.warning("history file was moved away", file=str(self.path))
            self.close()
        file = self._file = self._file or self._open()
        with self._lock:
            batch, repairs, credits_ = list(self._pending), dict(self._repairs), dict(self._credits)
        file.write(
            site=(item.site for item in batch if item.site is not None),
            containers=(item.container for item in batch if item.container is not None),
            owners=(item.owner for item in batch if item.owner is not None),
            changes=(item.change for item in batch if item.change is not None),
            facts=(item.fact for item in batch if item.fact is not None),
            repairs=repairs.values(),
            pool_credits=credits_.values(),
        )
        with self._lock:
            for number, entry in repairs.items():
                if self._repairs.get(number) is entry:
                    del self._repairs[number]
            for key in credits_:
                self._credits.pop(key, None)
            # Some may have been dropped from the front meanwhile; they were written all the same.
            while self._pending and batch and self._pending[0] is not batch[0]:
                batch.pop(0)
            for _ in batch:
                self._pending.popleft()
            self.health.pending = len(self._pending)
        self.health.written += len(batch) + len(repairs) + len(credits_)
        self._note(file.tidy(now=self._wall(), keep_days=self._keep_days, max_bytes=self._max_bytes))
        self.health.doubts["altered"] += file.altered
        file.altered = 0
        self._heads.written(file)
        while self._heard:
            with self._lock:
                signed, by, is_retained = self._heard.popleft()
            self._heads.judge(file, signed, by=by, is_retained=is_retained)
        self._say()
        self.health.size_bytes = file.size_bytes
        self._unchecked += 1
        if self._unchecked >= CHECK_EVERY:
            self._unchecked = 0
            file.check()

    def _open(self) -> HistoryWriter:
        try:
            file = self._claimed(write_history(self.path))
        except HistoryError as error:
            if error.reason != "damaged":
                raise
            self.health.errors["damaged"] += 1
            file = self._replace_damaged(error)
        try:
            self._heads.opened(file)
        except BaseException:
            file.close()
            raise
        self._say()
        return file

    def _say(self) -> None:
        """Log what changed about the chain's heads."""
        troubles, doubts = dict(self.health.head_troubles), dict(self.health.doubts)
        troubles_before, doubts_before = self._said
        for part in sorted(troubles.keys() | troubles_before.keys()):
            if part not in troubles:
                log.info("history heads are kept again", part=part)
            elif troubles[part] != troubles_before.get(part):
                log.error("history heads cannot be kept", part=part, error=troubles[part])
        for reason, times in doubts.items():
            if times > doubts_before.get(reason, 0):
                log.error("history is in doubt", reason=reason, file=str(self.path), times=times)
        self._said = troubles, doubts

    def _claimed(self, file: HistoryWriter) -> HistoryWriter:
        try:
            self._note(file.claim(site=self._site, zone=self._zone, now=self._wall()))
        except BaseException:
            file.close()
            raise
        return file

    def _note(self, aside: SetAside) -> None:
        """Count and log what was set aside because a clock was wrong."""
        if not any(aside):
            return
        self.health.set_aside += aside.rows + aside.changes
        log.warning("history from the future", file=str(self.path), **aside._asdict())

    def _replace_damaged(self, error: HistoryError) -> HistoryWriter:
        aside = move_aside(self.path, now=self._wall())
        file = self._claimed(write_history(self.path))
        rows = file.salvage(aside)
        file.write(facts=[self._heads.salvaged(rows, aside)])
        log.error("history was damaged and begins anew", error=str(error), kept=str(aside), rows_taken_over=rows)
        return file

    def _fail(self, error: HistoryError) -> None:
        """Count a failure and log it if it is new. The next attempt opens a fresh connection."""
        self.health.errors[error.reason] += 1
        if self.health.is_writing is not False or self.health.trouble != str(error):
            log.error("history cannot be written", reason=error.reason, error=str(error), pending=self.health.pending)
        self.health.is_writing, self.health.trouble = False, str(error)
        self.close()

    def close(self) -> None:
        """Close the file. A later `flush` opens it again."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
