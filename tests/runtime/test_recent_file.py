"""The last 24 hours on disk: what survives a restart, and what is refused with one line."""

from pathlib import Path

import msgspec
import pytest
import structlog
from exporter_cases import entry, reading, status

from agent.app import Agent
from agent.files.snapshot import read_packed, write_packed
from agent.runtime import packed_file, recent_file
from agent.runtime.recent_file import RecentFile
from agent.runtime.setup import load_setup
from agent.site.recent.day import RING_BYTES, SLOT_S, Kept

NOW = 1763674560.0
CONFIG = '[site]\nname = "alpha"\n[ledger]\nfile = "ledger.csv"\n[history]\nkeep = {keep}\n'
LEDGER = "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"
ROWS = "u1,S21,200,127.77.0.1,C1,R1,1,,,deployed\nu2,S21,200,127.77.0.2,C1,R1,2,,,deployed\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a configuration and a ledger of two units."""
    (tmp_path / "site.toml").write_text(CONFIG.format(keep="true"), encoding="utf-8")
    (tmp_path / "ledger.csv").write_text(LEDGER + ROWS, encoding="utf-8")
    return tmp_path


def new(folder: Path) -> tuple[Agent, RecentFile]:
    """Return an agent that never runs, and its file at `NOW`."""
    agent = Agent(load_setup(folder / "site.toml"))
    return agent, RecentFile(lambda: agent.setup, agent._parts, wall=lambda: NOW)


async def written(folder: Path) -> Path:
    """Let an agent see both units hash, write its file and end; return the file."""
    agent, file = new(folder)
    file.restore()
    for unit_id in ("u1", "u2"):
        agent.fan_out.recent.on_status(status(entry(unit_id), reading(unit_id)))
    await file.close()
    return folder / "site.recent"


def restored(folder: Path) -> tuple[int, Agent, list[tuple[str, object]]]:
    """Return how many units another process takes over, that process, and what it logs."""
    agent, file = new(folder)
    with structlog.testing.capture_logs() as logs:
        units = file.restore()
    return units, agent, [(log["event"], log.get("reason")) for log in logs]


async def test_a_restart_keeps_the_day(folder: Path) -> None:
    """What was seen before a restart is seen after it, and the file is readable by its owner's group at most."""
    path = await written(folder)
    assert path.stat().st_mode & 0o007 == 0
    units, agent, logged = restored(folder)
    assert (units, logged) == (2, [("last 24 hours restored", None)])
    slot = agent.fan_out.recent.slots("u1", NOW)[-1]
    assert (slot.at, slot.celsius) == (NOW // SLOT_S * SLOT_S, 60.0)


async def test_without_a_file_it_starts_empty(folder: Path) -> None:
    """The first start has nothing to say."""
    assert restored(folder)[::2] == (0, [])


async def test_a_site_without_history_keeps_no_file(folder: Path) -> None:
    """No file where no history is kept; the memory itself is there all the same."""
    (folder / "site.toml").write_text(CONFIG.format(keep="false"), encoding="utf-8")
    path = await written(folder)
    assert not path.exists()
    assert restored(folder)[0] == 0


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda _: b"something else", "it does not hold the last 24 hours of hashsight's units"),
        (lambda data: data[:-20], "Input data was truncated"),
        (lambda data: data.replace(b"\xa7version\x01", b"\xa7version\x02"), "it is of version 2; this program reads"),
        (lambda data: data.replace(b"\xa5alpha", b"\xa5gamma"), "it is of site 'gamma', not of 'alpha'"),
    ],
)
async def test_an_unfit_file_is_refused_with_one_line(folder: Path, spoil: object, reason: str) -> None:
    """A file of something else, of another version or site, or cut short: one line says why, and it starts empty."""
    path = await written(folder)
    data = read_packed(path)
    assert data is not None
    spoilt = spoil(data)  # type: ignore[operator]
    assert spoilt != data
    write_packed(path, spoilt)
    units, agent, logged = restored(folder)
    assert units == len(agent.fan_out.recent) == 0
    assert [event for event, _ in logged] == ["last 24 hours not restored"]
    assert str(logged[0][1]).startswith(reason)


async def test_a_damaged_file_is_refused(folder: Path) -> None:
    """A file that is no archive any more is refused as damaged."""
    path = await written(folder)
    path.write_bytes(path.read_bytes()[:-4])
    assert restored(folder)[2] == [("last 24 hours not restored", "damaged: it ends early, or goes on after its end")]


async def test_units_that_are_still_deployed_outlive_an_edit_of_the_ledger(folder: Path) -> None:
    """After the ledger was edited while no agent ran, units that are still in it keep their day; a new one has none."""
    await written(folder)
    rows = ROWS.replace("u2,", "u3,").replace("R1,1", "R9,9")
    (folder / "ledger.csv").write_text(LEDGER + rows, encoding="utf-8")
    units, agent, logged = restored(folder)
    assert (units, logged) == (1, [("last 24 hours restored", None)])
    assert agent.fan_out.recent.slots("u1", NOW)[-1].celsius == 60.0
    assert agent.fan_out.recent.slots("u2", NOW) == agent.fan_out.recent.slots("u3", NOW) == []


async def test_a_file_on_a_read_only_disk_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no lock can be taken, nothing is written; what an earlier process wrote is shown all the same."""
    await written(folder)

    def read_only(path: Path) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(packed_file, "FileLock", read_only)
    units, _, logged = restored(folder)
    assert units == 2
    assert logged == [
        ("last 24 hours not written", "its lock cannot be taken: Read-only file system"),
        ("last 24 hours restored", None),
    ]


def test_no_unit_is_encoded_together_with_others() -> None:
    """The content is that of one call, made in many: a call that encodes 20,000 units holds the event loop."""
    kept = [Kept(f"u{number}", number, bytes(RING_BYTES)) for number in range(3)]
    head = recent_file._Head(version=1, site="alpha", ledger="")
    whole = msgspec.msgpack.encode(recent_file._Body(head, kept))
    assert recent_file._encoded(head, kept) == recent_file._MARK + whole


async def test_a_full_disk_is_logged_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails is one line, however often it fails, and another once it works again."""
    _, file = new(folder)
    file.restore()
    assert file._file is not None
    with structlog.testing.capture_logs() as logs:
        with monkeypatch.context() as patched:
            patched.setattr(packed_file, "write_packed", _no_space)
            await file._write(file._file)
            await file._write(file._file)
        await file._write(file._file)
    assert [(log["event"], log.get("reason")) for log in logs] == [
        ("last 24 hours not written", "cannot be written: No space left on device"),
        ("last 24 hours are written", None),
    ]
    await file.close()


def _no_space(path: Path, _: bytes) -> int:
    raise OSError(28, "No space left on device", str(path))


async def test_a_second_agent_does_not_write_the_file(folder: Path) -> None:
    """The lock of a running agent keeps others from its file."""
    _, first = new(folder)
    first.restore()
    units, _, logged = restored(folder)
    assert (units, logged) == (0, [("last 24 hours not written", "another agent is writing it")])
    await first.close()


def test_the_form_of_the_file_is_its_version() -> None:
    """The head has the fields that every version has; a change of the body needs another version."""
    assert recent_file.VERSION == 1
    assert [field.name for field in msgspec.structs.fields(recent_file._Head)] == ["version", "site", "ledger"]
