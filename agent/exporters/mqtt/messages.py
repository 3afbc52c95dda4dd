"""Published and received MQTT messages as types. The JSON Schema files in `schemas/` are generated from them.

Keys are field names with their units: H/s, W, J, seconds, ratios from 0 to 1; times are ISO 8601 in UTC. Absent is
null, zero is a measured zero. A new field does not change the version; a removed field or a new meaning does.

Everything the agent publishes has an envelope. `boot_id` and `seq` together identify a message: a duplicate has the
same. `seq` grows over all topics of one run of the agent. `previous_seq` is the number of the message before on the
same topic, so that a consumer of `figures`, `units` or `events` detects missing messages.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from agent.exporters.json_schemas import schema_components
from agent.exporters.mqtt.changes import Change
from agent.site.credited.verdict import Verdict
from agent.site.curtailment.orders import StartOrder
from agent.site.pools.work import PoolClass
from agent.site.power import PowerGap, PowerSource
from agent.site.reasons import Reason
from agent.site.status import Cause, UnitState

UNITS_A_MESSAGE = 100


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """Fields of every published message.

    Attributes:
        site: The site's name.
        boot_id: Identifies this run of the agent.
        seq: The message's number in this run, from 1.
        time: The moment that the content describes.
    """

    site: str
    boot_id: str
    seq: int
    time: datetime


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a shortfall that has one cause."""

    cause: Cause
    hashrate_hs: float


class GroupFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The sums over one group of units at one moment; deployed - sum of losses + uplift = operating.

    Attributes:
        known_hs: Nameplate of the units whose state is known.
        watts_by_source: Power by source of the figure.
        watts_units: Number of units whose power is known.
        metered_watts: Power by meters of the whole group.
        efficient_watts, efficient_hs: Power and hashrate of the units with both known; J/TH is their quotient.
        curtailment_nameplate_hs, curtailment_target_hs: Nameplate under a curtailment in force, and its target.
        curtailment_operating_hs: Hashrate measured of the units under a curtailment.
        stragglers: Units that hash more than a curtailment's target leaves them.
        unrestored: Units that did not come back after a curtailment.
        overdue_units, overdue_hs: Units that the agent did not ask in time, and their nameplate.
        units_by_reason: Units by reason; only reasons that some unit has, without "hashing".
        operational_efficiency_ratio: Operating over deployed at this moment; not to be averaged or added up. Null
            while units answer and none can be read.
        coverage_ratio: Known over deployed.
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
    watts_by_source: dict[PowerSource, float]
    watts_units: int
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
    operational_efficiency_ratio: float | None
    coverage_ratio: float | None
    diverted_units: int | None
    diverted_hs: float | None


class PoolSums(msgspec.Struct, frozen=True, kw_only=True):
    """Units, and their measured hashrate, by where their work goes; never an address or an account.

    Attributes:
        units_by_class, hs_by_class: By what the destination is to the site; every class has a key.
        units_by_entry, hs_by_entry: By the name in ``[pools]`` that the destination has.
    """

    units_by_class: dict[PoolClass, int]
    hs_by_class: dict[PoolClass, float]
    units_by_entry: dict[str, int]
    hs_by_entry: dict[str, float]


class CreditedFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A pool's word on what it credits to one configured account.

    Attributes:
        name: The account's name in the configuration.
        credited_1h_hs, credited_24h_hs: The pool's word; null if it does not say, or if its word is too old.
        reported_1h_hs, reported_24h_hs: Mean of what its units reported over the same time; null if too little of it
            was watched.
        verdict_24h: What that comes to over 24 h.
    """

    name: str
    credited_1h_hs: float | None
    reported_1h_hs: float | None
    credited_24h_hs: float | None
    reported_24h_hs: float | None
    verdict_24h: Verdict


class FiguresMessage(Envelope, frozen=True, kw_only=True):
    """The site's sums, every interval.

    Attributes:
        interval_s: Time until the next message.
        joules_by_source: Energy of the site since the agent started, by source of the power; a counter that begins at
            zero with each run, see `boot_id`.
        delivered_1h_hs, delivered_24h_hs: Hashrate credited by pools, over the units for which it is known.
        delivered_1h_deployed_hs, delivered_24h_deployed_hs: Nameplate of these units.
        pool_accounts: What pools say that they credit, by account; empty where none is configured.
        pools: Where the work goes; null where ``[pools]`` names no destination.
    """

    schema: Literal["hashsight.figures.v1"] = "hashsight.figures.v1"
    previous_seq: int | None
    interval_s: float
    simulated_units: int
    figures: GroupFigures
    joules_by_source: dict[PowerSource, float]
    delivered_1h_hs: float | None
    delivered_1h_deployed_hs: float
    delivered_24h_hs: float | None
    delivered_24h_deployed_hs: float
    pool_accounts: list[CreditedFigures]
    pools: PoolSums | None


class ContainerMessage(Envelope, frozen=True, kw_only=True):
    """A container's sums.

    Attributes:
        interval_s: Time until the next message.
        joules_by_source: Energy since the agent started, as in `FiguresMessage`.
    """

    schema: Literal["hashsight.container.v1"] = "hashsight.container.v1"
    container: str
    interval_s: float
    figures: GroupFigures
    joules_by_source: dict[PowerSource, float]


class UnitFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The status of one unit.

    Attributes:
        state, since: The agent's judgement.
        reason, why: The reason for it, from a closed list, and in words with numbers.
        is_fresh: True if the latest reading is recent enough to count.
        is_overdue: True if the agent did not ask the unit in time: state, rate and losses are those of its last poll.
        last_reading_at: Time of the latest reading.
        hashrate_hs: Measured over 5 s, in a fresh reading or an overdue unit's last one.
        losses: Its shortfall by cause.
        uplift_hs: Hashrate above the nameplate.
        power_watts, power_source: Power drawn, and the source of the figure.
        power_missing_reason: Why there is no such figure; null if there is one.
        hottest_chip_celsius, hottest_pcb_celsius: From a fresh reading; no chip temperature that firmware computes.
        error_reason: Why the latest poll failed.
        pool_class: What the destination of its work is to the site; null where ``[pools]`` names none.
    """

    unit_id: str
    container: str
    rack: str
    slot: str
    model: str
    is_simulated: bool
    state: UnitState
    reason: Reason
    why: str
    since: datetime
    is_fresh: bool
    is_overdue: bool
    last_reading_at: datetime | None
    nameplate_hs: float
    hashrate_hs: float | None
    uplift_hs: float
    losses: list[Loss]
    power_watts: float | None
    power_source: PowerSource | None
    power_missing_reason: PowerGap | None
    hottest_chip_celsius: float | None
    hottest_pcb_celsius: float | None
    uptime_s: float | None
    error_reason: str | None
    pool_class: PoolClass | None


class UnitMessage(Envelope, frozen=True, kw_only=True):
    """One unit's status."""

    schema: Literal["hashsight.unit.v1"] = "hashsight.unit.v1"
    unit: UnitFacts


class UnitsMessage(Envelope, frozen=True, kw_only=True):
    """Statuses of several units, at most `UNITS_A_MESSAGE`."""

    schema: Literal["hashsight.units.v1"] = "hashsight.units.v1"
    previous_seq: int | None
    units: Annotated[list[UnitFacts], msgspec.Meta(max_length=UNITS_A_MESSAGE)]


class EventMessage(Envelope, frozen=True, kw_only=True):
    """A change of a unit, a curtailment or the agent itself."""

    schema: Literal["hashsight.event.v1"] = "hashsight.event.v1"
    previous_seq: int | None
    event: Change


class AgentMessage(Envelope, frozen=True, kw_only=True):
    """The agent's own state. The time in an ``offline`` message, the will, is that at which its connection began.

    Attributes:
        state: The broker publishes ``offline`` when the connection breaks; the agent publishes ``stopped`` as it ends.
        started_at: Start of this run.
    """

    schema: Literal["hashsight.agent.v1"] = "hashsight.agent.v1"
    state: Literal["online", "offline", "stopped"]
    version: str
    started_at: datetime


class CanaryMessage(Envelope, frozen=True, kw_only=True):
    """A message that must come back to the agent: a broker acknowledges even messages that its access list hides."""

    schema: Literal["hashsight.canary.v1"] = "hashsight.canary.v1"
    nonce: str


class HeadFields(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that are signed: a head of the history's chain (docs/history-chain.md).

    Attributes:
        format: Version of these fields.
        chain: Name of the chain.
        key: Id of the key that signs.
        seq: Number of the last link.
        hash: Its hash.
        at: Unix time, s.
        day: The site's calendar day then.
        kind: The occasion.
    """

    format: int
    chain: str
    site: str
    zone: str
    key: str
    seq: int
    hash: str
    at: int
    day: str
    kind: Literal["start", "hour", "day", "stop", "latest"]
    version: str


class HeadMessage(Envelope, frozen=True, kw_only=True):
    """The latest head of the history's chain; `hashsight history verify --head` takes the message as it is.

    Attributes:
        signature: Ed25519's of the head's canonical JSON, in Base64; null while the agent has no key.
    """

    schema: Literal["hashsight.head.v1"] = "hashsight.head.v1"
    head: HeadFields
    signature: str | None


class ErrorMessage(Envelope, frozen=True, kw_only=True):
    """The answer to a received message that was refused and changed nothing.

    Attributes:
        topic: The topic on which it came.
        reason: From a closed list.
        detail: The reason in words.
        excerpt: Its beginning, in printable characters.
    """

    schema: Literal["hashsight.error.v1"] = "hashsight.error.v1"
    topic: str
    reason: Literal["malformed", "unknown", "conflict", "full", "not_kept", "refused", "stale", "failed"]
    detail: str
    excerpt: str


class StopOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order to end a curtailment now: `stop` is the id under which it was started."""

    stop: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]


class MeterReading(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A meter's reading: either watts, or joules as a counter that only grows.

    Attributes:
        time: Time of the reading, with its offset.
        name: Distinguishes several meters of the same thing; their watts add up.
    """

    time: Annotated[datetime, msgspec.Meta(tz=True)]
    watts: Annotated[float, msgspec.Meta(ge=0, le=1e10)] | None = None
    joules: Annotated[float, msgspec.Meta(ge=0, le=1e18)] | None = None
    name: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9._-]{1,64}\Z")] = "mqtt"


PUBLISHED: dict[str, type[Envelope]] = {
    "figures": FiguresMessage,
    "container": ContainerMessage,
    "unit": UnitMessage,
    "units": UnitsMessage,
    "event": EventMessage,
    "agent": AgentMessage,
    "canary": CanaryMessage,
    "error": ErrorMessage,
    "head": HeadMessage,
}
TAKEN_IN: dict[str, type[msgspec.Struct]] = {
    "curtailment-start": StartOrder,
    "curtailment-stop": StopOrder,
    "meter": MeterReading,
}


def schemas() -> dict[str, bytes]:
    """Return every JSON Schema (2020-12) file by its name."""
    files = {}
    for name, kind in {**PUBLISHED, **TAKEN_IN}.items():
        (reference,), definitions = schema_components([kind])
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **reference, "$defs": definitions}
        text = msgspec.json.format(msgspec.json.encode(schema, order="deterministic"), indent=1)
        files[f"mqtt-{name}.json"] = text + b"\n"
    return files
