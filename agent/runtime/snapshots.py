"""The snapshot of all statuses on disk: written once an interval, and taken over at the start.

A write never holds the event loop for more than a few milliseconds: units are packed in slices, and a thread compresses
and writes. It costs 1/50 of a core at most, because the next one waits for 50 times as long as the last one worked.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import structlog

from agent.files.regular import resolved
from agent.files.snapshot import read_packed, remove_unfinished
from agent.runtime.packed_file import PackedFile
from agent.runtime.parts import Parts
from agent.runtime.setup import Setup
from agent.runtime.standstill import read_clocks
from agent.site.kept_counters import KeptCounter
from agent.site.lateness import HELD_FOR_RATIO
from agent.site.remembered import Remembered
from agent.site.snapshot import READABLE, VERSION, Header, gap_since, memories, restore
from agent.slices import Slices, run_slices
from agent.text.numbers import duration_text

log = structlog.get_logger("agent")

UNITS_PER_SLICE = 250
REST_RATIO = 50
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

    Attributes:
        counters: Units' share counters as an earlier process kept them, by unit; however old the file is.
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
        self._file: PackedFile | None = None
        if config.snapshot.keep:
            self._file = PackedFile(
                # A link is followed, not replaced: it may lead to a disk that is made for many writes.
                resolved(config.snapshot_path(setup().path)),
                name="snapshot",
                failed="snapshot not written",
                mended="snapshot is written",
                on_outcome=self._count,
            )
        self._wall, self._clock, self._boot_s = wall, clock, boot_s
        self._boot_id = _read_boot_id() if boot_id is None else boot_id
        self._encoder = msgspec.msgpack.Encoder()
        self.counters: dict[str, KeptCounter] = {}

    def restore(self) -> int:
        """Take over the statuses that an earlier process kept, if they are fit; else start empty, and log why.

        Returns:
            The number of units restored.
        """
        if self._file is None or not self._file.take_lock():
            return 0
        path = self._file.path
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
        body = msgspec.msgpack.decode(data, type=_Body)
        header, setup = body.header, self._setup()
        if header.site != setup.config.title:
            raise ValueError(f"it is of site {header.site[:80]!r}, not of {setup.config.title!r}")
        # Whatever else the file is too old for: a counter says at which time it was read, and of which process.
        self.counters = {
            each.unit_id: each.counter
            for some in body.units
            for each in some
            if each.counter is not None and each.unit_id in self._tracker
        }
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
        return body, gap.seconds

    async def run(self) -> None:
        """Write once an interval until cancelled."""
        if self._file is None:
            return
        rest_s = 0.0
        while True:
            await asyncio.sleep(max(self._setup().config.poll.interval_s, rest_s))
            rest_s = await self._write(self._file) * REST_RATIO

    async def _write(self, file: PackedFile) -> float:
        """Write a snapshot; return the CPU time that it took, s."""
        if not file.take_lock():
            return 0.0
        data, packed_s = await run_slices(self.packed())
        return packed_s + await file.replace(lambda: data)

    async def close(self) -> None:
        """Write the last snapshot, or give up after `packed_file.STOP_S`, and release the lock."""
        if self._file is not None:
            await self._file.close(partial(self._write, self._file))

    def _count(self, trouble: str | None) -> None:
        if trouble is None:
            self._own.snapshot_at = self._wall()
        else:
            self._own.snapshot_errors += 1

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
        for some in memories(self._tracker, at=at, clock_s=clock_s, at_once=UNITS_PER_SLICE, counters=self.counters):
            units.append(msgspec.Raw(encoder.encode(some)))
            worked_s += time.thread_time() - began
            yield
            began = time.thread_time()
        data = _MARK + encoder.encode(_Packed(header, units))
        return data, worked_s + time.thread_time() - began


def _read_boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
