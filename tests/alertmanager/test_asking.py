"""Alertmanager asked which alerts fire: its answers, its silence, and answers that are none."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from aiohttp import web
from alert_chain import alertmanager as real_alertmanager
from patience import PATIENT_S

from agent.alertmanager.asking import MAX_BODY_BYTES, STALE_AFTER_S, Alertmanager
from agent.errors import AlertmanagerError
from agent.site.firing import read_alerts

Answer = Callable[[web.Request], Awaitable[web.Response]]


def listed(name: str, severity: str, started: str, **more: Any) -> dict[str, Any]:
    """Return an alert as Alertmanager lists it."""
    labels = {"alertname": name, "severity": severity, "site": "nd-1"} | more
    return {
        "labels": {key: value for key, value in labels.items() if value is not None},
        "annotations": {"summary": f"{name} in words"},
        "startsAt": started,
        "endsAt": "2026-11-30T13:00:00.000Z",
        "status": {"state": "active", "inhibitedBy": [], "silencedBy": []},
        "fingerprint": "00ff",
        "receivers": [{"name": "night"}],
    }


THREE = [
    listed("MiningSiteCoverageLow", "warning", "2026-11-30T11:00:00.000Z"),
    listed("MiningContainerDark", "critical", "2026-11-30T12:00:00.123456789+01:00"),
    listed("HouseOnFire", "sev1", "2026-11-30T12:30:00Z", site=None),
    listed("MiningContainerDark", "critical", "2026-11-30T10:00:00Z", site="tx-2"),
]


def test_alerts_of_the_site_come_most_severe_first() -> None:
    """Another site's alerts are left out, those of no site are not, and an unknown severity hides behind no warning."""
    alerts = read_alerts(json.dumps(THREE).encode(), "nd-1")
    assert [each.name for each in alerts] == ["MiningContainerDark", "HouseOnFire", "MiningSiteCoverageLow"]
    assert alerts[0].summary == "MiningContainerDark in words"
    assert alerts[0].since == pytest.approx(1_796_036_400.123, abs=0.001)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[1]", b'[{"labels": {}}]', b'[{"labels": {}, "startsAt": "yesterday"}]', b"[" * 100_000]
)
def test_anything_else_is_refused(body: bytes) -> None:
    """An answer in another shape is an error and never an empty list."""
    with pytest.raises(AlertmanagerError, match="not a list of alerts"):
        read_alerts(body, "nd-1")


@asynccontextmanager
async def alertmanager(answer: Answer) -> AsyncIterator[str]:
    """Serve this answer at the address of Alertmanager's alerts."""
    app = web.Application()
    app.router.add_get("/api/v2/alerts", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_what_fires_is_known_until_it_is_old() -> None:
    """An answer counts for a minute; then it is not known what fires, and it is never taken for nothing."""
    asked: list[str] = []
    clock = [1000.0]

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.query_string)
        return web.json_response(THREE)

    async with alertmanager(answer) as url, aiohttp.ClientSession() as session:
        known = Alertmanager("nd-1", lambda: url, clock=lambda: clock[0], wall=lambda: 5.0)
        before = known.firing()
        assert before is not None
        assert (before.alerts, before.trouble) == (None, "it was not asked yet")
        await known.ask(session)
        firing = known.firing()
        assert firing is not None
        assert firing.alerts is not None
        assert (len(firing.alerts), firing.at, firing.trouble) == (3, 5.0, None)
        assert asked == ["active=true&silenced=false&inhibited=false"]
        clock[0] += STALE_AFTER_S + 1
        late = known.firing()
        assert late is not None
        assert (late.alerts, late.at, late.trouble) == (None, 5.0, "it was not asked in time")


async def _large(_: web.Request) -> web.Response:
    return web.Response(body=b" " * (MAX_BODY_BYTES + 1))


async def _away(_: web.Request) -> web.Response:
    raise web.HTTPFound("http://127.0.0.1:1/")


async def _refused(_: web.Request) -> web.Response:
    return web.Response(status=503, text="[]")


async def _page(_: web.Request) -> web.Response:
    return web.Response(text="<html>login</html>")


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (_large, "an answer longer than 4 MiB"),
        (_away, "HTTP status 302"),
        (_refused, "HTTP status 503"),
        (_page, "not a list of alerts"),
    ],
)
async def test_a_failure_is_said_once(answer: Answer, trouble: str) -> None:
    """Its reason is shown from then on, and logged when it begins and no more."""
    async with alertmanager(answer) as url, aiohttp.ClientSession() as session:
        known = Alertmanager("nd-1", lambda: url)
        with structlog.testing.capture_logs() as logged:
            await known.ask(session)
            await known.ask(session)
        firing = known.firing()
    assert firing is not None
    assert firing.alerts is None
    assert firing.trouble is not None
    assert trouble in firing.trouble
    assert [line["event"] for line in logged] == ["Alertmanager not asked"]


async def test_without_an_address_nothing_is_asked() -> None:
    """None is not a quiet Alertmanager; another address than before knows nothing yet."""
    addresses: list[str | None] = [None]
    known = Alertmanager("nd-1", lambda: addresses[0])
    async with aiohttp.ClientSession() as session:
        await known.ask(session)
        assert known.firing() is None
        addresses[0] = "http://127.0.0.1:1"
        await known.ask(session)
    firing = known.firing()
    assert firing is not None
    assert firing.alerts is None
    assert firing.trouble


@pytest.mark.program("prometheus-alertmanager")
async def test_a_real_alertmanager_says_what_fires(tmp_path: Path) -> None:
    """Of an alert, one of another site, one that is silenced and one that is over, the first is left."""
    now = datetime.now(UTC)
    later, since = (now + timedelta(hours=1)).isoformat(), (now - timedelta(minutes=5)).isoformat()

    def posted(name: str, site: str, ends: str = later) -> dict[str, Any]:
        labels = {"alertname": name, "severity": "critical", "site": site}
        return {"labels": labels, "annotations": {"summary": f"{name}!"}, "startsAt": since, "endsAt": ends}

    alerts = [posted("Dark", "nd-1"), posted("Dark", "tx-2"), posted("Quiet", "nd-1"), posted("Over", "nd-1", since)]
    quiet = {"name": "alertname", "value": "Quiet", "isRegex": False, "isEqual": True}
    silence = {"matchers": [quiet], "startsAt": since, "endsAt": later, "createdBy": "test", "comment": "known"}
    async with real_alertmanager(tmp_path, "127.0.0.1:1") as (address, _), aiohttp.ClientSession() as session:
        url = f"http://{address}"
        for path, body in (("silences", silence), ("alerts", alerts)):
            async with session.post(f"{url}/api/v2/{path}", json=body) as response:
                assert response.status == 200, await response.text()
        known = Alertmanager("nd-1", lambda: f"{url}/")
        async with asyncio.timeout(PATIENT_S):
            while True:
                await known.ask(session)
                firing = known.firing()
                if firing is not None and firing.alerts:
                    break
                await asyncio.sleep(0.1)
    assert [(each.name, each.summary, each.severity) for each in firing.alerts] == [("Dark", "Dark!", "critical")]
    assert firing.alerts[0].since == pytest.approx(now.timestamp() - 300, abs=1)
