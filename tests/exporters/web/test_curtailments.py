"""Curtailments over HTTP: authentication, answers, refusals, and the card on the page."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import jsonschema
import pytest
from exporter_cases import AT, entry, reading, status
from msgspec import structs
from patience import PATIENT_S
from web_cases import until

from agent.exporters.prometheus.store import Metrics
from agent.exporters.web import server as web
from agent.exporters.web.bearer import Token
from agent.exporters.web.curtailment_api import CHANGE_BURST, PATH, CurtailmentApi
from agent.exporters.web.door.door import WRONG_TOKEN_BURST, Door
from agent.exporters.web.pages.curtailment_card import curtailment_card
from agent.exporters.web.pages.frame import UTC_ZONE
from agent.exporters.web.rate_limit import Limiter
from agent.exporters.web.site_answers import schema
from agent.site.curtailment.book import CurtailmentBook
from agent.site.curtailment.events import Curtailments, Event, Phase, Scope
from agent.site.curtailment.file import KeptOrders, read_orders
from agent.site.curtailment.keeper import OrderKeeper
from agent.site.event_figures import EventFigures, event_figures
from agent.site.totals import site_figures
from agent.site.tracker import Tracker
from agent.unit.reading import Mode, Poll

TOKEN = Token(text="s3cr3t-0123456789")
SHOWN = {"Authorization": f"Bearer {TOKEN.text}"}
ASLEEP = {"mode": Mode.SLEEP, "hashrate_5s_hs": 0.0}


class Clock:
    """A clock that the test sets."""

    def __init__(self, at: float) -> None:
        self.at = at

    def __call__(self) -> float:
        """Return the time, s."""
        return self.at


class Site(NamedTuple):
    """A served site with two units; u2 is asleep."""

    client: aiohttp.ClientSession
    book: CurtailmentBook
    wall: Clock
    clock: Clock


@asynccontextmanager
async def served(folder: Path, token: Token | None = TOKEN) -> AsyncIterator[Site]:
    """Serve a site that requires `token`."""
    wall, clock = Clock(AT), Clock(1000.0)
    entries = (entry("u1"), entry("u2"))
    book = CurtailmentBook(folder / "state.json", site="nd-1", windows=(), entries=lambda: entries, wall=wall)
    tracker = Tracker(entries, stale_after_s=30, at=AT)
    for unit_id, changes in (("u1", {}), ("u2", ASLEEP)):
        tracker.record(Poll(unit_id=unit_id, at=AT, took_s=0.1, reading=reading(unit_id, **changes)), clock_s=0.0)

    def judge_again(curtailments: Any) -> None:
        tracker.curtailments = curtailments
        for unit_id, changes in (("u1", {}), ("u2", ASLEEP)):
            again = Poll(unit_id=unit_id, at=wall.at, took_s=0.1, reading=reading(unit_id, **changes))
            tracker.record(again, clock_s=0.0)

    book.on_change = judge_again
    api = CurtailmentApi("nd-1", book, units=tracker.statuses, wall=wall, clock=clock)
    source = web.Source(
        door=Door(token=lambda: token, clock=clock),
        name="nd-1",
        version="1.2.3",
        scrape=Metrics("nd-1", version="1.2.3", clock=clock).scrape,
        site=lambda: site_figures(tracker.statuses(), wall.at),
        units=tracker.statuses,
        unit=tracker.status,
        unreadiness=lambda: None,
        illness=lambda: None,
        wall=wall,
        curtailments=api,
    )
    async with (
        web.serve(source, "127.0.0.1", 0) as (host, port),
        aiohttp.ClientSession(f"http://{host}:{port}") as client,
    ):
        yield Site(client, book, wall, clock)


async def ask(site: Site, method: str, path: str = PATH, **arguments: Any) -> tuple[int, Any]:
    """Send a request with the token; return the status and the decoded answer."""
    headers = SHOWN | arguments.pop("headers", {})
    async with site.client.request(method, path, headers=headers, **arguments) as response:
        return response.status, await response.json()


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_every_request_is_refused_without_a_configured_token(tmp_path: Path, method: str) -> None:
    """Without a configured token every method is 403, and the answer names the key to set."""
    async with served(tmp_path, token=None) as site:
        path = f"{PATH}/a" if method == "DELETE" else PATH
        reason = "refused: no token is configured ([api] token_file)"
        assert await ask(site, method, path, json={"target_percent": 0}) == (403, {"error": reason})
        assert site.book.curtailments.events == ()


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("header", [None, "", "Bearer ", "Bearer wrong-0123456789", f"Basic {TOKEN.text}", TOKEN.text])
async def test_requests_without_the_token_are_refused(tmp_path: Path, method: str, header: str | None) -> None:
    """A missing or wrong token is 401 with the expected scheme, and changes nothing."""
    async with served(tmp_path) as site:
        path = f"{PATH}/a" if method == "DELETE" else PATH
        headers = {} if header is None else {"Authorization": header}
        async with site.client.request(method, path, headers=headers, json={"target_percent": 0}) as response:
            assert response.status == 401
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
            text = await response.text()
            assert TOKEN.text not in text
            assert ("a token is needed" if not header else "the token is wrong") in text
        assert site.book.curtailments.events == ()


async def test_wrong_tokens_are_slowed_down_and_the_right_one_is_not(tmp_path: Path) -> None:
    """After ten wrong tokens of one address further ones are 429, and one is free six seconds later.

    The right token passes throughout: behind a proxy all callers have one address.
    """
    wrong = {"Authorization": "Bearer guess"}
    async with served(tmp_path) as site:
        for _ in range(WRONG_TOKEN_BURST):
            assert (await ask(site, "GET", headers=wrong))[0] == 401
        async with site.client.get(PATH, headers=wrong) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "6")
        assert (await ask(site, "GET"))[0] == 200
        assert (await ask(site, "POST", json={"target_percent": 0, "id": "call-1"}))[0] == 201
        assert (await ask(site, "DELETE", f"{PATH}/call-1"))[0] == 200
        site.clock.at += 6
        assert [(await ask(site, "GET", headers=wrong))[0] for _ in range(2)] == [401, 429]


async def test_an_order_is_carried_out_when_its_client_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that leaves while its order is written leaves an event in force that is also on disk."""
    is_writing, may_end = threading.Event(), threading.Event()
    replace_file = OrderKeeper._replace

    def replace_slowly(keeper: OrderKeeper, orders: KeptOrders) -> None:
        is_writing.set()
        assert may_end.wait(PATIENT_S)
        replace_file(keeper, orders)

    monkeypatch.setattr(OrderKeeper, "_replace", replace_slowly)
    order = b'{"target_percent": 0, "id": "call-8"}'
    head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN.text}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(order)}\r\n\r\n"
    async with served(tmp_path) as site, asyncio.timeout(PATIENT_S):
        base = site.client._base_url
        assert base is not None
        _, writer = await asyncio.open_connection(base.host, base.port)
        writer.write(head.encode() + order)
        assert await asyncio.to_thread(is_writing.wait, PATIENT_S)
        writer.close()
        await writer.wait_closed()
        assert site.book.curtailments.events == ()
        may_end.set()
        await until(lambda: site.book.curtailments.events)
        kept = read_orders(tmp_path / "state.json", site="nd-1")
        assert [event.id for event in kept.events] == ["call-8"]


async def test_no_answer_adds_up_events_on_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures of events visit every unit, so each address that has them makes them in a thread."""
    threads: list[int] = []

    def noted(*arguments: Any) -> tuple[EventFigures, ...]:
        threads.append(threading.get_ident())
        return event_figures(*arguments)

    monkeypatch.setattr("agent.exporters.web.curtailment_api.event_figures", noted)
    async with served(tmp_path) as site:
        order = {"target_percent": 0, "id": "a"}
        assert (await ask(site, "POST", json=order))[0] == 201
        for path in (PATH, "/api/v1/site"):
            assert (await ask(site, "GET", path))[0] == 200
        async with site.client.get(f"{PATH}.csv", headers=SHOWN) as answer:
            assert answer.status == 200
        assert (await ask(site, "DELETE", f"{PATH}/a"))[0] == 200
    assert len(threads) == 5
    assert threading.get_ident() not in threads


async def test_changes_are_bounded_in_number(tmp_path: Path) -> None:
    """A client may make 30 changes, then one every two seconds; listing is not limited."""
    async with served(tmp_path) as site:
        for number in range(CHANGE_BURST):
            assert (await ask(site, "DELETE", f"{PATH}/{number}"))[0] == 404
        assert (await ask(site, "POST", json={"target_percent": 0}))[0] == 429
        assert (await ask(site, "GET"))[0] == 200
        site.clock.at += 2
        assert (await ask(site, "POST", json={"target_percent": 0}))[0] == 201


async def test_start_list_stop(tmp_path: Path) -> None:
    """A caller can start an event, list it, and stop it."""
    async with served(tmp_path) as site:
        order = {"target_percent": 0, "duration_s": 3600, "source": "ERCOT 4CP", "scope": {"container": "C1"}}
        headers = SHOWN | {"Content-Type": "application/json"}
        async with site.client.post(PATH, json=order, headers=headers) as response:
            assert (response.status, response.headers["Location"]) == (201, f"{PATH}/20251120T213600Z")
            started = await response.json()
        assert started == {
            "id": "20251120T213600Z",
            "phase": "active",
            "scope": {"container": "C1"},
            "target_percent": 0.0,
            "start": "2025-11-20T21:36:00Z",
            "end": "2025-11-20T22:36:00Z",
            "source": "ERCOT 4CP",
            "is_stopped": False,
            "units": 2,
            "nameplate_hs": 400e12,
            "operating_hs": 198e12,
            "units_asleep": 1,
            "stragglers": 1,
            "straggler_units": ["u1"],
            "not_restored": 0,
            "not_restored_units": [],
        }
        assert await ask(site, "GET") == (
            200,
            {"site": "nd-1", "now": "2025-11-20T21:36:00Z", "curtailments": [started]},
        )
        site.wall.at += 600
        status_code, stopped = await ask(site, "DELETE", f"{PATH}/20251120T213600Z")
        assert (status_code, stopped["phase"], stopped["end"]) == (200, "restoring", "2025-11-20T21:46:00Z")
        assert (stopped["units_asleep"], stopped["is_stopped"]) == (1, True)


async def test_answers_fit_the_schema(tmp_path: Path) -> None:
    """The list of curtailments fits the served schema."""
    async with served(tmp_path) as site:
        await ask(site, "POST", json={"target_percent": 60.5})
        answer = (await ask(site, "GET"))[1]
    served_schema = schema()
    jsonschema.validate(answer, {**served_schema["answers"][PATH], "$defs": served_schema["$defs"]})  # type: ignore[index,dict-item]


async def test_the_same_order_twice_is_one_event(tmp_path: Path) -> None:
    """Repeating an order under its id is 200 with the same event; a different order under that id is 409."""
    async with served(tmp_path) as site:
        order = {"target_percent": 0, "id": "call-7"}
        assert (await ask(site, "POST", json=order))[0] == 201
        assert (await ask(site, "POST", json=order))[0] == 200
        assert (await ask(site, "POST", json=order | {"target_percent": 10}))[0] == 409
        assert len(site.book.curtailments.events) == 1


@pytest.mark.parametrize(
    ("arguments", "expected", "reason"),
    [
        ({"json": {}}, 400, "Object missing required field `target_percent`"),
        ({"json": {"target_percent": 100}}, 400, "Expected `float` < 100.0 - at `$.target_percent`"),
        ({"json": {"target_percent": 0, "scope": {"container": "C9"}}}, 400, None),
        ({"data": b"\xff", "headers": {"Content-Type": "application/json"}}, 400, None),
        ({"data": b"{}", "headers": {"Content-Type": "text/plain"}}, 415, None),
        ({"data": b" " * 20_000, "headers": {"Content-Type": "application/json"}}, 400, "longer than 16384 bytes"),
        ({"data": b" " * 70_000, "headers": {"Content-Type": "application/json"}}, 413, None),
    ],
)
async def test_bad_orders(tmp_path: Path, arguments: dict[str, Any], expected: int, reason: str | None) -> None:
    """A bad order is answered with the mistake, and changes nothing."""
    async with served(tmp_path) as site:
        status_code, answer = await ask(site, "POST", **arguments)
        assert status_code == expected
        assert reason is None or answer == {"error": reason}
        assert site.book.curtailments.events == ()


@pytest.mark.parametrize(
    ("event_id", "expected"),
    [("nothing", 404), ("schedule:peak:2025-10-07", 409), ("%2e%2e%2fstate.json", 404), ("a%00b", 404)],
)
async def test_unknown_and_scheduled_events_cannot_be_stopped(tmp_path: Path, event_id: str, expected: int) -> None:
    """Unknown ids are 404, ids of scheduled events 409; an id is never a path."""
    async with served(tmp_path) as site:
        url = aiohttp.client.URL(f"{PATH}/{event_id}", encoded=True)
        async with site.client.delete(url, headers=SHOWN) as response:
            assert response.status == expected


async def test_an_order_that_cannot_be_saved_is_refused(tmp_path: Path) -> None:
    """An order that cannot be written to disk is 503 and not in force, so every accepted one survives a restart."""
    folder = tmp_path / "gone"
    folder.mkdir()
    async with served(folder) as site:
        folder.rmdir()
        assert (await ask(site, "POST", json={"target_percent": 0}))[0] == 503
        assert site.book.curtailments.events == ()


@pytest.mark.parametrize(("method", "path"), [("PUT", PATH), ("PATCH", f"{PATH}/a"), ("POST", f"{PATH}/a")])
async def test_other_methods_are_refused(tmp_path: Path, method: str, path: str) -> None:
    """Other methods are 405 with the allowed ones."""
    async with served(tmp_path) as site, site.client.request(method, path, headers=SHOWN) as response:
        assert response.status == 405
        assert response.headers["Allow"] == ("GET, HEAD, POST" if path == PATH else "DELETE")


async def test_readers_without_a_token_see_what_is_in_force(tmp_path: Path) -> None:
    """The site's answer, its units and the page show the event, its straggler and its sleeper without a token."""
    async with served(tmp_path) as site:
        await ask(site, "POST", json={"target_percent": 0, "id": "a"})
        async with site.client.get("/api/v1/site") as response:
            answer = await response.json()
        async with site.client.get("/api/v1/units") as response:
            units = (await response.json())["units"]
        async with site.client.get("/") as response:
            page = await response.text()
    assert [(event["id"], event["phase"]) for event in answer["curtailments"]] == [("a", "active")]
    assert (answer["figures"]["curtailment_nameplate_hs"], answer["figures"]["stragglers"]) == (400e12, 1)
    rows = [(unit["unit_id"], unit["state"], unit["curtailment"], unit["is_straggler"]) for unit in units]
    assert rows == [("u1", "hashing", "a", True), ("u2", "curtailed", "a", False)]
    assert "<h2>Curtailment</h2>" in page
    assert "<strong>Stragglers, 1:</strong> u1" in page


EVENT = Event(id="a", start=AT, end=None, target_ratio=0.0, scope=Scope(container="<C1>"), source="<b>me</b>")
FIGURES = EventFigures(
    event=EVENT,
    phase=Phase.ACTIVE,
    units=20,
    nameplate_hs=4e15,
    operating_hs=8e14,
    asleep=16,
    stragglers=tuple(f"u{number}" for number in range(14)),
    unrestored=(),
)
TO_NOTHING, BY_ME = "to 0 % of nameplate</strong>", "declared by &lt;b&gt;me&lt;/b&gt;"


@pytest.mark.parametrize(
    ("figures", "lines"),
    [
        (
            FIGURES,
            [
                f"<strong>Container &lt;C1&gt; {TO_NOTHING}, since 2025-11-20 21:36, until stopped; {BY_ME}",
                "16 of 20 units asleep; 800.00 TH/s of 4.00 PH/s still hashing",
                "<strong>Stragglers, 14:</strong> u0, u1, u2, u3, u4, u5, u6, u7, u8, u9, u10, u11 and 2 more",
            ],
        ),
        (
            replace(FIGURES, phase=Phase.RESTORING, event=replace(EVENT, end=AT + 600, scope=Scope()), stragglers=()),
            [
                f"<strong>The whole site {TO_NOTHING}, ended 2025-11-20 21:46; {BY_ME}",
                "16 units still asleep",
            ],
        ),
    ],
)
def test_the_card_lists_events_with_their_units(figures: EventFigures, lines: list[str]) -> None:
    """The card shows scope, times and units in words; names from outside are never markup."""
    assert curtailment_card([figures], UTC_ZONE).count("<li>") == 1
    assert f"<li>{'<br>'.join(lines)}</li>" in curtailment_card([figures], UTC_ZONE)


def test_no_card_without_events() -> None:
    """There is no card before an event, or after one from which every unit was restored."""
    over = replace(FIGURES, phase=Phase.ENDED, stragglers=())
    assert (
        curtailment_card([], UTC_ZONE)
        == curtailment_card([replace(FIGURES, phase=Phase.PENDING), over], UTC_ZONE)
        == ""
    )
    assert "Not restored, 1:" in curtailment_card([replace(over, unrestored=("u1",))], UTC_ZONE)


def test_figures_of_events_count_each_unit_once() -> None:
    """A unit under two events counts for the one that governs it; an unrestored unit counts for its own event."""
    site = replace(EVENT, id="site", scope=Scope(), target_ratio=0.5)
    one = replace(EVENT, id="one", scope=Scope(unit="u1"))
    gone = replace(EVENT, id="gone", start=AT - 7200, end=AT - 3600)
    declared = Curtailments(events=[site, one, gone])
    units = [
        structs.replace(status(entry("u1"), reading("u1")), event=one, is_straggler=True),
        structs.replace(status(entry("u2"), reading("u2")), event=site),
        structs.replace(status(entry("u3"), reading("u3", **ASLEEP)), unrestored=gone),
    ]
    by_id = {each.event.id: each for each in event_figures(declared, units, AT)}
    assert {name: each.units for name, each in by_id.items()} == {"site": 1, "one": 1, "gone": 0}
    assert (by_id["one"].stragglers, by_id["gone"].unrestored) == (("u1",), ("u3",))


def test_a_limiter_forgets_callers_that_are_long_silent() -> None:
    """Each caller has its own bucket, and the number of buckets is bounded."""
    clock = Clock(0.0)
    limiter = Limiter(burst=2, refill_s=10.0, clock=clock, max_callers=2)
    for caller in ("a", "a", "b"):
        limiter.spend(caller)
    assert (limiter.wait_s("a"), limiter.wait_s("b"), limiter.wait_s("c")) == (10.0, 0.0, 0.0)
    clock.at = 4.0
    assert limiter.wait_s("a") == 6.0
    for caller in ("b", "c"):
        limiter.spend(caller)
    assert (limiter.wait_s("a"), limiter.wait_s("b")) == (0.0, 6.0)


async def test_a_hundred_orders_at_once_are_answered(tmp_path: Path) -> None:
    """Each order of a burst is carried out or refused with 429; none is lost between memory and disk."""
    async with served(tmp_path) as site:
        answered = await asyncio.gather(*(ask(site, "POST", json={"target_percent": 0}) for _ in range(100)))
        assert {status_code for status_code, _ in answered} == {201, 429}
        assert len(site.book.curtailments.events) == [code for code, _ in answered].count(201) == CHANGE_BURST
