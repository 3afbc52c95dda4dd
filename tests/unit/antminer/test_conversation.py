"""Polls as conversations, driven from a table: replies in, requests and a reading out."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import hypothesis.strategies as st
import pytest
from capture_files import (
    INVALID_COMMAND,
    S19_STATS,
    S19_SUMMARY,
    S21_ASLEEP_STATS,
    S21_ASLEEP_SUMMARY,
    S21_POOLS,
    S21_STATS,
    S21_SUMMARY,
    S21_VERSION,
    capture,
)
from hypothesis import given

from agent.errors import (
    ContradictoryReplyError,
    DeadlineError,
    DisconnectedError,
    ForeignProtocolError,
    MalformedReplyError,
    PollError,
    RefusedError,
    StalledReplyError,
    TooLargeReplyError,
    UnreachableError,
    UnsupportedReplyError,
)
from agent.unit.antminer import conversation
from agent.unit.antminer.conversation import (
    POOLS,
    REQUESTS,
    STATS,
    STATS_NEW_API,
    SUMMARY,
    SUMMARY_NEW_API,
    VERSION,
    Memory,
)
from agent.unit.nameplate import Nameplate
from agent.unit.reading import Dialect, Fault, Identity, Mode, UnitReading

AT = 1763674560.0
Unit = Mapping[bytes, bytes | PollError]
NAMES = {
    STATS_NEW_API: "new_api",
    STATS: "stats",
    SUMMARY: "summary",
    SUMMARY_NEW_API: "summary (new_api)",
    POOLS: "pools",
    VERSION: "version",
}
WITHOUT_FIGURES = (
    b'{"STATUS": {"STATUS": "S", "when": 1, "Msg": "stats"}, "INFO": {"type": "Antminer S21"}, "STATS": []}'
)
NO_REPORT = b'{"STATUS":[{"STATUS":"S","Code":11,"Msg":"Summary"}],"SUMMARY":[]}'

S21_UNIT: Unit = {STATS_NEW_API: S21_STATS, SUMMARY: S21_SUMMARY, POOLS: S21_POOLS, VERSION: S21_VERSION}
S19_UNIT: Unit = {
    STATS_NEW_API: S19_STATS,
    STATS: S19_STATS,
    SUMMARY: S19_SUMMARY,
    POOLS: capture("s19pro-stock-202212/tcp4028-pools.json"),
    VERSION: capture("s19pro-stock-202212/tcp4028-version.json"),
}
ASLEEP_UNIT: Unit = {
    STATS_NEW_API: S21_ASLEEP_STATS,
    STATS: S21_ASLEEP_STATS,
    SUMMARY: S21_ASLEEP_SUMMARY,
    POOLS: S21_POOLS,
    VERSION: capture("s21-stock-202410-sleep/tcp4028-version.subset.json"),
}


def with_uptime(seconds: int) -> bytes:
    """Return the S21's `stats` with this uptime."""
    body = json.loads(S21_STATS)
    body["STATS"][0]["elapsed"] = seconds
    return json.dumps(body).encode()


def poll(
    unit: Unit, memory: Memory, *, unit_id: str = "u1", slow_every: int = 1000, nameplate: Nameplate | None = None
) -> tuple[list[str], UnitReading | PollError]:
    """Hold one conversation with a unit that answers from a table; return its requests by name, and its outcome."""
    talk = conversation.converse(unit_id, memory, nameplate=nameplate, slow_every=slow_every, wall=lambda: AT)
    asked = []
    try:
        request = next(talk)
        while True:
            asked.append(NAMES[request])
            answer = unit[request]
            request = talk.throw(answer) if isinstance(answer, PollError) else talk.send(answer)
    except StopIteration as over:
        return asked, over.value
    except PollError as error:
        return asked, error


def reading_of(unit: Unit, memory: Memory | None = None, **options: Any) -> UnitReading:
    """Poll once and return the reading."""
    _, reading = poll(unit, memory or Memory(), **options)
    assert isinstance(reading, UnitReading)
    return reading


@pytest.mark.parametrize(
    ("unit", "first", "second"),
    [
        pytest.param(S21_UNIT, ["new_api", "version", "summary", "pools"], ["new_api"], id="new_api"),
        pytest.param(S19_UNIT, ["new_api", "version", "summary", "pools"], ["new_api"], id="answers legacy to new_api"),
        pytest.param(
            S19_UNIT | {STATS_NEW_API: INVALID_COMMAND},
            ["new_api", "stats", "version", "summary", "pools"],
            ["stats"],
            id="refuses new_api",
        ),
        pytest.param(ASLEEP_UNIT, ["new_api", "summary", "version", "pools"], ["new_api", "summary"], id="asleep"),
        pytest.param(
            ASLEEP_UNIT | {STATS_NEW_API: WITHOUT_FIGURES},
            ["new_api", "stats", "summary", "version", "pools"],
            ["new_api", "stats", "summary"],
            id="asleep, new_api without figures",
        ),
        pytest.param(
            {**S21_UNIT, VERSION: DeadlineError("late"), SUMMARY: DeadlineError("late"), POOLS: DeadlineError("late")},
            ["new_api", "version", "summary", "pools"],
            ["new_api"],
            id="answers stats alone",
        ),
    ],
)
def test_requests_of_the_first_two_polls(unit: Unit, first: list[str], second: list[str]) -> None:
    """The first poll asks everything; later ones ask once, or twice asleep, and nothing that was refused before."""
    memory = Memory()
    assert poll(unit, memory)[0] == first
    assert poll(unit, memory)[0] == second
    assert poll(unit, memory)[0] == second


def test_reading_of_a_whole_conversation() -> None:
    """The figures come from `stats`, the API version from `version`, the counters from `summary` and `pools`."""
    reading = reading_of(S21_UNIT)
    assert (reading.unit_id, reading.at, reading.dialect) == ("u1", AT, Dialect.NEW_API)
    assert reading.identity == Identity(
        model="Antminer S21", firmware="Thu Jul 11 16:38:25 CST 2024", api="3.1", miner="uart_trans.1.3"
    )
    # The rates and uptime are from `stats`, although `summary` has them too.
    assert (reading.hashrate_5s_hs, reading.uptime_s) == (206_901.8e9, 8152)
    assert reading.shares is not None
    assert (reading.shares.accepted, len(reading.pools), reading.repairs) == (11_187, 3, ())


def test_sleeping_unit_has_its_zero_rates_from_summary() -> None:
    """A sleeping unit's rates of 0.0 and its uptime are those reported in `summary`."""
    reading = reading_of(ASLEEP_UNIT)
    assert (reading.mode, reading.uptime_s) == (Mode.SLEEP, 1)
    assert (reading.hashrate_5s_hs, reading.hashrate_avg_hs, reading.hashrate_30m_hs) == (0.0, 0.0, None)
    assert (reading.boards, reading.fan_rpm) == ((), ())
    assert reading.identity.api == "3.1"


def test_sleeping_unit_without_a_summary_has_no_rate() -> None:
    """Without `summary` a sleeping unit's rate is absent, not zero."""
    reading = reading_of(ASLEEP_UNIT | {SUMMARY: DeadlineError("late")})
    assert (reading.mode, reading.hashrate_5s_hs, reading.uptime_s, reading.shares) == (Mode.SLEEP, None, None, None)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (UnreachableError("gone"), UnreachableError),
        (DeadlineError("late"), DeadlineError),
        (DisconnectedError("cut"), DisconnectedError),
        (b"rubbish", MalformedReplyError),
        (b"{}", MalformedReplyError),
        (b'{"STATUS":[],"STATS":[{}]}', MalformedReplyError),
        (b'{"STATUS":[{"STATUS":"?"}],"STATS":[{}]}', MalformedReplyError),
        (b'{"STATUS":{"STATUS":"S"},"INFO":{},"STATS":{}}', MalformedReplyError),
        (b'{"STATUS":{"STATUS":"S"},"INFO":{},"STATS":[1,1,1]}', MalformedReplyError),
        (b'{"STATUS":[{"STATUS":"S"}],"STATS":[nan,nan]}', MalformedReplyError),
        (b'{"STATUS":' + b"[" * 60_000, MalformedReplyError),
        (b'{"STATUS":[{"STATUS":"S"}],"STATS":[' + b"," * 60_000, MalformedReplyError),
        (b"x" * 70_000, TooLargeReplyError),
        (StalledReplyError("stopped"), StalledReplyError),
        (b'{"STATUS":[{"STATUS":"E","Code":45,"Msg":"Access denied to \'stats\' command"}]}', RefusedError),
    ],
)
def test_without_stats_there_is_no_reading(answer: bytes | PollError, error: type[PollError]) -> None:
    """If `stats` fails, the poll fails with its error; nothing else is asked and nothing is remembered.

    Nor is a unit whose reply has no shape of a reply asked for the same in the other dialect.
    """
    memory = Memory()
    asked, outcome = poll({**S21_UNIT, STATS_NEW_API: answer}, memory)
    assert asked == ["new_api"]
    assert isinstance(outcome, error)
    assert not memory.is_known


def test_unsupported_in_both_dialects() -> None:
    """A poll without figures in either dialect, or in `summary`, fails; the next poll asks new_api again."""
    memory = Memory()
    unit = {STATS_NEW_API: WITHOUT_FIGURES, STATS: WITHOUT_FIGURES, SUMMARY: NO_REPORT}
    asked, outcome = poll(unit, memory)
    assert asked == ["new_api", "stats", "summary"]
    assert isinstance(outcome, UnsupportedReplyError)
    assert "summary, where some firmware keeps its rate, cannot be read" in str(outcome)
    assert poll(unit, memory)[0] == ["new_api", "stats", "summary"]


def test_refused_in_both_dialects() -> None:
    """A unit that refuses all reports fails the poll as refused, and the next poll asks them again."""
    memory = Memory()
    unit = {STATS_NEW_API: INVALID_COMMAND, STATS: INVALID_COMMAND, SUMMARY: INVALID_COMMAND}
    _, outcome = poll(unit, memory)
    assert isinstance(outcome, RefusedError)
    assert outcome.code == 14
    assert poll(unit, memory)[0] == ["new_api", "stats", "summary"]


@pytest.mark.parametrize(("request_", "lost"), [(VERSION, "identity"), (SUMMARY, "shares"), (POOLS, "pools")])
@pytest.mark.parametrize(
    "answer",
    [DeadlineError("late"), UnreachableError("gone"), b"rubbish", INVALID_COMMAND, b'{"STATUS":[{"STATUS":"S"}]}'],
    ids=["deadline", "unreachable", "malformed", "refused", "unsupported"],
)
def test_optional_request_that_fails_costs_only_itself(request_: bytes, lost: str, answer: bytes | PollError) -> None:
    """If an optional request fails, the reading lacks only the figures of that reply."""
    whole, reading = reading_of(S21_UNIT), reading_of({**S21_UNIT, request_: answer})
    fields = [name for name in UnitReading.__struct_fields__ if getattr(whole, name) != getattr(reading, name)]
    assert fields == [lost]


def test_counters_survive_a_failed_request() -> None:
    """Counters stay in the reading when a later request for them fails."""
    memory = Memory()
    poll(S21_UNIT, memory)
    reading = reading_of({**S21_UNIT, SUMMARY: DeadlineError("late"), POOLS: b"x"}, memory, slow_every=1)
    assert reading.shares is not None
    assert (reading.shares.accepted, len(reading.pools)) == (11_187, 3)


def test_identity_is_one_object_from_poll_to_poll() -> None:
    """An unchanged identity stays the same object, instead of a new one for each poll."""
    memory = Memory()
    first = reading_of(S21_UNIT, memory)
    assert reading_of(S21_UNIT, memory).identity is first.identity


def test_identity_missing_from_stats_comes_from_version() -> None:
    """If `stats` has no INFO, the first `version` fills the identity and is not asked again."""
    body = json.loads(S21_STATS)
    del body["INFO"]
    unit = {**S21_UNIT, STATS_NEW_API: json.dumps(body).encode()}
    memory = Memory()
    reading = reading_of(unit, memory)
    assert reading.identity == reading_of(S21_UNIT).identity
    assert poll(unit, memory)[0] == ["new_api"]


def test_partial_identity_does_not_change_at_every_poll() -> None:
    """A sleeping unit reports only model and firmware; the rest comes from `version`, which is asked once."""
    memory = Memory()
    unit = ASLEEP_UNIT | {VERSION: S21_VERSION}
    assert reading_of(unit, memory).identity.miner == "uart_trans.1.3"
    asked, reading = poll(unit, memory)
    assert asked == ["new_api", "summary"]
    assert isinstance(reading, UnitReading)
    assert reading.identity.miner == "uart_trans.1.3"


def test_restart_asks_everything_again_and_forgets_counters() -> None:
    """An uptime that went backwards repeats every request, and drops the counters of the old process."""
    memory = Memory()
    poll(S21_UNIT, memory)
    restarted = {**S21_UNIT, STATS_NEW_API: with_uptime(5), SUMMARY: b"x", POOLS: b"x"}
    asked, reading = poll(restarted, memory)
    assert asked == ["new_api", "version", "summary", "pools"]
    assert isinstance(reading, UnitReading)
    assert (reading.pools, reading.shares, memory.pools, memory.shares) == ((), None, (), None)
    assert poll({**S21_UNIT, STATS_NEW_API: with_uptime(15)}, memory)[0] == ["new_api"]


def test_going_to_sleep_is_a_restart() -> None:
    """A change of mode restarts the uptime: shares are those of the new process, and old pools are dropped."""
    memory = Memory()
    poll(S21_UNIT, memory)
    asked, reading = poll(ASLEEP_UNIT | {POOLS: b"x"}, memory)
    assert asked == ["new_api", "summary", "version", "pools"]
    assert isinstance(reading, UnitReading)
    assert (reading.mode, reading.pools) == (Mode.SLEEP, ())
    assert reading.shares is not None
    assert reading.shares.accepted is None


def test_changed_firmware_asks_for_the_version() -> None:
    """A new firmware costs one more request, which brings its API version."""
    memory = Memory()
    poll(S21_UNIT, memory)
    flashed = {
        STATS_NEW_API: S21_STATS.replace(b"Jul 11", b"Jul 30"),
        VERSION: S21_VERSION.replace(b'"3.1"', b'"1.0.0"').replace(b"Jul 11", b"Jul 30"),
    }
    asked, reading = poll(S21_UNIT | flashed, memory)
    assert asked == ["new_api", "version"]
    assert isinstance(reading, UnitReading)
    assert (reading.identity.firmware, reading.identity.api) == ("Thu Jul 30 16:38:25 CST 2024", "1.0.0")


def slow_polls(unit_id: str, memory: Memory, *, polls: int, slow_every: int) -> list[int]:
    """Return the numbers of the polls that asked for pools."""
    return [
        number
        for number in range(polls)
        if "pools" in poll(S21_UNIT, memory, unit_id=unit_id, slow_every=slow_every)[0]
    ]


@pytest.mark.parametrize("slow_every", [1, 2, 6, 7])
def test_counters_are_asked_every_so_many_polls(slow_every: int) -> None:
    """Counters are asked for at the first poll, then at the unit's turn, then every `slow_every` polls."""
    for unit_id in ("u1", "u2", "u3"):
        first, second, *later = slow_polls(unit_id, Memory(), polls=1 + 4 * slow_every, slow_every=slow_every)
        assert first == 0
        assert 1 <= second <= slow_every
        assert later == list(range(second + slow_every, 1 + 4 * slow_every, slow_every))


@pytest.mark.parametrize("event", ["start", "restart"])
def test_turns_are_spread_over_the_fleet(event: str) -> None:
    """600 units with `slow_every` 6 ask about 100 at each poll, after a first start and after a power cut alike."""
    turns: Counter[int] = Counter()
    for number in range(600):
        unit_id, memory = f"unit-{number}", Memory()
        if event == "restart":
            poll(S21_UNIT, memory, unit_id=unit_id, slow_every=6)
            memory.uptime_s = 1e6
        turns[slow_polls(unit_id, memory, polls=7, slow_every=6)[1]] += 1
    assert sorted(turns) == [1, 2, 3, 4, 5, 6]
    assert min(turns.values()) > 70


def test_repairs_of_all_replies_are_in_the_reading() -> None:
    """Each use of a repair is one entry, so that it can be counted."""
    assert reading_of(ASLEEP_UNIT).repairs == ("missing_status", "missing_status", "missing_status")


def test_everything_sent_is_a_report() -> None:
    """Every request is a report, so none changes a unit."""
    assert REQUESTS == (
        b'{"command":"stats","new_api":true}',
        b'{"command":"stats"}',
        b'{"command":"summary"}',
        b'{"command":"summary","new_api":true}',
        b'{"command":"pools"}',
        b'{"command":"version"}',
    )


ANSWERS: Any = st.sampled_from(
    [
        *S21_UNIT.values(),
        *ASLEEP_UNIT.values(),
        S19_STATS,
        INVALID_COMMAND,
        WITHOUT_FIGURES,
        with_uptime(3),
        b"",
        b"}{",
        UnreachableError("gone"),
        DeadlineError("late"),
        DisconnectedError("cut"),
    ]
)


@given(data=st.data(), slow_every=st.integers(1, 4))
def test_poll_ends_for_any_answers(data: st.DataObject, slow_every: int) -> None:
    """A poll sends at most five requests, none twice, and ends with a reading or a declared error."""
    memory = Memory()
    for _ in range(data.draw(st.integers(1, 4))):
        unit = {request: data.draw(ANSWERS) for request in REQUESTS}
        asked, outcome = poll(unit, memory, slow_every=slow_every)
        assert 1 <= len(asked) <= 5
        assert len(set(asked)) == len(asked)
        assert isinstance(outcome, UnitReading | PollError)
        if isinstance(outcome, UnitReading):
            assert outcome.identity is memory.identity
            assert outcome.shares is memory.shares


def report(name: str, fields: Any, *, description: str = "cgminer 1.0.0") -> bytes:
    """Return a legacy reply with one report; an element for each of `fields` if that is a list."""
    status = {"STATUS": "S", "When": 1, "Code": 70, "Msg": name, "Description": description}
    rows = fields if isinstance(fields, list) else [fields]
    return json.dumps({"STATUS": [status], name.upper(): rows, "id": 1}).encode()


S21_PLATE = Nameplate(model="S21", hashrate_hs=200e12, power_watts=3500, cooling="air", source="test")
MINI_PLATE = Nameplate(model="BMM 100", hashrate_hs=1.5e12, power_watts=40, cooling="air", source="test")
NO_STATS = report("stats", [], description="BOSer boser-buildroot x")
BRAIINS_UNIT: Unit = {
    STATS_NEW_API: NO_STATS,
    STATS: NO_STATS,
    SUMMARY: capture("other-bmm100-braiins-2026/tcp4028-summary.json"),
    VERSION: capture("other-bmm100-braiins-2026/tcp4028-version.json"),
    POOLS: S21_POOLS,
}


def test_rate_from_summary() -> None:
    """Braiins OS has its rate in `summary` alone; the next poll leaves the new dialect out."""
    memory = Memory()
    asked, reading = poll(BRAIINS_UNIT, memory, nameplate=MINI_PLATE)
    assert asked == ["new_api", "stats", "summary", "version", "pools"]
    assert isinstance(reading, UnitReading)
    assert reading.hashrate_5s_hs == pytest.approx(1.4907e12, rel=1e-4)
    assert (reading.uptime_s, reading.mode) == (2_527_509, None)
    assert reading.identity == Identity(firmware="BOSer boser-openwrt 0.1.0-fc9fe388", api="3.7")
    assert poll(BRAIINS_UNIT, memory, nameplate=MINI_PLATE)[0] == ["stats", "summary"]


def test_rate_from_summary_keeps_what_stats_says() -> None:
    """Uptime, boards and clocks are those of `stats`, although its rate is missing."""
    body = json.loads(S19_STATS)
    del body["STATS"][1]["GHS 5s"]
    bare = json.dumps(body).encode()
    unit = {STATS_NEW_API: bare, STATS: bare, SUMMARY: report("summary", {"Elapsed": 9, "MHS 5s": 110e6})}
    reading = reading_of(S19_UNIT | unit)
    assert (reading.hashrate_5s_hs, reading.uptime_s) == (110e12, 50_474)
    assert [board.frequency_hz for board in reading.boards] == [525e6] * 3
    assert reading.hashrate_30m_hs == 111_878.26e9


@pytest.mark.parametrize(
    ("fields", "stand_in"),
    [
        ({"Elapsed": 500, "MHS 1m": 199e6, "MHS av": 150e6}, (199e12, 60)),
        ({"Elapsed": 30, "MHS 1m": 20e6, "MHS av": 150e6}, (150e12, 30)),
        ({"Elapsed": 5000, "GHS 30m": 199_000}, (199e12, 1800)),
    ],
)
def test_longer_rate_of_summary_stands_in(fields: dict[str, Any], stand_in: tuple[float, float]) -> None:
    """Without a 5 s rate the shortest full window stands in; that is no repair."""
    reading = reading_of(BRAIINS_UNIT | {SUMMARY: report("summary", fields)})
    assert reading.hashrate_5s_hs is None
    assert (reading.stand_in_hs, reading.stand_in_window_s, reading.repairs) == (*stand_in, ())


def test_unit_that_refuses_stats_is_asked_for_summary() -> None:
    """A report that firmware lacks is no reason to give up."""
    unit = BRAIINS_UNIT | {STATS_NEW_API: INVALID_COMMAND, STATS: INVALID_COMMAND}
    assert reading_of(unit).rate_hs == pytest.approx(1.4907e12, rel=1e-4)


def test_vnish_refuses_with_code_zero() -> None:
    """Its unknown command is understood as one, so legacy is asked."""
    unknown = capture("s21pro-vnish-2026/tcp4028-unknown-command.json")
    unit = {
        STATS_NEW_API: unknown,
        STATS: capture("s21pro-vnish-2026/tcp4028-stats.json"),
        SUMMARY: capture("s21pro-vnish-2026/tcp4028-summary.json"),
        VERSION: unknown,
        POOLS: unknown,
    }
    memory = Memory()
    asked, reading = poll(unit, memory)
    assert asked == ["new_api", "stats", "version", "summary", "pools"]
    assert isinstance(reading, UnitReading)
    assert (reading.rate_hs, reading.power_watts) == (173_870.94e9, 2583)
    assert poll(unit, memory)[0] == ["stats"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"rubbish", UnsupportedReplyError),
        (DeadlineError("late"), UnsupportedReplyError),
        (NO_REPORT, UnsupportedReplyError),
        (b'{"id":1,"result":null,"error":[1]}', ForeignProtocolError),
        (report("summary", {"Elapsed": 5, "HS RT": 1, "MHS av": 1e8}), ForeignProtocolError),
    ],
)
def test_summary_that_cannot_be_read(answer: bytes | PollError, error: type[PollError]) -> None:
    """A unit with a rate nowhere is unsupported, and another make is named."""
    _, outcome = poll(BRAIINS_UNIT | {SUMMARY: answer}, Memory())
    assert isinstance(outcome, error)


def stopped(**changes: Any) -> bytes:
    """Return the S21's `stats` while it hashes nothing."""
    body = json.loads(S21_STATS)
    body["STATS"][0] |= {"rate_5s": 0.0, "chain": []} | changes
    return json.dumps(body).encode()


FAULTY = json.dumps(
    {
        "STATUS": {"STATUS": "S", "when": 1, "Msg": "summary"},
        "SUMMARY": [{"elapsed": 9, "rate_5s": 0, "status": [{"type": "rate", "status": "e", "code": 1, "msg": "V:1"}]}],
    }
).encode()


def test_stopped_unit_is_asked_why() -> None:
    """Its pools are asked for at every poll, its faults when it stops and on slow polls."""
    memory = Memory()
    poll(S21_UNIT, memory)
    unit = {**S21_UNIT, STATS_NEW_API: stopped(), SUMMARY_NEW_API: FAULTY}
    asked, reading = poll(unit, memory)
    assert asked == ["new_api", "pools", "summary (new_api)"]
    assert isinstance(reading, UnitReading)
    assert (reading.faults, len(reading.pools)) == ((Fault.SUPPLY,), 3)
    asked, reading = poll(unit, memory)
    assert asked == ["new_api", "pools"]
    assert isinstance(reading, UnitReading)
    assert reading.faults == (Fault.SUPPLY,)
    memory.until_slow = 0
    assert poll(unit, memory)[0] == ["new_api", "summary", "pools", "summary (new_api)"]
    asked, reading = poll(S21_UNIT, memory)
    assert asked == ["new_api"]
    assert isinstance(reading, UnitReading)
    assert reading.faults == ()


def test_sleeping_unit_is_not_asked_why() -> None:
    """Sleep is the reason."""
    memory = Memory()
    unit = {**S21_UNIT, STATS_NEW_API: stopped(**{"miner-mode": 1})}
    poll(unit, memory)
    assert poll(unit, memory)[0] == ["new_api"]


def test_unit_without_fault_codes_is_asked_once() -> None:
    """A unit that does not answer the new summary has no faults to name."""
    memory = Memory()
    unit = {**S21_UNIT, STATS_NEW_API: stopped(), SUMMARY_NEW_API: INVALID_COMMAND}
    assert poll(unit, memory)[0] == ["new_api", "version", "summary", "pools", "summary (new_api)"]
    assert poll(unit, memory)[0] == ["new_api", "pools"]


def test_refuted_rate_asks_summary_once() -> None:
    """Another report may have a rate that can be believed; without one the unit contradicts itself."""
    spike = stopped(rate_5s=1_900_000.0, rate_30m=None, rate_avg=None)
    unit = {**S21_UNIT, STATS_NEW_API: spike}
    asked, reading = poll(unit, Memory(), nameplate=S21_PLATE)
    assert asked == ["new_api", "summary", "version", "pools"]
    assert isinstance(reading, UnitReading)
    assert reading.rate_hs == 203_007.01e9
    asked, outcome = poll(
        unit | {SUMMARY: report("summary", {"Elapsed": 9, "GHS 5s": 1.9e6})}, Memory(), nameplate=S21_PLATE
    )
    assert asked == ["new_api", "summary"]
    assert isinstance(outcome, ContradictoryReplyError)


def test_a_rate_beyond_any_machine_is_contradictory() -> None:
    """It is read as absent, so that boards may stand in; with nothing else the poll fails as for a smaller spike."""
    unit = S21_UNIT | {STATS_NEW_API: stopped(rate_5s=9e6, rate_30m=None, rate_avg=None), SUMMARY: NO_REPORT}
    _, outcome = poll(unit, Memory(), nameplate=S21_PLATE)
    assert isinstance(outcome, ContradictoryReplyError)
    assert outcome.rule == "over_limit"


ODD_ANSWERS = st.sampled_from(
    [
        S21_STATS,
        S19_STATS,
        S21_ASLEEP_STATS,
        S21_SUMMARY,
        S21_POOLS,
        S21_VERSION,
        WITHOUT_FIGURES,
        NO_STATS,
        INVALID_COMMAND,
        FAULTY,
        stopped(),
        stopped(rate_5s=1e6),
        stopped(**{"miner-mode": 1}),
        stopped(rate_5s=None),
        b"rubbish",
        DeadlineError("late"),
    ]
)


@given(polls=st.lists(st.fixed_dictionaries(dict.fromkeys(REQUESTS, ANSWERS | ODD_ANSWERS)), min_size=1, max_size=4))
def test_no_poll_takes_more_than_five_requests(polls: list[Unit]) -> None:
    """Whatever a unit answers and answered before, also where its reply is held against a nameplate."""
    memory = Memory()
    for answers in polls:
        asked, outcome = poll(answers, memory, slow_every=2, nameplate=S21_PLATE)
        assert len(asked) <= 5
        assert isinstance(outcome, UnitReading | PollError)


NOUGHTS = {"Elapsed": 90_000, "GHS 5s": 0, "GHS av": 0, "chain_acn1": 108, "chain_rate1": "0"}


def blank(**changes: Any) -> bytes:
    """Return a legacy `stats` whose rates are noughts, as firmware with its rates elsewhere fills it."""
    status = {"STATUS": "S", "Code": 70, "Msg": "BOSer stats", "Description": "BOSer boser-openwrt"}
    body = {"STATUS": [status], "STATS": [{"Type": "Antminer S21"}, NOUGHTS | changes], "id": 1}
    return json.dumps(body).encode() + b"\0"


def test_noughts_in_stats_beside_a_rate_in_summary() -> None:
    """The rate of `summary` counts, at every poll; boards at nought say nothing against it."""
    memory = Memory()
    unit = {
        **S21_UNIT,
        STATS_NEW_API: blank(),
        STATS: blank(),
        SUMMARY: report("SUMMARY", {"Elapsed": 90_000, "MHS 5s": 202e6}),
    }
    for _ in range(3):
        reading = reading_of(unit, memory)
        assert (reading.hashrate_5s_hs, reading.boards[0].hashrate_hs) == (202e12, None)
        assert "rate_from_summary" in reading.repairs


@pytest.mark.parametrize(
    ("stats", "summary"),
    [
        (blank(), {"Elapsed": 90_000, "MHS 5s": 0.0, "MHS av": 201e6}),
        (blank(), {"Elapsed": 90_000}),
        (blank(**{"GHS av": 200_000}), {"Elapsed": 90_000, "MHS 5s": 202e6}),
    ],
)
def test_noughts_that_are_measured(stats: bytes, summary: Mapping[str, float]) -> None:
    """A unit that has hashed by its own `stats`, or not by `summary` either, has stopped."""
    reading = reading_of({**S21_UNIT, STATS_NEW_API: stats, STATS: stats, SUMMARY: report("SUMMARY", summary)})
    assert reading.hashrate_5s_hs == 0
    assert "rate_from_summary" not in reading.repairs


def test_access_to_the_only_rate_is_refused() -> None:
    """The refusal is what to act on, and says what to do."""
    denied = b'{"STATUS":[{"STATUS":"E","Code":45,"Msg":"Access denied","Description":"BOSer x"}],"id":1}'
    _, outcome = poll({STATS_NEW_API: NO_STATS, STATS: NO_STATS, SUMMARY: denied}, Memory())
    assert isinstance(outcome, RefusedError)
    assert outcome.code == 45
    assert "api-allow" in str(outcome)
    assert "BOSer" in str(outcome)


def test_a_refused_dialect_does_not_hide_what_was_read() -> None:
    """`stats` of a unit that knows new_api alone is what cannot be read."""
    unknown = S21_STATS.replace(b'"GH/s"', b'"furlongs"')
    _, outcome = poll({STATS_NEW_API: unknown, STATS: INVALID_COMMAND, SUMMARY: INVALID_COMMAND}, Memory())
    assert isinstance(outcome, UnsupportedReplyError)
    assert "furlongs" in str(outcome)
