"""A recorder of one checkout's behaviour over a simulated site, with one file per output.

Nothing of the project is imported. The recorder runs its console scripts, fetches its pages and subscribes to its
messages.
"""

import csv
import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stepping import HERE, Listener, Program, Steps, StuckError

FARM = HERE / "farm.toml"
# Addresses and ports appear in the records, so they are the same in every run. Unit addresses start at 127.31.0.1.
WEB = ("127.31.9.1", 19184)
# Each connection of the agent has its own broker: messages of two connections to one broker arrive in any order.
BROKERS = {"latest": ("127.31.9.1", 11883), "batches": ("127.31.9.1", 11884)}
CONTROL = ("127.31.9.1", 18028)
UNIT_PORT, PAGES_PORT = 14028, 18080
TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - Only the recorded agent uses it.
# Between two sums, which the agent makes every ten seconds: by then, what it had to send has been delivered.
MIDDLE_S, END_S = 152.0, 333.0
METERS_EVERY_S = 20.0
OUTAGE_S = 5.0
READ_UNITS = (
    *(f"C{container}-R01-{slot:02d}" for container in (1, 2) for slot in range(1, 19)),
    *("C2-R02-01", "C3-R01-01", "C3-R02-05", "C4-R01-01", "C4-R02-01", "C4-R02-02"),
)
# Hosts to read, by output option.
ASKED = {"": ("127.31.0.70",), "--json": ("127.31.0.2", "127.31.0.41"), "--raw": ("127.31.0.95",)}
HELP = (
    *("", "run", "check", "once", "read", "metrics", "statement", "history export", "ledger show", "ledger diff"),
    *("ledger set", "ledger import", "mqtt check", "mqtt tail", "curtail start", "curtail stop", "curtail list"),
)
SIM_HELP = ("", "farm", "one", "play", "replay", "backfill")

CONFIG = f"""\
[site]
name = "golden"
zone = "America/Chicago"
count_simulated = true
[ledger]
file = "ledger.csv"
[poll]
interval_s = 10
slow_every = 6
[web]
listen = "{WEB[0]}:{WEB[1]}"
[api]
token_file = "api.token"
[[curtailment]]
name = "evening"
start = "23:59"
end = "00:02"
target_percent = 50
rack = "C4-R01"
[identity]
web_port = {PAGES_PORT}
[log]
level = "debug"
format = "json"
[[meter]]
name = "feeder"
container = "C1"
watts = 95_000
[[meter]]
name = "file"
container = "C3"
file = "meter.json"
pointer = "/power/kw"
scale = 1000
[[mqtt]]
name = "latest"
host = "{BROKERS["latest"][0]}"
port = {BROKERS["latest"][1]}
keepalive_s = 300
unit_heartbeat_s = 60
curtailment = true
meters = true
home_assistant = true
sparkplug_group = "mining"
[[mqtt]]
name = "batches"
host = "{BROKERS["batches"][0]}"
port = {BROKERS["batches"][1]}
protocol = "5"
keepalive_s = 300
units = "batches"
"""
CONFIG_OPTION = ("-c", "site.toml")
# Name of the record, then the command and its options.
COMMANDS_AFTERWARDS = [
    ("check", "check", *CONFIG_OPTION),
    ("check-show", "check", *CONFIG_OPTION, "--show"),
    *((f"ledger-show-{form}", "ledger", "show", *CONFIG_OPTION, "--format", form) for form in ("table", "csv", "json")),
    ("ledger-show-unit", "ledger", "show", "C1-R01-20", *CONFIG_OPTION),
    ("ledger-diff", "ledger", "diff", *CONFIG_OPTION, "--from", "2025-10-31", "--to", "2025-11-01", "--json"),
    *(
        (f"history-{what}", "history", "export", *CONFIG_OPTION, "--what", what, "--from", "2025-10-31")
        for what in ("site", "containers", "changes")
    ),
    ("history-october", "history", "export", "2025-10", *CONFIG_OPTION),
    *(
        (f"statement-2025-10-{form}", "statement", "2025-10", *CONFIG_OPTION, "--format", form)
        for form in ("table", "markdown", "csv")
    ),
    ("statement-2025-11", "statement", "2025-11", *CONFIG_OPTION, "--format", "json"),
    ("statement-verify", "statement", *CONFIG_OPTION, "--verify", "october.json"),
    ("statement-publish", "statement", "2025-10", *CONFIG_OPTION, "--publish"),
    ("metrics", "metrics"),
    ("metrics-json", "metrics", "--json"),
    ("no-config", "check", "-c", "nowhere.toml"),
    *(("-".join(("help", *words.split())), *words.split(), "--help") for words in HELP),
]
SIMULATOR_COMMANDS = [
    *(("-".join(("help-sim", *words.split())), *words.split(), "--help") for words in SIM_HELP),
    ("scenarios", "scenarios"),
    ("faults", "faults"),
    ("play-october", "play", "october-2025", "--at-once", "--every", "1d"),
    ("backfill", "backfill", "--scenario", "container-power-loss"),
]


def record(tree: Path, into: Path, *, python: str) -> None:
    """Run the simulators and the agent of `tree`, and record their output in the folder `into`."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    _see_that_ports_are_free()
    memory = Path("/dev/shm")  # noqa: S108 - The folder made there has a unique name.
    with ExitStack() as stack:
        # In memory where possible, so that no run waits for a disk.
        name = stack.enter_context(tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None))
        start = tomllib.loads(FARM.read_text(encoding="utf-8"))["start"].timestamp()
        steps = Steps(tree, Path(name), python=python, start=start)
        stack.callback(steps.end)
        _Recorder(steps, Path(name), into).run(stack)
        for path in into.iterdir():
            _hide_folder(path, name)


def _see_that_ports_are_free() -> None:
    for host, port in (WEB, *BROKERS.values(), CONTROL, ("127.31.0.1", UNIT_PORT), ("127.31.0.1", PAGES_PORT)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise StuckError(f"{host}:{port} is not free: {error}") from error


def _hide_folder(path: Path, folder: str) -> None:
    content = path.read_bytes()
    if folder.encode() in content:
        path.write_bytes(content.replace(folder.encode(), b"FOLDER"))


class _Recorder:
    """One recorded run.

    Args:
        steps: The clock and the programs that run by it.
        folder: Working folder of the agent and the simulators.
        into: Folder for the records.
    """

    def __init__(self, steps: Steps, folder: Path, into: Path) -> None:
        self._steps, self._folder, self._into = steps, folder, into
        self._config = folder / "site.toml"
        self._listeners: dict[str, Listener] = {}

    def run(self, stack: ExitStack) -> None:
        """Start the programs, let them run, and record their output."""
        with _one_processor():
            self._run_live(stack)
        self._commands_afterwards()

    def _run_live(self, stack: ExitStack) -> None:
        farm = self._start_farm()
        self._write_files()
        listener = self._start_broker("latest", stack)
        self._steps.before_step = self._write_meter
        self._steps.after_step = lambda gone: self._publish_meters(gone, listener)
        agent = self._steps.launch(
            "hashsight", "run", "-c", "site.toml", folder=self._folder, output=self._into / "agent.txt"
        )
        self._steps.advance_to(2.0)
        self._fetch(WEB, "start", "/readyz", "/healthz", "/api/v1/site", "/metrics/site")
        # Later than the other broker: two connections that begin at once race for the first sequence numbers.
        with ExitStack() as shorter:
            self._start_broker("batches", shorter)
            self._live(agent, listener)
            self._ask_farm()
            self._commands_beside_agent()
            self._messages("before-end")
            self._kept()
        # It is gone before the agent ends, for the same reason.
        self._steps.advance_to(self._steps.gone + OUTAGE_S)
        agent.process.send_signal(signal.SIGTERM)
        self._note("agent-status.txt", f"exit status {self._steps.finish(agent)}\n")
        self._messages("all")
        farm.process.send_signal(signal.SIGTERM)
        self._note("farm-status.txt", f"exit status {self._steps.finish(farm)}\n")

    def _start_farm(self) -> Program:
        shutil.copy(FARM, self._folder / "farm.toml")
        options = (
            *("play", "farm.toml", "--port", str(UNIT_PORT), "--http-port", str(PAGES_PORT), "--every", "1m"),
            *("--control", f"{CONTROL[0]}:{CONTROL[1]}", "--ledger-out", "ledger.csv", "--stay"),
        )
        farm = self._steps.launch("hashsight-sim", *options, folder=self._folder, output=self._into / "farm.txt")
        self._steps.settle()
        if farm.process.poll() is not None:
            raise StuckError(f"the farm ended: {(self._into / 'farm.txt.err').read_text()}")
        return farm

    def _start_broker(self, name: str, stack: ExitStack) -> Listener:
        """Start a broker, and listen to it."""
        address = BROKERS[name]
        stack.enter_context(_broker(self._folder / name, *address))
        listener = self._listeners[name] = Listener(*address, "golden-listener")
        stack.callback(listener.close)
        self._steps.brokers.append(listener)
        stack.callback(self._steps.brokers.remove, listener)
        return listener

    def _write_files(self) -> None:
        self._config.write_text(CONFIG, encoding="utf-8")
        token = self._folder / "api.token"
        token.write_text(TOKEN, encoding="ascii")
        token.chmod(0o600)
        self._write_meter(0.0)
        ledger = self._folder / "ledger.csv"
        with ledger.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        with ledger.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(line for row in rows for line in _edited(row))

    def _publish_meters(self, gone: float, listener: Listener) -> None:
        if gone % METERS_EVERY_S:
            return
        at = _iso(self._steps.now)
        watts = 80_000 + gone * 10
        listener.publish("hashsight/v1/golden/meter/container/C2", {"time": at, "watts": watts})
        energy = {"time": at, "joules": 1e9 + gone * 3_400, "name": "counter"}
        listener.publish("hashsight/v1/golden/meter/unit/C4-R01-03", energy)

    def _write_meter(self, gone: float) -> None:
        """Write the meter's file during the first four minutes; after that the meter is silent."""
        if gone % METERS_EVERY_S or gone > 240.0:
            return
        file, at = self._folder / "meter.json", self._steps.now
        temporary = self._folder / "meter.new"
        temporary.write_text(json.dumps({"power": {"kw": 70.0 + gone / 50}}), encoding="utf-8")
        os.utime(temporary, (at, at))
        temporary.replace(file)

    def _live(self, agent: Program, listener: Listener) -> None:
        """Run to the end of the simulated time, with the actions of an operator on the way."""
        steps = self._steps
        steps.advance_to(35.0)
        self._run("curtail-start", "curtail", "start", "-c", "site.toml", "--container", "C3", "--for", "4m",
                  "--id", "heat", "--source", "operator")  # fmt: skip
        steps.advance_to(41.0)
        order = {"target_percent": 0, "scope": {"rack": "C1-R02"}, "id": "grid", "start": _iso(steps.now)}
        listener.publish("hashsight/v1/golden/curtailment/set", order | {"duration_s": 120, "source": "grid"})
        listener.publish("hashsight/v1/golden/curtailment/set", {"target": "no such key"})
        listener.publish("hashsight/v1/golden/meter/pdu/1", {"time": _iso(steps.now), "watts": 1})
        steps.advance_to(MIDDLE_S)
        self._everything("middle")
        self._run("ledger-set", "ledger", "set", "C1-R01-20", "-c", "site.toml", "--status", "maintenance")
        with (self._folder / "site.toml").open("a", encoding="utf-8") as file:
            file.write("[power]\nstandby_watts = 20\n")
        agent.process.send_signal(signal.SIGHUP)
        steps.advance_to(205.0)
        self._run("curtail-stop", "curtail", "stop", "heat", "-c", "site.toml")
        steps.advance_to(END_S)
        self._everything("end")

    def _everything(self, when: str) -> None:
        self._fetch(
            WEB,
            when,
            "/",
            "/metrics",
            "/metrics/site",
            "/healthz",
            "/readyz",
            "/nowhere",
            "/api/v1/site",
            "/api/v1/units?limit=1000",
            "/api/v1/units?state=stopped&sort=loss&limit=5",
            "/api/v1/units?nonsense=1",
            "/api/v1/schema",
            "/api/v1/history",
            "/api/v1/history?resolution=1m",
            "/api/v1/curtailments",
            "/api/v1/identity",
            *(f"/api/v1/units/{unit}" for unit in READ_UNITS),
            "/api/v1/units/nobody",
        )
        for path in ("/metrics", "/metrics/site"):
            self._fetch(WEB, f"{when}-openmetrics", path, accept="application/openmetrics-text; version=1.0.0")

    def _ask_farm(self) -> None:
        paths = ("/truth?limit=1000", "/units?limit=1000", "/vocabulary", "/faults", "/time", "/scenario", "/scenarios")
        self._fetch(CONTROL, "farm", *paths, "/requests?limit=1", "/openapi.json")

    def _commands_beside_agent(self) -> None:
        self._run("once-json", "once", *CONFIG_OPTION, "--json", "--all")
        self._run("once", "once", *CONFIG_OPTION)
        for form, hosts in ASKED.items():
            for host in hosts:
                self._run(f"read{form}-{host}", "read", f"{host}:{UNIT_PORT}", *filter(None, (form,)))
        self._run("curtail-list-json", "curtail", "list", *CONFIG_OPTION, "--json")
        self._run("mqtt-tail", "mqtt", "tail", *CONFIG_OPTION, "--broker", "latest", "--seconds", "12")
        # The agent has several senders on one connection, and promises an order within a topic alone.
        heard = self._into / "mqtt-tail.txt"
        heard.write_text("".join(sorted(heard.read_text(encoding="utf-8").splitlines(keepends=True))), encoding="utf-8")

    def _commands_afterwards(self) -> None:
        """Run the commands that need neither agent nor farm, with the clock stopped for good."""
        october = (("statement-2025-10-json", "statement", "2025-10", *CONFIG_OPTION, "--format", "json"),)
        for script, batch in (
            ("hashsight", october),
            ("hashsight", COMMANDS_AFTERWARDS),
            ("hashsight-sim", SIMULATOR_COMMANDS),
        ):
            self._steps.run_batch(script, batch, folder=self._folder, into=self._into)
            shutil.copy(self._into / "statement-2025-10-json.txt", self._folder / "october.json")

    def _kept(self) -> None:
        """Record the messages that the brokers retain."""
        for name, address in BROKERS.items():
            latecomer = Listener(*address, "golden-late")
            latecomer.wait()
            latecomer.close()
            self._note(f"retained-{name}.json", _by_topic(latecomer))
        self._steps.settle()

    def _messages(self, when: str) -> None:
        """Record every message received so far."""
        for name, listener in self._listeners.items():
            self._note(f"messages-{when}-{name}.json", _by_topic(listener))

    def _run(self, name: str, *arguments: str, script: str = "hashsight") -> None:
        output = self._into / f"{name}.txt"
        program = self._steps.launch(script, *arguments, folder=self._folder, output=output)
        status = self._steps.finish(program)
        with output.with_suffix(".txt.err").open("a", encoding="utf-8") as errors:
            errors.write(f"exit status {status}\n")

    def _fetch(self, where: tuple[str, int], when: str, *paths: str, accept: str = "*/*") -> None:
        for path in paths:
            status, kind, body = self._ask(where, path, accept)
            ending = {"application/json": "json", "text/html": "html"}.get(kind.partition(";")[0], "txt")
            if path.startswith("/metrics"):
                ending = "prom"
            name = path.strip("/").translate(str.maketrans("/?&=", "____")) or "page"
            self._note(f"{when}-{name}.status.txt", f"{status} {kind}\n")
            (self._into / f"{when}-{name}.{ending}").write_bytes(body)

    def _ask(self, where: tuple[str, int], path: str, accept: str) -> tuple[int, str, bytes]:
        """Fetch one page while the programs take turns, and return its status, content type and body."""
        with socket.create_connection(where) as connection, io.BytesIO() as answer:
            head = (f"GET {path} HTTP/1.1", f"Host: {where[0]}", f"Accept: {accept}", "Connection: close", "", "")
            connection.sendall("\r\n".join(head).encode())
            connection.setblocking(False)  # noqa: FBT003 - the socket module's own signature.
            while True:
                self._steps.settle()
                try:
                    while data := connection.recv(1 << 20):
                        answer.write(data)
                except BlockingIOError:
                    continue
                break
            self._steps.settle()
            answer.seek(0)
            response = http.client.HTTPResponse(_Heard(answer))
            response.begin()
            return response.status, response.headers["Content-Type"], response.read()

    def _note(self, name: str, text: str) -> None:
        (self._into / name).write_text(text, encoding="utf-8")


class _Heard(socket.socket):
    """A complete HTTP response in the form of a socket, which `http.client` reads from.

    Args:
        file: The bytes of the response.
    """

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__()
        self.close()
        self._heard = file

    def makefile(self, *_: Any, **__: Any) -> Any:
        return self._heard


@contextmanager
def _one_processor() -> Iterator[None]:
    """Pin everything to one processor: there, loopback packets arrive in order, however busy it is."""
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(processors)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, processors)


@contextmanager
def _broker(folder: Path, host: str, port: int) -> Iterator[None]:
    folder.mkdir()
    config, log = folder / "mosquitto.conf", folder / "mosquitto.log"
    config.write_text(f"listener {port} {host}\nallow_anonymous true\nuser root\nmax_queued_messages 0\n")
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["mosquitto", "-c", str(config)], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        for _ in range(1000):
            with socket.socket() as probe:
                if probe.connect_ex((host, port)) == 0:
                    break
            time.sleep(0.01)
        else:
            raise StuckError(f"mosquitto does not listen: {log.read_text()}")
        yield
    finally:
        process.kill()
        process.wait()


def _by_topic(listener: Listener) -> str:
    """Return messages by topic as JSON: a broker guarantees order only within a topic."""
    by_topic: dict[str, list[object]] = {}
    for topic, payload, _ in listener.heard:
        by_topic.setdefault(topic, []).append(_readable(payload))
    return json.dumps(by_topic, indent=1, sort_keys=True)


def _edited(row: dict[str, str]) -> list[dict[str, str]]:
    """Return the ledger rows that replace one row of the farm: some units are under repair, some move."""
    comes_back, moves, leaves = "2025-10-31T23:59:00", "2025-11-01T00:00:30", "2025-11-01T00:01:00"
    changes: dict[str, list[dict[str, str]]] = {
        "C4-R01-05": [{"status": "maintenance"}],
        "C4-R01-06": [{"status": "maintenance"}],
        "C4-R01-07": [{"status": "maintenance", "deployed_to": comes_back}, {"deployed_from": comes_back}],
        "C4-R01-08": [{"deployed_to": moves}, {"deployed_from": moves, "container": "C5", "rack": "C5-R01"}],
        "C4-R01-09": [{"deployed_to": leaves}],
        # Another bin than the unit reports.
        "C4-R01-10": [{"model": "S21", "hashrate_th": "188"}],
        "C4-R01-11": [{"serial": "", "mac": ""}],
        "C4-R01-12": [{"simulated": ""}],
    }
    return [row | change for change in changes.get(row["unit_id"], [{}])]


def _readable(payload: bytes) -> object:
    try:
        return json.loads(payload)
    except ValueError:
        return {"bytes": payload.hex()}


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
