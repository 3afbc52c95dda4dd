"""A fleet server over many large sites: memory, CPU, and what its page weighs.

    python tests/bench/bench_fleet_page.py [--sites 40] [--units 6000] [--interval 10] [--seconds 60] [--hostile]

The sites are stand-ins in a process of their own: each serves the answer of a real agent of that many units. The server
is `hashsight fleet`. Its memory is the highest that its process ever held (VmHWM). With `--hostile` every site sends
megabytes that are no answer, as fast as it can, and one viewer in ten never reads a page that is passed on.
"""

import argparse
import asyncio
import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil
from bench_farm import verdict

ROOT = Path(__file__).parents[2]
SUPPORT = ROOT / "tests" / "support"
MAX_MB = 100
MAX_PAGE_KB = 60
PAGES = 20
GIVEN_UP_S = 180.0


def main() -> None:
    """Print the figures of one run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=40)
    parser.add_argument("--units", type=int, default=6000)
    parser.add_argument("--interval", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--hostile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, stand_ins(options.sites, options.units, options.hostile) as sites:
        path = Path(folder) / "fleet.toml"
        path.write_text(f'[fleet]\nlisten = "127.0.0.1:0"\ninterval_s = {options.interval}\n{sites}', encoding="utf-8")
        with fleet(path) as (process, url):
            measure(process, url, options)


@contextlib.contextmanager
def stand_ins(sites: int, units: int, is_hostile: bool) -> Iterator[str]:  # noqa: FBT001 - of a command line
    """Run the agents' stand-ins; yield the sections of their sites."""
    command = [sys.executable, str(SUPPORT / "stand_in_agents.py"), "--sites", str(sites), "--units", str(units)]
    if is_hostile:
        command.append("--hostile")
    with running(command) as process:
        yield "".join(iter(process.stdout.readline, "# all are served\n"))  # type: ignore[union-attr]


@contextlib.contextmanager
def fleet(path: Path) -> Iterator[tuple[psutil.Process, str]]:
    """Run the fleet server; yield its process and its address."""
    command = [sys.executable, "-m", "agent", "fleet", "--sites", str(path)]
    with running(command, stderr=subprocess.STDOUT) as process:
        for line in process.stdout or ():
            said = json.loads(line)
            if said["event"] == "web listening":
                # Its log is short, and a pipe holds all of it.
                yield psutil.Process(process.pid), f"http://127.0.0.1:{said['port']}"
                return
        raise SystemExit("the fleet server did not start")


@contextlib.contextmanager
def running(command: list[str], **more: int) -> Iterator["subprocess.Popen[str]"]:
    """Run a program while the block runs."""
    paths = os.pathsep.join((str(ROOT), str(SUPPORT)))
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths}, **more
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        process.communicate()


def measure(process: psutil.Process, url: str, options: argparse.Namespace) -> None:
    """Print what a fleet server takes."""
    began = time.perf_counter()
    while not options.hostile and asked(f"{url}/readyz")[0] != 200:
        if time.perf_counter() - began > GIVEN_UP_S:
            raise SystemExit("not every site answered")
        time.sleep(0.1)
    size = f"{options.sites} sites x {options.units:,} units"
    print(f"{size}: every site current after {time.perf_counter() - began:.1f} s", flush=True)
    if options.hostile:
        print("  every site is hostile", flush=True)
        asyncio.run(stall(url, max(1, options.sites // 10)))
    busy_s, clock_s = sum(process.cpu_times()[:2]), time.perf_counter()
    page = b""
    for _ in range(PAGES):
        page = asked(f"{url}/")[1]
        time.sleep(options.seconds / PAGES)
    share = (sum(process.cpu_times()[:2]) - busy_s) / (time.perf_counter() - clock_s)
    packed_kb = len(gzip.compress(page)) / 1000
    print(f"  page {len(page) / 1000:.0f} kB, {packed_kb:.1f} kB compressed; {100 * share:.1f}% of a core", flush=True)
    peak_mb = peak(process.pid)
    verdict(peak_mb < MAX_MB, f"{peak_mb:.0f} MB at most", f"below {MAX_MB} MB")
    verdict(packed_kb < MAX_PAGE_KB, f"{packed_kb:.1f} kB compressed", f"below {MAX_PAGE_KB} kB")


async def stall(url: str, viewers: int) -> None:
    """Ask for pages that are passed on, from viewers who never read."""
    host, port = url.removeprefix("http://").split(":")
    writers = [(await asyncio.open_connection(host, int(port), limit=1024))[1] for _ in range(viewers)]
    for number, writer in enumerate(writers):
        writer.write(f"GET /sites/site-{number + 1:02d}/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    await asyncio.sleep(2)
    for writer in writers:
        writer.close()


def asked(url: str) -> tuple[int, bytes]:
    """Return status and body of an answer."""
    try:
        with urlopen(url, timeout=30) as response:  # noqa: S310 - of this machine.
            return response.status, response.read()
    except HTTPError as error:
        return error.code, error.read()


def peak(pid: int) -> float:
    """Return the most memory that a process ever held, MB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    main()
