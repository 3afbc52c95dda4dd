"""Sites in the conditions in which people look at the pages, each as the source of a web server."""

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from exporter_cases import AT, board, entry, reading, status
from hostile_site import hostile_source
from msgspec import structs
from page_apis import repairs_over, walk_list_of
from simulated_site import FAULT_AFTER_S, HOUR_S, START, ZONE, SimulatedSite
from web_site import source
from work_cases import DIVERTED, LISTED

from agent.errors import DeadlineError, UnreachableError
from agent.exporters.web import server as web
from agent.site.curtailment.events import Event, Scope
from agent.site.lateness import Lateness, held
from agent.site.ledger.entries import Place
from agent.site.status import UnitStatus
from agent.site.totals import site_figures
from agent.text.lateness import lateness_text
from simulators.faults.unit import Asleep, DeadBoard, FanStopped, MissingChips, Overheat, PoolDead, PowerOff
from simulators.faults.vocabulary import Fault

UNITS, CONTAINERS = 300, 3
MANY = 20_000
FAN_UNIT = "C3-R05-12"
"""The unit whose third fan stands still since 14:02, the site's time."""
FAULTS: tuple[tuple[Fault, str], ...] = (
    (DeadBoard(board=1), "unit=C1-R01-04"),
    (MissingChips(board=0, chips=24), "unit=C1-R01-09"),
    (Asleep(), "unit=C2-R03-07"),
    (PowerOff(), "unit=C2-R04-03"),
    (Overheat(), "unit=C3-R05-02"),
    (FanStopped(fan=2), f"unit={FAN_UNIT}"),
    (PoolDead(pools=2), "unit=C3-R02-05"),
)
DARK: tuple[Fault, str] = (PowerOff(), "container=C2")
BREAKER: tuple[Fault, str] = (PowerOff(), "rack=C3-R04")
CURTAILED: tuple[Fault, str] = (Asleep(is_curtailed=True), "container=C1")
CALL = Event(
    id="call-14",
    start=START + FAULT_AFTER_S,
    end=START + FAULT_AFTER_S + 4 * HOUR_S,
    target_ratio=0.0,
    scope=Scope(container="C1"),
    source="grid operator",
)


def healthy(folder: Path) -> web.Source:
    """Return a site on a usual day: seven of 300 units have a fault."""
    return SimulatedSite(units=UNITS, containers=CONTAINERS, faults=FAULTS).source(folder)


def dark_container(folder: Path) -> web.Source:
    """Return the same site with one container without power, and one rack of another."""
    return SimulatedSite(units=UNITS, containers=CONTAINERS, faults=(*FAULTS, DARK, BREAKER)).source(folder)


def curtailed(folder: Path) -> web.Source:
    """Return the same site with one container asleep by a declared curtailment."""
    site = SimulatedSite(units=UNITS, containers=CONTAINERS, faults=(*FAULTS, CURTAILED), events=(CALL,))
    return site.source(folder)


def starting(folder: Path) -> web.Source:
    """Return a site whose agent has not polled any unit yet."""
    site = SimulatedSite(units=UNITS, containers=CONTAINERS, looks_at=())
    why = f"waiting for the first poll of every unit: {UNITS} of {UNITS} units not looked at since the start"
    return site.source(folder, site=lambda: None, unreadiness=lambda: why, seen_from=lambda: None)


def late(folder: Path) -> web.Source:
    """Return a site whose agent did not look at a third of the units in time."""
    site = SimulatedSite(units=UNITS, containers=CONTAINERS, faults=FAULTS)
    latest = list(site.polled.tracker.statuses())
    shown = [held(one) if index % 3 == 0 else one for index, one in enumerate(latest)]
    by_id = {one.entry.unit_id: one for one in shown}
    overdue_hs = sum(one.entry.nameplate.hashrate_hs for one in shown if one.is_overdue)
    lateness = Lateness(
        units=sum(one.is_overdue for one in shown),
        of_units=len(shown),
        hashrate_hs=overdue_hs,
        deployed_hs=sum(one.entry.nameplate.hashrate_hs for one in shown),
        longest_s=95.0,
    )
    words = lateness_text(lateness)
    figures = site_figures(shown, site.now)
    return site.source(
        folder,
        site=lambda: figures,
        units=by_id.values,
        unit=by_id.get,
        lateness=lambda: words,
        unreadiness=lambda: f"this agent is late: {words}",
        history_trouble=lambda: "disk is full: /var/lib/hashsight/history.sqlite",
    )


def empty(_: Path) -> web.Source:
    """Return a site without units."""
    return source((), repairs=repairs_over(list, lambda _: None, lambda: AT, ZONE))


def many(_: Path) -> web.Source:
    """Return a site of 20,000 units in 50 containers, of which 3 % lack something."""
    return source_of_many(many_units(MANY))


def source_of_many(statuses: Sequence[UnitStatus]) -> web.Source:
    """Return a source over statuses of `many_units`."""
    by_id = {one.entry.unit_id: one for one in statuses}
    entries = walk_list_of(statuses, AT)
    return source(
        statuses,
        wall=lambda: AT + 4.0,
        zone=lambda: ZONE,
        seen_from=lambda: AT - HOUR_S,
        repairs=repairs_over(lambda: entries, by_id.get, lambda: AT, ZONE),
    )


def many_units(units: int) -> list[UnitStatus]:
    """Return statuses of units in containers of ten racks of 40; rates differ, and 3 % of the units lack something.

    One unit of each container works for another's account.
    """
    rng = random.Random(1)
    made = [_one_of_many(number, rng) for number in range(units)]
    return [structs.replace(one, work=DIVERTED if number % 400 == 7 else LISTED) for number, one in enumerate(made)]


def _one_of_many(number: int, rng: random.Random) -> UnitStatus:
    container, rack, slot = number // 400, number // 40 % 10, number % 40
    place = Place(container=f"C{container + 1:02}", rack=f"R{rack + 1:02}", slot=str(slot + 1))
    unit_id = f"{place.container}-{place.rack}-{slot + 1:02}"
    host = f"10.{16 + container // 2}.{container % 2 * 10 + rack}.{slot + 1}"
    serial = f"SN{rng.randrange(10**9):09}"
    mac = "02:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}".format(*rng.randbytes(5))
    declared = entry(unit_id, place=place, host=host, serial=serial, mac=mac)
    chance = rng.random()
    if chance < 0.01:
        failure = UnreachableError("no answer") if chance < 0.005 else DeadlineError("no whole reply in 5 s")
        return status(declared, error=failure, since=AT - rng.randrange(60, 90_000))
    slots = (0, 2) if chance < 0.02 else (0, 1, 2)
    rates = [round(rng.gauss(66e3, 500), 2) * 1e9 for _ in slots]
    boards = tuple(
        board(
            slot,
            hashrate_hs=rate_hs,
            chips=108 if chance > 0.03 else 96,
            chip_celsius=(float(rng.randrange(50, 60)), float(rng.randrange(60, 76))),
        )
        for slot, rate_hs in zip(slots, rates, strict=True)
    )
    latest = reading(
        unit_id,
        at=AT - rng.random() * 10.0,
        hashrate_5s_hs=sum(rates),
        hashrate_30m_hs=sum(rates),
        boards=boards,
        fan_rpm=tuple(float(rng.randrange(5000, 6000)) for _ in range(4)),
    )
    return status(declared, latest, since=AT - rng.randrange(60, 90_000))


CONDITIONS: Mapping[str, Callable[[Path], web.Source]] = {
    "healthy": healthy,
    "dark": dark_container,
    "curtailed": curtailed,
    "starting": starting,
    "late": late,
    "empty": empty,
    "many": many,
    "hostile": hostile_source,
}
