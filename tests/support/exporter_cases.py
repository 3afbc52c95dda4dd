"""Statuses for tests and benchmarks of exporters: one unit that reports everything, and variations of it."""

from typing import Any

import msgspec

from agent.errors import PollError, UnreachableError
from agent.site.energy import Energy
from agent.site.ledger.entries import LedgerEntry, Place
from agent.site.losses import attribute, is_noise, shortfall_finding
from agent.site.power import PowerModel, PowerSource, unit_power
from agent.site.status import UnitState, UnitStatus, is_definite_refusal, judge
from agent.unit.nameplate import Nameplate
from agent.unit.reading import BoardReading, Dialect, Identity, Mode, PoolReading, ShareReading, UnitReading

AT = 1763674560.0  # 2025-11-20 21:36:00 UTC
S21 = Nameplate(
    model="S21",
    hashrate_hs=200e12,
    power_watts=3500.0,
    boards=3,
    chips_per_board=108,
    chip="BM1368",
    fans=4,
    cooling="air",
    source="test",
)

ENERGY = Energy(
    site={PowerSource.METERED: 7.2e9, PowerSource.MODELLED: 3.6e6},
    by_container={"C1": {PowerSource.METERED: 3.6e9}},
)


def entry(unit_id: str = "u1", **changes: Any) -> LedgerEntry:
    """Return an S21 in container C1, rack R2, slot 3."""
    declared = LedgerEntry(
        unit_id=unit_id,
        nameplate=S21,
        place=Place(container="C1", rack="R2", slot="3"),
        host="127.0.0.2",
        serial="SN1",
        mac="02:00:00:00:00:01",
    )
    return msgspec.structs.replace(declared, **changes)


def board(slot: int, **changes: Any) -> BoardReading:
    """Return a board of an S21 that hashes at 66 TH/s."""
    fields: dict[str, Any] = {
        "slot": slot,
        "hashrate_hs": 66e12,
        "chips": 108,
        "chip_celsius": (55.0, 60.0),
        "pcb_celsius": (45.0, 51.5),
        "frequency_hz": 490e6,
        "hw_errors": 7,
    }
    return BoardReading(**fields | changes)


def reading(unit_id: str = "u1", **changes: Any) -> UnitReading:
    """Return a reading with everything that stock firmware reports."""
    fields: dict[str, Any] = {
        "unit_id": unit_id,
        "at": AT,
        "dialect": Dialect.NEW_API,
        "mode": Mode.NORMAL,
        "identity": Identity(model="Antminer S21", firmware="Fri Jul 12 2024", api="3.1", miner="1.0"),
        "uptime_s": 86400,
        "hashrate_5s_hs": 198e12,
        "hashrate_30m_hs": 197.5e12,
        "hashrate_avg_hs": 197e12,
        "hashrate_ideal_hs": 200e12,
        "boards": (board(0), board(1), board(2)),
        "fan_rpm": (6000, 6010, 5900, 5910),
        "pools": (
            PoolReading(index=0, status="Alive", is_active=True, url="stratum+tcp://pool.invalid", user="someone"),
            PoolReading(index=1, status="Dead", is_active=False),
        ),
        "shares": ShareReading(
            at=AT, accepted=1000, rejected=3, stale=1, difficulty_accepted=5.5e9, difficulty_rejected=1.5e6
        ),
    }
    return UnitReading(**fields | changes)


def status(
    declared: LedgerEntry | None = None,
    latest: UnitReading | None = None,
    *,
    error: PollError | None = None,
    is_fresh: bool | None = None,
    since: float = AT - 3600,
) -> UnitStatus:
    """Return the status that the site judges from a ledger entry, a reading and an error."""
    declared = declared or entry()
    if is_fresh is None:
        is_fresh = latest is not None
    fresh = latest if is_fresh else None
    state, finding, also = judge(declared, latest, error, is_fresh=is_fresh)
    hashrate_hs = None if fresh is None else fresh.hashrate_5s_hs
    losses, uplift_hs = attribute(declared, state, fresh, hashrate_hs)
    if state is UnitState.HASHING and fresh is not None and not is_noise(declared.nameplate, losses):
        finding, also = shortfall_finding(declared.nameplate, fresh, losses)
    return UnitStatus(
        entry=declared,
        state=state,
        reason=finding.reason,
        why=finding.why,
        also=also,
        since=since,
        is_fresh=is_fresh,
        is_known=is_fresh or declared.is_in_maintenance or is_definite_refusal(error),
        reading=latest,
        error=error,
        failures=0 if error is None else 1,
        hashrate_hs=hashrate_hs,
        losses=losses,
        uplift_hs=uplift_hs,
        power=unit_power(declared.nameplate, fresh, model=PowerModel()),
    )


def gone_silent(unit_id: str = "u1") -> UnitStatus:
    """Return the status of a unit that was read once and has not answered for too long."""
    return status(entry(unit_id), reading(unit_id), error=UnreachableError("no answer"), is_fresh=False)
