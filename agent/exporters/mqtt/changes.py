"""Changes that are published as events: of a unit, of where its work goes, of a curtailment, of the agent itself."""

from datetime import datetime
from typing import Literal

import msgspec

from agent.site.curtailment.orders import ScopeOrder
from agent.site.pools.work import PoolClass
from agent.site.reasons import Reason
from agent.site.status import UnitState


class UnitChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="unit_changed"):
    """A unit entered another state."""

    unit_id: str
    container: str
    before: UnitState
    state: UnitState
    reason: Reason
    why: str


class WorkChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="work_changed"):
    """A unit's work is diverted from now on, or is no longer; never with an address or an account.

    Attributes:
        is_diverted: True if it goes to an address that is not the site's.
        pool_class: What its destination is now.
        pool: The name of that destination in ``[pools]``; null for none.
        hashrate_hs: The unit's measured hashrate; null if it is not known.
    """

    unit_id: str
    container: str
    is_diverted: bool
    pool_class: PoolClass
    pool: str | None
    hashrate_hs: float | None


class CurtailmentChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="curtailment_changed"):
    """A curtailment was declared, began, ended, or was stopped.

    Attributes:
        what: The change.
        target_ratio: Hashrate that is left, as a share of the nameplate.
        scope: The units it covers; the whole site if no name is given.
        end: Null if it lasts until it is stopped.
    """

    what: Literal["declared", "started", "ended", "stopped"]
    id: str
    target_ratio: float
    scope: ScopeOrder
    source: str
    start: datetime
    end: datetime | None


Subject = Literal[
    "outbox",
    "outbox_full",
    "gateway",
    "meter",
    "broker",
    "history",
    "chain",
    "curtailments",
    "configuration",
    "polling",
]


class AgentHealth(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="agent_health"):
    """A part of the agent itself failed or recovered.

    Attributes:
        subject: The part, from a closed list.
        is_well: True if it works as it should.
        detail: Description in words.
    """

    subject: Subject
    is_well: bool
    detail: str


Change = UnitChanged | WorkChanged | CurtailmentChanged | AgentHealth
