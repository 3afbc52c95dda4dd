"""The judgement of one unit: its state, why, since when, and the parts of its shortfall.

Pure: readings, ledger entries and times come in, a verdict goes out. A failure to read is *unreachable* or
*unreadable*, never a zero. A unit that sleeps without a declared event is *stopped*, never *curtailed*.
"""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from agent.errors import PollError, RefusedError, UnreachableError
from agent.site.curtailment.events import Event
from agent.site.ledger.entries import LedgerEntry
from agent.site.mismatch import Mismatch
from agent.site.power import Power, PowerGap, power_gap
from agent.unit.reading import Mode, UnitReading

# Assumed (A39): a cold start ends 2 to 6 minutes after the miner process begins. Documented (D52): hydro
# units with cold coolant mine at low frequency for up to 240 s before that.
WARM_UP_S = 600.0
STARTING_BELOW_RATIO = 0.8
STOPPED_BELOW_RATIO = 0.01


class UnitState(StrEnum):
    """The closed list of states; every unit of the ledger is in exactly one."""

    HASHING = "hashing"
    STARTING = "starting"
    STOPPED = "stopped"
    CURTAILED = "curtailed"
    MAINTENANCE = "maintenance"
    UNREACHABLE = "unreachable"
    UNREADABLE = "unreadable"


class Cause(StrEnum):
    """The closed list of causes to which a shortfall is attributed."""

    CURTAILED = "curtailed"
    MAINTENANCE = "maintenance"
    UNREACHABLE = "unreachable"
    UNREADABLE = "unreadable"
    STOPPED = "stopped"
    STARTING = "starting"
    MISSING_BOARDS = "missing_boards"
    MISSING_CHIPS = "missing_chips"
    DERATED = "derated"
    UNDERPERFORMING = "underperforming"


class Verdict(NamedTuple):
    """A state and the reason for it, in a few fixed words."""

    state: UnitState
    why: str


class Loss(NamedTuple):
    """One part of a unit's shortfall, H/s."""

    cause: Cause
    hashrate_hs: float


class UnitStatus(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One unit as of its latest poll, or as of the moment its last reading went stale.

    Attributes:
        entry: The unit's ledger entry in force.
        state, why: Our judgement, and the reason in a few fixed words.
        since: Unix time at which the unit entered this state, as far as this process has seen, s.
        is_fresh: True while `reading` is younger than the site's `stale_after_s`.
        is_known: True if the state rests on a fresh reading, a definite refusal, or the ledger's own word
            (maintenance); coverage is the nameplate of these units.
        reading: The latest reading, however old; None before the first.
        error: Why the latest poll failed; None if it did not.
        failures: Polls failed in a row.
        hashrate_hs: The measured 5 s rate of a fresh reading, or of an overdue unit's last one; None without a reading
            that counts, or if it has no rate.
        losses: The shortfall by cause, H/s; only causes that took something.
        uplift_hs: Hashrate above the nameplate.
        power: Power drawn and its source; None if it is neither metered nor reported nor can be modelled: `power_gap`
            says why.
        event: The curtailment event in force that covers the unit; None outside of any.
        is_straggler: True if it goes on hashing inside an event that leaves it nothing to hash.
        mismatch: Another model or bin than its row's that the unit reports; None if it reports none.
        is_overdue: True if this agent did not ask the unit in time: state, rate and losses are those of its last poll,
            and `is_fresh` and `is_known` are False (see `lateness`).
        unrestored: The event that curtailed it, ended `RESTORE_S` ago or longer, after which it has not hashed again.
    """

    entry: LedgerEntry
    state: UnitState
    why: str
    since: float
    is_fresh: bool
    is_known: bool
    reading: UnitReading | None
    error: PollError | None
    failures: int
    hashrate_hs: float | None
    losses: tuple[Loss, ...]
    uplift_hs: float
    power: Power | None = None
    event: Event | None = None
    is_straggler: bool = False
    unrestored: Event | None = None
    mismatch: Mismatch | None = None
    is_overdue: bool = False

    @property
    def is_polled(self) -> bool:
        """True once a poll of the unit succeeded or failed."""
        return self.reading is not None or self.error is not None

    @property
    def is_looked_at(self) -> bool:
        """True once `state` rests on a poll or on the ledger's word (maintenance), rather than on nothing yet."""
        return self.reading is not None or self.error is not None or self.entry.is_in_maintenance

    @property
    def power_gap(self) -> PowerGap | None:
        """Why there is no power figure; None if there is one."""
        if self.power is not None:
            return None
        reading = self.reading if self.is_fresh else None
        return power_gap(self.entry.nameplate, reading, is_starting=self.state is UnitState.STARTING)

    @property
    def shortfall_hs(self) -> float:
        """Nameplate minus measured, H/s, never below zero; the sum of `losses`."""
        return sum(loss.hashrate_hs for loss in self.losses)


_HASHING = Verdict(UnitState.HASHING, "hashing")


def judge(
    entry: LedgerEntry,
    reading: UnitReading | None,
    error: PollError | None,
    *,
    is_fresh: bool,
    is_curtailed: bool = False,
    is_frozen: bool = False,
) -> Verdict:
    """Return the state of one unit and why.

    Args:
        entry: The ledger's entry in force; maintenance outranks everything, because the operator declared it.
        reading: The latest reading; None before the first.
        error: Why the latest poll failed; None if it did not.
        is_fresh: True while `reading` may still be believed.
        is_curtailed: True if a declared event covers the unit now, or ended so recently that it may still wake.
        is_frozen: True if `reading` is not fresh because the unit repeats it, uptime included.
    """
    if entry.is_in_maintenance:
        return Verdict(UnitState.MAINTENANCE, "ledger says maintenance")
    if is_frozen:
        return Verdict(UnitState.UNREADABLE, "figures stand still")
    if reading is None or not is_fresh:
        return _judge_without_reading(error, was_read=reading is not None)
    return _judge_reading(reading, entry.nameplate.hashrate_hs, is_curtailed=is_curtailed)


def _judge_reading(reading: UnitReading, nameplate_hs: float, *, is_curtailed: bool) -> Verdict:
    rate_hs = reading.rate_hs
    if reading.mode is Mode.SLEEP:
        return Verdict(UnitState.CURTAILED if is_curtailed else UnitState.STOPPED, "asleep")
    is_young = reading.uptime_s is not None and reading.uptime_s < WARM_UP_S
    if is_young and (rate_hs is None or rate_hs < nameplate_hs * STOPPED_BELOW_RATIO):
        return Verdict(UnitState.STARTING, "no hashrate yet")
    if rate_hs is None:
        # A garbled or missing rate is not a zero: the unit may be hashing.
        return Verdict(UnitState.UNREADABLE, "reports no hashrate")
    if rate_hs < nameplate_hs * STOPPED_BELOW_RATIO:
        return Verdict(UnitState.STOPPED, "awake, no hashrate")
    if is_young and rate_hs < nameplate_hs * STARTING_BELOW_RATIO:
        return Verdict(UnitState.STARTING, "ramping up")
    return _HASHING


def _judge_without_reading(error: PollError | None, *, was_read: bool) -> Verdict:
    if error is None:
        # A reading that went stale although no poll failed is held instead (`lateness`).
        return Verdict(UnitState.UNREACHABLE, "not polled lately" if was_read else "not polled yet")
    if isinstance(error, UnreachableError):
        return Verdict(UnitState.UNREACHABLE, "connection refused" if error.is_refusal else "no answer")
    # Connected, then no whole reply: the unit is on the network but cannot be read.
    return Verdict(UnitState.UNREADABLE, _UNREADABLE_WHY.get(error.reason, error.reason))


_UNREADABLE_WHY = {
    "deadline": "no whole reply in time",
    "disconnected": "closed in mid-reply",
    "malformed": "malformed reply",
    "refused": "refused the command",
    "unsupported": "unknown dialect",
    "other_unit": "another unit answers here",
}


def is_straggling(event: Event | None, reading: UnitReading | None, nameplate_hs: float) -> bool:
    """Return True if a unit goes on hashing although an event leaves it nothing to hash.

    Args:
        event: The event in force that covers it, or None.
        reading: Its fresh reading, or None: a unit that cannot be read is no straggler.
        nameplate_hs: Less than a hundredth of it counts as not hashing.
    """
    if event is None or event.target_ratio > 0 or reading is None or reading.mode is Mode.SLEEP:
        return False
    return reading.rate_hs is not None and reading.rate_hs >= nameplate_hs * STOPPED_BELOW_RATIO


def is_definite_refusal(error: PollError | None) -> bool:
    """Return True if the unit (or its host) itself refused, so that its state is known without a reading."""
    return isinstance(error, RefusedError) or (isinstance(error, UnreachableError) and error.is_refusal)
