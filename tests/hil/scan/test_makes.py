"""What other makes tell of themselves, from recorded replies."""

import json
from collections.abc import Generator, Mapping
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import DisconnectedError, PollError
from agent.hil.scan.makes.asking import REPORTS, Told
from agent.hil.scan.makes.epic import PAGES
from agent.hil.scan.makes.table import QUESTIONS
from agent.unit.reading import PowerKind
from simulators.strangers.recorded import page_of, reply_of
from simulators.strangers.surroundings import Make

T = TypeVar("T")
NAMES = {
    **{request: json.loads(request)["command"] for request in REPORTS},
    **{request: request.split()[1].decode("ascii") for request in PAGES},
}
ADDRESS = 0x7F4D0401
MAC_END = "7f:4d:04:01"


def held(
    talk: Generator[bytes, bytes, T], answers: Mapping[str, bytes | PollError], *, asked: list[str] | None = None
) -> T:
    """Hold a conversation with a machine that answers from a table, and cuts the connection otherwise."""
    try:
        request = next(talk)
        while True:
            if asked is not None:
                asked.append(NAMES[request])
            answer = answers.get(NAMES[request], DisconnectedError("closed"))
            request = talk.throw(answer) if isinstance(answer, PollError) else talk.send(answer)
    except StopIteration as over:
        result: T = over.value
        return result


def told(speaker: str, answers: Mapping[str, bytes | PollError], asked: list[str] | None = None) -> Told:
    """Return what a machine tells that answers so."""
    return held(QUESTIONS[speaker]("here", lambda: 7.0), answers, asked=asked)


def recorded(make: Make) -> dict[str, bytes]:
    """Return the replies of a machine of the simulators to every report and page."""
    pages = {name: page_of(make, ADDRESS, request) for request, name in NAMES.items() if request in PAGES}
    return {name: reply_of(make, ADDRESS, name) + b"\0" for name in NAMES.values()} | pages


def test_a_whatsminer_tells_model_bin_and_mac() -> None:
    """In four reports; the bin is the factory's, in whole TH/s; `devs` has boards and chips, `pools` its pools."""
    asked: list[str] = []
    make, reading, info, reader = told("a Whatsminer", recorded(Make.WHATSMINER), asked)
    assert asked == ["summary", "devdetails", "devs", "pools"]
    assert (make, reader, reading.identity.model) == ("MicroBT", "foreign", "Whatsminer M30S+_VE40")
    assert (reading.hashrate_sale_hs, reading.rate_hs, reading.power_watts) == (126e12, 124.5e12, 3200.0)
    assert (reading.uptime_s, [board.chips for board in reading.boards]) == (25000.0, [135, 135, 135])
    assert [(board.hashrate_hs, board.is_average) for board in reading.boards] == [
        (41.5e12, True),
        (41.8e12, True),
        (41.7e12, True),
    ]
    assert [(pool.status, pool.is_active) for pool in reading.pools] == [("Alive", True), *[("Alive", False)] * 2]
    assert info is not None
    assert info.mac == f"02:57:{MAC_END}"


# asic-rs, whatsminer v1: rates over 5 s, and a board that fell out.
DEVS_V1 = (
    '{"STATUS":[{"STATUS":"S","Code":9}],"DEVS":[{"Slot":0,"MHS 5s":20053438.74,"MHS av":22650215.07,'
    '"Effective Chips":105,"PCB SN":"H5M1"},{"Slot":2,"MHS 5s":25567317.81,"Effective Chips":104}],"id":1}'
)


@pytest.mark.parametrize(
    ("speaker", "make"),
    [
        ("a Whatsminer", Make.WHATSMINER),
        ("an Avalon", Make.AVALON),
        ("a SealMiner", Make.SEALMINER),
        ("HTTP", Make.EPIC),
    ],
)
def test_a_rate_whose_window_no_report_tells_has_none(speaker: str, make: Make) -> None:
    """It is not shown as one over 5 s."""
    _, reading, _, _ = told(speaker, recorded(make))
    assert (reading.hashrate_5s_hs, reading.rate_window_s) == (None, None)
    assert reading.rate_hs is not None


def test_no_watts_are_no_value() -> None:
    """A supply that does not measure reports 0."""
    answers = recorded(Make.EPIC)
    answers["/summary"] = answers["/summary"].replace(b'"Input Power":2166.6174', b'"Input Power":0.0000000')
    assert b"0.0000000" in answers["/summary"]
    assert told("HTTP", answers)[1].power_watts is None


def test_an_avalons_boards_are_averages() -> None:
    """`MGHS` is the mean since the start."""
    _, reading, _, _ = told("an Avalon", recorded(Make.AVALON))
    assert reading.boards
    assert all(board.is_average for board in reading.boards)


def test_a_whatsminers_boards_keep_their_slots() -> None:
    """A board that is missing from `devs` does not move the next one up."""
    boards = told("a Whatsminer", {"devs": DEVS_V1.encode()}).reading.boards
    assert [(board.slot, board.chips, board.serial, board.is_average) for board in boards] == [
        (0, 105, "H5M1", False),
        (2, 104, None, False),
    ]
    assert boards[0].hashrate_hs == pytest.approx(20.05e12, rel=1e-3)


def test_a_recorded_auradine() -> None:
    """Its rate is that of a minute; `ipreport` has identity; it tells no bin."""
    asked: list[str] = []
    make, reading, info, reader = told("an Auradine", recorded(Make.AURADINE), asked)
    assert asked == ["summary", "devdetails", "devs", "asccount", "pools", "ipreport"]
    assert (make, reader, reading.identity.model) == ("Auradine", "foreign", "Teraflux AT1500")
    assert (reading.identity.firmware, reading.hashrate_sale_hs) == ("2023-12.27", None)
    assert reading.hashrate_5s_hs == pytest.approx(10.257e12, rel=1e-3)
    assert (reading.short_window_s, reading.uptime_s) == (60.0, 56696.0)
    assert [(board.hashrate_hs, board.chips) for board in reading.boards] == [(6.8e12, 132), (6.9e12, 132), (7e12, 132)]
    assert (reading.pools[0].status, reading.pools[0].is_active) == ("Alive", True)
    assert info is not None
    assert (info.mac, info.serial) == (f"02:ad:{MAC_END}", "AU7F4D0401")


def test_an_auradine_that_refuses_its_ip_report_is_named_by_its_boards() -> None:
    """`devdetails` has the model; chips that do not divide among the boards are not known."""
    answers: dict[str, bytes | PollError] = {
        "devdetails": b'{"STATUS":[{"STATUS":"S"}],"DEVDETAILS":[{"Model":"AT2880"}],"id":1}',
        "devs": b'{"DEVS":[{"MHS 5s":1.0},{}],"id":1}',
        "asccount": b'{"ASCCount":[{"AsicCount":263,"BoardCount":2}],"id":1}',
        "ipreport": reply_of(Make.AURADINE, ADDRESS, "nonsense") + b"\0",
    }
    _, reading, info, _ = told("an Auradine", answers)
    assert (reading.identity.model, info) == ("Teraflux AT2880", None)
    assert [(board.hashrate_hs, board.chips) for board in reading.boards] == [(1e6, None), (None, None)]


def test_a_recorded_machine_under_epic_firmware() -> None:
    """Three pages over HTTP: an Antminer; a board that does not run is listed and has no rate."""
    asked: list[str] = []
    make, reading, info, reader = told("HTTP", recorded(Make.EPIC), asked)
    assert asked == ["/capabilities", "/summary", "/network"]
    assert (make, reader, reading.identity.model) == ("Bitmain", "epic", "AntMiner S19 XP")
    assert (reading.identity.firmware, reading.identity.miner) == ("PowerPlay-BMS v1.5.13", "ePIC")
    assert (reading.rate_hs, reading.hashrate_avg_hs) == (
        pytest.approx(99.366e12, rel=1e-4),
        pytest.approx(90.072e12, rel=1e-4),
    )
    assert (reading.hashrate_ideal_hs, reading.uptime_s) == (143e12, 23170.0)
    assert (reading.power_watts, reading.power_kind) == (pytest.approx(2166.6, rel=1e-4), PowerKind.MEASURED)
    assert [(board.slot, board.hashrate_hs is None, board.chips) for board in reading.boards] == [
        (0, True, None),
        (1, False, None),
        (2, False, None),
    ]
    assert [(pool.url, pool.is_active) for pool in reading.pools] == [("mine.ocean.xyz:3334", True)]
    assert info is not None
    assert info.mac == f"02:e1:{MAC_END}"


@pytest.mark.parametrize(
    ("answer", "asked"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", ["/capabilities"]),
        (b'HTTP/1.1 401 Unauthorized\r\n\r\n{"Model":"AntMiner S21"}', ["/capabilities"]),
        (b'HTTP/1.1 200 OK\r\n\r\n{"Model":"Undefined"}', ["/capabilities"]),
        (b'HTTP/1.1 200 OK\r\n\r\n{"Model":5}', ["/capabilities"]),
        (b'{"Model":"AntMiner S21"}', ["/capabilities"]),
        (b"HTTP/1.1 200 OK\r\n\r\n<html>}", ["/capabilities"]),
        (b'HTTP/1.1 200 OK\r\n\r\n{"Model":"AntMiner S21","HBs":5,"Session":[],"dhcp":7}', [*"csn"]),
    ],
    ids=["404", "401", "no name", "a number", "no head", "a page", "nonsense"],
)
def test_other_answers_over_http(answer: bytes, asked: list[str]) -> None:
    """A server without a model in its capabilities is asked for nothing else."""
    sent: list[str] = []
    reading = told("HTTP", dict.fromkeys(NAMES.values(), answer), sent).reading
    assert len(sent) == len(asked)
    assert reading.identity.model == ("AntMiner S21" if len(sent) == 3 else None)
    assert (reading.boards, reading.pools, reading.power_watts) == ((), (), None)


# asic-rs, whatsminer v1.
V1 = (
    '{"STATUS":[{"STATUS":"S","Code":11}],"SUMMARY":[{"Elapsed":10154,"Factory GHS":68796,"HS RT":67394800.97,'
    '"Firmware Version":"\'20210322.22.REL\'","MAC":"C4:08:28:00:00:0D","Power":3417}],"id":1}'
)
# MiningOS: newer firmware has the row in Msg.
IN_MSG = (
    '{"STATUS":"S","When":1784817659,"Code":131,"Description":"",'
    '"Msg":{"Elapsed":238.35,"HS RT":346799104,"Factory GHS":400332}}'
)


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        (V1, (69e12, 67394800970000.0, "20210322.22.REL", "c4:08:28:00:00:0d")),
        (IN_MSG, (400e12, 346799104000000.0, None, None)),
        ('{"STATUS":"E","When":1,"Code":14,"Msg":"invalid cmd","Description":"whatsminer v1.4.0"}', (None,) * 4),
        ('{"STATUS":"S","Msg":{"Factory GHS":"many","HS RT":-1,"MAC":"00:00:00:00:00:00"}}', (None,) * 4),
        ('{"STATUS":"S","Msg":{"Factory GHS":1e300,"HS RT":1e300,"MAC":5}}', (None,) * 4),
    ],
    ids=["v1", "msg", "refused", "nonsense", "beyond any machine"],
)
def test_forms_of_a_whatsminers_summary(summary: str, expected: tuple[object, ...]) -> None:
    """What is absent or impossible is absent."""
    _, reading, info, _ = told("a Whatsminer", {"summary": summary.encode()})
    mac = None if info is None else info.mac
    assert (reading.hashrate_sale_hs, reading.rate_hs, reading.identity.firmware, mac) == expected


@pytest.mark.parametrize(
    ("version", "stats", "model", "bin_hs"),
    [
        # AgentScanner, an Avalon asleep.
        ({"PROD": "AvalonMiner 1346-110", "MODEL": "1346-110"}, "", "AvalonMiner 1346", 110e12),
        # MiningOS.
        ({"PROD": "AvalonMiner 1346-116", "MODEL": "1346-116", "MAC": "b4a2eb3f2348"}, "", "AvalonMiner 1346", 116e12),
        ({"PROD": "AvalonMiner 15-194", "MODEL": "15-194"}, "", "AvalonMiner 15", 194e12),
        ({"PROD": "AvalonMiner 1566", "MODEL": "1566"}, "", "AvalonMiner 1566", None),
        # asic-rs, `avalon_a_stats`.
        (None, "Ver[1246-83-21072802_4ec6bb0_211fc46] GHSspd[81072.68]", "AvalonMiner 1246", 83e12),
        (None, "Ver[Q-25052801_14a19a2]", None, None),
        ({"PROD": 5, "MODEL": [1]}, "", None, None),
    ],
)
def test_an_avalon_tells_model_and_bin(
    version: dict[str, object] | None, stats: str, model: str | None, bin_hs: float | None
) -> None:
    """With a dash between; the module's text has them too."""
    answers: dict[str, bytes | PollError] = {
        "stats": json.dumps({"STATS": [{"ID": "AVA100", "MM ID0": stats}]}).encode()
    }
    if version is not None:
        answers["version"] = json.dumps({"VERSION": [version]}).encode()
    _, reading, info, _ = told("an Avalon", answers)
    assert (reading.identity.model, reading.hashrate_sale_hs) == (model, bin_hs)
    assert (info is None) == (version is None or "MAC" not in version)


def test_a_recorded_avalon_for_the_home() -> None:
    """It has a name and no bin; idle, its rate now is nought and that since its start is not."""
    asked: list[str] = []
    make, reading, info, reader = told("an Avalon", recorded(Make.AVALON), asked)
    assert asked == ["version", "stats", "pools"]
    assert (reader, len(reading.pools)) == ("foreign", 1)
    assert (make, reading.identity.model, reading.hashrate_sale_hs) == ("Canaan", "Avalon Q", None)
    assert (reading.rate_hs, reading.uptime_s) == (0.0, 37850.0)
    assert info is not None
    assert info.mac == f"02:a7:{MAC_END}"


def test_a_recorded_sealminer() -> None:
    """Its rated rate follows its tuning, so it is no bin."""
    asked: list[str] = []
    make, reading, info, reader = told("a SealMiner", recorded(Make.SEALMINER), asked)
    assert asked == ["stats", "pools"]
    assert (reader, len(reading.pools)) == (None, 1)
    assert (make, reading.identity.model, reading.hashrate_sale_hs) == ("Bitdeer", "SealMiner A2", None)
    assert reading.hashrate_ideal_hs == pytest.approx(230.839e12, rel=1e-5)
    assert (reading.power_watts, [board.chips for board in reading.boards]) == (3504.0, [153, 153, 153])
    assert info is not None
    assert info.mac == f"02:5e:{MAC_END}"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(
    [
        *("SUMMARY", "Msg", "DEVDETAILS", "STATS", "VERSION", "ID", "Model", "MM ID0", "MAC", "Factory GHS", "PROD"),
        *(
            "DEVS",
            "POOLS",
            "ASCCount",
            "IPReport",
            "Slot",
            "Effective Chips",
            "AsicCount",
            "BoardCount",
            "model",
            "mac",
        ),
        *("HBs", "HBStatus", "Hashrate", "Index", "Detected", "Session", "Uptime", "Stratum", "Current Pool", "dhcp"),
    ]
)
BODIES = st.dictionaries(
    KEYS,
    JSON | st.lists(st.dictionaries(KEYS | st.sampled_from(["Chips"]), JSON, max_size=6), max_size=3),
)


@settings(max_examples=50)
@given(body=BODIES, speaker=st.sampled_from(sorted(QUESTIONS)))
def test_whatever_it_answers_it_is_read_or_not(body: dict[str, object], speaker: str) -> None:
    """No reply raises."""
    reply = json.dumps(body).encode()
    head = b"HTTP/1.1 200 OK\r\n\r\n" if speaker == "HTTP" else b""
    told(speaker, dict.fromkeys(NAMES.values(), head + reply))
