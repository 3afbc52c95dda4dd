"""A stepped clock for several programs, which moves only when none of them has work left.

Every program loads `stepped/sitecustomize.py`, which lets its event loop work only in turns. One program at a time has
the turn. The clock moves when a whole round finds nothing to do and the brokers have handled all messages. Events,
their order and their times are therefore the same in every run, however busy the machine is.
"""

import json
import os
import select
import socket
import struct
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# A power of two, so that sums of steps are exact.
STEP_S = 0.25
STUCK_S = 120.0
FIRST_TURN_LOOK_S = 0.002
_GONE = struct.Struct("d")
_BATCH = """\
import contextlib, io, json, os, sys
def run(main, script):
    sys.argv = [script, "--help"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main()
    running = {}
    def end_one():
        child, status = os.wait()
        with open(running.pop(child) + ".err", "a") as errors:
            print("exit status", os.waitstatus_to_exitcode(status), file=errors)
    for file, words in json.load(sys.stdin):
        while len(running) >= os.cpu_count():
            end_one()
        child = os.fork()
        if not child:
            for number, name in ((1, file), (2, file + ".err")):
                os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            sys.argv = [script, *words]
            sys.exit(main())
        running[child] = file
    while running:
        end_one()
"""


class StuckError(Exception):
    """A run that cannot go on; the message names the cause."""


class Program:
    """A running program of the project, which starts with its first turn.

    Args:
        name: The command line, for error messages.
        process: The process.
        begins: File descriptor to write the start of each turn to.
        ends: File descriptor to read the end of each turn from.
    """

    def __init__(self, name: str, process: subprocess.Popen[bytes], begins: int, ends: int) -> None:
        self.name = name
        self.process = process
        self._begins, self._ends = begins, ends
        self._is_first, self._started = True, time.monotonic()

    def take_turn(self, gone: float) -> bool:
        """Run one turn; return True if the program did anything, is still starting or has ended."""
        if not self._is_first:
            try:
                os.write(self._begins, _GONE.pack(gone))
            except BrokenPipeError:
                return self._end()
        # A program that is starting, or that calls the agent without an event loop, must not block the others.
        wait_s = FIRST_TURN_LOOK_S if self._is_first else STUCK_S
        if not select.select([self._ends], [], [], wait_s)[0]:
            if self._is_first and time.monotonic() < self._started + STUCK_S:
                return True
            raise StuckError(f"its turn does not end: {self.name}")
        self._is_first = False
        outcome = os.read(self._ends, 1)
        return outcome == b"\1" if outcome else self._end()

    def _end(self) -> bool:
        self.process.wait(STUCK_S)
        os.close(self._begins)
        os.close(self._ends)
        return True


class Steps:
    """The stepped clock, and the programs that run by it.

    Args:
        tree: The checkout whose code runs.
        folder: Parent folder of the bytecode cache.
        python: Interpreter for the programs.
        start: Unix time at the start of the run.

    Attributes:
        gone: Simulated seconds since the start.
        brokers: One client for each broker; `settle` waits until each broker has handled all messages.
        before_step: Called with the new `gone` before any program sees it.
        after_step: Called with `gone` at the end of a step.
    """

    def __init__(self, tree: Path, folder: Path, *, python: str, start: float) -> None:
        self._tree, self._folder, self._python, self._start_at = tree, folder, python, start
        self._scripts: dict[str, str] = tomllib.loads((tree / "pyproject.toml").read_text())["project"]["scripts"]
        self._running: list[Program] = []
        self.gone = 0.0
        self.brokers: list[Listener] = []
        self.before_step: Callable[[float], None] = lambda _: None
        self.after_step: Callable[[float], None] = lambda _: None

    @property
    def now(self) -> float:
        """Unix time in seconds, as the programs see it."""
        return self._start_at + self.gone

    def launch(self, script: str, *arguments: str, folder: Path, output: Path) -> Program:
        """Start a console script of the tree in `folder`, with its standard output in the file `output`."""
        code = f"import sys; {self._entry(script)}; sys.argv[0] = {script!r}; sys.exit(main())"
        turns, ends = os.pipe(), os.pipe()
        with output.open("wb") as out, output.with_suffix(output.suffix + ".err").open("wb") as errors:
            process = self._start(
                (code, *arguments), folder, (subprocess.DEVNULL, out, errors), turns=(turns[0], ends[1])
            )
        os.close(turns[0])
        os.close(ends[1])
        program = Program(" ".join((script, *arguments)), process, turns[1], ends[0])
        self._running.append(program)
        return program

    def run_batch(self, script: str, batch: Iterable[tuple[str, ...]], *, folder: Path, into: Path) -> None:
        """Run commands, each a name and its arguments, while the clock stands still.

        Output goes to ``NAME.txt`` and ``NAME.txt.err`` in `into`, and the latter ends with the exit status. The
        commands are forks of one process that has printed its help already: the imports take a second.
        """
        code = f"{_BATCH}\n{self._entry(script)}\nrun(main, {script!r})"
        with tempfile.TemporaryFile() as orders:
            orders.write(json.dumps([(str(into / f"{name}.txt"), words) for name, *words in batch]).encode())
            orders.seek(0)
            process = self._start((code,), folder, (orders, subprocess.PIPE, subprocess.STDOUT))
            output, _ = process.communicate(timeout=5 * STUCK_S)
        if process.returncode:
            raise StuckError(f"commands of {script} could not be run: {output.decode()}")

    def finish(self, program: Program) -> int:
        """Move the clock until a program has ended, and return its exit status."""
        self.settle()
        while program in self._running:
            self.step()
        return program.process.wait()

    def advance_to(self, gone: float) -> None:
        """Move the clock step by step until `gone`."""
        self.settle()
        while self.gone < gone:
            self.step()

    def step(self) -> None:
        """Move the clock by one step, and let every program do what is due."""
        self.gone += STEP_S
        # Files that depend on the time must be in place before any program can read them.
        self.before_step(self.gone)
        self.settle()
        self.after_step(self.gone)
        self.settle()

    def settle(self) -> None:
        """Let the programs take turns until none has work left at this time."""
        deadline, is_quiet = time.monotonic() + STUCK_S, False
        self._wait_for_brokers()
        while not is_quiet:
            if time.monotonic() > deadline:
                raise StuckError(f"always busy: {', '.join(program.name for program in self._running)}")
            is_quiet = True
            for program in tuple(self._running):
                if program.take_turn(self.gone):
                    is_quiet = False
                    self._wait_for_brokers()
                if program.process.returncode is not None:
                    self._running.remove(program)

    def end(self) -> None:
        """Kill the programs that still run."""
        for program in self._running:
            program.process.kill()
            program.process.wait()

    def _wait_for_brokers(self) -> None:
        for broker in self.brokers:
            broker.wait()

    def _entry(self, script: str) -> str:
        module, _, function = self._scripts[script].partition(":")
        # Without the stepped clock this fails, instead of running by the real one.
        return f"import sitecustomize; sitecustomize.STEPPED; from {module} import {function} as main"

    def _start(
        self, arguments: tuple[str, ...], folder: Path, streams: tuple[Any, Any, Any], turns: tuple[int, ...] = ()
    ) -> subprocess.Popen[bytes]:
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "USER", "LOGNAME") if name in os.environ}
        environment |= {
            "COLUMNS": "1000",
            "GOLDEN_GONE": repr(self.gone),
            "GOLDEN_START": repr(self._start_at),
            "LANG": "C.UTF-8",
            "NO_COLOR": "1",
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": f"{HERE / 'stepped'}{os.pathsep}{self._tree}",
            "PYTHONPYCACHEPREFIX": str(self._folder / "bytecode"),
            "PYTHONSAFEPATH": "1",
            "TERM": "dumb",
            "TZ": "UTC",
        }
        if turns:
            environment["GOLDEN_TURNS"] = ",".join(map(str, turns))
        stdin, stdout, stderr = streams
        return subprocess.Popen(
            [self._python, "-c", *arguments],
            cwd=folder,
            env=environment,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=turns,
        )


class Listener:
    """An MQTT 3.1.1 client that subscribes to every topic, with only the packets needed for that.

    Args:
        host: Address of the broker.
        port: Port of the broker.
        name: Client id.

    Attributes:
        heard: (topic, payload, retain flag) of each message in order of arrival.
    """

    def __init__(self, host: str, port: int, name: str) -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self._socket = socket.create_connection((host, port), timeout=STUCK_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        self._send(0x10, _text("MQTT") + b"\x04\x02\x00\x00" + _text(name))
        self._read_until(0x20)
        self._send(0x82, b"\x00\x01" + _text("#") + b"\x00")
        self._read_until(0x90)

    def publish(self, topic: str, payload: Any) -> None:
        """Publish JSON with QoS 0."""
        self._send(0x30, _text(topic) + json.dumps(payload).encode())

    def wait(self) -> None:
        """Wait until the broker has handled every packet that reached it before this call, from any client.

        The broker takes one packet per connection at a time. So it is pinged until three replies in a row bring no new
        message.
        """
        quiet_replies = 0
        while quiet_replies < 3:
            count_before = len(self.heard)
            self._send(0xC0, b"")
            self._read_until(0xD0)
            quiet_replies = quiet_replies + 1 if len(self.heard) == count_before else 0

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self._socket.close()

    def _send(self, kind: int, body: bytes) -> None:
        head, remaining = bytearray((kind,)), len(body)
        while True:
            remaining, digit = remaining >> 7, remaining & 0x7F
            head.append(digit | (0x80 if remaining else 0))
            if not remaining:
                break
        self._socket.sendall(bytes(head) + body)

    def _read_until(self, wanted: int) -> None:
        while True:
            kind, length, shift = self._file.read(1)[0], 0, 0
            while True:
                digit = self._file.read(1)[0]
                length |= (digit & 0x7F) << shift
                shift += 7
                if not digit & 0x80:
                    break
            body = self._file.read(length)
            if kind >> 4 == 3:
                size = int.from_bytes(body[:2], "big")
                # The subscription has QoS 0, so no packet identifier follows the topic.
                self.heard.append((body[2 : 2 + size].decode(), body[2 + size :], bool(kind & 1)))
            if kind == wanted:
                return


def _text(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()
