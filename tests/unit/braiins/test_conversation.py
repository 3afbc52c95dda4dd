"""Polls of a unit under Braiins OS: which requests, when, and what becomes of a report that does not come."""

from collections import Counter

import pytest
from braiins_units import AT, BMM, NAMES, S9, UNKNOWN, changed, driven, poll, polls, rated, reply_in, rows_changed
from capture_files import S21_SUMMARY, capture

from agent.errors import (
    ContradictoryReplyError,
    DeadlineError,
    DisconnectedError,
    MalformedReplyError,
    PollError,
    UnreachableError,
    UnsupportedReplyError,
)
from agent.unit import registry
from agent.unit.braiins import conversation as braiins
from agent.unit.braiins.conversation import DEVDETAILS, DEVS, FANS, POOLS, SUMMARY, TEMPS, TUNERSTATUS
from agent.unit.braiins.memory import GAP_S, Memory
from agent.unit.braiins.reader import is_spoken
from agent.unit.cgminer import wire
from agent.unit.choice import Told
from agent.unit.reading import Mode

# Section 2 of the reference on other firmware: what acts without a login, on any of them.
ACTING = {
    *("pause", "resume", "addpool", "removepool", "switchpool", "enablepool", "disablepool", "poolpriority"),
    *("addgroup", "removegroup", "groupquota", "pooloptsset", "logset", "kill", "updatecheck", "logon", "logoff"),
    *("restart", "quit", "save", "zero", "setconfig", "ascset", "ascenable", "ascdisable", "reboot", "curtail"),
    *("sleep", "reload", "network", "profileset", "frequencyset", "voltageset", "powerset", "tempctrlset", "fanset"),
}
VERSION = reply_in("other-bmm100-braiins-2026", "version")
FULL: dict[bytes, bytes] = {**BMM, TUNERSTATUS: S9[TUNERSTATUS]}


def test_requests_are_reports_alone() -> None:
    """A whitelist: one plain command each, none joined, none with a parameter, none that acts."""
    commands = [wire.decode_object(request)[0] for request in braiins.REQUESTS]
    assert [set(command) for command in commands] == [{"command"}] * len(commands)
    names = {command["command"] for command in commands}
    assert names == {"summary", "devs", "devdetails", "pools", "tunerstatus", "temps", "fans"}
    assert not names & ACTING
    assert all(wire.cap_of(request) < wire.MAX_REPLY_BYTES for request in braiins.REQUESTS)


def test_requests_of_the_first_polls() -> None:
    """Everything is known after two polls, and no poll has more than five requests."""
    asked = [requests for requests, _ in polls(FULL, 6, slow_every=100)]
    assert asked == [
        ["summary", "devs", "devdetails", "pools", "tunerstatus"],
        ["summary", "devs", "tunerstatus", "temps", "fans"],
        ["summary", "devs", "tunerstatus", "temps"],
        ["summary", "devs", "tunerstatus", "fans"],
        ["summary", "devs", "tunerstatus", "temps"],
        ["summary", "devs", "tunerstatus", "fans"],
    ]


def test_a_choice_by_itself_counts_as_a_request() -> None:
    """The reader `auto` asks `version`; the poll has five requests with it, and the identity its API."""
    reader = registry.CHOOSING
    memory = reader.new_memory()
    unit = {**FULL, wire.encode_request("version"): VERSION}
    asked, reading = driven(reader.converse("u1", memory, slow_every=6, wall=lambda: AT), unit)
    assert asked == ['{"command":"version"}', "summary", "devs", "devdetails", "pools"]
    assert (reading.reader, reading.identity.api, reading.identity.model) == (
        "braiins",
        "3.7",
        "Braiins Mini Miner BMM 100",
    )
    asked, reading = driven(reader.converse("u1", memory, slow_every=6, wall=lambda: AT + 10), unit)
    assert asked == ["summary", "devs", "tunerstatus", "temps", "fans"]
    assert reading.power_watts == 1419


@pytest.mark.parametrize("slow_every", [1, 6, 30])
def test_slow_requests_have_their_turn(slow_every: int) -> None:
    """Pools come every `slow_every` polls; what a unit does not know is asked once."""
    asked = [requests for requests, _ in polls(BMM, 61, slow_every=slow_every)]
    counts = Counter(name for requests in asked for name in requests)
    assert max(len(requests) for requests in asked) == 5
    assert abs(counts["pools"] - 61 / slow_every) <= 2
    assert (counts["summary"], counts["devs"], counts["devdetails"], counts["tunerstatus"]) == (61, 61, 1, 1)
    assert abs(counts["temps"] - counts["fans"]) <= 1


def test_a_fleet_spreads_its_slow_requests() -> None:
    """Units that start together ask for pools at different polls."""
    turns: Counter[int] = Counter()
    for number in range(60):
        memory = Memory()
        for turn in range(1, 8):
            conversation = braiins.converse(
                f"unit-{number}", memory, slow_every=6, wall=lambda turn=turn: AT + 10 * turn
            )
            asked, _ = driven(conversation, BMM)
            if turn > 1 and "pools" in asked:
                turns[turn] += 1
                break
    assert sum(turns.values()) == 60
    assert max(turns.values()) < 25


def test_a_restart_begins_anew() -> None:
    """The counters of the process before are dropped; chips, clocks and pools are asked for at once."""
    memory = Memory()
    for turn in range(3):
        poll(FULL, memory, at=AT + 10 * turn, slow_every=100)
    young = {
        **FULL,
        SUMMARY: changed(FULL[SUMMARY], "SUMMARY", Elapsed=30, Accepted=0),
        POOLS: MalformedReplyError("x"),
    }
    asked, reading = poll(young, memory, at=AT + 30, slow_every=100)
    assert asked == ["summary", "devs", "devdetails", "pools", "tunerstatus"]
    assert (reading.pools, reading.fan_rpm, reading.boards[0].chip_celsius) == ((), (), ())
    assert reading.shares is not None
    assert reading.shares.accepted == 0


def test_a_gap_asks_for_the_boards_again() -> None:
    """After five minutes without a reading the machine may be another."""
    memory = Memory()
    for turn in range(3):
        poll(FULL, memory, at=AT + 10 * turn, slow_every=100)
    asked, _ = poll(FULL, memory, at=AT + 20 + GAP_S + 1, slow_every=100)
    assert asked[2] == "devdetails"
    asked, _ = poll(FULL, memory, at=AT + 30 + GAP_S + 1, slow_every=100)
    assert "devdetails" not in asked


def test_a_board_that_stops_asks_for_the_boards_again() -> None:
    """At once; a clock that moved waits for a slow poll."""
    memory = Memory()
    for turn in range(3):
        poll(S9, memory, at=AT + 10 * turn, slow_every=100)
    stopped = {**S9, DEVS: rows_changed(S9[DEVS], "DEVS", [{}, {"Nominal MHS": 0.0, "MHS 5s": 0.0}, {}])}
    assert "devdetails" in poll(stopped, memory, at=AT + 30, slow_every=100)[0]
    assert "devdetails" not in poll(stopped, memory, at=AT + 40, slow_every=100)[0]
    assert "devdetails" in poll(S9, memory, at=AT + 50, slow_every=100)[0]
    tuned = {**S9, DEVS: changed(S9[DEVS], "DEVS", Nominal_MHS=4_000_000.0)}
    assert "devdetails" not in poll(tuned, memory, at=AT + 60, slow_every=100)[0]
    memory.until_slow = 0
    assert "devdetails" in poll(tuned, memory, at=AT + 70, slow_every=100)[0]


@pytest.mark.parametrize("request_", [DEVS, DEVDETAILS, POOLS, TUNERSTATUS, TEMPS, FANS], ids=NAMES.get)
@pytest.mark.parametrize(
    "answer",
    [UNKNOWN, b"{", b'{"STATUS":[{"STATUS":"S"}]}', MalformedReplyError("cut")],
    ids=["E/14", "cut", "bare", "x"],
)
def test_an_optional_report_costs_its_own_figures(request_: bytes, answer: bytes | PollError) -> None:
    """Whatever its answer is, the rate is that of `summary`."""
    *_, (_, reading) = polls({**FULL, request_: answer}, 4)
    assert reading.hashrate_5s_hs == 1474444.6406221339e6
    assert reading.repairs == ()
    lost = {
        DEVS: not reading.boards,
        DEVDETAILS: reading.identity.model is None and reading.boards != () and reading.boards[0].chips is None,
        POOLS: not reading.pools,
        TUNERSTATUS: reading.power_watts is None,
        TEMPS: reading.boards != () and not reading.boards[0].chip_celsius,
        FANS: not reading.fan_rpm,
    }
    assert [request for request, is_lost in lost.items() if is_lost] == [request_]


@pytest.mark.parametrize("error", [DeadlineError("late"), UnreachableError("gone"), DisconnectedError("reset")])
def test_a_unit_that_is_late_is_not_asked_on(error: PollError) -> None:
    """One deadline a poll is enough; the rate is already known."""
    asked, reading = poll({**FULL, DEVS: error}, Memory())
    assert asked == ["summary", "devs"]
    assert reading.hashrate_5s_hs == 1474444.6406221339e6


@pytest.mark.parametrize("error", [DeadlineError("late"), UnreachableError("gone"), MalformedReplyError("cut")])
def test_the_essential_report_is_the_poll(error: PollError) -> None:
    """Without `summary` there is no reading, and nothing else is asked."""
    with pytest.raises(type(error)):
        poll({SUMMARY: error}, Memory())


@pytest.mark.parametrize(
    "data", [S21_SUMMARY, capture("s19kpro-luxos-2025/tcp4028-summary.json")], ids=["stock", "luxos"]
)
def test_other_firmware_is_not_read(data: bytes) -> None:
    """A unit that got other firmware makes no sense here, so that it is asked what it runs."""
    with pytest.raises(UnsupportedReplyError, match="is not Braiins OS"):
        poll({**FULL, SUMMARY: data}, Memory())


def test_a_summary_without_any_rate() -> None:
    """It is unsupported, not a rate of nothing."""
    without = changed(
        FULL[SUMMARY], "SUMMARY", **dict.fromkeys(("MHS_5s", "MHS_1m", "MHS_5m", "MHS_15m", "MHS_24h", "MHS_av"), ...)
    )
    with pytest.raises(UnsupportedReplyError, match="no rate"):
        poll({**FULL, SUMMARY: without}, Memory())


@pytest.mark.parametrize(
    ("missing", "rate_mhs", "window_s"),
    [
        (("MHS_1m",), 1473003.675511538, 300),
        (("MHS_1m", "MHS_5m", "MHS_15m"), 1476095.8199256607, 86_400),
        (("MHS_1m", "MHS_5m", "MHS_15m", "MHS_24h", "MHS_av"), 1490699.9675139452, 5),
    ],
)
def test_the_next_window_that_is_full_stands_in(missing: tuple[str, ...], rate_mhs: float, window_s: float) -> None:
    """A firmware that leaves windows out is credited over the shortest full one, or over 5 s without any."""
    unit = {**FULL, SUMMARY: changed(FULL[SUMMARY], "SUMMARY", **dict.fromkeys(missing, ...))}
    unit[DEVS] = changed(FULL[DEVS], "DEVS", MHS_1m=...)
    _, reading = poll(unit, Memory())
    assert reading.rate_hs == pytest.approx(rate_mhs * 1e6)
    assert reading.rate_window_s == window_s


@pytest.mark.parametrize(
    "description", ["BOSer boser-openwrt 0.1.0-fc9fe388", "BOSminer+ 0.2.0", "BOSminer bosminer-plus-am1-s9", "bosER x"]
)
def test_the_rule_goes_by_the_description(description: str) -> None:
    """Also that of a refusal."""
    for status in ("S", "E"):
        data = f'{{"STATUS":[{{"STATUS":"{status}","Code":22,"Msg":"x","Description":"{description}"}}],"id":1}}'
        assert is_spoken(Told(wire.decode_reply(data.encode(), "version")))


@pytest.mark.parametrize("key", ["BOSer", "BOSminer", "BOSminer+"])
def test_the_rule_goes_by_the_key_of_version(key: str) -> None:
    """A proxy may leave the description out."""
    data = f'{{"STATUS":[{{"STATUS":"S","Code":22,"Msg":"x"}}],"VERSION":[{{"API":"3.7","{key}":"1"}}],"id":1}}'
    assert is_spoken(Told(wire.decode_reply(data.encode(), "version")))


@pytest.mark.parametrize(
    "folder", ["s19kpro-luxos-2025", "s21-stock-aml-202407", "s19pro-stock-202212", "other-s19jpro-hiveon-2024"]
)
def test_the_rule_leaves_other_firmware_alone(folder: str) -> None:
    """Stock, LuxOS and Hiveon are not Braiins OS; nor is what answers nothing."""
    assert not is_spoken(Told(wire.decode_reply(reply_in(folder, "version"), "version")))
    assert not is_spoken(Told(None, error=MalformedReplyError("cut")))


@pytest.mark.parametrize(
    "folder",
    [
        *("other-bmm100-braiins-2026", "other-s9-bosminerplus-2020", "s19jpro-braiins-2023"),
        *("s21pro-braiins-2026", "s21plus-braiins-2026"),
    ],
)
def test_recorded_units_are_chosen_by_their_version(folder: str) -> None:
    """Every recorded `version` of Braiins OS speaks for this reader."""
    assert is_spoken(Told(wire.decode_reply(reply_in(folder, "version"), "version")))


def test_rules_of_consistency_hold_each_poll() -> None:
    """A rate beyond twice the nameplate is refused, as on stock firmware."""
    with pytest.raises(ContradictoryReplyError):
        poll(FULL, Memory(), rated(0.5e12, boards=1, chips=4))
    _, reading = poll(FULL, Memory(), rated(1.41e12, boards=1, chips=4))
    assert (reading.repairs, reading.mode) == ((), Mode.NORMAL)
