"""The outbox: every message comes out in order until the broker has it, whatever the disk does."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paths import ROOT

from agent.errors import OutboxError
from agent.exporters.mqtt.ballast import BALLAST_BYTES
from agent.exporters.mqtt.outbox import RETRY_S, Outbox
from agent.exporters.mqtt.outbox_file import Kind, Message, open_outbox, salvage
from agent.exporters.mqtt.outbox_memory import Taken

MB = 1 << 20


class Clock:
    """A monotonic clock that the test advances."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time, s."""
        return self.now


def outbox(
    path: Path,
    clock: Clock | None = None,
    *,
    max_bytes: int = 8 * MB,
    memory_bytes: int = MB,
    grace_s: float = 0,
) -> Outbox:
    """Return an outbox with the test's clock; without a grace, acknowledged messages are deleted at once."""
    clock = clock or Clock()
    return Outbox(path, max_bytes=max_bytes, clock=clock, wall=lambda: 1e9, memory_bytes=memory_bytes, grace_s=grace_s)


def event(number: int, size: int = 100) -> Message:
    """Return an event that its number identifies."""
    return Message(Kind.EVENT, "events", f"{number:08d}".encode().ljust(size, b"."))


def figures(number: int, size: int = 100) -> Message:
    """Return figures that their number identifies."""
    return Message(Kind.FIGURES, "figures", f"{number:08d}".encode().ljust(size, b"."), is_retained=True)


def units(number: int, size: int = 100) -> Message:
    """Return a batch of units that its number identifies."""
    return Message(Kind.UNITS, "units", f"{number:08d}".encode().ljust(size, b"."))


def drain(box: Outbox, at_once: int = 7) -> list[int]:
    """Take and settle everything; returns the numbers in order."""
    numbers = []
    while taken := box.take(at_once):
        numbers += [int(each.message.payload[:8]) for each in taken]
        box.settle(taken)
    return numbers


def test_what_is_put_in_comes_out_in_order(tmp_path: Path) -> None:
    """Messages leave in the order in which they came, with every field intact."""
    box = outbox(tmp_path / "o")
    box.put([event(1), figures(2)])
    box.put([units(3)])
    taken = box.take(10)
    assert [each.message for each in taken] == [event(1), figures(2), units(3)]
    assert box.take(10) == []
    box.settle(taken)
    assert (box.health.in_file, box.health.in_memory, box.health.trouble) == (0, 0, None)
    box.close()


def test_what_was_not_settled_comes_again(tmp_path: Path) -> None:
    """After a lost connection, only unacknowledged messages are taken again, in order."""
    box = outbox(tmp_path / "o")
    box.put([event(number) for number in range(6)])
    taken = box.take(4)
    box.settle([taken[0], taken[2]])
    box.put_back()
    assert drain(box) == [1, 3, 4, 5]
    box.close()


def test_what_a_killed_broker_took_with_it_comes_again(tmp_path: Path) -> None:
    """A message is deleted once another is acknowledged after the grace, not before, and not because time passed."""
    clock = Clock()
    box = outbox(tmp_path / "o", clock, grace_s=5)
    box.put([event(number) for number in range(6)])
    box.settle(box.take(2))
    assert box.health.in_file == 4
    clock.now += 60
    box.put([])
    box.put_back()
    assert box.health.in_file == 6
    taken = box.take(4)
    assert [each.message for each in taken] == [event(number) for number in range(4)]
    box.settle(taken[:2])
    clock.now += 5
    box.settle(taken[2:])
    box.put_back()
    assert [each.message for each in box.take(10)] == [event(number) for number in range(2, 6)]
    box.close()
    # As after a SIGKILL: the messages acknowledged last are still in the file.
    box = outbox(tmp_path / "o", clock, grace_s=5)
    box.settle(box.take(10))
    box.confirm()
    box.put_back()
    assert (box.take(10), box.health.in_file) == ([], 0)
    box.close()


def test_what_was_acknowledged_goes_before_anything_is_given_up(tmp_path: Path) -> None:
    """A nearly full file gives up the grace first: no message that the broker has counts as dropped."""
    box = outbox(tmp_path / "o", max_bytes=MB, grace_s=1e9)
    numbers = []
    for start in range(0, 5000, 50):
        box.put([event(number, 1000) for number in range(start, start + 50)])
        taken = box.take(100)
        numbers += [int(each.message.payload[:8]) for each in taken]
        box.settle(taken)
    assert numbers == list(range(5000))
    assert box.health.in_file == 0
    assert sum(box.health.dropped.values()) == 0
    assert box.health.file_bytes <= MB
    box.close()


def test_a_new_process_goes_on_where_the_old_one_ended(tmp_path: Path) -> None:
    """Messages survive closing, and new ones come after them."""
    box = outbox(tmp_path / "o")
    box.put([event(number) for number in range(5)])
    box.settle(box.take(2))
    box.close()
    box = outbox(tmp_path / "o")
    box.put([event(5)])
    assert drain(box) == [2, 3, 4, 5]
    box.close()


STEPS = (
    *("put", "take", "settle first", "settle all", "lose", "broker is killed", "time passes", "restart"),
    *("disk fails", "disk is back"),
)


def left(arrived: list[tuple[int, float]], lost_s: float) -> list[tuple[int, float]]:
    """Return what a killed broker has: all but the messages of the last `lost_s` before its last acknowledgement."""
    latest = max((at for _, at in arrived), default=0)
    return [(number, at) for number, at in arrived if at <= latest - lost_s]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(STEPS), max_size=40), seed=st.integers(0, 1000), grace_s=st.sampled_from([0, 5]))
def test_whatever_happens_every_message_arrives_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], seed: int, grace_s: int
) -> None:
    """Puts, deliveries, lost connections, restarts, a failing disk, killed brokers: each message arrives, in order.

    Duplicates are removed by number, as consumers do. A killed broker loses the messages that it acknowledged less than
    the grace before its last acknowledgement, if they came from the outbox's file.
    """
    folder, clock, rng = tmp_path_factory.mktemp("outbox"), Clock(), random.Random(seed)
    box, put = outbox(folder / "o", clock, grace_s=grace_s), 0
    arrived: list[tuple[int, float]] = []
    in_flight: list[Taken] = []
    is_failing = False
    for step in steps:
        match step:
            case "put":
                count = rng.randint(1, 4)
                box.put([event(put + number) for number in range(count)])
                put += count
            case "take":
                in_flight += box.take(rng.randint(1, 5))
            case "settle first" | "settle all" if in_flight:
                done = in_flight[:1] if step == "settle first" else in_flight
                arrived += [
                    (int(each.message.payload[:8]), float("-inf") if each.key is None else clock.now) for each in done
                ]
                box.settle(done)
                in_flight = in_flight[len(done) :]
            case "lose" | "broker is killed":
                arrived = left(arrived, grace_s if step == "broker is killed" else 0)
                box.put_back()
                in_flight = []
            case "time passes":
                clock.now += rng.choice([1, 4, 6])
            case "restart" if not is_failing:
                box.close()
                box, in_flight = outbox(folder / "o", clock, grace_s=grace_s), []
                box.take(0)
            case "disk fails" if not is_failing:
                is_failing = True
                box._fail(OutboxError("unwritable", "input/output error"))
            case "disk is back":
                is_failing = False
                clock.now += RETRY_S
    box.put_back()
    clock.now += RETRY_S
    numbers = [number for number, _ in arrived] + drain(box)
    assert list(dict.fromkeys(numbers)) == list(range(put))
    assert box.health.in_memory == box.health.in_file == 0
    box.close()


def test_a_full_outbox_gives_up_old_units_first_and_events_last(tmp_path: Path) -> None:
    """A full outbox drops old unit batches, then old figures; events stay, and drops are counted by kind."""
    box = outbox(tmp_path / "o", max_bytes=MB)
    for start in range(0, 3000, 30):
        box.put(
            [
                message
                for number in range(start, start + 30, 3)
                for message in (units(number, 500), figures(number + 1, 500), event(number + 2, 100))
            ]
        )
    assert box.health.file_bytes <= MB
    kept = drain(box)
    assert [number for number in kept if number % 3 == 2] == list(range(2, 3000, 3))
    assert box.health.dropped["event"] == 0
    assert box.health.dropped["units"] + box.health.dropped["figures"] == 3000 - len(kept)
    figures_kept = [number for number in kept if number % 3 == 1]
    units_kept = [number for number in kept if number % 3 == 0]
    # The youngest of each kind stay.
    assert figures_kept == list(range(3001 - 3 * len(figures_kept), 3000, 3))
    assert units_kept == list(range(3000 - 3 * len(units_kept), 3000, 3))
    assert len(units_kept) < 200 < len(figures_kept)
    box.close()


def test_the_file_does_not_outgrow_its_bound(tmp_path: Path) -> None:
    """With ten times as much as fits, the file stays near its bound, its log stays small, and it drains to nothing."""
    box = outbox(tmp_path / "o", max_bytes=MB)
    for start in range(0, 10_000, 100):
        box.put([event(number, 1000) for number in range(start, start + 100)])
    box.settle(box.take(10))
    assert (tmp_path / "o").stat().st_size < 1.6 * MB
    assert (tmp_path / "o-wal").stat().st_size < 2 * MB
    numbers = drain(box, 500)
    assert numbers == list(range(numbers[0], 10_000))
    assert box.health.dropped["event"] == numbers[0] - 10
    box.close()


def _damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    match how:
        case "no database":
            path.write_bytes(b"this is not a database" * 400)
        case "truncated":
            path.write_bytes(data[: len(data) // 2])
        case "zeros in the middle":
            path.write_bytes(data[:8192] + bytes(8192) + data[16384:])
        case "header alone":
            path.write_bytes(data[:100])


def test_what_the_broker_keeps_is_known_to_the_next_process(tmp_path: Path) -> None:
    """Retained topics are recorded and removed, also those reported while the file could not be written."""
    path = tmp_path / "site.outbox"
    box = outbox(path)
    box.put([], {"a": True, "b": True, "c": True})
    box.put([event(1)], {"b": False, "unknown": False})
    assert box.kept() == {"a", "c"}
    box.close()
    path.rename(tmp_path / "elsewhere")
    path.mkdir()
    clock = Clock()
    box = outbox(path, clock)
    assert box.kept() is None
    box.put([], {"d": True, "e": True})
    box.put([], {"a": False, "e": False})
    path.rmdir()
    (tmp_path / "elsewhere").rename(path)
    clock.now += RETRY_S
    box.put([])
    assert box.kept() == {"c", "d"}
    box.close()


def test_an_outbox_from_before_topics_were_noted_is_used_on(tmp_path: Path) -> None:
    """An older file's messages are delivered, and from then on it records retained topics."""
    path = tmp_path / "site.outbox"
    old = outbox(path)
    old.put([event(1)])
    old.close()
    with contextlib.closing(sqlite3.connect(path)) as file:
        assert not file.execute("SELECT 1 FROM sqlite_master WHERE name = 'kept'").fetchall()
    box = outbox(path)
    assert [taken.message for taken in box.take(10)] == [event(1)]
    assert box.kept() == set()
    box.put([], {"a": True})
    assert box.kept() == {"a"}
    box.close()


@pytest.mark.parametrize("how", ["no database", "truncated", "zeros in the middle", "header alone"])
def test_a_damaged_file_is_moved_aside(tmp_path: Path, how: str) -> None:
    """A damaged file is renamed and counted once; a new one receives its readable messages and later ones."""
    box = outbox(tmp_path / "o")
    box.put([event(number, 1000) for number in range(100)])
    box.close()
    _damage(tmp_path / "o", how)
    box = outbox(tmp_path / "o")
    box.put([event(1000)])
    assert (box.health.errors["damaged"], box.health.trouble) == (1, None)
    numbers = drain(box)
    assert numbers[-1] == 1000
    assert numbers == sorted(set(numbers))
    assert len([path for path in tmp_path.iterdir() if ".damaged-" in path.name and path.name[-1].isdigit()]) == 1
    box.close()


def test_what_a_smaller_bound_gives_up_of_a_damaged_file_is_counted(tmp_path: Path) -> None:
    """Of a damaged file copied into less room, each message is in the new file or counted as dropped."""
    box = outbox(tmp_path / "o", max_bytes=8 * MB)
    box.put([event(number, 1000) for number in range(2000)])
    box.close()
    data = (tmp_path / "o").read_bytes()
    (tmp_path / "o").write_bytes(data[:-4096] + bytes(4096))
    box = outbox(tmp_path / "o", max_bytes=MB)
    box.put([event(2000)])
    assert box.health.errors["damaged"] == 1
    (aside,) = (path for path in tmp_path.iterdir() if ".damaged-" in path.name and path.name[-1].isdigit())
    readable = len(list(salvage(aside)))
    kept = drain(box, 500)
    assert kept[-1] == 2000
    assert len(kept) < 1000 < readable
    assert len(kept) + box.health.dropped["event"] == readable + 1
    box.close()


def test_an_empty_file_is_a_new_one(tmp_path: Path) -> None:
    """An empty file, as a power cut may leave it, is treated as new."""
    (tmp_path / "o").touch()
    box = outbox(tmp_path / "o")
    box.put([event(1)])
    assert (drain(box), box.health.trouble) == ([1], None)
    box.close()


def test_a_deleted_file_is_created_again(tmp_path: Path) -> None:
    """After the outbox is deleted while open, later messages are written to a new file."""
    box = outbox(tmp_path / "o")
    box.put([event(1)])
    for path in tmp_path.iterdir():
        path.unlink()
    box.put([event(2)])
    assert drain(box) == [2]
    assert (tmp_path / "o").exists()
    box.close()


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda path: path.mkdir(), "unwritable"),
        (lambda path: sqlite3.connect(path).executescript("CREATE TABLE other (x);").connection.close(), "foreign"),
    ],
)
def test_messages_go_through_memory_while_there_is_no_file(tmp_path: Path, prepare: object, reason: str) -> None:
    """Without a usable file, messages are delivered from memory and the reason is counted."""
    prepare(tmp_path / "o")
    box = outbox(tmp_path / "o")
    box.put([event(1), event(2)])
    assert box.health.in_memory == 2
    assert box.health.errors[reason] == 1
    assert box.health.trouble
    assert drain(box) == [1, 2]
    box.close()


def test_memory_is_bounded_too(tmp_path: Path) -> None:
    """While the file cannot be written, memory drops units first and events last as well."""
    (tmp_path / "o").mkdir()
    box = outbox(tmp_path / "o", memory_bytes=20_000)
    for number in range(0, 300, 3):
        box.put([units(number), figures(number + 1), event(number + 2)])
    kept = drain(box)
    assert [number for number in kept if number % 3 == 2] == list(range(2, 300, 3))
    assert box.health.dropped["units"] >= 90
    assert box.health.dropped["event"] == 0
    box.close()


def test_a_newer_file_is_not_touched(tmp_path: Path) -> None:
    """A file of a later version is left unchanged, with its own reason; a downgrade loses nothing."""
    box = outbox(tmp_path / "o")
    box.put([event(1)])
    box.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "o")) as file:
        file.execute("PRAGMA user_version = 2")
    with pytest.raises(OutboxError, match="newer version of hashsight") as refused:
        open_outbox(tmp_path / "o", max_bytes=MB)
    assert refused.value.reason == "newer"
    with contextlib.closing(sqlite3.connect(tmp_path / "o")) as file:
        assert file.execute("SELECT COUNT(*) FROM messages").fetchone() == (1,)


def test_two_agents_do_not_share_an_outbox(tmp_path: Path) -> None:
    """The second agent gets the reason in_use, and takes the file over once the first is gone."""
    clock = Clock()
    first, second = outbox(tmp_path / "o"), outbox(tmp_path / "o", clock)
    first.put([event(1)])
    second.put([event(2)])
    assert second.health.errors["in_use"] == 1
    assert second.health.in_memory == 1
    first.close()
    clock.now += RETRY_S
    second.flush()
    assert drain(second) == [1, 2]
    second.close()


def can_mount(folder: Path, size: int) -> bool:
    """Mount a file system of that size on a folder; returns False without permission."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount a file system of that size while the block runs."""
    assert can_mount(folder, size)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_stops_nothing_and_loses_nothing(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """On a full disk messages wait in memory, the file drains thanks to its ballast, and everything recovers.

    Without permission to mount, the test runs in a namespace of its own. Without permission for that either, it is
    skipped, or fails with CI=true.
    """
    probe = tmp_path / "probe"
    probe.mkdir()
    if can_mount(probe, MB):
        subprocess.run(["umount", "--lazy", str(probe)], check=True)
        fill_a_disk(tmp_path / "disk")
        return
    options = ("-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'own'}")
    again = (sys.executable, "-m", "pytest", *options, request.node.nodeid)
    own = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", *again],
        capture_output=True,
        check=False,
        cwd=request.config.rootpath,
        env={**os.environ, "CI": "true"},
    )
    said = (own.stdout + own.stderr).decode()
    if "unshare failed" in said:
        if os.environ.get("CI") == "true":
            pytest.fail("no permission to mount a small tmpfs here")
        pytest.skip("no permission to mount a small tmpfs here")
    assert own.returncode == 0, said


def fill_a_disk(folder: Path) -> None:
    """Run an outbox on a disk that fills up and has room again."""
    folder.mkdir()
    with small_disk(folder, 8 * MB) as disk:
        clock = Clock()
        box = outbox(disk / "o", clock, max_bytes=64 * MB, memory_bytes=32 * MB)
        box.put([event(number, 1000) for number in range(1000)])
        assert (disk / "o.ballast").stat().st_size == BALLAST_BYTES
        with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(4096))
        for start in range(1000, 4000, 500):
            box.put([event(number, 1000) for number in range(start, start + 500)])
        assert box.health.trouble
        assert box.health.errors["full"] > 0
        assert box.health.in_memory > 0
        arrived = []
        for _ in range(20):
            taken = box.take(100)
            arrived += [int(each.message.payload[:8]) for each in taken]
            box.settle(taken)
        (disk / "filler").unlink()
        clock.now += RETRY_S
        box.put([event(4000)])
        assert box.health.trouble is None
        arrived += drain(box, 100)
        assert arrived == list(range(4001))
        assert sum(box.health.dropped.values()) == 0
        box.close()


WRITER = """
import sys, time
from pathlib import Path
from agent.exporters.mqtt.outbox import Outbox
from agent.exporters.mqtt.outbox_file import Kind, Message
box = Outbox(Path(sys.argv[1]), max_bytes=64 << 20, clock=time.monotonic, wall=time.time)
number = int(sys.argv[2])
while True:
    box.put([Message(Kind.EVENT, "events", f"{number + each:08d}".encode()) for each in range(10)])
    assert box.health.in_memory == 0, box.health
    number += 10
    print(number, flush=True)
"""


def test_what_was_put_in_survives_sigkill(tmp_path: Path) -> None:
    """After each of five SIGKILLs of a busy writer, the file is sound and has every message that `put` accepted."""
    path, acknowledged, rng = tmp_path / "o", 0, random.Random(1)
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(acknowledged)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ) as writer:
            assert writer.stdout is not None
            for _ in range(rng.randint(1, 60)):
                line = writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
            lines = writer.stdout.read().split(b"\n")
        acknowledged = int(lines[-2] if len(lines) > 1 else line)
        with contextlib.closing(sqlite3.connect(path)) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            numbers = [int(payload[:8]) for (payload,) in file.execute("SELECT payload FROM messages ORDER BY id")]
        assert numbers[:acknowledged] == list(range(acknowledged))
        acknowledged = len(numbers)
