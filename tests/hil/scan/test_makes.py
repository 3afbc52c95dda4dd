"""What other makes tell of themselves, from recorded replies."""

import json
from collections.abc import Generator, Mapping
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import DisconnectedError, PollError
from agent.hil.scan.makes import DEVDETAILS, QUESTIONS, STATS, SUMMARY, VERSION, Told
from simulators.strangers.recorded import reply_of
from simulators.strangers.surroundings import Make

T = TypeVar("T")
NAMES = {SUMMARY: "summary", VERSION: "version", STATS: "stats", DEVDETAILS: "devdetails"}
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
    """Return the replies of a machine of the simulators to every report."""
    return {name: reply_of(make, ADDRESS, name) + b"\0" for name in NAMES.values()}


def test_a_whatsminer_tells_model_bin_and_mac() -> None:
    """In two reports; the bin is the factory's, in whole TH/s."""
    asked: list[str] = []
    make, reading, info = told("a Whatsminer", recorded(Make.WHATSMINER), asked)
    assert asked == ["summary", "devdetails"]
    assert (make, reading.identity.model) == ("MicroBT", "Whatsminer M30S+_VE40")
    assert (reading.hashrate_sale_hs, reading.hashrate_5s_hs, reading.power_watts) == (126e12, 124.5e12, 3200.0)
    assert (reading.uptime_s, len(reading.boards)) == (25000.0, 3)
    assert info is not None
    assert info.mac == f"02:57:{MAC_END}"


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
    _, reading, info = told("a Whatsminer", {"summary": summary.encode()})
    mac = None if info is None else info.mac
    assert (reading.hashrate_sale_hs, reading.hashrate_5s_hs, reading.identity.firmware, mac) == expected


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
    _, reading, info = told("an Avalon", answers)
    assert (reading.identity.model, reading.hashrate_sale_hs) == (model, bin_hs)
    assert (info is None) == (version is None or "MAC" not in version)


def test_a_recorded_avalon_for_the_home() -> None:
    """It has a name and no bin; idle, its rate now is nought and that since its start is not."""
    asked: list[str] = []
    make, reading, info = told("an Avalon", recorded(Make.AVALON), asked)
    assert asked == ["version", "stats"]
    assert (make, reading.identity.model, reading.hashrate_sale_hs) == ("Canaan", "Avalon Q", None)
    assert (reading.hashrate_5s_hs, reading.uptime_s) == (0.0, 37850.0)
    assert info is not None
    assert info.mac == f"02:a7:{MAC_END}"


def test_a_recorded_sealminer() -> None:
    """Its rated rate follows its tuning, so it is no bin."""
    asked: list[str] = []
    make, reading, info = told("a SealMiner", recorded(Make.SEALMINER), asked)
    assert asked == ["stats"]
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
    ["SUMMARY", "Msg", "DEVDETAILS", "STATS", "VERSION", "ID", "Model", "MM ID0", "MAC", "Factory GHS", "PROD"]
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
    told(speaker, dict.fromkeys(NAMES.values(), reply))
