"""JSON answers about units: a page of short rows, and one unit in full."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from agent.exporters.web.identity_answers import WhereaboutsAnswer, whereabouts_answer
from agent.exporters.web.times import age_s, time_of
from agent.exporters.web.work_answers import WorkAnswer, work_answer
from agent.site.identity.whereabouts import Whereabouts
from agent.site.mismatch import BinSource
from agent.site.power import PowerGap, PowerSource
from agent.site.reasons import REASONS, Reason, Severity
from agent.site.status import Cause, UnitState, UnitStatus
from agent.text.lateness import why_text
from agent.text.unit_notes import mismatch_text, unit_notes
from agent.unit.coolant import CoolantLayout
from agent.unit.reading import BoardReading, Dialect, Identity, Mode, Places, PowerKind


class LossAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a unit's shortfall."""

    cause: Cause
    hashrate_hs: float


class MismatchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Differences of a unit from its row in the ledger.

    Attributes:
        model: The model that it answers as; null if that is its row's.
        hashrate_hs: The bin that it reports; null if that is its row's, or if it reports none.
        reported_by: The key in which it reports its bin.
        text: The same in words.
    """

    model: str | None
    hashrate_hs: float | None
    reported_by: BinSource | None
    text: str


class UnitRow(msgspec.Struct, frozen=True, kw_only=True):
    """One unit as a short row.

    Attributes:
        state, since, state_age_s: The agent's judgement; null until the unit's first poll.
        reason, why: The reason for it, from a closed list, and in words with numbers; null likewise.
        also: What else is wrong with the unit, in words, most severe first.
        is_overdue: True if the agent did not ask the unit in time: state, rate and losses are those of its last poll.
        is_restored: True if that poll was made before the agent's last start; `reading_age_s` is its age.
        hashrate_hs: Hashrate measured in a fresh reading, or in an overdue unit's last one.
        power_watts, power_source: Power drawn, and the source of that figure.
        power_missing_reason: Why there is no such figure; null if there is one.
        shortfall_hs: Nameplate minus measured, never below zero; the sum of the losses.
        error_reason: Reason for which the latest poll failed.
        curtailment: Id of the active curtailment event that covers it.
        is_straggler: True if it hashes more than the target of that event leaves it.
        mismatch: Another model or bin than that of its row in the ledger; null if it reports none.
        not_restored_after: Id of the event that curtailed it, if it does not hash again 15 minutes after its end.
        work: Where its work goes; null where ``[pools]`` names no destination.
    """

    unit_id: str
    owner: str
    container: str
    rack: str
    slot: str
    model: str
    host: str
    is_simulated: bool
    state: UnitState | None
    reason: Reason | None
    why: str | None
    also: list[str]
    since: datetime | None
    state_age_s: float | None
    is_fresh: bool
    is_overdue: bool
    is_restored: bool
    last_reading_at: datetime | None
    reading_age_s: float | None
    nameplate_hs: float
    hashrate_hs: float | None
    power_watts: float | None
    power_source: PowerSource | None
    power_missing_reason: PowerGap | None
    shortfall_hs: float | None
    losses: list[LossAnswer] | None
    error_reason: str | None
    curtailment: str | None
    is_straggler: bool
    not_restored_after: str | None
    mismatch: MismatchAnswer | None
    work: WorkAnswer | None


class UnitsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One page of units.

    Attributes:
        total: Number of units that match, on all pages.
    """

    now: datetime
    total: int
    offset: int
    limit: int
    units: list[UnitRow]


class PoolAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One configured pool; its address and user are left out.

    Attributes:
        is_fee: True for the pool of the firmware's maker.
    """

    index: int
    status: str | None
    is_active: bool | None
    accepted: int | None
    rejected: int | None
    stale: int | None
    is_fee: bool


class SharesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Share counters since the miner process started."""

    at: datetime
    accepted: int | None
    rejected: int | None
    stale: int | None
    difficulty_accepted: float | None
    difficulty_rejected: float | None
    difficulty_stale: float | None


class ReadingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Latest reading of the unit, fresh or not; fields as in `UnitReading`."""

    at: datetime
    dialect: Dialect
    mode: Mode | None
    reader: str
    identity: Identity
    uptime_s: float | None
    rate_window_s: float | None
    hashrate_5s_hs: float | None
    hashrate_30m_hs: float | None
    hashrate_avg_hs: float | None
    hashrate_ideal_hs: float | None
    hashrate_sale_hs: float | None
    stand_in_hs: float | None
    stand_in_window_s: float | None
    power_watts: float | None
    power_kind: PowerKind | None
    coolant_layout: CoolantLayout
    is_chip_computed: bool
    fan_rpm: Places
    boards: tuple[BoardReading, ...]
    pools: tuple[PoolAnswer, ...]
    shares: SharesAnswer | None


class UnitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One unit in full.

    Attributes:
        severity: How much its reason asks of an operator; null until the unit's first poll.
        check_first: What to look at first for its reason; empty for a healthy unit.
        failures: Number of polls that failed in a row.
        error: The latest failure in words.
        delivered_1h_hs, delivered_24h_hs: Hashrate that pools credited; null until the whole window is known.
        notes: Remarks in words, such as that it answers as another model, or why its coolant is not shown.
        whereabouts: Where its own identity answers; null if identities are not checked.
    """

    site: str
    now: datetime
    unit: UnitRow
    port: int
    serial: str | None
    mac: str | None
    cooling: str
    nameplate_watts: float | None
    uplift_hs: float
    severity: Severity | None
    check_first: str
    failures: int
    error: str | None
    delivered_1h_hs: float | None
    delivered_24h_hs: float | None
    notes: list[str]
    whereabouts: WhereaboutsAnswer | None
    reading: ReadingAnswer | None


def unit_row(status: UnitStatus, now: float, *, is_whole: bool = False) -> UnitRow:
    """Return the short row of one unit; `is_whole` for a caller who may see where its work goes in full."""
    entry, reading = status.entry, status.reading
    is_judged = status.is_looked_at
    return UnitRow(
        unit_id=entry.unit_id,
        owner=entry.owner,
        container=entry.place.container,
        rack=entry.place.rack,
        slot=entry.place.slot,
        model=entry.nameplate.model,
        host=entry.host,
        is_simulated=entry.is_simulated,
        state=status.state if is_judged else None,
        reason=status.reason if is_judged else None,
        why=why_text(status, now) if is_judged else None,
        also=[finding.why for finding in status.also],
        since=time_of(status.since) if is_judged else None,
        state_age_s=age_s(status.since, now) if is_judged else None,
        is_fresh=status.is_fresh,
        is_overdue=status.is_overdue,
        is_restored=status.is_restored,
        last_reading_at=time_of(reading.at) if reading else None,
        reading_age_s=age_s(reading.at, now) if reading else None,
        nameplate_hs=entry.nameplate.hashrate_hs,
        hashrate_hs=status.hashrate_hs,
        power_watts=status.power.watts if status.power else None,
        power_source=status.power.source if status.power else None,
        power_missing_reason=status.power_gap,
        shortfall_hs=status.shortfall_hs if is_judged else None,
        losses=[LossAnswer(cause=loss.cause, hashrate_hs=loss.hashrate_hs) for loss in status.losses]
        if is_judged
        else None,
        error_reason=status.error.reason if status.error else None,
        curtailment=status.event.id if status.event else None,
        is_straggler=status.is_straggler,
        not_restored_after=status.unrestored.id if status.unrestored else None,
        mismatch=_mismatch_answer(status),
        work=work_answer(status.work, is_whole=is_whole),
    )


def _mismatch_answer(status: UnitStatus) -> MismatchAnswer | None:
    mismatch = status.mismatch
    if mismatch is None:
        return None
    return MismatchAnswer(
        model=mismatch.model,
        hashrate_hs=None if mismatch.bin is None else mismatch.bin.hashrate_hs,
        reported_by=None if mismatch.bin is None else mismatch.bin.source,
        text=mismatch_text(status.entry, mismatch),
    )


def unit_list_answer(
    statuses: Iterable[UnitStatus], total: int, *, offset: int, limit: int, now: float, is_whole: bool = False
) -> UnitsAnswer:
    """Return the answer with one page of units; `is_whole` as of `unit_row`."""
    units = [unit_row(status, now, is_whole=is_whole) for status in statuses]
    return UnitsAnswer(now=time_of(now), total=total, offset=offset, limit=limit, units=units)


def unit_answer(
    site: str,
    status: UnitStatus,
    now: float,
    where: Whereabouts | None = None,
    delivered_hs: tuple[float | None, float | None] = (None, None),
    *,
    is_whole: bool = False,
) -> UnitAnswer:
    """Return the answer about one unit; `delivered_hs` is the hashrate credited over an hour and over a day.

    `is_whole` is as of `unit_row`.
    """
    entry = status.entry
    delivered_1h_hs, delivered_24h_hs = delivered_hs
    return UnitAnswer(
        site=site,
        now=time_of(now),
        unit=unit_row(status, now, is_whole=is_whole),
        port=entry.port,
        serial=entry.serial,
        mac=entry.mac,
        cooling=entry.nameplate.cooling,
        nameplate_watts=entry.nameplate.power_watts,
        uplift_hs=status.uplift_hs,
        severity=REASONS[status.reason].severity if status.is_looked_at else None,
        check_first=status.check_first if status.is_looked_at else "",
        failures=status.failures,
        error=str(status.error) if status.error else None,
        delivered_1h_hs=delivered_1h_hs,
        delivered_24h_hs=delivered_24h_hs,
        notes=unit_notes(status),
        whereabouts=None
        if where is None
        else whereabouts_answer(
            where, None if status.mismatch is None else mismatch_text(status.entry, status.mismatch)
        ),
        # Not strict: Unix times become datetimes.
        reading=msgspec.convert(status.reading, ReadingAnswer, from_attributes=True, strict=False)
        if status.reading
        else None,
    )
