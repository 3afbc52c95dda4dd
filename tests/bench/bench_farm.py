"""What benchmarks share: a simulated farm in a process of its own, an agent's configuration for it, and memory read."""

import contextlib
import csv
import http.client
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CONFIG = """
[site]
name = "bench"
[ledger]
file = "ledger.csv"
[poll]
interval_s = {interval_s}
max_in_flight = {max_in_flight}
max_in_flight_sick = {max_in_flight_sick}
[identity]
enabled = {asks_identity}
web_port = {http_port}
[web]
listen = "127.0.0.1:{web_port}"
{more}
"""
TROUBLES = ("off", "asleep", "starting", "missing-board", "missing-chips", "slow")
START_S = 300.0


class Site(NamedTuple):
    """A running farm, and an agent's files for it.

    Attributes:
        config: The agent's configuration file, the ledger beside it.
        port: Of every unit's API.
        control: Of the farm's control API.
        pid: Of the farm.
        web_port: Of the agent.
    """

    config: Path
    port: int
    control: int
    pid: int
    web_port: int

    def hosts(self) -> list[str]:
        """Give every unit's address."""
        return [row["host"].partition(":")[0] for row in self.rows()]

    def rows(self) -> list[dict[str, str]]:
        """Give the ledger's rows."""
        with (self.config.parent / "ledger.csv").open(encoding="utf-8") as ledger:
            return list(csv.DictReader(line for line in ledger if not line.startswith("#")))

    def inject(self, fault: str, unit_ids: list[str], **values: float) -> None:
        """Have something happen to some of the units, for good."""
        body = json.dumps({"fault": fault, "values": values, "who": {"units": unit_ids}})
        asked(self.control, "POST", "/faults", body)

    def true_hashrate_hs(self) -> float:
        """Give what all units truly hash now, H/s."""
        told: float = json.loads(asked(self.control, "GET", "/truth"))["site"]["hashrate_hs"]
        return told


def asked(port: int, method: str, path: str, body: str | None = None, *, accept_encoding: str = "identity") -> bytes:
    """Give what an HTTP server on this machine answers.

    Raises:
        SystemExit: It did not answer with success.
        OSError: Nobody answers.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        headers = {"Content-Type": "application/json", "Accept-Encoding": accept_encoding}
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        content = reply.read()
    finally:
        connection.close()
    if reply.status >= 300:
        raise SystemExit(f"{method} {path}: {reply.status} {content[:500].decode()}")
    return content


@contextlib.contextmanager
def simulated_site(
    units: int,
    *,
    interval_s: float = 10.0,
    max_in_flight: int = 256,
    max_in_flight_sick: int = 64,
    more: str = "",
    port: int | None = None,
    http_port: int | None = None,
    asks_identity: bool = False,
    base: str = "127.10.0.1",
    seed: int = 1,
) -> Iterator[Site]:
    """Run a healthy farm of S21 while the block lasts, on a core of its own where there are two.

    Args:
        units: How many.
        interval_s: For the agent's configuration, as the next two.
        max_in_flight: Polls open at once.
        max_in_flight_sick: Of these, of units that failed last time.
        more: Sections that follow in it.
        port: Of the units' API; a free one unless given.
        http_port: Of the units' web pages; none unless given.
        asks_identity: Whether the agent asks units who they are; then they have web pages.
        base: The first unit's address.
        seed: Of everything random.
    """
    with tempfile.TemporaryDirectory(prefix="hashsight-bench-") as name:
        folder = Path(name)
        config = folder / "site.toml"
        web_port = free_port()
        if asks_identity:
            http_port = http_port or free_port()
        told = CONFIG.format(
            interval_s=interval_s,
            max_in_flight=max_in_flight,
            max_in_flight_sick=max_in_flight_sick,
            web_port=web_port,
            asks_identity=str(asks_identity).lower(),
            http_port=http_port or 80,
            more=more,
        )
        config.write_text(told, encoding="utf-8")
        port, control = port or free_port(), free_port()
        arguments = [
            "--units",
            str(units),
            "--seed",
            str(seed),
            "--mix",
            "S21:200=100%",
            "--port",
            str(port),
            "--base",
            base,
        ]
        arguments += [f"--{trouble}=0%" for trouble in TROUBLES]
        if http_port is not None:
            arguments += ["--http-port", str(http_port)]
        command = [sys.executable, "-m", "simulators", "farm", *arguments, "--control", f"127.0.0.1:{control}"]
        with (folder / "farm.log").open("wb") as output:
            farm = subprocess.Popen(
                [*command, "--ledger-out", str(folder / "ledger.csv")], stdout=output, stderr=output
            )
        cores = os.sched_getaffinity(0)
        try:
            _wait_for(farm, control, folder / "farm.log")
            if (os.cpu_count() or 1) > 1:
                os.sched_setaffinity(farm.pid, {1})
                os.sched_setaffinity(0, {0})
            yield Site(config, port, control, farm.pid, web_port)
        finally:
            os.sched_setaffinity(0, cores)
            farm.terminate()
            farm.wait(timeout=30)


def _wait_for(farm: "subprocess.Popen[bytes]", control: int, farm_log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", control), timeout=1):
            return
        if farm.poll() is not None:
            raise SystemExit(farm_log.read_text(encoding="utf-8"))
        time.sleep(0.1)
    raise SystemExit(f"no farm within {START_S:g} s")


def free_port() -> int:
    """Give a TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Say whether this process may listen on a port of all loopback addresses."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
            probe.listen()
        except OSError:
            return False
        return True


@contextlib.contextmanager
def broker() -> Iterator[str]:
    """Run an MQTT broker while the block lasts; gives the agent's section for it, nothing where mosquitto is not."""
    program = shutil.which("mosquitto")
    if program is None:
        print("no mosquitto: MQTT is left out")
        yield ""
        return
    with tempfile.TemporaryDirectory(prefix="hashsight-bench-broker-") as name:
        port, config = free_port(), Path(name) / "mosquitto.conf"
        # Of the user that started it: it leaves root for one who may not be there.
        config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n", encoding="utf-8")
        with (Path(name) / "log").open("wb") as output:
            process = subprocess.Popen([program, "-c", str(config)], stdout=output, stderr=output)
        try:
            os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
            yield f'[[mqtt]]\nname = "bench"\nhost = "127.0.0.1"\nport = {port}\n'
        finally:
            process.terminate()
            process.wait(timeout=30)


def cpu_s(pid: int) -> float:
    """Give the CPU seconds that a process has used."""
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes() -> int:
    """Give this process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def verdict(is_reached: bool, told: str, aim: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Print whether something that was aimed at was reached."""
    print(f"  {'reached' if is_reached else 'NOT REACHED'}: {told} ({aim})", flush=True)
