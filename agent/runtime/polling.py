"""The client and the poller of a site, built from its configuration."""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import structlog

from agent.config.file import Config
from agent.errors import LocalResourceError
from agent.runtime.alone import claimed
from agent.runtime.foreign_polling import ForeignPolling
from agent.runtime.process import raise_file_limit
from agent.runtime.socket_log import SocketLog
from agent.site.ledger.entries import LedgerEntry
from agent.site.poller import Bounds, Poller
from agent.site.schedule import Schedule
from agent.unit.cgminer.client import Client
from agent.unit.reader import AnyReader
from agent.unit.reading import Poll

log = structlog.get_logger("agent")

# Descriptors kept for the web server, the log, the loop, and files.
RESERVED_FILES = 64
# Whatever the limit of open files: so many polls at once, and so many web connections.
LEAST_AT_ONCE = 8
STALLED_AFTER_S = 30.0


class Polling:
    """A client and a poller.

    Args:
        config: In force.
        reader_of: As of `Poller`.
        on_poll: As of `Poller`.
        on_skipped: As of `Poller`.
        on_replaced: As of `ForeignPolling`.

    Attributes:
        foreign: The polling of units of other makes.
        rest_s: As of `Client`, from the next connecting on.
        other_process: A process of this machine that polls the same site; 0 if which is not known, None if none does.
        pace_ratio: Poll intervals are this multiple of the configured one, from the next `start_over` on.
    """

    def __init__(
        self,
        config: Config,
        *,
        reader_of: Callable[[LedgerEntry], AnyReader],
        on_poll: Callable[[Poll, float], None],
        on_skipped: Callable[[str, int], None],
        on_replaced: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._config = config
        self._reader_of = reader_of
        self._on_poll = on_poll
        self._on_skipped = on_skipped
        self._file_limit = raise_file_limit()
        self._socket_log = SocketLog()
        self._client: Client
        self._poller: Poller | None = None
        self.foreign = ForeignPolling(
            config, reader_of=reader_of, on_poll=on_poll, on_skipped=on_skipped, on_replaced=on_replaced
        )
        self.rest_s = 0.0
        self.pace_ratio = 1.0
        self.other_process: int | None = None

    @property
    def poller(self) -> Poller:
        """The poller, from the latest `connected` on."""
        if self._poller is None:
            raise RuntimeError("polling has not begun")
        return self._poller

    @property
    def illness(self) -> str | None:
        """Why this process is unhealthy; None when it is healthy."""
        stalled_s = time.monotonic() - self.poller.last_progress
        return f"no poll was started for {stalled_s:.0f} s" if stalled_s > STALLED_AFTER_S else None

    @property
    def web_connections(self) -> int:
        """Most web connections at once: as configured, or fewer where the limit of open files is low.

        Idle connections to the web server must never take the descriptors that polling needs.
        """
        left = self._file_limit - RESERVED_FILES - LEAST_AT_ONCE
        return min(self._config.web.max_connections, max(LEAST_AT_ONCE, left))

    @contextmanager
    def connected(self, entries: Iterable[LedgerEntry]) -> Iterator[None]:
        """Hold the sockets for polling these units while the block runs; nothing is polled yet."""
        entries = tuple(entries)
        self._client = self._new_client()
        poll = self._config.poll
        self._poller = Poller(
            client=self._client,
            reader_of=self._reader_of,
            schedule=self._new_schedule(),
            bounds=self._bounds(),
            slow_every=poll.slow_every,
            pools_every=self._config.pools_every,
            on_poll=self._on_poll,
            on_skipped=self._on_skipped,
            on_no_socket=self._note_no_socket,
        )
        self.replace_entries(entries)
        self._warn_if_limited()
        try:
            with claimed(self._claim(entries)) as self.other_process:
                if self.other_process is not None:
                    log.warning(
                        "another agent polls this site", site=self._config.title, pid=self.other_process or None
                    )
                yield
        finally:
            self._client.close()

    def _claim(self, entries: Iterable[LedgerEntry]) -> str:
        """Return the site's name, with shard or standby, which poll the same site on purpose, and its first address.

        Simulated sites often share a name, and two ledgers of one site differ in some rows.
        """
        first = min((f"{entry.host}:{entry.port}" for entry in entries), default="no unit")
        part = ", standby" if self._config.standby.of else ""
        return f"{first} {self._config.title}{part}"

    @property
    def in_flight(self) -> int:
        """Polls in flight, those in the lane included."""
        return self.poller.in_flight + self.foreign.in_flight

    def replace_entries(self, entries: Iterable[LedgerEntry]) -> None:
        """Replace all entries by those of a changed ledger."""
        ours, foreign = _apart(entries)
        self.poller.replace_entries(ours)
        self.foreign.replace_entries(foreign)

    def take_over(self, entries: Iterable[LedgerEntry], gone: Iterable[str] = ()) -> None:
        """Apply changes to the ledger, as `Poller.take_over`; a unit may change to the lane, and back."""
        ours, foreign = _apart(entries)
        gone = tuple(gone)
        self.poller.take_over(ours, (*gone, *(entry.unit_id for entry in foreign)))
        self.foreign.take_over(foreign, (*gone, *(entry.unit_id for entry in ours)))

    async def sweep(self) -> None:
        """Poll every unit once, and return when all polls are done."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.foreign.sweep(), name="lane")
            await self.poller.sweep()

    def configure(self, config: Config) -> None:
        """Continue with another configuration; polls in flight are dropped."""
        self._config = config
        self.start_over()
        self._warn_if_limited()

    def ask_pools_every(self, polls: int | None) -> None:
        """Ask each unit for its pools every so many polls from now on; None to ask with the other slow reports."""
        self.poller.pools_every = polls

    def start_over(self) -> None:
        """Drop the polls in flight, and poll every unit within an interval, whatever its back-off."""
        self._client.close()
        self._client = self._new_client()
        self.poller.reconfigure(
            client=self._client,
            schedule=self._new_schedule(),
            bounds=self._bounds(),
            slow_every=self._config.poll.slow_every,
        )
        self.foreign.pace_ratio = self.pace_ratio
        self.foreign.start_over(self._config)

    def close_interval(self) -> None:
        """Log what is due once an interval."""
        self._socket_log.close_interval()

    def _note_no_socket(self, error: LocalResourceError) -> None:
        self._socket_log.add(
            error, file_limit=self._file_limit, in_flight=self.poller.in_flight, units=self.poller.units
        )

    def _warn_if_limited(self) -> None:
        """Log if the limit of open files lets fewer polls be in flight than configuration and ledger need."""
        poll, web, bounds = self._config.poll, self._config.web, self._bounds()
        healthy = poll.max_in_flight - poll.max_in_flight_sick
        allowed = bounds.healthy + bounds.sick
        if allowed < min(poll.max_in_flight, self.poller.units):
            log.warning(
                "few polls at once: limit of open files",
                file_limit=self._file_limit,
                file_limit_needed=RESERVED_FILES + web.max_connections + 2 * max(healthy, poll.max_in_flight_sick),
                in_flight_at_most=allowed,
                max_in_flight=poll.max_in_flight,
                units=self.poller.units,
            )

    def _new_client(self) -> Client:
        poll = self._config.poll
        return Client(connect_timeout_s=poll.connect_timeout_s, deadline_s=poll.deadline_s, rest_s=self.rest_s)

    def _new_schedule(self) -> Schedule:
        poll = self._config.poll
        # Counted from poll to poll: a failed one lasts as long as connecting may take, and the wait begins after it.
        backoff_max_s = poll.backoff_max_s - poll.connect_timeout_s
        interval_s = poll.interval_s * self.pace_ratio
        return Schedule(interval_s=interval_s, backoff_max_s=backoff_max_s, jitter=random.random)

    def _bounds(self) -> Bounds:
        poll, web = self._config.poll, self._config.web
        # Descriptors are a budget: the web server keeps its share whatever the configuration asks.
        most = max(LEAST_AT_ONCE, self._file_limit - RESERVED_FILES - web.max_connections)
        healthy = min(poll.max_in_flight - poll.max_in_flight_sick, most // 2)
        return Bounds(healthy=max(1, healthy), sick=min(poll.max_in_flight_sick, most // 2))


def _apart(entries: Iterable[LedgerEntry]) -> tuple[list[LedgerEntry], list[LedgerEntry]]:
    """Return the units that this process asks itself, and those of the lane."""
    ours: list[LedgerEntry] = []
    foreign: list[LedgerEntry] = []
    for entry in entries:
        (foreign if entry.is_foreign else ours).append(entry)
    return ours, foreign
