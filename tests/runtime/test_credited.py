"""What pools credit in the running agent: units by account, gaps, several accounts, a standby."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from exporter_cases import AT, reading, status
from history_cases import PH, row, write
from pool_account_cases import NOW, Certified, Time, answering, reader, saying, section

from agent.commands.pools_credited import _compared, _history
from agent.http_client import new_session
from agent.pool_accounts.account import STANDBY_LOOK_S
from agent.runtime.credited import Credited, _read_past
from agent.runtime.setup import load_setup
from agent.site.credited.account import AccountState
from agent.site.credited.verdict import Verdict
from agent.site.credited.windows import DAY_S, HOUR_S
from agent.site.pools.work import PoolClass, UnitWork
from agent.site.status import UnitStatus
from agent.site.totals import SiteFigures, site_figures
from agent.slices import run_at_once
from agent.unit.reading import PoolReading

STEP_S = 60.0


class Accounts:
    """Accounts that were read just now."""

    def __init__(self, *states: AccountState) -> None:
        self.all = states

    def __len__(self) -> int:
        return len(self.all)

    def states(self) -> Iterator[AccountState]:
        """Yield each account."""
        yield from self.all


def working_for(*users: str, is_fee: bool = False) -> UnitStatus:
    """Return a unit whose last pool is the active one."""
    pools = tuple(
        PoolReading(index=number, status="Alive", is_active=number == len(users) - 1, user=user, is_fee=is_fee)
        for number, user in enumerate(users)
    )
    return status(latest=msgspec.structs.replace(reading(), pools=pools))


def account(name: str, account_: str | None, rate_hs: float) -> AccountState:
    """Return an account that a pool credits with one rate over both windows."""
    return AccountState(name=name, pool="X", account=account_, rates_hs={HOUR_S: rate_hs, DAY_S: rate_hs}, age_s=0.0)


def after_hours(hours: float, units: list[UnitStatus], *accounts: AccountState, **figures: Any) -> dict[str, Any]:
    """Return what comes of each account after some hours of the same figures."""
    credited = Credited(Accounts(*accounts), statuses=lambda: units, interval_s=STEP_S)  # type: ignore[arg-type]
    made: tuple[Any, ...] = ()
    for step in range(int(hours * 3600 / STEP_S) + 1):
        at = AT + step * STEP_S
        credited.accounts.all = tuple(replace(each, at=at) for each in accounts)  # type: ignore[attr-defined]
        made = run_at_once(credited.round(replace(summed(units, at), **figures), is_whole=True))
    return {each.name: each for each in made}


def summed(units: list[UnitStatus], at: float) -> SiteFigures:
    """Return the figures of these units."""
    return site_figures(units, at)


def test_a_unit_belongs_to_the_account_of_its_active_pool() -> None:
    """Up to the first dot of its user; a fee pool, another account and one silent unit of many are nobody's."""
    units = [
        working_for("east.1"),
        working_for("west.1", "east.47.4x243"),
        working_for("west"),
        working_for("other.1"),
        working_for("east.1", is_fee=True),
        *[working_for("other.1")] * 20,
        working_for(),
    ]
    rate_hs = units[0].hashrate_hs
    assert rate_hs
    found = after_hours(1.1, units, account("e", "east", 2 * rate_hs), account("w", "west", 0.5 * rate_hs))
    assert found["e"].hour.reported_hs == pytest.approx(2 * rate_hs)
    assert found["e"].hour.verdict is Verdict.AGREES
    assert found["w"].hour.reported_hs == pytest.approx(rate_hs)
    assert found["w"].hour.verdict is Verdict.BELOW
    assert found["w"].day.verdict is Verdict.UNKNOWN


def test_accounts_are_not_compared_while_many_units_do_not_tell_theirs() -> None:
    """Their work may be for any of the accounts: left out, it would look as if pools credited too much."""
    units = [working_for("east.1"), working_for("west.1"), working_for(), working_for("***")]
    rate_hs = units[0].hashrate_hs or 0.0
    found = after_hours(1.1, units, account("e", "east", 2 * rate_hs), account("w", "west", 2 * rate_hs))
    assert {each.hour.verdict for each in found.values()} == {Verdict.UNKNOWN}
    assert found["e"].hour.words == "what units report for it is known for 0 % of the 1 h, too little to compare"


def test_firmware_that_does_not_say_which_pool_is_active_works_at_the_first_living_one() -> None:
    """As the judgement of where work goes has it."""
    told = working_for("dead", "east.1", "west.1")
    assert told.reading is not None
    pools = tuple(
        msgspec.structs.replace(pool, is_active=None, status="Dead" if pool.user == "dead" else "Alive")
        for pool in told.reading.pools
    )
    unit = status(latest=msgspec.structs.replace(told.reading, pools=pools))
    rate_hs = unit.hashrate_hs or 0.0
    found = after_hours(1.1, [unit], account("e", "east", rate_hs), account("w", "west", 0.0))
    assert [found[name].hour.reported_hs for name in "ew"] == [pytest.approx(rate_hs), 0.0]
    assert found["e"].hour.verdict is Verdict.AGREES


def test_two_pools_where_an_account_has_one_name_are_not_compared() -> None:
    """A user does not say at which of the two its work is credited."""
    units = [working_for("acme.1"), working_for("acme.2"), working_for("west.1")]
    rate_hs = units[0].hashrate_hs or 0.0
    found = after_hours(
        1.1, units, account("f", "acme", rate_hs), account("l", "acme", rate_hs), account("w", "west", rate_hs)
    )
    assert [found[name].hour.verdict for name in "flw"] == [Verdict.UNKNOWN, Verdict.UNKNOWN, Verdict.AGREES]


def test_diverted_work_under_the_site_s_account_is_of_no_account() -> None:
    """A proxy shows the pool nothing of it."""
    taken = msgspec.structs.replace(working_for("east.1"), work=UnitWork(pool_class=PoolClass.DIVERTED, since=AT))
    units = [working_for("east.1"), taken, working_for("west.1")]
    rate_hs = units[0].hashrate_hs or 0.0
    found = after_hours(1.1, units, account("e", "east", rate_hs), account("w", "west", rate_hs))
    assert found["e"].hour.reported_hs == pytest.approx(rate_hs)


def test_another_account_under_a_known_name_has_no_past() -> None:
    """A reload that gives a name another account does not hold it against the units of the one before."""
    units = [working_for("east.1"), working_for("west.1"), working_for("north.1"), working_for("north.2")]
    rate_hs = units[0].hashrate_hs or 0.0
    accounts = Accounts(account("a", "east", rate_hs), account("b", "west", rate_hs))
    credited = Credited(accounts, statuses=lambda: units, interval_s=STEP_S)  # type: ignore[arg-type]
    made: dict[str, Any] = {}
    for step in range(100):
        at = AT + step * STEP_S
        if step == 70:
            accounts.all = (account("a", "north", 2 * rate_hs), account("b", "west", rate_hs))
        accounts.all = tuple(replace(each, at=at) for each in accounts.all)
        made = {each.name: each for each in run_at_once(credited.round(summed(units, at), is_whole=True))}
    assert (made["a"].hour.verdict, made["b"].hour.verdict) == (Verdict.UNKNOWN, Verdict.AGREES)


def test_the_only_account_is_held_against_the_whole_site() -> None:
    """Whatever its units' users are; less what is known to work for somewhere else."""
    units = [working_for("a.1"), working_for("b.1")]
    rate_hs = units[0].hashrate_hs or 0.0
    assert after_hours(1.1, units, account("m", None, 2 * rate_hs))["m"].hour.verdict is Verdict.AGREES
    one = summed(units, AT)
    diverted = replace(one.site, diverted_hs=rate_hs, diverted_units=1)
    found = after_hours(1.1, units, account("m", None, rate_hs), site=diverted)["m"]
    assert found.hour.reported_hs == pytest.approx(rate_hs)
    assert found.hour.verdict is Verdict.AGREES


def test_without_accounts_nothing_is_kept() -> None:
    """A round costs nothing then, and a round that is not whole begins a gap."""
    assert after_hours(0.1, [working_for("a.1")]) == {}
    units = [working_for("a.1")]
    credited = Credited(Accounts(account("m", None, 1e14)), statuses=lambda: units, interval_s=STEP_S)  # type: ignore[arg-type]
    for step in range(70):
        (found,) = run_at_once(credited.round(summed(units, AT + step * STEP_S), is_whole=step < 10))
    assert found.hour.watched_ratio == pytest.approx(0.0, abs=0.02)
    assert found.hour.verdict is Verdict.UNKNOWN


async def test_a_standby_does_not_ask(tmp_path: Path) -> None:
    """It looks every few seconds whether it is the active one, and sends nothing before."""
    time, certified, asked = Time(NOW), Certified(tmp_path), []

    async def note(request: Any) -> Any:
        asked.append(request.path)
        return await saying(b'{"result": {"hashrate_3600s": 1}}')(request)

    class EndedError(Exception):
        """The test has seen enough."""

    async def sleep(seconds: float) -> None:
        await time.sleep(seconds)
        if len(time.slept) > 6:
            raise EndedError

    async with answering(note, certified.server) as url:
        accounts = reader([section("ocean", tmp_path, url=url, ca_file=certified.ca_file)], time)
        accounts._is_active = lambda: time.now > NOW + 3 * STANDBY_LOOK_S - 1
        accounts._sleep = sleep
        (account_,) = accounts._accounts

        async with new_session() as session:
            with pytest.raises(EndedError):
                await account_.run(accounts._around(session))
    assert time.slept[1:4] == [STANDBY_LOOK_S] * 3
    assert time.slept[4] == 300.0
    assert len(asked) == len(time.slept) - 4


@pytest.mark.parametrize(
    ("changes", "own_hs"),
    [
        ({}, 46 * PH),
        ({"diverted_hs": 4.6 * PH, "judged_s": 60.0}, 41.4 * PH),
        # Of a minute of which a third was judged, no more than that is known to be diverted.
        ({"diverted_hs": 4.5 * PH, "judged_s": 20.0}, 44.5 * PH),
    ],
)
def test_the_past_of_before_a_restart_is_without_diverted_work_too(
    tmp_path: Path, changes: dict[str, Any], own_hs: float
) -> None:
    """Otherwise a pool would seem to credit too little for a day after each restart; the command reads the same."""
    now = int(time.time())
    minutes = range(now // 300 * 300 - 7200, now // 60 * 60, 60)
    write(tmp_path / "site.sqlite", [row(at, **changes) for at in minutes])
    past = _read_past(tmp_path / "site.sqlite", float(now))
    assert [each.operating_hs for each in past] == [pytest.approx(own_hs)] * 24
    setup = load_setup(declared_site(tmp_path))
    hour = _compared(account("m", None, own_hs), {HOUR_S: _history(setup, now, HOUR_S)}, is_only=True)[HOUR_S]
    assert (hour.reported_hs, hour.verdict) == (pytest.approx(own_hs), Verdict.AGREES)


def declared_site(folder: Path) -> Path:
    """Write a site whose history is in the same folder; return its configuration."""
    (folder / "site.toml").write_text(
        '[site]\nname = "alpha"\n[ledger]\nfile = "ledger.csv"\n[history]\nfile = "site.sqlite"\n', encoding="utf-8"
    )
    (folder / "ledger.csv").write_text(
        "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"
        "u1,S21,200,127.77.0.1,C1,R1,1,2025-01-01,,deployed\n",
        encoding="utf-8",
    )
    return folder / "site.toml"
