"""The lifecycle of a unit: its phases, the faults at work in it, and the formulas that hold until its next event."""

import math
from collections.abc import Iterable
from dataclasses import replace

from simulators.unit import physics, stretches
from simulators.unit.books import Books
from simulators.unit.builds import BUILDS
from simulators.unit.conditions import HEALTHY, Change, Claims, Condition, Conditions, Verb, bent, claims
from simulators.unit.identity import STOCK, Identity
from simulators.unit.observe import observe
from simulators.unit.settings import FACTORY
from simulators.unit.shares import ShareCounter
from simulators.unit.snapshot import OFFLINE, RUNNING, Phase, Shares, Snapshot
from simulators.unit.work_modes import CLOCK_RATIO, WORK_MODE_NORMAL, WORK_MODE_SLEEP

# Phases between the end of a sleep and the full rate.
_SWITCHING = frozenset({"braiins", "luxos"})
_WAKING = frozenset({Phase.RESTARTING, Phase.ENUMERATING, Phase.RAMPING})
KEY_SHARES = 8  # Counter of a unit's key, apart from those of `stretches` and `observe`.


class Lifecycle:
    """The state machine of one unit; `Unit` adds the agenda and the clock that drive it.

    `Unit` inherits it instead of holding it, because every request reads `phase` and `conditions`.

    Args:
        identity: Model, build, place and key of the unit.
        climate: The air around it, shared with its neighbours.
        begun: When its first phase begins, Unix seconds.
        process_start: When its miner process started, Unix seconds.
        is_warm: Start in a steady phase instead of booting.
        faults: Faults that are active from the beginning.

    Attributes:
        phase: The phase it is in.
        since: When that phase began, Unix seconds.
        conditions: The sum of its active faults.
        climate: The air around it, with the heat of its faults.
        settings: Settings made through its web pages.
    """

    __slots__ = (
        "_books",
        "_drift_since",
        "_faults",
        "_frozen",
        "_is_waking",
        "_next",
        "_process_start",
        "_shares",
        "_silicon",
        "_site_climate",
        "_until",
        "_work_mode",
        "climate",
        "conditions",
        "identity",
        "phase",
        "settings",
        "since",
    )

    def __init__(
        self,
        identity: Identity,
        climate: physics.Climate,
        *,
        begun: float,
        process_start: float,
        is_warm: bool,
        faults: Iterable[Condition],
    ) -> None:
        key, model = identity.key, identity.model
        self.identity = identity
        self._site_climate = self.climate = climate
        self._silicon = stretches.draw_silicon(model, key)
        self._faults = tuple((-1, fault) for fault in faults)
        self._work_mode = WORK_MODE_NORMAL
        self.settings = FACTORY
        self._frozen: tuple[Snapshot, Shares] | None = None
        self._is_waking = False
        self.phase = Phase.OFF
        self.conditions = bent(fault for _, fault in self._faults)
        self._update_climate()
        self._process_start = process_start
        self.since = self._drift_since = begun
        self._books = Books(begun, model.hashrate_hs, keeps_past=identity.firmware != STOCK)
        self._shares = ShareCounter(key + KEY_SHARES, model.share_difficulty, 0.0)
        self._enter(self._first_phase(begun, is_warm=is_warm), begun)

    @property
    def work_mode(self) -> int:
        """Work mode the unit is in or changing to; sleep while any fault keeps it asleep."""
        return WORK_MODE_SLEEP if self.conditions.is_asleep else self._work_mode

    @property
    def is_waking(self) -> bool:
        """True from the end of a sleep until the full rate."""
        return self._is_waking

    @property
    def build(self) -> str:
        """Key of the firmware build it runs."""
        return self.conditions.build or self.identity.build

    def _apply(self, change: Change) -> None:
        if change.verb is Verb.MODE:
            self._work_mode = change.number
            if change.number != WORK_MODE_SLEEP:
                # The latest order counts: it also ends a sleep that a fault had imposed.
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
        """Recompute the conditions and enter the phase they lead to; a power supply trips at once."""
        before, now = self.conditions, bent(fault for _, fault in self._faults)
        if now.is_frozen and not before.is_frozen:
            self._frozen = (self._observe(at), self._count_shares(at))
        full_rate_hs = self._full_rate_hs()
        self._shares.switch_pool(self._books.hashes(at), before.credited_pool, now.credited_pool)
        self.conditions = now
        self._update_climate()
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
        """Enter the phase that changed conditions lead to, for a unit with power and a running API."""
        now = self.conditions
        if before.is_frozen and not now.is_frozen:
            self._frozen = None
            self._enter(Phase.RESTARTING, at)
        elif now.is_asleep != before.is_asleep:
            self._is_waking = before.is_asleep
            self._enter(Phase.RESTARTING, at)
        elif (now.crash_every_s and not before.crash_every_s) or self._has_other_pools(before):
            self._enter(Phase.RESTARTING, at)
        elif now.crash_every_s != before.crash_every_s and self.phase in stretches.STARTING:
            self._until, self._next = self._before_crash(self.since + stretches.STARTING[self.phase], self.phase, at)
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
                self.since = at  # Assumed (A40): boards that change make it tune from the beginning.
                self._enter(Phase.RAMPING, at)

    def _has_other_pools(self, before: Conditions) -> bool:
        """Return True if pools changed, and take effect with a restart of the miner process.

        Documented (D51): stock settings restart it. Documented (D241, D254): LuxOS and Braiins OS switch by a command.
        Assumed (A215): those do so without a restart, and VNish restarts.
        """
        now = self.conditions.hijack
        hijack = now or before.hijack
        if hijack is None or now == before.hijack:
            return False
        return self.identity.firmware not in _SWITCHING if hijack.restarts is None else hijack.restarts

    def _end_phase(self, at: float) -> None:
        """Enter the phase that follows the one that has just ended."""
        if self.phase is Phase.OFF:
            self._enter(Phase.BOOTING, at)
        elif self.phase in OFFLINE:
            self._start_process(at)
            self._enter(Phase.ASLEEP if self.work_mode == WORK_MODE_SLEEP else Phase.ENUMERATING, at)
        elif self._next is Phase.RESTARTING:
            self._enter(Phase.RESTARTING, at)
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
        """Start `phase` at `at`: set the formulas that hold from now on, when they end and which phase follows."""
        if phase is not self.phase:
            self.since = at
        if phase not in _WAKING:
            self._is_waking = False
        self.phase = phase
        if phase is Phase.BOOTING:
            self.settings = self.settings.after_boot()
        self._books.flow, until, following = self._stretch(at)
        self._until, self._next = self._before_crash(until, following, at)

    def _before_crash(self, until: float, following: Phase, at: float) -> tuple[float, Phase]:
        """Return when a phase ends and which follows, crashes of the miner process included."""
        every_s = self.conditions.crash_every_s
        if every_s and (self.phase in RUNNING or self.phase is Phase.ENUMERATING):
            crash = max(at, self._process_start + every_s)
            if crash < until:
                return crash, Phase.RESTARTING
        return until, following

    def _stretch(self, at: float) -> stretches.Stretch:
        phase, conditions, climate = self.phase, self.conditions, self.climate
        silicon, full_clock = self._silicon, self._full_clock
        if phase is Phase.RAMPING:
            return stretches.ramping(at, climate, silicon, rate_hs=self._full_rate_hs(), full_clock=full_clock)
        if phase in RUNNING:
            return stretches.hashing(
                at,
                phase,
                conditions,
                climate,
                silicon,
                rate_hs=self._full_rate_hs(),
                full_clock=full_clock,
                since=self.since,
                drift_since=self._drift_since,
            )
        is_cooled = stretches.has_fans(self.identity.model, conditions)
        return stretches.idle(
            at, phase, conditions, climate, restart_s=BUILDS[self.build].restart_s, is_cooled=is_cooled
        )

    def _first_phase(self, at: float, *, is_warm: bool) -> Phase:
        if not self.conditions.is_powered:
            return Phase.OFF
        if not is_warm:
            return Phase.BOOTING
        return Phase.ASLEEP if self.work_mode == WORK_MODE_SLEEP else self._running_phase(at)

    def _running_phase(self, at: float) -> Phase:
        is_cooled = stretches.has_fans(self.identity.model, self.conditions)
        return stretches.running_phase(self.climate.ambient_celsius(at), self.phase, is_cooled=is_cooled)

    def _update_climate(self) -> None:
        """Add the heat of the active faults to the air of the site."""
        site, heat = self._site_climate, self.conditions.heat_celsius
        self.climate = replace(site, mean_celsius=site.mean_celsius + heat) if heat else site

    def _start_process(self, at: float) -> None:
        """Start the miner process: its uptime and counters begin at zero."""
        self._process_start = at
        # A restarted program no longer hangs, whatever restarted it; a freeze that ended meanwhile goes with the rest.
        self._frozen = None
        if self.conditions.is_frozen:
            self._faults = tuple(active for active in self._faults if not active[1].bend(HEALTHY).is_frozen)
            self.conditions = bent(fault for _, fault in self._faults)
        self._shares.start_process(self._books.hashes(at))
        self._books.settle_average(0.0)

    @property
    def _full_clock(self) -> float:
        """Clock over rated clock of its work mode and tuning profile."""
        return CLOCK_RATIO[self._work_mode] * self.identity.tuning

    def _full_rate_hs(self) -> float:
        return stretches.full_rate_hs(self.identity.model, self._silicon, self.conditions, self._full_clock)

    def _claims(self) -> Claims:
        return claims(
            self.identity.model,
            self.phase,
            self.conditions,
            is_asleep=self.work_mode == WORK_MODE_SLEEP,
            is_waking=self._is_waking,
            tuning=self.identity.tuning,
        )

    def _observe(self, t: float) -> Snapshot:
        return observe(
            self.identity,
            self._books,
            self.climate,
            self.conditions,
            t,
            phase=self.phase,
            phase_s=t - self.since,
            clock_ratio=stretches.clock_ratio(t, self.phase, self._full_clock, since=self.since),
            work_mode=self.work_mode,
            process_start=self._process_start,
            process_hashes=self._shares.process_start,
        )

    def _count_shares(self, t: float) -> Shares:
        books = self._books
        return self._shares.count(books.hashes(t), books.flow.rate_at(t), self.conditions.credited_pool)
