"""The IP-report button: what a datagram says, how a rack fills, and what a walk leaves on disk."""

import asyncio
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patience import PATIENT_S

from agent.commands.listen import walk_rack
from agent.errors import AgentError, ConfigError
from agent.hil.listen.places_file import read_spots, write_spots
from agent.hil.listen.receiver import MOST_WAITING, Receiver, receiving
from agent.hil.listen.reports import LONGEST, Report, read_report
from agent.hil.listen.walk import Answer, Spot, Walk
from agent.hil.places.mac_table import read_places
from agent.site.ledger.entries import Place

MACS = [f"02:1a:2b:00:00:{number:02x}" for number in range(16)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"10.0.3.17,02:1A:2B:00:00:01", Report("10.0.3.17", MACS[1])),
        (b"10.0.3.17,02:1a:2b:00:00:01\0\0", Report("10.0.3.17", MACS[1])),
        (b"[10.0.3.17/22],02:1A:2B:00:00:01", Report("10.0.3.17", MACS[1])),
        (b"IP:10.0.3.17MAC:02:1A:2B:00:00:01\0", Report("10.0.3.17", MACS[1])),
        (b"IP:10.0.3.17MAC:02-1A-2B-00-00-01\n", Report("10.0.3.17", MACS[1])),
        (b"OK\0\0\0\0\0\0\0\0", None),
        (b"", None),
        (b"10.0.3.17", None),
        (b"10.0.3.170,02:1A:2B:00:00", None),
        (b"10.0.3.17,02:1A:2B:00:00:011", None),
        (b"10.0.3.17,02:1A:2B:00:00:01:02", None),
        (b"10.0.3.999,02:1A:2B:00:00:01", None),
        (b"0.0.0.0,02:1A:2B:00:00:01", None),
        # Multicast addresses and zeros are no machine's.
        (b"10.0.3.17,01:1A:2B:00:00:01", None),
        (b"10.0.3.17,00:00:00:00:00:00", None),
        (b"x10.0.3.17,02:1A:2B:00:00:01", None),
        (b"10.0.3.17,02:1A:2B:00:00:01" + b" " * LONGEST, None),
    ],
)
def test_reports_are_read_strictly(data: bytes, expected: Report | None) -> None:
    """The forms of both ports; anything else is no report."""
    assert read_report(data) == expected


@given(st.binary(max_size=200))
def test_any_bytes_are_a_report_or_not(data: bytes) -> None:
    """No datagram raises, and what is read is an address and a MAC address."""
    report = read_report(data)
    assert report is None or (socket.inet_aton(report.host) and len(report.mac) == 17)


def press(walk: Walk, number: int, at: float) -> Answer:
    """Press one unit's button."""
    return walk.press(Report(f"10.0.0.{number}", MACS[number]), at).answer


def slots(walk: Walk) -> dict[str, str]:
    """Return the slot of each unit, by the end of its MAC address."""
    return {spot.mac[-2:]: spot.place.slot for spot in walk.spots}


def test_a_rack_fills_slot_by_slot() -> None:
    """Repeats of a press are one press; a later one changes nothing, and is answered."""
    walk = Walk("C1", "R01", "1")
    assert press(walk, 1, at=0) is Answer.PLACED
    assert press(walk, 1, at=1) is Answer.SAME_PRESS
    # Repeats of repeats.
    assert press(walk, 1, at=3.5) is Answer.SAME_PRESS
    assert press(walk, 2, at=3.6) is Answer.PLACED
    assert press(walk, 1, at=9) is Answer.AGAIN
    assert press(walk, 1, at=9.1) is Answer.SAME_PRESS
    assert slots(walk) == {"01": "1", "02": "2"}
    assert walk.spots[0] == Spot(MACS[1], "10.0.0.1", Place(container="C1", rack="R01", slot="1"))


def test_the_last_one_is_taken_back() -> None:
    """Its slot is the next one again, and its next report counts at once."""
    walk = Walk("C1", "R01", "05")
    press(walk, 1, at=0)
    press(walk, 2, at=1)
    spot = walk.undo()
    assert spot is not None
    assert (spot.mac, walk.slot) == (MACS[2], "06")
    assert press(walk, 3, at=2) is Answer.PLACED
    assert press(walk, 2, at=2.1) is Answer.PLACED
    assert slots(walk) == {"01": "05", "03": "06", "02": "07"}
    assert [walk.undo() is None for _ in range(4)] == [False, False, False, True]
    assert walk.slot == "05"


def test_a_walk_goes_on_where_it_ended() -> None:
    """Without a first slot it begins after the last; slots that are taken are left out, and the end is an end."""
    spots = [
        Spot(MACS[number], "", Place(container="C1", rack="R01", slot=slot)) for number, slot in ((1, "1"), (3, "3"))
    ]
    assert Walk("C1", "R01", None, None, spots).slot == "4"
    assert Walk("C1", "R02", None, None, spots).slot == "1"
    walk = Walk("C1", "R01", "2", 4, spots)
    assert press(walk, 5, at=0) is Answer.PLACED
    assert walk.slot == "4"
    walk.skip()
    assert walk.slot is None
    assert press(walk, 6, at=1) is Answer.FULL
    with pytest.raises(ValueError, match="slot 3 of this rack has 02:1a:2b:00:00:03; begin at another"):
        Walk("C1", "R01", "3", None, spots)


def test_two_units_at_one_address_are_noticed() -> None:
    """The second one gets its slot, and the first is named."""
    walk = Walk("C1", "R01", "1")
    walk.press(Report("10.0.0.1", MACS[1]), 0)
    outcome = walk.press(Report("10.0.0.1", MACS[2]), 1)
    assert (outcome.answer, outcome.twin) == (Answer.PLACED, walk.spots[0])


def test_the_file_of_a_walk_is_a_list_of_places(tmp_path: Path) -> None:
    """It is read back in order, and `--place mac:FILE` takes it."""
    path = tmp_path / "places.csv"
    assert read_spots(path) == []
    spots = [
        Spot(MACS[2], "10.0.0.2", Place(container="C1", rack="R01", slot="1")),
        Spot(MACS[1], "10.0.0.1", Place(rack="R, 2", slot="2")),
    ]
    write_spots(path, spots)
    assert read_spots(path) == spots
    assert read_places(path.read_text(encoding="utf-8"), "places.csv") == {spot.mac: spot.place for spot in spots}
    write_spots(path, [])
    assert read_spots(path) == []
    path.write_text("mac,rack\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="a file of `hashsight listen` is expected"):
        read_spots(path)


def free_ports(count: int) -> list[int]:
    """Return UDP ports of the loopback device that nothing uses."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


async def until(text: str, capsys: pytest.CaptureFixture[str], printed: list[str]) -> None:
    """Wait until a text is printed; `printed` collects the output."""
    async with asyncio.timeout(PATIENT_S):
        while text not in "".join(printed):
            printed.append(capsys.readouterr().out)
            await asyncio.sleep(0)


async def test_a_walk_over_udp(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Presses on both ports, typed words, strangers and an end, in lines of at most 40 columns."""
    monkeypatch.setenv("COLUMNS", "40")
    walk, saved, typed, printed = Walk("C1", "R01", "1", 3), [], asyncio.Queue[str](), [""]
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind(("127.0.0.1", 0))
    ports = free_ports(2)
    async with receiving("127.0.0.1", ports) as receiver:
        walking = asyncio.create_task(walk_rack(walk, receiver, typed, lambda: saved.append(len(walk.spots))))
        for data, port, expected in (
            (b"hello", ports[0], "127.0.0.1 sent no report; ignored"),
            (b"10.20.200.101,02:1A:2B:00:00:01", ports[0], "  1 10.20.200.101   02:1a:2b:00:00:01"),
            (b"IP:127.0.0.1MAC:02:1A:2B:00:00:02\0", ports[1], "  2 127.0.0.1       02:1a:2b:00:00:02"),
        ):
            sender.sendto(data, ("127.0.0.1", port))
            await until(expected, capsys, printed)
        for word, expected in (("u", "took back slot 2; next: 2"), ("?", "u undo"), ("s", "slot 2 stays empty")):
            typed.put_nowait(word)
            await until(expected, capsys, printed)
        sender.sendto(b"127.0.0.1,02:1A:2B:00:00:03", ("127.0.0.1", ports[0]))
        async with asyncio.timeout(PATIENT_S):
            await walking
    sender.close()
    printed.append(capsys.readouterr().out)
    lines = "".join(printed).splitlines()
    assert "  sent by 127.0.0.1" in lines
    assert max(map(len, lines)) <= 40
    assert slots(walk) == {"01": "1", "03": "3"}
    assert saved == [1, 2, 1, 2]


async def test_a_second_press_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """The unit's slot is named, and nothing is saved."""
    spots = [Spot(MACS[1], "10.0.0.1", Place(container="C1", rack="R02", slot="7"))]
    walk, printed, typed = Walk("C1", "R01", None, None, spots), [""], asyncio.Queue[str]()
    receiver = Receiver()
    walking = asyncio.create_task(walk_rack(walk, receiver, typed, pytest.fail))
    receiver.take(b"10.0.0.1,02:1A:2B:00:00:01", "10.0.0.1")
    await until("already C1-R02 slot 7: 02:1a:2b:00:00:01", capsys, printed)
    typed.put_nowait("q")
    async with asyncio.timeout(PATIENT_S):
        await walking


async def test_what_comes_too_fast_is_counted() -> None:
    """A flood fills its queue and no more."""
    receiver = Receiver()
    for _ in range(MOST_WAITING + 5):
        receiver.take(b"", "10.0.0.1")
    assert receiver.dropped == 5


async def test_a_port_in_use_is_told() -> None:
    """One port that is taken leaves the other; both are an error that names them."""
    taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taken.bind(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    try:
        async with receiving("127.0.0.1", [port, *free_ports(1)]) as receiver:
            assert receiver.silent == {port: "Address already in use"}
        with pytest.raises(AgentError, match=rf"cannot listen: UDP 127\.0\.0\.1:{port}: Address already in use"):
            async with receiving("127.0.0.1", [port]):
                pass
    finally:
        taken.close()
