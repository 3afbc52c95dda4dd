"""One unit among sound ones that sends what is dear to read: figures against the truth, CPU and memory.

    python tests/bench/bench_hostile.py [--units 500] [--hostile 1 20] [--interval 5] [--seconds 20] [--kinds nans ...]
    python tests/bench/bench_hostile.py --before REV         the same with the agent of another commit first

The agent is `hashsight run` in a process of its own, on core 0; the farm, whose units turn hostile, runs on core 1. The
truth is that of the units that are not hostile, over all that is deployed. The CPU of a hostile poll is what the agent
takes more than with sound units alone, divided by the polls of hostile units in that time.
"""

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench_farm import Site, asked, cpu_s, simulated_site, verdict

ROOT = Path(__file__).parents[2]
KINDS: dict[str, tuple[str, dict[str, float]]] = {
    "brackets": ("brackets", {"size_bytes": 1_000_000}),
    "nans": ("nans", {"size_bytes": 1_000_000}),
    "commas": ("commas", {"size_bytes": 1_000_000}),
    "small": ("brackets", {"size_bytes": 24_000}),
    "large": ("large_reply", {"size_bytes": 100_000}),
    "stalls": ("stalls_in_reply", {"size_bytes": 60_000}),
    "firmware": ("firmware_each_reply", {}),
}
READABLE = frozenset({"firmware"})
START_S = 60.0
# A reading counts until it is stale, after three intervals; then a poll may take its deadline.
SETTLE_INTERVALS, DEADLINE_S = 4, 5.0


class Look(NamedTuple):
    """The agent at one moment.

    Attributes:
        published: Operating over deployed; None without a figure.
        unreachable: Units in that state.
        polls: Polls so far, by result.
    """

    published: float | None
    unreachable: int
    polls: dict[str, float]


class Found(NamedTuple):
    """What one run showed.

    Attributes:
        published, truth: Mean over the run, share of what is deployed.
        unreachable: Most units in that state at once.
        cpu_share: CPU of the agent, share of a core.
        failed: Polls that failed, a second.
        ok: Polls that succeeded, a second.
        peak_mb: The most resident memory of the agent so far.
    """

    published: float
    truth: float
    unreachable: int
    cpu_share: float
    failed: float
    ok: float
    peak_mb: float


def main() -> None:
    """Measure this tree, after another commit if one is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=500, help="sound units")
    parser.add_argument("--hostile", type=int, nargs="+", default=[1, 20])
    parser.add_argument("--interval", type=float, default=5.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--before", metavar="REV", help="a commit whose agent is measured first")
    parser.add_argument(
        "--settle", type=float, metavar="SECONDS", help="before each run; default: until what was is stale"
    )
    given = parser.parse_args()
    if given.settle is None:
        given.settle = SETTLE_INTERVALS * given.interval + DEADLINE_S
    most = max(given.hostile)
    with contextlib.ExitStack() as stack:
        trees = [stack.enter_context(tree_of(given.before))] if given.before else []
        site = stack.enter_context(simulated_site(given.units + most, interval_s=given.interval))
        for tree in (*trees, ROOT):
            name = "this tree" if tree == ROOT else given.before
            print(f"\n{name}: {given.units + most} units every {given.interval:g} s")
            sound = run(tree, site, given, None, 0)
            print(f"  {'all sound':<24}{shown(sound)}", flush=True)
            for kind in given.kinds:
                for count in given.hostile:
                    found = run(tree, site, given, kind, count)
                    dearer = 1e3 * (found.cpu_share - sound.cpu_share) / found.failed if found.failed else 0.0
                    cost = f", {dearer:.1f} ms of CPU a hostile poll" if found.failed else ""
                    print(f"  {f'{count} {kind}':<24}{shown(found)}{cost}", flush=True)
                    if tree == ROOT:
                        off = 100 * (found.published - found.truth)
                        verdict(
                            abs(off) < 1.0 and not found.unreachable,
                            f"published is {off:+.2f} points off the truth, {found.unreachable} unreachable",
                            "within 1, none",
                        )


def shown(found: Found) -> str:
    """Return one run in words."""
    return (
        f"published {found.published:.2%} of {found.truth:.2%} true, {found.unreachable} unreachable;"
        f" {found.ok:.0f} + {found.failed:.1f} failed polls/s, {found.cpu_share:.1%} of a core, {found.peak_mb:.0f} MB"
    )


@contextlib.contextmanager
def tree_of(revision: str) -> Iterator[Path]:
    """Check out a commit's agent into a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="hashsight-bench-before-") as name:
        packed = subprocess.run(["git", "archive", revision, "agent"], cwd=ROOT, capture_output=True, check=True)
        subprocess.run(["tar", "-x", "-C", name], input=packed.stdout, check=True)
        yield Path(name)


def run(tree: Path, site: Site, given: argparse.Namespace, kind: str | None, count: int) -> Found:
    """Measure an agent while `count` of the units have a fault; none with no kind."""
    hostile = [row["unit_id"] for row in site.rows()[:count]]
    with agent_of(tree, site) as process:
        if kind is not None:
            fault, values = KINDS[kind]
            site.inject(fault, hostile, **values)
        try:
            time.sleep(given.settle)
            return measured(process.pid, site, given.seconds, [] if kind in READABLE else hostile)
        finally:
            asked(site.control, "DELETE", "/faults")


def measured(pid: int, site: Site, seconds: float, hostile: list[str]) -> Found:
    """Watch an agent for some seconds."""
    before, began, began_cpu_s = look(site), time.perf_counter(), cpu_s(pid)
    published, truth, unreachable = [], [], 0
    while time.perf_counter() - began < seconds:
        with contextlib.suppress(OSError):
            now = look(site)
            unreachable = max(unreachable, now.unreachable)
            if now.published is not None:
                published.append(now.published)
        truth.append(true_ratio(site, hostile))
        time.sleep(1.0)
    after, took_s = look(site), time.perf_counter() - began
    polls = {result: (number - before.polls.get(result, 0.0)) / took_s for result, number in after.polls.items()}
    return Found(
        published=statistics.fmean(published) if published else 0.0,
        truth=statistics.fmean(truth),
        unreachable=unreachable,
        cpu_share=(cpu_s(pid) - began_cpu_s) / took_s,
        failed=sum(number for result, number in polls.items() if result != "ok"),
        ok=polls.get("ok", 0.0),
        peak_mb=peak_bytes(pid) / 1e6,
    )


@contextlib.contextmanager
def agent_of(tree: Path, site: Site) -> Iterator["subprocess.Popen[bytes]"]:
    """Run an agent until every unit was polled, and then inside the block."""
    log = site.config.with_name("agent.log")
    command = [sys.executable, "-m", "agent", "run", "--config", str(site.config)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)}
        )
    try:
        until = time.monotonic() + START_S
        while not is_ready(site):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(log.read_text(encoding="utf-8")[-2000:])
            time.sleep(0.2)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def is_ready(site: Site) -> bool:
    """Return True once the agent shows figures."""
    with contextlib.suppress(OSError, SystemExit):
        return look(site).published is not None
    return False


def look(site: Site) -> Look:
    """Return what the agent shows now."""
    text = asked(site.web_port, "GET", "/metrics/site").decode()
    published = re.search(r"^mining_site_operational_efficiency_ratio\{[^}]*\} (\S+)$", text, re.MULTILINE)
    unreachable = re.search(r'^mining_site_units\{[^}]*state="unreachable"[^}]*\} (\S+)$', text, re.MULTILINE)
    polls = re.findall(r'^miner_agent_polls_total\{result="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return Look(
        float(published[1]) if published else None,
        int(float(unreachable[1])) if unreachable else 0,
        {result: float(number) for result, number in polls},
    )


def true_ratio(site: Site, hostile: list[str]) -> float:
    """Return what all units but the hostile ones hash in truth, over all that is deployed."""
    units = json.loads(asked(site.control, "GET", "/truth"))["units"]
    hidden = set(hostile)
    true_hs = sum(unit["hashrate_hs"] for unit in units if unit["unit_id"] not in hidden)
    nameplates_hs: float = sum(unit["nameplate_hs"] for unit in units)
    return float(true_hs / nameplates_hs)


def peak_bytes(pid: int) -> int:
    """Return the most resident memory that a process has had."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"^VmHWM:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    main()
