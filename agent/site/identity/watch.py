"""The identity watch: asks units for their identity, credits readings to the unit that answered, and logs changes.

The ledger file is never written. The log proposes each correction as the command that would make it.
"""

import asyncio
import shlex
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import chain
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
from agent.unit.login import Login
from agent.unit.reader import FetchSystemInfo
from agent.unit.reading import Poll, SystemInfo

log = structlog.get_logger("agent.identity")


class IdentityWatch:
    """Keeps track of which unit answers at which address of one site, beside the polls.

    Args:
        config_file: Path of the configuration, named in the proposed commands.
        fetch: Reads a unit's identity from its own web page.
        on_misread: Called with the id of a unit whose last reading came from another unit, and the reason.
        on_rerouted: Called with the entries of units whose polls move, each with its new address.
        clock: Monotonic time, s.

    Before `configure` is called, and while identity checks are off, every poll passes unchanged.
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
        # Units of other makes have no page that is asked for, and get no login: they are where their rows say.
        self._foreign: dict[str, LedgerEntry] = {}
        self._is_changed = asyncio.Event()
        self._checks: Counter[str] = Counter()

    def configure(
        self, section: IdentitySection, login: Login, ledger: Ledger, *, at: float, connect_timeout_s: float
    ) -> None:
        """Take over a configuration and a ledger, at the start and whenever `has_configuration` is False.

        Args:
            section: The switch of the identity checks, and their pace.
            login: The account at the units' web pages.
            ledger: The whole ledger.
            at: The Unix time at which entries must be in force, s.
            connect_timeout_s: Deadline of the TCP connect alone, s.
        """
        self._entries = self._ours(ledger.at(at))
        known = tuple(entry for entry in ledger.entries if not entry.is_foreign)
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
            self._book = IdentityBook(self._entries, known)
        else:
            self._report(self._book.replace_entries(self._entries, known, clock_s=self._clock()))

    def has_configuration(
        self, section: IdentitySection, login: Login, entries: Iterable[LedgerEntry], *, connect_timeout_s: float
    ) -> bool:
        """Return True if the settings are unchanged, so that `take_over` is enough."""
        return (section, login, connect_timeout_s, _is_wanted(section, entries)) == (
            self._section,
            self._login,
            self._connect_timeout_s,
            self._book is not None,
        )

    def addresses(self, entries: Iterable[LedgerEntry], known: Iterable[LedgerEntry]) -> Addresses:
        """Return the addresses that `take_over` needs, of entries in force and of any time; safe in a thread."""
        if self._book is None:
            return Addresses({}, ())
        ours, ours_known = ([entry for entry in some if not entry.is_foreign] for some in (entries, known))
        return self._book.addresses(ours, ours_known)

    def take_over(self, delta: LedgerDelta, addresses: Addresses, entries: tuple[LedgerEntry, ...]) -> None:
        """Take over the changes of a ledger; `on_rerouted` is called with new, changed and rerouted units.

        Args:
            delta: The changes.
            addresses: The addresses of the new ledger.
            entries: All entries in force.
        """
        were_foreign = self._foreign
        self._entries = self._ours(entries)
        if self._book is None:
            self._on_rerouted(delta.changed)
            return
        foreign = tuple(entry for entry in delta.changed if entry.is_foreign)
        if foreign or were_foreign:
            now_foreign = [entry.unit_id for entry in foreign if entry.unit_id in self._book]
            delta = LedgerDelta(
                tuple(entry for entry in delta.changed if not entry.is_foreign),
                (*(unit_id for unit_id in delta.gone if unit_id not in were_foreign), *now_foreign),
            )
            self._on_rerouted(foreign)
        self._report(self._book.take_over(delta, addresses, clock_s=self._clock()))

    def _ours(self, entries: tuple[LedgerEntry, ...]) -> tuple[LedgerEntry, ...]:
        """Return the units whose pages may be asked for; the others are kept apart."""
        self._foreign = {entry.unit_id: entry for entry in entries if entry.is_foreign}
        return tuple(entry for entry in entries if not entry.is_foreign) if self._foreign else entries

    def polled_entries(self) -> Iterable[LedgerEntry]:
        """Return the entries in force, each with the address at which its unit is polled."""
        ours = self._entries if self._book is None else self._book.routes.entries()
        return chain(ours, self._foreign.values())

    def credit(self, poll: Poll, *, clock_s: float) -> Poll | None:
        """Return the poll under the name of the unit that was really polled; None if that is no unit of the ledger."""
        if self._book is None or poll.unit_id in self._foreign:
            return poll
        findings = self._book.note_detour(poll, clock_s=clock_s)
        if findings:
            self._report(findings)
        credited = self._book.credit(poll, clock_s=clock_s)
        heard = self._book.take_heard()
        if heard:
            self._report(heard)
        return credited

    async def run(self) -> None:
        """Check identities until cancelled; restart the checker when the configuration changes."""
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
            on_findings=self._report,
        ).run()

    async def _fetch(self, endpoint: Endpoint) -> SystemInfo:
        return await self._fetch_system_info(
            endpoint,
            self._login,
            connect_timeout_s=self._connect_timeout_s,
            deadline_s=self._section.deadline_s,
        )

    def _on_checked(self, result: str) -> None:
        self._checks[result] += 1

    def figures(self) -> IdentityFigures:
        """Return the identity figures for the exporters."""
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
        """Return where a unit is; None if identity checks are off or the unit is not deployed."""
        return None if self._book is None else self._book.whereabouts(unit_id)

    def _report(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            if isinstance(finding, Difference):
                self._report_difference(finding)
            else:
                self._report_move(finding)
        entries = () if self._book is None else self._book.routes.take_changed()
        if entries:
            self._on_rerouted(entries)

    def _report_move(self, move: Move) -> None:
        now = move.now
        if _source(now) != _source(move.before):
            self._on_misread(now.unit_id, OtherUnitError(_explanation(now)))
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
                source=now.occupant.info.source,
            )
        elif move.before.standing in {Standing.MOVED, Standing.DISPLACED}:
            log.info("address as in the ledger again", unit=now.unit_id, host=str(now.home), standing=now.standing)

    def _report_difference(self, difference: Difference) -> None:
        entry, seen = difference.entry, difference.sighting
        options = {"--mac": seen.info.mac, "--serial": seen.info.serial}
        changes = [text for option, value in options.items() if value is not None for text in (option, value)]
        log.warning(
            "identity differs from the ledger",
            unit=entry.unit_id,
            host=str(seen.endpoint),
            ledger_mac=entry.mac,
            ledger_serial=entry.serial,
            mac=seen.info.mac,
            serial=seen.info.serial,
            source=seen.info.source,
            command=self._command(entry.unit_id, seen, *changes),
        )

    def _command(self, unit_id: str, seen: Sighting, *changes: str) -> str:
        """Return the command that would correct the ledger."""
        at = datetime.fromtimestamp(int(seen.at), UTC).isoformat()
        words = ("hashsight", "ledger", "set", unit_id, *changes, "--at", at, "--config", str(self._config_file))
        return shlex.join(words)


def _is_wanted(section: IdentitySection, entries: Iterable[LedgerEntry]) -> bool:
    return section.enabled and any((entry.serial or entry.mac) and not entry.is_foreign for entry in entries)


def _source(where: Whereabouts) -> Endpoint | None:
    """Return the address from which a unit's readings come; None if it has none."""
    if where.place is not None:
        return where.place
    return where.home if where.standing is Standing.UNVERIFIED else None


def _explanation(where: Whereabouts) -> str:
    if where.standing is Standing.MOVED:
        return f"found at {where.place}; what was read before was another unit's"
    if where.occupant is None:
        return f"no longer where it was found; expected at {where.home}"
    return f"{where.occupant.unit_id or 'an unknown unit'} answers at {where.home}"
