"""CPU cost of the site's figures: one poll recorded, one refresh, all sums, and the schedule.

Run as ``python tests/bench/bench_figures.py [units]`` from the root.
"""

import random
import sys
import time
from collections.abc import Callable
from statistics import median

import msgspec

from agent.errors import UnreachableError
from agent.site.ledger.entries import LedgerEntry, Place
from agent.site.schedule import Schedule
from agent.site.totals import site_figures
from agent.site.tracker import Tracker
from agent.unit.nameplate import shipped_catalogue
from agent.unit.reading import BoardReading, Dialect, Mode, Poll, UnitReading

ROUNDS = 9
INTERVAL_S = 10.0
# All units started then, Unix time, s.
EPOCH = 1.7e9


def ledger(units: int) -> list[LedgerEntry]:
    """Return entries of `units` S21 and T21 in containers of 400 and racks of 40."""
    catalogue = shipped_catalogue()
    plates = [catalogue.find("S21", 200e12), catalogue.find("T21", 190e12)]
    return [
        LedgerEntry(
            unit_id=f"u{number:06d}",
            nameplate=plate,
            place=Place(container=f"C{number // 400:03d}", rack=f"R{number // 40 % 10:02d}", slot=str(number % 40)),
            host=f"127.{number >> 16}.{number >> 8 & 255}.{number & 255}",
        )
        for number in range(units)
        if (plate := plates[number // 400 % 2]) is not None
    ]


def polls(entries: list[LedgerEntry], rng: random.Random, at: float) -> list[Poll]:
    """Return one poll a unit: 1 in 20 fails, 1 in 20 lacks a board, the rest are a little off nameplate."""
    made = []
    for entry in entries:
        luck = rng.random()
        boards = 2 if luck < 0.05 else 3
        share_hs = entry.nameplate.hashrate_hs / 3 * rng.uniform(0.95, 1.01)
        reading = UnitReading(
            unit_id=entry.unit_id,
            at=at,
            dialect=Dialect.NEW_API,
            mode=Mode.NORMAL,
            uptime_s=at - EPOCH,  # A reading whose uptime stands still counts as frozen.
            hashrate_5s_hs=boards * share_hs,
            boards=tuple(
                BoardReading(slot=slot, hashrate_hs=share_hs, chips=108, frequency_hz=490e6) for slot in range(boards)
            ),
        )
        poll = Poll(unit_id=entry.unit_id, at=at, took_s=0.02, reading=reading)
        if luck > 0.95:
            poll = Poll(unit_id=entry.unit_id, at=at, took_s=4.0, error=UnreachableError("no answer"))
        made.append(poll)
    return made


def timed(work: Callable[[], object]) -> float:
    """Return the CPU seconds of `work`."""
    start = time.process_time()
    work()
    return time.process_time() - start


def bench(units: int) -> None:
    """Measure and print every figure."""
    rng = random.Random(1)
    at = time.time()
    entries = ledger(units)
    tracker = Tracker(entries, stale_after_s=3 * INTERVAL_S, at=at)
    took: dict[str, list[float]] = {"record": [], "refresh": [], "figures": [], "replace": [], "pop_due": []}
    schedule = Schedule(interval_s=INTERVAL_S, backoff_max_s=60.0, jitter=rng.random)
    schedule.replace((entry.unit_id for entry in entries), now=0.0)
    for number in range(1, ROUNDS + 1):
        clock_s = number * INTERVAL_S
        made = polls(entries, rng, at + clock_s)

        def record(made: list[Poll] = made, clock_s: float = clock_s) -> None:
            for poll in made:
                tracker.record(poll, clock_s=clock_s)

        def pop_due(clock_s: float = clock_s) -> None:
            while schedule.pop_due(clock_s, 64):
                pass

        def refresh(clock_s: float = clock_s) -> None:
            tracker.refresh(at=at + clock_s, clock_s=clock_s)

        took["record"].append(timed(record))
        took["refresh"].append(timed(refresh))
        took["figures"].append(timed(lambda: site_figures(tracker.statuses(), at)))
        took["pop_due"].append(timed(pop_due))
        moved = [msgspec.structs.replace(entry, serial=f"SN{number}") for entry in entries]
        took["replace"].append(timed(lambda moved=moved: tracker.replace_entries(moved, at=at)))
    middle = {name: median(times) for name, times in took.items()}
    site = site_figures(tracker.statuses(), at).site
    print(f"{units} units, medians of {ROUNDS}; {site.operating_hs / site.deployed_hs:.1%} operating")
    print(f"tracker.record         {middle['record'] / units * 1e6:8.2f} us a poll")
    print(f"tracker.refresh        {middle['refresh'] * 1e3:8.2f} ms, nothing stale")
    print(f"tracker.replace        {middle['replace'] * 1e3:8.2f} ms, every entry changed")
    print(f"site_figures           {middle['figures'] * 1e3:8.2f} ms")
    print(f"schedule.pop_due       {middle['pop_due'] / units * 1e6:8.2f} us a unit, 64 at a time")


if __name__ == "__main__":
    bench(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
