"""The parts of one running agent, for the few places that need many of them."""

from dataclasses import dataclass

from agent.alertmanager.asking import Alertmanager
from agent.meters.meters import Meters
from agent.runtime.counting import Counting
from agent.runtime.credited import Credited
from agent.runtime.discovery import Discovery
from agent.runtime.fan_out import FanOut
from agent.runtime.polling import Polling
from agent.runtime.repairs import Repairs
from agent.runtime.rounds import Rounds
from agent.site.curtailment.book import CurtailmentBook
from agent.site.identity.watch import IdentityWatch
from agent.site.tracker import Tracker
from agent.unit.coolant import SensorLayouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of one agent.

    Attributes:
        tracker: Every unit's status.
        identity: Where units are.
        discovery: What answers at addresses that are not polled.
        counting: Which units count.
        polling: The client and the poller.
        rounds: Each interval's figures.
        repairs: The walk list.
        meters: Meters read over HTTP or from files.
        credited: What pools credit.
        book: Declared curtailments.
        fan_out: Every exporter.
        layouts: The sensor layouts by which units are read; the same object for all setups.
    """

    tracker: Tracker
    identity: IdentityWatch
    discovery: Discovery
    counting: Counting
    polling: Polling
    rounds: Rounds
    repairs: Repairs
    meters: Meters
    credited: Credited
    alertmanager: Alertmanager
    book: CurtailmentBook
    fan_out: FanOut
    layouts: SensorLayouts
