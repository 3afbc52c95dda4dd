"""Machine output: whole documents as bytes, streamed, cheap, without colours, and a quiet end if its reader leaves."""

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from exporter_cases import AT, entry, reading, status
from history_cases import AT as HISTORY_AT
from history_cases import HOUR_S, hours, write
from hypothesis import given
from hypothesis import strategies as st
from paths import ROOT

from agent.commands import machine_output
from agent.commands.machine_output import PIECE_BYTES, json_rows, visible, write_csv, write_json_rows
from agent.commands.once import unit_fields
from agent.commands.site_summary import site_fields
from agent.site.ledger.reader import COLUMNS
from agent.site.totals import site_figures

UNITS = 20_000


class Sink(io.BufferedIOBase):
    """A binary file that keeps what is written, and the size of each write."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.content = bytearray()

    def write(self, data: Any) -> int:
        """Keep one write."""
        self.sizes.append(len(data))
        self.content += data
        return len(data)

    def writable(self) -> bool:
        """Return True."""
        return True


@contextmanager
def sunk() -> Iterator[Sink]:
    """Put a sink in the place of standard output."""
    made = Sink()
    text = io.TextIOWrapper(made, encoding="ascii")
    with redirect_stdout(text):
        yield made
    text.detach()


def test_20_000_units_cost_little_and_are_streamed() -> None:
    """The JSON of 20,000 units costs no more than three bare encodings of it, and leaves in small writes."""
    statuses = [status(entry(f"u{number}"), reading(f"u{number}")) for number in range(UNITS)]
    figures = site_figures(statuses, AT)
    began = time.process_time()
    msgspec.json.encode(list(map(unit_fields, statuses)))
    bare_s = time.process_time() - began
    with sunk() as sink:
        began = time.process_time()
        write_json_rows(map(unit_fields, statuses), site_fields("north", figures), name="unit_statuses")
        took_s = time.process_time() - began
    answer = json.loads(bytes(sink.content))
    assert took_s < 3 * bare_s
    assert [unit["unit_id"] for unit in answer["unit_statuses"]] == [f"u{number}" for number in range(UNITS)]
    assert answer["operating_hs"] == figures.site.operating_hs
    assert max(sink.sizes) < PIECE_BYTES + 10_000


def test_rows_are_made_as_they_are_written() -> None:
    """No more rows are made ahead than fill one write, however many there are."""
    row, ahead = {"text": "x" * 1000}, 0
    with sunk() as sink:

        def rows() -> Iterator[dict[str, str]]:
            nonlocal ahead
            for number in range(5000):
                ahead = max(ahead, number * 1000 - sum(sink.sizes))
                yield row

        write_json_rows(rows())
    assert len(json.loads(bytes(sink.content))) == 5000
    assert ahead < PIECE_BYTES


_value = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(rows=st.lists(_value, max_size=5), fields=st.dictionaries(st.text(), _value, min_size=1, max_size=4))
def test_rows_are_one_document(rows: list[Any], fields: dict[str, Any]) -> None:
    """Any rows make a document that parses to themselves, each on a line of its own, alone or inside an object."""
    alone = b"".join(json_rows(rows))
    assert json.loads(alone) == rows
    assert alone.count(b"\n") == (len(rows) + 2 if rows else 1)
    fields.pop("rows", None)
    if fields:
        assert json.loads(b"".join(json_rows(rows, fields, name="rows"))) == {**fields, "rows": rows}


_cell = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]))


@given(st.lists(st.fixed_dictionaries({"a": _cell, "b": _cell}), max_size=4))
def test_csv_is_what_the_library_reads(rows: list[dict[str, str]]) -> None:
    """Rows written as CSV are read back as they were."""
    pieces = b"".join(machine_output._csv_pieces(("a", "b"), rows)).decode()
    assert list(csv.DictReader(io.StringIO(pieces, newline=""))) == rows


def test_csv_is_streamed() -> None:
    """A ledger of 20,000 rows leaves in small writes."""
    row = dict.fromkeys(COLUMNS, "x" * 10)
    with sunk() as sink:
        write_csv(COLUMNS, (row for _ in range(UNITS)))
    assert bytes(sink.content).count(b"\n") == UNITS + 1
    assert max(sink.sizes) < PIECE_BYTES + machine_output.CSV_ROWS * 200


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain é", "plain é"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\x00", "a\\nb\\x00"),
        ("\udcff\u202e", "\\udcff\\u202e"),
    ],
)
def test_control_characters_are_escaped(text: str, expected: str) -> None:
    """What steers a terminal is shown, not obeyed."""
    assert visible(text) == expected


def test_no_command_lays_out_machine_output() -> None:
    """No module prints JSON through the terminal library, or writes text past `machine_output`."""
    for room in ("agent/commands", "simulators/commands"):
        for path in (ROOT / room).rglob("*.py"):
            if path.name != "machine_output.py" and path != ROOT / "simulators/commands/terminal.py":
                assert not re.search(r"print_json|sys\.stdout|rich\.json", path.read_text(encoding="utf-8")), path


# As programs


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a ledger of 3,000 units and a history of 3,000 hours."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "site.toml").write_text('[site]\nname = "alpha"\n[ledger]\nfile = "ledger.csv"\n', encoding="utf-8")
    rows = "".join(
        f"u{number},S21,200,10.0.{number // 200}.{number % 200 + 1},Größe [bold]\u2014{number},R1,,,,deployed\n"
        for number in range(3000)
    )
    header = "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"
    (folder / "ledger.csv").write_text(header + rows, encoding="utf-8")
    write(folder / "history.sqlite", hours(HISTORY_AT, HISTORY_AT + 3000 * HOUR_S))
    return folder


COMMANDS = (
    ("agent", "ledger", "show", "--config", "site.toml", "--format", "json"),
    ("agent", "ledger", "show", "--config", "site.toml", "--format", "csv"),
    ("agent", "ledger", "show", "--config", "site.toml"),
    ("agent", "history", "export", "--history", "history.sqlite"),
    ("agent", "check", "--config", "site.toml", "--show"),
    ("agent", "metrics", "--json"),
    ("simulators", "faults", "--json"),
)
BIG = (*COMMANDS[:4], ("simulators", "backfill", "--scenario", "network-switch-flap", "--every", "1m"))
DATA = (*COMMANDS[:2], COMMANDS[3], *COMMANDS[5:])


def command(words: tuple[str, ...]) -> list[str]:
    """Return the command line of one of `COMMANDS`."""
    return [sys.executable, "-m", *words]


def environment(**changes: str) -> dict[str, str]:
    """Return this process' environment with changes, and the project on the path."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **changes}


def on_terminal(words: tuple[str, ...], folder: Path, **changes: str) -> bytes:
    """Run a command with a pseudo-terminal as standard output; return what it shows."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command(words), cwd=folder, stdout=theirs, env=environment(**changes)) as running:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 1 << 16)
            except OSError:
                break
            shown += piece
        assert running.wait() == 0
    os.close(ours)
    return shown.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("words", DATA)
def test_data_is_the_same_on_a_terminal(words: tuple[str, ...], site: Path) -> None:
    """Data has the same bytes in a pipe and on a narrow terminal with colours, in any locale."""
    piped = subprocess.run(command(words), cwd=site, env=environment(LC_ALL="C.UTF-8"), capture_output=True, check=True)
    assert b"\x1b" not in piped.stdout
    assert piped.stderr == b""
    assert on_terminal(words, site, TERM="xterm-256color", COLUMNS="20", FORCE_COLOR="1") == piped.stdout
    other = environment(LC_ALL="POSIX", PYTHONIOENCODING="latin-1", FORCE_COLOR="1")
    assert subprocess.run(command(words), cwd=site, env=other, capture_output=True, check=True).stdout == piped.stdout
    if words[-1] in {"json", "--json"}:
        assert json.loads(piped.stdout)


@pytest.mark.parametrize("words", [("agent", "metrics"), ("agent", "check", "--config", "site.toml")])
def test_tables_have_colours_only_on_a_terminal(words: tuple[str, ...], site: Path) -> None:
    """Tables have no escape codes in a pipe, and with NO_COLOR no colours on a terminal either."""
    plain = subprocess.run(command(words), cwd=site, env=environment(), capture_output=True, check=True)
    assert b"\x1b" not in plain.stdout
    shown = on_terminal(words, site, TERM="xterm-256color", NO_COLOR="1", COLUMNS="200")
    assert not re.search(rb"\x1b\[[0-9;]*(3[0-9]|4[0-9]|9[0-7])m", shown)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", BIG)
def test_a_reader_that_leaves_ends_a_command_quietly(words: tuple[str, ...], unbuffered: str, site: Path) -> None:
    """When the reader of a pipe leaves after the first bytes, the command ends with 1 and without a word."""
    changed = environment(PYTHONUNBUFFERED=unbuffered)
    with subprocess.Popen(
        command(words), cwd=site, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=changed
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.read(10)
        running.stdout.close()
        said = running.stderr.read()
    assert (running.returncode, said) == (1, b"")


@pytest.mark.parametrize("words", COMMANDS)
def test_a_full_disk_is_one_clear_line(words: tuple[str, ...], site: Path) -> None:
    """Output that cannot be written is one line and exit 1, without a traceback."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command(words), cwd=site, stdout=full, stderr=subprocess.PIPE, env=environment(), check=False
        )
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [done.stderr.decode().strip()]
    assert "No space left on device" in done.stderr.decode()


def test_without_standard_output_a_command_fails(site: Path) -> None:
    """A closed standard output is one line and exit 1."""
    script = 'exec "$@" >&-'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *command(COMMANDS[0])], cwd=site, env=environment(), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, b"standard output: Bad file descriptor\n")


def test_a_write_that_takes_a_part_is_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that takes a part of each write gets all of the data in the end."""
    with sunk() as sink:
        whole = sink.write
        monkeypatch.setattr(sink, "write", lambda data: whole(bytes(data)[:1000]))
        machine_output.write([b"abc" * 50_000, b"end"])
    assert bytes(sink.content) == b"abc" * 50_000 + b"end"


def test_a_reader_that_left_is_an_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken pipe ends the command as `typer.Exit`, after standard output was let go."""
    let_go = []
    monkeypatch.setattr(machine_output, "abandon_stdout", lambda: let_go.append(True))

    def break_pipe(_: Any) -> int:
        raise BrokenPipeError

    with sunk() as sink:
        monkeypatch.setattr(sink, "write", break_pipe)
        with pytest.raises(typer.Exit) as caught:
            machine_output.write([b"x"])
    assert (caught.value.exit_code, let_go) == (1, [True])
