"""Agents asked again and again: how often, what is kept, and what is logged once."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from fleet_cases import AT, figures, fleet_setup, report, site
from structlog.testing import capture_logs

from agent.fleet.figures import Standing
from agent.fleet.report import Report
from agent.fleet.setup import FleetSetup, Site
from agent.fleet.troubles import SiteError, Trouble
from agent.fleet.watch import Watch

URL = "http://agent:9184"


class Asked:
    """Agents that answer or fail as a test likes, and a clock that it turns.

    Attributes:
        clock_s: Monotonic time, s.
        errors: Why an agent fails, by address; the others answer.
        now: The moment that answers are of; it moves with each.
    """

    def __init__(self) -> None:
        self.clock_s = 0.0
        self.errors: dict[str, Exception] = {}
        self.now = report().now
        self.is_moving = True
        self.count = 0

    async def ask(self, _: aiohttp.ClientSession, of: Site, url: str, *, deadline_s: float) -> Report:
        """Answer for one agent."""
        assert deadline_s == 5
        self.count += 1
        if url in self.errors:
            raise self.errors[url]
        self.now += timedelta(seconds=self.is_moving)
        return msgspec.structs.replace(report(of.name, figures(100, 95)), now=self.now)


def watched(setup: FleetSetup) -> tuple[Watch, Asked]:
    """Return a watch over agents that a test controls."""
    asked = Asked()
    return Watch(setup, ask=asked.ask, clock=lambda: asked.clock_s, wall=lambda: AT + asked.clock_s), asked


async def test_each_agents_latest_answer_is_kept(tmp_path: Path) -> None:
    """One that fails keeps its last answer until that is stale; one that never answered has none."""
    watch, asked = watched(fleet_setup(tmp_path, site("a", URL), site("b", "http://other:9184")))
    asked.errors["http://other:9184"] = SiteError(Trouble.SLOW, "no whole answer within 5 s")
    assert [view.standing for view in watch.views()] == [Standing.MISSING, Standing.MISSING]
    assert not watch.is_asked()
    await watch.ask_once()
    assert watch.is_asked()
    assert [view.standing for view in watch.views()] == [Standing.CURRENT, Standing.MISSING]
    asked.errors[URL] = SiteError(Trouble.UNREACHABLE, "connection refused")
    asked.clock_s = 30.0
    await watch.ask_once()
    (kept, _) = watch.views()
    assert (kept.standing, kept.answer_age_s, kept.answered_at) == (Standing.CURRENT, 30.0, AT)
    assert kept.agents[0].failing_since == AT + 30
    asked.clock_s = 31.0
    assert watch.views()[0].standing is Standing.LATE


async def test_an_agent_that_fails_is_asked_less_and_less_often(tmp_path: Path) -> None:
    """The pause doubles up to its limit, and is an interval again after one answer."""
    watch, asked = watched(fleet_setup(tmp_path, site("a", URL)))
    asked.errors[URL] = SiteError(Trouble.UNREACHABLE, "connection refused")
    pauses = []
    for _ in range(5):
        await watch.ask_once()
        pauses.append(watch.pause_s(URL))
    assert pauses == [20, 40, 60, 60, 60]
    del asked.errors[URL]
    await watch.ask_once()
    assert watch.pause_s(URL) == 10


async def test_each_trouble_is_logged_once_until_the_site_answers_again(tmp_path: Path) -> None:
    """A site that alternates between two troubles fills no log."""
    watch, asked = watched(fleet_setup(tmp_path, site("a", URL)))
    with capture_logs() as logs:
        for trouble in (Trouble.SLOW, Trouble.SLOW, Trouble.REDIRECT, Trouble.SLOW, Trouble.REDIRECT):
            asked.errors[URL] = SiteError(trouble, "so")
            asked.clock_s += 10
            await watch.ask_once()
        asked.errors.clear()
        asked.clock_s += 10
        await watch.ask_once()
        await watch.ask_once()
    plain = {"site": "a", "url": URL}
    assert logs == [
        {"event": "site does not answer", "log_level": "warning", **plain, "trouble": "slow", "reason": "so"},
        {"event": "site does not answer", "log_level": "warning", **plain, "trouble": "redirect", "reason": "so"},
        {"event": "site answers again", "log_level": "info", **plain, "silent_s": 50.0},
    ]


async def test_an_answer_that_repeats_itself_does_not_count(tmp_path: Path) -> None:
    """A cache in between would keep a dead agent's figures alive."""
    watch, asked = watched(fleet_setup(tmp_path, site("a", URL)))
    await watch.ask_once()
    asked.is_moving = False
    for asked.clock_s in (10.0, 20.0, 31.0):
        await watch.ask_once()
    (view,) = watch.views()
    assert view.standing is Standing.LATE
    assert view.agents[0].error is not None
    assert view.agents[0].error.trouble is Trouble.REPEATED


async def test_a_bug_costs_one_sites_answer_and_is_logged_with_its_traceback(tmp_path: Path) -> None:
    """The other sites go on."""
    watch, asked = watched(fleet_setup(tmp_path, site("a", URL), site("b", "http://other:9184")))
    asked.errors[URL] = KeyError("surprise")
    with capture_logs() as logs:
        await watch.ask_once()
    assert [view.standing for view in watch.views()] == [Standing.MISSING, Standing.CURRENT]
    assert logs[0]["event"] == "answer not understood"
    assert logs[0]["exc_info"] is True


async def test_a_reload_keeps_answers_of_unchanged_agents(tmp_path: Path) -> None:
    """An agent with another name or address starts anew; one that is gone is forgotten."""
    watch, _ = watched(fleet_setup(tmp_path, site("a", URL), site("b", "http://b:1"), site("c", "http://c:1")))
    await watch.ask_once()
    watch.replace(
        fleet_setup(tmp_path, site("a", URL, link="http://elsewhere"), site("d", "http://b:1"), site("c", "http://c:2"))
    )
    assert [(view.name, view.standing) for view in watch.views()] == [
        ("a", Standing.CURRENT),
        ("d", Standing.MISSING),
        ("c", Standing.MISSING),
    ]
    assert not watch.is_asked()


async def test_running_asks_every_site_and_follows_a_reload(tmp_path: Path) -> None:
    """Sites of another file are asked from then on."""
    watch, asked = watched(fleet_setup(tmp_path, site("a", URL)))
    running = asyncio.create_task(watch.run())
    try:
        await _until(lambda: watch.views()[0].standing is Standing.CURRENT)
        watch.replace(fleet_setup(tmp_path, site("b", "http://b:1"), site("c", "http://c:1")))
        await _until(lambda: all(view.standing is Standing.CURRENT for view in watch.views()))
        assert asked.count == 3
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_hanging_agents_leave_half_of_the_places_to_others(tmp_path: Path) -> None:
    """However many sites hang, those that answer are asked."""
    setup = fleet_setup(tmp_path, *(site(f"s{number}", f"http://s{number}:1") for number in range(20)), site("a", URL))
    hanging = asyncio.Event()
    asked: list[str] = []

    async def ask(_: Any, of: Site, url: str, *, deadline_s: float) -> Report:
        del deadline_s
        asked.append(url)
        if of.name == "a":
            return msgspec.structs.replace(report("a", figures(1, 1)), now=report().now + timedelta(seconds=len(asked)))
        if asked.count(url) > 1:
            await hanging.wait()
        raise SiteError(Trouble.SLOW, "no whole answer")

    setup = FleetSetup(
        path=setup.path,
        config=setup.config.model_copy(
            update={"fleet": setup.config.fleet.model_copy(update={"interval_s": 0.0, "backoff_max_s": 0.0})}
        ),
        sites=setup.sites,
    )
    watch = Watch(setup, ask=ask, clock=lambda: 0.0, wall=lambda: AT)
    running = asyncio.create_task(watch.run())
    try:
        await _until(lambda: asked.count(URL) > 20)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_the_watch_is_ill_when_no_question_ends(tmp_path: Path) -> None:
    """After three of the longest pauses, in words."""
    watch, asked = watched(fleet_setup(tmp_path, site("a", URL)))
    asked.clock_s = 195.0
    assert (watch.illness, watch.progress()) == (None, 195)
    asked.clock_s = 196.0
    assert (watch.illness, watch.progress()) == ("no agent was asked for 196 s", 0)


async def _until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  the watch sets no event
            await asyncio.sleep(0)


async def test_both_agents_of_a_pair_are_asked_and_the_site_counts_once(tmp_path: Path) -> None:
    """The primary fails, its standby answers: one site, current, with the primary's trouble beside it."""
    watch, asked = watched(fleet_setup(tmp_path, site("a", URL, standby_url="http://second:9184")))
    asked.errors[URL] = SiteError(Trouble.UNREACHABLE, "connection refused")
    await watch.ask_once()
    assert asked.count == 2
    (view,) = watch.views()
    assert (view.standing, view.url) == (Standing.CURRENT, "http://second:9184")
    assert [agent.error is None for agent in view.agents] == [False, True]
