"""What is published and taken in over MQTT, as types. The JSON Schema files in `schemas/` are made from them.

Keys are field names with their units: H/s, W, J, seconds, ratios from 0 to 1; times are ISO 8601 in UTC. Absent is
null, zero is a measured zero. A new field is no new version; one that goes, or means something else, is.

Everything the agent publishes carries an envelope. `boot_id` and `seq` together name a message: one that arrives twice
has the same. `seq` grows over all topics of one run of the agent; `previous_seq` is the message before on the same
topic, so that a consumer of `figures`, `units` or `events` sees whether anything is missing in between.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from agent.site.curtailment.orders import ScopeOrder, StartOrder
from agent.site.power import PowerSource
from agent.site.status import Cause, UnitState

UNITS_A_MESSAGE = 100


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What every published message has.

    Attributes:
        site: The site's name.
        boot_id: This run of the agent.
        seq: The message's number in this run, from 1.
        time: When what it says was true.
    """

    site: str
    boot_id: str
    seq: int
    time: datetime


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a shortfall."""

    cause: Cause
    hashrate_hs: float


class GroupFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The sums over one group of units at one moment; deployed - sum of losses + uplift = operating.

    Attributes:
        known_hs: Nameplate of the units whose state is known.
        watts_by_source: Power by whose word it is.
        watts_units: Of how many units power is known.
        metered_watts: What meters of the whole group say.
        efficient_watts, efficient_hs: Power and hashrate of the units of which both are known; their quotient is J/TH.
        curtailment_nameplate_hs, curtailment_target_hs: Nameplate under a curtailment in force, and what it leaves.
        stragglers: Units that hash inside an event that leaves them nothing.
        unrestored: Units that did not come back after an event.
        operational_efficiency_ratio: Operating over deployed at this moment; not to be averaged or added up.
        coverage_ratio: Known over deployed.
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
    stragglers: int
    unrestored: int
    operational_efficiency_ratio: float | None
    coverage_ratio: float | None


class FiguresMessage(Envelope, frozen=True, kw_only=True):
    """The site's sums, every interval.

    Attributes:
        interval_s: When to expect the next.
        delivered_1h_hs, delivered_24h_hs: What pools credited, over the units of which that is known.
        delivered_1h_deployed_hs, delivered_24h_deployed_hs: Nameplate of these units.
    """

    schema: Literal["hashsight.figures.v1"] = "hashsight.figures.v1"
    previous_seq: int | None
    interval_s: float
    simulated_units: int
    figures: GroupFigures
    delivered_1h_hs: float | None
    delivered_1h_deployed_hs: float
    delivered_24h_hs: float | None
    delivered_24h_deployed_hs: float


class ContainerMessage(Envelope, frozen=True, kw_only=True):
    """A container's sums."""

    schema: Literal["hashsight.container.v1"] = "hashsight.container.v1"
    container: str
    figures: GroupFigures


class UnitFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one unit.

    Attributes:
        state, why, since: Our judgement.
        is_fresh: Whether its latest reading may still be believed.
        last_reading_at: When it last told anything.
        hashrate_hs: Measured over 5 s, in a fresh reading.
        losses: Its shortfall by cause.
        uplift_hs: What it delivers above its nameplate.
        power_watts, power_source: What it draws, and by whose word.
        hottest_chip_celsius, hottest_pcb_celsius: Of a fresh reading.
        error_reason: Why the latest poll failed.
    """

    unit_id: str
    container: str
    rack: str
    slot: str
    model: str
    is_simulated: bool
    state: UnitState
    why: str
    since: datetime
    is_fresh: bool
    last_reading_at: datetime | None
    nameplate_hs: float
    hashrate_hs: float | None
    uplift_hs: float
    losses: list[Loss]
    power_watts: float | None
    power_source: PowerSource | None
    hottest_chip_celsius: float | None
    hottest_pcb_celsius: float | None
    uptime_s: float | None
    error_reason: str | None


class UnitMessage(Envelope, frozen=True, kw_only=True):
    """One unit's status."""

    schema: Literal["hashsight.unit.v1"] = "hashsight.unit.v1"
    unit: UnitFacts


class UnitsMessage(Envelope, frozen=True, kw_only=True):
    """Statuses of several units, at most `UNITS_A_MESSAGE`."""

    schema: Literal["hashsight.units.v1"] = "hashsight.units.v1"
    previous_seq: int | None
    units: Annotated[list[UnitFacts], msgspec.Meta(max_length=UNITS_A_MESSAGE)]


class UnitChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="unit_changed"):
    """A unit entered another state."""

    unit_id: str
    container: str
    before: UnitState
    state: UnitState
    why: str


class CurtailmentChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="curtailment_changed"):
    """A curtailment was declared, began, ended, or was stopped.

    Attributes:
        what: What happened.
        target_ratio: What is left to hash, as a share of the nameplate.
        scope: Whom it covers; nothing told is the whole site.
        end: Null until somebody stops it.
    """

    what: Literal["declared", "started", "ended", "stopped"]
    id: str
    target_ratio: float
    scope: ScopeOrder
    source: str
    start: datetime
    end: datetime | None


Subject = Literal["outbox", "outbox_full", "gateway", "meter", "broker", "history", "curtailments", "configuration"]


class AgentHealth(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="agent_health"):
    """Something of the agent itself is not as it should be, or is again.

    Attributes:
        subject: What it is about, from a closed list.
        is_well: Whether it is as it should be.
        detail: In words.
    """

    subject: Subject
    is_well: bool
    detail: str


class EventMessage(Envelope, frozen=True, kw_only=True):
    """Something that happened."""

    schema: Literal["hashsight.event.v1"] = "hashsight.event.v1"
    previous_seq: int | None
    event: UnitChanged | CurtailmentChanged | AgentHealth


class AgentMessage(Envelope, frozen=True, kw_only=True):
    """Whether the agent is there. The will, which says ``offline``, was written when its connection began.

    Attributes:
        state: ``offline`` is said by the broker when the agent is gone without a word, ``stopped`` by the agent.
        started_at: When this run began.
    """

    schema: Literal["hashsight.agent.v1"] = "hashsight.agent.v1"
    state: Literal["online", "offline", "stopped"]
    version: str
    started_at: datetime


class CanaryMessage(Envelope, frozen=True, kw_only=True):
    """Published to be received back: a broker acknowledges, without a word, what its access list lets nobody see."""

    schema: Literal["hashsight.canary.v1"] = "hashsight.canary.v1"
    nonce: str


class ErrorMessage(Envelope, frozen=True, kw_only=True):
    """Why something that was taken in changed nothing.

    Attributes:
        topic: Where it came from.
        reason: From a closed list.
        detail: In words.
        excerpt: How it began, in printable characters.
    """

    schema: Literal["hashsight.error.v1"] = "hashsight.error.v1"
    topic: str
    reason: Literal["malformed", "unknown", "conflict", "full", "not_kept", "refused", "stale"]
    detail: str
    excerpt: str


class StopOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order to end a curtailment now: `stop` is the id under which it was started."""

    stop: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]


class MeterReading(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a meter says: either watts, or joules as a counter that only grows.

    Attributes:
        time: When it was read, with its offset.
        name: Which of several meters of the same thing this is; their watts add up.
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
}
TAKEN_IN: dict[str, type[msgspec.Struct]] = {
    "curtailment-start": StartOrder,
    "curtailment-stop": StopOrder,
    "meter": MeterReading,
}


def schemas() -> dict[str, bytes]:
    """Give every JSON Schema (2020-12) file by its name."""
    files = {}
    for name, kind in {**PUBLISHED, **TAKEN_IN}.items():
        (reference,), definitions = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **reference, "$defs": definitions}
        text = msgspec.json.format(msgspec.json.encode(schema, order="deterministic"), indent=1)
        files[f"mqtt-{name}.json"] = text + b"\n"
    return files
