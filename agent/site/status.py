"""The judgement of one unit: its state, why, since when, and the parts of its shortfall.

Pure: readings, ledger entries and times come in, a verdict goes out. A failure to read is *unreachable* or
*unreadable*, never a zero. A unit that sleeps without a declared event is *stopped*, never *curtailed*.

A reason is read off the reply (`evidence`). "Cause unknown" remains only where nothing in it explains a stop.
"""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from agent.errors import (
    ContradictoryReplyError,
    DisconnectedError,
    ForeignProtocolError,
    PollError,
    RefusedError,
    UnreachableError,
)
from agent.site.curtailment.events import Event
from agent.site.evidence import stop_findings
from agent.site.hardware import capacity_hs, visible_faults
from agent.site.ledger.entries import LedgerEntry
from agent.site.mismatch import Mismatch
from agent.site.pools.work import UnitWork
from agent.site.power import Power, PowerGap, power_gap
from agent.site.reasons import MAX_WHY, PLAIN, REASONS, Finding, Reason, Severity
from agent.site.restarts import YOUNG_S
from agent.unit.nameplate import Nameplate
from agent.unit.reading import Mode, UnitReading

STOPPED_BELOW_RATIO = 0.01
FULL_RATIO = 0.97
"""A young unit at this share of what its present boards can do has ended its ramp. Documented (D60): +-3 % are normal.
"""
BOOT_S = 180.0
"""A young unit without hashrate for this long shows why it does not start; until then pools and fans are not up yet."""
STRAGGLING_ABOVE_RATIO = 0.1
"""A unit hashes above an event's target if it exceeds it by more than this share of its capacity.

Or by half of what the target takes, if that is less. The noise of a 5 s rate is far below."""
CODE_ACCESS_DENIED = 45
"""Observed (O04): the code with which a unit's API access list refuses."""


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


EXPLAINING_CAUSES = frozenset({Cause.CURTAILED, Cause.MAINTENANCE})
"""Causes that the operator declared: their hashrate is off on purpose."""


class Verdict(NamedTuple):
    """A state and the reason for it.

    Attributes:
        state: The unit's state.
        finding: The reason, and its words.
        also: What else its reply shows that explains the state, most severe first.
    """

    state: UnitState
    finding: Finding
    also: tuple[Finding, ...] = ()


class Loss(NamedTuple):
    """One part of a unit's shortfall, H/s."""

    cause: Cause
    hashrate_hs: float


class UnitStatus(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One unit as of its latest poll, or as of the moment its last reading went stale.

    Attributes:
        entry: The unit's ledger entry in force.
        state: Our judgement.
        reason, why: The reason for it, from the closed list, and in words with numbers (`reasons.MAX_WHY`).
        also: What else is wrong with the unit, most severe first; empty for a healthy one.
        since: Unix time at which the unit entered this state, as far as this process has seen, s.
        is_fresh: True while `reading` is younger than the site's `stale_after_s`.
        is_known: True if the state rests on a fresh reading, a refused TCP connection, or the ledger's own word
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
        is_straggler: True if it hashes more than an event in force leaves it to hash.
        mismatch: Another model or bin than its row's that the unit reports; None if it reports none.
        is_overdue: True if this agent did not ask the unit in time: state, rate and losses are those of its last poll,
            and `is_fresh` and `is_known` are False (see `lateness`).
        is_restored: True if it is overdue and its last poll was made before this process started (see `remembered`).
        unrestored: The event that curtailed it, ended `RESTORE_S` ago or longer, after which it has not hashed again.
        work: Where its work goes; None where pools are not judged.
    """

    entry: LedgerEntry
    state: UnitState
    reason: Reason
    why: str
    since: float
    is_fresh: bool
    is_known: bool
    reading: UnitReading | None
    error: PollError | None
    hashrate_hs: float | None
    losses: tuple[Loss, ...]
    uplift_hs: float
    failures: int = 0
    power: Power | None = None
    event: Event | None = None
    is_straggler: bool = False
    unrestored: Event | None = None
    mismatch: Mismatch | None = None
    is_overdue: bool = False
    is_restored: bool = False
    also: tuple[Finding, ...] = ()
    work: UnitWork | None = None

    @property
    def check_first(self) -> str:
        """What to look at first, from the closed list; empty for a healthy unit and for one asleep on purpose."""
        if self.state is UnitState.CURTAILED and self.reason is Reason.ASLEEP:
            return ""
        return REASONS[self.reason].check_first

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
    def is_diverted(self) -> bool:
        """True if its work goes to a destination that is not the site's."""
        return self.work is not None and self.work.is_diverted

    @property
    def shortfall_hs(self) -> float:
        """Nameplate minus measured, H/s, never below zero; the sum of `losses`."""
        return sum(loss.hashrate_hs for loss in self.losses)

    @property
    def unexplained_hs(self) -> float:
        """The part of the shortfall that neither a curtailment nor maintenance explains, H/s."""
        return sum(loss.hashrate_hs for loss in self.losses if loss.cause not in EXPLAINING_CAUSES)


def _verdicts(state: UnitState, *reasons: Reason) -> dict[Reason, Verdict]:
    return {reason: Verdict(state, PLAIN[reason]) for reason in reasons}


_HASHING = Verdict(UnitState.HASHING, PLAIN[Reason.HASHING])
_MAINTENANCE = Verdict(UnitState.MAINTENANCE, PLAIN[Reason.MAINTENANCE])
_ASLEEP = Verdict(UnitState.STOPPED, PLAIN[Reason.ASLEEP])
_CURTAILED = Verdict(UnitState.CURTAILED, PLAIN[Reason.ASLEEP])
_STOPPED = Verdict(UnitState.STOPPED, PLAIN[Reason.STOPPED_UNKNOWN])
_BOOTING = Verdict(UnitState.STARTING, PLAIN[Reason.BOOTING])
_RAMPING_UP = Verdict(UnitState.STARTING, PLAIN[Reason.RAMPING_UP])
_RESTARTING = Verdict(UnitState.STARTING, Finding(Reason.RESTARTING, "restarting: resets connections"))
_UNREACHABLE = _verdicts(
    UnitState.UNREACHABLE,
    *(Reason.NOT_POLLED, Reason.NOT_POLLED_LATELY, Reason.CONNECTION_REFUSED, Reason.NO_ANSWER),
)
_UNREADABLE = _verdicts(
    UnitState.UNREADABLE,
    *(Reason.NO_WHOLE_REPLY, Reason.CLOSED_IN_REPLY, Reason.RESETS_CONNECTION, Reason.MALFORMED_REPLY),
    *(Reason.REPLY_TOO_LARGE, Reason.COSTLY_REPLY, Reason.STALLS_IN_REPLY, Reason.LANE_FAILED),
    Reason.LANE_QUARANTINED,
    *(Reason.FOREIGN_PROTOCOL, Reason.CONTRADICTORY_REPLY, Reason.REFUSED_COMMAND, Reason.ACCESS_DENIED),
    *(Reason.UNKNOWN_DIALECT, Reason.OTHER_UNIT, Reason.STANDS_STILL, Reason.NO_RATE),
)


_CONTRADICTORY = {
    rule: Verdict(UnitState.UNREADABLE, Finding(Reason.CONTRADICTORY_REPLY, f"contradictory reply: {words}"))
    for rule, words in {
        "over_limit": "a rate above twice its rating",
        "unsupported_rate": "a rate that nothing else supports",
        "silent_boards": "a rate, and boards that hash nothing",
    }.items()
}


class Course(NamedTuple):
    """What earlier polls of a unit add to its latest.

    Attributes:
        is_frozen: The reading is not fresh because the unit repeats it, uptime included.
        is_restarting: The unit reset a connection while its reading still counted, a moment ago.
        is_settled: Its rate and clocks have not risen for so long that its ramp is over.
        is_waking: An event curtailed it and ended so recently that it may still be on its way back.
    """

    is_frozen: bool = False
    is_restarting: bool = False
    is_settled: bool = False
    is_waking: bool = False


STEADY = Course()
"""A unit about which earlier polls say nothing."""


def judge(
    entry: LedgerEntry,
    reading: UnitReading | None,
    error: PollError | None,
    *,
    is_fresh: bool,
    is_curtailed: bool = False,
    target_ratio: float = 1,
    course: Course = STEADY,
) -> Verdict:
    """Return the state of one unit and why.

    Args:
        entry: The ledger's entry in force; maintenance outranks everything, because the operator declared it.
        reading: The latest reading; None before the first.
        error: Why the latest poll failed; None if it did not.
        is_fresh: True while `reading` may still be believed.
        is_curtailed: True if a declared event covers the unit now, or ended so recently that it may still wake.
        target_ratio: The share of its nameplate that an event in force leaves the unit to hash; 1 without an event.
        course: What earlier polls add.
    """
    if entry.is_in_maintenance:
        return _MAINTENANCE
    if course.is_frozen:
        return _UNREADABLE[Reason.STANDS_STILL]
    if reading is None or not is_fresh:
        verdict = _judge_without_reading(error, was_read=reading is not None, course=course)
    else:
        verdict = _judge_reading(
            reading, entry.nameplate, is_curtailed=is_curtailed, target=target_ratio, is_settled=course.is_settled
        )
    if course.is_waking and verdict.state is UnitState.STARTING:
        return Verdict(UnitState.CURTAILED, PLAIN[Reason.WAKING], verdict.also)
    return verdict


def _judge_reading(
    reading: UnitReading, nameplate: Nameplate, *, is_curtailed: bool, target: float, is_settled: bool
) -> Verdict:
    rate_hs, uptime_s = reading.rate_hs, reading.uptime_s
    if reading.mode is Mode.SLEEP:
        return _CURTAILED if is_curtailed else _ASLEEP
    stopped_below_hs = nameplate.hashrate_hs * STOPPED_BELOW_RATIO
    is_low = rate_hs is None or rate_hs < stopped_below_hs
    is_young = uptime_s is not None and uptime_s < YOUNG_S
    if is_low and (is_young or reading.is_starting):
        return _booting(reading, nameplate, uptime_s or 0.0)
    if is_young and not is_low and not is_settled and not is_full(reading, nameplate, target):
        return _RAMPING_UP
    if rate_hs is None:
        # A garbled or missing rate is not a zero: the unit may be hashing.
        return _UNREADABLE[Reason.NO_RATE]
    if rate_hs < stopped_below_hs:
        found = stop_findings(reading, nameplate)
        return Verdict(UnitState.STOPPED, found[0], tuple(found[1:])) if found else _STOPPED
    return _HASHING


def _booting(reading: UnitReading, nameplate: Nameplate, uptime_s: float) -> Verdict:
    """Return the verdict of a young unit without hashrate: after `BOOT_S` it names what keeps it from starting."""
    found = stop_findings(reading, nameplate) if uptime_s >= BOOT_S else []
    if found and found[0].severity is Severity.CRITICAL:
        return Verdict(UnitState.STARTING, found[0], tuple(found[1:]))
    return _BOOTING


def is_full(reading: UnitReading, nameplate: Nameplate, target_ratio: float = 1) -> bool:
    """Return True if a unit hashes all that its present boards and chips can, within an event's target.

    A unit that hashes in spite of a target of 0 ramps to its full rate.
    """
    full_hs = capacity_hs(nameplate, visible_faults(nameplate, reading)) * FULL_RATIO
    return (reading.rate_hs or 0) >= (full_hs * target_ratio if target_ratio else full_hs)


def _judge_without_reading(error: PollError | None, *, was_read: bool, course: Course) -> Verdict:
    if error is None:
        # A reading that went stale although no poll failed is held instead (`lateness`).
        return _UNREACHABLE[Reason.NOT_POLLED_LATELY if was_read else Reason.NOT_POLLED]
    if isinstance(error, UnreachableError):
        return _UNREACHABLE[reason_of(error)]
    if course.is_restarting:
        return _RESTARTING
    # Connected, then no whole reply: the unit is on the network but cannot be read.
    if isinstance(error, ForeignProtocolError):
        # The message names what answers, then quotes it.
        return Verdict(UnitState.UNREADABLE, Finding(Reason.FOREIGN_PROTOCOL, str(error).partition(": ")[0][:MAX_WHY]))
    if isinstance(error, ContradictoryReplyError):
        return _CONTRADICTORY.get(error.rule, _UNREADABLE[Reason.CONTRADICTORY_REPLY])
    return _UNREADABLE[reason_of(error)]


def reason_of(error: PollError) -> Reason:
    """Return the reason that a failed poll stands for."""
    if isinstance(error, UnreachableError):
        return Reason.CONNECTION_REFUSED if error.is_refusal else Reason.NO_ANSWER
    if isinstance(error, DisconnectedError) and error.is_reset:
        return Reason.RESETS_CONNECTION
    if isinstance(error, RefusedError) and error.code == CODE_ACCESS_DENIED:
        return Reason.ACCESS_DENIED
    return _REASON_OF.get(error.reason, Reason.MALFORMED_REPLY)


_REASON_OF = {
    "deadline": Reason.NO_WHOLE_REPLY,
    "disconnected": Reason.CLOSED_IN_REPLY,
    "malformed": Reason.MALFORMED_REPLY,
    "too_large": Reason.REPLY_TOO_LARGE,
    "costly": Reason.COSTLY_REPLY,
    "lane": Reason.LANE_FAILED,
    "quarantined": Reason.LANE_QUARANTINED,
    "stalled": Reason.STALLS_IN_REPLY,
    "foreign": Reason.FOREIGN_PROTOCOL,
    "contradictory": Reason.CONTRADICTORY_REPLY,
    "refused": Reason.REFUSED_COMMAND,
    "unsupported": Reason.UNKNOWN_DIALECT,
    "other_unit": Reason.OTHER_UNIT,
}


def is_straggling(event: Event | None, reading: UnitReading | None, nameplate: Nameplate) -> bool:
    """Return True if a unit hashes more than an event leaves it to hash.

    Args:
        event: The event in force that covers it, or None.
        reading: Its fresh reading, or None: a unit that cannot be read is no straggler.
        nameplate: The unit's. With a target of 0, less than a hundredth of it counts as not hashing.
    """
    if event is None or reading is None or reading.mode is Mode.SLEEP or reading.rate_hs is None:
        return False
    if event.target_ratio <= 0:
        return reading.rate_hs >= nameplate.hashrate_hs * STOPPED_BELOW_RATIO
    able_hs = capacity_hs(nameplate, visible_faults(nameplate, reading))
    return is_above_target(reading.rate_hs, able_hs, event.target_ratio)


def is_above_target(rate_hs: float, able_hs: float, target_ratio: float) -> bool:
    """Return True if a rate exceeds an event's target by more than its margin.

    Args:
        rate_hs: The unit's rate, H/s.
        able_hs: The rating of its present boards and chips, H/s.
        target_ratio: The share that the event leaves to hash.
    """
    return rate_hs > able_hs * (target_ratio + min((1 - target_ratio) / 2, STRAGGLING_ABOVE_RATIO))


def is_definite_refusal(error: PollError | None) -> bool:
    """Return True if the unit's host refused the TCP connection, so that its state is known without a reading.

    A unit that answers a command with "no" may be hashing: nothing of that is known.
    """
    return isinstance(error, UnreachableError) and error.is_refusal
