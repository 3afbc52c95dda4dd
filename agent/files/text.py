"""Text files written by operators, read up to a size limit."""

import errno
from pathlib import Path

from agent.errors import ConfigError, Mistake
from agent.files.regular import open_regular

# First bytes of files that spreadsheets save where text was meant: ZIP, OLE 2 and UTF-16 in both orders.
_NO_TEXT = {
    b"PK\x03\x04": "a workbook (.xlsx or .ods)",
    b"\xd0\xcf\x11\xe0": "a workbook (.xls)",
    b"\xff\xfe": "UTF-16 (Unicode text)",
    b"\xfe\xff": "UTF-16 (Unicode text)",
}


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
    for start, words in _NO_TEXT.items():
        if data.startswith(start):
            raise refusal(f"{words}, not text; save it from the spreadsheet as CSV UTF-8")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refusal(
            f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8", where=f"line {line}"
        ) from error
