"""What the shipped dashboards cost a Prometheus: every query, for a site of 10,000 units with 30 days behind it.

    python tests/bench/bench_dashboards.py [--units 10000] [--days 30] [--minutes 5]

A store of that many units, some of them faulty, is scraped every 15 s by a real Prometheus with the shipped rules. What
the rules record for graphs is then written as the days before, every ten minutes. Every query of every dashboard is
sent as Grafana sends it, over the dashboard's own time range and over all the days; the time is the median of three, as
Prometheus itself counts it. A refresh is all queries of a dashboard, one by one.
"""

import argparse
import asyncio
import contextlib
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from aiohttp import web
from bench_farm import free_port, verdict
from bench_scrape import fleet, ledger
from dashboard_cases import RULES, all_asks, boards, filled
from exporter_cases import entry, gone_silent
from msgspec import structs

from agent.exporters.prometheus.store import Metrics
from agent.site.status import UnitStatus
from agent.site.totals import site_figures

SCRAPE_S = 15
MOST_S, MOST_OF_UNITS_S = 0.3, 3.0
SITE = "bench"
# Grafana's panels are about this many pixels wide.
POINTS = 1000
PAST_STEP_S = 600
FAULTY_RATIO = 0.06


class Asked(NamedTuple):
    """One query, measured.

    Attributes:
        dashboard: The file's name.
        where: Its panel and letter.
        over: The time range.
        took_s: Time that Prometheus evaluated it, s.
        series: Series of the answer.
    """

    dashboard: str
    where: str
    over: str
    took_s: float
    series: int


async def main() -> None:
    """Measure, and print the dearest queries and each dashboard's refresh."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=5.0, help="of scraping before the days are written")
    parser.add_argument("--shown", type=int, default=25)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hashsight-dashboards-") as name:
        folder = Path(name)
        async with (
            _served(arguments.units) as target,
            aiohttp.ClientSession() as session,
            _prometheus(folder, target) as url,
        ):
            await asyncio.sleep(arguments.minutes * 60)
            await asyncio.to_thread(_write_past, folder, await _recorded(session, url), arguments.days)
            await _until_loaded(session, url, arguments.days)
            asked = [each async for each in _asked(session, url, arguments.days)]
    _report(asked, arguments.shown)


def _statuses(units: int, at: float, rng: random.Random) -> list[UnitStatus]:
    statuses = fleet(ledger(units), rng, at)
    for place in rng.sample(range(units), round(FAULTY_RATIO * units)):
        declared = statuses[place].entry
        statuses[place] = structs.replace(
            gone_silent(declared.unit_id), entry=entry(declared.unit_id, place=declared.place)
        )
    return statuses


@contextlib.asynccontextmanager
async def _served(units: int) -> AsyncIterator[str]:
    """Serve a store of that many units; the block gets its address."""
    rng = random.Random(1)
    metrics = Metrics(SITE, version="0", clock=time.monotonic, share_s=0.0)
    rounds = [_statuses(units, time.time(), rng) for _ in range(2)]
    scrapes = 0

    async def scrape(request: web.Request) -> web.Response:
        nonlocal scrapes
        scrapes += 1
        statuses = rounds[scrapes % 2]
        for status in statuses:
            metrics.on_unit(status)
        metrics.on_site(site_figures(statuses, time.time()), is_whole=True)
        body, headers = await metrics.scrape(request.headers.get("Accept", ""), "")
        return web.Response(body=body, headers=headers)

    application = web.Application()
    application.router.add_get("/metrics", scrape)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def _prometheus(folder: Path, target: str) -> AsyncIterator[str]:
    """Run a Prometheus with the shipped rules; the block gets its address."""
    address = f"127.0.0.1:{free_port()}"
    config = {
        "global": {"scrape_interval": f"{SCRAPE_S}s", "scrape_timeout": f"{SCRAPE_S}s", "evaluation_interval": "15s"},
        "rule_files": [str(path) for path in sorted(RULES.glob("*.yml"))],
        "scrape_configs": [{"job_name": "hashsight", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.json").write_text(json.dumps(config), encoding="utf-8")
    log = (folder / "prometheus.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={folder / 'prometheus.json'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        "--storage.tsdb.retention.time=10y",
        "--storage.tsdb.min-block-duration=1h",
        # The days before have a value every ten minutes.
        "--query.lookback-delta=11m",
        f"--web.listen-address={address}",
        stdout=log,
        stderr=log,
    )
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        await process.wait()
        log.close()


async def _query(session: aiohttp.ClientSession, url: str, path: str, **parameters: str) -> dict[str, Any]:
    async with session.post(f"{url}/api/v1/{path}", data=parameters) as response:
        answer: dict[str, Any] = await response.json()
    if answer["status"] != "success":
        raise SystemExit(f"{parameters}: {answer['error']}")
    return answer["data"]


async def _recorded(session: aiohttp.ClientSession, url: str) -> list[tuple[str, float]]:
    """Return every recorded series with its value of now, as OpenMetrics has it."""
    data = await _query(session, url, "query", query='{__name__=~".+:.+"}')
    in_graphs = {
        name for ask in all_asks() if ask.is_range for name in re.findall(r"[a-z]+:[a-z_]+:[a-z0-9]+", ask.expr)
    }
    series = []
    for each in data["result"]:
        labels = dict(each["metric"])
        if labels["__name__"] not in in_graphs:
            continue
        name = labels.pop("__name__")
        pairs = ",".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in sorted(labels.items()))
        series.append((f"{name}{{{pairs}}}", float(each["value"][1])))
    print(f"{len(series):,} recorded series in graphs", flush=True)
    return series


def _write_past(folder: Path, series: list[tuple[str, float]], days: int) -> None:
    """Write the days before as blocks of Prometheus."""
    rng, now = random.Random(2), int(time.time()) // 300 * 300 - 3600
    file = folder / "past.om"
    with file.open("w", encoding="utf-8") as text:
        for line in _past(series, now, days, rng):
            text.write(line)
        text.write("# EOF\n")
    command = ["promtool", "tsdb", "create-blocks-from", "--max-block-duration=64h", "--quiet", "openmetrics"]
    subprocess.run([*command, str(file), str(folder / "tsdb")], check=True, stdout=subprocess.DEVNULL)
    file.unlink()


def _past(series: list[tuple[str, float]], now: int, days: int, rng: random.Random) -> Iterator[str]:
    for name, value in series:
        for at in range(now - days * 86_400, now, PAST_STEP_S):
            yield f"{name} {value * rng.uniform(0.97, 1.0):.6g} {at}\n"


async def _until_loaded(session: aiohttp.ClientSession, url: str, days: int) -> None:
    """Wait until Prometheus has loaded the blocks; it looks for new ones once a minute."""
    at = str(time.time() - (days - 1) * 86_400)
    for _ in range(120):
        data = await _query(session, url, "query", query="count({__name__=~'site:.+'})", time=at)
        if data["result"]:
            return
        await asyncio.sleep(2)
    raise SystemExit("the days before were not loaded")


async def _asked(session: aiohttp.ClientSession, url: str, days: int) -> AsyncIterator[Asked]:
    values = {
        **dict.fromkeys(("container", "model", "make", "reader", "firmware", "state", "cause"), ".*"),
        **dict.fromkeys(("job", "instance"), ".*"),
        "site": SITE,
        "unit": "u000007",
        "search": "",
        "__rate_interval": f"{4 * SCRAPE_S}s",
    }
    spans = {name: _span_s(board["time"]["from"]) for name, board in boards().items()}
    for ask in all_asks():
        name, _, where = ask.where.partition(": ")
        own = spans[name]
        for over, span in {"now" if not ask.is_range else "own range": own, f"{days} d": days * 86_400.0}.items():
            if not ask.is_range and over != "now":
                continue
            step = max(span / POINTS, SCRAPE_S)
            expr = filled(ask.expr, values | {"__range": f"{span:.0f}s", "__interval": f"{step:.0f}s"})
            times, series = [], 0
            for _ in range(3):
                took_s, series = await _timed(session, url, expr, span if ask.is_range else None, step)
                times.append(took_s)
            yield Asked(name, where, over, statistics.median(times), series)


async def _timed(
    session: aiohttp.ClientSession, url: str, expr: str, span: float | None, step: float
) -> tuple[float, int]:
    now = time.time()
    if span is None:
        data = await _query(session, url, "query", query=expr, time=str(now), stats="all")
    else:
        data = await _query(
            session, url, "query_range", query=expr, start=str(now - span), end=str(now), step=str(step), stats="all"
        )
    return float(data["stats"]["timings"]["execTotalTime"]), len(data["result"])


def _span_s(text: str) -> float:
    amount, unit = text.removeprefix("now-")[:-1], text[-1]
    return float(amount) * {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}[unit]


def _report(asked: list[Asked], shown: int) -> None:
    print(f"{'took':>8}  {'series':>6}  query")
    for each in sorted(asked, key=lambda each: -each.took_s)[:shown]:
        print(f"{each.took_s * 1e3:>5.0f} ms  {each.series:>6,}  {each.dashboard} {each.where}, {each.over}")
    refreshes: dict[str, float] = defaultdict(float)
    for each in asked:
        if each.over in {"now", "own range"}:
            refreshes[each.dashboard] += each.took_s
    for name, took_s in sorted(refreshes.items()):
        print(f"a refresh of {name} takes {took_s:.2f} s")
    slow = [each for each in asked if each.took_s > MOST_S]
    verdict(not slow, f"{len(slow)} of {len(asked)} queries take longer than {MOST_S * 1e3:.0f} ms", "none")
    took_s = refreshes["units.json"]
    verdict(took_s < MOST_OF_UNITS_S, f"a refresh of Units takes {took_s:.2f} s", f"under {MOST_OF_UNITS_S:g}")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
