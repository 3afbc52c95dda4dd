"""The snapshot of all statuses on disk: written once an interval, and taken over at the start.

A write never holds the event loop for more than a few milliseconds: units are packed in slices, and a thread compresses
and writes. It costs 1/50 of a core at most, because the next one waits for 50 times as long as the last one worked.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from agent.files.lock import FileLock
from agent.files.regular import resolved
from agent.files.snapshot import read_packed, remove_unfinished, write_packed
from agent.runtime.parts import Parts
from agent.runtime.setup import Setup
from agent.runtime.standstill import read_clocks
from agent.site.lateness import HELD_FOR_RATIO
from agent.site.remembered import Remembered
from agent.site.snapshot import READABLE, VERSION, Header, gap_since, memories, restore
from agent.slices import Slices, run_slices
from agent.text.numbers import duration_text

log = structlog.get_logger("agent")

UNITS_PER_SLICE = 250
REST_RATIO = 50
STOP_S = 2.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MARK = b"hashsight snapshot\n"


class _Body(msgspec.Struct, frozen=True, array_like=True):
    """The file: its header, and the units in lists of `UNITS_PER_SLICE`."""

    header: Header
    units: list[list[Remembered]]


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """The same with the lists packed already."""

    header: Header
    units: list[msgspec.Raw]


class _Version(msgspec.Struct, frozen=True):
    version: int


class _OnlyHeader(msgspec.Struct, frozen=True, array_like=True):
    """The beginning of the file, which every version has."""

    header: _Version


class Snapshots:
    """The snapshot of one agent.

    Args:
        setup: Returns the setup in force.
        parts: The running parts of the agent.
        wall: Returns Unix time, s.
        clock: Returns the monotonic clock, s.
        boot_s: Returns the time since the boot of the machine, s.
        boot_id: Names this boot; empty if the system does not name it.
    """

    def __init__(
        self,
        setup: Callable[[], Setup],
        parts: Parts,
        *,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        boot_s: Callable[[], float] = lambda: read_clocks().boot_s,
        boot_id: str | None = None,
    ) -> None:
        self._setup = setup
        self._tracker, self._rounds = parts.tracker, parts.rounds
        self._own = parts.fan_out.metrics.own
        self._own.restored_units = lambda: self._rounds.lateness.restored
        config = setup().config
        # A link is followed, not replaced: it may lead to a disk that is made for many writes.
        self._path = resolved(config.snapshot_path(setup().path)) if config.snapshot.keep else None
        self._lock: FileLock | None = None
        self._wall, self._clock, self._boot_s = wall, clock, boot_s
        self._boot_id = _read_boot_id() if boot_id is None else boot_id
        self._trouble: str | None = None
        self._encoder = msgspec.msgpack.Encoder()

    def restore(self) -> int:
        """Take over the statuses that an earlier process kept, if they are fit; else start empty, and log why.

        Returns:
            The number of units restored.
        """
        path = self._path
        if path is None or not self._take_lock(path):
            return 0
        try:
            remove_unfinished(path)
            data = read_packed(path)
            if data is None:
                return 0
            body, gap_s = self._checked(data)
        except OSError as error:
            return self._refuse(path, f"it cannot be read: {error.strerror}")
        except (ValueError, msgspec.MsgspecError, RecursionError) as error:
            return self._refuse(path, str(error))
        kept = (each for some in body.units for each in some)
        restored = restore(self._tracker, kept, at=self._wall(), clock_s=self._clock(), gap_s=gap_s)
        if restored:
            self._rounds.resume(gap_s=gap_s, whole_at=body.header.whole_at)
        log.info("statuses restored", units=restored, of=len(self._tracker), age_s=round(gap_s, 1), file=str(path))
        return restored

    def _refuse(self, path: Path, reason: str) -> int:
        log.warning("statuses not restored", reason=reason, file=str(path), units=len(self._tracker))
        return 0

    def _checked(self, data: bytes) -> tuple[_Body, float]:
        """Return the content and its age, s.

        Raises:
            ValueError, MsgspecError: It is not fit for this agent; the message says why.
        """
        if not data.startswith(_MARK):
            raise ValueError("it is no snapshot of hashsight")
        data = data.removeprefix(_MARK)
        version = msgspec.msgpack.decode(data, type=_OnlyHeader).header.version
        if version not in READABLE:
            raise ValueError(f"it is of version {version}; this program reads versions {READABLE[0]} to {VERSION}")
        header = msgspec.msgpack.decode(data, type=_Packed).header
        setup = self._setup()
        if header.site != setup.config.title:
            raise ValueError(f"it is of site {header.site[:80]!r}, not of {setup.config.title!r}")
        at, ledger = self._wall(), setup.watched
        gap = gap_since(header, at=at, boot_id=self._boot_id, boot_s=self._boot_s())
        if gap.trouble is not None:
            raise ValueError(gap.trouble)
        longest_s = HELD_FOR_RATIO * self._tracker.stale_after_s
        if gap.seconds >= longest_s:
            age, limit = duration_text(gap.seconds), duration_text(longest_s)
            raise ValueError(f"it is too old: {age}; the limit is {limit}")
        due = ledger.next_change_after(header.at)
        if header.ledger != setup.ledger.digest or (due is not None and due <= at):
            raise ValueError("the ledger was changed since")
        return msgspec.msgpack.decode(data, type=_Body), gap.seconds

    async def run(self) -> None:
        """Write once an interval until cancelled."""
        if self._path is None:
            return
        rest_s = 0.0
        while True:
            await asyncio.sleep(max(self._setup().config.poll.interval_s, rest_s))
            rest_s = await self._write(self._path) * REST_RATIO

    async def _write(self, path: Path) -> float:
        """Write a snapshot; return the CPU time that it took, s."""
        if not self._take_lock(path):
            return 0.0
        loop = asyncio.get_running_loop()
        data, packed_s = await run_slices(self.packed())
        done: asyncio.Future[float] = loop.create_future()

        def write() -> None:
            cpu_s, trouble = time.thread_time(), _try_to_write(path, data)
            cpu_s = time.thread_time() - cpu_s
            # After the end of the loop nobody waits for it.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._close_write, done, trouble, cpu_s)

        # A daemon: a disk that hangs must not keep the process alive.
        threading.Thread(target=write, name="snapshot", daemon=True).start()
        return packed_s + await done

    def _close_write(self, done: "asyncio.Future[float]", trouble: str | None, cpu_s: float) -> None:
        self._note(trouble)
        if not done.done():
            done.set_result(cpu_s)

    def _note(self, trouble: str | None) -> None:
        """Count the outcome of a write, and log it if it is another than before."""
        if trouble is None:
            self._own.snapshot_at = self._wall()
        else:
            self._own.snapshot_errors += 1
        if trouble is not None and trouble != self._trouble:
            log.error("snapshot not written", reason=trouble, file=str(self._path))
        elif trouble is None and self._trouble is not None:
            log.info("snapshot is written", file=str(self._path))
        self._trouble = trouble

    def packed(self) -> Slices[tuple[bytes, float]]:
        """Return the content of the file, each unit as it is when its slice is packed, and the time it took, s."""
        setup, clock_s, began, worked_s = self._setup(), self._clock(), time.thread_time(), 0.0
        at, encoder, units = self._wall(), self._encoder, []
        header = Header(
            version=VERSION,
            site=setup.config.title,
            ledger=setup.ledger.digest,
            at=at,
            boot_id=self._boot_id,
            boot_s=self._boot_s(),
            whole_at=self._rounds.whole_at,
        )
        for some in memories(self._tracker, at=at, clock_s=clock_s, at_once=UNITS_PER_SLICE):
            units.append(msgspec.Raw(encoder.encode(some)))
            worked_s += time.thread_time() - began
            yield
            began = time.thread_time()
        data = _MARK + encoder.encode(_Packed(header, units))
        return data, worked_s + time.thread_time() - began

    def _take_lock(self, path: Path) -> bool:
        if self._lock is not None:
            return True
        try:
            self._lock = FileLock(path)
        except BlockingIOError:
            self._note("another agent is writing it")
        except OSError as error:
            self._note(f"its lock cannot be taken: {error.strerror}")
        return self._lock is not None

    async def close(self) -> None:
        """Write the last snapshot, or give up after `STOP_S`, and release the lock."""
        if self._path is not None and self._lock is not None:
            try:
                async with asyncio.timeout(STOP_S):
                    await self._write(self._path)
            except TimeoutError:
                self._note("not within the time for a stop")
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _try_to_write(path: Path, data: bytes) -> str | None:
    """Write a file; return why it was not written, None if it was."""
    try:
        write_packed(path, data)
    except OSError as error:
        return f"cannot be written: {error.strerror}"
    return None


def _read_boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
