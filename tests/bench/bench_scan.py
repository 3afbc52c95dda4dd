"""A scan of simulated units among silent addresses, in network namespaces of its own, beside other clients' scans.

    python tests/bench/bench_scan.py [--units 441] [--repeats 5] [--large-units 10000] [--large-repeats 10] [--alone]
                                     [--no-small] [--no-large] [--delay-ms 50] [--loss 0.02] [--interval 5]

Two namespaces hold the scanner and the farm, joined by a pair of virtual interfaces. Only the units' addresses exist in
the farm's; packets to the others are dropped there without a word. A link with latency and losses is made with netem
if the kernel has it, else by `tests/abuse/relay.py`. The scan runs on core 0, farm and relay on core 1.
"""

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from bench_farm import TROUBLES, verdict

ROOT = Path(__file__).parents[2]
RELAY = ROOT / "tests" / "abuse" / "relay.py"
NEAR_AT, FAR_AT, DEVICE = "10.94.0.1", "10.94.0.2", "span0"
SMALL, LARGE = "10.95.0.0/22", "10.96.0.0/16"
# asic-rs published 11.7 s for 441 units, nmap takes 18 s for 478.
SMALL_TARGET_S, LARGE_TARGET_S, LARGE_TARGET_MB = 3.0, 60.0, 200.0
START_S = 120.0
HEAD_BYTES = 65_536
FINDS = b'"found": ['
MATE = "h1"

WEB = "127.0.0.1:9184"
CONFIG = """
[site]
name = "bench"
count_simulated = true
[ledger]
file = "ledger.csv"
[poll]
interval_s = {interval_s}
[identity]
enabled = false
[history]
keep = false
[web]
listen = "{listen}"
"""

PYASIC = """
import asyncio, json, sys, time, warnings
warnings.simplefilter("ignore")
from pyasic import settings
from pyasic.network import MinerNetwork
settings.update("network_scan_semaphore", int(sys.argv[2]) or None)
began = time.monotonic()
found = asyncio.run(MinerNetwork.from_subnet(sys.argv[1]).scan())
print(json.dumps({"took_s": time.monotonic() - began, "identified": len(found)}))
"""
PYASIC_RS = """
import asyncio, json, os, sys, time
from pyasic_rs import MinerFactory
async def main():
    return await MinerFactory.from_subnet(sys.argv[1]).scan()
began = time.monotonic()
found = asyncio.run(main())
print(json.dumps({"took_s": time.monotonic() - began, "identified": len([each for each in found if each])}), flush=True)
os._exit(0)  # Its runtime aborts at the interpreter's end.
"""


class Run(NamedTuple):
    """One scan.

    Attributes:
        took_s: As the client says, without its start.
        identified: Units.
        cpu_s: CPU of its process.
        peak_mb: Its most resident memory.
        probes: Connections that it attempted; 0 if it does not say.
    """

    took_s: float
    identified: int
    cpu_s: float
    peak_mb: float
    probes: int


def main() -> None:
    """Measure a small network beside other clients, then a large one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=441)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--large-units", type=int, default=10_000)
    parser.add_argument("--large-repeats", type=int, default=10)
    parser.add_argument("--delay-ms", type=float, default=50.0)
    parser.add_argument("--loss", type=float, default=0.02)
    parser.add_argument("--alone", action="store_true", help="leave other clients out")
    parser.add_argument("--interval", type=int, default=5, help="of the agent that polls beside a scan, s")
    parser.add_argument("--no-small", action="store_true", help="leave the small network out")
    parser.add_argument("--no-large", action="store_true", help="leave the large network out")
    given = parser.parse_args()
    if os.getuid() != 0 or shutil.which("ip") is None:
        print("left out: network namespaces need root and ip(8) (Debian package iproute2)")
        return
    if not given.no_small:
        with spans() as (near, far), farm(far, SMALL, given.units) as ledger:
            small(given, near)
            beside(given, near, ledger)
    if not given.no_large:
        large(given)


def small(given: argparse.Namespace, near: str) -> None:
    """Scan a /22 several times from a namespace, in turn with other clients."""
    print(f"{given.units} units in {SMALL}, among addresses that drop packets")
    clients: dict[str, tuple[str, ...]] = {"hashsight": ours(SMALL)}
    if not given.alone:
        # With its defaults it asks all at once, and then its own deadline of 3 s passes before it has read any.
        for name, package, code, limit in (
            ("pyasic MinerNetwork", "pyasic", PYASIC, "0"),
            ("the same, 100 at once", "pyasic", PYASIC, "100"),
            ("pyasic_rs scan", "pyasic_rs", PYASIC_RS, ""),
        ):
            if find_spec(package) is None:
                print(f"  {name}: left out, {package} is not installed")
            else:
                clients[name] = (sys.executable, "-c", code, SMALL, limit)
    runs: dict[str, list[Run]] = {name: [] for name in clients}
    for _ in range(given.repeats):
        for name, command in clients.items():
            runs[name].append(measured(near, command))
    fastest = statistics.median(run.took_s for run in runs["hashsight"])
    for name, some in runs.items():
        took_s = statistics.median(run.took_s for run in some)
        print(f"  {name:<22} {shown(some)}, {took_s / fastest:.2f}x")
    identified = min(run.identified for run in runs["hashsight"])
    verdict(fastest < SMALL_TARGET_S, f"median {fastest:.2f} s", f"under {SMALL_TARGET_S:g} s")
    verdict(identified == given.units, f"{identified} of {given.units} identified", "all, in each run")


def beside(given: argparse.Namespace, near: str, ledger: Path) -> None:
    """Scan the /22 while an agent polls its units."""
    print(f"the same, while an agent polls the {given.units} units every {given.interval} s")
    with polling_agent(near, ledger, given.interval):
        before = polls(near)
        for _ in range(given.repeats):
            run = measured(near, ours(SMALL))
            verdict(run.identified == given.units, f"{run.identified} identified in {run.took_s:.2f} s", "all")
        time.sleep(2 * given.interval)
        after = polls(near)
    made, missed = (after[place] - before[place] for place in range(2))
    verdict(not missed, f"{missed:,.0f} of {made:,.0f} polls failed or were skipped", "none")


def large(given: argparse.Namespace) -> None:
    """Scan a /16 over a good link and over a bad one."""
    for delay_s, loss in ((0.0, 0.0), (given.delay_ms / 1000, given.loss)):
        link = f"{delay_s * 1000:g} ms each way, {loss:.0%} lost" if delay_s or loss else "a good link"
        print(f"{given.large_units:,} units in {LARGE}, {link}")
        with spans(delay_s=delay_s, loss=loss) as (near, far), farm(far, LARGE, given.large_units):
            runs = []
            for number in range(1, given.large_repeats + 1):
                run = measured(near, ours(LARGE))
                runs.append(run)
                print(f"  run {number:<18} {shown([run])}, {run.probes:,} probes", flush=True)
        print(f"  {'hashsight, medians':<22} {shown(runs)}")
        took_s, peak_mb = max(run.took_s for run in runs), max(run.peak_mb for run in runs)
        wanted, found = given.large_units * len(runs), sum(run.identified for run in runs)
        verdict(took_s < LARGE_TARGET_S, f"slowest of {len(runs)} {took_s:.1f} s", f"under {LARGE_TARGET_S:g} s")
        verdict(peak_mb < LARGE_TARGET_MB, f"{peak_mb:.0f} MB", f"under {LARGE_TARGET_MB:g} MB")
        share = f"{found / wanted:.4%} of the units found in {len(runs)} runs, {wanted - found:,} of {wanted:,} missed"
        verdict(found == wanted, share, "100 %, in each run")


def ours(network: str) -> tuple[str, ...]:
    """Return the command of our scan."""
    return (sys.executable, "-m", "agent", "scan", network, "--json")


def shown(runs: list[Run]) -> str:
    """Return runs in words, by their medians."""
    took_s, cpu_s, peak_mb = (statistics.median(run[place] for run in runs) for place in (0, 2, 3))
    return f"{took_s:.2f} s, {min(run.identified for run in runs):,} identified, {cpu_s:.1f} s of CPU, {peak_mb:.0f} MB"


def measured(namespace: str, command: tuple[str, ...]) -> Run:
    """Run one client in a namespace."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(inside(namespace, *pinned(0), *command), stdout=output, cwd=ROOT, env=environment())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        # The counts come first. To hold all finds would show as the next client's memory: it begins as a copy of this.
        said = output.read(HEAD_BYTES)
    if process.returncode:
        raise SystemExit(f"{' '.join(command[:5])} ended with {process.returncode}: {said[-500:]!r}")
    counts, finds, _ = said[said.index(b"{") :].partition(FINDS)
    answer: dict[str, Any] = json.loads(counts.rstrip(b", \n") + b"}" if finds else counts)
    return Run(
        answer["took_s"],
        answer["identified"],
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
        answer.get("probes", 0),
    )


def environment() -> dict[str, str]:
    """Return an environment in which this tree is imported."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def pinned(core: int) -> tuple[str, ...]:
    """Return the words that keep a program on a core, if there are two."""
    cores = sorted(os.sched_getaffinity(0))
    return ("taskset", "-c", str(cores[core])) if len(cores) > core > -1 and shutil.which("taskset") else ()


def inside(namespace: str, *command: str) -> tuple[str, ...]:
    """Return a command that runs in a namespace."""
    return ("ip", "netns", "exec", namespace, *command)


def ip(*words: str) -> None:
    """Change the kernel's network configuration."""
    done = subprocess.run(("ip", *words), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"ip {' '.join(words)}: {done.stderr.strip()[:300]}")


@contextlib.contextmanager
def spans(*, delay_s: float = 0.0, loss: float = 0.0) -> Iterator[tuple[str, str]]:
    """Yield two namespaces, joined by a link that delays and loses packets in each direction."""
    near, far = (f"hashsight-scan-{os.getpid()}-{side}" for side in ("near", "far"))
    with contextlib.ExitStack() as stack:
        for name in (near, far):
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
            ip("-n", name, "link", "set", "lo", "up")
        is_bad = bool(delay_s or loss)
        is_relayed = is_bad and not has_netem(near)
        if is_relayed:
            for name in (near, far):
                ip("-n", name, "tuntap", "add", "dev", DEVICE, "mode", "tun")
        else:
            ip("-n", near, "link", "add", DEVICE, "type", "veth", "peer", "name", MATE)
            ip("-n", near, "link", "set", MATE, "netns", far)
            ip("-n", far, "link", "set", MATE, "name", DEVICE)
        for name, mine in ((near, NEAR_AT), (far, FAR_AT)):
            ip("-n", name, "addr", "add", f"{mine}/30" if not is_relayed else f"{mine}/32", "dev", DEVICE)
            ip("-n", name, "link", "set", DEVICE, "txqueuelen", "10000", "up")
        for network in (SMALL, LARGE):
            gateway = () if is_relayed else ("via", FAR_AT)
            ip("-n", near, "route", "add", network, *gateway, "dev", DEVICE)
        if is_relayed:
            ip("-n", far, "route", "add", f"{NEAR_AT}/32", "dev", DEVICE)
            stack.enter_context(relayed(near, far, delay_s=delay_s, loss=loss))
        elif is_bad:
            for name in (near, far):
                netem = ("netem", "delay", f"{delay_s * 1000:g}ms", "loss", f"{loss:.4%}", "limit", "100000")
                subprocess.run(inside(name, "tc", "qdisc", "add", "dev", DEVICE, "root", *netem), check=True)
        yield near, far


def has_netem(namespace: str) -> bool:
    """Return True if the kernel can make a link bad by itself."""
    words = inside(namespace, "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "0ms")
    if shutil.which("tc") is None or subprocess.run(words, capture_output=True, check=False).returncode:
        return False
    subprocess.run(inside(namespace, "tc", "qdisc", "del", "dev", "lo", "root"), check=True)
    return True


@contextlib.contextmanager
def relayed(near: str, far: str, *, delay_s: float, loss: float) -> Iterator[None]:
    """Pass packets between both namespaces inside the block."""
    pipe = subprocess.PIPE
    command = (*pinned(1), sys.executable, str(RELAY), near, far)
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as relay:
        assert relay.stdin is not None
        assert relay.stdout is not None
        try:
            if not relay.stdout.readline():
                raise SystemExit("the relay ended")
            relay.stdin.write(json.dumps({"delay_s": delay_s, "loss_ratio": loss}).encode() + b"\n")
            relay.stdin.flush()
            yield
        finally:
            relay.stdin.close()
            said = relay.stdout.readline()
            if said:
                counts = json.loads(said)
                print(f"  relay: {counts['passed']:,} packets passed, {counts['dropped']:,} dropped")


@contextlib.contextmanager
def farm(namespace: str, network: str, units: int) -> Iterator[Path]:
    """Run a farm in a namespace inside the block: healthy units at random addresses, with their pages on port 80.

    Yields:
        Its ledger.
    """
    base, prefix = network.split("/")
    first = int.from_bytes(map(int, base.split(".")))
    count = 1 << (32 - int(prefix))
    chosen = sorted(random.Random(95).sample(range(1, count - 1), units))
    hosts = [".".join(map(str, (first + number).to_bytes(4))) for number in chosen]
    with tempfile.TemporaryDirectory(prefix="hashsight-bench-") as name:
        folder = Path(name)
        batch = "".join(f"route add local {host}/32 dev lo\n" for host in hosts)
        (folder / "routes").write_text(batch, encoding="ascii")
        ip("-n", namespace, "-batch", str(folder / "routes"))
        (folder / "addresses").write_text(",".join(hosts), encoding="ascii")
        command = (*pinned(1), sys.executable, "-m", "simulators", "farm", "--units", str(units), "--seed", "95")
        command += ("--addresses", f"@{folder / 'addresses'}", "--http-port", "80", "--allow-remote", "--control", "")
        command += ("--ledger-out", str(folder / "ledger.csv"))
        command += tuple(f"--{trouble}=0%" for trouble in TROUBLES)
        with (folder / "log").open("wb+") as log:
            process = subprocess.Popen(
                inside(namespace, *command), stdout=log, stderr=log, cwd=ROOT, env=environment(), start_new_session=True
            )
            try:
                until_served(process, folder / "log")
                yield folder / "ledger.csv"
            finally:
                process.terminate()
                process.wait(timeout=30)


@contextlib.contextmanager
def polling_agent(namespace: str, ledger: Path, interval_s: int) -> Iterator[None]:
    """Run an agent in a namespace inside the block, once it has polled every unit."""
    config = ledger.with_name("site.toml")
    config.write_text(CONFIG.format(interval_s=interval_s, listen=WEB), encoding="utf-8")
    command = (*pinned(0), sys.executable, "-m", "agent", "run", "--config", str(config))
    with ledger.with_name("agent.log").open("wb") as log:
        process = subprocess.Popen(inside(namespace, *command), stdout=log, stderr=log, cwd=ROOT, env=environment())
        try:
            deadline = time.monotonic() + START_S
            while fetched(namespace, "/readyz") is None:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("the agent did not start")
                time.sleep(0.5)
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def fetched(namespace: str, path: str) -> str | None:
    """Return what the agent in a namespace serves; None without a success."""
    code = f"import urllib.request as r; print(r.urlopen('http://{WEB}{path}').read().decode())"
    words = inside(namespace, sys.executable, "-c", code)
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout if not done.returncode else None


def polls(namespace: str) -> tuple[float, float]:
    """Return how many polls the agent has made or skipped, and how many of them failed or were skipped."""
    text = fetched(namespace, "/metrics/site") or ""
    by_result = dict(re.findall(r'^miner_agent_polls_total\{result="(\w+)"\} (\S+)$', text, re.MULTILINE))
    skipped = sum(map(float, re.findall(r"^miner_agent_polls_skipped_total\{.*\} (\S+)$", text, re.MULTILINE)))
    made = sum(map(float, by_result.values()))
    return made + skipped, made + skipped - float(by_result.get("ok", 0))


def until_served(process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a farm says where its pages are."""
    deadline = time.monotonic() + START_S
    while "web pages" not in log.read_text(encoding="utf-8"):
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the farm did not start: {log.read_text(encoding='utf-8')[-1000:]}")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
