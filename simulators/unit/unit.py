"""One simulated unit: what has been done to it, and what is true of it at a moment of simulated time.

A unit is evaluated lazily. It keeps only the last event it went through (power, mode, phase, fault) and the formulas
that hold since; asking for a moment plays the events that fell due before it. Asking twice, in any order of units, or
never for a month, gives the same answers.
"""

import math
from bisect import insort
from collections.abc import Callable, Iterable
from dataclasses import replace

from simulators.unit import chance, physics, stretches
from simulators.unit.books import Books, Outlook, Totals
from simulators.unit.builds import BUILDS
from simulators.unit.conditions import HEALTHY, Cause, Change, Claims, Condition, Conditions, Verb, bent, claims
from simulators.unit.identity import Identity
from simulators.unit.observe import observe
from simulators.unit.settings import FACTORY
from simulators.unit.shares import ShareCounter
from simulators.unit.snapshot import OFFLINE, RUNNING, Phase, Process, Shares, Snapshot
from simulators.unit.stretches import WARM_UP_S
from simulators.unit.work_modes import WORK_MODE_NORMAL, WORK_MODE_SLEEP

# Documented (D56): the API stays up for about 53 s after reboot.cgi.
REBOOT_DELAY_S = 53.0

# Counters of a unit's key; `observe` has its own.
_KEY_SILICON = 0
_KEY_ENERGY = 1
_KEY_SHARES = 8

_INJECTION = frozenset({Verb.INJECT, Verb.CLEAR})

_NO_AGENDA: list[Change] = []  # Shared by the units to which nothing is going to happen; never written to.


def _nobody_listens(_unit: "Unit") -> None:
    """Do nothing."""


class Unit:
    """One simulated unit. Not safe for threads.

    Args:
        identity: What it is.
        climate: The air around it, shared with its neighbours.
        start: When the farm's books open, Unix seconds.
        uptime_s: For how long it has been running at `start`; with less than the warm-up it is still starting.
        faults: What has been wrong with it all that time.

    Attributes:
        events: How many events it has been through; while it stays the same, so do the formulas.
        on_schedule: Is called with the unit when something was put on its agenda.
    """

    __slots__ = (
        "_agenda",
        "_books",
        "_drift_since",
        "_faults",
        "_frozen",
        "_makeup",
        "_next",
        "_process_start",
        "_shares",
        "_site_climate",
        "_until",
        "_work_mode",
        "climate",
        "conditions",
        "events",
        "identity",
        "on_schedule",
        "phase",
        "settings",
        "since",
    )

    def __init__(
        self,
        identity: Identity,
        climate: physics.Climate,
        *,
        start: float,
        uptime_s: float,
        faults: Iterable[Condition] = (),
    ) -> None:
        key, model = identity.key, identity.model
        self.identity = identity
        self._site_climate = self.climate = climate
        # Observed (O52): averages sit 0.6 % over the boards' ideal, s21-stock-aml-202407. Documented
        # (D60): 3 %.
        self._makeup = stretches.Makeup(
            1.004 + 0.004 * chance.normal(key, _KEY_SILICON),
            model.joules_per_hash * (1.0 + 0.015 * chance.normal(key, _KEY_ENERGY)),
        )
        self._faults = tuple((-1, fault) for fault in faults)
        self._agenda: list[Change] = _NO_AGENDA
        self._work_mode = WORK_MODE_NORMAL
        self.settings = FACTORY
        self.events = 0
        self.on_schedule: Callable[[Unit], None] = _nobody_listens
        self._frozen: tuple[Snapshot, Shares] | None = None
        self.phase = Phase.OFF
        self.conditions = bent(fault for _, fault in self._faults)
        self._breathe()
        is_warm = uptime_s >= WARM_UP_S
        begun = start if is_warm else start - uptime_s
        self._process_start = start - uptime_s
        self.since = self._drift_since = begun
        self._books = Books(begun, model.hashrate_hs)
        self._shares = ShareCounter(key + _KEY_SHARES, model.share_difficulty, 0.0)
        self._enter(self._first_phase(begun, is_warm=is_warm), begun)
        hashes_before = self._books.flow.rate_hs * uptime_s
        if is_warm:
            self._books.settle_average(self._books.flow.rate_hs)
        else:
            self.advance(start)
            self._books.cut(start, self._claims())
            hashes_before = self._books.hashes(start)
            self._books.open_again()
        self._shares = ShareCounter(key + _KEY_SHARES, model.share_difficulty, hashes_before)

    # What is true

    def advance(self, t: float) -> None:
        """Play every event due up to `t`, Unix seconds."""
        while True:
            agenda = self._agenda
            if agenda and agenda[0].at <= self._until:
                if agenda[0].at > t:
                    return
                change = agenda.pop(0)
                self._books.cut(change.at, self._claims())
                self._apply(change)
            elif self._until <= t:
                self._books.cut(self._until, self._claims())
                self._pass_on(self._until)
            else:
                return
            self.events += 1

    def hashrate_hs(self, t: float) -> float:
        """Give the true hashrate at `t`, H/s, without the noise of measuring it."""
        self.advance(t)
        return self._books.flow.rate_at(t)

    def power_watts(self, t: float) -> float:
        """Give the true power at the wall at `t`."""
        self.advance(t)
        return self._books.flow.watts_at(t)

    def losses_hs(self, t: float) -> dict[Cause, float]:
        """Give what is missing to the nameplate at `t` by cause, H/s; empty when nothing is."""
        self.advance(t)
        return self._books.losses_hs(t, self._claims())

    def totals(self, t: float) -> Totals:
        """Give the integrals between the farm's start and `t`."""
        self.advance(t)
        return self._books.totals(t, self._claims())

    def outlook(self, t: float) -> Outlook:
        """Give what it does from `t` on, and what it has done until then."""
        self.advance(t)
        return Outlook(self._books.flow.moved_to(t), self.losses_hs(t), self._books.totals(t, self._claims()))

    @property
    def work_mode(self) -> int:
        """Mode the unit is in or going to: sleep when anybody asked for it."""
        return WORK_MODE_SLEEP if self.conditions.is_asleep else self._work_mode

    @property
    def faults(self) -> tuple[tuple[int, Condition], ...]:
        """Active faults with the number each was injected under; -1 for those it was built with."""
        return self._faults

    @property
    def next_event(self) -> float:
        """When something happens to it next as things stand, Unix seconds; infinity for never."""
        agenda = self._agenda
        return min(agenda[0].at, self._until) if agenda else self._until

    @property
    def is_silent(self) -> bool:
        """Say whether nothing at all comes back from it as things stand: no power, or no network."""
        return self.phase is Phase.OFF or self.conditions.is_cut_off

    @property
    def build(self) -> str:
        """Key of the firmware build it runs."""
        return self.conditions.build or self.identity.build

    # What its firmware shows

    def snapshot(self, t: float) -> Snapshot:
        """Give what the firmware knows at `t`."""
        self.advance(t)
        return self._frozen[0] if self._frozen else self._observe(t)

    def process(self, t: float) -> Process:
        """Give what a snapshot says of the miner process, for a tenth of its price."""
        self.advance(t)
        if self._frozen:
            return Process(self._frozen[0].elapsed_s, self._frozen[0].work_mode)
        return Process(max(0, int(t - self._process_start)), self.work_mode)

    def shares(self, t: float) -> Shares:
        """Give the share counters at `t`; costs as much as a snapshot."""
        self.advance(t)
        return self._frozen[1] if self._frozen else self._count_shares(t)

    # What is done to it

    def schedule(self, change: Change) -> None:
        """Have something happen to the unit; a moment it has already lived through counts as its latest one."""
        if self._agenda is _NO_AGENDA:
            self._agenda = []
        insort(self._agenda, change._replace(at=max(change.at, self._books.time)), key=lambda c: (c.at, c.order))
        self.on_schedule(self)

    def withdraw(self, number: int, at: float) -> None:
        """End injection `number` at `at`; if it lies ahead, it never happens."""
        self.advance(at)
        ahead = [change for change in self._agenda if change.number != number or change.verb not in _INJECTION]
        if len(ahead) < len(self._agenda):
            self._agenda = ahead
        if any(active == number for active, _ in self._faults):
            self.schedule(Change(at, 2 * number + 1, Verb.CLEAR, number))

    # Inside

    def _apply(self, change: Change) -> None:
        if change.verb is Verb.MODE:
            self._work_mode = change.number
            if change.number != WORK_MODE_SLEEP:
                # The last word counts: it ends a sleep that somebody else had asked for.
                self._faults = tuple(active for active in self._faults if not active[1].bend(HEALTHY).is_asleep)
                self.conditions = bent(fault for _, fault in self._faults)
            if self.phase not in OFFLINE:
                self._enter(Phase.RESTARTING, change.at)
        elif change.verb is Verb.REBOOT:
            if self.phase is not Phase.OFF:
                self._enter(Phase.BOOTING, change.at)
        else:
            self._faults = tuple(active for active in self._faults if active[0] != change.number)
            is_tripping = False
            if change.fault is not None:
                self._faults = (*self._faults, (change.number, change.fault))
                is_tripping = change.fault.bend(HEALTHY).trip_every_s > 0.0
            self._follow_faults(change.at, is_tripping=is_tripping)

    def _follow_faults(self, at: float, *, is_tripping: bool) -> None:
        """Work out the conditions again and go where they lead from the present phase; a supply trips at once."""
        before, now = self.conditions, bent(fault for _, fault in self._faults)
        if now.is_frozen and not before.is_frozen:
            self._frozen = (self._observe(at), self._count_shares(at))
        full_rate_hs = self._full_rate_hs()
        self._shares.switch_pool(self._books.hashes(at), before.dead_pools, now.dead_pools)
        self.conditions = now
        self._breathe()
        if now.drift_per_hour != before.drift_per_hour:
            self._drift_since = at
        if not now.is_powered:
            self._enter(Phase.OFF, at)
        elif is_tripping:
            self._trip(at)
        elif now.build != before.build or (self.phase is Phase.OFF and self._until == math.inf):
            self._frozen = None
            self._enter(Phase.BOOTING, at)
        elif self.phase not in OFFLINE:
            self._follow_online(at, before, is_rate_changed=self._full_rate_hs() != full_rate_hs)

    def _follow_online(self, at: float, before: Conditions, *, is_rate_changed: bool) -> None:
        """Go where changed conditions lead a unit that has power and whose API is up."""
        now = self.conditions
        if before.is_frozen and not now.is_frozen:
            self._frozen = None
            self._enter(Phase.RESTARTING, at)
        elif now.is_asleep != before.is_asleep:
            self._enter(Phase.RESTARTING, at)
        elif self.phase is Phase.PROTECTED:
            if self._running_phase(at) is not Phase.PROTECTED:
                self._start_process(at)
                self._enter(Phase.ENUMERATING, at)
            else:
                self._enter(Phase.PROTECTED, at)
        elif self.phase in RUNNING:
            running = self._running_phase(at)
            if self.phase is not Phase.RAMPING or running is Phase.PROTECTED:
                self._enter(running, at)
            elif is_rate_changed:
                self.since = at  # Assumed (A40): boards that change make it tune anew.
                self._enter(Phase.RAMPING, at)

    def _pass_on(self, at: float) -> None:
        """Go from the phase that has just ended to the one that follows it."""
        if self.phase is Phase.OFF:
            self._enter(Phase.BOOTING, at)
        elif self.phase in OFFLINE:
            self._start_process(at)
            self._enter(Phase.ASLEEP if self.work_mode == WORK_MODE_SLEEP else Phase.ENUMERATING, at)
        elif self.phase is Phase.ENUMERATING:
            running = self._running_phase(at)
            self._enter(running if running is Phase.PROTECTED else Phase.RAMPING, at)
        elif self.phase is Phase.PROTECTED:
            self._start_process(at)
            self._enter(Phase.ENUMERATING, at)
        elif self.phase is Phase.RAMPING:
            self._enter(self._running_phase(at), at)
        elif self._next is Phase.OFF:
            self._trip(at)
        else:
            self._enter(self._next, at)

    def _trip(self, at: float) -> None:
        self._enter(Phase.OFF if self.conditions.trip_off_s else Phase.BOOTING, at)

    def _enter(self, phase: Phase, at: float) -> None:
        """Start `phase` at `at`: fix the formulas that hold from now on, when they end and what follows."""
        if phase is not self.phase:
            self.since = at
        self.phase = phase
        if phase is Phase.BOOTING:
            self.settings = self.settings.after_boot()
        self._books.flow, self._until, self._next = self._stretch(at)

    def _stretch(self, at: float) -> stretches.Stretch:
        """Give what the unit does from `at` on in its phase."""
        phase, conditions, climate = self.phase, self.conditions, self.climate
        makeup, mode = self._makeup, self._work_mode
        if phase is Phase.RAMPING:
            return stretches.ramping(at, climate, makeup, rate_hs=self._full_rate_hs(), mode=mode)
        if phase in RUNNING:
            return stretches.hashing(
                at,
                phase,
                conditions,
                climate,
                makeup,
                rate_hs=self._full_rate_hs(),
                mode=mode,
                since=self.since,
                drift_since=self._drift_since,
            )
        return stretches.idle(
            at, phase, conditions, climate, restart_s=BUILDS[self.build].restart_s, is_cooled=self._is_cooled
        )

    def _first_phase(self, at: float, *, is_warm: bool) -> Phase:
        if not self.conditions.is_powered:
            return Phase.OFF
        if not is_warm:
            return Phase.BOOTING
        return Phase.ASLEEP if self.work_mode == WORK_MODE_SLEEP else self._running_phase(at)

    def _running_phase(self, at: float) -> Phase:
        return stretches.running_phase(self.climate.ambient_celsius(at), self.phase, is_cooled=self._is_cooled)

    @property
    def _is_cooled(self) -> bool:
        return stretches.has_fans(self.identity.model, self.conditions)

    def _breathe(self) -> None:
        """Take the air as the conditions have it."""
        site, heat = self._site_climate, self.conditions.heat_celsius
        self.climate = replace(site, mean_celsius=site.mean_celsius + heat) if heat else site

    def _start_process(self, at: float) -> None:
        """Start the miner process: its clock and counters begin at zero."""
        self._process_start = at
        if self.conditions.is_frozen:
            # A program that starts again no longer hangs, whoever started it.
            self._faults = tuple(active for active in self._faults if not active[1].bend(HEALTHY).is_frozen)
            self.conditions = bent(fault for _, fault in self._faults)
            self._frozen = None
        self._shares.start_process(self._books.hashes(at))
        self._books.settle_average(0.0)

    def _full_rate_hs(self) -> float:
        return stretches.full_rate_hs(self.identity.model, self._makeup, self.conditions, self._work_mode)

    def _claims(self) -> Claims:
        return claims(self.identity.model, self.phase, self.conditions, is_asleep=self.work_mode == WORK_MODE_SLEEP)

    def _observe(self, t: float) -> Snapshot:
        return observe(
            self.identity,
            self._books,
            self.climate,
            self.conditions,
            t,
            phase=self.phase,
            clock_ratio=stretches.clock_ratio(t, self.phase, self._work_mode, since=self.since),
            work_mode=self.work_mode,
            process_start=self._process_start,
            process_hashes=self._shares.process_start,
        )

    def _count_shares(self, t: float) -> Shares:
        books = self._books
        return self._shares.count(books.hashes(t), books.flow.rate_at(t), self.conditions.dead_pools)
