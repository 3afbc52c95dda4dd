"""The composed agent: back-off and readiness once everything is wired."""

import time
from pathlib import Path

from agent.app import Agent
from agent.runtime.setup import load_setup

CONFIG = """\
[site]
name = "alpha"
[ledger]
file = "ledger.csv"
[poll]
connect_timeout_s = 4
[history]
keep = false
"""
LEDGER = """\
unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status
u1,S21,200,127.77.0.1,C1,R1,1,2025-01-01,,deployed
"""


async def test_an_unreachable_unit_is_polled_at_least_once_a_minute(tmp_path: Path) -> None:
    """After any number of failures, the back-off and the connect timeout before it add up to a minute."""
    (tmp_path / "site.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "ledger.csv").write_text(LEDGER, encoding="utf-8")
    agent = Agent(load_setup(tmp_path / "site.toml"))
    async with agent.polling():
        schedule = agent.poller._schedule
        schedule._jitter = lambda: 1.0
        now = time.monotonic()
        schedule.back_off("u1", 20, now=now)
        assert schedule.next_due() == now + 56.0


async def test_ready_is_said_with_the_figures_and_not_before(tmp_path: Path) -> None:
    """The agent is not ready before the slices of the first whole round are over and its figures stand."""
    (tmp_path / "site.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "ledger.csv").write_text(LEDGER, encoding="utf-8")
    agent = Agent(load_setup(tmp_path / "site.toml"))
    async with agent.polling():
        await agent.poller.sweep()
        rounds = agent.rounds
        said = [(rounds.unreadiness is None, rounds.figures is not None, rounds.whole_at) for _ in rounds.slices()]
        assert len(said) > 2
        assert set(said) == {(False, False, None)}
        assert rounds.unreadiness is None
        assert rounds.figures is not None
        assert rounds.whole_at == rounds.figures.at
