"""Looks at the site's networks: once a day in a quiet hour, beside polling, at addresses that nobody polls."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import structlog

from agent.address import Endpoint
from agent.errors import LocalResourceError
from agent.hil.discovery.figures import MOST_MACHINES, DiscoveryFigures, Look, LookResult, Machine, MachineKind, Seen
from agent.hil.discovery.quiet_hour import next_quiet
from agent.hil.discovery.review import review, seen_of
from agent.hil.scan.logins import login_finder
from agent.hil.scan.probe import Tally
from agent.hil.scan.ranges import Targets
from agent.hil.scan.scanner import ScanOptions, scan
from agent.runtime.discovery_file import SUFFIX, keep_look, kept_look
from agent.runtime.setup import Setup
from agent.site.ledger.entries import Ledger, LedgerEntry

log = structlog.get_logger("agent.discovery")

# A look may take its time: polling comes first.
WORKERS: Final = 4
MOST_PAGES: Final = 2
MOST_OPEN: Final = 256
LINES_A_LOOK: Final = 20


@dataclass(frozen=True, slots=True)
class _Reviewed:
    """Finds held against one ledger."""

    look: Look | None = None
    ledger: Ledger | None = None
    at: float = 0.0
    machines: tuple[Machine, ...] = ()


@dataclass(slots=True)
class Discovery:
    """The looks of one agent.

    Args:
        setup: Returns the setup in force.
        polled: Returns the entries that are polled now, each at its present address.
        is_active: Returns True while this agent is the one to look: not on a standby that stands by.
        wall: Unix time, s.
        nap_s: How late the next look may be after a change of the wall clock or of the quiet hour.
    """

    setup: Callable[[], Setup]
    polled: Callable[[], Iterable[LedgerEntry]]
    is_active: Callable[[], bool] = lambda: True
    wall: Callable[[], float] = time.time
    nap_s: float = 60.0
    _look: Look | None = None
    _is_looking: bool = False
    _next_at: float | None = None
    _looks: Counter[LookResult] = field(default_factory=Counter)
    _reviewed: _Reviewed = _Reviewed()
    _is_restored: bool = False

    def figures(self) -> DiscoveryFigures:
        """Return the latest look, held against the ledger in force."""
        targets = self._targets()
        if targets is None:
            return DiscoveryFigures()
        now = self.wall()
        return DiscoveryFigures(
            ranges=self.setup().config.discovery.networks,
            is_looking=self._is_looking,
            next_at=self._due_after(now) if self._next_at is None else self._next_at,
            look=self._look,
            machines=self._machines(now),
            looks={"done": self._looks["done"], "failed": self._looks["failed"]},
            is_restored=self._is_restored,
        )

    async def run(self) -> None:
        """Take over the look of an earlier process, then look once a day, until cancelled."""
        await self.restore()
        while True:
            self._next_at = self._due_after(self.wall())
            while (left_s := self._next_at - self.wall()) > 0:
                await asyncio.sleep(min(self.nap_s, left_s))
                if self.wall() < self._next_at:
                    # A reload may have moved the quiet hour, and the clock may have been set.
                    self._next_at = self._due_after(self.wall())
            if self._targets() is not None and self.is_active():
                await self.look()

    async def restore(self) -> None:
        """Take over the latest look of an earlier process, if it is young enough and was kept."""
        targets, path, section = self._targets(), self._file(), self.setup().config.discovery
        if targets is None or path is None or self._look is not None or not path.exists():
            return
        self._look = await asyncio.to_thread(kept_look, path, targets, section.port, at=self.wall())
        self._is_restored = self._look is not None

    async def look(self) -> Look | None:
        """Look once at every address that is not polled; return the look, or None if it failed or discovery is off."""
        targets, setup = self._targets(), self.setup()
        if targets is None:
            return None
        section = setup.config.discovery
        polled = {Endpoint(entry.host, entry.port) for entry in self.polled()}
        indices = [index for index in targets.order(0) if Endpoint(targets[index], section.port) not in polled]
        began, tally, seen, unkept = self.wall(), Tally(addresses=len(indices)), list[Seen](), 0
        self._is_looking = True
        try:
            finds = scan(
                targets,
                catalogue=setup.catalogue,
                login_of=login_finder((), setup.config.ledger.networks, default=setup.unit_login),
                options=ScanOptions(
                    port=section.port,
                    web_port=setup.config.identity.web_port,
                    rate_per_s=float(section.rate_per_s),
                    most_open=MOST_OPEN,
                    workers=WORKERS,
                    most_pages=MOST_PAGES,
                ),
                indices=indices,
                tally=tally,
            )
            async with aclosing(finds):
                async for found in finds:
                    if len(seen) < MOST_MACHINES:
                        seen.append(seen_of(found))
                    else:
                        unkept += 1
        except LocalResourceError as error:
            self._looks["failed"] += 1
            log.warning("look failed", error=str(error), addresses=len(indices))
            return None
        except Exception:
            # A bug of ours, met while reading some machine, ends the look; polling carries on.
            self._looks["failed"] += 1
            log.exception("look failed", addresses=len(indices))
            return None
        finally:
            self._is_looking = False
        self._looks["done"] += 1
        self._look = Look(
            began=began,
            ended=self.wall(),
            addresses=len(indices),
            refused=tally.refused,
            silent=tally.silent,
            seen=tuple(seen),
            unkept=unkept,
        )
        self._is_restored = False
        self._log_look(self._look)
        path = self._file()
        if path is not None:
            await asyncio.to_thread(keep_look, path, self._look, section.port)
        return self._look

    def _targets(self) -> Targets | None:
        """Return the addresses to look at; None if discovery is off, or another shard's business."""
        setup = self.setup()
        return setup.discovered if setup.config.shard.index == 0 else None

    def _file(self) -> Path | None:
        """Return the file that keeps a look, beside the snapshot of statuses; None if that is off."""
        setup = self.setup()
        if not setup.config.snapshot.keep:
            return None
        snapshot = setup.config.snapshot_path(setup.path)
        return snapshot.with_name(snapshot.name + SUFFIX)

    def _due_after(self, at: float) -> float:
        config = self.setup().config
        return next_quiet(at, config.discovery.at, config.site.zone)

    def _machines(self, now: float) -> tuple[Machine, ...]:
        """Return the finds held against the ledger; made again when either changes, and with the ledger's dates."""
        look, ledger, known = self._look, self.setup().ledger, self._reviewed
        if look is None:
            return ()
        change = ledger.next_change_after(known.at)
        if known.look is not look or known.ledger is not ledger or (change is not None and change <= now):
            self._reviewed = known = replace(
                known, look=look, ledger=ledger, at=now, machines=review(look.seen, ledger, now)
            )
        return known.machines

    def _log_look(self, look: Look) -> None:
        machines = self._machines(look.ended)
        kinds = Counter(machine.kind for machine in machines)
        log.info(
            "looked at the networks",
            took_s=round(look.ended - look.began, 1),
            addresses=look.addresses,
            answered=len(look.seen) + look.unkept,
            **{kind.value: kinds[kind] for kind in MachineKind},
        )
        for machine in machines[:LINES_A_LOOK]:
            seen = machine.seen
            log.warning(
                "machine is not in the ledger",
                host=str(seen.endpoint),
                kind=machine.kind.value,
                unit=machine.unit_id,
                model=seen.model,
                mac=seen.mac,
                looks_like=seen.looks_like,
            )
        if len(machines) > LINES_A_LOOK:
            log.warning("more machines are not in the ledger", machines=len(machines) - LINES_A_LOOK)
