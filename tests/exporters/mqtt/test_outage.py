"""A whole agent without its broker: polls, scrapes and history go on, and consumers get everything afterwards."""

import asyncio
import json
import signal
import statistics
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from agent_counts import counted
from brokers import ROOT, consumer, mosquitto, payloads
from mqtt_agent import mqtt_agent, section
from programs import Program, farm, get_json, until

from agent.history.minutes import Row, row_from
from agent.history.reader import read_history

pytestmark = pytest.mark.program("mosquitto")

UNITS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """An agent's work over a stretch of time.

    Attributes:
        took_s: Length of the stretch, s.
        intervals: Number of new figures.
        polls: Number of polls, failed ones included.
        failed, skipped: Polls that failed, and polls that were due and not made.
        scrapes_s: Duration of each scrape of /metrics, s.
    """

    took_s: float
    intervals: int
    polls: int
    failed: int
    skipped: int
    scrapes_s: tuple[float, ...]

    def __str__(self) -> str:
        """Return the figures in one line."""
        scrape_ms = statistics.median(self.scrapes_s) * 1e3
        return (
            f"{self.intervals} intervals in {self.took_s:.1f} s, {self.polls} polls ({self.polls / self.took_s:.1f}/s, "
            f"{self.failed} failed, {self.skipped} skipped), /metrics in {scrape_ms:.1f} ms"
        )


async def watch(url: str, running: Program, intervals: int) -> Stretch:
    """Scrape the agent once an interval."""
    before, _ = await counted(url)
    began, scrapes_s = time.monotonic(), []
    at = (await get_json(f"{url}/api/v1/site"))["figures_at"]
    for _ in range(intervals):

        async def moved(at: str = at) -> Any:
            found = (await get_json(f"{url}/api/v1/site"))["figures_at"]
            return found if found != at else None

        at = await until(moved, running)
        after, scrape_s = await counted(url)
        scrapes_s.append(scrape_s)
    return Stretch(
        took_s=time.monotonic() - began,
        intervals=intervals,
        polls=after["polls"] - before["polls"],
        failed=after["failed"] - before["failed"],
        skipped=after["skipped"] - before["skipped"],
        scrapes_s=tuple(scrapes_s),
    )


def history(folder: Path) -> list[Row]:
    """Return the site's rows."""
    with closing(read_history(folder / "site.history.sqlite")) as reader:
        return [row_from(values) for chunk in reader.chunks(0, 1e12) for values in chunk]


@pytest.mark.parametrize("intervals", [3, pytest.param(360, marks=pytest.mark.slow)])
async def test_a_broker_that_is_down_is_not_noticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], intervals: int
) -> None:
    """Polls, scrapes and history go on as with a broker; all figures arrive in order after its return."""
    async with mosquitto(tmp_path / "broker") as broker, farm(tmp_path, units=UNITS):
        with consumer(broker.port, f"{ROOT}/#", client_id="database") as reader:
            async with mqtt_agent(tmp_path, section(broker.port)) as (running, url):
                await reader.until(lambda got: payloads(got, f"{ROOT}/figures"))
                up = await watch(url, running, max(3, intervals // 6))
                await asyncio.to_thread(broker.stop)
                down = await watch(url, running, intervals)
                received = len(payloads(reader.messages, f"{ROOT}/figures"))
                waited = (await counted(url))[0]["waiting"]
                await asyncio.to_thread(broker.start)
                began = time.monotonic()
                await reader.until(lambda got: len(payloads(got, f"{ROOT}/figures")) >= received + intervals)
                drained_s = time.monotonic() - began
                running.process.send_signal(signal.SIGTERM)
                assert await running.ended() == 0
            await reader.until(lambda got: json.loads(got[-1][1])["schema"].startswith("hashsight.agent"))
    figures = payloads(reader.messages, f"{ROOT}/figures")
    rows = history(tmp_path)
    watched_s = sum(row.watched_s for row in rows)
    with capsys.disabled():
        print(  # noqa: T201  the printed figures are the purpose of this test
            f"\nbroker up:   {up}\nbroker down: {down}\nwaiting at its return {waited}, all figures there after "
            f"{drained_s:.1f} s; {len(figures)} figures, {watched_s:.1f} s of history in {len(rows)} rows"
        )
    assert waited >= intervals
    # The first and last interval are incomplete, and a failing unit is polled less often for a while.
    assert down.polls + down.skipped >= 0.9 * UNITS * (down.intervals - 2)
    assert down.skipped + down.failed <= UNITS * (1 + down.intervals // 60)
    assert [body["previous_seq"] for body in figures[1:]] == [body["seq"] for body in figures[:-1]]
    times = [body["time"] for body in figures]
    assert times == sorted(set(times))
    # History covers every second of the messages, with the same figures.
    messages_s = (datetime.fromisoformat(times[-1]) - datetime.fromisoformat(times[0])).total_seconds() + 1
    assert watched_s == pytest.approx(messages_s, abs=2 + messages_s / 50)
    mean_hs = sum(row.operating_hs * row.watched_s for row in rows) / watched_s
    published_hs = statistics.fmean(body["figures"]["operating_hs"] for body in figures)
    assert mean_hs == pytest.approx(published_hs, rel=0.2 if intervals < 60 else 0.02)
