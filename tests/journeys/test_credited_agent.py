"""A running agent over a farm and a pool on TLS: what it shows of the pool's word, and what it must never show."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from history_cases import row, write
from pool_account_cases import Certified, key_file
from programs import agent, farm, get, get_json, until

from agent.history.reader import read_history
from simulators.pool.answers import Holder
from simulators.pool.server import Pool, serve_pool

CANARIES = ("canaryacct", "canary-key-5f2b")
TRUE_HS = 1.2e15
UNITS = 6


class EvenBooks:
    """The books of an account that is credited 5.1 % less than its units report."""

    def rate_hs(self, end: float, window_s: float) -> float:
        """Return the same rate over every window."""
        assert end > window_s
        return 0.949 * TRUE_HS


async def test_the_pools_word_is_shown_and_its_account_is_not(tmp_path: Path) -> None:
    """On the page, in JSON and in metrics the difference; key, account and address in none of them, nor in the log.

    The last day is history's, so the first figures are compared at once; closed hours are in the history afterwards.
    """
    certified = Certified(tmp_path)
    start = int(time.time()) // 60 * 60
    minutes = [
        replace(row(at), operating_hs=TRUE_HS, deployed_hs=TRUE_HS, known_hs=TRUE_HS, losses_hs={})
        for at in range(start - 25 * 3600, start, 60)
    ]
    write(tmp_path / "site.history.sqlite", minutes)
    key_file(tmp_path, "canary-key-5f2b\n")
    holder = Holder(account="canaryacct", key="canary-key-5f2b", books=EvenBooks())  # type: ignore[arg-type]
    pool = Pool(kind="foundry", holders=(holder,), clock=time.time)
    async with (
        farm(tmp_path, units=UNITS, options=("--starting", "0%")),
        serve_pool(pool, tls=certified.server) as address,
    ):
        section = (
            '[[pool_account]]\nname = "main"\nkind = "foundry"\naccount = "canaryacct"\nkey_file = "pool.key"\n'
            f'ca_file = "{certified.ca_file}"\nurl = "{address}"\n'
        )
        async with agent(tmp_path, more=section) as (running, url):

            async def compared() -> Any:
                answer = await get_json(f"{url}/api/v1/site")
                accounts = answer["pool_accounts"]
                is_known = accounts and accounts[0]["day"]["verdict"] == "below"
                return answer if is_known else None

            answer = await until(compared, running)
            (account,) = answer["pool_accounts"]
            assert (account["name"], account["pool"], account["trouble"]) == ("main", "Foundry USA", None)
            assert account["day"]["credited_hs"] == 0.949 * TRUE_HS
            # A minute of the day is the farm's own, whose rate differs a little.
            assert -0.06 < account["day"]["difference_ratio"] < -0.04
            _, metrics = await get(f"{url}/metrics")
            credited = 'mining_pool_credited_hashrate_hashes_per_second{site="alpha",pool_account="main",window="24h"}'
            assert f"{credited} {0.949 * TRUE_HS:.0f}" in metrics
            assert 'miner_agent_pool_account_readings_total{pool_account="main",result="ok"} 1' in metrics
            _, page = await get(f"{url}/")
            assert "Credited by the pool, 24 h" in page
            assert "less than units report over 24 h" in page
            unit = json.dumps(await get_json(f"{url}/api/v1/units"))

            def archived() -> Any:
                reader = read_history(tmp_path / "site.history.sqlite")
                try:
                    return reader.pool_credits(0, 1e12)
                finally:
                    reader.close()

            async def kept() -> Any:
                return archived() or None

            credits_ = await until(kept, running)
            said = running.said
    assert {each.account for each in credits_} == {"main"}
    assert len(credits_) >= 29 * 24
    for canary in (*CANARIES, address):
        for text in (metrics, page, json.dumps(answer), unit, said):
            assert canary not in text
