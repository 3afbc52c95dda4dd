"""All benchmarks of `make bench`, one after the other, with the time of each.

    python tests/bench/bench_all.py

It takes some minutes. The long ones have targets of their own: `make bench-fleet` (growth to 100,000 units),
`make bench-steady` (ten minutes of one site) and `make bench-moonshot` (a fleet of 256,000 units).
"""

import subprocess
import sys
import time
from pathlib import Path

PARTS = (
    ("bench_polls.py", "--runs", "5", "--seconds", "3"),
    ("bench_fleet.py", "steady", "--seconds", "40"),
    ("bench_fleet.py", "sick", "--seconds", "20"),
    ("bench_scrape.py",),
    ("bench_figures.py",),
    ("bench_readers.py", "--runs", "5", "--seconds", "2"),
    ("bench_lane.py", "--seconds", "40"),
    ("bench_pages.py", "--seconds", "20"),
    ("bench_simulator.py", "--runs", "1", "--seconds", "2"),
)


def main() -> None:
    """Run all of them; stop at the first failure."""
    began = time.perf_counter()
    for name, *options in PARTS:
        print(f"\n== {' '.join((name.removesuffix('.py'), *options))}", flush=True)
        part_began = time.perf_counter()
        done = subprocess.run([sys.executable, str(Path(__file__).with_name(name)), *options], check=False)
        if done.returncode:
            raise SystemExit(done.returncode)
        print(f"({time.perf_counter() - part_began:.0f} s)", flush=True)
    print(f"\nall benchmarks took {(time.perf_counter() - began) / 60:.1f} min")


if __name__ == "__main__":
    main()
