"""Cost of the pages: their size, the time the event loop is held for each, and polling beside ten viewers.

    python tests/bench/bench_pages.py [--units 20000] [--viewers 10] [--interval 20] [--seconds 40]

The first part serves one site in this process: with a month of history, a row a minute, and the last 24 hours of
every unit; the unit shown has a full chart and as many changes of state as its page lists. CPU of the loop is that of
its thread, callback by callback; the rest of the process is the thread that makes the page. The second part is a whole
agent over a simulated farm, in processes of their own: spans without viewers and with them take turns, and each viewer
loads every page in turn, one per 10 s.
"""

import argparse
import asyncio
import gzip
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from agent_pages import PageAddress, pages_at
from bench_farm import asked, simulated_site, verdict
from bench_hour import agent_process, counters, wait_until_served
from loop_cost import LoopCost
from page_conditions import many_units, source_of_many
from site_past import SitePast

from agent.exporters.web import server as web
from agent.history.minutes import MINUTE_S
from agent.history.state_changes import Change
from agent.history.writer import write_history
from agent.runtime import garbage
from agent.runtime.trends import TrendReader

ROUNDS = 5
LOOP_TOTAL_S, LOOP_PIECE_S = 0.050, 0.010
REFRESH_S = 10.0
CHANGES = 60
SPANS = 2
"""Spans without viewers, and as many with them."""


class Cost(NamedTuple):
    """The cost of one page, medians of `ROUNDS`.

    Attributes:
        name: The page.
        plain_bytes, packed_bytes: Its size, and compressed.
        loop_s: CPU of the loop in all, s.
        piece_s: CPU of the longest callback of the loop in any round, s.
        thread_s: CPU of the rest of the process, s: the thread that makes the page.
        took_s: Time until the client had it, s.
    """

    name: str
    plain_bytes: int
    packed_bytes: int
    loop_s: float
    piece_s: float
    thread_s: float
    took_s: float


class Viewers(NamedTuple):
    """People who look at pages.

    Attributes:
        count: How many there are.
        refresh_s: Time between two pages of each, s.
        paths: The pages that each loads in turn.
    """

    count: int
    refresh_s: float
    paths: list[str]


class Span(NamedTuple):
    """What an agent did in one span.

    Attributes:
        polls_per_s: Polls that ended, a second.
        missed: Polls that were due and not made.
        cpu_share: Share of one core.
        pages: Pages that viewers loaded.
        slowest_s: The slowest of them, s.
    """

    polls_per_s: float
    missed: int
    cpu_share: float
    pages: int = 0
    slowest_s: float = 0.0


def main() -> None:
    """Print both parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=20_000)
    parser.add_argument("--viewers", type=int, default=10)
    parser.add_argument("--interval", type=float, default=20.0)
    parser.add_argument("--seconds", type=float, default=40.0, help="length of each of the four spans")
    parser.add_argument("--refresh", type=float, default=REFRESH_S, help="time between two pages of a viewer, s")
    given = parser.parse_args()
    asyncio.run(show_pages(given.units))
    show_viewers(given.units, given.viewers, given.interval, given.seconds, given.refresh)


async def show_pages(units: int) -> None:
    """Print the cost of each page of a site of so many units."""
    statuses = many_units(units)
    # The largest loss among those that answer: a unit that does not has no chart.
    worst = max((one for one in statuses if one.reading is not None), key=lambda one: one.shortfall_hs)
    pages = pages_at(worst.entry.unit_id, worst.entry.place.container)
    with tempfile.TemporaryDirectory() as folder:
        shown = with_past(source_of_many(statuses), Path(folder) / "history.sqlite", worst.entry.unit_id)
        garbage.settle()
        await show_costs(units, shown, pages)


def with_past(shown: web.Source, path: Path, unit_id: str) -> web.Source:
    """Return a source with history and recent days; the trends are read anew for every page, as for a first viewer."""
    now, zone = shown.wall(), shown.zone()
    past = SitePast(path, site=shown.name, zone=zone, now=now, statuses=shown.units(), days_of=None, step_s=MINUTE_S)
    with closing(write_history(path)) as file:
        file.write(changes=changes_before(unit_id, now))
    fields = past.fields(lambda: now) | {"trends": lambda at: TrendReader(lambda: path, lambda: zone).read(at)}
    return replace(shown, **fields)


def changes_before(unit_id: str, now: float) -> list[Change]:
    """Return more changes of state than a page lists, two an hour."""
    states = ("hashing", "stopped: fan 2 at 0 rpm", "unreachable: no answer", "starting")
    return [
        Change(
            unit_id=unit_id,
            state=states[number % 4].partition(":")[0],
            why=states[number % 4].partition(": ")[2],
            since=now - (number + 1) * 1800.0,
            until=now - number * 1800.0,
        )
        for number in range(CHANGES)
    ]


async def show_costs(units: int, shown: web.Source, pages: Sequence[PageAddress]) -> None:
    """Print the cost of each page of a source."""
    print(f"{units:,} units, medians of {ROUNDS}")
    print(f"{'page':12}{'kB':>9}{'packed':>9}{'loop ms':>9}{'longest':>9}{'thread ms':>11}{'took ms':>9}")
    async with web.serve(shown, "127.0.0.1", 0) as (_, port):
        costs = [await measured(port, page) for page in pages]
    for cost in costs:
        sizes = f"{cost.plain_bytes / 1e3:9.1f}{cost.packed_bytes / 1e3:9.1f}"
        loop = f"{cost.loop_s * 1e3:9.2f}{cost.piece_s * 1e3:9.2f}"
        print(f"{cost.name:12}{sizes}{loop}{cost.thread_s * 1e3:11.1f}{cost.took_s * 1e3:9.1f}")
    for page, cost in zip(pages, costs, strict=True):
        size = f"{cost.name}: {cost.packed_bytes / 1e3:.1f} kB compressed"
        verdict(cost.packed_bytes < page.most_bytes, size, f"under {page.most_bytes / 1e3:.0f}")
        held = f"{cost.name}: {cost.loop_s * 1e3:.1f} ms of the loop, {cost.piece_s * 1e3:.1f} ms at once at most"
        verdict(cost.loop_s < LOOP_TOTAL_S and cost.piece_s < LOOP_PIECE_S, held, "under 50 and 10")


async def measured(port: int, page: PageAddress) -> Cost:
    """Return the cost of one page, loaded `ROUNDS` times after a first time that does not count."""
    rounds = [await once(port, page) for _ in range(ROUNDS + 1)][1:]
    middle = [statistics.median(column) for column in zip(*(one[2:] for one in rounds), strict=True)]
    loop_s, _, thread_s, took_s = middle
    return Cost(page.name, *rounds[0][:2], loop_s, max(one[3] for one in rounds), thread_s, took_s)


async def once(port: int, page: PageAddress) -> tuple[int, int, float, float, float, float]:
    """Return sizes, CPU of the loop and of its longest callback, CPU of the thread, and duration of one load."""
    client_s = 0.0

    def load() -> bytes:
        nonlocal client_s
        body = asked(port, "GET", f"/{page.path}", accept_encoding="gzip")
        client_s = time.thread_time()
        return body

    cost = LoopCost()
    began, process_s, own_s = time.perf_counter(), time.process_time(), time.thread_time()
    with cost.counting():
        body = await in_new_thread(load)
    took_s = time.perf_counter() - began
    rest_s = time.process_time() - process_s - (time.thread_time() - own_s) - client_s
    is_packed = body.startswith(b"\x1f\x8b")
    plain = gzip.decompress(body) if is_packed else body
    packed = body if is_packed else gzip.compress(body)
    return len(plain), len(packed), cost.total_s, cost.longest_s, max(0.0, rest_s), took_s


async def in_new_thread(work: Callable[[], bytes]) -> bytes:
    """Return the result of `work` in a thread of its own, so that the thread's clock begins with it."""
    done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def run() -> None:
        result = work()
        done.get_loop().call_soon_threadsafe(done.set_result, result)

    threading.Thread(target=run, name="client", daemon=True).start()
    return await done


def show_viewers(units: int, viewers: int, interval_s: float, seconds: float, refresh_s: float) -> None:
    """Print polls with viewers beside polls without, spans in turn, and the ratio."""
    print(f"\n{units:,} units every {interval_s:g} s, {viewers} viewers that load a page every {refresh_s:g} s")
    spans: dict[bool, list[Span]] = {False: [], True: []}
    with simulated_site(units, interval_s=interval_s) as site, agent_process(site.config) as agent:
        wait_until_ready(agent, site.web_port)
        paths = [f"/{page.path}" for page in served_pages(site.web_port)]
        for number in range(2 * SPANS):
            is_watched = number % 2 == 1
            people = Viewers(viewers if is_watched else 0, refresh_s, paths)
            span = spent(agent.pid, site.web_port, seconds, people)
            spans[is_watched].append(span)
            polls = f"{span.polls_per_s:,.1f} polls/s, {span.missed} missed, {span.cpu_share:.1%} of a core"
            loads = f"{span.pages} pages, slowest {span.slowest_s * 1e3:.0f} ms"
            print(f"  {'with' if is_watched else 'without'} viewers: {polls}; {loads}", flush=True)
    without, beside = (statistics.mean(span.polls_per_s for span in spans[key]) for key in (False, True))
    verdict(beside > 0.99 * without, f"{beside / without:.2%} of the polls beside viewers", "over 99 %")
    missed = [sum(span.missed for span in spans[key]) for key in (False, True)]
    verdict(missed[1] <= missed[0], f"{missed[1]} polls missed with viewers, {missed[0]} without", "no more")


def wait_until_ready(agent: subprocess.Popen[bytes], port: int) -> None:
    """Return when every unit was polled; end the benchmark if the agent ends."""
    wait_until_served(agent, port)
    while agent.poll() is None:
        with suppress(SystemExit):
            asked(port, "GET", "/readyz")
            return
        time.sleep(0.5)
    raise SystemExit(f"the agent ended with status {agent.returncode}")


def served_pages(port: int) -> list[PageAddress]:
    """Return the pages of a running agent, with that of its unit of the largest loss."""
    units = json.loads(asked(port, "GET", "/api/v1/units?sort=-shortfall&limit=1"))["units"]
    return pages_at(units[0]["unit_id"], units[0]["container"])


def spent(pid: int, port: int, seconds: float, viewers: Viewers) -> Span:
    """Return what an agent did in a span beside viewers."""
    before = counters(pid, port)
    with watching(port, viewers) as loads:
        time.sleep(seconds)
        after = counters(pid, port)
    passed_s = after.at - before.at
    return Span(
        polls_per_s=(after.polls - before.polls) / passed_s,
        missed=int(after.skipped - before.skipped),
        cpu_share=(after.cpu_s - before.cpu_s) / passed_s,
        pages=len(loads),
        slowest_s=max(loads, default=0.0),
    )


@contextmanager
def watching(port: int, viewers: Viewers) -> Iterator[list[float]]:
    """Let viewers load pages inside the block; yield the growing list of the seconds that each load took."""
    loads: list[float] = []
    is_over = threading.Event()

    def view(first: int) -> None:
        is_over.wait(viewers.refresh_s * first / viewers.count)
        turn = first
        while not is_over.is_set():
            began = time.perf_counter()
            asked(port, "GET", viewers.paths[turn % len(viewers.paths)], accept_encoding="gzip")
            loads.append(time.perf_counter() - began)
            turn += 1
            is_over.wait(max(0.0, viewers.refresh_s - loads[-1]))

    names = range(viewers.count)
    threads = [threading.Thread(target=view, args=(number,), name=f"viewer {number}") for number in names]
    for thread in threads:
        thread.start()
    try:
        yield loads
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main()
