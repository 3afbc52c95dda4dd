"""Reloads: the changes that a running agent takes over, and those that need a restart."""

import asyncio
import signal
import sys
import time
from pathlib import Path

import pytest
from patience import PATIENT_S
from programs import free_port, program, until
from site_cases import AT, reading

from agent.app import Agent
from agent.errors import ConfigError
from agent.runtime.reload import read_again
from agent.runtime.setup import load_setup
from agent.site.ledger.entries import NO_OWNER
from agent.unit.coolant import CoolantLayout
from agent.unit.reading import Poll

LEDGER = """\
unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status
u1,S21,200,127.77.0.1,C1,R1,1,2025-01-01,,deployed
"""
CONFIG = '[site]\nname = "alpha"\nzone = "UTC"\n[ledger]\nfile = "ledger.csv"\n[history]\nkeep = true\n'


def _agent(folder: Path) -> Agent:
    (folder / "ledger.csv").write_text(LEDGER, encoding="utf-8")
    (folder / "site.toml").write_text(CONFIG, encoding="utf-8")
    return Agent(load_setup(folder / "site.toml"))


@pytest.mark.parametrize(
    ("before", "after", "mistake"),
    [
        ('name = "alpha"', 'name = "beta"', "site.name = 'beta': cannot change while running (it is alpha)"),
        # Months of history and statements are calendar months of the zone in which history is written.
        ('zone = "UTC"', 'zone = "America/Chicago"', "site.zone = 'America/Chicago': cannot change while running"),
        ("keep = true", "keep = false", "history.keep = 'False': cannot change while running (it is True)"),
    ],
)
def test_keys_that_only_a_restart_can_change(tmp_path: Path, before: str, after: str, mistake: str) -> None:
    """A change of a key that is fixed at the start is refused with the key and both values."""
    agent = _agent(tmp_path)
    (tmp_path / "site.toml").write_text(CONFIG.replace(before, after), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        read_again(agent.setup)
    assert mistake in str(refused.value.mistakes[0])
    assert len(refused.value.mistakes) == 1


def test_a_ledger_is_taken_over_whole_or_not_at_all(tmp_path: Path) -> None:
    """A negative hashrate in one row refuses the whole ledger, and a sound ledger is read whole."""
    agent = _agent(tmp_path)
    new_row = "u2,S21,200,127.77.0.2,C1,R1,2,2025-01-01,,deployed\n"
    (tmp_path / "ledger.csv").write_text(LEDGER + new_row.replace("200", "-200"), encoding="utf-8")
    with pytest.raises(ConfigError, match="a number of TH/s above 0 is expected"):
        read_again(agent.setup)
    assert len(agent.tracker) == 1
    (tmp_path / "ledger.csv").write_text(LEDGER + new_row, encoding="utf-8")
    assert {entry.unit_id for entry in read_again(agent.setup).ledger.entries} == {"u1", "u2"}
    assert len(agent.tracker) == 1


async def test_a_reload_touches_only_what_changed(tmp_path: Path) -> None:
    """With one row changed, one gone and one new, every other unit keeps its entry, status, memory and due time."""
    rows = [f"u{number},S21,200,127.77.0.{number},C1,R1,{number},2025-01-01,,deployed" for number in range(1, 9)]
    header = LEDGER.splitlines()[0]
    agent = _agent(tmp_path)
    (tmp_path / "ledger.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
    async with agent.polling():
        await agent.reload()
        before = _kept(agent)
        changed = [rows[0].replace(",200,", ",195,"), *rows[2:], "u9,S21,200,127.77.0.9,C1,R1,9,2025-01-01,,deployed"]
        (tmp_path / "ledger.csv").write_text("\n".join([header, *changed]), encoding="utf-8")
        await agent.reload()
        after = _kept(agent)
        assert after.keys() == before.keys() - {"u2"} | {"u9"}
        same = {unit_id for unit_id in before.keys() & after.keys() if before[unit_id] == after[unit_id]}
        assert same == {f"u{number}" for number in range(3, 9)}
        changed_status = agent.tracker.status("u1")
        assert changed_status is not None
        assert changed_status.entry.nameplate.hashrate_hs == 195e12
        assert agent.sum_up().site.deployed_hs == 7 * 200e12 + 195e12
        shown = (await agent.metrics.scrape())[0].decode()
    names = {line.split('unit="')[1].split('"')[0] for line in shown.splitlines() if line.startswith("miner_nameplate")}
    assert names == after.keys()


async def test_a_unit_that_changes_hands_counts_for_its_owner_of_now(tmp_path: Path) -> None:
    """A reload gives u1 to North, the next one to South; a ledger that names an owner of another day has owners too."""
    agent = _agent(tmp_path)
    header, row = LEDGER.splitlines()
    # Another unit, which left years ago.
    left = "u0,S21,200,127.77.0.9,C1,R1,9,2024-01-01,2024-02-01,deployed,West"
    seen = []
    async with agent.polling():
        for rows in ([row], [f"{row},North"], [f"{row},South"], [f"{row},", left], [f"{row},"]):
            head = header if rows == [row] else f"{header},owner"
            (tmp_path / "ledger.csv").write_text("\n".join([head, *rows, ""]), encoding="utf-8")
            await agent.reload()
            seen.append({name: sums.deployed_hs for name, sums in agent.sum_up().by_owner.items()})
    assert seen == [{}, {"North": 200e12}, {"South": 200e12}, {NO_OWNER: 200e12}, {}]


async def test_a_reload_puts_interval_and_windows_in_force(tmp_path: Path) -> None:
    """The poller, the timer, the sums and the history go by the new interval, the curtailments by the new windows."""
    agent = _agent(tmp_path)
    recorder = agent.fan_out._recorder
    assert recorder is not None
    changes = (
        '[poll]\ninterval_s = 40\nstale_after_s = 90\n[[curtailment]]\nname = "peak"\nstart = "00:00"\nend = "00:00"\n'
    )
    async with agent.polling():
        gap_s = recorder._minutes.longest_gap_s
        (tmp_path / "site.toml").write_text(CONFIG + changes, encoding="utf-8")
        await agent.reload()
        assert agent.poller._schedule.interval_s == 40
        assert agent.timer._interval_changed.is_set()
        assert agent.rounds.energy.interval_s == 40
        assert agent.tracker.stale_after_s == 90
        assert recorder._minutes.longest_gap_s > gap_s
        assert [event.id.split(":")[1] for event in agent.book.curtailments.around(time.time()).in_force] == ["peak"]


async def test_a_longer_interval_makes_nobody_late(tmp_path: Path) -> None:
    """A reading of the shorter interval lives until the longer one asks again."""
    agent = _agent(tmp_path)
    async with agent.polling():
        answer = Poll(unit_id="u1", at=AT, took_s=0.02, reading=reading("u1", at=AT, hashrate_5s_hs=190e12, boards=()))
        agent._on_poll(answer, time.monotonic())
        asked_s = agent.tracker.units["u1"].asked_at
        (tmp_path / "site.toml").write_text(CONFIG + "[poll]\ninterval_s = 100\n", encoding="utf-8")
        await agent.reload()
    assert agent.tracker.refresh(at=AT + 299, clock_s=asked_s + 299) == []
    assert len(agent.tracker.refresh(at=AT + 300, clock_s=asked_s + 300)) == 1


async def test_a_storm_of_reloads_does_not_put_off_every_round(tmp_path: Path) -> None:
    """The interval changes again before each round is due; rounds are made all the same."""
    (tmp_path / "ledger.csv").write_text(LEDGER, encoding="utf-8")
    (tmp_path / "site.toml").write_text(CONFIG + "[poll]\ninterval_s = 1\n", encoding="utf-8")
    timer, made = Agent(load_setup(tmp_path / "site.toml")).timer, asyncio.Event()

    async def tick() -> None:
        made.set()

    timer.tick = tick  # type: ignore[method-assign]
    running = asyncio.create_task(timer.run())
    async with asyncio.timeout(PATIENT_S):
        while not made.is_set():
            timer.on_interval_changed()
            await asyncio.sleep(0.05)
    running.cancel()


async def test_a_reload_puts_the_catalogue_in_force(tmp_path: Path) -> None:
    """Bins and sensor layouts of a changed models file are used from the next poll on; no unit is touched for it."""
    agent = _agent(tmp_path)
    (tmp_path / "site.toml").write_text(
        CONFIG.replace('file = "ledger.csv"\n', 'file = "ledger.csv"\nmodels_file = "models.csv"\n'), encoding="utf-8"
    )
    header = "model,hashrate_th_s,power_w,efficiency_j_per_th,hashboards,chips_per_board,chip,fans,cooling,source"
    async with agent.polling():
        layouts = agent.in_force._parts.layouts
        assert layouts.of("Antminer S99 HYDRO", CoolantLayout.NONE) is CoolantLayout.UNKNOWN
        assert agent.tracker.bins_of("S99 Hydro") == ()
        before = _kept(agent)
        for layout in ("temp_pcb", "temp_chip"):
            row = f"S99 Hyd.,900,,,,,,0,hydro,ours,{layout}"
            (tmp_path / "models.csv").write_text(f"{header},coolant_layout\n{row}\n", encoding="utf-8")
            await agent.reload()
            assert agent.tracker.bins_of("S99 Hydro") == (900e12,)
            assert layouts.of("Antminer S99 HYDRO", CoolantLayout.NONE) is CoolantLayout(layout)
        assert _kept(agent) == before


async def test_a_reload_that_stops_counting_simulated_units_forgets_their_shares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What pools credited simulated units stays in no sum once the configuration leaves them out."""
    header, real = LEDGER.splitlines()
    rows = (
        f"{header},simulated",
        f"{real.replace('127.77.0.1', '10.77.0.1')},",
        real.replace("u1", "u2").replace("0.1,", "0.2,").replace("R1,1", "R1,2") + ",yes",
    )
    counting = CONFIG.replace("[ledger]", "count_simulated = true\n[ledger]")
    _agent(tmp_path)
    (tmp_path / "ledger.csv").write_text("\n".join(rows), encoding="utf-8")
    (tmp_path / "site.toml").write_text(counting, encoding="utf-8")
    agent = Agent(load_setup(tmp_path / "site.toml"))
    forgotten: list[str] = []
    monkeypatch.setattr(agent.rounds.delivered, "forget", forgotten.extend)
    for status in agent.tracker.statuses():
        agent.metrics.on_unit(status)
    async with agent.polling():
        await agent.reload()
        assert (agent._counting.simulated_units(), forgotten) == (1, [])
        (tmp_path / "site.toml").write_text(CONFIG, encoding="utf-8")
        await agent.reload()
        assert (agent._counting.simulated_units(), forgotten) == (0, ["u2"])


async def test_figures_are_of_one_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every round of figures during a reload counts by the old ledger or by the new one, never by both."""
    for user in ("agent.runtime.in_force", "agent.runtime.rounds"):
        monkeypatch.setattr(f"{user}.UNITS_PER_SLICE", 1)
    rows = [f"u{number},S21,200,127.77.1.{number},C1,R1,{number},2025-01-01,,deployed" for number in range(1, 101)]
    agent, ledger, header = _agent(tmp_path), tmp_path / "ledger.csv", LEDGER.splitlines()[0]
    deployed_hs = []

    async def count() -> None:
        while len(set(deployed_hs)) < 2:
            await agent.timer.tick()
            deployed_hs.append(agent.rounds.figures.site.deployed_hs if agent.rounds.figures else None)

    async with agent.polling(), asyncio.timeout(PATIENT_S):
        ledger.write_text("\n".join([header, *rows]), encoding="utf-8")
        await agent.reload()
        # The takeover runs from the opposite end of the ledger than the sums, so a mix would show in the middle.
        other = [row.replace("S21,200", "S21,195") for row in reversed(rows)]
        ledger.write_text("\n".join([header, *other]), encoding="utf-8")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(count())
            tasks.create_task(agent.reload())
    assert list(dict.fromkeys(deployed_hs)) == [100 * 200e12, 100 * 195e12]


def _kept(agent: Agent) -> dict[str, tuple[int, ...]]:
    """Return the identities of each unit's objects, and a hash of its due time."""
    return {
        status.entry.unit_id: (
            id(status),
            id(status.entry),
            id(agent.poller._units[status.entry.unit_id]),
            hash(agent.poller._schedule._due[status.entry.unit_id]),
        )
        for status in agent.tracker.statuses()
    }


async def test_a_reload_asked_for_too_early_is_done_later(tmp_path: Path) -> None:
    """A SIGHUP during the imports is held back; the agent starts and then reloads."""
    _agent(tmp_path)
    web = f'[web]\nlisten = "127.0.0.1:{free_port()}"\n[log]\nformat = "json"\n'
    (tmp_path / "site.toml").write_text(CONFIG + web, encoding="utf-8")
    command = (sys.executable, "-m", "agent", "run", "--config", str(tmp_path / "site.toml"))
    async with program(*command, log=tmp_path / "agent.log") as running:

        async def holds_it_back() -> bool:
            return _blocks(running.process.pid, signal.SIGHUP)

        async def has_reloaded() -> bool:
            return '"event": "reloaded"' in running.said

        await until(holds_it_back, running)
        running.process.send_signal(signal.SIGHUP)
        await until(has_reloaded, running)
        assert running.said.index("agent started") < running.said.index('"event": "reloaded"')


def _blocks(pid: int, signal_number: int) -> bool:
    """Return True if a process blocks a signal."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    blocked = next(line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:"))
    return bool(int(blocked, 16) & 1 << signal_number - 1)


ALLOWED = '[[pools.allowed]]\nname = "own"\nurls = ["*.pool.example"]\naccounts = ["site"]\n'


async def test_a_reload_puts_the_allow_list_in_force(tmp_path: Path) -> None:
    """Units are asked for their pools from then on, and judged with their next polls; the same list stays the same."""
    agent = _agent(tmp_path)
    config = tmp_path / "site.toml"
    async with agent.polling():
        assert (agent.tracker.allow, agent.poller.pools_every) == (None, None)
        config.write_text(CONFIG + ALLOWED, encoding="utf-8")
        await agent.reload()
        allow = agent.tracker.allow
        assert allow is not None
        assert agent.poller.pools_every == 5
        await agent.reload()
        assert agent.tracker.allow is allow
        config.write_text(CONFIG, encoding="utf-8")
        await agent.reload()
        assert (agent.tracker.allow, agent.poller.pools_every) == (None, None)


def test_an_entry_for_an_owner_that_the_ledger_does_not_have_is_refused(tmp_path: Path) -> None:
    """A misspelt owner would have its units' work called diverted."""
    ledger = LEDGER.replace(",status", ",status,owner").replace(",deployed\n", ",deployed,North\n")
    (tmp_path / "ledger.csv").write_text(ledger, encoding="utf-8")
    config = tmp_path / "site.toml"
    config.write_text(f'{CONFIG}{ALLOWED}owner = "Nroth"\n', encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_setup(config)
    assert [str(mistake) for mistake in refused.value.mistakes] == [
        f"{config}: pools.allowed[0].owner = 'Nroth': no owner of the ledger; did you mean North?"
    ]
    config.write_text(f'{CONFIG}{ALLOWED}owner = "North"\n', encoding="utf-8")
    assert load_setup(config).allow is not None
