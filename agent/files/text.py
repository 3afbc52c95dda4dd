"""Text files written by operators, read up to a size limit."""

import errno
from pathlib import Path

from agent.errors import ConfigError, Mistake
from agent.files.regular import open_regular


def read_text(path: Path, *, max_bytes: int) -> str:
    """Return the text of a UTF-8 file. A byte order mark and line ends are kept.

    Raises:
        ConfigError: If the file is missing, unreadable, not a regular file, longer than `max_bytes`, or not UTF-8.
    """

    def refusal(reason: str, where: str = "file") -> ConfigError:
        return ConfigError([Mistake(file=str(path), where=where, value="", reason=reason)])

    try:
        with open_regular(path) as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        reason = error.strerror if error.errno == errno.EINVAL else f"cannot be read: {error.strerror}"
        raise refusal(str(reason)) from error
    if len(data) > max_bytes:
        raise refusal(f"longer than {max_bytes >> 20} MiB")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refusal(
            f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8", where=f"line {line}"
        ) from error
