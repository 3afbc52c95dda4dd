"""Looks at a live unit with the recorder's exchanges: once, or again and again. Sends reports only."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from agent.address import Endpoint
from agent.hil.capture import form
from agent.hil.capture.exchange import Patience, ask
from agent.hil.capture.exchanged import Exchange, may_be_epic
from agent.hil.capture.form import Capture, CapturedUnit, Manifest, Moment, Port, RecordedReply, Timings
from agent.hil.capture.pages import PageReader
from agent.hil.capture.requests import EPIC_SUMMARY, PAUSE_S, Firmware, firmware_said, is_epic
from agent.hil.verify.observed import EPIC_LOOK, LOOK, POLLED, VERSION

LATER: Final = f"{form.MOMENTS}/01-later"
"""The second look of a series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Intervals at which a unit is looked at.

    Attributes:
        polls: Polls between a first and a second look; 0 for one look alone.
        every_s: Time from one poll to the next, s.
        patience: How long to wait for each answer.
    """

    polls: int = 0
    every_s: float = 10.0
    patience: Patience = field(default_factory=Patience)


async def look_at(endpoint: Endpoint, series: Series, *, clock: Callable[[], float], recorded_at: str) -> Capture:
    """Return what a unit answers now, as a capture that is not redacted: to be compared, not to be kept.

    A unit whose port does not accept is asked once, and not again.

    Args:
        endpoint: Address and port of its API.
        series: How often it is looked at.
        clock: Monotonic time, s.
        recorded_at: Date and time, UTC, ISO 8601.

    Raises:
        LocalResourceError: This process has no socket to spare.
    """
    unit = _Unit(endpoint, series.patience, clock)
    first = await unit.look()
    moments: tuple[Moment, ...] = ()
    if series.polls and unit.is_open:
        for _ in range(series.polls):
            await unit.wait(series.every_s)
            await unit.poll()
        await unit.wait(series.every_s)
        moments = (Moment(folder=LATER, state="later", replies=await unit.look(f"{LATER}/")),)
    manifest = Manifest(
        form=form.FORM,
        recorded_by="hashsight verify",
        is_redacted=False,
        unit=CapturedUnit(),
        ports={str(endpoint.port): unit.port},
        replies=first,
        moments=moments,
    )
    timings = Timings(recorded_at=recorded_at, replies=tuple(each.timing(None) for each in unit.exchanges))
    return Capture(name=str(endpoint), manifest=manifest, data=unit.data, timings=timings)


class _Unit:
    """One unit, and what it has answered."""

    def __init__(self, endpoint: Endpoint, patience: Patience, clock: Callable[[], float]) -> None:
        self._endpoint, self._patience, self._clock = endpoint, patience, clock
        self._began = clock()
        self._due = self._began
        self._pause_s = 0.0
        self._is_epic = False
        self.port = Port.OPEN
        self.is_open = False
        self.data: dict[str, bytes] = {}
        self.exchanges: list[Exchange] = []

    async def look(self, prefix: str = "") -> tuple[RecordedReply, ...]:
        """Ask for everything once, one request after the other."""
        version = await self.ask(VERSION)
        found = [version]
        if self.is_open:
            if not prefix:
                self._pause_s = PAUSE_S.get(firmware_said(version.data), PAUSE_S[Firmware.OTHER])
                if may_be_epic(version):
                    found.append(await self.page(EPIC_SUMMARY))
                    self._is_epic = is_epic(found[-1].data)
                    found = found if self._is_epic else found[:1]
                    self._pause_s = PAUSE_S[Firmware.EPIC] if self._is_epic else self._pause_s
            rest = EPIC_LOOK if self._is_epic else LOOK[1:]
            for request in rest:
                if any(request == exchange.request for exchange in found):
                    continue
                await asyncio.sleep(self._pause_s)
                found.append(await (self.page(request) if self._is_epic else self.ask(request)))
        for exchange in found:
            file = exchange.file()
            if file is not None:
                self.data[prefix + file] = exchange.data
        return tuple(exchange.recorded() for exchange in found)

    async def poll(self) -> None:
        """Ask for what the agent asks at every poll."""
        await (self.page(EPIC_SUMMARY) if self._is_epic else self.ask(POLLED))

    async def page(self, request: str) -> Exchange:
        """Get a page on TCP 4028 and keep what comes."""
        reader = PageReader(
            endpoint=self._endpoint, login=None, patience=self._patience, clock=self._clock, began=self._began
        )
        (exchange,) = await reader.get(request, look=0)
        self.exchanges.append(exchange)
        return exchange

    async def ask(self, request: str) -> Exchange:
        """Send one request and keep what comes."""
        exchange = await ask(
            self._endpoint, request, look=0, began=self._began, patience=self._patience, clock=self._clock
        )
        self.is_open = self.is_open or exchange.port is Port.OPEN
        if not self.is_open:
            self.port = exchange.port
        self.exchanges.append(exchange)
        return exchange

    async def wait(self, every_s: float) -> None:
        """Wait for the next poll: a slow reply does not move those behind it, and none is made up for."""
        self._due = max(self._due + every_s, self._clock())
        await asyncio.sleep(self._due - self._clock())
