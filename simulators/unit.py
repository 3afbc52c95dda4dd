"""One simulated unit: what has been done to it, and what is true of it at a moment of simulated time.

A unit is evaluated lazily. It keeps only the last event it went through (power, mode, phase, fault) and the formulas
that hold since; asking for a moment plays the events that fell due before it. Asking twice, in any
order of units, or never for a month, gives the same answers.
"""

import math
from bisect import insort
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from simulators import chance, physics
from simulators.conditions import HEALTHY, Cause, Change, Condition, Verb
from simulators.identity import Identity
from simulators.snapshot import CONFIGURED_POOLS, OFFLINE, RUNNING, BoardSnapshot, Phase, Shares, Snapshot

# How long a stage of the start takes, s. Assumed: 4028 up at 45 s, boards at 75 s, full rate within 2 to 6 minutes.
BOOT_S = 45.0
ENUMERATE_S = 30.0
RAMP_S = 165.0
WARM_UP_S = BOOT_S + ENUMERATE_S + RAMP_S

# Documented: a change of mode stops cgminer for 8 s (50 s on CVCtrl boards) and takes 5 s to start it again.
RESTART_S = 13.0

WORK_MODE_NORMAL = 0
WORK_MODE_SLEEP = 1
WORK_MODE_HIGH = 2
WORK_MODE_LOW = 3

# Assumed: the modes exist (T21: high; S21: low), their rates are not published.
_MODE_RATIO = {WORK_MODE_NORMAL: 1.0, WORK_MODE_SLEEP: 1.0, WORK_MODE_HIGH: 1.08, WORK_MODE_LOW: 0.8}

BOARD_NOISE = 0.02  # One sigma of a board's 5 s rate; 1.2 % on a unit of three boards.
_LONG_NOISE = 0.0015
_SHOWN_EVERY_S = 5

_REJECTED_RATIO = 0.0008  # Observed: 9 of 11,196 shares, s21-stock-aml-202407, tcp4028-summary.
_STALE_RATIO = 0.00002
_S_PER_HW_ERROR = 2900.0  # Per board. Observed: 61 on three boards in 59,129 s, s21-stock-aml-202407, tcp4028-summary.

_LAG_30M_S = 1800.0
_DRIFT_FLOW_S = 600.0
_RETRY_STOP_S = 60.0
_HYDRO_RPM = 6000  # Coolant carries heat like fans at this speed would. Assumed.
DIFF1_HASHES = 2.0**32

# Counters of a unit's key: each kind of randomness draws from its own range.
_KEY_SILICON, _KEY_ENERGY, _KEY_SHARES, _KEY_REJECTED, _KEY_STALE, _KEY_LONG, _KEY_BOARD = range(7)

_PHASE_CAUSE = {
    Phase.OFF: Cause.OFF,
    Phase.BOOTING: Cause.STARTING,
    Phase.RESTARTING: Cause.STARTING,
    Phase.ENUMERATING: Cause.STARTING,
    Phase.RAMPING: Cause.STARTING,
    Phase.PROTECTED: Cause.STOPPED,
}


class Totals(NamedTuple):
    """What a unit did and drew between the farm's start and a moment.

    Attributes:
        hashes: Hashes done.
        joules: Energy at the wall.
        uplift: Hashes done above the nameplate.
        losses: Hashes missing to the nameplate, by cause; nameplate x time - losses + uplift == hashes.
    """

    hashes: float
    joules: float
    uplift: float
    losses: dict[Cause, float]


_NO_AGENDA: list[Change] = []  # Shared by the units to which nothing is going to happen; never written to.


class Unit:
    """One simulated unit. Not safe for threads.

    Args:
        identity: What it is.
        climate: The air around it, shared with its neighbours.
        start: When the farm's books open, Unix seconds.
        uptime_s: For how long it has been running at `start`; with less than the warm-up it is still starting.
        faults: What has been wrong with it all that time.
    """

    __slots__ = (
        "_agenda",
        "_changed_at",
        "_energy",
        "_faults",
        "_flow",
        "_frozen",
        "_hashes",
        "_joules",
        "_lagged_hs",
        "_losses",
        "_next",
        "_process_hashes",
        "_process_shares",
        "_process_start",
        "_share_blocks",
        "_shares_before",
        "_silicon",
        "_site_climate",
        "_time",
        "_until",
        "_uplift",
        "_work_mode",
        "climate",
        "conditions",
        "identity",
        "phase",
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
        self.identity = identity
        self._site_climate = self.climate = climate
        # Observed: averages sit 0.6 % over the boards' ideal (s21-stock-aml-202407). Documented tolerance: 3 %.
        self._silicon = 1.004 + 0.004 * chance.normal(identity.key, _KEY_SILICON)
        self._energy = identity.model.joules_per_hash * (1.0 + 0.015 * chance.normal(identity.key, _KEY_ENERGY))
        self._faults = tuple((-1, fault) for fault in faults)
        self._agenda: list[Change] = _NO_AGENDA
        self._work_mode = WORK_MODE_NORMAL
        self._losses: dict[Cause, float] = {}
        self._frozen: tuple[Snapshot, Shares] | None = None
        self._hashes = self._joules = self._uplift = self._lagged_hs = self._process_hashes = 0.0
        self._shares_before = self._process_shares = 0
        self._share_blocks = (0, 0)
        self.phase = Phase.OFF
        self._bend()
        is_warm = uptime_s >= WARM_UP_S
        self._process_start = start - uptime_s
        self._time = self.since = self._changed_at = start if is_warm else start - uptime_s
        self._enter(self._first_phase(is_warm=is_warm), self._time)
        if is_warm:
            self._lagged_hs = self._flow.rate_hs
            self._process_hashes = -self._flow.rate_hs * uptime_s
        else:
            self.advance(start)
            self._cut(start)
            self._process_hashes -= self._hashes
            self._hashes = self._joules = self._uplift = 0.0
            self._losses.clear()
        self._shares_before = round(-self._process_hashes / self._hashes_per_share)

    # What is true

    def advance(self, t: float) -> None:
        """Play every event due up to `t`, Unix seconds."""
        while True:
            agenda = self._agenda
            if agenda and agenda[0].at <= self._until:
                if agenda[0].at > t:
                    return
                change = agenda.pop(0)
                self._cut(change.at)
                self._apply(change)
            elif self._until <= t:
                self._cut(self._until)
                self._pass_on()
            else:
                return

    def hashrate_hs(self, t: float) -> float:
        """Give the true hashrate at `t`, H/s, without the noise of measuring it."""
        self.advance(t)
        return self._flow.rate_at(t)

    def power_watts(self, t: float) -> float:
        """Give the true power at the wall at `t`."""
        self.advance(t)
        return self._flow.watts_at(t)

    def losses_hs(self, t: float) -> dict[Cause, float]:
        """Give what is missing to the nameplate at `t` by cause, H/s; empty when nothing is."""
        self.advance(t)
        return self._split(self.identity.model.hashrate_hs - self._flow.rate_at(t), 1.0)

    def totals(self, t: float) -> Totals:
        """Give the integrals between the farm's start and `t`."""
        self.advance(t)
        return self._totals(t)

    @property
    def work_mode(self) -> int:
        """Mode the unit is in or going to: sleep when anybody asked for it."""
        return WORK_MODE_SLEEP if self.conditions.is_asleep else self._work_mode

    @property
    def faults(self) -> tuple[tuple[int, Condition], ...]:
        """Active faults with the number each was injected under; -1 for those it was built with."""
        return self._faults

    @property
    def is_restless(self) -> bool:
        """Say whether anything is going to be done to it."""
        return bool(self._agenda)

    @property
    def build(self) -> str:
        """Key of the firmware build it runs."""
        return self.conditions.build or self.identity.build

    # What its firmware shows

    def snapshot(self, t: float) -> Snapshot:
        """Give what the firmware knows at `t`."""
        self.advance(t)
        return self._frozen[0] if self._frozen else self._observe(t)

    def shares(self, t: float) -> Shares:
        """Give the share counters at `t`; costs more than a snapshot."""
        self.advance(t)
        return self._frozen[1] if self._frozen else self._count_shares(t)

    # What is done to it

    def schedule(self, change: Change) -> None:
        """Have something happen to the unit; a moment it has already lived through counts as its latest one."""
        if self._agenda is _NO_AGENDA:
            self._agenda = []
        insort(self._agenda, change._replace(at=max(change.at, self._time)))

    # Inside: the events

    def _apply(self, change: Change) -> None:
        if change.verb is Verb.MODE:
            self._work_mode = change.number
            if self.phase not in OFFLINE:
                self._enter(Phase.RESTARTING, change.at)
        elif change.verb is Verb.REBOOT:
            if self.phase is not Phase.OFF:
                self._enter(Phase.BOOTING, change.at)
        else:
            self._faults = tuple(active for active in self._faults if active[0] != change.number)
            if change.fault is not None:
                self._faults = (*self._faults, (change.number, change.fault))
            self._follow_faults(change.at)

    def _follow_faults(self, at: float) -> None:
        """Work out the conditions again and go where they lead."""
        before = self.conditions
        self._bend()
        if self.conditions == before:
            return
        self._changed_at = at
        if self.conditions.is_frozen and self._frozen is None:
            self._frozen = (self._observe(at), self._count_shares(at))
        elif before.is_frozen and not self.conditions.is_frozen:
            self._frozen = None
            if self.phase in RUNNING:
                self._enter(Phase.RESTARTING, at)
        self._reconsider(at, is_rebuilt=before.build != self.conditions.build, was_asleep=before.is_asleep)

    def _reconsider(self, at: float, *, is_rebuilt: bool, was_asleep: bool) -> None:
        """Go where the new conditions lead from the present phase."""
        conditions = self.conditions
        if not conditions.is_powered:
            self._enter(Phase.OFF, at)
        elif self.phase is Phase.OFF or is_rebuilt:
            self._enter(Phase.BOOTING, at)
        elif self.phase in OFFLINE:
            return
        elif was_asleep != conditions.is_asleep:
            self._enter(Phase.RESTARTING, at)
        elif self.phase is Phase.PROTECTED:
            if self._running_phase(at) is not Phase.PROTECTED:
                self._enter(Phase.ENUMERATING, at)
        elif self.phase in RUNNING:
            running = self._running_phase(at)
            self._enter(Phase.RAMPING if self.phase is Phase.RAMPING and running is Phase.HASHING else running, at)

    def _pass_on(self) -> None:
        """Go from the phase that has just ended to the one that follows it."""
        at = self._time
        if self.phase in {Phase.BOOTING, Phase.RESTARTING}:
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
        else:
            self._enter(self._next, at)

    def _enter(self, phase: Phase, at: float) -> None:
        """Start `phase` at `at`: fix the formulas that hold from now on, when they end and what follows."""
        if phase is not self.phase:
            self.since = at
        self.phase = self._next = phase
        self._until = math.inf
        if phase is Phase.RAMPING:
            self._flow = physics.ramp_flow(
                at, full_rate_hs=self._full_rate_hs(), ramp_s=RAMP_S, energy=self._energy, climate=self.climate
            )
            self._until = at + RAMP_S
            return
        if phase in RUNNING:
            self._run(at)
            return
        self._flow = physics.idle_flow(at, 0.0 if phase is Phase.OFF else physics.STANDBY_WATTS)
        if phase is Phase.BOOTING:
            self._until = at + BOOT_S
        elif phase is Phase.RESTARTING:
            self._until = at + RESTART_S
        elif phase is Phase.ENUMERATING:
            self._until = at + ENUMERATE_S
        elif phase is Phase.PROTECTED and not self.conditions.stopped_fans:
            self._until = max(at + _RETRY_STOP_S, self.climate.next_below(at, physics.RESTART_BELOW_CELSIUS))

    def _run(self, at: float) -> None:
        """Fix the formulas of a hashing phase: steady until the air asks for another clock, or a piece of drift."""
        climate, clock_ratio = self.climate, 1.0
        if self.phase is Phase.THROTTLED:
            clock_ratio = physics.THROTTLE_RATIO
            too_hot = climate.next_above(at, physics.STOP_ABOVE_CELSIUS)
            cool = climate.next_below(at, physics.UNTHROTTLE_BELOW_CELSIUS)
            self._until, self._next = min((too_hot, Phase.PROTECTED), (cool, Phase.HASHING))
        else:
            self._until, self._next = climate.next_above(at, physics.THROTTLE_ABOVE_CELSIUS), Phase.THROTTLED
        rate_hs, slope_hs_s = self._full_rate_hs() * clock_ratio, 0.0
        if self.conditions.drift_per_hour:
            per_s, floor = self.conditions.drift_per_hour / 3600.0, self.conditions.drift_floor
            lost = per_s * (at - self._changed_at)
            if lost < 1.0 - floor - 1e-9:
                slope_hs_s = -per_s * rate_hs
                end = at + min(_DRIFT_FLOW_S, (1.0 - floor - lost) / per_s)
                if end < self._until:
                    self._until, self._next = end, self.phase
            rate_hs *= max(floor, 1.0 - lost)
        self._flow = physics.steady_flow(
            at,
            rate_hs=rate_hs,
            slope_hs_s=slope_hs_s,
            energy=self._energy,
            clock_ratio=clock_ratio,
            climate=climate,
        )

    def _first_phase(self, *, is_warm: bool) -> Phase:
        if not self.conditions.is_powered:
            return Phase.OFF
        if not is_warm:
            return Phase.BOOTING
        return Phase.ASLEEP if self.work_mode == WORK_MODE_SLEEP else self._running_phase(self._time)

    def _running_phase(self, at: float) -> Phase:
        ambient = self.climate.ambient_celsius(at)
        if self.conditions.stopped_fans or ambient > physics.STOP_ABOVE_CELSIUS:
            return Phase.PROTECTED
        return Phase.THROTTLED if ambient > physics.THROTTLE_ABOVE_CELSIUS else Phase.HASHING

    def _bend(self) -> None:
        """Work out the conditions from the active faults."""
        conditions = HEALTHY
        for _, fault in self._faults:
            conditions = fault.bend(conditions)
        self.conditions = conditions
        site, heat = self._site_climate, conditions.heat_celsius
        self.climate = replace(site, mean_celsius=site.mean_celsius + heat) if heat else site

    def _start_process(self, at: float) -> None:
        """Start the miner process: its clock and counters begin at zero."""
        self._process_start = at
        self._process_hashes = self._hashes
        self._shares_before = 0
        self._process_shares = self._shares_found(self._hashes)
        self._lagged_hs = 0.0

    # Inside: the books

    def _cut(self, at: float) -> None:
        """Close the books at `at`: fold everything since the last event into the integrals."""
        if at <= self._time:
            return
        self._lagged_hs = self._flow.lagged_until(at, self._lagged_hs, _LAG_30M_S)
        self._hashes, self._joules, self._uplift, self._losses = self._totals(at)
        self._flow = self._flow.moved_to(at)
        self._time = at

    def _totals(self, t: float) -> Totals:
        flow, nameplate_hs, seconds = self._flow, self.identity.model.hashrate_hs, t - self._time
        hashes = flow.hashes_until(t)
        shortfall = flow.shortfall_until(t, nameplate_hs)
        losses = dict(self._losses)
        for cause, part in self._split(shortfall, seconds).items():
            losses[cause] = losses.get(cause, 0.0) + part
        uplift = max(0.0, hashes + shortfall - nameplate_hs * seconds)
        return Totals(self._hashes + hashes, self._joules + flow.joules_until(t), self._uplift + uplift, losses)

    def _split(self, missing: float, seconds: float) -> dict[Cause, float]:
        """Give `missing` hashes of `seconds` by cause; the parts add up to it."""
        if missing <= 0.0:
            return {}
        conditions, model = self.conditions, self.identity.model
        if self.work_mode == WORK_MODE_SLEEP and self.phase is not Phase.OFF:
            return {Cause.CURTAILED if conditions.is_curtailed else Cause.ASLEEP: missing}
        if cause := _PHASE_CAUSE.get(self.phase):
            return {cause: missing}
        if conditions.is_frozen or conditions.dead_pools >= CONFIGURED_POOLS:
            return {Cause.STOPPED: missing}
        whole = model.hashrate_hs * seconds
        parts: dict[Cause, float] = {}
        for cause, share in (
            (Cause.MISSING_BOARDS, len(conditions.dead_boards) / model.boards),
            (Cause.MISSING_CHIPS, self._missing_chip_ratio()),
            (Cause.DERATED, 1.0 - physics.THROTTLE_RATIO if self.phase is Phase.THROTTLED else 0.0),
            (Cause.UNDERPERFORMING, 1.0),
        ):
            part = min(missing, whole * share)
            if part > 0.0:
                parts[cause] = part
                missing -= part
        return parts

    def _missing_chip_ratio(self) -> float:
        model, conditions = self.identity.model, self.conditions
        if not conditions.missing_chips:
            return 0.0
        present = sum(self._chips(board) for board in range(model.boards))
        working_boards = model.boards - len(conditions.dead_boards)
        return (working_boards * model.chips_per_board - present) / (model.boards * model.chips_per_board)

    # Inside: what the firmware sees

    def _chips(self, board: int) -> int:
        conditions = self.conditions
        if board in conditions.dead_boards:
            return 0
        missing = conditions.missing_chips
        chips = self.identity.model.chips_per_board
        return max(0, chips - missing[board]) if board < len(missing) else chips

    def _full_rate_hs(self) -> float:
        """Give the rate of all working chips at the rated clock, H/s."""
        model, conditions = self.identity.model, self.conditions
        if conditions.is_frozen or conditions.dead_pools >= CONFIGURED_POOLS:
            return 0.0
        chips = sum(self._chips(board) for board in range(model.boards))
        rate_hs = chips * model.ghs_per_chip_mhz * model.frequency_mhz * 1e9 * self._silicon
        return rate_hs * conditions.rate_ratio * _MODE_RATIO[self._work_mode]

    def _observe(self, t: float) -> Snapshot:
        identity, flow, phase, conditions = self.identity, self._flow, self.phase, self.conditions
        model, key = identity.model, identity.key
        ambient = self.climate.ambient_celsius(t)
        elapsed = t - self._process_start
        rate_hs = flow.rate_at(t)
        is_running = phase in RUNNING
        rpm = physics.MAX_FAN_RPM if phase is Phase.PROTECTED else 0
        inlet = outlet = ambient
        if is_running:
            load = flow.watts_at(t) / model.power_watts
            rpm = physics.fan_rpm(ambient, load)
            inlet, outlet = physics.board_celsius(ambient, load, rpm if model.fans else _HYDRO_RPM)
        chips = [self._chips(board) for board in range(model.boards)]
        ghs_per_chip = rate_hs * 1e-9 / (sum(chips) or 1)
        hashes = self._hashes + flow.hashes_until(t) - self._process_hashes
        errors = hashes / (model.hashrate_hs * _S_PER_HW_ERROR)
        moment = int(t) // _SHOWN_EVERY_S
        boards = []
        ghs_5s = 0.0
        for board, count in enumerate(chips):
            if count == 0 and not conditions.is_dead_board_listed:
                continue
            board_key = key + _KEY_BOARD + board
            ghs, warmer = 0.0, board_key % 2
            if rate_hs:
                ghs = round(ghs_per_chip * count * (1.0 + BOARD_NOISE * chance.normal(board_key, moment)), 2)
                ghs_5s += ghs
            pic: tuple[int, ...] = ()
            if count and phase is not Phase.ENUMERATING:
                way_in, way_out = round(inlet) - warmer, round(outlet) - warmer
                pic = (way_in, way_in, way_out, way_out)
            boards.append(
                BoardSnapshot(
                    board,
                    0 if phase is Phase.ENUMERATING else count,
                    ghs,
                    chance.stratified_count(board_key, errors * (0.4 + 1.2 * chance.uniform(board_key, -1)))
                    if count
                    else 0,
                    pic,
                )
            )
        ratio = 0.0
        if is_running:
            ratio = physics.THROTTLE_RATIO if phase is Phase.THROTTLED else _MODE_RATIO[self._work_mode]
            if phase is Phase.RAMPING:
                ratio *= (t - self.since) / RAMP_S
        wobble = 1.0 + _LONG_NOISE * chance.normal(key + _KEY_LONG, moment // 12)
        return Snapshot(
            phase,
            max(0, int(elapsed)),
            self.work_mode,
            round(model.frequency_mhz * ratio),
            round(ghs_5s, 2),
            round(flow.lagged_until(t, self._lagged_hs, _LAG_30M_S) * 1e-9 * wobble, 2),
            round(hashes * 1e-9 / max(elapsed, 1.0), 2),
            tuple(boards),
            tuple(self._fan(fan, rpm) for fan in range(model.fans)),
            ambient,
        )

    def _fan(self, fan: int, rpm: int) -> int:
        if fan in self.conditions.stopped_fans or rpm == 0:
            return 0
        return rpm if rpm >= physics.MAX_FAN_RPM else rpm + 30 * ((self.identity.key >> 2 * fan & 3) - 1)

    @property
    def _hashes_per_share(self) -> float:
        return self.identity.model.share_difficulty * DIFF1_HASHES

    def _count_shares(self, t: float) -> Shares:
        hashes = self._hashes + self._flow.hashes_until(t)
        process_hashes = hashes - self._process_hashes
        expected = process_hashes / self._hashes_per_share
        key = self.identity.key
        found = self._shares_found(hashes) - self._process_shares
        rate = self._flow.rate_at(t) / self._hashes_per_share
        age_s = (-math.log(1.0 - chance.uniform(key + _KEY_SHARES, found)) / rate) if rate else 0.0
        return Shares(
            self._shares_before + found,
            chance.stratified_count(key + _KEY_REJECTED, expected * _REJECTED_RATIO),
            chance.stratified_count(key + _KEY_STALE, expected * _STALE_RATIO),
            self.identity.model.share_difficulty,
            process_hashes / DIFF1_HASHES,
            int(age_s),
        )

    def _shares_found(self, hashes: float) -> int:
        """Give the shares accepted since the farm's start, a Poisson process in the hashes done."""
        expected = hashes * (1.0 - _REJECTED_RATIO - _STALE_RATIO) / self._hashes_per_share
        key = self.identity.key + _KEY_SHARES
        wanted = int(expected / chance.SHARES_PER_BLOCK)
        block, before = self._share_blocks
        while block < wanted:
            before += chance.block_count(key, block)
            block += 1
        self._share_blocks = (block, before)
        return before + chance.count_within(key, block, expected / chance.SHARES_PER_BLOCK - block)
