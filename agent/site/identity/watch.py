"""Following units that change their addresses: asks who they are, credits what is read, and says what it found.

The ledger's file is never written: what it ought to say is proposed in the log, as the command that would say it.
"""

import asyncio
import random
import shlex
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import structlog

from agent.address import Endpoint
from agent.config.sections import IdentitySection
from agent.errors import OtherUnitError
from agent.site.identity.book import Addresses, IdentityBook
from agent.site.identity.checker import Checker
from agent.site.identity.figures import IdentityFigures
from agent.site.identity.whereabouts import Difference, Finding, Move, Sighting, Standing, Whereabouts
from agent.site.ledger.cells import host_cell
from agent.site.ledger.delta import LedgerDelta
from agent.site.ledger.entries import Ledger, LedgerEntry
from agent.unit.digest import Login
from agent.unit.reader import FetchSystemInfo
from agent.unit.reading import Poll, SystemInfo

log = structlog.get_logger("agent.identity")


class IdentityWatch:
    """Who is where at one site, kept up to date beside the polls.

    Args:
        config_file: Named in the commands that are proposed.
        fetch: Asks a unit's own page who it is.
        on_misread: Called with a unit whose last reading was not its own, and why.
        on_rerouted: Called with the entries of units that are to be polled elsewhere from now on, and where.
        clock: Monotonic time, s.

    Until `configure` is called, and where it is told that nobody is to be asked, everything passes as it is.
    """

    def __init__(
        self,
        *,
        config_file: Path,
        fetch: FetchSystemInfo,
        on_misread: Callable[[str, OtherUnitError], None],
        on_rerouted: Callable[[Iterable[LedgerEntry]], None],
        clock: Callable[[], float],
    ) -> None:
        self._config_file = config_file
        self._fetch_system_info = fetch
        self._on_misread = on_misread
        self._on_rerouted = on_rerouted
        self._clock = clock
        self._section = IdentitySection(enabled=False)
        self._login = Login(user="", password="")
        self._connect_timeout_s = 0.0
        self._entries: tuple[LedgerEntry, ...] = ()
        self._book: IdentityBook | None = None
        self._is_changed = asyncio.Event()
        self._checks: Counter[str] = Counter()

    def configure(
        self, section: IdentitySection, login: Login, ledger: Ledger, *, at: float, connect_timeout_s: float
    ) -> None:
        """Take over a configuration and a ledger, at the start and when `has_configuration` does not hold.

        Args:
            section: Whether to ask, and how fast.
            login: Whom the units know us as.
            ledger: All of it.
            at: The Unix time that tells which of its entries are in force, s.
            connect_timeout_s: For connecting alone.
        """
        self._entries = ledger.at(at)
        is_wanted = _is_wanted(section, self._entries)
        if (section, login, connect_timeout_s, is_wanted) != (
            self._section,
            self._login,
            self._connect_timeout_s,
            self._book is not None,
        ):
            self._section, self._login, self._connect_timeout_s = section, login, connect_timeout_s
            self._is_changed.set()
        if not is_wanted:
            self._book = None
        elif self._book is None:
            self._book = IdentityBook(self._entries, ledger.entries)
        else:
            self._tell(self._book.replace_entries(self._entries, ledger.entries, clock_s=self._clock()))

    def has_configuration(
        self, section: IdentitySection, login: Login, entries: Iterable[LedgerEntry], *, connect_timeout_s: float
    ) -> bool:
        """Say whether `take_over` will do: whom to ask, and how, is as it was."""
        return (section, login, connect_timeout_s, _is_wanted(section, entries)) == (
            self._section,
            self._login,
            self._connect_timeout_s,
            self._book is not None,
        )

    def addresses(self, entries: Iterable[LedgerEntry], known: Iterable[LedgerEntry]) -> Addresses:
        """Give what `take_over` wants, of the entries in force and of those of any time; may be asked in a thread."""
        return Addresses({}, ()) if self._book is None else self._book.addresses(entries, known)

    def take_over(self, takeover: LedgerDelta, addresses: Addresses, entries: tuple[LedgerEntry, ...]) -> None:
        """Take over what changed in the ledger; says who is to be polled where, of those that are new or changed too.

        Args:
            takeover: What changed.
            addresses: Of the ledger as it is now.
            entries: All that are in force.
        """
        self._entries = entries
        if self._book is None:
            self._on_rerouted(takeover.changed)
        else:
            self._tell(self._book.take_over(takeover, addresses, clock_s=self._clock()))

    def polled_entries(self) -> Iterable[LedgerEntry]:
        """Give the entries in force with the addresses at which they are to be polled."""
        return self._entries if self._book is None else self._book.routes.entries()

    def credit(self, poll: Poll, *, clock_s: float) -> Poll | None:
        """Give a poll to the unit that was really polled; None when that is none of the ledger's."""
        if self._book is None:
            return poll
        findings = self._book.note_detour(poll, clock_s=clock_s)
        if findings:
            self._tell(findings)
        return self._book.credit(poll, clock_s=clock_s)

    async def run(self) -> None:
        """Ask units who they are until cancelled; starts anew when the configuration changed."""
        while True:
            self._is_changed.clear()
            async with asyncio.TaskGroup() as tasks:
                checking = None if self._book is None else tasks.create_task(self._check(self._book), name="checker")
                await self._is_changed.wait()
                if checking is not None:
                    checking.cancel()

    async def _check(self, book: IdentityBook) -> None:
        await Checker(
            book,
            lambda endpoint: self._fetch(book.inquiries.web_endpoint(endpoint, self._section.web_port)),
            checks_per_s=self._section.checks_per_s,
            max_in_flight=self._section.max_in_flight,
            on_checked=self._on_checked,
            on_findings=self._tell,
        ).run()

    async def _fetch(self, endpoint: Endpoint) -> SystemInfo:
        return await self._fetch_system_info(
            endpoint,
            self._login,
            connect_timeout_s=self._connect_timeout_s,
            deadline_s=self._section.deadline_s,
            cnonce=lambda: f"{random.getrandbits(64):016x}",
        )

    def _on_checked(self, result: str) -> None:
        self._checks[result] += 1

    def figures(self) -> IdentityFigures:
        """Give who is where, for whoever exports it."""
        book = self._book
        return IdentityFigures(
            is_watched=book is not None,
            units_by_standing={} if book is None else book.counts(),
            away=() if book is None else tuple(book.astray()),
            unknown=() if book is None else tuple(book.unknown_units()),
            moves=0 if book is None else book.moves,
            checks=dict(self._checks),
        )

    def whereabouts(self, unit_id: str) -> Whereabouts | None:
        """Give where a unit is; None where nobody is asked, or no such unit is deployed."""
        return None if self._book is None else self._book.whereabouts(unit_id)

    def _tell(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            if isinstance(finding, Difference):
                self._tell_difference(finding)
            else:
                self._tell_move(finding)
        entries = () if self._book is None else self._book.routes.take_changed()
        if entries:
            self._on_rerouted(entries)

    def _tell_move(self, move: Move) -> None:
        now = move.now
        if _source(now) != _source(move.before):
            self._on_misread(now.unit_id, OtherUnitError(_told(now)))
        if now.standing is Standing.MOVED and now.place is not None and now.seen is not None:
            log.warning(
                "address changed",
                unit=now.unit_id,
                host=str(now.place),
                ledger_host=str(now.home),
                command=self._command(now.unit_id, now.seen, "--host", host_cell(now.place), "--swap"),
            )
        elif now.standing is Standing.DISPLACED and now.occupant is not None:
            log.warning(
                "another unit answers",
                unit=now.unit_id,
                host=str(now.home),
                found=now.occupant.unit_id,
                mac=now.occupant.info.mac,
                serial=now.occupant.info.serial,
                model=now.occupant.info.model,
            )
        elif move.before.standing in {Standing.MOVED, Standing.DISPLACED}:
            log.info("address as in the ledger again", unit=now.unit_id, host=str(now.home), standing=now.standing)

    def _tell_difference(self, difference: Difference) -> None:
        entry, seen = difference.entry, difference.sighting
        told = {"--mac": seen.info.mac, "--serial": seen.info.serial}
        changes = [text for option, value in told.items() if value is not None for text in (option, value)]
        log.warning(
            "identity differs from the ledger",
            unit=entry.unit_id,
            host=str(seen.endpoint),
            ledger_mac=entry.mac,
            ledger_serial=entry.serial,
            mac=seen.info.mac,
            serial=seen.info.serial,
            command=self._command(entry.unit_id, seen, *changes),
        )

    def _command(self, unit_id: str, seen: Sighting, *changes: str) -> str:
        """Give the command that would have the ledger say what was seen."""
        at = datetime.fromtimestamp(int(seen.at), UTC).isoformat()
        words = ("hashsight", "ledger", "set", unit_id, *changes, "--at", at, "--config", str(self._config_file))
        return shlex.join(words)


def _is_wanted(section: IdentitySection, entries: Iterable[LedgerEntry]) -> bool:
    return section.enabled and any(entry.serial or entry.mac for entry in entries)


def _source(where: Whereabouts) -> Endpoint | None:
    """Give where a unit's readings come from."""
    if where.place is not None:
        return where.place
    return where.home if where.standing is Standing.UNVERIFIED else None


def _told(where: Whereabouts) -> str:
    if where.standing is Standing.MOVED:
        return f"found at {where.place}; what was read before was another unit's"
    if where.occupant is None:
        return f"no longer where it was found; expected at {where.home}"
    return f"{where.occupant.unit_id or 'an unknown unit'} answers at {where.home}"
