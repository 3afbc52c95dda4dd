"""Every query of every dashboard, against a real Prometheus that scrapes an agent over a simulated site."""

import contextlib
import datetime as dt
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from dashboard_cases import RULES, Ask, all_asks, boards, filled
from live_prometheus import prometheus
from patience import PATIENT_S
from programs import CONFIG, Program, farm, free_port, get, program, query, until

HS = "hashrate_hashes_per_second"
HOUR_S = 3600
SITE = "alpha"

# Samples that a query may read, counted for each step: the same on every machine. The largest query here reads a
# million, for which Prometheus 2.42 needs less than half a second.
MOST_SAMPLES = 2_000_000

VALUES = {
    **dict.fromkeys(("container", "model", "make", "reader", "firmware"), ".*"),
    **dict.fromkeys(("state", "cause", "job", "instance"), ".*"),
    "site": SITE,
    "search": "",
    "__rate_interval": "4s",
    "__range": "1h",
}

# Queries that may have no result in a healthy minute; every other must have one.
MAY_BE_EMPTY = {
    "site.json: 702": "delivered hashrate needs an hour of polling",
    "site.json: 703": "delivered hashrate needs an hour of polling",
    "site.json: 704": "a pool's own figures need an account",
    "site.json: 707": "no look for machines that the ledger lacks was made",
    "unit.json: 307 'Do its pools credit what it reports?' A": "a rate over an hour needs an hour",
    "units.json: 204": "every unit has a living pool",
    "agent.json: 203": "no poll may be skipped",
    "agent.json: 207": "no reply may need repair",
    "agent.json: 507 'MQTT failures' B": "no outbox may fail",
}

# A meter, a curtailment, a broker that is down, and pools that are not the units', which the dashboards must show too.
MORE = """external_url = "https://gateway.mine.example"
[[meter]]
name = "feeder"
watts = 200_000
[[mqtt]]
name = "site"
host = "127.0.0.1"
port = {broker}
[[pools.allowed]]
name = "main"
urls = ["pool.example"]
accounts = ["*"]
[[curtailment]]
name = "all-day"
start = "00:00"
end = "00:00"
container = "C1"
"""


@contextlib.asynccontextmanager
async def curtailed_agent(folder: Path, web_port: int) -> AsyncIterator[tuple[Program, str]]:
    """Run an agent whose container C1 is curtailed; yield its address once it has polled every unit."""
    port = free_port()
    config = folder / "site.toml"
    text = CONFIG.format(interval_s=1, port=port, count_simulated="true")
    text = text.replace("[identity]\nenabled = false", f"[identity]\nweb_port = {web_port}")
    config.write_text(text + MORE.format(broker=free_port()), encoding="utf-8")
    url = f"http://127.0.0.1:{port}"
    command = (sys.executable, "-m", "agent", "run", "--config", str(config))
    async with program(*command, log=folder / "agent.log") as running:

        async def is_ready() -> bool:
            return (await get(f"{url}/readyz"))[0] == 200

        await until(is_ready, running)
        yield running, url


def hourly(series: str, values: Callable[[int], float], hours: Iterable[int]) -> Iterator[str]:
    """Yield the OpenMetrics lines of a recorded hourly series; `hours` are the Unix times at which they end."""
    for at in hours:
        # Prometheus looks back five minutes, so a query just before the end of an hour finds the first of these.
        for moment in (at - 120, at):
            yield f"{series} {values(at)!r} {moment}"


def load_blocks(folder: Path, lines: Iterable[str]) -> None:
    """Turn lines of recorded series into Prometheus blocks, as gauges without declared type."""
    file = folder / "past.om"
    file.write_text("\n".join([*lines, "# EOF"]) + "\n", encoding="utf-8")
    # By default it makes a block for every two hours, which takes minutes.
    importing = ("promtool", "tsdb", "create-blocks-from", "--max-block-duration=1000h", "openmetrics")
    command = [*importing, str(file), str(folder / "tsdb")]
    made = subprocess.run(command, capture_output=True, text=True, timeout=PATIENT_S, check=False)
    assert made.returncode == 0, made.stderr


def quick_rules(folder: Path) -> list[str]:
    """Copy the shipped rules, including alerts, with an interval of one second and no `for`."""
    copies = []
    for path in sorted(RULES.glob("*.yml")):
        text = re.sub(r"(?m)^(\s+)interval: .*$", r"\1interval: 1s", path.read_text(encoding="utf-8"))
        copy = folder / path.name
        copy.write_text(re.sub(r"(?m)^(\s+)for: .*$", r"\1for: 0s", text), encoding="utf-8")
        copies.append(str(copy))
    return copies


async def answer(session: aiohttp.ClientSession, url: str, expr: str, *, days: float, step_s: int) -> int:
    """Query as Grafana does, over the last `days` or at this moment if 0; return the number of series.

    Raises:
        AssertionError: Prometheus refused, or read more than `MOST_SAMPLES`.
    """
    now = int(time.time())
    parameters = {"query": expr, "stats": "true"}
    if days:
        start = (now - int(days * 86400)) // step_s * step_s
        parameters |= {"start": str(start), "end": str(now), "step": str(step_s)}
    else:
        parameters["time"] = str(now)
    async with session.post(f"{url}/api/v1/query{'_range' if days else ''}", data=parameters) as response:
        reply = await response.json()
    assert reply["status"] == "success", f"{reply['error']}: {expr}"
    assert samples_read(reply) <= MOST_SAMPLES, expr
    return len(reply["data"]["result"])


def samples_read(reply: Any) -> int:
    """Return how many samples a query read, from Prometheus' own count."""
    samples: int = reply["data"]["stats"]["samples"]["totalQueryableSamples"]
    return samples


async def _unanswered(url: str, asks: list[Ask], values: dict[str, str]) -> list[Ask]:
    """Run every query once; return those without a result."""
    left = []
    async with aiohttp.ClientSession() as session:
        for ask in asks:
            is_monthly = "day_of_month" in ask.expr
            days, step_s = ((400.0, 86400) if is_monthly else (1 / 24, 5)) if ask.is_range else (0.0, 0)
            try:
                found = await answer(session, url, filled(ask.expr, values), days=days, step_s=step_s)
            except AssertionError as error:
                raise AssertionError(f"{ask.where}: {error}") from error
            if not found:
                left.append(ask)
    return left


def _may_be_empty(ask: Ask) -> bool:
    if "mtd" in ask.expr and _is_month_young():
        return True
    return any(f"{ask.where} ".startswith(f"{where} ") for where in MAY_BE_EMPTY)


def _is_month_young() -> bool:
    """Return True in the first hours of a month, in UTC: a month's average is made of hours that began in it."""
    now = dt.datetime.now(dt.UTC)
    return now.day == 1 and now.hour < 2


@pytest.mark.program("prometheus", "promtool")
async def test_every_question_has_an_answer_at_a_bounded_cost(tmp_path: Path) -> None:
    """With the shipped rules and ten weeks of recorded hours, every panel, annotation and variable has data."""
    hours = range(int(time.time()) // HOUR_S * HOUR_S - 70 * 86400, int(time.time()), HOUR_S)
    past = {
        f'site:mining_deployed_{HS}:avg1h{{site="{SITE}"}}': 60e12,
        f'site:mining_deployed_{HS}:sum{{site="{SITE}"}}': 60e12,
        f'site:mining_operating_{HS}:avg1h{{site="{SITE}"}}': 55e12,
        f'site:mining_known_{HS}:avg1h{{site="{SITE}"}}': 59e12,
        f'site:mining_loss_{HS}:avg1h{{site="{SITE}",cause="curtailed"}}': 1e12,
        f'site:mining_watched:ratio1h{{site="{SITE}"}}': 1.0,
        f'owner:mining_deployed_{HS}:avg1h{{site="{SITE}",owner="North"}}': 60e12,
        f'owner:mining_operating_{HS}:avg1h{{site="{SITE}",owner="North"}}': 55e12,
    }
    load_blocks(
        tmp_path,
        (line for series, value in past.items() for line in hourly(series, lambda _, value=value: value, hours)),
    )
    web_port = free_port()
    options = ("--http-port", str(web_port), "--owners", "North=50%")
    async with farm(tmp_path, units=50, options=options), curtailed_agent(tmp_path, web_port) as (_, url):
        target = url.removeprefix("http://")
        async with prometheus(tmp_path, quick_rules(tmp_path), [target]) as (running, server):

            async def unit() -> str:
                found = await query(server, f'miner_loss_{HS} and on (unit) miner_state{{state="hashing"}}')
                return found[0][0]["unit"] if found else ""

            values = {**VALUES, "unit": await until(unit, running)}
            left = all_asks()

            async def all_answered() -> bool:
                nonlocal left
                left = await _unanswered(server, left, values)
                return all(map(_may_be_empty, left))

            with contextlib.suppress(AssertionError):
                await until(all_answered, running, within_s=PATIENT_S)
            assert [ask.where for ask in left if not _may_be_empty(ask)] == []


MONTHS = (("2025-09", 30, 44.85), ("2025-10", 31, 46.09))


@pytest.mark.program("prometheus", "promtool")
async def test_the_monthly_table_gives_calendar_months_exactly(tmp_path: Path) -> None:
    """The Fleet dashboard's monthly queries return exactly 89.70 and 92.18 % of 50 EH/s."""
    lines: list[str] = []
    for month, days, operating in MONTHS:
        first = int(dt.datetime.fromisoformat(f"{month}-01T00:00+00:00").timestamp())
        ends = [first + HOUR_S * (hour + 1) for hour in range(days * 24)]
        for site, share in (("one", 0.3), ("two", 0.7)):
            # A slope over the month with the right mean, so that an extra or missing hour at either end shows.
            slope = {
                at: share * 1e18 * (operating + 10 * ((number + 0.5) / len(ends) - 0.5))
                for number, at in enumerate(ends)
            }
            curtailed = f'site:mining_loss_{HS}:avg1h{{site="{site}",cause="curtailed"}}'
            lines += hourly(f'site:mining_operating_{HS}:avg1h{{site="{site}"}}', slope.__getitem__, ends)
            lines += hourly(f'site:mining_deployed_{HS}:avg1h{{site="{site}"}}', lambda _, s=share: s * 50e18, ends)
            lines += hourly(f'site:mining_deployed_{HS}:sum{{site="{site}"}}', lambda _, s=share: s * 50e18, ends)
            lines += hourly(curtailed, lambda _, s=share: s * 1e18, ends)
            lines += hourly(f'site:mining_watched:ratio1h{{site="{site}"}}', lambda _: 1.0, ends)
    # promtool needs each series' samples together and in time order.
    lines.sort(key=lambda line: (line.split(" ")[0], int(line.rsplit(" ", 1)[1])))
    load_blocks(tmp_path, lines)
    panel = next(each for each in boards()["fleet.json"]["panels"] if each["title"].startswith("What were the months"))
    columns = {}
    async with prometheus(tmp_path, [], []) as (_, server), aiohttp.ClientSession() as session:
        for target in panel["targets"]:
            parameters = {
                "query": filled(target["expr"], {"site": ".*"}),
                "start": "2025-08-25T00:00:00Z",
                "end": "2025-11-20T00:00:00Z",
                "step": "86400",
                "stats": "true",
            }
            async with session.post(f"{server}/api/v1/query_range", data=parameters) as response:
                reply = await response.json()
            assert reply["status"] == "success", reply
            assert samples_read(reply) <= MOST_SAMPLES
            found = {
                each["metric"]["month"]: [float(value) for _, value in each["values"]]
                for each in reply["data"]["result"]
            }
            columns[target["refId"]] = found
    assert columns["A"] == {"202509": [pytest.approx(50e18)], "202510": [pytest.approx(50e18)]}
    assert columns["B"] == columns["A"]
    assert columns["C"] == {"202509": [pytest.approx(44.85e18)], "202510": [pytest.approx(46.09e18)]}
    assert columns["D"] == {"202509": [pytest.approx(0.8970)], "202510": [pytest.approx(0.9218)]}
    assert columns["E"] == {"202509": [pytest.approx(44.85 / 49)], "202510": [pytest.approx(46.09 / 49)]}
    assert columns["F"] == {"202509": [pytest.approx(1)], "202510": [pytest.approx(1)]}
