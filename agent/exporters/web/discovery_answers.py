"""JSON answers about machines that are not in the ledger, and units that are not what it says."""

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from agent.hil.discovery.figures import DiscoveryFigures, Machine, MachineKind
from agent.site.status import UnitStatus
from agent.text.unit_notes import mismatch_text

MACHINES_LISTED = 1000


class MachineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A machine that answered the latest look and is no deployed unit at its own address.

    Attributes:
        address: Where it answered.
        kind: How it stands to the ledger.
        unit_id: The ledger's unit that it is, or that stood at its address.
        model, firmware, mac, serial: As it says.
        hashrate_hs: Its own rate, H/s. It counts in no figure.
        looks_like: What an unidentified machine speaks.
        seen_at: When it was identified.
    """

    address: str
    kind: MachineKind
    unit_id: str | None
    model: str | None
    firmware: str | None
    mac: str | None
    serial: str | None
    hashrate_hs: float | None
    looks_like: str | None
    seen_at: datetime


class MismatchedUnitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger unit that reports another model or bin than its row.

    Attributes:
        remark: The difference in words.
    """

    unit_id: str
    remark: str


class DiscoveryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The latest look at addresses that are not polled.

    Attributes:
        is_on: False if `discovery.networks` is empty.
        ranges: The ranges that are looked at.
        next_look_at: When the next look is due.
        looked_at: When the latest look ended; null before the first.
        is_restored: That look was made before this agent started.
        took_s: How long it took, s.
        addresses, refused, silent: Addresses looked at, and how many of them refused or did not answer.
        machines_by_kind: Number of machines of each kind; empty before the first look.
        machines: The first 1,000, by address.
        mismatched_units: Ledger units that report another model or bin, as of their latest polls; the first 1,000.
    """

    now: datetime
    is_on: bool
    ranges: tuple[str, ...]
    is_looking: bool
    next_look_at: datetime | None
    looked_at: datetime | None
    is_restored: bool
    took_s: float | None
    addresses: int | None
    refused: int | None
    silent: int | None
    machines_by_kind: dict[MachineKind, int]
    machines: list[MachineAnswer]
    mismatched_units: list[MismatchedUnitAnswer]


def discovery_answer(figures: DiscoveryFigures, statuses: Iterable[UnitStatus], now: float) -> DiscoveryAnswer:
    """Return the answer of `/api/v1/discovery`."""
    look = figures.look
    mismatched = sorted(
        (status.entry.unit_id, mismatch_text(status.entry, status.mismatch)) for status in statuses if status.mismatch
    )
    return DiscoveryAnswer(
        now=datetime.fromtimestamp(now, UTC),
        is_on=figures.is_on,
        ranges=figures.ranges,
        is_looking=figures.is_looking,
        next_look_at=None if figures.next_at is None else datetime.fromtimestamp(figures.next_at, UTC),
        looked_at=None if look is None else datetime.fromtimestamp(look.ended, UTC),
        is_restored=figures.is_restored,
        took_s=None if look is None else round(look.ended - look.began, 3),
        addresses=None if look is None else look.addresses,
        refused=None if look is None else look.refused,
        silent=None if look is None else look.silent,
        machines_by_kind=figures.by_kind(),
        machines=[_machine(machine) for machine in figures.machines[:MACHINES_LISTED]],
        mismatched_units=[
            MismatchedUnitAnswer(unit_id=unit_id, remark=remark) for unit_id, remark in mismatched[:MACHINES_LISTED]
        ],
    )


def _machine(machine: Machine) -> MachineAnswer:
    seen = machine.seen
    return MachineAnswer(
        address=str(seen.endpoint),
        kind=machine.kind,
        unit_id=machine.unit_id,
        model=seen.model,
        firmware=seen.firmware,
        mac=seen.mac,
        serial=seen.serial,
        hashrate_hs=seen.hashrate_hs,
        looks_like=seen.looks_like,
        seen_at=datetime.fromtimestamp(seen.at, UTC),
    )
