"""`hashsight listen`: its options, its file, and its end."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENT_S
from typer.testing import CliRunner, Result

from agent.commands.command_line import app
from agent.hil.listen.reports import ANTMINER_PORT

# An address of its own, because the ports are fixed.
HERE = "127.93.61.7"


def run(*words: str) -> Result:
    """Run `hashsight listen`."""
    return CliRunner().invoke(app, ["listen", *words])


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--rack", ""], "listen: --rack: a rack is expected, such as C1-R01"),
        (["--rack", "C1-"], "listen: --rack = 'C1-': a rack is expected, such as C1-R01"),
        (["--rack", "C" * 65], f"listen: --rack = '{'C' * 65}': at most 64 printable characters are expected"),
        (["--rack", "R1", "--from", "one"], "listen: --from = 'one': a slot number is expected, such as 1 or 01"),
        (["--rack", "R1", "--from", "05", "--to", "3"], "listen: --to = '3': the last slot is before the first, 05"),
        (["--rack", "R1", "--out", "no/places.csv"], "listen: --out = 'no/places.csv': its folder does not exist"),
        (["--rack", "R1", "--bind", "localhost"], "listen: --bind = 'localhost': a literal IP address is expected"),
        (["--rack", "R1", "--undo"], "listen: --undo: no unit is in places.csv"),
    ],
)
def test_a_bad_option_is_one_message(
    words: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option, its value and the reason; exit status 2."""
    monkeypatch.chdir(tmp_path)
    result = run(*words)
    assert result.exit_code == 2
    assert result.stderr.startswith(reason)
    assert list(tmp_path.iterdir()) == []


def test_a_walk_is_kept_press_by_press(tmp_path: Path) -> None:
    """Each press is on disk at once, Ctrl-C ends the walk, and `--undo` takes the last unit back."""
    path = tmp_path / "places.csv"
    command = [sys.executable, "-m", "agent", "listen", "--rack", "C1-R01", "--from", "1"]
    with (
        subprocess.Popen(
            [*command, "--bind", HERE, "--out", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as walking,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unit,
    ):
        try:
            assert walking.stdout is not None
            assert walking.stdout.readline() == "C1-R01: press slot 1\n"
            for number in (1, 2):
                unit.sendto(f"10.0.0.{number},02:1A:2B:00:00:0{number}".encode(), (HERE, ANTMINER_PORT))
                assert walking.stdout.readline() == f"  {number} 10.0.0.{number}        02:1a:2b:00:00:0{number}\n"
                assert walking.stdout.readline() == "  sent by 127.0.0.1\n"
                assert len(path.read_text(encoding="utf-8").splitlines()) == 1 + number
            walking.send_signal(signal.SIGINT)
            rest, errors = walking.communicate(timeout=PATIENT_S)
        finally:
            walking.kill()
    assert (walking.returncode, rest.replace("\n", ""), errors) == (0, f"C1-R01: 2 units in {path}", "")
    undone = run("--rack", "C1-R01", "--undo", "--out", str(path))
    assert (undone.exit_code, undone.stdout) == (0, "took back C1-R01 slot 2: 02:1a:2b:00:00:02\n")
    assert path.read_text(encoding="utf-8").splitlines() == [
        "mac,host,container,rack,slot",
        "02:1a:2b:00:00:01,10.0.0.1,C1,R01,1",
    ]
    taken = run("--rack", "C1-R01", "--from", "1", "--out", str(path))
    assert taken.stderr == ("listen: --from = '1': slot 1 of this rack has 02:1a:2b:00:00:01; begin at another\n")


def test_a_program_gets_an_object_a_line(tmp_path: Path) -> None:
    """Each event at once, whole, on standard output; the file is the same."""
    path = tmp_path / "places.csv"
    words = ["--rack", "C1-R01", "--from", "1", "--to", "2", "--bind", HERE, "--out", str(path), "--json"]
    with (
        subprocess.Popen(
            [sys.executable, "-m", "agent", "listen", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as walking,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unit,
    ):
        try:
            assert walking.stdout is not None
            events = [json.loads(walking.stdout.readline())]
            for report in (b"10.0.0.1,02:1A:2B:00:00:01", b"what?", b"10.0.0.1,02:1A:2B:00:00:02"):
                unit.sendto(report, (HERE, ANTMINER_PORT))
                events.append(json.loads(walking.stdout.readline()))
            events.append(json.loads(walking.stdout.readline()))
            _, errors = walking.communicate(timeout=PATIENT_S)
        finally:
            walking.kill()
    place = {"container": "C1", "rack": "R01"}
    first = {"event": "placed", "mac": "02:1a:2b:00:00:01", "host": "10.0.0.1", **place, "slot": "1"}
    second = {"event": "placed", "mac": "02:1a:2b:00:00:02", "host": "10.0.0.1", **place, "slot": "2"}
    assert events == [
        {"event": "listening", **place, "next": "1"},
        {**first, "sender": "127.0.0.1", "same_address_as": None, "next": "2"},
        {"event": "ignored", "sender": "127.0.0.1"},
        {**second, "sender": "127.0.0.1", "same_address_as": "02:1a:2b:00:00:01", "next": None},
        {"event": "ended", "units": 2, "file": str(path)},
    ]
    assert (walking.returncode, errors) == (0, b"")
    undone = run("--rack", "C1-R01", "--undo", "--out", str(path), "--json")
    assert json.loads(undone.stdout) == {**second, "event": "undone"}
