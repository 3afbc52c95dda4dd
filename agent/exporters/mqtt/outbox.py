"""The outbox of one broker: messages kept until the broker has them, on disk, or in memory while the disk fails.

    put -> file -> take -> (published, acknowledged) -> settle -> (still acknowledging after the grace) -> deleted
             '-> memory, while the file cannot be written: full disk, damage, read-only folder

Messages leave in the order in which they came. Messages in memory are younger than all in the file, and move into the
file as soon as it can be written again.

A broker acknowledges a message before it saves it to its own disk, so a killed broker loses some acknowledged ones.
Measured: 8 messages of 65,000, over 50 SIGKILLs of a mosquitto that saves at every change. So a message is deleted only
when the broker acknowledges others `grace_s` later. Until then it is sent again after a lost connection; consumers
recognize it by its number. A message that cannot be deleted, because the disk is too full even for that, is remembered
and not sent again by this process.

On a full disk a ballast file beside the outbox is given up, so that the outbox can still be drained.

Nothing here raises, and nothing here knows of an event loop: each broker calls its outbox from one thread.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from agent.errors import OutboxError
from agent.exporters.mqtt.ballast import Ballast
from agent.exporters.mqtt.outbox_file import Message, OutboxFile, move_aside, open_outbox, salvage
from agent.exporters.mqtt.outbox_health import OutboxHealth
from agent.exporters.mqtt.outbox_memory import OutboxMemory, Taken

log = structlog.get_logger(__name__)

MEMORY_BYTES = 8 << 20
RETRY_S = 10.0
_AT_ONCE = 500
_NEARLY_FULL = 0.9


class Outbox:
    """Messages for one broker.

    Args:
        path: The file; its folder must exist.
        max_bytes: Size that the file should not exceed.
        clock: Monotonic clock, s.
        wall: Unix time, s.
        memory_bytes: Bound on messages in memory while the file cannot be written.
        grace_s: A message in the file is deleted when another is acknowledged this long after it.

    Attributes:
        health: Message counts and trouble.
        max_bytes: As above.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int,
        clock: Callable[[], float],
        wall: Callable[[], float],
        memory_bytes: int = MEMORY_BYTES,
        grace_s: float = 0.0,
    ) -> None:
        self.path, self.max_bytes = path, max_bytes
        self.health = OutboxHealth()
        self._memory_bytes, self._grace_s = memory_bytes, grace_s
        self._clock, self._wall = clock, wall
        self._ballast = Ballast(path)
        self._file: OutboxFile | None = None
        self._retry_at = float("-inf")
        self._memory = OutboxMemory()
        # Of the messages in the file: the last id taken; (time, id) of those acknowledged; ids to be deleted.
        self._taken_to = 0
        self._acknowledged: deque[tuple[float, int]] = deque()
        self._settled: set[int] = set()
        self._is_damaged = False
        # Changes of the retained topics that the file has not recorded yet.
        self._unrecorded: dict[str, bool] = {}

    def put(self, messages: Sequence[Message], kept: Mapping[str, bool] | None = None) -> None:
        """Add messages at the end.

        Args:
            messages: To be delivered, in this order.
            kept: Changes of the retained topics: true for a topic now retained by the broker, false for one no longer.
        """
        for message in messages:
            self._memory.append(message)
        self.flush()
        while self._memory.used_bytes > self._memory_bytes:
            self.health.dropped[self._memory.drop_least().label] += 1
        self._unrecorded.update(kept or {})
        self._record_kept()
        self._count()

    def flush(self) -> None:
        """Move messages from memory into the file until one write fails; the next try comes `RETRY_S` later."""
        while self._memory:
            if self._acknowledged and self.health.file_bytes > _NEARLY_FULL * self.max_bytes:
                # Rather lose the grace of acknowledged messages than drop one that never was.
                self.confirm()
            file = self._usable()
            if file is None:
                return
            batch = self._memory.first(_AT_ONCE)
            try:
                ids, dropped = file.insert([taken.message for taken in batch])
            except OutboxError as error:
                self._fail(error)
                return
            for taken, key in zip(batch, ids, strict=True):
                taken.key = key
                if key is None:
                    self.health.dropped[taken.message.kind.label] += 1
            were_taken = self._memory.remove_first(len(batch))
            self.health.count_dropped(dropped)
            if were_taken:
                # These are being published already.
                self._taken_to = max([self._taken_to, *(key for key in ids[:were_taken] if key is not None)])
            self._recover()

    def take(self, limit: int) -> list[Taken]:
        """Take at most `limit` messages, oldest first; each is taken once until it is settled or put back."""
        found: list[Taken] = []
        file = self._usable()
        while file is not None and len(found) < limit:
            try:
                rows = file.after(self._taken_to, limit - len(found))
            except OutboxError as error:
                self._fail(error)
                break
            if not rows:
                break
            self._taken_to = rows[-1][0]
            found += [Taken(message, key) for key, message in rows if key not in self._settled]
        # Messages in memory are younger: while older ones cannot be read, they would overtake them.
        if file is not None or self.health.in_file == 0:
            found += self._memory.take(limit - len(found))
        return found

    def settle(self, acknowledged: Iterable[Taken]) -> None:
        """Record messages that the broker acknowledged, and delete those that it acknowledged `grace_s` ago."""
        now = self._clock()
        for taken in acknowledged:
            if taken.key is not None:
                self._acknowledged.append((now, taken.key))
            else:
                self._memory.remove(taken)
        self._delete_acknowledged(until=now - self._grace_s)

    def confirm(self) -> None:
        """Delete every acknowledged message: the broker is well."""
        self._delete_acknowledged(until=self._clock())

    def _delete_acknowledged(self, *, until: float) -> None:
        while self._acknowledged and self._acknowledged[0][0] <= until:
            self._settled.add(self._acknowledged.popleft()[1])
        self._delete_settled()
        self._count()

    def put_back(self) -> None:
        """Make every taken message that is not deleted available again: the connection is lost."""
        self._taken_to = 0
        self._memory.put_back()
        self._acknowledged.clear()
        self._count()

    def kept(self) -> frozenset[str] | None:
        """Return topics on which the broker retains a message of any run; None if the file cannot be read."""
        file = self._usable()
        if file is None:
            return None
        try:
            return file.kept()
        except OutboxError as error:
            self._fail(error)
            return None

    def _record_kept(self) -> None:
        """Record changes of the retained topics in the file; after a failure they wait for the next call."""
        file = self._usable() if self._unrecorded else None
        if file is None:
            return
        try:
            file.note_kept(self._unrecorded)
        except OutboxError as error:
            self._fail(error)
        else:
            self._unrecorded.clear()

    def close(self) -> None:
        """Write what can be written and close the file; messages left in memory are lost."""
        self._retry_at = float("-inf")
        self.flush()
        self._record_kept()
        if self._memory:
            log.error("mqtt messages lost: they could not be written", file=str(self.path), messages=len(self._memory))
        self._delete_settled()
        self._close()

    def _usable(self) -> OutboxFile | None:
        """Return the open file; opens it if no retry is pending."""
        if self._file is not None and not self._file.is_in_place:
            log.warning("mqtt outbox was moved away", file=str(self.path))
            self._close()
        if self._file is None and self._clock() >= self._retry_at:
            try:
                self._file = self._open()
            except OutboxError as error:
                self._fail(error)
                # The file may stay away for long: deliver from memory, and the file's messages late.
                self.health.in_file = 0
            else:
                self._taken_to = 0
                self._acknowledged.clear()
                self._settled.clear()
                self._ballast.reserve()
                self._count()
        return self._file

    def _open(self) -> OutboxFile:
        if not self._is_damaged:
            try:
                return open_outbox(self.path, max_bytes=self.max_bytes)
            except OutboxError as error:
                if error.reason != "damaged":
                    raise
                self.health.errors["damaged"] += 1
        aside = move_aside(self.path, at=self._wall())
        self._is_damaged = False
        file = open_outbox(self.path, max_bytes=self.max_bytes)
        try:
            messages = _copy_messages(aside, file, self.health)
        except OutboxError:
            file.close()
            raise
        log.error("mqtt outbox was damaged and begins anew", kept=str(aside), messages=messages)
        return file

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _fail(self, error: OutboxError) -> None:
        """Count a failure, and log it if it is the first since the last recovery."""
        self.health.errors[error.reason] += 1
        if self.health.trouble is None:
            log.error("mqtt outbox cannot be written", reason=error.reason, error=str(error))
        self.health.trouble = str(error)
        if error.reason == "full" and self._file is not None:
            # The file can still be read and drained.
            self._ballast.release()
            return
        # Damage found in an open file is handled at once, every other failure after RETRY_S.
        self._is_damaged = error.reason == "damaged" and self._file is not None
        self._retry_at = self._clock() + (0.0 if self._is_damaged else RETRY_S)
        self._close()

    def _recover(self) -> None:
        if self.health.trouble is not None:
            self.health.trouble = None
            log.info("mqtt outbox is written again", file=str(self.path))
        self._ballast.reserve()

    def _delete_settled(self) -> None:
        if not self._settled or self._file is None:
            return
        for _ in range(2):
            try:
                self._file.delete(self._settled)
            except OutboxError as error:
                # Read before `_fail`, which deletes the ballast. Without the ballast, the second try may find room.
                had_ballast = error.reason == "full" and self._ballast.exists
                self._fail(error)
                if not had_ballast:
                    return
            else:
                self._settled.clear()
                return

    def _count(self) -> None:
        self.health.in_memory = len(self._memory)
        if self._file is not None:
            self.health.in_file = max(0, self._file.messages - len(self._settled) - len(self._acknowledged))
            with suppress(OutboxError):
                self.health.file_bytes = self._file.used_bytes


def _copy_messages(damaged: Path, file: OutboxFile, health: OutboxHealth) -> int:
    """Copy what can be read of a damaged file; returns the number of messages that found room."""
    kept = 0
    saved = list(salvage(damaged))
    for start in range(0, len(saved), _AT_ONCE):
        ids, dropped = file.insert(saved[start : start + _AT_ONCE])
        health.count_dropped(dropped)
        kept += sum(1 for key in ids if key is not None)
    return kept
