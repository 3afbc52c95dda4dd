"""The recorder of one unit: it looks at it once, or again and again, and keeps every exchange. Sends what only tells.

One connection at a time: a unit's API serves one client. What is to be compared is asked in one burst, but for firmware
that wants a pause between requests.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from agent.address import Endpoint
from agent.errors import (
    DeadlineError,
    DisconnectedError,
    LocalResourceError,
    MalformedReplyError,
    UnreachableError,
    excerpt,
)
from agent.hil.capture.exchange import Patience, ask, look_at_port
from agent.hil.capture.exchanged import UNAUTHORIZED, Exchange, may_be_epic, refuse_foreign
from agent.hil.capture.form import Ending, Port
from agent.hil.capture.gathering import Gathering, Look
from agent.hil.capture.pages import PageReader
from agent.hil.capture.requests import (
    AGAIN,
    EPIC_SUMMARY,
    PAGES,
    PAUSE_S,
    STATS,
    VERSION,
    Firmware,
    boards_listed,
    firmware_said,
    first_reports,
    is_epic,
    moving_pages,
)
from agent.hil.capture.spool import Asked, Looked, Spool
from agent.hil.capture.states import State
from agent.unit.login import Login

API_PORT: Final = 4028
WEB_PORT: Final = 80
# Documented (D07): stock units let 22 and 6060 through. LuxOS has an API on 8080 too (D222), Braiins OS one on 50051.
OTHER_PORTS: Final = (22, 443, 6060, 8080, 50051)
"""Looked at besides the API's and the pages': each gets one connection, and no byte."""
MOST_RECORDED_BYTES: Final = 192 * 1024 * 1024
"""A recording ends once its spool has this size."""
_GIVE_UP_AFTER: Final = 2
_REPLY_MARK: Final = b'"STATUS"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Settings for recording a unit.

    Attributes:
        endpoint: Address and port of its API.
        web_port: Port of its pages; None to leave that port alone.
        login: For its pages; None to read none.
        for_s: How long to go on, s; 0 for one look.
        every_s: Time from the beginning of one look to that of the next, s.
        through: Go on until it has been in this state and has left it, `for_s` at most; None for the whole time.
        patience: How long to wait for each answer.
        pauses_s: Time between two requests by firmware, s.
    """

    endpoint: Endpoint
    web_port: int | None = WEB_PORT
    login: Login | None = None
    for_s: float = 0.0
    every_s: float = 30.0
    through: State | None = None
    patience: Patience = field(default_factory=Patience)
    pauses_s: Mapping[Firmware, float] = field(default_factory=lambda: PAUSE_S)

    @property
    def shown(self) -> str:
        """Its address, with the port if that is not 4028."""
        return self.endpoint.host if self.endpoint.port == API_PORT else str(self.endpoint)

    @property
    def waits_for_boot(self) -> bool:
        """True if a unit that does not answer yet is waited for."""
        return self.through in {State.BOOT, State.OFF}


class Recorder:
    """Records one unit.

    Args:
        plan: What to record.
        spool: Gets each exchange as soon as it is over.
        gathering: Gets the same.
        on_look: Called after each look.
        clock: Monotonic time, s.

    Attributes:
        firmware: Which firmware answers; None until it is known.
        is_login_refused: The unit refused the login, so its pages are left alone.
        is_too_large: The recording ended at `MOST_RECORDED_BYTES`.
    """

    def __init__(
        self,
        plan: Plan,
        spool: Spool,
        gathering: Gathering,
        *,
        on_look: Callable[[Look], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan = plan
        self._spool = spool
        self._gathering = gathering
        self._on_look = on_look
        self._clock = clock
        self._began = clock()
        self._asked: set[str] = set()
        self._asked_now: set[str] = set()
        self._number = 0
        self._silences = 0
        self._has_asked = False
        self._boards: list[int] = []
        self.firmware: Firmware | None = None
        self.is_login_refused = False
        self.is_too_large = False

    async def run(self) -> None:
        """Record until the plan is done.

        Raises:
            PollError: The first look met no unit; `ForeignProtocolError` if something else answers there.
            LocalResourceError: This process has no socket to spare.
            OSError: The spool could not be written.
        """
        self._began = self._clock()
        until = self._began + self._plan.for_s
        while True:
            started = self._clock()
            await self._look()
            look = self._gathering.end_look()
            self._spool.sync()
            if look is not None:
                self._on_look(look)
            self._number += 1
            following = started + self._plan.every_s
            self.is_too_large = self._spool.size > MOST_RECORDED_BYTES
            if self._is_through() or following > until or self.is_too_large:
                return
            await asyncio.sleep(max(0.0, following - self._clock()))

    def _is_through(self) -> bool:
        return self._plan.through is not None and self._gathering.has_left(self._plan.through)

    async def _look_at_ports(self) -> None:
        """Look at all ports but the API's at once: one that drops packets takes the whole patience."""
        endpoint = self._plan.endpoint
        numbers = {} if self._plan.web_port is None else {WEB_PORT: self._plan.web_port}
        if endpoint.port == API_PORT:
            # Behind another port the others may be another machine's, as with a forwarded port.
            numbers |= {number: number for number in OTHER_PORTS}
        async with asyncio.TaskGroup() as group:
            looks = {
                known: group.create_task(self._port(Endpoint(endpoint.host, number)), name=f"record: port {number}")
                for known, number in sorted(numbers.items())
            }
        for known, look in looks.items():
            if (port := look.result()) is not None:
                self._take_port(known, port)

    async def _port(self, endpoint: Endpoint) -> Port | None:
        """Return what a port does; None if this process has no socket to spare."""
        try:
            return await look_at_port(endpoint, self._plan.patience, self._clock)
        except LocalResourceError:
            return None

    def _take_port(self, number: int, port: Port) -> None:
        self._gathering.add_port(str(number), port)
        self._spool.append(Looked(number=str(number), port=port))

    async def _look(self) -> None:
        self._silences = 0
        self._asked_now.clear()
        if self.firmware is Firmware.EPIC:
            await self._read_pages(Firmware.EPIC)
            return
        version = await self._ask(VERSION)
        if version is None:
            return
        is_new = self.firmware is None
        if is_new and not await self._identify(version):
            return
        firmware = self.firmware or Firmware.OTHER
        again = () if is_new else AGAIN[firmware]
        await self._ask_all(again)
        # What the first look could not ask, because the unit went away, is asked by a later one.
        await self._ask_all(self._unasked(first_reports(firmware, ())))
        # The boards are known once `devs` was answered.
        await self._ask_all(self._unasked(first_reports(firmware, self._boards)))
        await self._read_pages(firmware)
        if is_new:
            await self._look_at_ports()

    def _unasked(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if name not in self._asked]

    async def _ask_all(self, names: Iterable[str]) -> None:
        """Ask for reports, each once in this look."""
        for name in names:
            if name not in self._asked_now:
                await self._ask(name)

    async def _identify(self, version: Exchange) -> bool:
        """Learn which firmware answers; return False if nothing did and the unit is waited for.

        Raises:
            PollError: No unit answers.
        """
        endpoint = self._plan.endpoint
        if version.port is not Port.OPEN:
            if self._plan.waits_for_boot:
                return False
            is_refusal = version.port is Port.REFUSED
            raise UnreachableError(f"{endpoint}: {_NO_CONNECTION[version.port]}", is_refusal=is_refusal)
        if may_be_epic(version) and await self._identify_epic():
            return True
        refuse_foreign(version)
        self.firmware = firmware_said(version.data)
        stats = await self._ask(STATS)
        replies = [version] if stats is None else [version, stats]
        for reply in replies:
            refuse_foreign(reply)
        self.firmware = firmware_said(version.data, b"" if stats is None else stats.data)
        if any(_REPLY_MARK in reply.data for reply in replies):
            return True
        self.firmware = None
        if self._plan.waits_for_boot:
            return False
        answer = next((reply.data for reply in replies if reply.data), None)
        if answer is None:
            words = f"{endpoint} accepts connections, and answers neither version nor stats"
            if all(reply.ending in {Ending.RESET, Ending.CLOSE} for reply in replies):
                how = "resets" if version.ending is Ending.RESET else "closes"
                raise DisconnectedError(f"{words}: it {how} them", is_reset=version.ending is Ending.RESET)
            raise DeadlineError(words)
        raise MalformedReplyError(f"{endpoint} answers, and not as a unit does: {excerpt(answer)!r}")

    async def _identify_epic(self) -> bool:
        """Ask what speaks HTTP, or nothing, for ePIC's first page; return True if it is that."""
        exchanges = await self._page_reader(Firmware.EPIC, None).get(EPIC_SUMMARY, look=self._number)
        if not is_epic(exchanges[-1].data):
            return False
        self.firmware = Firmware.EPIC
        for exchange in exchanges:
            self._keep(exchange)
        return True

    async def _ask(self, name: str) -> Exchange | None:
        """Ask for one report; None if the unit went away within this look, and is left alone."""
        if self._silences >= _GIVE_UP_AFTER:
            return None
        if self._has_asked:
            await asyncio.sleep(self._plan.pauses_s[self.firmware or Firmware.OTHER])
        self._has_asked = True
        plan = self._plan
        exchange = await ask(
            plan.endpoint, name, look=self._number, began=self._began, patience=plan.patience, clock=self._clock
        )
        self._keep(exchange)
        if name == "devs" and exchange.data and not self._boards:
            self._boards = boards_listed(exchange.data)
        return exchange

    async def _read_pages(self, firmware: Firmware) -> None:
        plan, is_epic = self._plan, firmware is Firmware.EPIC
        if not is_epic and (plan.login is None or plan.web_port is None or self.is_login_refused):
            return
        reader = self._page_reader(firmware, None if is_epic else plan.login)
        unasked = self._unasked(PAGES[firmware])
        again = [page for page in moving_pages(firmware) if page not in unasked]
        for page in [*again, *unasked]:
            if self._silences >= _GIVE_UP_AFTER:
                return
            if page in self._asked_now:
                continue
            await asyncio.sleep(plan.pauses_s[firmware])
            exchanges = await reader.get(page, look=self._number)
            for exchange in exchanges:
                self._keep(exchange)
            last = exchanges[-1]
            if last.status == UNAUTHORIZED:
                # Another try would only be refused too, and may lock the account.
                self.is_login_refused = True
                return

    def _page_reader(self, firmware: Firmware, login: Login | None) -> PageReader:
        """Return what gets pages: those of ePIC firmware are on its API's port."""
        plan = self._plan
        web = Endpoint(plan.endpoint.host, WEB_PORT if plan.web_port is None else plan.web_port)
        return PageReader(
            endpoint=plan.endpoint if firmware is Firmware.EPIC else web,
            login=login,
            patience=plan.patience,
            clock=self._clock,
            began=self._began,
        )

    def _keep(self, exchange: Exchange) -> None:
        self._asked.add(exchange.request)
        self._asked_now.add(exchange.request)
        if exchange.is_on_api_port and self._gathering.ports.get(str(API_PORT)) not in {exchange.port, Port.OPEN}:
            self._take_port(API_PORT, exchange.port)
        self._silences = self._silences + 1 if exchange.port in {Port.SILENT, Port.NO_ROUTE} else 0
        self._spool.append(Asked(exchange=exchange))
        self._gathering.add(exchange)


_NO_CONNECTION: Final[Mapping[Port, str]] = {
    Port.REFUSED: "refuses the connection; the host is up, and its API is not",
    Port.SILENT: "does not accept a connection; nothing answers at this address",
    Port.NO_ROUTE: "cannot be reached from here",
}
