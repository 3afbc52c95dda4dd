"""What is to be published, kept until a broker has it: on the disk, and in memory while the disk fails.

    put -> file -> take -> (published, acknowledged) -> settle -> (acknowledged still, a while later) -> forgotten
             '-> memory, where the file cannot be written: full disk, damage, read-only folder

Messages leave in the order in which they came. What is in memory is younger than everything in the file, and goes into
the file as soon as that can be written again.

A broker acknowledges a message before it is on its own disk: killed then, it takes what it acknowledged with it.
Observed: eight messages of 65,000, through 50 SIGKILLs of a mosquitto that saves at every change. So a message is
forgotten when the broker still acknowledges others `grace_s` later, and until then sent again after a lost connection;
consumers know it by its number. One that cannot be deleted, because a full disk refuses even that, is remembered and
not sent again by this process.

On a full disk a ballast file beside the outbox is given up, so that what is in it can still be drained.

Nothing here raises, and nothing here knows of an event loop: it is called in one thread, a broker's own.
"""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from agent.errors import OUTBOX_REASONS, OutboxError
from agent.exporters.mqtt.outbox_file import (
    Kind,
    Message,
    OutboxFile,
    move_aside,
    none_of_any_kind,
    open_outbox,
    salvage,
)

log = structlog.get_logger(__name__)

MEMORY_BYTES = 8 << 20
BALLAST_BYTES = 1 << 20
RETRY_S = 10.0
_AT_ONCE = 500
_NEARLY_FULL = 0.9


@dataclass(slots=True, kw_only=True)
class Health:
    """How an outbox does; read it anywhere.

    Attributes:
        trouble: Why the file cannot be written, in words; None while it can.
        in_file, in_memory: Messages waiting.
        file_bytes: Of the file, pages in use.
        dropped: Messages given up for want of room, by kind; every kind is there.
        errors: Failures by reason; every reason is there.
    """

    trouble: str | None = None
    in_file: int = 0
    in_memory: int = 0
    file_bytes: int = 0
    dropped: Counter[str] = field(default_factory=none_of_any_kind)
    errors: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(OUTBOX_REASONS, 0)))


@dataclass(slots=True, eq=False)
class Taken:
    """A message that waits, or is being published.

    Attributes:
        message: What and where to.
        key: Its id in the file; None while it is in memory.
    """

    message: Message
    key: int | None


class Outbox:
    """Messages for one broker.

    Args:
        path: The file; its folder has to be there.
        max_bytes: What the file should not outgrow.
        clock: Monotonic clock, s.
        wall: Unix time, s.
        memory_bytes: What waits in memory at most, while the file cannot be written.
        grace_s: A message is forgotten when another is acknowledged so long after it; in memory at once.

    Attributes:
        health: How it does.
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
        self.health = Health()
        self._memory_bytes, self._grace_s = memory_bytes, grace_s
        self._clock, self._wall = clock, wall
        self._ballast = path.with_name(f"{path.name}.ballast")
        self._file: OutboxFile | None = None
        self._retry_at = float("-inf")
        self._memory: deque[Taken] = deque()
        self._memory_used = 0
        # In the file, taken out: up to here; those of them that were acknowledged, and when; and those to be deleted.
        self._taken_to = 0
        self._acknowledged: deque[tuple[float, int]] = deque()
        self._settled: set[int] = set()
        self._taken_in_memory = 0
        self._is_damaged = False
        # Topics that are kept, or no longer, of which the file does not know yet.
        self._unkept: dict[str, bool] = {}

    def put(self, messages: Sequence[Message], kept: Mapping[str, bool] | None = None) -> None:
        """Take messages in, in this order.

        Args:
            messages: To be delivered.
            kept: Topics of which the broker keeps something from now on, or nothing any more; see `kept`.
        """
        for message in messages:
            self._memory.append(Taken(message, None))
            self._memory_used += message.size_bytes
        self.flush()
        while self._memory_used > self._memory_bytes:
            self._forget_one()
        self._unkept.update(kept or {})
        self._write_kept()
        self._count()

    def flush(self) -> None:
        """Write what waits in memory into the file, as far as that goes; one that fails is left alone for a while."""
        while self._memory:
            if self._acknowledged and self.health.file_bytes > _NEARLY_FULL * self.max_bytes:
                # Better these than what was never acknowledged.
                self.confirm()
            file = self._usable()
            if file is None:
                return
            batch = [self._memory[place] for place in range(min(_AT_ONCE, len(self._memory)))]
            try:
                ids, dropped = file.insert([taken.message for taken in batch])
            except OutboxError as error:
                self._fail(error)
                return
            for taken, key in zip(batch, ids, strict=True):
                taken.key = key
                self._memory.popleft()
                self._memory_used -= taken.message.size_bytes
                if key is None:
                    self.health.dropped[taken.message.kind.label] += 1
            self._count_dropped(dropped)
            # What was being published out of memory goes on being so out of the file.
            moved = min(self._taken_in_memory, len(batch))
            self._taken_in_memory -= moved
            if moved:
                self._taken_to = max([self._taken_to, *(key for key in ids[:moved] if key is not None)])
            self._recover()

    def take(self, limit: int) -> list[Taken]:
        """Give the next messages, oldest first, at most `limit`; each once until it is settled or put back."""
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
        # What is in memory is younger; while older messages cannot be read, it would overtake them.
        if file is not None or self.health.in_file == 0:
            while len(found) < limit and self._taken_in_memory < len(self._memory):
                found.append(self._memory[self._taken_in_memory])
                self._taken_in_memory += 1
        return found

    def settle(self, acknowledged: Iterable[Taken]) -> None:
        """Take note of messages that the broker acknowledged, and forget those that it did a while ago."""
        now = self._clock()
        for taken in acknowledged:
            if taken.key is not None:
                self._acknowledged.append((now, taken.key))
            elif taken in self._memory:
                place = self._memory.index(taken)
                del self._memory[place]
                self._memory_used -= taken.message.size_bytes
                self._taken_in_memory -= place < self._taken_in_memory
        self._forget(until=now - self._grace_s)

    def confirm(self) -> None:
        """Forget all that was acknowledged: the broker is well."""
        self._forget(until=self._clock())

    def _forget(self, *, until: float) -> None:
        while self._acknowledged and self._acknowledged[0][0] <= until:
            self._settled.add(self._acknowledged.popleft()[1])
        self._delete_settled()
        self._count()

    def put_back(self) -> None:
        """Have everything that was taken and is not forgotten taken again: the connection is gone."""
        self._taken_to = 0
        self._taken_in_memory = 0
        self._acknowledged.clear()
        self._count()

    def kept(self) -> frozenset[str] | None:
        """Give the topics of which the broker keeps something, of this run's or earlier ones'; None when not known."""
        file = self._usable()
        if file is None:
            return None
        try:
            return file.kept()
        except OutboxError as error:
            self._fail(error)
            return None

    def _write_kept(self) -> None:
        """Put down what `put` was told of topics that are kept; what cannot be written waits for the next time."""
        file = self._usable() if self._unkept else None
        if file is None:
            return
        try:
            file.note_kept(self._unkept)
        except OutboxError as error:
            self._fail(error)
        else:
            self._unkept.clear()

    def close(self) -> None:
        """Write what can be written, and close the file; what is in memory alone is gone."""
        self._retry_at = float("-inf")
        self.flush()
        self._write_kept()
        if self._memory:
            log.error("mqtt messages lost: they could not be written", file=str(self.path), messages=len(self._memory))
        self._delete_settled()
        self._close()

    def _usable(self) -> OutboxFile | None:
        """Give the open file, opening it where that may be tried again."""
        if self._file is not None and not self._file.is_in_place:
            log.warning("mqtt outbox was moved away", file=str(self.path))
            self._close()
        if self._file is None and self._clock() >= self._retry_at:
            try:
                self._file = self._open()
            except OutboxError as error:
                self._fail(error)
                # Nobody knows when it comes back: what is in memory goes out, and the file's messages late.
                self.health.in_file = 0
            else:
                self._taken_to = 0
                self._acknowledged.clear()
                self._settled.clear()
                self._keep_ballast()
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
        kept = 0
        try:
            saved = list(salvage(aside))
            for start in range(0, len(saved), _AT_ONCE):
                ids, dropped = file.insert(saved[start : start + _AT_ONCE])
                self._count_dropped(dropped)
                kept += sum(key is not None for key in ids)
        except OutboxError:
            file.close()
            raise
        log.error("mqtt outbox was damaged and begins anew", kept=str(aside), messages=kept)
        return file

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _fail(self, error: OutboxError) -> None:
        """Count a failure; log it when it is news."""
        self.health.errors[error.reason] += 1
        if self.health.trouble is None:
            log.error("mqtt outbox cannot be written", reason=error.reason, error=str(error))
        self.health.trouble = str(error)
        if error.reason == "full" and self._file is not None:
            # It can still be read, and drained.
            self._give_up_ballast()
            return
        # Damage that shows while the file is open is looked into at once, everything else after a while.
        self._is_damaged = error.reason == "damaged" and self._file is not None
        self._retry_at = self._clock() + (0.0 if self._is_damaged else RETRY_S)
        self._close()

    def _recover(self) -> None:
        if self.health.trouble is not None:
            self.health.trouble = None
            log.info("mqtt outbox is written again", file=str(self.path))
        self._keep_ballast()

    def _delete_settled(self) -> None:
        if not self._settled or self._file is None:
            return
        for _ in range(2):
            try:
                self._file.delete(self._settled)
            except OutboxError as error:
                is_full = error.reason == "full" and self._ballast.exists()
                self._fail(error)
                if not is_full:
                    return
            else:
                self._settled.clear()
                return

    def _keep_ballast(self) -> None:
        """Reserve some room, while there is plenty."""
        with suppress(OSError):
            if self._ballast.exists():
                return
            room = os.statvfs(self.path.parent)
            if room.f_bavail * room.f_frsize > 4 * BALLAST_BYTES:
                with self._ballast.open("wb") as ballast:
                    os.posix_fallocate(ballast.fileno(), 0, BALLAST_BYTES)

    def _give_up_ballast(self) -> None:
        with suppress(OSError):
            self._ballast.unlink(missing_ok=True)

    def _forget_one(self) -> None:
        """Drop the oldest message of the kind least needed from memory."""
        place = min(range(len(self._memory)), key=lambda place: self._memory[place].message.kind)
        taken = self._memory[place]
        del self._memory[place]
        self._taken_in_memory -= place < self._taken_in_memory
        self._memory_used -= taken.message.size_bytes
        self.health.dropped[taken.message.kind.label] += 1

    def _count_dropped(self, dropped: Iterable[tuple[Kind, int]]) -> None:
        for kind, count in dropped:
            self.health.dropped[kind.label] += count

    def _count(self) -> None:
        self.health.in_memory = len(self._memory)
        if self._file is not None:
            self.health.in_file = max(0, self._file.messages - len(self._settled) - len(self._acknowledged))
            with suppress(OutboxError):
                self.health.file_bytes = self._file.used_bytes
