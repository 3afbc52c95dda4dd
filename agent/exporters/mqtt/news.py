"""What is worth telling: whether a unit changed enough, and what happened to a curtailment. Pure."""

from typing import Literal

from agent.exporters.mqtt.composer import moment
from agent.exporters.mqtt.messages import CurtailmentChanged
from agent.site.curtailment.events import Event, Phase
from agent.site.curtailment.orders import ScopeOrder
from agent.site.curtailment.windows import SCHEDULE
from agent.site.status import UnitStatus

DEADBAND_RATIO = 0.05
"""Of the nameplate. Two 5 s rates of a sound unit are apart by a quarter of that, and pass 2 % in every eighth poll; a
board that died is a third."""


def is_news(told: UnitStatus, status: UnitStatus) -> bool:
    """Say whether somebody who knows `told` would want to know `status`."""
    if told.state is not status.state or told.why != status.why or told.is_fresh != status.is_fresh:
        return True
    if told.entry is not status.entry and told.entry != status.entry:
        return True
    if told.hashrate_hs is None or status.hashrate_hs is None:
        return told.hashrate_hs is not status.hashrate_hs
    return abs(told.hashrate_hs - status.hashrate_hs) > DEADBAND_RATIO * status.entry.nameplate.hashrate_hs


def happened(
    before: Phase | None, now: Phase, event: Event
) -> list[Literal["declared", "started", "ended", "stopped"]]:
    """Give what happened to an event between two looks."""
    found: list[Literal["declared", "started", "ended", "stopped"]] = []
    if before is None and event.source != SCHEDULE:
        found.append("declared")
    if now is Phase.ACTIVE and before is not Phase.ACTIVE:
        found.append("started")
    is_over = now in {Phase.RESTORING, Phase.ENDED}
    if is_over and before in {Phase.ACTIVE, Phase.PENDING}:
        found.append("stopped" if event.is_stopped else "ended")
    return found


def curtailment_changed(what: Literal["declared", "started", "ended", "stopped"], event: Event) -> CurtailmentChanged:
    """Give it as it is told."""
    return CurtailmentChanged(
        what=what,
        id=event.id,
        target_ratio=event.target_ratio,
        scope=ScopeOrder(**event.scope.told()),
        source=event.source,
        start=moment(event.start),
        end=None if event.end is None else moment(event.end),
    )
