"""Conversations with units of other makes, through one process that holds pyasic. To a poller, it is a client.

    start(unit) --> waiting --> in hand --> answer, or the deadline --> done(outcome)
                                   '-- the process ends, hangs, floods, babbles: it is replaced

The process runs only while there are units for it. It is replaced

* if it ends, writes what is no answer, or floods its pipe: what it had in hand fails;
* if an answer is later than `DEADLINE_S`: that poll fails, and what else it had in hand is asked of the next one;
* at `MOST_BYTES` of memory, and after a day: nothing fails.

There is one process at a time, never two, and one start in `Limits.rest_s` at most. A failure is counted, and logged if
none was for ten minutes. The next process waits the longer, the more of them failed in a row.
"""

import asyncio
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from agent.errors import DeadlineError, LaneError, MisreadReplyError, PollError, drop_frames
from agent.unit.cgminer.call import Address, Done, Outcome
from agent.unit.foreign.process import COMMAND, FloodError, Process, ProcessError, resident_bytes
from agent.unit.foreign.protocol import STARTED, MakeLogin, encode_request, head_of
from agent.unit.reading import UnitReading

log = structlog.get_logger("agent.lane")

DEADLINE_S: Final = 22.0
"""The process's own deadlines are 8 s to identify a unit and 10 s to read it, after 2 s to connect."""
START_S: Final = 30.0
MOST_BYTES: Final = 200 * 1000 * 1000
LONGEST_LIFE_S: Final = 86_400.0
LONGEST_WAIT_S: Final = 60.0
_LOOK_S: Final = 0.5
_LOG_AGAIN_S: Final = 600.0
WHYS: Final = ("start", "ended", "nonsense", "flood", "deadline", "memory", "age")
"""Why a process was replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a process is replaced.

    Attributes:
        deadline_s: An answer takes longer than this, s.
        start_s: It has not started after this, s.
        most_bytes: It has as much memory in use.
        longest_life_s: It is as old, s.
        longest_wait_s: The longest wait for the next one after failures in a row, s.
        rest_s: From one start to the next, s; a process that lived as long and answered did not fail at its start.
    """

    deadline_s: float = DEADLINE_S
    start_s: float = START_S
    most_bytes: int = MOST_BYTES
    longest_life_s: float = LONGEST_LIFE_S
    longest_wait_s: float = LONGEST_WAIT_S
    rest_s: float = 10.0


class _Asked:
    """One conversation in flight; `sent_at` is None while it waits for a process."""

    __slots__ = ("address", "conversation", "done", "sent_at", "started", "want")

    def __init__(
        self, address: Address, conversation: Generator[bytes, bytes, UnitReading], done: Done[UnitReading], now: float
    ) -> None:
        self.address, self.conversation, self.done = address, conversation, done
        self.want = next(conversation)
        self.started = now
        self.sent_at: float | None = None


class _Replaced(Exception):  # noqa: N818 - It ends a process's turn, and may be planned.
    """The process is to be replaced; `why` is one of `WHYS`."""

    def __init__(self, why: str, words: str = "") -> None:
        super().__init__(words)
        self.why = why


class Lane:
    """One process with pyasic in it, and the conversations that it serves.

    Args:
        on_replaced: Called with one of `WHYS` each time a process is replaced.
        login_of: Returns the login that the configuration gives for the unit at an address; None for none.
        command: The process's program.
        limits: When it is replaced.
        resident: Returns the memory that a process has in use, bytes.
        clock: Returns monotonic time, s.
    """

    def __init__(
        self,
        *,
        on_replaced: Callable[[str], None],
        login_of: Callable[[Address], MakeLogin | None] = lambda _: None,
        command: Sequence[str] = COMMAND,
        limits: Limits | None = None,
        resident: Callable[[int], int] = resident_bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_replaced, self._login_of = on_replaced, login_of
        self._command, self._limits = command, limits or Limits()
        self._resident, self._clock = resident, clock
        self._asked: dict[int, _Asked] = {}
        self._latest = STARTED
        self._process: Process | None = None
        self._running: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._is_down = False
        self._started_at = self._logged_at = self._login_logged_at = float("-inf")
        self._unlogged = 0

    @property
    def pid(self) -> int | None:
        """The id of the process that runs now; None without one."""
        return None if self._process is None else self._process.pid

    @property
    def is_idle(self) -> bool:
        """True while there is no process, and none is about to be."""
        return self._running is None

    def start(
        self, address: Address, conversation: Generator[bytes, bytes, UnitReading], done: Done[UnitReading]
    ) -> None:
        """Start a conversation with the unit at an address; `done(outcome)` is called once, later."""
        self._latest += 1
        asked = self._asked[self._latest] = _Asked(address, conversation, done, self._clock())
        if self._is_down:
            asyncio.get_running_loop().call_soon(self._fail_one, self._latest, "is down, and started again soon")
        elif self._process is not None:
            self._send(self._latest, asked)
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run(), name="lane")

    def close(self) -> None:
        """End the process; conversations in flight are forgotten."""
        for asked in self._asked.values():
            asked.conversation.close()
        self._asked.clear()
        if self._running is not None:
            self._running.cancel()
            self._closing.add(self._running)
            self._running.add_done_callback(self._closing.discard)
            self._running = None
        self._process, self._is_down, self._failures = None, False, 0

    async def closed(self) -> None:
        """Wait until no process is left, after `close`."""
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._started_at = self._clock()
            try:
                await self._serve()
            except _Replaced as end:
                self._note(end)
            if self._failures > 1:
                self._is_down = True
                await asyncio.sleep(min(self._limits.longest_wait_s, self._limits.rest_s * 2.0 ** (self._failures - 2)))
                self._is_down = False
            await asyncio.sleep(max(0.0, self._started_at + self._limits.rest_s - self._clock()))

    async def _serve(self) -> None:
        """Hold one process until it is to be replaced.

        Raises:
            _Replaced: It is.
        """
        try:
            process = await Process.start(self._command)
        except ProcessError as error:
            raise _Replaced("start", str(error)) from error
        try:
            await self._wait_for_start(process)
            self._process = process
            for number, asked in self._asked.items():
                self._send(number, asked)
            reading = asyncio.create_task(self._read(process), name="lane answers")
            try:
                await self._watch(process.pid, reading)
            finally:
                reading.cancel()
                with suppress(asyncio.CancelledError, _Replaced):
                    await reading
        finally:
            if self._process is process:
                self._process = None
            await process.end()

    async def _wait_for_start(self, process: Process) -> None:
        try:
            async with asyncio.timeout(self._limits.start_s):
                line = await process.read_line()
        except TimeoutError as error:
            raise _Replaced("start", "it did not start in time") from error
        except ProcessError as error:
            raise _Replaced("start", str(error)) from error
        head = head_of(line)
        if head is None or head.id != STARTED:
            raise _Replaced("nonsense", "its first line is no start")

    async def _watch(self, pid: int, reading: asyncio.Task[None]) -> None:
        """Look twice a second whether the process is late, large or old; end with the reading of its answers."""
        began = self._clock()
        while not (await asyncio.wait((reading,), timeout=_LOOK_S))[0]:
            now, late = self._clock(), self._limits.deadline_s
            overdue = [
                number
                for number, asked in self._asked.items()
                if asked.sent_at is not None and now - asked.sent_at >= late
            ]
            if overdue:
                for number in overdue:
                    self._finish(number, DeadlineError(f"pyasic's process had no answer in {late:g} s"))
                raise _Replaced("deadline", f"{len(overdue)} answers were late")
            if self._resident(pid) >= self._limits.most_bytes:
                raise _Replaced("memory")
            if now - began >= self._limits.longest_life_s:
                raise _Replaced("age")
        await reading

    async def _read(self, process: Process) -> None:
        """Take answers in.

        Raises:
            _Replaced: There are no more, or something else comes.
        """
        while True:
            try:
                line = await process.read_line()
            except FloodError as error:
                raise _Replaced("flood", str(error)) from error
            except ProcessError as error:
                raise _Replaced("ended", str(error)) from error
            head = head_of(line)
            if head is None or head.id not in self._asked:
                raise _Replaced("nonsense", f"it wrote {line[:80]!r}")
            if head.login_refused:
                self._note_login(self._asked[head.id].address[0])
            if self._failures and self._clock() - self._started_at >= self._limits.rest_s:
                self._failures = 0
            self._take(head.id, line)

    def _send(self, number: int, asked: _Asked) -> None:
        if self._process is not None:
            asked.sent_at = self._clock()
            host, port = asked.address
            login = self._login_of(asked.address)
            self._process.send(encode_request(number, host, asked.want, port=port, login=login))

    def _take(self, number: int, line: bytes) -> None:
        asked = self._asked[number]
        try:
            asked.want = asked.conversation.send(line)
        except StopIteration as end:
            self._finish(number, None, end.value)
        except PollError as error:
            self._finish(number, error)
        except Exception as error:  # noqa: BLE001 - A bug of ours counts as an answer not understood, with its traceback.
            misread = MisreadReplyError(f"{type(error).__name__} while reading the answer")
            misread.__cause__ = error
            self._finish(number, misread)
        else:
            self._send(number, asked)

    def _finish(self, number: int, error: PollError | None, reading: UnitReading | None = None) -> None:
        asked = self._asked.pop(number)
        asked.conversation.close()
        if error is not None and not isinstance(error, MisreadReplyError):
            drop_frames(error)
        asked.done(Outcome(reading, error, self._clock() - asked.started, 1))

    def _fail_one(self, number: int, words: str) -> None:
        if number in self._asked:
            self._finish(number, LaneError(f"pyasic's process {words}"))

    def _note_login(self, host: str) -> None:
        """Log that a unit does not take its login, once in ten minutes for all of them."""
        now = self._clock()
        if now - self._login_logged_at >= _LOG_AGAIN_S:
            log.warning("login refused by a unit of another make", host=host, key="foreign_login")
            self._login_logged_at = now

    def _note(self, end: _Replaced) -> None:
        """Count a replacement, and log it if it is a failure; fail what the process had in hand."""
        self._on_replaced(end.why)
        if end.why in {"memory", "age"}:
            log.info("pyasic's process replaced", why=end.why)
            return
        self._failures += 1
        self._unlogged += 1
        now = self._clock()
        if now - self._logged_at >= _LOG_AGAIN_S:
            log.warning(
                "pyasic's process replaced", why=end.why, words=str(end), times=self._unlogged, in_hand=len(self._asked)
            )
            self._logged_at, self._unlogged = now, 0
        if end.why != "deadline":
            for number in list(self._asked):
                self._fail_one(number, f"failed: {end.why}")
