"""Conversations with units of other makes, through one process that holds pyasic. To a poller, it is a client.

    start(unit) --> waiting --> in hand --> answer, or the deadline --> done(outcome)
                                   '-- the process ends, hangs, floods, babbles: it is replaced

The process runs only while there are units for it. It is replaced

* if it ends, writes what is no answer, or floods its pipe;
* if an answer is later than `DEADLINE_S`;
* at `MOST_BYTES` of memory, and after a day.

What else it had in hand is asked of the next one. Of a process that failed, these are suspects, asked one by one, until
the unit is found that fails it alone (`quarantine`): only that poll fails.

There is one process at a time, never two, and one start in `Limits.rest_s` at most. A failure is counted, and logged if
none was for ten minutes. The next process waits the longer, the more of them failed in a row for no unit's sake.
"""

import asyncio
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from typing import Final

import structlog

from agent.errors import DeadlineError, LaneError, MisreadReplyError, PollError, drop_frames
from agent.runtime.lane_parts import WHYS, Asked, LaneLog, Limits, Replaced
from agent.runtime.quarantine import Quarantine
from agent.unit.cgminer.call import Address, Done, Outcome
from agent.unit.foreign.process import COMMAND, FloodError, Process, ProcessError, resident_bytes
from agent.unit.foreign.protocol import STARTED, MakeLogin, encode_request, head_of
from agent.unit.reading import UnitReading

__all__ = ["WHYS", "Lane", "Limits"]

log = structlog.get_logger("agent.lane")

_LOOK_S: Final = 0.5


class Lane:
    """One process with pyasic in it, and the conversations that it serves.

    Args:
        on_replaced: Called with one of `WHYS` each time a process is replaced.
        login_of: Returns the login that the configuration gives for the unit at an address; None for none.
        command: The process's program.
        limits: When it is replaced.
        quarantine: Units that fail the process; None for a new one.
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
        quarantine: Quarantine | None = None,
        resident: Callable[[int], int] = resident_bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_replaced, self._login_of = on_replaced, login_of
        self._command, self._limits = command, limits or Limits()
        self._resident, self._clock = resident, clock
        self.quarantine = quarantine or self._limits.new_quarantine()
        self._answered: set[Address] = set()
        self._asked: dict[int, Asked] = {}
        self._latest = STARTED
        self._process: Process | None = None
        self._running: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._is_down = False
        self._started_at = float("-inf")
        self._log = LaneLog(clock)
        self._bytes_before = 0

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
        now = self._clock()
        asked = self._asked[self._latest] = Asked(address, conversation, done, now)
        error: PollError | None = self.quarantine.error(address, now=now)
        if error is None and self._is_down:
            error = LaneError("pyasic's process is down, and started again soon")
        if error is not None:
            asked.is_refused = True
            asyncio.get_running_loop().call_soon(self._refuse, self._latest, error)
        else:
            self._send_waiting()
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
            except Replaced as end:
                self._note(end)
            if self._failures > 1:
                self._is_down = True
                await asyncio.sleep(min(self._limits.longest_wait_s, self._limits.rest_s * 2.0 ** (self._failures - 2)))
                self._is_down = False
            await asyncio.sleep(max(0.0, self._started_at + self._limits.rest_s - self._clock()))

    async def _serve(self) -> None:
        """Hold one process until it is to be replaced.

        Raises:
            Replaced: It is.
        """
        try:
            process = await Process.start(self._command)
        except ProcessError as error:
            raise Replaced("start", str(error)) from error
        try:
            await self._wait_for_start(process)
            self._process = process
            self._send_waiting()
            reading = asyncio.create_task(self._read(process), name="lane answers")
            try:
                await self._watch(process.pid, reading)
            finally:
                reading.cancel()
                with suppress(asyncio.CancelledError, Replaced):
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
            raise Replaced("start", "it did not start in time") from error
        except ProcessError as error:
            raise Replaced("start", str(error)) from error
        head = head_of(line)
        if head is None or head.id != STARTED:
            raise Replaced("nonsense", "its first line is no start")

    async def _watch(self, pid: int, reading: asyncio.Task[None]) -> None:
        """Look twice a second whether the process is late, large or old; end with the reading of its answers."""
        began = self._clock()
        while not (await asyncio.wait((reading,), timeout=_LOOK_S))[0]:
            now, late = self._clock(), self._limits.deadline_s
            sent = [asked.sent_at for asked in self._asked.values() if asked.sent_at is not None]
            if sent and now - min(sent) >= late:
                raise Replaced("deadline", f"{sum(1 for at in sent if now - at >= late)} answers were late")
            if self._resident(pid) >= self._limits.most_bytes:
                raise Replaced("memory", answered=self._answered)
            self._answered.clear()
            if now - began >= self._limits.longest_life_s:
                raise Replaced("age")
        await reading

    async def _read(self, process: Process) -> None:
        """Take answers in.

        Raises:
            Replaced: There are no more, or something else comes.
        """
        while True:
            try:
                line = await process.read_line()
            except FloodError as error:
                raise Replaced("flood", str(error)) from error
            except ProcessError as error:
                raise Replaced("ended", str(error)) from error
            head = head_of(line)
            if head is None or head.id not in self._asked:
                raise Replaced("nonsense", f"it wrote {line[:80]!r}")
            if head.login_refused:
                self._log.login_refused(self._asked[head.id].address[0])
            if self._failures and self._clock() - self._started_at >= self._limits.rest_s:
                self._failures = 0
            if self.quarantine.is_suspect(self._asked[head.id].address) and self._has_grown(process.pid):
                raise Replaced("memory", has_grown=True)
            self._take(head.id, line)

    def _has_grown(self, pid: int) -> bool:
        """Return True if the one unit in hand cost the process much of what it may have: units cost it nothing."""
        return self._resident(pid) - self._bytes_before >= self._limits.most_bytes / 4

    def _send_waiting(self) -> None:
        """Send what waits: one suspect, with nothing else in hand; or else everything."""
        if self._process is None:
            return
        waiting = [each for each in self._asked.items() if each[1].sent_at is None and not each[1].is_refused]
        in_hand = [asked for asked in self._asked.values() if asked.sent_at is not None]
        suspects = [each for each in waiting if self.quarantine.is_suspect(each[1].address)]
        if any(self.quarantine.is_suspect(asked.address) for asked in in_hand) or (suspects and in_hand):
            return
        if suspects:
            self._bytes_before = self._resident(self._process.pid)
        for number, asked in suspects[:1] or waiting:
            self._send(number, asked)

    def _send(self, number: int, asked: Asked) -> None:
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
            self._note_answer(asked.address, is_read=True)
            self._finish(number, None, end.value)
        except PollError as error:
            self._note_answer(asked.address, is_read=False)
            self._finish(number, error)
        except Exception as error:  # noqa: BLE001 - A bug of ours counts as an answer not understood, with its traceback.
            misread = MisreadReplyError(f"{type(error).__name__} while reading the answer")
            misread.__cause__ = error
            self._note_answer(asked.address, is_read=False)
            self._finish(number, misread)
        else:
            self._send(number, asked)

    def _finish(self, number: int, error: PollError | None, reading: UnitReading | None = None) -> None:
        asked = self._asked.pop(number)
        asked.conversation.close()
        if error is not None and not isinstance(error, MisreadReplyError):
            drop_frames(error)
        asked.done(Outcome(reading, error, self._clock() - asked.started, 1))
        self._send_waiting()

    def _refuse(self, number: int, error: PollError) -> None:
        if number in self._asked:
            self._finish(number, error)

    def _note_answer(self, address: Address, *, is_read: bool) -> None:
        self._answered.add(address)
        if self.quarantine.note_answer(address, is_read=is_read):
            log.info("unit of another make answers well again", host=address[0])

    def _note(self, end: Replaced) -> None:
        """Count a replacement, and log it if it is a failure; find the unit that it is for."""
        self._on_replaced(end.why)
        in_hand = [number for number, asked in self._asked.items() if asked.sent_at is not None]
        is_for_a_unit = end.why not in {"start", "age"} and self._blame(end, in_hand)
        for number in in_hand:
            if number in self._asked:
                self._asked[number].sent_at = None
        self._answered.clear()
        if end.why in {"memory", "age"}:
            log.info("pyasic's process replaced", why=end.why)
            return
        self._log.failed(end, len(in_hand))
        if is_for_a_unit:
            return
        self._failures += 1
        if not in_hand or self.quarantine.is_process_at_fault:
            self.quarantine.pardon()
            for number in [number for number, asked in self._asked.items() if not asked.is_refused]:
                self._refuse(number, LaneError(f"pyasic's process failed: {end.why}"))

    def _blame(self, end: Replaced, in_hand: list[int]) -> bool:
        """Suspect the units that a failed process had in hand; return True if it was one alone, whose poll fails."""
        units = {self._asked[number].address for number in in_hand} | end.answered
        if len(units) != 1 or (end.why == "memory" and not end.has_grown):
            self.quarantine.suspect(units)
            return False
        (address,) = units
        now = self._clock()
        error = self.quarantine.strike(address, end.why, now=now)
        if self.quarantine.is_process_at_fault:
            return False
        if error is not None and self.quarantine.is_new(address):
            log.warning("unit of another make quarantined", host=address[0], words=str(error))
        late = DeadlineError(f"pyasic's process had no answer in {self._limits.deadline_s:g} s")
        failed = late if end.why == "deadline" else LaneError(f"pyasic's process failed: {end.why}")
        for number in in_hand:
            self._refuse(number, error or failed)
        return True
