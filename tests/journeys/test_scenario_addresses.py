"""The `dhcp-shuffle` scenario, polled by address: after identity checks each unit keeps its own hashrate.

The simulator decides which unit answers at an address; the ledger has the addresses from before the shuffle. The other
scenarios, in which no unit moves, are in `test_scenarios.py`.
"""

import io
from zoneinfo import ZoneInfo

import msgspec
import pytest
from polled_farm import CATALOGUE, Polled

from agent.address import Endpoint
from agent.config.sections import DEFAULT_NETWORKS
from agent.errors import OtherUnitError
from agent.site.identity.book import IdentityBook
from agent.site.identity.whereabouts import Move, Standing
from agent.site.ledger.reader import read_ledger
from agent.site.totals import site_figures
from agent.site.tracker import Tracker
from agent.unit.antminer.webpage import SYSTEM_INFO, read_system_info
from agent.unit.reading import Poll
from simulators.farm.truth import farm_truth
from simulators.firmware.pages.stock_pages import PAGES, Visit, is_web_up
from simulators.scenario.player import build_farm, play
from simulators.scenario.scenario import find_scenario
from simulators.unit.unit import Unit

INTERVAL_S = 10.0
# Polling rounds before each comparison: a real agent is never more than a few polls behind.
ROUNDS = 3


class Addressed:
    """A playing scenario, polled by address, with pages read as the agent's identity book asks for them.

    Args:
        name: Name of a shipped scenario.
    """

    def __init__(self, name: str) -> None:
        name, scenario = find_scenario(name)
        self.farm = build_farm(scenario)
        self.playing = play(self.farm, name, scenario)
        begin = self.playing.begin
        text = io.StringIO()
        self.farm.write_ledger(text)
        ledger = read_ledger(
            text.getvalue(), "ledger.csv", catalogue=CATALOGUE, zone=ZoneInfo("UTC"), networks=DEFAULT_NETWORKS
        )
        self._units = {Endpoint(entry.host, entry.port): self.farm.by_id[entry.unit_id] for entry in ledger.at(begin)}
        self._polled = Polled(self.farm.units, at=begin, slow_every=1000)
        self.tracker = Tracker(ledger.at(begin), stale_after_s=3 * INTERVAL_S, at=begin)
        self.book = IdentityBook(ledger.at(begin), ledger.entries)

    def _found_at(self, endpoint: Endpoint) -> Unit:
        return self.farm.unit_found_at(self._units[endpoint])

    def look(self, t: float) -> None:
        """Poll every unit at its address, credit the readings, and read the pages that are due."""
        for round_number in reversed(range(ROUNDS)):
            at = t - round_number * INTERVAL_S
            self.farm.clock.set(at)
            for unit in self.farm.units:
                unit.advance(at)
            for unit_id in self.farm.by_id:
                endpoint = self.book.routes.endpoint(unit_id)
                assert endpoint is not None
                credited = self.book.credit(self._poll(unit_id, endpoint, at), clock_s=at)
                if credited is not None:
                    self.tracker.record(credited, clock_s=at)
            if round_number:
                self._ask(at)
            self.tracker.refresh(at=at, clock_s=at)

    def _poll(self, unit_id: str, endpoint: Endpoint, at: float) -> Poll:
        poll = self._polled.poll(self._found_at(endpoint), at)
        reading = None if poll.reading is None else msgspec.structs.replace(poll.reading, unit_id=unit_id)
        return msgspec.structs.replace(poll, unit_id=unit_id, reading=reading)

    def _ask(self, at: float) -> None:
        while (endpoint := self.book.inquiries.take(at)) is not None:
            unit = self._found_at(endpoint)
            if not is_web_up(unit, at):
                self.book.on_failed(endpoint, OtherUnitError("no page"), clock_s=at)
                continue
            page = "".join(PAGES[SYSTEM_INFO].show(Visit(unit, endpoint.host, b"", at)))
            info = read_system_info(page[page.index("{") :].encode())
            for finding in self.book.on_seen(endpoint, info, at=at, clock_s=at):
                if isinstance(finding, Move):
                    self.tracker.discredit(finding.now.unit_id, OtherUnitError("moved"), at=at)


def test_after_new_leases_every_unit_keeps_its_own_hashrate() -> None:
    """At every twentieth minute no reading is credited to the wrong unit, and the site's figures match the truth."""
    one = Addressed("dhcp-shuffle")
    begin, end = one.playing.begin, one.playing.end
    moved_seen = 0
    for step in range(int((end - begin) / 1200.0)):
        t = begin + (step + 0.5) * 1200.0
        one.look(t)
        for status in one.tracker.statuses():
            unit = one.farm.by_id[status.entry.unit_id]
            if status.is_fresh:
                assert status.hashrate_hs == pytest.approx(unit.snapshot(t).ghs_5s * 1e9), status.entry.unit_id
        away = [unit for unit in one.farm.units if one.farm.unit_found_at(unit) is not unit]
        moved = one.book.counts()[Standing.MOVED]
        assert moved == len(away)
        assert one.book.counts()[Standing.DISPLACED] == 0
        moved_seen = max(moved_seen, moved)
        site, true = site_figures(one.tracker.statuses(), t).site, farm_truth(one.farm, t)["site"]
        assert site.operating_hs == pytest.approx(true["hashrate_hs"], rel=0.005)
        assert site.uplift_hs == pytest.approx(true["uplift_hs"], abs=0.005 * site.deployed_hs)
    assert moved_seen > 20
