"""Polling of units of other makes: a poller of its own at an interval of its own, over the lane.

Without such units there is no process, no task that wakes, and pyasic is not imported anywhere.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from agent.config.file import Config
from agent.runtime.foreign_logins import ForeignLogin, login_for
from agent.runtime.lane import Lane, Limits
from agent.runtime.quarantine import Quarantine
from agent.site.ledger.entries import LedgerEntry
from agent.site.poller import Bounds, Poller
from agent.site.schedule import Schedule
from agent.unit.cgminer.call import Address
from agent.unit.foreign.protocol import MakeLogin
from agent.unit.reader import AnyReader
from agent.unit.reading import Poll

# So many polls in flight, of units that answered and of those that did not: a process takes about 15 to 90 polls a
# second (Documented (D268)), and a silent unit holds its place for two seconds.
BOUNDS: Final = Bounds(healthy=16, sick=16)


class NewLane(Protocol):
    """Makes a lane."""

    def __call__(
        self,
        *,
        on_replaced: Callable[[str], None],
        login_of: Callable[[Address], MakeLogin | None],
        quarantine: Quarantine,
    ) -> Lane:
        """Return a new lane; the arguments are as of `Lane`."""


class ForeignPolling:
    """The poller of units of other makes.

    Args:
        config: In force.
        reader_of: As of `Poller`.
        on_poll: As of `Poller`.
        on_skipped: As of `Poller`.
        on_replaced: As of `Lane`.
        new_lane: Makes a lane.

    Attributes:
        quarantine: Units whose answers fail the process; outlives a lane.
        pace_ratio: As of `Polling`.
    """

    def __init__(
        self,
        config: Config,
        *,
        reader_of: Callable[[LedgerEntry], AnyReader],
        on_poll: Callable[[Poll, float], None],
        on_skipped: Callable[[str, int], None],
        on_replaced: Callable[[str], None],
        new_lane: NewLane = Lane,
    ) -> None:
        self._config, self._reader_of, self._on_poll, self._on_skipped = config, reader_of, on_poll, on_skipped
        self._on_replaced, self._lane_of = on_replaced, new_lane
        self._lane: Lane | None = None
        self._poller: Poller | None = None
        self._has_units = asyncio.Event()
        self._entries: dict[str, LedgerEntry] = {}
        self.quarantine = Limits().new_quarantine()
        self._logins: tuple[ForeignLogin, ...] = ()
        self._login_by_address: dict[Address, MakeLogin] = {}
        self.pace_ratio = 1.0

    @property
    def lane(self) -> Lane | None:
        """The lane; None while there never was a unit for it."""
        return self._lane

    @property
    def in_flight(self) -> int:
        """Polls in flight."""
        return 0 if self._poller is None else self._poller.in_flight

    def replace_entries(self, entries: Iterable[LedgerEntry]) -> None:
        """Replace all units."""
        entries = tuple(entries)
        there = {entry.unit_id for entry in entries}
        gone = () if self._poller is None else [unit_id for unit_id in self._poller.unit_ids if unit_id not in there]
        self.take_over(entries, gone)

    def take_over(self, entries: Iterable[LedgerEntry], gone: Iterable[str] = ()) -> None:
        """Apply changes, as `Poller.take_over`; without any unit left, the process ends."""
        entries, gone = tuple(entries), tuple(gone)
        for unit_id in gone:
            self._entries.pop(unit_id, None)
        self._entries.update((entry.unit_id, entry) for entry in entries)
        self.quarantine.keep((entry.host, entry.port) for entry in self._entries.values())
        self.use_logins(self._logins)
        if self._poller is None:
            if not entries:
                return
            self._lane = self._new_lane()
            self._poller = Poller(
                client=self._lane,
                reader_of=self._reader_of,
                schedule=self._new_schedule(),
                bounds=BOUNDS,
                slow_every=1,
                on_poll=self._on_poll,
                on_skipped=self._on_skipped,
                is_lane=True,
            )
        self._poller.take_over(entries, gone)
        if self._poller.units:
            self._has_units.set()
        elif self._has_units.is_set():
            self._has_units.clear()
            self.start_over(self._config)

    def use_logins(self, logins: tuple[ForeignLogin, ...]) -> None:
        """Give these logins to the units that they are for, from the next poll on; to no other."""
        self._logins = logins
        found = ((entry, login_for(entry, logins)) for entry in self._entries.values()) if logins else ()
        self._login_by_address = {(entry.host, entry.port): login for entry, login in found if login is not None}

    def start_over(self, config: Config) -> None:
        """Continue with a configuration; polls in flight are dropped, and so is the process."""
        self._config = config
        if self._lane is not None and self._poller is not None:
            self._lane.close()
            self._lane = self._new_lane()
            self._poller.reconfigure(client=self._lane, schedule=self._new_schedule(), bounds=BOUNDS, slow_every=1)

    async def run(self) -> None:
        """Poll until cancelled; every unit is asked once at the start, so that the first figures need not wait."""
        try:
            while self._poller is None:
                await self._has_units.wait()
            self._poller.offer_all()
            while True:
                await self._has_units.wait()
                self._poller.start_due()
                await asyncio.sleep(self._poller.nap_s())
        finally:
            await self.close()

    async def sweep(self) -> None:
        """Poll every unit once, then end the process."""
        if self._poller is not None and self._poller.units:
            try:
                await self._poller.sweep()
            finally:
                await self.close()

    async def close(self) -> None:
        """End the process."""
        if self._lane is not None:
            self._lane.close()
            await self._lane.closed()

    def _new_lane(self) -> Lane:
        return self._lane_of(on_replaced=self._on_replaced, login_of=self._login_of, quarantine=self.quarantine)

    def _login_of(self, address: Address) -> MakeLogin | None:
        return self._login_by_address.get(address)

    def _new_schedule(self) -> Schedule:
        interval_s = self._config.poll.foreign_interval_s * self.pace_ratio
        return Schedule(interval_s=interval_s, backoff_max_s=interval_s, jitter=random.random)
