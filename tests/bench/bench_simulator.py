"""Capacity of a simulated farm: replies a second, CPU per reply, memory per unit, and time to start.

    python tests/bench/bench_simulator.py [--units 20000] [--seconds 4] [--runs 5]

The farm runs in its own process, as from the command line. A raw-socket client in this process sends requests as fast
as the farm answers, with a fixed number in flight. CPU is the farm's alone, from /proc. "Of one core" is its inverse,
which holds even if the client is slower than the farm. Replies of `stats` are 1.7 to 2.3 kB.
"""

import argparse
import csv
import os
import resource
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

from simulators.farm.clock import SimClock
from simulators.farm.farm import Farm
from simulators.farm.plan import FarmPlan
from simulators.firmware.request import read_request
from simulators.sockets.station import LiveUnit

REQUESTS = {
    "stats, new dialect": b'{"command":"stats","new_api":true}',
    "stats, legacy": b'{"command":"stats"}',
    "summary, legacy": b'{"command":"summary"}',
    "pools, legacy": b'{"command":"pools"}',
}
BASE = "127.20.0.1"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each run of each request")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--in-flight", type=int, default=64)
    arguments = parser.parse_args()
    print(f"{arguments.units} units, {arguments.in_flight} requests in flight, median of {arguments.runs} runs\n")
    print_memory(arguments.units)
    with simulated_farm(arguments.units) as (process, port, hosts, start_s):
        print(f"started in {start_s:.1f} s, resident {resident_bytes(process.pid) / 1e6:.0f} MB\n")
        addresses = cycle((host, port) for host in hosts)
        print(f"{'request':22} {'replies/s':>10} {'CPU us/reply':>13} {'of one core':>12}")
        for name, request in REQUESTS.items():
            runs = [
                measure(process.pid, addresses, request, seconds=arguments.seconds, in_flight=arguments.in_flight)
                for _ in range(arguments.runs)
            ]
            rate = statistics.median(run[0] for run in runs)
            cpu_us = statistics.median(run[1] for run in runs)
            print(f"{name:22} {rate:10,.0f} {cpu_us:13.1f} {1e6 / cpu_us:10,.0f}/s")
        print(f"\nresident after that {resident_bytes(process.pid) / 1e6:.0f} MB")


def print_memory(units: int) -> None:
    """Print the memory of one more unit without sockets, after every request was answered once."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    farm = Farm(FarmPlan(units=units, base=BASE), SimClock(start=1_760_000_000.0, speed=0.0))
    stations = {unit.identity.host: LiveUnit(farm, unit) for unit in farm.units}
    built_s = time.perf_counter() - started
    now = farm.clock.now()
    for station in stations.values():
        if station.is_online(now):
            for request in REQUESTS.values():
                station.answer(read_request(request), now)
    used = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print(f"memory {used / units:,.0f} bytes a unit; {built_s:.2f} s to build")


@contextmanager
def simulated_farm(units: int) -> Iterator[tuple["subprocess.Popen[str]", int, list[str], float]]:
    """Run a healthy farm; yield its process, port, addresses and start-up time, s."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder, "ledger.csv")
        healthy = [part for name in ("off", "asleep", "starting") for part in (f"--{name}", "0%")]
        command = [sys.executable, "-m", "simulators", "farm", "--units", str(units), "--seed", "1", "--base", BASE]
        command += ["--port", "0", "--ledger-out", str(ledger), *healthy]
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("true hashrate"):
                    break
            start_s = time.perf_counter() - started
            with ledger.open(encoding="utf-8") as file:
                hosts = [row["host"] for row in csv.DictReader(file)]
            yield process, int(hosts[0].rpartition(":")[2]), [host.rpartition(":")[0] for host in hosts], start_s
        finally:
            process.terminate()
            process.wait(10.0)
            if process.stdout is not None:
                process.stdout.close()


def measure(
    pid: int, addresses: Iterator[tuple[str, int]], request: bytes, *, seconds: float, in_flight: int
) -> tuple[float, float]:
    """Return replies per second and the farm's CPU microseconds per reply of one run."""
    epoll = select.epoll()
    open_sockets: dict[int, socket.socket] = {}

    def begin() -> None:
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        client.connect_ex(next(addresses))
        open_sockets[client.fileno()] = client
        epoll.register(client.fileno(), select.EPOLLOUT)

    for _ in range(in_flight):
        begin()
    replies = 0
    cpu_before, started = cpu_s(pid), time.perf_counter()
    while time.perf_counter() - started < seconds:
        for descriptor, event in epoll.poll(1.0, 256):
            client = open_sockets[descriptor]
            if event & select.EPOLLOUT:
                client.send(request)
                epoll.modify(descriptor, select.EPOLLIN)
            elif not client.recv(65536):
                del open_sockets[descriptor]
                epoll.unregister(descriptor)
                client.close()
                replies += 1
                begin()
    took_s, used_s = time.perf_counter() - started, cpu_s(pid) - cpu_before
    for client in open_sockets.values():
        client.close()
    epoll.close()
    return replies / took_s, used_s / replies * 1e6


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / TICKS_PER_S


def resident_bytes(pid: int) -> int:
    """Return a process's resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    main()
