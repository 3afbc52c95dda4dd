"""An agent that is stopped, killed, doubled, starved of time, or under a wrong clock."""

import asyncio
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from itertools import pairwise
from pathlib import Path

from figures import Figure, Measure, lost
from files import copied, is_sound
from history_cases import row
from http_abuse import poll_losses
from programs import farm, get, program
from sites import PROBED, SOUND_S21, Run, Site, probed, watched
from steps import Step

from agent.history.keeper import History
from agent.history.minutes import Row, row_from
from agent.history.reader import read_history

HISTORY = "site.history.sqlite"
REFUSED = "history cannot be written"
FILES = (HISTORY, "site.curtailments.json")
# A published figure may be off by this, in points of deployed: the noise of sixty units is 0.2.
POINTS = 1.0
STALE_AFTER_S = 3.0


async def stopped(run: Run) -> Figure:
    """SIGSTOP the agent for a minute; look at everything that it shows from its first moment on."""
    stop_s = run.seconds(60, least_s=2 * STALE_AFTER_S)
    async with watched(run, run.room("process.stopped"), is_scraped=False) as site:
        truth = (await site.truth())["site"]
        site.running.process.send_signal(signal.SIGSTOP)
        # The kernel takes these requests; they are the first that the agent answers when it goes on.
        paths = ("/readyz", "/metrics/site", "/api/v1/site")
        asked = [asyncio.create_task(get(f"{site.url}{path}")) for path in paths for _ in range(3)]
        await asyncio.sleep(stop_s)
        began_s = time.monotonic()
        site.running.process.send_signal(signal.SIGCONT)
        first = [task.result() for task in [await _awaited(task) for task in asked]]
        shown = sum("operational_efficiency_ratio{" in text for _, text in first)
        shown += sum('"figures":{' in text.replace(" ", "") for _, text in first)
        false_figures = looks = 0
        whole_s = 0.0
        while time.monotonic() - began_s < 30:
            figures, (status, _) = await site.shown(), await get(f"{site.url}/readyz")
            looks += 1
            if figures is not None:
                off = abs(figures["operating_hs"] - truth["hashrate_hs"]) / truth["deployed_hs"]
                false_figures += 100 * off > POINTS
            if status == 200:
                whole_s = whole_s or time.monotonic() - began_s
                if looks > 20:
                    break
            await asyncio.sleep(0.05)
        blamed = (await site.ask("/api/v1/units?limit=1000&state=unreachable"))["total"]
        events = [event["event"] for event in site.events()]
        return Figure(
            name="process.stopped",
            done=f"SIGSTOP for {stop_s:.0f} s, then SIGCONT",
            times=1,
            losses=(
                lost("figures-before-a-whole-round", shown, len(first)),
                lost("false-figures", false_figures, looks),
                lost("sound-units-blamed", blamed),
                lost("standstills-not-logged", 1 - min(1, events.count("agent stood still")), 1),
            ),
            # An interval is a second.
            costs=(Measure(name="until-whole", value=whole_s, most=15, unit="s", digits=1),),
        )


async def _awaited(task: "asyncio.Task[tuple[int, str]]") -> "asyncio.Task[tuple[int, str]]":
    async with asyncio.timeout(30):
        await asyncio.wait([task])
    return task


def history_rows(folder: Path) -> list[Row]:
    """Return the site's rows in a copy of the history, which must be sound; none before there is a file."""
    if not (folder / HISTORY).exists():
        return []
    assert is_sound(folder / HISTORY), f"{folder / HISTORY} is damaged"
    with copied(folder / HISTORY) as copy, closing(read_history(copy)) as reader:
        return [row_from(values) for chunk in reader.chunks(0, 1e12) for values in chunk]


async def killed(run: Run) -> Figure:
    """SIGKILL the agent again and again; compare its history before and after."""
    kills, life_s = run.count(4, least=2), run.seconds(20, least_s=3)
    folder = run.room("process.killed")
    gone = doubled = 0
    began_s = time.monotonic()
    before: dict[float, float] = {}
    async with farm(folder, units=60, options=SOUND_S21) as control:
        for _ in range(kills):
            async with probed(folder, control) as site:
                # Units change their states meanwhile.
                await site.inject("asleep", ["C1-R01-01"])
                await asyncio.sleep(life_s)
                await site.clear()
                site.running.process.kill()
                await site.running.process.wait()
            rows = history_rows(folder)
            now = {row.at: row.watched_s for row in rows}
            gone += sum(1 for at, watched_s in before.items() if now.get(at, 0.0) < watched_s - 1e-6)
            doubled += len(rows) - len(now) + sum(row.watched_s > row.span_s + 1e-6 for row in rows)
            before = now
        async with probed(folder, control) as site:
            await asyncio.sleep(2)
            site.running.process.send_signal(signal.SIGTERM)
            assert await site.running.ended() == 0, site.running.said[-500:]
    rows, took_s = history_rows(folder), time.monotonic() - began_s
    watched_s = sum(row.watched_s for row in rows)
    states = unit_changes(folder)
    return Figure(
        name="process.killed",
        done=f"SIGKILLs after {life_s:.0f} s, each with a restart on the same files",
        times=kills,
        losses=(
            lost("rows", gone, len(rows)),
            lost("rows-doubled", doubled, len(rows)),
            lost("seconds-counted-twice", max(0.0, watched_s - took_s)),
            lost("states-at-the-same-time", states),
        ),
        costs=(Measure(name="seconds-not-in-history", value=took_s - watched_s, of=took_s, unit="s"),),
    )


def unit_changes(folder: Path) -> int:
    """Return how many states of a unit in the history begin before the one before them ended."""
    with copied(folder / HISTORY) as copy, closing(sqlite3.connect(copy)) as file:
        rows = file.execute("SELECT unit, since, until FROM changes ORDER BY unit, since").fetchall()
    pairs = pairwise(rows)
    return sum(
        1 for before, after in pairs if before[0] == after[0] and before[2] is not None and before[2] > after[1] + 1e-3
    )


async def doubled(run: Run) -> Figure:
    """Start a second agent on the files of a running one."""
    folder = run.room("process.two-agents")
    token = folder / "token"
    token.write_text("two-agents-on-one-folder", encoding="ascii")
    token.chmod(0o600)
    async with watched(run, folder, more=f'[api]\ntoken_file = "{token}"\n') as site:
        config = folder / "site.toml"
        text = config.read_text(encoding="utf-8")
        # The same files, and a web server of its own.
        config.write_text(text.replace(site.target, "127.0.0.1:0"), encoding="utf-8")
        other = folder / "second"
        other.mkdir()
        command = (sys.executable, PROBED, str(other / "probe.json"), "run", "--config", str(config))
        async with site.compared() as compared, program(*command, log=other / "agent.log") as running:
            second = Site(running=running, url="", control="", folder=other)
            async with asyncio.timeout(60):
                while running.process.returncode is None and not second.has_said(REFUSED):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            await asyncio.sleep(run.seconds(10, least_s=2))
            status = running.process.returncode
            said = [event for event in second.events() if "another agent" in str(event.get("error"))]
        refused = Counter(
            file for event in said for file in FILES if file in str(event["error"]) + str(event.get("file"))
        )
        is_written = await site.count("miner_agent_history_up")
        return Figure(
            name="process.two-agents",
            done="a second agent on the files of the first",
            times=1,
            losses=(
                lost("files-not-refused-in-one-clear-error", sum(refused[file] != 1 for file in FILES), len(FILES)),
                lost("tracebacks-of-the-second", running.said.count("Traceback")),
                lost("history-of-the-first", 1 - is_written, 1),
                *compared.losses(),
            ),
            costs=(
                Measure(name="errors-of-the-second", value=len(said)),
                Measure(name="the-second-runs-on", value=status is None),
            ),
        )


async def starved(run: Run) -> Figure:
    """Let the agent run for a quarter of the time, 20 ms of 80, over more units than that is enough for."""
    length_s = run.seconds(60, least_s=8)
    async with watched(run, run.room("process.starved"), units=600, is_scraped=False) as site:
        polls, cpu_s, began_s = await site.polls(), site.cpu_s(), time.monotonic()
        async with _a_quarter_of_the_time(site), site.compared() as compared:
            await asyncio.sleep(length_s)
        share = (site.cpu_s() - cpu_s) / (time.monotonic() - began_s)
        done_polls = await site.polls() - polls
        made = sum(count for result, count in done_polls.items() if result != "missed")
        wanted = 600 * length_s
        return Figure(
            name="process.starved",
            done="polls of an agent that runs for a quarter of the time",
            times=int(made),
            losses=(
                lost("polls-failed", made - done_polls["ok"], made),
                *compared.losses(points=POINTS),
            ),
            costs=(
                Measure(name="polls-made", value=100 * made / wanted, unit="%"),
                Measure(name="cpu", value=100 * share, most=30, unit="%"),
                Measure(name="looks-without-figures", value=compared.withheld, of=compared.withheld + compared.times),
                Measure(name="looks-not-ready", value=compared.unready, of=compared.withheld + compared.times),
            ),
        )


@asynccontextmanager
async def _a_quarter_of_the_time(site: Site) -> AsyncIterator[None]:
    """Stop the agent for 60 of every 80 ms while the block runs."""

    async def stop_and_go() -> None:
        while True:
            site.running.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(0.06)
            site.running.process.send_signal(signal.SIGCONT)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(stop_and_go(), name="a quarter of the time")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        with suppress(ProcessLookupError):
            site.running.process.send_signal(signal.SIGCONT)


async def wrong_clock(run: Run) -> Figure:
    """Set the agent's wall clock ten years ahead for a minute, and back; then start it again."""
    length_s = run.seconds(60, least_s=5)
    folder = run.room("process.clock")
    # An hour of history: a site that has none cannot say which of its clocks was right.
    begin = time.time() // 60 * 60 - 3600
    with closing(History(folder / HISTORY, site="alpha", zone="UTC")) as kept:
        for number in range(60):
            kept.record_site(row(int(begin) + 60 * number))
        assert kept.flush(), kept.health.trouble
    earlier = {each.at for each in history_rows(folder)}
    async with farm(folder, units=60, options=SOUND_S21) as control:
        async with probed(folder, control, scraping=run.scraping) as site:
            polls = await site.polls()
            async with site.compared() as compared:
                await asyncio.sleep(run.seconds(10))
                site.running.process.send_signal(signal.SIGUSR2)
                await asyncio.sleep(length_s)
                site.running.process.send_signal(signal.SIGUSR2)
                await asyncio.sleep(run.seconds(30))
            done_polls = await site.polls() - polls
            aside = await site.count("miner_agent_history_rows_set_aside_total")
        before = {each.at for each in history_rows(folder)}
        async with probed(folder, control) as again:
            aside += await again.count("miner_agent_history_rows_set_aside_total")
            shown = await again.shown()
        now = time.time()
        after = {each.at for each in history_rows(folder)}
    ahead = {at for at in before if at > now + 3600}
    return Figure(
        name="process.clock",
        done=f"a wall clock ten years ahead for {length_s:.0f} s",
        times=1,
        losses=(
            *poll_losses(done_polls),
            *compared.losses(),
            lost("rows-of-the-right-time", len((earlier | before) - ahead - after), len((earlier | before) - ahead)),
            lost("rows-of-the-future-that-stay", len([at for at in after if at > now + 3600]), len(ahead)),
            lost("figures-after-a-restart", 0 if shown else 1, 1),
        ),
        costs=(
            Measure(name="rows-set-aside", value=aside, least=1),
            Measure(name="looks-not-ready", value=compared.unready, of=compared.times + compared.withheld),
        ),
    )


STEPS = (
    Step("process.stopped", "SIGSTOP for a minute", stopped, 180),
    Step("process.killed", "SIGKILLs with a restart", killed, 240),
    Step("process.two-agents", "a second agent on the same files", doubled),
    Step("process.starved", "an agent that runs for a quarter of the time", starved),
    Step("process.clock", "a wall clock ten years ahead", wrong_clock, 300),
)
