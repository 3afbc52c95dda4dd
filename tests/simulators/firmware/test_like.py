"""Replies of twins: the recorded text, with the figures of the simulated unit in their places."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paths import CAPTURES
from polled_farm import Polled
from recorded_cases import make_capture, moment
from twin_cases import (
    LUXOS,
    S19_PRO,
    S21,
    T21_ASLEEP,
    VNISH_PRO,
    VNISH_XP,
    files_of,
    make_twins,
    reply_of,
    request_bytes,
)

from agent.hil.capture import form as agent_form
from agent.hil.capture.form import Ending, RecordedReply
from agent.unit.reading import Mode
from agent.unit.registry import CHOOSING
from simulators.captures.form import request_of
from simulators.farm.selection import Selector
from simulators.faults.unit import (
    Asleep,
    DeadBoard,
    FanStopped,
    FirmwareChanged,
    HashrateDrift,
    MissingChips,
    PoolDead,
)
from simulators.firmware.like.forms import form_of
from simulators.firmware.like.likeness import likeness_of
from simulators.firmware.like.tokens import Leaf, parse
from simulators.firmware.like.view import like_mac, like_serial, worker_of
from simulators.firmware.request import read_request
from simulators.sockets.station import LiveUnit
from simulators.unit.snapshot import Phase

LIKES = (S19_PRO, S21, LUXOS, VNISH_PRO, VNISH_XP)
EVERY = (*LIKES, T21_ASLEEP)


def folder_of(like: str) -> Path:
    """Return a capture's folder."""
    return Path(like.partition("@")[0])


def shape(text: str) -> list[tuple[Any, ...]]:
    """Return path and type of every value in order; of numbers also whether they have decimals or quotes."""
    shapes = []
    for leaf in parse(text).leaves:
        kind = type(leaf.value).__name__
        shapes.append((leaf.path, kind))
    return shapes


RECORDED = [(like, file) for like in LIKES for file in files_of(folder_of(like)) if request_of(file.name) != "*"]


@pytest.mark.parametrize(("like", "file"), RECORDED, ids=[f"{f.parent.name}-{f.stem}" for _, f in RECORDED])
def test_a_healthy_twin_has_the_recorded_keys_types_and_lists(like: str, file: Path) -> None:
    """Keys, their order, types and lengths of lists are the recorded ones, and so is every blank between them."""
    farm = make_twins(like)
    request = request_of(file.name)
    assert request is not None
    recorded = file.read_bytes().decode("latin-1")
    for unit in farm.units:
        shown = reply_of(farm, unit, request_bytes(request)).decode("latin-1")
        assert shape(shown) == shape(recorded)
        assert _around(shown) == _around(recorded)


def _around(text: str) -> list[str]:
    """Return the text between the values."""
    pieces, at = [], 0
    for leaf in parse(text).leaves:
        pieces.append(text[at : leaf.start])
        at = leaf.end
    return [*pieces, text[at:]]


def test_the_page_of_a_stock_unit_is_its_reply_in_the_new_dialect() -> None:
    """`http-stats` was recorded from a page, which shows what the API replies."""
    farm = make_twins(S21)
    recorded = (CAPTURES / "s21-stock-aml-202407" / "http-stats.json").read_text()
    shown = reply_of(farm, farm.units[0], request_bytes("stats new_api")).decode()
    assert shape(shown) == shape(recorded)
    assert _around(shown) == _around(recorded)


@pytest.mark.parametrize(
    ("like", "request_name", "path", "value"),
    [
        (S19_PRO, "stats", ("STATS", 0, "CompileTime"), "Tue Dec  6 16:12:30 CST 2022"),
        (S19_PRO, "stats", ("STATS", 1, "Min"), 99999999),
        (S19_PRO, "stats", ("STATS", 1, "total_rateideal"), 110000.0),
        (S19_PRO, "stats", ("STATS", 1, "freq2"), 525),
        (S19_PRO, "stats", ("STATS", 1, "chain_acn4"), 0),
        (S21, "stats new_api", ("STATS", 0, "psu", "status"), "ok"),
        (S21, "stats new_api", ("STATS", 0, "chain", 2, "rate_ideal"), 67525.0),
        (VNISH_PRO, "stats", ("STATS", 1, "state"), "auto-tuning"),
        (VNISH_PRO, "stats", ("STATS", 1, "chain_vol2"), 13000),
        (VNISH_PRO, "summary", ("SUMMARY", 0, "Fee Percent"), 2.812304),
        (LUXOS, "version", ("VERSION", 0, "LUXminer"), "2025.4.8.220305-57b389c7"),
    ],
)
def test_constants_stay(like: str, request_name: str, path: tuple[Any, ...], value: object) -> None:
    """Texts of the firmware, settings and constants are as recorded."""
    farm = make_twins(like)
    reply = json.loads(reply_of(farm, farm.units[3], request_bytes(request_name)))
    for step in path:
        reply = reply[step]
    assert reply == value


def stats_row(like: str, request: str = "stats") -> tuple[dict[str, Any], Any]:
    """Return the figures of one twin, and its snapshot."""
    farm = make_twins(like)
    unit = farm.units[2]
    return json.loads(reply_of(farm, unit, request_bytes(request)))["STATS"][-1], unit.snapshot(farm.clock.now())


def test_boards_add_up_as_they_did() -> None:
    """To the rate over 5 s on stock firmware and VNish, to the average on LuxOS, whose total is that of a board."""
    row, snapshot = stats_row(S19_PRO)
    rates = [float(row[f"chain_rate{board}"]) for board in (1, 2, 3)]
    assert (row["GHS 5s"], row["chain_rate4"]) == (snapshot.ghs_5s, "")
    assert sum(rates) == pytest.approx(row["GHS 5s"], abs=0.02)
    row, snapshot = stats_row(LUXOS)
    rates = [float(row[f"chain_rate{board}"]) for board in (1, 2, 3)]
    assert sum(rates) == pytest.approx(snapshot.ghs_avg, abs=0.02)
    assert row["total rate"] == pytest.approx(snapshot.ghs_avg / 3, abs=0.01)
    row, snapshot = stats_row(VNISH_XP)
    assert sum(row[f"chain_rate{board}"] for board in (1, 2, 3)) == pytest.approx(row["total_rate"], abs=0.02)
    row, snapshot = stats_row(S21, "stats new_api")
    assert sum(board["rate_real"] for board in row["chain"]) == pytest.approx(row["rate_5s"], abs=0.02)


def test_sensors_keep_their_distances() -> None:
    """Pcb over pic and chip over pcb are as recorded on every board, whatever the air."""
    row, _ = stats_row(S19_PRO)
    for board in (1, 2, 3):
        pic, pcb, chip = ([int(c) for c in row[f"temp_{name}{board}"].split("-")] for name in ("pic", "pcb", "chip"))
        assert [b - a for a, b in zip(pic, pcb, strict=True)] == [10] * 4
        assert [b - a for a, b in zip(pcb, chip, strict=True)] == [5] * 4
        assert (row[f"temp{board}"], row[f"temp2_{board}"]) == (max(pcb), max(chip))


@pytest.mark.parametrize("like", EVERY)
def test_an_agent_reads_the_truth(like: str) -> None:
    """Rate, boards, chips, uptime and shares as the simulated firmware has them, in health and with faults."""
    farm = make_twins(like, units=7)
    faults = (
        DeadBoard(board=1),
        DeadBoard(board=0, is_listed=True),
        MissingChips(board=2, chips=20),
        HashrateDrift(ratio=0.8),
        FanStopped(fan=0),
        Asleep(),
    )
    for unit, fault in zip(farm.units, faults, strict=False):
        farm.inject(fault, Selector(units=(unit.identity.unit_id,)))
    farm.clock.advance(1800.0)
    now = farm.clock.now()
    polled = Polled(farm.units, at=now, slow_every=1, farm=farm)
    for unit in farm.units:
        reading = polled.poll(unit, now).reading
        snapshot = unit.snapshot(now)
        assert reading is not None
        assert (reading.hashrate_5s_hs or 0.0) == pytest.approx(snapshot.ghs_5s * 1e9, rel=1e-4, abs=1e6)
        if unit.phase is Phase.HASHING:
            assert reading.uptime_s == snapshot.elapsed_s
            assert reading.shares is not None
            assert reading.shares.accepted == unit.shares(now).accepted
            chips = {board.slot: board.chips for board in reading.boards if board.chips}
            assert chips == {board.board: board.chips for board in snapshot.boards if board.chips}
            assert [rpm == 0 for rpm in reading.fan_rpm] == [rpm == 0 for rpm in snapshot.fans_rpm]
        if reading.power_watts:
            assert reading.power_watts == pytest.approx(unit.power_watts(now), rel=0.01)
    asleep = polled.poll(farm.units[5], now).reading
    assert asleep is not None
    # Other firmware's sleep is not recorded: its twin shows a rate of zero, not a word for it.
    assert (asleep.mode is Mode.SLEEP) is (like in (S19_PRO, S21, T21_ASLEEP))


def test_pools_follow_the_simulated_ones() -> None:
    """With both pools dead neither is active; workers are each unit's own, in the recorded form."""
    farm = make_twins(S19_PRO)
    first, second = farm.units[:2]
    farm.inject(PoolDead(pools=2), Selector(units=(second.identity.unit_id,)))
    farm.clock.advance(60.0)
    well, ill = (json.loads(reply_of(farm, unit, request_bytes("pools")))["POOLS"] for unit in (first, second))
    assert [pool["Stratum Active"] for pool in well] == [True, False, False]
    assert [(pool["Status"], pool["Stratum Active"], pool["Stratum URL"]) for pool in ill[:2]] == [
        ("Dead", False, "")
    ] * 2
    assert (well[0]["User"], ill[0]["User"]) == ("redacted.worker0001", "redacted.worker0002")
    assert well[0]["Accepted"] == first.shares(farm.clock.now()).accepted


def test_a_twin_of_luxos_joins_reports_and_is_told_apart() -> None:
    """An agent chooses the reader of the recorded firmware, whose requests are joined."""
    farm = make_twins(LUXOS, units=1)
    joined = json.loads(reply_of(farm, farm.units[0], b'{"command":"pools+devs"}'))
    assert list(joined) == ["pools", "devs", "id"]
    for command in ("pools", "devs"):
        assert joined[command] == [json.loads(reply_of(farm, farm.units[0], request_bytes(command)))]
    refused = json.loads(reply_of(farm, farm.units[0], request_bytes("switchpool")))
    assert refused["STATUS"][0]["Description"].startswith("LUXminer")


def luxos(farm: Any, unit: Any, command: str) -> list[dict[str, Any]]:
    """Return the rows of one of LuxOS's lists now."""
    body = json.loads(reply_of(farm, unit, request_bytes(command)))
    rows: list[dict[str, Any]] = body[command.upper()]
    return rows


def test_a_twin_of_luxos_follows_the_physics_in_its_lists() -> None:
    """Rates of boards add up to that of the unit, in the recorded order; watts are those of the simulated unit."""
    farm = make_twins(LUXOS, units=1)
    unit, now = farm.units[0], farm.clock.now()
    snapshot = unit.snapshot(now)
    rows = luxos(farm, unit, "devs")
    assert [row["ID"] for row in rows] == [2, 0, 1]
    assert sum(row["MHS 5s"] for row in rows) == pytest.approx(snapshot.ghs_5s * 1e3, rel=1e-6)
    assert luxos(farm, unit, "power")[0]["Watts"] == pytest.approx(snapshot.power_watts, abs=1)
    assert len({row["SerialNumber"] for row in rows}) == 3
    before = luxos(farm, unit, "temps"), luxos(farm, unit, "fans")
    farm.inject(FanStopped(fan=0))
    farm.inject(HashrateDrift(ratio=0.6))
    farm.clock.advance(900.0)
    after = luxos(farm, unit, "temps"), luxos(farm, unit, "fans")
    assert before != after
    assert [row["RPM"] for row in after[1] if row["FAN"] == "FAN1"] == [0]
    assert sum(row["MHS 5s"] for row in luxos(farm, unit, "devs")) == pytest.approx(
        unit.snapshot(farm.clock.now()).ghs_5s * 1e3, rel=1e-6
    )


def test_a_board_that_a_twin_of_luxos_loses_is_in_none_of_its_lists() -> None:
    """The others keep their ids, and an agent finds it missing at its slot."""
    farm = make_twins(LUXOS, units=1)
    unit = farm.units[0]
    farm.inject(DeadBoard(board=1))
    farm.clock.advance(900.0)
    for command in ("devs", "temps"):
        assert sorted(row["ID"] for row in luxos(farm, unit, command)) == [0, 2]
    reading = Polled([unit], at=farm.clock.now(), farm=farm, reader=CHOOSING).poll(unit, farm.clock.now()).reading
    assert reading is not None
    assert [board.slot for board in reading.boards] == [0, 2]
    assert reading.hashrate_5s_hs == pytest.approx(unit.hashrate_hs(farm.clock.now()), rel=0.05)


@pytest.mark.parametrize(
    ("like", "reader"), [(S21, "antminer"), (LUXOS, "luxos"), (VNISH_PRO, "vnish"), (VNISH_XP, "vnish")]
)
def test_an_agent_chooses_the_reader_of_the_recorded_firmware(like: str, reader: str) -> None:
    """By the twin's own words."""
    farm = make_twins(like, units=1)
    unit, now = farm.units[0], farm.clock.now()
    reading = Polled([unit], at=now, farm=farm, reader=CHOOSING).poll(unit, now).reading
    assert reading is not None
    assert reading.reader == reader
    assert reading.hashrate_5s_hs is not None
    assert reading.hashrate_5s_hs == pytest.approx(unit.hashrate_hs(now), rel=0.05)


def test_a_write_of_any_firmware_is_one_to_a_twin() -> None:
    """A twin's firmware may be any."""
    farm = make_twins(S21, units=1)
    station = LiveUnit(farm, farm.units[0])
    assert station.is_write(read_request(b'{"command":"addpool"}'))
    assert not station.is_write(read_request(b'{"command":"stats"}'))


def test_another_build_is_no_twin_any_more() -> None:
    """A fault that changes the firmware gives the unit the simulated build; without it the likeness is back."""
    farm = make_twins(S21, units=1)
    unit = farm.units[0]
    farm.inject(FirmwareChanged(build="s21-202604"))
    farm.clock.advance(600.0)
    assert b"CST 2026" in reply_of(farm, unit, request_bytes("stats new_api"))
    assert farm.twin_of(unit) is None


def test_moments_are_the_templates_of_their_stages(tmp_path: Path) -> None:
    """A recorded sleep is what a sleeping twin answers, with the time of day alone."""
    stats = (CAPTURES / "s19pro-stock-202212" / "tcp4028-stats.json").read_bytes()
    asleep = b'{"STATUS":[{"STATUS":"S","When":1755615295}],"STATS":[{"Type":"Antminer S19 Pro","Note":"asleep"}]}'
    looked, data = moment("01-asleep", "asleep", asleep.decode())
    reply = RecordedReply(request="stats", file="tcp4028-stats.json", ending=Ending.CLOSE)
    folder = make_capture(
        tmp_path / "unit",
        replies=(reply,),
        data={"tcp4028-stats.json": stats, **data},
        moments=(agent_form.Moment(folder=looked.folder, state="asleep", replies=looked.replies),),
    )
    farm = make_twins(str(folder), units=2)
    farm.inject(Asleep(), Selector(units=(farm.units[1].identity.unit_id,)))
    farm.clock.advance(600.0)
    shown = reply_of(farm, farm.units[1], request_bytes("stats"))
    assert shown == asleep.replace(b"1755615295", str(int(farm.clock.now())).encode())
    assert farm.twins[farm.units[0].identity.model].notes[-1].startswith("not recorded: starting, fault;")


def test_a_twin_ends_its_replies_as_the_recorded_unit_did(tmp_path: Path) -> None:
    """Without a NUL, if none came."""
    stats = (CAPTURES / "s19pro-stock-202212" / "tcp4028-stats.json").read_bytes()
    reply = RecordedReply(request="stats", file="tcp4028-stats.json", ending=Ending.CLOSE)
    folder = make_capture(tmp_path / "unit", replies=(reply,), data={"tcp4028-stats.json": stats})
    farm = make_twins(str(folder), units=1)
    answer = likeness_of(next(iter(farm.twins.values()))).answer
    assert farm.twin_of(farm.units[0]) is not None
    assert not reply_of(farm, farm.units[0], request_bytes("stats")).endswith(b"\0")
    assert answer.__name__ == "answer"


@pytest.mark.parametrize(
    ("recorded", "index", "worker"),
    [
        ("redacted.worker0001", 41, "redacted.worker0042"),
        ("redacted.00000000001", 2999, "redacted.00000003000"),
        ("account.rig", 6, "account.007"),
        ("account.unit-a", 6, "account.un0007"),
        ("a1", 122, "a123"),
        ("", 3, ""),
    ],
)
def test_workers_keep_the_form(recorded: str, index: int, worker: str) -> None:
    """The number at the end is the unit's; the length stays while it has room."""
    assert worker_of(recorded, index) == worker


def test_numbers_of_units_keep_the_form() -> None:
    """Length of a serial, separators and case of a MAC address."""
    assert like_serial("x" * 17, "SIMABCDEFGHJ00042") == "SIMABCDEFGHJ00042"
    assert like_serial("x" * 12, "SIMABCDEFGHJ00042") == "SIMFGHJ00042"[-12:]
    assert [like_mac(text, "02:AB:00:00:00:01") for text in ("02:00:00:00:00:01", "02-aa", "AABB")] == [
        "02:ab:00:00:00:01",
        "02-ab-00-00-00-01",
        "02AB00000001",
    ]


@pytest.mark.parametrize(
    ("raw", "alike", "value", "shown"),
    [
        ("490", [], 487.6, "488"),
        ("206901.8", [], 1.234, "1.23"),
        ("206901.8", [], 5.0, "5.0"),
        ('"37603.30"', [], 1.2, '"1.20"'),
        ("40.90", [], 5.0, "5.00"),
        ("65505.727", [], 1.23456, "1.235"),
        ("47.0", [], 48.25, "48.25"),
        ("1.5", ["2.345"], 0.12345, "0.123"),
    ],
)
def test_a_number_is_printed_as_the_recorded_one(raw: str, alike: list[str], value: float, shown: str) -> None:
    """Whole numbers stay whole, quotes stay, decimals are as many as recorded ones have."""
    leaves = [Leaf((), 0, len(text), text, json.loads(text)) for text in (raw, *alike)]
    form = form_of(leaves[0], leaves)
    assert form is not None
    assert form(value) == shown


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.sampled_from([None, 1, "\t"]))
def test_a_text_taken_apart_is_the_text(value: object, indent: object) -> None:
    """Every plain value stands where its leaf says, in order, and means what it meant."""
    text = json.dumps(value, indent=indent)  # type: ignore[arg-type]
    leaves = parse(text).leaves
    assert [text[leaf.start : leaf.end] for leaf in leaves] == [leaf.raw for leaf in leaves]
    assert [leaf.value for leaf in leaves] == [json.loads(leaf.raw) for leaf in leaves]
    assert [leaf.start for leaf in leaves] == sorted(leaf.start for leaf in leaves)
    assert len(leaves) == _plain(value)


def _plain(value: object) -> int:
    if isinstance(value, dict):
        return sum(map(_plain, value.values()))
    return sum(map(_plain, value)) if isinstance(value, list) else 1


@pytest.mark.parametrize("text", ["", "{", "[1 2]", '{"a" 1}', "{} x", "[" * 50 + "]" * 50, "nul"])
def test_what_is_no_json_is_refused(text: str) -> None:
    """Whatever is wrong with it."""
    with pytest.raises(ValueError, match=r"character|deeply"):
        parse(text)
