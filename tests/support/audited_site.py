"""A site's month with all that an audit holds against each other: history, heads, ledger, journal and documents."""

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from history_cases import AT, DAY_S, HOUR_S, PH, hour, unix
from typer.testing import CliRunner, Result

from agent.commands.command_line import app
from agent.history.credits import PoolCredit
from agent.history.keeper import History
from agent.history.minutes import Row
from agent.history.state_changes import Change
from agent.site.credited.windows import Window

END = unix("2025-11-01")
SITE = """\
[site]
name = "alpha"
zone = "UTC"
[ledger]
file = "ledger.csv"
"""
LEDGER = """\
unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status,owner
u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,,deployed,North
u2,S21,200,10.0.0.2,C2,R1,1,2025-01-01,,deployed,South
"""
_UNIT_HS = 200e12
AUDITED = {
    "rows.csv": ("history", "export", "2025-10"),
    "chain.jsonl": ("history", "export", "--what", "chain"),
    "october.json": ("statement", "2025-10", "--json", "--publish"),
    "north.json": ("statement", "2025-10", "--json", "--publish", "--owner", "North"),
}
"""Files beside a site's, and the command that prints each."""


def call(*words: str | Path) -> Result:
    """Call the command line."""
    return CliRunner().invoke(app, [str(word) for word in words])


class Clock:
    """A clock that is set by hand."""

    now = 0.0


def write_month(path: Path, *, site: str = "alpha", owners: tuple[str, ...] = ("North", "South")) -> None:
    """Write October hour by hour, as an agent does: containers, owners, states, pools' windows, heads and a stop."""
    clock = Clock()
    clock.now = float(AT - 6 * HOUR_S)
    history = History(path, site=site, zone="UTC", wall=lambda: clock.now, version="1.0")
    history.record_fact("start", clock.now, version="1.0.0", commit="f" * 40, config="c" * 64, ledger="b" * 64)
    for at in range(AT - 6 * HOUR_S, END + DAY_S, HOUR_S):
        number = at // HOUR_S
        halves = [
            hour(
                at,
                units=1.0,
                deployed_hs=_UNIT_HS,
                operating_hs=_UNIT_HS * (0.9 + (number * 7 + place) % 9 / 100),
                known_hs=_UNIT_HS,
                watts={},
                efficient_watts=0.0,
                efficient_hs=0.0,
                efficient_deployed_hs=0.0,
            )
            for place in range(2)
        ]
        if at != AT + 9 * DAY_S:
            _record(history, at, halves, owners)
        if number % 31 == 0:
            since = at + 60.25
            history.record_change(Change(unit_id="u1", state="stopped", why="asleep", since=since, until=since + 300.5))
        if number % 24 == 5:
            window = Window(start=at, window_s=HOUR_S, credited_hs=0.37 * PH)
            history.record_credits([PoolCredit("pool/main", window, at + 2 * HOUR_S)])
        clock.now = at + HOUR_S + 5.0
        assert history.flush(), history.health.trouble
    history.start()
    history.stop(timeout_s=30)


def _record(history: History, at: int, halves: Sequence[Row], owners: tuple[str, ...]) -> None:
    one, other = halves
    whole = hour(
        at,
        units=2.0,
        deployed_hs=one.deployed_hs + other.deployed_hs,
        operating_hs=one.operating_hs + other.operating_hs,
        known_hs=one.known_hs + other.known_hs,
        watts={},
        efficient_watts=0.0,
        efficient_hs=0.0,
        efficient_deployed_hs=0.0,
        losses_hs={cause: loss + other.losses_hs.get(cause, 0.0) for cause, loss in one.losses_hs.items()},
        units_by_state={state: n + other.units_by_state.get(state, 0.0) for state, n in one.units_by_state.items()},
    )
    history.record_site(whole)
    for place, half in enumerate(halves):
        history.record_container(f"C{place + 1}", half)
        history.record_owner(owners[place], half)


def write_site(folder: Path) -> None:
    """Write the site's files: configuration, ledger with a journal of two changes, and history."""
    (folder / "site.toml").write_text(SITE, encoding="utf-8")
    (folder / "ledger.csv").write_text(LEDGER, encoding="utf-8")
    path = folder / "site.history.sqlite"
    write_month(path)
    done = call("ledger", "set", "u1", "--rack", "R2", "--at", "2025-11-01", "-c", folder / "site.toml")
    assert done.exit_code == 0, done.stderr
    # One file, which can be copied and edited as such.
    with closing(sqlite3.connect(path)) as history:
        history.execute("PRAGMA journal_mode = DELETE")


def copied(folder: Path, into: Path) -> Path:
    """Copy a site's files; return the folder."""
    if into.exists():
        shutil.rmtree(into)
    shutil.copytree(folder, into)
    return into
