"""Stand-ins for the agents of many sites: each serves the answer that a real agent of its units would give."""

import argparse
import asyncio
import random
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from agent.errors import UnreachableError
from agent.exporters.web.site_answers import SiteAnswer, site_answer
from agent.site.ledger.entries import LedgerEntry, Place
from agent.site.totals import site_figures
from agent.site.tracker import Tracker
from agent.unit.nameplate import shipped_catalogue
from agent.unit.reading import BoardReading, Dialect, Mode, Poll, UnitReading

FIRST_SEED = 20
STALE_AFTER_S = 30.0
SERVED = "# all are served"
"""The last line that this program prints, below the sites as a fleet's file has them."""


def ledger(units: int) -> list[LedgerEntry]:
    """Return entries of `units` S21 in containers of 400 and racks of 40."""
    plate = shipped_catalogue().find("S21", 200e12)
    assert plate is not None
    return [
        LedgerEntry(
            unit_id=f"u{number:06d}",
            nameplate=plate,
            place=Place(container=f"C{number // 400:02d}", rack=f"R{number // 40 % 10:02d}", slot=str(number % 40)),
            host=f"10.0.{number >> 8 & 255}.{number & 255}",
        )
        for number in range(units)
    ]


def answer(name: str, units: int, *, seed: int = 1, silent_ratio: float = 0.02, at: float | None = None) -> SiteAnswer:
    """Return the answer of an agent whose units deliver 94 to 101 % of nameplate; some lack a board, some are silent.

    Args:
        name: The site.
        units: Number of its units.
        seed: Of its chance.
        silent_ratio: Share of the units that do not answer.
        at: Unix time, s; now if left out.
    """
    rng, moment = random.Random(seed), time.time() if at is None else at
    entries = ledger(units)
    tracker = Tracker(entries, stale_after_s=STALE_AFTER_S, at=moment - 60)
    for entry in entries:
        luck = rng.random()
        boards = 2 if luck < 0.03 else 3
        share_hs = entry.nameplate.hashrate_hs / 3 * rng.uniform(0.94, 1.01)
        poll = Poll(unit_id=entry.unit_id, at=moment, took_s=4.0, error=UnreachableError("no answer"))
        if luck < 1 - silent_ratio:
            reading = UnitReading(
                unit_id=entry.unit_id,
                at=moment,
                dialect=Dialect.NEW_API,
                mode=Mode.NORMAL,
                uptime_s=86_400.0,
                hashrate_5s_hs=boards * share_hs,
                boards=tuple(
                    BoardReading(slot=slot, hashrate_hs=share_hs, chips=108, frequency_hz=490e6)
                    for slot in range(boards)
                ),
            )
            poll = Poll(unit_id=entry.unit_id, at=moment, took_s=0.02, reading=reading)
        tracker.record(poll, clock_s=moment)
    statuses = tuple(tracker.statuses())
    return site_answer(
        name,
        "1.2.3",
        site_figures(statuses, moment),
        statuses,
        unreadiness=None,
        now=moment,
        zone=ZoneInfo("UTC"),
        seen_from=moment - 60,
    )


async def serve(first: SiteAnswer, name: str) -> int:
    """Serve an answer under a site's name, each time as of now; return the port."""

    async def site(_: web.Request) -> web.Response:
        body = msgspec.json.encode(msgspec.structs.replace(first, site=name, now=datetime.now(UTC)))
        return web.Response(body=body, content_type="application/json")

    return await _listen([web.get("/api/v1/site", site)])


async def _listen(routes: list[web.RouteDef]) -> int:
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return int(runner.addresses[0][1])


async def flood(request: web.Request) -> web.StreamResponse:
    """Send megabytes that are no answer, as fast as they are taken."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    with suppress(ConnectionError):
        while True:
            await response.write(b"[" * 65_536)
    return response


async def _main(sites: int, units: int, *, is_hostile: bool) -> None:
    # A few answers are enough: each site's has its own name and time.
    answers = [
        answer("x", units, seed=FIRST_SEED + kind, silent_ratio=silent)
        for kind, silent in enumerate((0.01, 0.02, 0.04, 0.08, 0.25))
    ]
    for number in range(sites):
        name = f"site-{number + 1:02d}"
        port = await (
            _listen([web.get("/{path:.*}", flood)])
            if is_hostile
            else serve(answers[number % len(answers) if number % 7 else 0], name)
        )
        sys.stdout.write(f'[[site]]\nname = "{name}"\nurl = "http://127.0.0.1:{port}"\n')
    sys.stdout.write(f"{SERVED}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=40)
    parser.add_argument("--units", type=int, default=6000)
    parser.add_argument("--hostile", action="store_true")
    options = parser.parse_args()
    asyncio.run(_main(options.sites, options.units, is_hostile=options.hostile))
