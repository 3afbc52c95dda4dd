"""All benchmarks of `make bench`, one after the other, with the time of each.

    python tests/bench/bench_all.py

It takes some minutes. The long ones have targets of their own: `make bench-fleet` (growth to 100,000 units),
`make bench-steady` (ten minutes of one site) and `make bench-moonshot` (a fleet of 256,000 units).
"""

import runpy
import subprocess
import sys
import time
from pathlib import Path

INTERRUPTED = 130
"""The exit status of a program that Ctrl-C ended, as shells have it."""

PARTS = (
    ("bench_polls.py", "--runs", "5", "--seconds", "3"),
    ("bench_fleet.py", "steady", "--seconds", "40"),
    ("bench_fleet.py", "sick", "--seconds", "20"),
    ("bench_scrape.py",),
    ("bench_figures.py",),
    ("bench_chain.py", "4", "4"),
    ("bench_readers.py", "--runs", "5", "--seconds", "2"),
    ("bench_lane.py", "--seconds", "40"),
    ("bench_pages.py", "--seconds", "20"),
    ("bench_simulator.py", "--runs", "1", "--seconds", "2"),
)


def main(arguments: list[str]) -> None:
    """Run all of them; stop at the first failure, and at Ctrl-C."""
    if arguments:
        run_part(*arguments)
        return
    began = time.perf_counter()
    for name, *options in PARTS:
        print(f"\n== {' '.join((name.removesuffix('.py'), *options))}", flush=True)
        part_began = time.perf_counter()
        status = _status_of([sys.executable, __file__, name, *options])
        if status:
            raise SystemExit(status)
        print(f"({time.perf_counter() - part_began:.0f} s)", flush=True)
    print(f"\nall benchmarks took {(time.perf_counter() - began) / 60:.1f} min")


def run_part(name: str, *options: str) -> None:
    """Run one benchmark in this process, which Ctrl-C ends without a traceback."""
    path = str(Path(__file__).with_name(name))
    sys.argv = [path, *options]
    try:
        runpy.run_path(path, run_name="__main__")
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


def _status_of(command: list[str]) -> int:
    """Run a command; return its exit status. Ctrl-C reaches it too, and it ends what it started before this returns."""
    with subprocess.Popen(command) as part:
        try:
            return part.wait()
        except KeyboardInterrupt:
            part.wait()
            return INTERRUPTED


if __name__ == "__main__":
    main(sys.argv[1:])
