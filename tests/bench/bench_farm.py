"""A simulated farm in its own process for benchmarks, with an agent's configuration, a broker and process figures."""

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
backoff_max_s = {backoff_max_s}
max_in_flight = {max_in_flight}
max_in_flight_sick = {max_in_flight_sick}
[identity]
enabled = {asks_identity}
web_port = {http_port}
checks_per_s = {checks_per_s}
[web]
listen = "127.0.0.1:{web_port}"
{more}
"""
TROUBLES = ("off", "asleep", "starting", "missing-board", "missing-chips", "slow")
START_S = 300.0


class Site(NamedTuple):
    """A running farm, and an agent's files for it.

    Attributes:
        config: The agent's configuration file; the ledger is in the same folder.
        port: Port of every unit's API.
        control: Port of the farm's control API.
        pid: Process id of the farm.
        web_port: Port of the agent's web server.
    """

    config: Path
    port: int
    control: int
    pid: int
    web_port: int

    def hosts(self) -> list[str]:
        """Return every unit's address."""
        return [row["host"].partition(":")[0] for row in self.rows()]

    def rows(self) -> list[dict[str, str]]:
        """Return the ledger's rows."""
        with (self.config.parent / "ledger.csv").open(encoding="utf-8") as ledger:
            return list(csv.DictReader(line for line in ledger if not line.startswith("#")))

    def inject(self, fault: str, unit_ids: list[str], **values: float) -> None:
        """Inject a permanent fault into some of the units."""
        body = json.dumps({"fault": fault, "values": values, "who": {"units": unit_ids}})
        asked(self.control, "POST", "/faults", body)

    def true_hashrate_hs(self) -> float:
        """Return the true hashrate of all units now, H/s."""
        hashrate_hs: float = json.loads(asked(self.control, "GET", "/truth"))["site"]["hashrate_hs"]
        return hashrate_hs


def asked(port: int, method: str, path: str, body: str | None = None, *, accept_encoding: str = "identity") -> bytes:
    """Return the body of an HTTP answer from this machine.

    Raises:
        SystemExit: The status was not a success.
        OSError: There was no answer.
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
    backoff_max_s: float = 60.0,
    max_in_flight: int = 256,
    max_in_flight_sick: int = 64,
    more: str = "",
    port: int | None = None,
    http_port: int | None = None,
    asks_identity: bool = False,
    identity_port: int | None = None,
    base: str = "127.10.0.1",
    seed: int = 1,
    mix: str = "S21:200=100%",
) -> Iterator[Site]:
    """Run a healthy farm of S21 inside the block, on a core of its own if there are two.

    Args:
        units: Number of units.
        interval_s: Poll interval in the agent's configuration, s.
        backoff_max_s: Longest wait between polls of an unreachable unit, likewise.
        max_in_flight: Polls open at once, in the agent's configuration.
        max_in_flight_sick: Polls open at once to units whose last poll failed, likewise.
        more: Further sections of the configuration.
        port: Port of the units' API; a free one by default.
        http_port: Port of the units' web pages; by default a free one, which the agent does not know.
        asks_identity: True if the agent checks identities; then units have web pages.
        identity_port: Port at which the agent asks for identities instead; then units have no web pages.
        base: The first unit's address.
        seed: Random seed.
        mix: Models and their firmware.
    """
    with tempfile.TemporaryDirectory(prefix="hashsight-bench-") as name:
        folder = Path(name)
        config = folder / "site.toml"
        web_port = free_port()
        if asks_identity:
            http_port = http_port or free_port()
        text = CONFIG.format(
            interval_s=interval_s,
            backoff_max_s=backoff_max_s,
            max_in_flight=max_in_flight,
            max_in_flight_sick=max_in_flight_sick,
            web_port=web_port,
            asks_identity=str(asks_identity or identity_port is not None).lower(),
            http_port=identity_port or http_port or 80,
            checks_per_s=10 if identity_port is None else 100,
            more=more,
        )
        config.write_text(text, encoding="utf-8")
        port, control = port or free_port(), free_port()
        arguments = [
            "--units",
            str(units),
            "--seed",
            str(seed),
            "--mix",
            mix,
            "--port",
            str(port),
            "--base",
            base,
        ]
        arguments += [f"--{trouble}=0%" for trouble in TROUBLES]
        # Without a port of theirs the pages are out of the agent's way, also those of commits that know no --no-pages.
        arguments += ["--http-port", str(http_port or 0)]
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
    """Return a TCP port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Return True if this process may listen on a port of all addresses."""
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
    """Run an MQTT broker inside the block; yield the agent's section for it, empty if mosquitto is not installed."""
    program = shutil.which("mosquitto")
    if program is None:
        print("no mosquitto: MQTT is left out")
        yield ""
        return
    with tempfile.TemporaryDirectory(prefix="hashsight-bench-broker-") as name:
        port, config = free_port(), Path(name) / "mosquitto.conf"
        # As root, mosquitto would switch to a user that may not exist.
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
    """Return the CPU seconds that a process has used."""
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes() -> int:
    """Return this process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def verdict(is_reached: bool, result: str, target: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Print a result, its target, and if it was reached."""
    print(f"  {'reached' if is_reached else 'NOT REACHED'}: {result} ({target})", flush=True)
