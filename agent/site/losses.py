"""One unit's shortfall by cause.

    nameplate - sum(losses) + uplift == measured        always

A unit that is not hashing lost its whole shortfall to its state. A unit that is hashing lost it to these, in order:
missing boards; missing and bad chips; a curtailment event that asks for less than the nameplate; a clock set or
throttled below the nameplate's. The rest is unexplained: *underperforming*. Each step takes at most what is left, so
nothing is counted twice.

A visible fault is a fault inside an event too. The event explains what its target takes of the boards and chips that
are left, and only of a unit that follows it. One whose rate is above the target does not. Nor does one far below it
whose clocks are not lowered.

The arithmetic uses only minus, times, divide, min and max, so it runs on floats and, in the tests, on exact fractions.
"""

from agent.site.evidence import absent_boards, bad_chips, low_clock, side_findings, slow
from agent.site.hardware import capacity_hs, visible_faults
from agent.site.ledger.entries import LedgerEntry
from agent.site.reasons import PLAIN, Finding, Reason
from agent.site.status import Cause, Loss, UnitState, is_above_target
from agent.unit.nameplate import Nameplate
from agent.unit.reading import Mode, UnitReading

_WHOLE_SHORTFALL = {
    UnitState.CURTAILED: Cause.CURTAILED,
    UnitState.MAINTENANCE: Cause.MAINTENANCE,
    UnitState.UNREACHABLE: Cause.UNREACHABLE,
    UnitState.UNREADABLE: Cause.UNREADABLE,
    UnitState.STOPPED: Cause.STOPPED,
    UnitState.STARTING: Cause.STARTING,
}

# Shares of the nameplate below which a loss is no reason. Documented (D60): Bitmain's own tolerance is +-3 %. The noise
# of a 5 s rate comes on top for what no clock explains.
_NOISE_BELOW = {Cause.DERATED: 0.03, Cause.UNDERPERFORMING: 0.05}

FOLLOWING_RATIO = 0.1
"""A unit within this share of its capacity below an event's target follows it, whatever its clocks say."""


def attribute(
    entry: LedgerEntry,
    state: UnitState,
    reading: UnitReading | None,
    hashrate_hs: float | None,
    *,
    target_ratio: float = 1,
    is_waking: bool = False,
) -> tuple[tuple[Loss, ...], float]:
    """Return the losses by cause and the uplift of one unit, H/s.

    Args:
        entry: For its nameplate.
        state: The unit's state now.
        reading: Its fresh reading, or None.
        hashrate_hs: The rate of that reading; None counts as nothing delivered.
        target_ratio: The share of its nameplate that an event leaves the unit to hash; 1 without an event.
        is_waking: That event is over, and the unit is on its way back: it may be above the target already.
    """
    nameplate_hs = entry.nameplate.hashrate_hs
    measured_hs = hashrate_hs if hashrate_hs is not None else nameplate_hs * 0
    if measured_hs >= nameplate_hs:
        return (), measured_hs - nameplate_hs
    shortfall_hs = nameplate_hs - measured_hs
    cause = _WHOLE_SHORTFALL.get(state)
    if cause is not None:
        return (Loss(cause, shortfall_hs),), nameplate_hs * 0
    losses = []
    left_hs = shortfall_hs
    for cause, claim_hs in _claims(entry.nameplate, reading, measured_hs, target_ratio, is_waking=is_waking):
        if claim_hs > 0 and left_hs > 0:
            taken_hs = min(claim_hs, left_hs)
            losses.append(Loss(cause, taken_hs))
            left_hs -= taken_hs
    if left_hs > 0:
        if losses and losses[-1].cause is Cause.DERATED and _meets_its_preset(reading, nameplate_hs, measured_hs):
            losses[-1] = Loss(Cause.DERATED, losses[-1].hashrate_hs + left_hs)
        else:
            losses.append(Loss(Cause.UNDERPERFORMING, left_hs))
    return tuple(losses), nameplate_hs * 0


def _meets_its_preset(reading: UnitReading | None, nameplate_hs: float, measured_hs: float) -> bool:
    """Return True if a unit hashes what its firmware expects of a profile below the nameplate, within tolerance."""
    ideal_hs = reading.hashrate_ideal_hs if reading is not None and reading.is_profile_ideal else None
    if ideal_hs is None:
        return False
    return ideal_hs < nameplate_hs and measured_hs >= ideal_hs * (1 - _NOISE_BELOW[Cause.DERATED])


def _claims(
    nameplate: Nameplate, reading: UnitReading | None, measured_hs: float, target_ratio: float, *, is_waking: bool
) -> tuple[tuple[Cause, float], ...]:
    """Return what each cause would take of this nameplate, H/s, most certain first."""
    if reading is None:
        return ((Cause.CURTAILED, nameplate.hashrate_hs * (1 - target_ratio)),)
    faults = visible_faults(nameplate, reading)
    boards, chips = (Cause.MISSING_BOARDS, faults.boards_hs), (Cause.MISSING_CHIPS, faults.chips_hs)
    if target_ratio >= 1:
        return (boards, chips, (Cause.DERATED, faults.clocks_hs))
    able_hs = capacity_hs(nameplate, faults)
    if not is_waking and is_above_target(measured_hs, able_hs, target_ratio):
        # It does not follow the event.
        return (boards, chips, (Cause.DERATED, faults.clocks_hs))
    curtailed_hs = able_hs * (1 - target_ratio)
    is_near = not is_waking and measured_hs >= able_hs * (target_ratio - FOLLOWING_RATIO)
    if faults.has_clocks and reading.mode is not Mode.LOW and not is_near:
        # The clocks show how far it follows; a declared low-power mode is believed without them.
        curtailed_hs = min(curtailed_hs, faults.clocks_hs)
    derated_hs = max(curtailed_hs * 0, faults.clocks_hs - curtailed_hs)
    return (boards, chips, (Cause.CURTAILED, curtailed_hs), (Cause.DERATED, derated_hs))


def shortfall_finding(
    nameplate: Nameplate,
    reading: UnitReading,
    losses: tuple[Loss, ...],
    *,
    target_ratio: float = 1,
    is_waking: bool = False,
    is_straggler: bool = False,
) -> tuple[Finding, tuple[Finding, ...]]:
    """Return the reason for the largest loss of a unit that hashes, and what else its reply shows.

    Absent boards and bad chips are facts, and named however little they take. A low clock or a shortfall without a
    visible reason is named only beyond noise. A unit with nothing to name is hashing.

    Args:
        nameplate: The unit's.
        reading: Its fresh reading.
        losses: Its losses by cause, as of `attribute`.
        target_ratio: As of `attribute`.
        is_waking: As of `attribute`.
        is_straggler: It hashes more than an event in force leaves it; a reason where there is no fault.
    """
    sized: list[tuple[float, Finding]] = []
    for cause, lost_hs in losses:
        share = float(lost_hs / nameplate.hashrate_hs)
        if cause is Cause.MISSING_BOARDS:
            sized += [(share, finding) for finding in absent_boards(reading, nameplate)]
        elif cause is Cause.MISSING_CHIPS:
            sized += [(share, finding) for finding in bad_chips(reading, nameplate)]
        elif cause is Cause.CURTAILED:
            held = Finding(Reason.HELD_BACK, f"held to {float(target_ratio):.0%} by an event")
            sized.append((share, PLAIN[Reason.WAKING] if is_waking else held))
        elif share >= _NOISE_BELOW[cause]:
            sized.append((share, low_clock(reading, nameplate) if cause is Cause.DERATED else slow(reading)))
    named = [finding for _, finding in sorted(sized, key=lambda each: -each[0])]
    straggling = Finding(Reason.STRAGGLING, f"hashing above an event's target of {float(target_ratio):.0%}")
    if is_straggler and not named:
        # What takes nothing from the unit's rate is no reason for it.
        named.append(straggling)
    named += [finding for finding in side_findings(reading, nameplate) if finding not in named]
    if is_straggler and straggling not in named:
        named.append(straggling)
    return (named[0], tuple(named[1:])) if named else (PLAIN[Reason.HASHING], ())


def is_noise(nameplate: Nameplate, losses: tuple[Loss, ...]) -> bool:
    """Return True if a unit that hashes lost nothing that has a reason; cheap, because every poll asks."""
    for cause, lost_hs in losses:
        limit_ratio = _NOISE_BELOW.get(cause)
        if limit_ratio is None or lost_hs >= nameplate.hashrate_hs * limit_ratio:
            return False
    return True
