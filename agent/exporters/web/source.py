"""The data that the server shows: one callable for each of its kinds, filled by the running agent."""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from aiohttp import web

from agent.exporters.http_refusals import new_counts
from agent.exporters.web.curtailment_api import CurtailmentApi
from agent.exporters.web.door.door import Door
from agent.exporters.web.history_api import HistoryAnswer, HistoryQuery
from agent.exporters.web.repair_api import RepairApi
from agent.exporters.web.site_answers import Role
from agent.hil.discovery.figures import DiscoveryFigures
from agent.history.state_changes import Change
from agent.history.trend import Trends
from agent.site.energy import Energy
from agent.site.firing import Firing
from agent.site.identity.figures import IdentityFigures
from agent.site.identity.whereabouts import Whereabouts
from agent.site.recent.day import Slot
from agent.site.status import UnitStatus
from agent.site.totals import SiteFigures
from agent.site.unread import UnreadFigures


class Scrape(Protocol):
    """Returns an exposition and its headers."""

    def __call__(
        self, accept: str = "", accept_encoding: str = "", *, scope: Literal["all", "site"] = "all"
    ) -> Awaitable[tuple[bytes, Mapping[str, str]]]:
        """Answer one scrape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The data that the server shows.

    Attributes:
        name: Name of the site.
        version: Version of the agent.
        scrape: Returns the exposition for Prometheus.
        site: Returns the latest figures; None until every unit was polled once.
        units: Returns the status of every unit deployed now.
        unit: Returns the status of one unit by id; None if it is not deployed.
        unreadiness: Returns why the figures are incomplete or out of date; None if they are neither.
        illness: Returns why this process should be restarted; None if it is healthy.
        lateness: Returns how many units were not looked at in time, in words; None if all were.
        stretch_ratio: Returns achieved over configured interval of the polls.
        wall: Returns Unix time, s.
        refused: Counts of the clients turned away, by reason (`HttpRefusal`).
        hosts: Returns the names under which the server answers, besides IP addresses and the names of this machine.
        counts_simulated: Returns True if the figures include simulated units.
        history: Reads history, called in a thread with a function that returns False once the answer is no longer
            wanted; None if no history is kept.
        history_trouble: Returns why history is not being written; None while it is, or if none is kept.
        identity: Returns the units that are not at their ledger address.
        discovery: Returns what was found at addresses that are not polled.
        unread: Returns the fields of units' replies that no reader uses.
        whereabouts: Returns where one unit is; None if identities are not checked.
        curtailments: The API for curtailments; None leaves out its routes.
        repairs: The API for the walk list; None leaves out its routes and its page.
        energy: Returns the energy counters.
        delivered_hs: Returns the hashrate that pools credited to a unit over an hour and over a day, H/s.
        zone: Returns the site's time zone.
        seen_from: Returns the Unix time since which every unit has been watched, s; None before that.
        ledger_digest: Returns the digest of the ledger in force.
        role: Returns the agent's part among two: the first, a standby, or a standby that took over.
        standby: Returns that in words; None for the first, and for an agent alone.
        recent: Returns a unit's last 24 hours in slots, oldest first; empty if nothing is known of it.
        unit_changes: Reads a unit's states since a Unix time from history, latest first; called in a thread. None if no
            history is kept.
        trends: Reads the site's trends up to a Unix time from history; called in a thread. None if no history is kept.
        web_port: Returns the port of the units' own web pages.
        door: TLS, users, tokens and roles.
        firing: Returns the alerts that fire, as Alertmanager said; None if none is configured.
        reload: Reads the agent's files again; returns why they were refused, or None. None if nothing can be reloaded.
    """

    name: str
    version: str
    scrape: Scrape
    site: Callable[[], SiteFigures | None]
    units: Callable[[], Iterable[UnitStatus]]
    unit: Callable[[str], UnitStatus | None]
    unreadiness: Callable[[], str | None]
    illness: Callable[[], str | None]
    wall: Callable[[], float]
    refused: Counter[str] = field(default_factory=new_counts)
    hosts: Callable[[], Collection[str]] = tuple
    lateness: Callable[[], str | None] = lambda: None
    stretch_ratio: Callable[[], float] = lambda: 1.0
    counts_simulated: Callable[[], bool] = lambda: True
    history: Callable[[HistoryQuery, Callable[[], bool]], HistoryAnswer] | None = None
    history_trouble: Callable[[], str | None] = lambda: None
    identity: Callable[[], IdentityFigures] = IdentityFigures
    discovery: Callable[[], DiscoveryFigures] = DiscoveryFigures
    unread: Callable[[], UnreadFigures] = UnreadFigures
    whereabouts: Callable[[str], Whereabouts | None] = lambda _: None
    curtailments: CurtailmentApi | None = None
    repairs: RepairApi | None = None
    energy: Callable[[], Energy | None] = lambda: None
    delivered_hs: Callable[[str], tuple[float | None, float | None]] = lambda _: (None, None)
    zone: Callable[[], ZoneInfo] = lambda: ZoneInfo("UTC")
    seen_from: Callable[[], float | None] = lambda: None
    ledger_digest: Callable[[], str] = str
    role: Callable[[], Role] = lambda: "primary"
    standby: Callable[[], str | None] = lambda: None
    recent: Callable[[str], Sequence[Slot]] = lambda _: ()
    unit_changes: Callable[[str, float], Sequence[Change]] | None = None
    trends: Callable[[float], Trends] | None = None
    web_port: Callable[[], int] = lambda: 80
    door: Door = field(default_factory=Door)
    firing: Callable[[], Firing | None] = lambda: None
    reload: Callable[[], Awaitable[str | None]] | None = None


SOURCE: web.AppKey[Source] = web.AppKey("source", Source)
