"""Cost of history: bytes for each kind of row, and the time to write a minute, check the file and read it back.

Run as ``python tests/bench/bench_history.py [days] [containers]`` from the root; 400 days take some minutes.
"""

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

from agent.files.sqlite import used_bytes
from agent.history.minutes import Row, Values
from agent.history.reader import read_history
from agent.history.state_changes import Change
from agent.history.writer import HistoryWriter, write_history
from agent.site.power import PowerSource
from agent.site.status import Cause, UnitState
from agent.statement.period import parse_period
from agent.statement.statement import state

START = parse_period("2024-10", ZoneInfo("UTC")).start
UNITS_A_CONTAINER = 250
BATCH_MINUTES = 15
CHANGES = 100_000


def values(at: int, units: int, rng: random.Random) -> Values:
    """Return a minute with losses of six causes, as at a site with its usual troubles."""
    deployed_hs = units * 200e12
    losses_hs = {cause: deployed_hs * rng.uniform(0, 0.01) for cause in rng.sample(list(Cause), 6)}
    uplift_hs = rng.uniform(0, 1e12)
    operating_hs = deployed_hs - sum(losses_hs.values()) + uplift_hs
    return Row(
        at=at,
        watched_s=60.0,
        units=units,
        deployed_hs=deployed_hs,
        operating_hs=operating_hs,
        uplift_hs=uplift_hs,
        losses_hs=losses_hs,
        known_hs=deployed_hs * 0.99,
        units_by_state={UnitState.HASHING: units - 8.0, UnitState.STOPPED: 3.0, UnitState.UNREACHABLE: 5.0},
        watts={PowerSource.MODELLED: rng.uniform(1e6, 2e6)},
        efficient_watts=rng.uniform(1e6, 2e6),
        efficient_hs=operating_hs * rng.uniform(0.9, 1),
        efficient_deployed_hs=deployed_hs,
        delivered_hs=deployed_hs * rng.uniform(0.9, 1),
        delivered_s=60.0,
        delivered_deployed_hs=deployed_hs,
    ).values()


def batches(days: int) -> Iterator[range]:
    """Yield starts of minutes in batches: 400 days of single commits would measure the disk alone."""
    for at in range(START, START + days * 86_400, 60 * BATCH_MINUTES):
        yield range(at, at + 60 * BATCH_MINUTES, 60)


def used(file: HistoryWriter) -> int:
    """Return the bytes in use."""
    return used_bytes(file._connection)


def bench(folder: Path, days: int, containers: int) -> None:
    """Measure and print every figure."""
    rng = random.Random(1)
    path = folder / "bench.sqlite"
    with closing(write_history(path)) as file:
        file.claim(site="bench", zone="UTC")
        empty = used(file)
        for batch in batches(days):
            file.write(site=[values(at, containers * UNITS_A_CONTAINER, rng) for at in batch])
        site = used(file)
        print(f"site rows              {(site - empty) / 1e6:8.1f} MB, {(site - empty) / days / 1440:.0f} bytes each")
        for batch in batches(days):
            file.write(
                containers=[
                    (f"C{each}", values(at, UNITS_A_CONTAINER, rng)) for at in batch for each in range(containers)
                ]
            )
            file.tidy(now=batch[-1] + 60, keep_days=400, max_bytes=1 << 40)
        rows = used(file)
        share = (rows - site) / containers
        print(f"container rows         {(rows - site) / 1e6:8.1f} MB, {share / 1e6:.1f} MB each container")
        changes = [
            Change(
                unit_id=f"u{rng.randrange(1000)}",
                state="stopped",
                why="asleep",
                since=START + each * 7.3,
                until=START + each * 9.7,
            )
            for each in range(CHANGES)
        ]
        file.write(changes=changes)
        print(f"changes of state       {(used(file) - rows) / CHANGES:8.1f} bytes each")
        started = time.perf_counter()
        minutes = 20
        for number in range(minutes):
            at = START + days * 86_400 + 60 * number
            file.write(
                site=[values(at, 1000, rng)],
                containers=[(f"C{each}", values(at, UNITS_A_CONTAINER, rng)) for each in range(containers)],
            )
            file.tidy(now=at, keep_days=400, max_bytes=1 << 40)
        print(f"one minute written     {(time.perf_counter() - started) / minutes * 1e3:8.1f} ms, on the disk, tidied")
    print(f"the file               {path.stat().st_size / 1e6:8.1f} MB for {days} days and {containers} containers")
    started = time.perf_counter()
    write_history(path).close()
    print(f"opened and checked     {time.perf_counter() - started:8.2f} s")
    with closing(read_history(path)) as reader:
        started = time.perf_counter()
        steps = reader.rows(START, START + days * 86_400, 86_400)
        print(f"{len(steps)} days by the day     {time.perf_counter() - started:8.2f} s")
        started = time.perf_counter()
        state(reader, parse_period("2024-10", ZoneInfo("UTC")), now=START + 1e9)
        print(f"a month's statement    {time.perf_counter() - started:8.2f} s")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        given = [int(word) for word in sys.argv[1:]]
        defaults = [40, 4]
        bench(Path(scratch), *given, *defaults[len(given) :])
