"""The spool of a recording: each exchange on the disk as soon as it is over, so that no end of the process loses any.

One JSON line each, in a file that only its owner reads: it holds what the unit said, before redaction. A line that was
cut, by a full disk or a power cut, is the last one, and is left out when the spool is read.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from agent.errors import ConfigError, Mistake
from agent.files.atomic import sync_folder
from agent.files.regular import open_regular
from agent.hil.capture.exchanged import Exchange
from agent.hil.capture.form import Port

SUFFIX: Final = ".partial"
VERSION: Final = 1
MOST_SPOOL_BYTES: Final = 256 * 1024 * 1024
_MODE: Final = 0o600


class Begun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="line", tag="begun"):
    """The first line of a spool.

    Attributes:
        spool: Version of this form.
        host: Address of the unit; it goes into no capture.
        recorded_by: The program and its version.
        recorded_at: Date and time of the beginning, UTC, ISO 8601.
    """

    spool: int
    host: str
    recorded_by: str
    recorded_at: str


class Looked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="line", tag="port"):
    """Response of one port to a connection.

    Attributes:
        number: Its number, as text, as in a manifest.
        port: What it did.
    """

    number: str
    port: Port


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="line", tag="exchange"):
    """One exchange."""

    exchange: Exchange


Line: TypeAlias = Begun | Looked | Asked


class Spool:
    """A spool that is being written.

    Args:
        path: Must not exist.

    Raises:
        OSError: It cannot be created; FileExistsError if it is there already.
    """

    def __init__(self, path: Path, begun: Begun) -> None:
        self.path = path
        self.size = 0
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, _MODE)
        try:
            self.append(begun)
            sync_folder(path.parent)
        except BaseException:
            self.remove()
            raise

    def append(self, line: Line) -> None:
        """Write one line; it survives the end of this process once this returns.

        Raises:
            OSError: It could not be written, and is not in the file. On a full disk, `errno` is `ENOSPC`.
        """
        data = memoryview(msgspec.json.encode(line) + b"\n")
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError as error:
            error.filename = str(self.path)
            if written:
                os.ftruncate(self._descriptor, self.size)
            raise
        self.size += written

    def sync(self) -> None:
        """Flush it, so that what is written survives a power cut too."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close it; the file stays."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def remove(self) -> None:
        """Close and delete it."""
        self.close()
        self.path.unlink(missing_ok=True)


def new_path(folder: Path, host: str) -> Path:
    """Return a path for the spool of a unit that no unfinished recording has."""
    stem = "".join(each if each.isalnum() or each in ".-" else "_" for each in host)
    for number in range(1, 1000):
        path = folder / f"{stem}{'' if number == 1 else f'-{number}'}{SUFFIX}"
        if not path.exists():
            return path
    raise _refusal(folder, "-o", str(folder), f"holds 999 unfinished recordings of {host}; finish or delete them")


def read_spool(path: Path) -> tuple[Begun, list[Looked], list[Exchange]]:
    """Return what a spool holds; a last line that was cut is left out.

    Raises:
        ConfigError: It is no spool, or a line in the middle is damaged.
    """
    try:
        with open_regular(path) as file:
            data = file.read(MOST_SPOOL_BYTES + 1)
    except OSError as error:
        raise _refusal(path, "file", str(path), error.strerror or str(error)) from error
    if len(data) > MOST_SPOOL_BYTES:
        raise _refusal(path, "file", str(path), f"is larger than {MOST_SPOOL_BYTES} bytes")
    lines = data.split(b"\n")
    # What follows the last line feed was cut.
    _refuse_newer(path, lines[0])
    read = list(_lines(path, lines[:-1]))
    begun = read[0] if read else None
    if not isinstance(begun, Begun):
        raise _refusal(path, "line 1", "", f"is no unfinished recording; one ends in {SUFFIX} and begins with its host")
    ports = [line for line in read if isinstance(line, Looked)]
    return begun, ports, [line.exchange for line in read if isinstance(line, Asked)]


def _refuse_newer(path: Path, line: bytes) -> None:
    """Refuse a newer version by its number alone: its lines may have keys that this version does not know."""
    try:
        number = msgspec.json.decode(line, type=_Version).spool
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if number > VERSION:
        raise _refusal(path, "spool", str(number), f"is of a newer version; this one reads up to {VERSION}")


class _Version(msgspec.Struct):
    spool: int


def _lines(path: Path, lines: Iterable[bytes]) -> Iterable[Line]:
    decoder = msgspec.json.Decoder(Line)
    for number, line in enumerate(lines, start=1):
        try:
            yield decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _refusal(path, f"line {number}", "", f"is no line of a recording: {error}") from error


def _refusal(path: Path, where: str, value: str, reason: str) -> ConfigError:
    return ConfigError([Mistake(file=str(path), where=where, value=value, reason=reason)])
