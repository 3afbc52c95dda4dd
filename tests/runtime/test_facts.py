"""What a running agent writes into the chain beside its rows: each kind of fact, once, and nothing unknown."""

import hashlib
import json
import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import structlog
from facts_site import START, STEP_S, Process, Site
from history_cases import AT, row, write

from agent import __version__
from agent.app import Agent
from agent.errors import HistoryError
from agent.history.chain.links import Fact
from agent.history.reader import read_history
from agent.history.writer import write_history
from agent.runtime.kernel_clock import Clock, read_clock
from agent.runtime.ledger_rows import LedgerRows
from agent.runtime.past import read_gap, read_past
from agent.runtime.revision import checked_out, commit
from agent.runtime.setup import load_setup
from agent.site.curtailment.orders import read_order
from agent.site.ledger.file import journal_end, journal_path


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site of ten units."""
    return Site(tmp_path, units=10)


def bodies(site: Site, kind: str) -> list[dict[str, Any]]:
    """Return the bodies of the facts of a kind."""
    return [dict(fact.body) for fact in site.facts(kind)]


async def test_a_run_begins_and_ends_with_a_fact(site: Site) -> None:
    """Version, commit and the digests of both files at the start; a stop only if the end was orderly."""
    async with site.agent() as process:
        await process.watch(120.0)
    async with site.agent(is_killed=True) as process:
        await process.watch(120.0)
    runs = site.facts("start", "stop")
    assert [(fact.kind, fact.at - START) for fact in runs] == [("start", 0), ("stop", 120), ("start", 120)]
    files = {name: (site.folder / file).read_bytes() for name, file in FILES.items()}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    assert runs[0].body == {"version": __version__, "commit": commit(), **digests}
    assert runs[1].body == {}


FILES = {"config": "site.toml", "ledger": "ledger.csv"}


def test_the_commit_is_read_off_files(tmp_path: Path) -> None:
    """A branch, a packed branch, a detached head, a linked work tree; a folder without git has none."""
    assert checked_out(tmp_path) is None
    git = tmp_path / ".git"
    git.mkdir()
    (git / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    assert checked_out(tmp_path) is None
    (git / "packed-refs").write_text(f"# pack-refs\n{'a' * 40} refs/heads/main\n", encoding="utf-8")
    assert checked_out(tmp_path) == "a" * 40
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "refs" / "heads" / "main").write_text("b" * 40 + "\n", encoding="utf-8")
    assert checked_out(tmp_path) == "b" * 40
    (git / "HEAD").write_text("c" * 40 + "\n", encoding="utf-8")
    assert checked_out(tmp_path) == "c" * 40
    linked, tree = git / "worktrees" / "w", tmp_path / "w"
    linked.mkdir(parents=True)
    tree.mkdir()
    (linked / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    (linked / "commondir").write_text("../..\n", encoding="utf-8")
    (tree / ".git").write_text(f"gitdir: {linked}\n", encoding="utf-8")
    assert checked_out(tree) == "b" * 40


async def test_the_ledger_is_told_when_it_changed(site: Site) -> None:
    """At the first start without what changed, then only if it is another: by a reload, or while no agent ran."""
    ledger = site.folder / "ledger.csv"
    first = ledger.read_text(encoding="utf-8")
    head, *rows = first.splitlines(keepends=True)
    async with site.agent() as process:
        await process.watch(STEP_S)
        other_place = rows[1].replace("C1-R01,", "C9-R09,", 1)
        ledger.write_text(head + "".join([rows[0], other_place, *rows[2:9]]), encoding="utf-8")
        journal_path(ledger).write_text('{"at":"2025-11-20T21:36:00+00:00","change":"made"}\n', encoding="utf-8")
        await process.agent.reload()
        await process.agent.facts.tick()
    ledger.write_text(head + "".join([rows[0].replace("127.31.0.1", "127.31.9.9"), *rows[1:]]), encoding="utf-8")
    for _ in range(2):
        async with site.agent(is_killed=True) as process:
            await process.watch(STEP_S)
    told = bodies(site, "ledger")
    units = [row.split(",", 1)[0] for row in rows]
    lists = [{name: each[name] for name in ("added", "removed", "changed")} for each in told]
    counts = [(each["added_count"], each["removed_count"], each["changed_count"]) for each in told]
    assert [each["before"] for each in told] == [None, told[0]["digest"], told[1]["digest"]]
    assert [each["units"] for each in told] == [10, 9, 10]
    # What `hashsight ledger verify` holds the journal against.
    assert [each["journal"] for each in told] == [None, journal_end(ledger).hash, journal_end(ledger).hash]
    assert told[0]["deployed_hs"] == pytest.approx(site.farm.deployed_hs)
    # Another address is no change of what is deployed.
    assert lists == [
        {"added": None, "removed": None, "changed": None},
        {"added": [], "removed": [units[9]], "changed": [units[1]]},
        {"added": [units[9]], "removed": [], "changed": [units[1]]},
    ]
    assert counts == [(None, None, None), (0, 1, 1), (1, 0, 1)]


async def test_a_reload_while_the_past_is_read_is_told_once(site: Site) -> None:
    """The start tells the ledger in force by then; the next reload is told as any other."""
    ledger = site.folder / "ledger.csv"
    async with site.agent() as process:
        for units in (9, 8):
            ledger.write_text(
                "".join(ledger.read_text(encoding="utf-8").splitlines(keepends=True)[: units + 1]), "utf-8"
            )
            await process.agent.reload()
            if units == 9:
                await process.agent.facts.look_back()
            await process.agent.facts.tick()
    assert [each["units"] for each in bodies(site, "ledger")] == [10, 9, 8]


async def test_rows_that_are_not_on_disk_are_not_known(site: Site) -> None:
    """A ledger changed while no agent ran, and the file of its rows is gone, another's or damaged: no counts."""
    async with site.agent() as process:
        await process.watch(STEP_S)
    ledger = site.folder / "ledger.csv"
    file = LedgerRows(site.folder / "site.ledger-rows")
    for number, damage in enumerate((file.path.unlink, lambda: file.write("0" * 64, {}), lambda: damaged(file))):
        ledger.write_text("".join(ledger.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
        damage()
        with structlog.testing.capture_logs() as logs:
            async with site.agent() as process:
                await process.watch(STEP_S)
        last = bodies(site, "ledger")[-1]
        assert (last["removed"], last["removed_count"], last["units"]) == (None, None, 9 - number)
        assert [log["kind"] for log in logs if log["event"] == "fact not made"] == (["ledger rows"] * (number == 2))


def damaged(file: LedgerRows) -> None:
    """Cut a file short."""
    file.path.write_bytes(file.path.read_bytes()[:-3])


async def test_a_configuration_is_told_when_a_reload_changed_it(site: Site) -> None:
    """One fact for another digest; a reload of the same files adds none."""
    config = site.folder / "site.toml"
    async with site.agent() as process:
        await process.agent.reload()
        config.write_text(config.read_text(encoding="utf-8") + '[log]\nlevel = "warning"\n', encoding="utf-8")
        await process.agent.reload()
        await process.agent.reload()
    assert bodies(site, "config") == [{"digest": hashlib.sha256(config.read_bytes()).hexdigest()}]
    assert len(bodies(site, "ledger")) == 1


async def test_the_clock_is_told_at_the_start_daily_and_when_it_changes(site: Site) -> None:
    """A time service that comes and goes each minute is told once an hour at most; a kernel that says nothing, so."""
    async with site.agent(kernel=Clock(is_synchronised=False, offset_s=0.0, error_s=16.0)) as process:
        for step in range(100):
            site.leap(120.0)
            process.kernel = Clock(is_synchronised=step % 2 == 0, offset_s=-0.25, error_s=0.5)
            process.agent.facts._look_at_clock()
        process.kernel = Clock(is_synchronised=None)
        site.leap(3600.0)
        process.agent.facts._look_at_clock()
        site.leap(86_400.0)
        process.agent.facts._look_at_clock()
    told = site.facts("clock")
    assert told[0].body == {"source": "kernel", "is_synchronized": False, "offset_s": 0.0, "error_s": 16.0}
    assert told[1].body == {"source": "kernel", "is_synchronized": True, "offset_s": -0.25, "error_s": 0.5}
    apart = [after.at - before.at for before, after in pairwise(told)]
    assert len(apart) >= 5
    assert min(apart) >= 3600
    assert told[-1].body == {"source": "kernel", "is_synchronized": None, "offset_s": None, "error_s": None}
    assert apart[-1] >= 86_400


def test_the_kernel_is_asked() -> None:
    """The clock of this machine is read without a program."""
    assert read_clock().is_synchronised in {True, False, None}


async def order(process: Process, **content: Any) -> None:
    """Follow an order to start."""
    await process.agent.book.start(read_order(json.dumps({"target_percent": 0} | content).encode()), source="api")


async def test_a_curtailment_is_told_from_its_order_to_its_end(site: Site) -> None:
    """Declared with its order, ended with what it took: nameplates of units asleep over its time, and their power."""
    async with site.agent() as process:
        await process.watch(300.0)
        await order(process, id="dr-1", source="grid", scope={"container": "C1"}, duration_s=1800)
        site.inject("asleep", "container=C1", seconds=1800.0, is_curtailed=True)
        await process.watch(2400.0)
    declared, ended = bodies(site, "curtailment")
    same = {
        "id": "dr-1",
        "scope": "container C1",
        "target": 0.0,
        "from": START + 300.0,
        "until": START + 2100.0,
        "declared_by": "grid",
        "reason": None,
        "hours": 0.5,
    }
    assert declared == {**same, "event": "declared", "curtailed_hashes": None, "energy_j": None}
    units = [unit.identity.model for unit in site.farm.units if unit.identity.container == "C1"]
    hashes = sum(model.hashrate_hs for model in units) * 1800.0
    assert {name: ended[name] for name in same} == same
    assert ended["event"] == "ended"
    # The units restart to fall asleep, and are looked at every 30 s.
    assert ended["curtailed_hashes"] == pytest.approx(hashes, rel=0.05)
    assert ended["energy_j"] / ended["curtailed_hashes"] == pytest.approx(17.5e-12, rel=0.1)


async def test_an_order_that_changes(site: Site) -> None:
    """One that is called off was withdrawn, one that is stopped ended; each is told once, also by the next process."""
    async with site.agent() as process:
        await process.watch(60.0)
        await order(process, id="later", start="2026-01-02T00:00:00Z", duration_s=3600)
        await order(process, id="now", scope={"container": "C1"})
        site.leap(10.0)
        await process.agent.book.stop("later", source="api")
        await process.watch(600.0)
        await process.agent.book.stop("now", source="api")
    async with site.agent() as process:
        await process.watch(60.0)
    told = [(each["id"], each["event"], each["hours"]) for each in bodies(site, "curtailment")]
    assert told == [
        ("later", "declared", 1.0),
        ("now", "declared", None),
        ("later", "withdrawn", 0.0),
        ("now", "ended", pytest.approx(610 / 3600)),
    ]


async def test_an_event_that_nobody_watched_has_no_figures(site: Site) -> None:
    """It ended while no agent ran: the next start tells its end, and neither hashes nor joules."""
    async with site.agent(is_killed=True) as process:
        await process.watch(60.0)
        await order(process, id="dr-1", duration_s=1800)
        await process.watch(120.0)
    site.leap(7200.0)
    async with site.agent() as process:
        await process.watch(60.0)
    _, ended = bodies(site, "curtailment")
    assert (ended["event"], ended["curtailed_hashes"], ended["energy_j"]) == ("ended", None, None)


async def test_facts_that_no_agent_writes_tell_a_start_nothing(site: Site) -> None:
    """In an edited history, each is passed over: the agent runs, and goes on from the sound ones."""
    async with site.agent(is_killed=True) as process:
        await process.watch(60.0)
        await order(process, id="dr-1", duration_s=1800)
        await process.watch(120.0)
    ledgers = len(bodies(site, "ledger"))
    sound: dict[str, Any] = {"id": "dr-1", "event": "changed", "from": 0.0, "until": None}
    edits: tuple[dict[str, Any], ...] = ({"event": ["ended"]}, {"event": "x"}, {"from": "x"}, {"until": "x"}, {"id": 1})
    with closing(write_history(site.history)) as file:
        file.write(facts=[Fact("curtailment", int(site.now), sound | edit) for edit in edits])
        file.write(facts=[Fact("ledger", int(site.now), {"digest": digest}) for digest in (1, None)])
    async with site.agent() as process:
        await process.watch(60.0)
    told = bodies(site, "curtailment")
    assert (len(told), len(bodies(site, "ledger"))) == (1 + len(edits), ledgers + 2)


@pytest.mark.parametrize("column", ["span_s", "watched_s"])
def test_a_row_that_no_agent_writes_is_damage(tmp_path: Path, column: str) -> None:
    """A start and its gap name the file and end no agent, whatever an edit left in the last row."""
    path = write(tmp_path / "site.history.sqlite", [row(AT + 60 * minute) for minute in range(3)])
    assert read_past(path, AT + 600.0).seen_until == AT + 180
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE site SET {column} = 'x' WHERE at = (SELECT MAX(at) FROM site)")  # noqa: S608
        connection.commit()
    for look in (lambda: read_past(path, AT + 600.0), lambda: read_gap(path, AT + 180, AT + 600)):
        with pytest.raises(HistoryError, match=r"site\.history\.sqlite: a row that no agent writes"):
            look()


async def test_a_window_is_told_when_it_begins_and_ends(tmp_path: Path) -> None:
    """The configuration declares it for every day; each day's event is told at its time."""
    window = '[[curtailment]]\nname = "peak"\nstart = 00:10:00\nend = 00:20:00\ntarget_percent = 0\n'
    site = Site(tmp_path, units=10, more=window)
    async with site.agent() as process:
        await process.watch(300.0)
        assert bodies(site, "curtailment") == []
        await process.watch(1200.0)
    told = [(each["event"], each["declared_by"], each["from"] - START) for each in bodies(site, "curtailment")]
    assert told == [("declared", "schedule", 600.0), ("ended", "schedule", 600.0)]


async def test_repairs_are_told_daily_and_at_the_end(site: Site) -> None:
    """Counts by name since the last fact; a name that did not occur is left out."""
    async with site.agent() as process:
        repairs = process.agent.metrics.own.repairs
        repairs["implausible"] += 3
        site.leap(86_400.0)
        await process.agent.facts.tick()
        repairs["implausible"] += 1
        repairs["stray_comma"] += 2
        site.leap(60.0)
    assert bodies(site, "repairs") == [
        {"from": START, "until": START + 86_400, "counts": {"implausible": 3}},
        {"from": START + 86_400, "until": START + 86_460, "counts": {"implausible": 1, "stray_comma": 2}},
    ]


async def test_a_fact_that_cannot_be_made_is_logged_once(site: Site) -> None:
    """A number that is none in JSON, or half a character, leaves the queue alone: what is around it is written."""
    async with site.agent() as process:
        with structlog.testing.capture_logs() as logs:
            for _ in range(3):
                process.agent.facts.record("clock", offset_s=float("nan"))
                process.agent.facts.record("config", digest="\udcff")
        assert [log["event"] for log in logs] == ["fact not made"] * 2
        await process.watch(60.0)
    assert [fact.kind for fact in site.facts() if fact.kind != "key"][-1] == "stop"


async def test_a_standby_tells_of_its_runs_alone(tmp_path: Path) -> None:
    """Its primary watches and takes orders, so it has neither gaps nor curtailments of its own."""
    site = Site(tmp_path, units=3, more='[standby]\nof = "http://127.0.0.1:9"\n')
    for _ in range(2):
        async with site.agent() as process:
            await order(process, duration_s=60)
            await process.watch(600.0)
    told = ["start", "clock", "ledger", "repairs", "stop", "start", "clock", "repairs", "stop"]
    assert [fact.kind for fact in site.facts() if fact.kind != "key"] == ["genesis", *told]


def names(folder: Path) -> list[str]:
    """Return the names of a folder's files."""
    return sorted(each.name for each in folder.iterdir())


async def test_without_history_there_are_none(tmp_path: Path) -> None:
    """A site that keeps no history records nothing and reads nothing."""
    site = Site(tmp_path, units=3)
    config = site.folder / "site.toml"
    config.write_text(config.read_text(encoding="utf-8") + "[history]\nkeep = false\n", encoding="utf-8")
    before = names(tmp_path)
    agent = Agent(load_setup(config))
    agent.facts.begin()
    await agent.facts.run()
    agent.facts.close()
    assert names(tmp_path) == before


async def test_a_day_of_facts_is_small(site: Site) -> None:
    """A restart, a curtailment and a change of the ledger take less than 5 kB of the file together."""
    async with site.agent() as process:
        await process.watch(60.0)
        await order(process, id="dr-1", duration_s=600)
        await process.watch(1200.0)
    with closing(read_history(site.history)) as reader:
        size = sum(len(link.text) for link in reader.links() if link.body is not None)
    assert size < 5000
