"""A standby's parts in time: pace, takeover within two intervals, return, skewed clocks and shared curtailments."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
import structlog
from site_cases import AT, TH, reading
from web_site import served

from agent.app import Agent
from agent.errors import ConfigError
from agent.exporters.web.curtailment_answers import curtailment_list_answer
from agent.exporters.web.server import serve
from agent.runtime.setup import load_setup
from agent.runtime.standby import Standby
from agent.runtime.standstill import Clocks
from agent.runtime.web_source import web_source
from agent.site.curtailment.events import Curtailments, Event, Scope
from agent.site.curtailment.orders import StartOrder
from agent.site.event_figures import event_figures
from agent.standby.lease import LOOKS_AN_INTERVAL
from agent.standby.watch import Answer, PrimaryError, RefusedOrderError
from agent.standby.watch import Primary as RealPrimary
from agent.unit.reading import Poll

CONFIG = """\
[site]
name = "alpha"
[ledger]
file = "ledger.csv"
[history]
keep = false
[snapshot]
keep = false
[api]
token_file = "token"
[standby]
of = "http://10.0.0.5:9184"
token_file = "token"
"""
HEADER = "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"
UNIT_IDS = [f"u{number:03}" for number in range(20)]
INTERVAL_S = 10.0


class Primary:
    """The first agent, as the test wants it.

    Attributes:
        answer: What it answers; None is silence.
        events: What was ordered there.
        orders: What was ordered there by the standby.
        starts: When what was started there begins, Unix times, s.
        refusals: What it raises for orders of these ids.
    """

    url = "http://10.0.0.5:9184"

    def __init__(self, now: Callable[[], float]) -> None:
        self.answer: Answer | None = Answer(has_figures=True, words="ready", clock_offset_s=0.0)
        self.events: list[Event] = []
        self.orders: list[tuple[str, object]] = []
        self.starts: list[float] = []
        self.refusals: dict[str, PrimaryError] = {}
        self._now = now

    async def ask(self, *, within_s: float) -> Answer:
        """Answer, or not."""
        if self.answer is None:
            raise PrimaryError(f"no answer within {within_s:.1f} s")
        return self.answer

    async def curtailments(self, *, within_s: float) -> bytes:
        """Return the list."""
        del within_s
        figures = event_figures(Curtailments((), self.events), (), self._now())
        return msgspec.json.encode(curtailment_list_answer("alpha", figures, self._now()))

    async def start(self, order: dict[str, object], *, within_s: float) -> None:
        """Take an order."""
        del within_s
        self.starts.append(datetime.fromisoformat(str(order["start"])).timestamp())
        self._take("start", str(order["id"]))

    async def stop(self, event_id: str, *, within_s: float) -> None:
        """Take an order."""
        del within_s
        self._take("stop", event_id)

    def _take(self, what: str, event_id: str) -> None:
        self.orders.append((what, event_id))
        if event_id in self.refusals:
            raise self.refusals[event_id]


class Second:
    """A standby without sockets, whose clocks go by the test.

    Attributes:
        now: Seconds since the start.
        skew_s: How far its wall clock was set since.
    """

    def __init__(self, folder: Path) -> None:
        self.now, self.skew_s = 0.0, 0.0
        self.agent = Agent(load_setup(folder / "site.toml"))
        self.agent._standstill._clocks = lambda: Clocks(self.monotonic(), self.monotonic())
        self.agent.book._wall = self.time
        self.standby = Standby(
            "http://10.0.0.5:9184",
            lambda: self.agent.setup,
            self.agent._parts,
            self.agent.timer,
            new_mqtt=lambda: self.agent._new_mqtt(self.agent.setup),
            clock=self.monotonic,
            wall=self.time,
        )
        self.agent.standby = self.standby
        self.primary = Primary(self.time)
        self.standby.primary = self.primary  # type: ignore[assignment]

    def monotonic(self) -> float:
        """Return the monotonic clock, s."""
        return 1000.0 + self.now

    def time(self) -> float:
        """Return Unix time, s."""
        return AT + self.now + self.skew_s

    def poll(self, *unit_ids: str) -> None:
        """Record a good poll of 190 of 200 TH/s of these units, or of all."""
        for unit_id in unit_ids or UNIT_IDS:
            answer = reading(unit_id, at=self.time(), hashrate_5s_hs=float(190 * TH), boards=())
            self.agent._on_poll(Poll(unit_id=unit_id, at=self.time(), took_s=0.02, reading=answer), self.monotonic())

    async def look(self, seconds: float) -> None:
        """Look for the primary each quarter of an interval, for so long."""
        until = self.now + seconds
        while self.now < until:
            self.now += INTERVAL_S / LOOKS_AN_INTERVAL
            # As the loop watch does, several times a second.
            self.agent.rounds.look_for_standstill()
            await self.standby.step()

    async def until_active(self) -> float:
        """Look until it has taken over; return how long that took, s."""
        began = self.now
        while not self.standby.lease.is_active:
            await self.look(INTERVAL_S / LOOKS_AN_INTERVAL)
        return self.now - began

    def ratio(self) -> float | None:
        """Return operating over deployed as `/metrics` shows it; None if it shows none."""
        text = self.agent.metrics._figure_texts.get("mining_site_operational_efficiency_ratio")
        return None if text is None else float(text.split()[-1])

    async def scrape(self) -> str:
        """Return everything on `/metrics`."""
        self.agent.metrics._bodies.drop_all()
        body, _ = await self.agent.metrics.scrape()
        return body.decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a standby's files."""
    (tmp_path / "site.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "token").write_text("0123456789abcdef0123456789abcdef", encoding="utf-8")
    (tmp_path / "token").chmod(0o600)
    rows = (
        f"{unit_id},S21,200,127.77.0.{number + 1},C1,R1,{number},2025-01-01,,deployed"
        for number, unit_id in enumerate(UNIT_IDS)
    )
    (tmp_path / "ledger.csv").write_text(HEADER + "\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


@asynccontextmanager
async def standing_by(folder: Path) -> AsyncIterator[Second]:
    """Yield a standby that has polled every unit once at its pace."""
    second = Second(folder)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("agent.runtime.rounds.time", second)
        patched.setattr("agent.runtime.in_force.time", second)
        async with second.agent.polling(), asyncio.TaskGroup() as second.standby._tasks:
            second.agent._standstill.begin()
            second.poll()
            await second.look(0.0)
            yield second
            second.standby._stop_mqtt.set()


async def test_nothing_leaves_while_it_stands_by(folder: Path) -> None:
    """No series but its own, no figures, a tenth of the polls, and readings that are believed for as long."""
    async with standing_by(folder) as second:
        await second.look(30.0)
        second.agent.sum_up()
        text = await second.scrape()
        assert 'miner_agent_active{role="standby"} 0.0' in text
        names = {line.partition("{")[0].split()[0] for line in text.splitlines() if line and line[0] != "#"}
        assert {name for name in names if not name.startswith(("miner_agent_", "process_"))} == set()
        assert second.ratio() is None
        assert second.agent.rounds.unreadiness == "this agent stands by for http://10.0.0.5:9184"
        assert second.agent.poller._schedule.interval_s == 100.0
        assert second.agent.tracker.stale_after_s == 300.0


async def test_it_takes_over_with_what_it_knows_within_two_intervals(folder: Path) -> None:
    """Held readings make figures at once, neither fresh nor covered; polls are at the full pace from then on."""
    async with standing_by(folder) as second:
        await second.look(90.0)
        second.primary.answer = None
        with structlog.testing.capture_logs() as logs:
            assert await second.until_active() < 2 * INTERVAL_S
        events = [log["event"] for log in logs if log["log_level"] == "warning"]
        assert events[:2] == ["primary does not answer", "standby took over"]
        assert second.ratio() == 0.95
        figures = second.agent.rounds.figures
        assert figures is not None
        assert (figures.site.coverage_ratio, figures.site.overdue_units) == (0.0, 20)
        assert second.agent.poller._schedule.interval_s == 10.0
        assert second.agent.tracker.stale_after_s == 30.0
        assert "this agent is late: 20 of 20 units" in str(second.agent.rounds.unreadiness)
        text = await second.scrape()
        assert 'miner_agent_active{role="standby"} 1.0' in text
        assert 'miner_up{site="alpha",container="C1",unit="u000"} 0' in text
        second.poll()
        second.agent.sum_up()
        assert second.agent.rounds.unreadiness is None


async def test_it_gives_back_and_is_silent_at_once(folder: Path) -> None:
    """After two answers with figures nothing of the site is left, and the pace is a tenth again."""
    async with standing_by(folder) as second:
        second.primary.answer = None
        await second.until_active()
        second.poll()
        second.agent.sum_up()
        assert second.ratio() == 0.95
        second.primary.answer = Answer(has_figures=False, words="first round under way", clock_offset_s=0.0)
        await second.look(30.0)
        assert second.standby.lease.is_active
        second.primary.answer = Answer(has_figures=True, words="ready", clock_offset_s=0.0)
        with structlog.testing.capture_logs() as logs:
            await second.look(5.0)
        assert [log["event"] for log in logs] == ["standby gave back"]
        assert second.ratio() is None
        assert second.agent.poller._schedule.interval_s == 100.0
        assert "mining_site_" not in await second.scrape()
        second.agent.sum_up()
        assert second.ratio() is None
        assert second.agent.metrics.own.takeovers == 1


async def test_the_slower_pace_after_a_return_is_no_lateness(folder: Path) -> None:
    """What was read at the full pace lasts until the slower pace asks again, so nothing is overdue meanwhile."""
    async with standing_by(folder) as second:
        primary, second.primary.answer = second.primary.answer, None
        await second.until_active()
        second.poll()
        second.primary.answer = primary
        await second.look(5.0)
        assert not second.standby.lease.is_active
        with structlog.testing.capture_logs() as logs:
            await second.look(95.0)
            await second.agent.timer.tick()
        assert [log for log in logs if log["log_level"] != "info"] == []
        assert second.agent.rounds.lateness.units == 0


@pytest.mark.parametrize("skew_s", [-86400.0, -30.0, 30.0, 86400.0])
async def test_a_clock_that_is_set_changes_no_role(folder: Path, skew_s: float) -> None:
    """The lease goes by the monotonic clock: a wall clock set ahead or back neither takes over nor gives back."""
    async with standing_by(folder) as second:
        second.skew_s = skew_s
        second.primary.answer = Answer(has_figures=True, words="ready", clock_offset_s=-skew_s)
        with structlog.testing.capture_logs() as logs:
            await second.look(60.0)
        assert not second.standby.lease.is_active
        assert [(log["event"], log["offset_s"]) for log in logs] == [("clocks differ", -skew_s)]
        assert second.agent.metrics.own.primary_offset_s == -skew_s
        second.primary.answer = None
        second.skew_s = -skew_s
        assert await second.until_active() < 2 * INTERVAL_S
        second.skew_s = skew_s
        await second.look(60.0)
        assert second.standby.lease.is_active


async def test_a_suspended_standby_listens_before_it_takes_over(folder: Path) -> None:
    """An hour in which it did not run is no silence of the primary's."""
    async with standing_by(folder) as second:
        second.now += 3600.0
        second.primary.answer = None
        await second.standby.step()
        assert not second.standby.lease.is_active
        second.primary.answer = Answer(has_figures=True, words="ready", clock_offset_s=0.0)
        await second.look(60.0)
        assert not second.standby.lease.is_active


async def test_curtailments_are_shared(folder: Path) -> None:
    """What was ordered at the primary counts after a takeover; what was ordered meanwhile is handed back."""
    async with standing_by(folder) as second:
        grid = Event(
            id="grid", start=AT - 60, end=None, target_ratio=0.0, scope=Scope(), source="grid", is_started=True
        )
        second.primary.events = [grid]
        await second.look(5.0)
        assert second.agent.book.curtailments.events == (grid,)
        second.primary.answer = None
        await second.until_active()
        await second.agent.book.stop("grid", source="here")
        await second.agent.book.start(StartOrder(id="peak", target_percent=50), source="here")
        second.primary.answer = Answer(has_figures=True, words="ready", clock_offset_s=0.0)
        await second.look(5.0)
        assert not second.standby.lease.is_active
        assert sorted(second.primary.orders) == [("start", "peak"), ("stop", "grid")]


READY = Answer(has_figures=True, words="ready", clock_offset_s=0.0)


@pytest.mark.parametrize("skew_s", [-3600.0, 0.0, 3600.0])
async def test_what_was_ordered_here_is_in_force_there_whatever_the_clocks_say(folder: Path, skew_s: float) -> None:
    """A standby an hour ahead handed an order of this minute back as one for in an hour."""
    async with standing_by(folder) as second:
        second.primary.answer = None
        await second.until_active()
        second.skew_s = skew_s
        await second.agent.book.start(StartOrder(id="peak", target_percent=50), source="here")
        second.primary.answer = Answer(has_figures=True, words="ready", clock_offset_s=-skew_s)
        await second.look(5.0)
        assert second.primary.orders == [("start", "peak")]
        assert second.primary.starts[0] <= AT + second.now


async def test_a_refused_order_does_not_keep_those_behind_it(folder: Path) -> None:
    """It is logged and not sent again; the others are handed back all the same."""
    async with standing_by(folder) as second:
        second.primary.answer = None
        await second.until_active()
        for name in ("first", "second", "third"):
            await second.agent.book.start(StartOrder(id=name, target_percent=50), source="here")
        second.primary.refusals = {"second": RefusedOrderError("HTTP 409: an event of this id was declared otherwise")}
        second.primary.answer = READY
        with structlog.testing.capture_logs() as logs:
            await second.look(5.0)
            assert second.primary.orders == [("start", "first"), ("start", "second"), ("start", "third")]
            await second.look(30.0)
        assert second.primary.orders.count(("start", "second")) == 1
        refused = [log for log in logs if log["event"] == "curtailment not handed back"]
        assert [(log["id"], log["reason"]) for log in refused] == [
            ("second", "HTTP 409: an event of this id was declared otherwise")
        ]


async def test_two_that_name_each_other_say_so(folder: Path) -> None:
    """Both stand by, neither publishes: one error, once, that says what is wrong with the configuration."""
    async with standing_by(folder) as second:
        second.primary.answer = Answer(has_figures=False, words="it stands by", clock_offset_s=0.0, is_standby=True)
        with structlog.testing.capture_logs() as logs:
            await second.look(60.0)
        assert not second.standby.lease.is_active
        assert [(log["event"], log["log_level"]) for log in logs] == [("primary is a standby", "error")]
        assert "one agent must have no [standby] section" in logs[0]["reason"]


async def test_a_primary_with_another_ledger_is_reported(folder: Path) -> None:
    """After a takeover what is deployed would be another: one warning for each change, none while they are equal."""
    async with standing_by(folder) as second:
        ours = second.agent.setup.ledger.digest
        warned: list[list[str]] = []
        for digest in (ours, "a" * 64, "a" * 64, "b" * 64, ours, None):
            second.primary.answer = Answer(has_figures=True, words="ready", clock_offset_s=0.0, ledger=digest)
            with structlog.testing.capture_logs() as logs:
                await second.look(5.0)
            warned.append([log["theirs"] for log in logs if log["event"] == "ledgers differ"])
        assert warned == [[], ["a" * 12], [], ["b" * 12], [], []]


async def test_a_standby_reads_what_an_agent_says_of_itself(folder: Path) -> None:
    """Site, part and ledger, over a socket, as `/readyz` names them."""
    async with standing_by(folder) as second:
        source = web_source(lambda: second.agent.setup, second.agent._parts, second.agent.in_force, second.standby)
        async with serve(source, "127.0.0.1", 0) as (host, port):
            said = await RealPrimary(f"http://{host}:{port}", site="alpha").ask(within_s=30.0)
        assert (said.is_standby, said.ledger) == (True, second.agent.setup.ledger.digest)


async def test_an_order_waits_until_the_primary_takes_it(folder: Path) -> None:
    """No answer and "too many requests" are no refusal: the order stays here and is sent until it is followed."""
    async with standing_by(folder) as second:
        second.primary.answer = None
        await second.until_active()
        await second.agent.book.start(StartOrder(id="peak", target_percent=50), source="here")
        second.primary.refusals = {"peak": PrimaryError("HTTP 429: too many requests")}
        second.primary.answer = READY
        await second.look(30.0)
        assert second.primary.orders[:3] == [("start", "peak")] * 3
        assert [event.id for event in second.agent.book.curtailments.events] == ["peak"]
        second.primary.refusals.clear()
        second.primary.orders.clear()
        await second.look(2.5)
        assert second.primary.orders == [("start", "peak")]


async def test_an_order_outlives_a_restart_of_the_standby(folder: Path) -> None:
    """The primary came back while the standby was restarted: what was ordered here is handed back, and only that."""
    async with standing_by(folder) as second:
        grid = Event(
            id="grid", start=AT - 60, end=None, target_ratio=0.0, scope=Scope(), source="grid", is_started=True
        )
        second.primary.events = [grid]
        await second.look(5.0)
        second.primary.answer = None
        await second.until_active()
        await second.agent.book.start(StartOrder(id="peak", target_percent=50), source="here")
        second.agent.book.close()
    # While the standby is down, "grid" ends at the primary and is forgotten there.
    async with standing_by(folder) as again:
        await again.look(2.5)
        assert again.primary.orders == [("start", "peak")]
        assert {event.id for event in again.agent.book.curtailments.events} == {"grid", "peak"}
        again.primary.events = [
            Event(id="peak", start=AT, end=None, target_ratio=0.5, scope=Scope(), source="here", is_started=True)
        ]
        await again.look(20.0)
        assert [event.id for event in again.agent.book.curtailments.events] == ["peak"]
        assert again.agent.book.ordered_here == ()


async def test_orders_are_refused_while_it_stands_by(folder: Path) -> None:
    """An order that only the standby knows would be overwritten by the primary's list; it says where to go."""
    async with standing_by(folder) as second:
        source = web_source(lambda: second.agent.setup, second.agent._parts, second.agent.in_force, second.standby)
        async with served(source) as client:
            head = {"Authorization": "Bearer 0123456789abcdef0123456789abcdef"}
            order = {"id": "peak", "target_percent": 50}
            async with client.post("/api/v1/curtailments", json=order, headers=head) as response:
                assert (response.status, (await response.json())["error"]) == (
                    503,
                    "this agent stands by for http://10.0.0.5:9184: order it there",
                )
            second.primary.answer = None
            await second.until_active()
            async with client.post("/api/v1/curtailments", json=order, headers=head) as response:
                assert response.status == 201


@pytest.mark.parametrize(
    ("lines", "mistake"),
    [
        ('of = "10.0.0.5:9184"', "standby.of = '10.0.0.5:9184': an address such as http://10.0.9.5/status is expected"),
        ('of = "http://gateway-1:9184"', "standby.of = 'http://gateway-1:9184'"),
        ('of = "http://127.0.0.1:9184"', "is this agent's own address (web.listen); name the other agent's"),
        ('of = "http://10.0.0.5:9184/?a=b"', "such as http://10.0.0.5:9184, without a query"),
        ('token_file = "token"', "token_file and ca_file without of would not be used"),
        ('of = "http://10.0.0.5:9184"\nca_file = "ca.pem"', "ca_file with an http address would not be used"),
        ('of = "http://10.0.0.5:9184"\ntoken_file = "open"', "others may read or change this secret (mode 0644)"),
        ('of = "https://10.0.0.5:9184"\nca_file = "none.pem"', "standby.ca_file: cannot be read: No such file"),
        ('of = "http://10.0.0.5:9184"\n[shard]\ncount = 2', "a standby cannot be combined with shards"),
        (
            'of = "http://10.0.0.5:9184"\n[[mqtt]]\nname = "b"\nhost = "10.0.0.9"\nsparkplug_group = "g"',
            "a standby cannot be a Sparkplug node",
        ),
        ('off = "http://10.0.0.5:9184"', "standby.off"),
    ],
    ids=[
        *("no scheme", "a name", "itself", "a query", "a token alone", "ca without https", "an open token"),
        *("no ca file", "shards", "sparkplug", "a typing error"),
    ],
)
def test_a_bad_configuration_is_one_clear_mistake(folder: Path, lines: str, mistake: str) -> None:
    """File, key, value and reason; nothing is started."""
    path = folder / "site.toml"
    text = CONFIG.partition("[standby]")[0]
    path.write_text(f"{text}[standby]\n{lines}\n", encoding="utf-8")
    (folder / "open").write_text("0123456789abcdef0123456789abcdef", encoding="utf-8")
    (folder / "open").chmod(0o644)
    with pytest.raises(ConfigError) as refused:
        load_setup(path)
    (said,) = (str(each) for each in refused.value.mistakes)
    assert mistake in said
