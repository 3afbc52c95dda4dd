"""Cost of the chain: what links, heads and their index add to a history's size, and to the writing of a minute.

Run as ``python tests/bench/bench_chain.py [days] [containers]`` from the root. A normal site is written twice, with the
chain and without it (the schema before it), compaction and an hour's heads included. 400 days take some minutes.
"""

import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bench_history import START, batches, used, values

from agent.files.signing import SigningKey, make_signing_key
from agent.history.chain.heads import Head, HeadKind, SignedHead
from agent.history.heads import Heads
from agent.history.health import Health
from agent.history.reader import read_history
from agent.history.schema import CHAIN_SINCE, MIGRATIONS
from agent.history.state_changes import Change
from agent.history.writer import HistoryWriter, write_history

BEFORE = MIGRATIONS[: CHAIN_SINCE - 1]
CHANGES_A_DAY = 200
SINGLE_MINUTES = 1500
UNITS = 125


def bench(folder: Path, days: int, containers: int) -> None:
    """Measure and print every figure."""
    sizes = {}
    keys = [make_signing_key(folder / "bench.key")]
    for name, migrations in (("without", BEFORE), ("with", MIGRATIONS)):
        path = folder / f"{name}.sqlite"
        with closing(write_history(path, migrations=migrations)) as file:
            file.claim(site="bench", zone="UTC")
            # No power cut is measured here.
            file._connection.execute("PRAGMA synchronous = OFF")
            fill(file, days, containers, keys if migrations is MIGRATIONS else [])
            sizes[name] = used(file)
        print(
            f"{days} days {name:<8} the chain  {sizes[name] / 1e6:8.1f} MB, "
            f"{sizes[name] / days / 1440:.1f} bytes a minute"
        )
    print(f"the chain adds              {100 * (sizes['with'] / sizes['without'] - 1):8.1f} %")
    explain(folder / "with.sqlite", days)
    times = {
        name: single(folder / f"single-{name}.sqlite", migrations, containers)
        for name, migrations in (("without", BEFORE), ("with", MIGRATIONS))
    }
    print(
        f"writer's CPU a minute       {times['without'] * 1e3:8.2f} ms without, "
        f"{times['with'] * 1e3:.2f} ms with the chain"
    )
    migrate(folder / "without.sqlite")
    began = time.perf_counter()
    with closing(read_history(folder / "with.sqlite")) as reader:
        verdict = reader.verify(keys=[key.public for key in keys])
    assert verdict.holds, verdict.findings.kept
    print(
        f"verify                      {time.perf_counter() - began:8.1f} s, {verdict.seq:,} links, "
        f"{verdict.rows:,} digests"
    )


def fill(file: HistoryWriter, days: int, containers: int, keys: Sequence[SigningKey]) -> None:
    """Write days of a site, tidied as the keeper does, with heads each hour."""
    rng = random.Random(1)
    # Figures of a few hundred different minutes; making millions would take longer than writing them.
    site = [values(0, containers * UNITS, rng)[1:] for _ in range(300)]
    units = [values(0, UNITS, rng)[1:] for _ in range(300)]
    for number, batch in enumerate(batches(days)):
        end = batch[-1] + 60
        changes = [
            Change(
                unit_id=f"u{rng.randrange(containers * UNITS)}",
                state="stopped",
                why="asleep",
                since=at + rng.random(),
                until=at + 600.0,
            )
            for at in batch
            if rng.random() < CHANGES_A_DAY / 1440
        ]
        # A minute at a time, as a running site: each is a transaction of its own.
        for at in batch:
            file.write(
                site=[(at, *rng.choice(site))],
                containers=[(f"C{each}", (at, *rng.choice(units))) for each in range(containers)],
                changes=[change for change in changes if at <= change.since < at + 60],
            )
        file.tidy(now=end, keep_days=400, max_bytes=1 << 40)
        for key in keys if number % 4 == 3 else ():
            file.add_head(signed(file, key, end, is_day=end % 86_400 == 0))
            if end % 86_400 == 0:
                file.cut_chain(now=end)


def signed(file: HistoryWriter, key: SigningKey, at: int, *, is_day: bool) -> SignedHead:
    """Return a head of the present."""
    seq, hash_ = file.chain_end
    head = Head(
        chain="0" * 32,
        site="bench",
        zone="UTC",
        key=key.public.id,
        seq=seq,
        hash=hash_,
        at=at,
        day="2025-01-01",
        kind=HeadKind.DAY if is_day else HeadKind.HOUR,
        version="1.0.0",
    )
    return SignedHead(head, key.sign(head.text.encode()))


def single(path: Path, migrations: Sequence[Sequence[str]], containers: int) -> float:
    """Return the writer's CPU time a minute, s: rows, tidying, heads and their files."""
    rng = random.Random(1)
    rows = [
        [values(START + 60 * minute, UNITS, rng) for _ in range(containers + 1)] for minute in range(SINGLE_MINUTES)
    ]
    now = [0.0]
    with closing(write_history(path, migrations=migrations)) as file:
        file.claim(site="bench", zone="UTC")
        heads = Heads(
            path,
            key_path=path.with_suffix(".key"),
            site="bench",
            zone="UTC",
            version="1",
            health=Health(),
            wall=lambda: now[0],
        )
        now[0] = float(START)
        if migrations is MIGRATIONS:
            heads.opened(file)
        began = time.process_time()
        for minute in rows:
            file.write(site=[minute[0]], containers=[(f"C{number}", each) for number, each in enumerate(minute[1:])])
            now[0] = float(minute[0][0] or 0) + 60
            file.tidy(now=now[0], keep_days=400, max_bytes=1 << 40)
            if migrations is MIGRATIONS:
                heads.written(file)
        return (time.process_time() - began) / SINGLE_MINUTES


def migrate(path: Path) -> None:
    """Print how long the chain of an old history takes."""
    began = time.perf_counter()
    with closing(write_history(path)) as file:
        print(f"migration                   {time.perf_counter() - began:8.1f} s, {file.chain_end[0]:,} links")


def explain(path: Path, days: int) -> None:
    """Print what each table takes, where SQLite can say it."""
    with closing(sqlite3.connect(path)) as connection:
        try:
            found = connection.execute(
                "SELECT name, SUM(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC LIMIT 8"
            ).fetchall()
        except sqlite3.OperationalError:
            return
        for name, size in found:
            print(f"  {name:<24}  {size / 1e6:8.1f} MB, {size / days / 1440:.1f} bytes a minute")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        bench(Path(name), *(int(word) for word in sys.argv[1:] or ("400", "4")))
