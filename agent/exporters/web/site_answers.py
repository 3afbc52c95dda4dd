"""JSON answers about the site, and the schema of all answers; units in the field names, times in ISO 8601 UTC.

Absent is null; zero is a measured zero. A figure that cannot be known yet is null as well. The first seconds of a run
then look neither like an outage nor like a good day.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from agent.exporters.json_schemas import schema_components
from agent.exporters.web.curtailment_answers import CurtailmentAnswer, CurtailmentsAnswer, curtailment_answer
from agent.exporters.web.discovery_answers import DiscoveryAnswer
from agent.exporters.web.history_api import HistoryAnswer
from agent.exporters.web.identity_answers import IdentityAnswer
from agent.exporters.web.repair_answers import RepairAnswer, RepairsAnswer
from agent.exporters.web.responses import ErrorAnswer
from agent.exporters.web.times import age_s, time_of
from agent.exporters.web.unit_answers import UnitAnswer, UnitsAnswer
from agent.exporters.web.unread_answers import UnreadAnswer
from agent.exporters.web.work_answers import PoolsAnswer
from agent.site.credited.account import AccountCredit
from agent.site.credited.verdict import Odd, Verdict
from agent.site.curtailment.events import Phase
from agent.site.energy import Energy
from agent.site.event_figures import EventFigures
from agent.site.pools.work import PoolClass
from agent.site.power import PowerSource
from agent.site.reasons import Reason
from agent.site.status import Cause, UnitState, UnitStatus
from agent.site.totals import Figures, SiteFigures
from agent.text.losses import LossLine, loss_lines
from agent.text.numbers import TARGET_RATIO

Role = Literal["primary", "standby", "active"]


class GroupAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The sums over one group of units at one moment.

    Attributes:
        units: Number of deployed units.
        operational_efficiency_ratio: Operating over deployed at this moment; do not average or add it. Null while units
            answer and none can be read.
        coverage_ratio: Share of the deployed nameplate whose state is known.
        watts_by_source: Power by source; each part comes from its most trusted source, and the parts add up.
        watts_units: Number of units with their own power figure.
        unit_watts, metered_watts: The sum of those figures, and the reading of this group's own meters.
        energy_efficiency_j_per_th: J/TH over the units with both power and hashrate.
        efficient_watts, efficient_hs, efficient_deployed_hs: Power, hashrate and nameplate of these units.
        curtailment_nameplate_hs, curtailment_target_hs: Nameplate of the units inside a curtailment event, and the
            hashrate that events leave them.
        curtailment_operating_hs: Hashrate measured of the units inside a curtailment event.
        stragglers: Number of units that hash more than the target of an event leaves them.
        unrestored: Number of units that an event curtailed and that do not hash again 15 minutes after its end.
        overdue_units, overdue_hs: Units that the agent did not ask in time, and their nameplate. They count as they
            were at their last poll, and are not covered.
        units_by_reason: Number of units by reason; only reasons that some unit has, without "hashing".
        diverted_units, diverted_hs: Units whose work goes to an address that is not the site's, and their measured
            hashrate: a part of operating, and of no loss. Null where ``[pools]`` names no destination.
    """

    units: int
    deployed_hs: float
    operating_hs: float
    uplift_hs: float
    known_hs: float
    losses_hs: dict[Cause, float]
    units_by_state: dict[UnitState, int]
    deployed_hs_by_state: dict[UnitState, float]
    operational_efficiency_ratio: float | None
    coverage_ratio: float | None
    watts_by_source: dict[PowerSource, float]
    watts_units: int
    unit_watts: float
    metered_watts: float | None
    efficient_watts: float
    efficient_hs: float
    efficient_deployed_hs: float
    energy_efficiency_j_per_th: float | None
    curtailment_nameplate_hs: float
    curtailment_target_hs: float
    curtailment_operating_hs: float
    stragglers: int
    unrestored: int
    overdue_units: int
    overdue_hs: float
    units_by_reason: dict[Reason, int]
    diverted_units: int | None
    diverted_hs: float | None


class LossPlaceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The units of one container that lose hashrate to one cause.

    Attributes:
        first_since, last_since: When the first and the last of them entered their state. Null if the cause is not a
            state, because its beginning is not recorded. A time not after `watched_from` means then or earlier.
    """

    container: str
    units: int
    first_since: datetime | None
    last_since: datetime | None


class LossLineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The loss to one cause.

    Attributes:
        deployed_share_ratio: Share of the deployed nameplate.
        units: Number of units with this loss.
        reasons: Number of units by reason; empty if the cause is not a state.
        places: These units by container, most units first.
        words: The loss as one sentence, with times in the site's zone.
    """

    cause: Cause
    hashrate_hs: float
    deployed_share_ratio: float
    units: int
    reasons: dict[Reason, int]
    places: list[LossPlaceAnswer]
    words: str


class ContainerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of one container."""

    container: str
    figures: GroupAnswer


class RackAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of one rack."""

    container: str
    rack: str
    figures: GroupAnswer


class ModelAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of one model."""

    model: str
    figures: GroupAnswer


class OwnerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of one owner's units, or of those without one, whose owner is ``(no owner)``."""

    owner: str
    figures: GroupAnswer


class FirmwareAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Units that run one firmware.

    Attributes:
        reader: Name of the reader that reads it.
        firmware: In its own words; empty if it does not say.
        units: Units whose reading counts.
    """

    reader: str
    firmware: str
    units: int


class CreditedWindowAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A pool's word over one window, beside the units'.

    Attributes:
        credited_hs: What the pool says it credits; null if it does not say, or if its word is too old.
        reported_hs: Mean of what units reported over the same time; null if too little of it was watched.
        delivered_hs: What units' own counters delivered, for all of deployed; null if they cover too little of it.
        difference_ratio: Credited over reported, less 1.
        watched_ratio: Share of the window that was watched here.
        odd: Which of the three does not fit the others.
        words: The verdict in words.
    """

    credited_hs: float | None
    reported_hs: float | None
    delivered_hs: float | None
    difference_ratio: float | None
    watched_ratio: float
    verdict: Verdict
    odd: Odd
    words: str


class PoolAccountAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One account at a pool; the account itself is not told.

    Attributes:
        name: From the configuration.
        pool: The pool's name.
        credited_at, credited_age_s: When the latest windows ended; null before the first reading.
        trouble: Why the latest reading failed; null if it did not.
        hour, day: The windows of 1 h and of 24 h.
    """

    name: str
    pool: str
    credited_at: datetime | None
    credited_age_s: float | None
    trouble: str | None
    hour: CreditedWindowAnswer
    day: CreditedWindowAnswer


class SiteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The site's figures.

    Attributes:
        is_ready: True if the figures are complete and up to date.
        not_ready_reason: Reason why they are not.
        role: The agent's part: ``primary``, ``standby`` while it stands by for one, ``active`` while it has taken over.
        late_reason: How many units the agent did not look at in time, and for how long; null if it looked at all.
        restored_units: Units shown as they were before the agent's last start, because it has not asked them since.
        poll_stretch_ratio: Time between two polls of a unit over the configured interval; 1 on time.
        units, deployed_hs: Sums of the ledger; present from the start.
        simulated_units: Number of simulated units.
        is_simulated_counted: True if all these figures include simulated units; else none does.
        curtailments: Declared events that are not over.
        zone: Time zone of the site, used in `words`.
        operational_efficiency_target_ratio: The trade's target, 0.9.
        is_above_target: True if the site is above it at this moment; null while that is not known.
        watched_from: When every unit had been polled once.
        losses: Losses by cause, largest first.
        figures_at, figures_age_s: When the figures were summed, and their age. They and all fields below are null
            before the first round of polls is complete.
        delivered_1h_hs, delivered_24h_hs: Hashrate that pools credited, over the units for which it is known.
        delivered_1h_coverage_ratio, delivered_24h_coverage_ratio: Nameplate share of these units.
        pool_accounts: What pools say that they credit, by account of the configuration.
        joules_by_source: Energy since the agent started; sources without any are absent.
        units_by_make: Units whose reading counts, by the make of their row; after the first 16 ``other``.
        units_by_reader: Units whose reading counts, by the reader that read them.
        firmwares: The same units by reader and firmware, in the order of their names; after the first 32 ``other``.
        operating_hs_by_window: Operating hashrate by the time over which its rates were averaged.
        owners: By the owner in the ledger; empty where it names none. They add up to the site.
        units_by_pool_class, hashrate_hs_by_pool_class: Units and measured hashrate by what the destination of their
            work is; null where ``[pools]`` names no destination. ``/api/v1/pools`` lists the destinations.
    """

    site: str
    version: str
    now: datetime
    is_ready: bool
    not_ready_reason: str | None
    role: Role
    late_reason: str | None
    restored_units: int
    poll_stretch_ratio: float
    units: int
    deployed_hs: float
    simulated_units: int
    is_simulated_counted: bool
    curtailments: list[CurtailmentAnswer]
    zone: str
    operational_efficiency_target_ratio: float
    is_above_target: bool | None
    watched_from: datetime | None
    losses: list[LossLineAnswer] | None
    figures_at: datetime | None
    figures_age_s: float | None
    delivered_1h_hs: float | None
    delivered_1h_coverage_ratio: float | None
    delivered_24h_hs: float | None
    delivered_24h_coverage_ratio: float | None
    pool_accounts: list[PoolAccountAnswer] | None
    joules_by_source: dict[PowerSource, float] | None
    units_by_make: dict[str, int] | None
    units_by_reader: dict[str, int] | None
    firmwares: list[FirmwareAnswer] | None
    operating_hs_by_window: dict[str, float] | None
    figures: GroupAnswer | None
    containers: list[ContainerAnswer] | None
    racks: list[RackAnswer] | None
    models: list[ModelAnswer] | None
    owners: list[OwnerAnswer] | None
    units_by_pool_class: dict[PoolClass, int] | None
    hashrate_hs_by_pool_class: dict[PoolClass, float] | None


ANSWERS: dict[str, type[msgspec.Struct]] = {
    "/api/v1/site": SiteAnswer,
    "/api/v1/units": UnitsAnswer,
    "/api/v1/units/{id}": UnitAnswer,
    "/api/v1/history": HistoryAnswer,
    "/api/v1/identity": IdentityAnswer,
    "/api/v1/discovery": DiscoveryAnswer,
    "/api/v1/unread": UnreadAnswer,
    "/api/v1/pools": PoolsAnswer,
    "/api/v1/curtailments": CurtailmentsAnswer,
    "/api/v1/repairs": RepairsAnswer,
    "/api/v1/repairs/{id}": RepairAnswer,
}


def schema() -> dict[str, object]:
    """Return the JSON Schema (2020-12) of the API: ``answers`` by path, and their definitions."""
    references, definitions = schema_components([*ANSWERS.values(), ErrorAnswer])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "answers": dict(zip((*ANSWERS, "error"), references, strict=True)),
        "$defs": definitions,
    }


def _group(sums: Figures) -> GroupAnswer:
    return msgspec.convert(sums, GroupAnswer, from_attributes=True)


def site_answer(
    site: str,
    version: str,
    figures: SiteFigures | None,
    statuses: Iterable[UnitStatus],
    *,
    unreadiness: str | None,
    lateness: str | None = None,
    stretch_ratio: float = 1.0,
    now: float,
    counts_simulated: bool = True,
    events: Iterable[EventFigures] = (),
    energy: Energy | None = None,
    zone: ZoneInfo,
    seen_from: float | None,
    role: Role = "primary",
) -> SiteAnswer:
    """Return the answer about the site; `figures` is None before the first complete round."""
    shown = list(statuses)
    counted = [status for status in shown if counts_simulated or not status.entry.is_simulated]
    ratio = figures.site.operational_efficiency_ratio if figures else None
    return SiteAnswer(
        site=site,
        version=version,
        now=time_of(now),
        is_ready=unreadiness is None,
        not_ready_reason=unreadiness,
        role=role,
        late_reason=lateness if figures else None,
        restored_units=sum(status.is_restored for status in counted),
        poll_stretch_ratio=round(stretch_ratio, 3),
        units=len(counted),
        deployed_hs=sum(status.entry.nameplate.hashrate_hs for status in counted),
        simulated_units=sum(status.entry.is_simulated for status in shown),
        is_simulated_counted=counts_simulated,
        curtailments=[curtailment_answer(event) for event in events if event.phase is not Phase.ENDED],
        zone=zone.key,
        operational_efficiency_target_ratio=TARGET_RATIO,
        is_above_target=None if ratio is None else ratio > TARGET_RATIO,
        watched_from=None if seen_from is None else time_of(seen_from),
        losses=[
            _loss_line(line, figures.site.deployed_hs)
            for line in loss_lines(figures.site, counted, now=now, zone=zone, seen_from=seen_from)
        ]
        if figures
        else None,
        figures_at=time_of(figures.at) if figures else None,
        figures_age_s=age_s(figures.at, now) if figures else None,
        delivered_1h_hs=figures.delivered_1h_hs if figures else None,
        delivered_1h_coverage_ratio=figures.delivered_1h_coverage_ratio if figures else None,
        delivered_24h_hs=figures.delivered_24h_hs if figures else None,
        delivered_24h_coverage_ratio=figures.delivered_24h_coverage_ratio if figures else None,
        pool_accounts=[_pool_account(account) for account in figures.credited] if figures else None,
        joules_by_source=energy.site if energy and figures else None,
        units_by_make=figures.mix.units_by_make if figures else None,
        units_by_reader=figures.mix.units_by_reader if figures else None,
        firmwares=[
            FirmwareAnswer(reader=reader, firmware=firmware, units=units)
            for (reader, firmware), units in figures.mix.units_by_firmware.items()
        ]
        if figures
        else None,
        operating_hs_by_window=figures.mix.operating_hs_by_window if figures else None,
        figures=_group(figures.site) if figures else None,
        containers=[
            ContainerAnswer(container=name, figures=_group(sums)) for name, sums in figures.by_container.items()
        ]
        if figures
        else None,
        racks=[
            RackAnswer(container=container, rack=rack, figures=_group(sums))
            for (container, rack), sums in figures.by_rack.items()
        ]
        if figures
        else None,
        models=[ModelAnswer(model=name, figures=_group(sums)) for name, sums in figures.by_model.items()]
        if figures
        else None,
        owners=[OwnerAnswer(owner=name, figures=_group(sums)) for name, sums in figures.by_owner.items()]
        if figures
        else None,
        units_by_pool_class=figures.pools.units_by_class if figures and figures.pools else None,
        hashrate_hs_by_pool_class=figures.pools.hs_by_class if figures and figures.pools else None,
    )


def _pool_account(account: AccountCredit) -> PoolAccountAnswer:
    hour, day = (msgspec.convert(window, CreditedWindowAnswer, from_attributes=True) for window in account.windows)
    return PoolAccountAnswer(
        name=account.name,
        pool=account.pool,
        credited_at=None if account.at is None else time_of(account.at),
        credited_age_s=account.age_s,
        trouble=account.trouble,
        hour=hour,
        day=day,
    )


def _loss_line(line: LossLine, deployed_hs: float) -> LossLineAnswer:
    return LossLineAnswer(
        cause=line.cause,
        hashrate_hs=line.hashrate_hs,
        deployed_share_ratio=line.hashrate_hs / deployed_hs,
        units=line.units,
        reasons=dict(line.reasons),
        places=[
            LossPlaceAnswer(
                container=place.container,
                units=place.units,
                first_since=None if place.first is None else time_of(place.first),
                last_since=None if place.last is None else time_of(place.last),
            )
            for place in line.places
        ],
        words=line.sentence,
    )
