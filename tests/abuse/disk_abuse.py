"""A full disk under history, outbox and declared curtailments."""

import asyncio
import json
import os
import resource
import shutil
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import aiohttp
from brokers import mosquitto
from figures import Figure, Measure, lost
from files import is_sound
from http_abuse import poll_losses
from mqtt_agent import section, toml
from programs import farm
from sites import SOUND_S21, Run, Site, every, probed
from steps import RefusedHereError, Step

TOKEN = "abuse-of-the-disk-full"  # noqa: S105  no secret: it is made up for one run
DISK_BYTES = 8 << 20
GAUGES = ("miner_agent_history_up", "miner_agent_mqtt_outbox_up", "miner_agent_curtailments_kept")
MOUNT = 'mount -t tmpfs -o size={size} tmpfs "{folder}" && exec "$@"'


class Disk(Protocol):
    """A disk that can be filled.

    Attributes:
        kind: What it is, in words.
        spares_log: True if the agent's log is elsewhere.
        words: Go before the command line of a program that uses it.
    """

    kind: str
    spares_log: bool
    words: tuple[str, ...]

    def fill(self, site: Site) -> None:
        """Leave no room."""

    def free(self, site: Site) -> None:
        """Make room again."""

    def inside(self, site: Site) -> Path:
        """Return the folder as this process sees it."""


class SmallDisk:
    """A tmpfs that only the agent sees, in a mount namespace of its own."""

    kind = "a tmpfs of 8 MiB"
    spares_log = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        script = MOUNT.format(size=DISK_BYTES, folder=folder)
        self.words = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh")

    def fill(self, site: Site) -> None:
        """Leave no room."""
        with (self.inside(site) / "filler").open("ab", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(bytes(4096))

    def free(self, site: Site) -> None:
        """Make room again."""
        (self.inside(site) / "filler").unlink()

    def inside(self, site: Site) -> Path:
        """Return the folder as this process sees it."""
        return Path(f"/proc/{site.pid}/root{self._folder}")


class ShortFiles:
    """A limit to the length of the agent's files, where no file system can be mounted."""

    kind = "a limit of file sizes"
    spares_log = False
    words: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fill(self, site: Site) -> None:
        """Let no file grow."""
        resource.prlimit(site.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def free(self, site: Site) -> None:
        """Let files grow again."""
        resource.prlimit(site.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def inside(self, _site: Site) -> Path:
        """Return the folder as this process sees it."""
        return self._folder


def disk_at(folder: Path) -> Disk:
    """Return a disk that this machine allows."""
    small = SmallDisk(folder)
    if os.geteuid() == 0 and shutil.which("unshare"):
        tried = subprocess.run((*small.words, "true"), capture_output=True, check=False)
        if tried.returncode == 0:
            return small
    return ShortFiles(folder)


async def post(site: Site, name: str) -> tuple[int, str]:
    """Send an order; return status and text of the answer."""
    order = {"id": name, "start": datetime.now(UTC).isoformat(), "target_percent": 0, "scope": {"container": "C1"}}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{site.url}/api/v1/curtailments", json=order, headers=headers) as answer,
    ):
        return answer.status, await answer.text()


async def full(run: Run) -> Figure:
    """Fill the disk, look at the agent, and make room again."""
    if shutil.which("mosquitto") is None:
        raise RefusedHereError("mosquitto is not installed")
    folder = run.room("disk.full")
    state = folder / "state"
    state.mkdir()
    token = folder / "token"
    token.write_text(TOKEN, encoding="ascii")
    token.chmod(0o600)
    disk = disk_at(state)
    async with mosquitto(folder / "broker") as broker:
        outbox = toml(section(broker.port, units="batches", outbox_file=state / "outbox.sqlite"))
        more = f'[api]\ntoken_file = "{token}"\nstate_file = "{state}/orders.json"\n'
        more += f'[history]\nfile = "{state}/history.sqlite"\n{outbox}'
        async with (
            farm(folder, units=60, options=SOUND_S21) as control,
            probed(folder, control, more=more, words=disk.words, scraping=run.scraping) as site,
        ):
            return await _fill_and_free(run, site, disk, broker)


async def _fill_and_free(run: Run, site: Site, disk: Disk, broker: Any) -> Figure:
    full_s = run.seconds(75, least_s=12)
    status, text = await post(site, "before")
    assert status == 201, text
    await asyncio.sleep(2)
    polls = await site.polls()
    async with site.compared() as compared:
        # Without a broker, messages must go to the disk.
        await asyncio.to_thread(broker.stop, signal.SIGTERM)
        disk.fill(site)
        await asyncio.sleep(2)
        answers = {}
        for number in range(3):
            # The outbox gives up a reserve; that room goes too.
            disk.fill(site)
            answers[f"while-full-{number}"] = (await post(site, f"while-full-{number}"))[0]
        taken = {name for name, status in answers.items() if status < 400}
        homeless = taken - kept_orders(disk.inside(site))
        # The state of no unit may change: its polls would be lost to that.
        await site.inject("hashrate_drift", ["C1-R01-01"], ratio=0.9)
        least: Counter[str] = Counter()

        async def look() -> None:
            disk.fill(site)
            now = await site.counts(*GAUGES)
            least.update({name: 1 for name in GAUGES if not now[name]})

        await every(look, 1.0, full_s)
        errors = await site.counts("miner_agent_history_errors_total", "miner_agent_mqtt_outbox_errors_total")
        history_pending = await site.count("miner_agent_history_rows_pending")
        await site.clear()
        disk.free(site)
        await asyncio.to_thread(broker.start)
        began_s = time.monotonic()
        is_back = await _until_back(site, within_s=90)
        back_s = time.monotonic() - began_s
        again = await post(site, "after")
    done_polls = await site.polls() - polls
    dropped = await site.count("miner_agent_history_rows_dropped_total")
    dropped_messages = await site.count("miner_agent_mqtt_dropped_messages_total")
    folder = disk.inside(site)
    said = {event.get("event") for event in site.events() if event.get("level") in {"error", "warning"}}
    unsaid = {"history cannot be written", "mqtt outbox cannot be written", "curtailments not kept"} - said
    unseen = {name for name in GAUGES if not least[name]}
    if not errors["miner_agent_history_errors_total"]:
        # A minute's rows may fit into what the file had already.
        unsaid.discard("history cannot be written")
        unseen.discard("miner_agent_history_up")
    if len(taken) == len(answers):
        unsaid.discard("curtailments not kept")
        unseen.discard("miner_agent_curtailments_kept")
    return Figure(
        name="disk.full",
        done=f"{disk.kind} full for {full_s:.0f} s",
        times=1,
        losses=(
            *poll_losses(done_polls),
            *compared.losses(),
            lost("orders-taken-and-not-on-the-disk", len(homeless), len(answers)),
            lost("orders-after-it", 0 if again[0] == 201 else 1, 1),
            lost("rows-of-history", dropped),
            lost("messages", dropped_messages),
            lost("files-damaged-or-half-written", damaged(folder)),
            *([lost("failures-not-logged", len(unsaid))] if disk.spares_log else []),
            lost("failures-not-in-metrics", len(unseen), len(GAUGES)),
            lost("writers-not-back", 0 if is_back else 1),
        ),
        costs=(
            Measure(name="orders-refused", value=len(answers) - len(taken), of=len(answers)),
            Measure(name="rows-that-waited", value=history_pending),
            Measure(name="failed-writes-counted", value=sum(errors.values())),
            Measure(name="until-written-again", value=back_s, most=90, unit="s", digits=1),
            *(await site.probe()).costs(),
        ),
    )


async def _until_back(site: Site, *, within_s: float) -> bool:
    """Wait until history and outbox are written again."""
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        up = await site.counts("miner_agent_history_up", "miner_agent_mqtt_outbox_up")
        if up["miner_agent_history_up"] and up["miner_agent_mqtt_outbox_up"]:
            return True
        await asyncio.sleep(0.5)
    return False


def kept_orders(folder: Path) -> set[str]:
    """Return the ids of the orders on the disk."""
    return {event["id"] for event in json.loads((folder / "orders.json").read_text(encoding="utf-8"))["events"]}


def damaged(folder: Path) -> int:
    """Return how many files in a folder are damaged databases or left-overs of a write."""
    count = sum(1 for path in folder.iterdir() if path.name.startswith("."))
    return count + sum(not is_sound(path) for path in folder.glob("*.sqlite"))


STEPS = (Step("disk.full", "a full disk under history, outbox and orders", full, 240),)
