"""The last 24 hours of every unit on disk: written every five minutes, and taken over at the start.

A site that keeps no history keeps no such file. Units are copied in slices, and a thread packs and writes the copies:
the event loop is never held for more than a few milliseconds.
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
from agent.site.recent.day import Kept
from agent.slices import Slices, run_slices

log = structlog.get_logger("agent")

VERSION = 1
WRITE_S = 300.0
UNITS_PER_SLICE = 250
_MARK = b"hashsight recent\n"


class _Head(msgspec.Struct, frozen=True):
    """The beginning of the file; every version has these fields."""

    version: int
    site: str
    ledger: str


class _Body(msgspec.Struct, frozen=True, array_like=True):
    head: _Head
    units: list[Kept]


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """The same as it is written: each unit is encoded already."""

    head: _Head
    units: list[msgspec.Raw]


class _OnlyHead(msgspec.Struct, frozen=True, array_like=True):
    head: _Head


class RecentFile:
    """The file of one agent.

    Args:
        setup: Returns the setup in force.
        parts: The running parts of the agent.
        wall: Returns Unix time, s.
    """

    def __init__(self, setup: Callable[[], Setup], parts: Parts, *, wall: Callable[[], float] = time.time) -> None:
        self._setup, self._tracker, self._wall = setup, parts.tracker, wall
        self._recent = parts.fan_out.recent
        config = setup().config
        self._file: PackedFile | None = None
        if config.history.keep:
            self._file = PackedFile(
                resolved(config.recent_path(setup().path)),
                name="recent",
                failed="last 24 hours not written",
                mended="last 24 hours are written",
            )

    def restore(self) -> int:
        """Take over what an earlier process kept, if it is fit; else start empty, and log why.

        Returns:
            The number of units restored.
        """
        file, at = self._file, self._wall()
        self._recent.set_time(at)
        if file is None:
            return 0
        path = file.path
        try:
            if file.take_lock():
                remove_unfinished(path)
            elif file.is_foreign:
                return 0
            data = read_packed(path)
            if data is None:
                return 0
            restored = self._recent.restore(self._checked(data), deployed=self._tracker, at=at)
        except OSError as error:
            return self._refuse(path, f"it cannot be read: {error.strerror}")
        except (ValueError, msgspec.MsgspecError, RecursionError) as error:
            return self._refuse(path, str(error))
        log.info("last 24 hours restored", units=restored, of=len(self._tracker), file=str(path))
        return restored

    def _refuse(self, path: Path, reason: str) -> int:
        log.warning("last 24 hours not restored", reason=reason, file=str(path))
        return 0

    def _checked(self, data: bytes) -> list[Kept]:
        """Return the units of a file.

        Raises:
            ValueError, MsgspecError: It is not fit for this agent; the message says why.
        """
        if not data.startswith(_MARK):
            raise ValueError("it does not hold the last 24 hours of hashsight's units")
        data = data.removeprefix(_MARK)
        head, setup = msgspec.msgpack.decode(data, type=_OnlyHead).head, self._setup()
        if head.version != VERSION:
            raise ValueError(f"it is of version {head.version}; this program reads version {VERSION}")
        if head.site != setup.config.title:
            raise ValueError(f"it is of site {head.site[:80]!r}, not of {setup.config.title!r}")
        return msgspec.msgpack.decode(data, type=_Body).units

    async def run(self) -> None:
        """Write every `WRITE_S` until cancelled."""
        if self._file is None:
            return
        while True:
            await asyncio.sleep(WRITE_S)
            await self._write(self._file)

    async def _write(self, file: PackedFile) -> None:
        if file.take_lock():
            head, units = await run_slices(self._copied())
            await file.replace(partial(_encoded, head, units))

    async def close(self) -> None:
        """Write once more, or give up after `packed_file.STOP_S`, and release the lock."""
        if self._file is not None:
            await self._file.close(partial(self._write, self._file))

    def _copied(self) -> Slices[tuple[_Head, list[Kept]]]:
        """Return the content of the file, each unit as it is when its slice is copied."""
        setup, units = self._setup(), list[Kept]()
        head = _Head(version=VERSION, site=setup.config.title, ledger=setup.ledger.digest)
        for some in self._recent.kept(UNITS_PER_SLICE):
            units += some
            yield
        return head, units


def _encoded(head: _Head, units: list[Kept]) -> bytes:
    """Return the content of a file. Each unit by itself: one call for all would hold the event loop for 40 ms."""
    encoder = msgspec.msgpack.Encoder()
    return _MARK + encoder.encode(_Packed(head, [msgspec.Raw(encoder.encode(each)) for each in units]))
