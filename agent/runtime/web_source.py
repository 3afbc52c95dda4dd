"""The content of the web server, taken from the running parts of the agent."""

import time
from collections.abc import Callable, Mapping
from typing import Literal

from agent import __version__
from agent.exporters.web.curtailment_api import CurtailmentApi
from agent.exporters.web.door.callers import user_of
from agent.exporters.web.history_api import HistoryAnswer, HistoryQuery, answer_history
from agent.exporters.web.repair_api import RepairApi
from agent.exporters.web.source import Source
from agent.history.reader import read_history
from agent.history.state_changes import Change
from agent.runtime.door import new_door
from agent.runtime.in_force import InForce
from agent.runtime.parts import Parts
from agent.runtime.setup import Setup
from agent.runtime.standby import Standby
from agent.runtime.trends import TrendReader
from agent.site.totals import SiteFigures
from agent.text.lateness import lateness_text

# A page waits so long for a unit's past, and shows so much of it.
CHANGES_READ_S = 2.0
CHANGES_SHOWN = 50


def web_source(setup: Callable[[], Setup], parts: Parts, in_force: InForce, standby: Standby | None = None) -> Source:
    """Return the source of every page and answer.

    Args:
        setup: Returns the setup in force.
        parts: The running parts of the agent.
        in_force: Reads the files again.
        standby: The agent's part as a standby; None if it is none.
    """
    rounds, tracker, identity = parts.rounds, parts.tracker, parts.identity
    counting, fan_out = parts.counting, parts.fan_out

    def history(query: HistoryQuery, is_wanted: Callable[[], bool]) -> HistoryAnswer:
        config = setup().config
        return answer_history(config.history.path(setup().path), config.title, query, is_wanted)

    def unit_changes(unit_id: str, start: float) -> list[Change]:
        reader = read_history(setup().config.history.path(setup().path))
        try:
            reader.interrupt_after(CHANGES_READ_S)
            return reader.latest_changes(unit_id, start, CHANGES_SHOWN)
        finally:
            reader.close()

    async def scrape(
        accept: str = "", accept_encoding: str = "", *, scope: Literal["all", "site"] = "all"
    ) -> tuple[bytes, Mapping[str, str]]:
        rounds.look_for_standstill()
        return await fan_out.metrics.scrape(accept, accept_encoding, scope=scope)

    def figures() -> SiteFigures | None:
        rounds.look_for_standstill()
        return rounds.figures if rounds.is_whole else None

    async def reload() -> str | None:
        return "\n".join(map(str, await in_force.reload())) or None

    config = setup().config
    curtailments = CurtailmentApi(
        config.site.name,
        parts.book,
        units=lambda: counting.counted(tracker.statuses()),
        wall=time.time,
        clock=time.monotonic,
        passive=lambda: None if standby is None else standby.refusal(),
    )
    trends = TrendReader(lambda: setup().config.history.path(setup().path), lambda: setup().config.site.zone)
    return Source(
        name=config.title,
        version=__version__,
        scrape=scrape,
        site=figures,
        units=tracker.statuses,
        unit=tracker.status,
        unreadiness=lambda: rounds.unreadiness,
        lateness=lambda: lateness_text(rounds.lateness),
        stretch_ratio=lambda: parts.polling.poller.stretch_ratio,
        illness=lambda: parts.polling.illness,
        wall=time.time,
        refused=fan_out.metrics.own.http_refused,
        hosts=lambda: setup().config.web.hosts,
        identity=identity.figures,
        discovery=parts.discovery.figures,
        unread=fan_out.unread.figures,
        whereabouts=identity.whereabouts,
        counts_simulated=lambda: counting.counts_simulated,
        history=history if config.history.keep else None,
        unit_changes=unit_changes if config.history.keep else None,
        trends=trends.read if config.history.keep else None,
        recent=lambda unit_id: fan_out.recent.slots(unit_id, time.time()),
        web_port=lambda: setup().config.identity.web_port,
        history_trouble=lambda: fan_out.history_trouble,
        energy=lambda: rounds.energy.energy,
        delivered_hs=rounds.delivered_hs,
        zone=lambda: setup().config.site.zone,
        seen_from=lambda: rounds.whole_at,
        ledger_digest=lambda: setup().ledger.digest,
        role=lambda: "primary" if standby is None else "active" if standby.lease.is_active else "standby",
        standby=lambda: None if standby is None else standby.words,
        door=new_door(setup, fan_out.metrics),
        firing=parts.alertmanager.firing,
        reload=reload,
        curtailments=curtailments,
        repairs=RepairApi(
            config.site.name,
            # What a standby listed while it was active is of then.
            entries=lambda: parts.repairs.entries() if rounds.standing_by is None else [],
            unlisted=lambda: parts.repairs.unlisted,
            annotate=parts.repairs.annotate,
            unit=tracker.status,
            refusal=curtailments.change_refusal,
            caller=user_of,
            wall=time.time,
            zone=lambda: setup().config.site.zone,
        ),
    )
