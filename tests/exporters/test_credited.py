"""What pools credit, as each exporter shows it: by the account's configured name, and absent where it is not known."""

import json
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from credit_cases import HS, credit
from exporter_cases import AT, status
from mqtt_messages import check, composer

from agent.exporters.prometheus.store import Metrics
from agent.exporters.web.pages.headline import headline
from agent.exporters.web.site_answers import site_answer
from agent.site.credited.account import AccountCredit, AccountState
from agent.site.energy import Energy
from agent.site.totals import SiteFigures, site_figures
from agent.text.credited import TILES, credited_text, credited_tiles

LABELS = '{site="north-1",pool_account="main",window="24h"}'


def figures(*credits_: AccountCredit) -> SiteFigures:
    """Return the figures of one unit with these accounts."""
    return replace(site_figures([status()], AT), credited=credits_)


async def exposition(*credits_: AccountCredit, states: tuple[AccountState, ...] = ()) -> list[str]:
    """Return the lines about accounts of a scrape."""
    metrics = Metrics("north-1", version="1", clock=lambda: 0.0)
    metrics.watch_pool_accounts(lambda: states)
    metrics.on_site(figures(*credits_), is_whole=True)
    body, _ = await metrics.scrape(scope="site")
    return [line for line in body.decode().splitlines() if "pool_account" in line and not line.startswith("#")]


async def test_series_by_account_and_window() -> None:
    """A window that is not known has no series; an account has its configured name as label and nothing else."""
    assert await exposition(credit()) == [
        f"mining_pool_credited_hashrate_hashes_per_second{LABELS} 189800000000000.0",
        f"mining_pool_reported_hashrate_hashes_per_second{LABELS} 200000000000000.0",
        'mining_pool_credited_age_seconds{site="north-1",pool_account="main"} 90.0',
    ]
    assert await exposition(credit(credited_hs=None, age_s=None, at=None)) == [
        f"mining_pool_reported_hashrate_hashes_per_second{LABELS} 200000000000000.0",
    ]
    assert await exposition() == []


async def test_readings_by_result() -> None:
    """The reader's health, by reasons of a closed list; the account itself is no label."""
    state = AccountState(name="main", pool="X", account="canaryacct", reads=3, failures={"limited": 2})
    assert await exposition(states=(state,)) == [
        'miner_agent_pool_account_readings_total{pool_account="main",result="ok"} 3.0',
        'miner_agent_pool_account_readings_total{pool_account="main",result="limited"} 2.0',
    ]
    assert "canaryacct" not in repr(state)


def answer(*credits_: AccountCredit) -> Any:
    """Return the accounts of the site's answer."""
    one = site_answer(
        "a", "1", figures(*credits_), [status()], unreadiness=None, now=AT, zone=ZoneInfo("UTC"), seen_from=AT
    )
    return json.loads(msgspec.json.encode(one))["pool_accounts"]


def test_json_has_both_windows_and_the_odd_one() -> None:
    """With the difference, how much was watched, and words; null where nothing is known."""
    (account,) = answer(credit())
    assert (account["name"], account["pool"], account["trouble"]) == ("main", "Foundry USA", None)
    assert account["day"]["difference_ratio"] == pytest.approx(-0.051)
    assert (account["day"]["verdict"], account["day"]["odd"]) == ("below", "credited")
    assert (account["hour"]["credited_hs"], account["hour"]["verdict"]) == (None, "unknown")
    assert answer() == []


def test_mqtt_figures_have_accounts() -> None:
    """They keep their schema, with accounts and without."""
    body = check(
        composer().figures(figures(credit()), Energy(site={}, by_container={}), interval_s=10, simulated_units=0)
    )
    assert body["pool_accounts"] == [
        {
            "name": "main",
            "credited_1h_hs": None,
            "reported_1h_hs": None,
            "credited_24h_hs": pytest.approx(0.949 * HS),
            "reported_24h_hs": HS,
            "verdict_24h": "below",
        }
    ]
    assert (
        check(composer().figures(figures(), Energy(site={}, by_container={}), interval_s=10, simulated_units=0))[
            "pool_accounts"
        ]
        == []
    )


def test_the_page_has_a_tile_for_the_pools_word() -> None:
    """One account is the pool, several have their names, many share a tile; trouble is told with its age."""
    assert credited_tiles(figures()) == []
    ((title, figure, note),) = credited_tiles(figures(credit()))
    assert (title, figure) == ("Credited by the pool, 24 h", "189.80 TH/s")
    assert note.startswith("Foundry USA: 5.1 % less than units report over 24 h; units' own counters agree")
    tiles = credited_tiles(figures(*(credit(f"a{number}") for number in range(TILES + 2))))
    assert [title for title, _, _ in tiles][-2:] == [f"Credited by a{TILES - 1}, 24 h", "2 more accounts"]
    assert tiles[-1][2] == f"not in agreement: a{TILES}, a{TILES + 1}"
    silent = credit(credited_hs=None, at=None, age_s=None, trouble="HTTP status 403: <no>")
    assert credited_tiles(figures(silent))[0][1:] == ("-", "Foundry USA: not read yet: HTTP status 403: <no>")
    assert credited_text(credit(trouble="down"))[1].endswith("; of 90 s ago, since then: down")
    html = headline(figures(silent), is_sure=True, is_restoring=False)
    assert "Credited by the pool, 24 h" in html
    assert "&lt;no&gt;" in html
