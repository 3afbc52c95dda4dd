"""Machine output: JSON, CSV and plain lines, written to standard output as bytes, piece by piece.

It bypasses the terminal library, which takes 34 ms to lay out the JSON of one unit. The bytes are the same in a pipe
and on a terminal: UTF-8, without colours and without line breaks at its width.
"""

import csv
import errno
import io
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import msgspec
import typer

PIECE_BYTES = 64 * 1024
CSV_ROWS = 500
INDENT = 2
# The exit status of a command whose reader left, such as `head`.
READER_LEFT = 1


def write(pieces: Iterable[bytes]) -> None:
    """Write pieces as they are made, in writes of about `PIECE_BYTES`, and flush them.

    Raises:
        OSError: They could not be written.
        typer.Exit: The reader of a pipe left; this is no error to report.
    """
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF), "standard output")
    try:
        sys.stdout.flush()
        waiting = bytearray()
        for piece in pieces:
            waiting += piece
            if len(waiting) >= PIECE_BYTES:
                _write_all(waiting)
                waiting.clear()
        _write_all(waiting)
        sys.stdout.flush()
    except BrokenPipeError as error:
        abandon_stdout()
        raise typer.Exit(READER_LEFT) from error


def _write_all(data: bytearray) -> None:
    # With PYTHONUNBUFFERED there is no buffer in between, and one write may take a part only.
    written = 0
    while written < len(data):
        with memoryview(data) as view, view[written:] as rest:
            written += sys.stdout.buffer.write(rest)


def abandon_stdout() -> None:
    """Discard what standard output still holds, so that the interpreter does not fail on it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def write_json(value: object) -> None:
    """Write one JSON document, indented."""
    write((_indented(value), b"\n"))


def write_json_rows(rows: Iterable[object], fields: Mapping[str, object] | None = None, *, name: str = "") -> None:
    """Write one JSON document with an array of many rows, each on a line of its own.

    Args:
        rows: The rows, encoded one at a time.
        fields: Other members of an object that contains the array, at least one; without them it is the document.
        name: Name of the array among them.
    """
    write(json_rows(rows, fields, name=name))


def json_rows(rows: Iterable[object], fields: Mapping[str, object] | None = None, *, name: str = "") -> Iterator[bytes]:
    """Yield the document that `write_json_rows` writes, in pieces."""
    margin = b" " * INDENT
    if fields:
        head = _indented(fields).removesuffix(b"\n}")
        yield b"%b,\n%b%b: " % (head, margin, msgspec.json.encode(name))
        margin *= 2
    encode = msgspec.json.Encoder().encode
    opening = b"[\n"
    for row in rows:
        yield opening + margin + encode(row)
        opening = b",\n"
    yield b"[]" if opening == b"[\n" else b"\n%b]" % margin[INDENT:]
    yield b"\n}\n" if fields else b"\n"


def write_csv(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write a header and rows as CSV."""
    write(_csv_pieces(columns, rows))


def write_text(pieces: Iterable[str]) -> None:
    """Write text as it is; what UTF-8 cannot express is escaped."""
    write(piece.encode("utf-8", "backslashreplace") for piece in pieces)


def write_lines(lines: Iterable[str]) -> None:
    """Write lines as they are, however long."""
    write_text(f"{line}\n" for line in lines)


def visible(text: str) -> str:
    """Return a text with its control characters escaped, so that it cannot steer a terminal."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _indented(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=INDENT)


def _csv_pieces(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> Iterator[bytes]:
    rows = iter(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    while True:
        yield text.getvalue().encode("utf-8", "backslashreplace")
        text.seek(0)
        text.truncate()
        some = list(islice(rows, CSV_ROWS))
        if not some:
            return
        writer.writerows(some)
