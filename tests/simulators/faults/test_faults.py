"""The vocabulary of faults: names, values, documentation, and the effect of wire and protocol faults on a socket."""

import asyncio
import json
from dataclasses import fields
from typing import Any

import pytest
from patience import PATIENT_S
from sim_cases import ask, make_farm

from simulators.farm.selection import Selector
from simulators.faults.vocabulary import FAULTS, PROTOCOL_FAULTS, UNIT_FAULTS, WIRE_FAULTS, read_fault
from simulators.faults.wire import Bandwidth
from simulators.sockets.serving import serve_farm, sweep
from simulators.unit.builds import BUILDS
from simulators.unit.conditions import HEALTHY, FaultError
from simulators.unit.delivery import Delivery

REQUIRED = {"address_swapped": {"unit_id": "C1-R01-02"}}


def test_the_vocabulary_is_the_one_agreed() -> None:
    """The agreed names are all present, and each fault has a name of its own."""
    assert set(FAULTS) >= {
        *("down", "latency", "timeout", "reset_peer", "slicer", "limit_data", "slow_close", "bandwidth"),
        *("truncated_json", "missing_nul", "trailing_comma", "joined_objects", "access_denied", "not_json"),
        *("huge_reply", "nan_values", "dead_board", "missing_chips", "overheat", "fan_stopped", "hashrate_drift"),
        *("frozen", "rebooting", "asleep", "pool_dead", "firmware_changed", "address_swapped"),
    }
    assert len(FAULTS) == len(UNIT_FAULTS) + len(WIRE_FAULTS) + len(PROTOCOL_FAULTS)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_a_small_frozen_value_that_says_what_an_agent_must_conclude(name: str) -> None:
    """Its docstring covers the agent and every attribute, it compares by value, and it alters the conditions."""
    fault = read_fault(name, REQUIRED.get(name, {}))
    assert "agent" in (type(fault).__doc__ or "")
    assert fault == read_fault(name, REQUIRED.get(name, {}))
    assert hash(fault) == hash(read_fault(name, REQUIRED.get(name, {})))
    assert fault.bend(HEALTHY) != HEALTHY
    documented = type(fault).__doc__ or ""
    assert all(f"{item.name}:" in documented for item in fields(fault))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("gremlins", {}, "unknown fault 'gremlins'; known: power_off, asleep"),
        ("dead_board", {"boards": 1}, "fault dead_board has no attribute 'boards'; it has: board, is_listed"),
        ("dead_board", {"board": 9}, "fault dead_board: board must be 0 to 3, not 9"),
        ("dead_board", {"board": "x"}, "fault dead_board: Expected `int`, got `str`"),
        ("down", {"x": 1}, "fault down has no attribute 'x'; it has: none"),
        ("latency", {"wait_s": float("nan")}, "wait_s must be 0 or more, not nan"),
        ("bandwidth", {"bytes_per_s": 0.0}, "bytes_per_s must be above 0"),
        ("huge_reply", {"size_bytes": 10**12}, "size_bytes must be 0 to 100,000,000"),
        ("firmware_changed", {"build": "?"}, "build must be one of s21-202407"),
        ("pool_dead", {"pools": 3}, "pools must be 1 to 2, not 3"),
        ("address_swapped", {}, "missing required field `unit_id`"),
        ("bad_chips", {"chips": 0}, "chips must be 1 or more, not 0"),
        ("restart_loop", {"every_s": 0.0}, "every_s must be 1 or more, not 0.0"),
        ("refuses", {"message": 'a"b'}, "message must be ASCII without quotes"),
        ("zero_watts", {"watts": 3500}, "watts must be -10,000 to 100, not 3500"),
        ("rate_lag", {"lag_s": -1.0}, "lag_s must be 0 to 600"),
        ("rate_spike", {"factor": 1.0}, "factor must be 1.5 to 1,000,000"),
        ("board_unit", {"factor": 2.0}, "factor must be 0.000001, 0.001, 1000 or 1000000, not 2.0"),
        ("sensor_stuck", {"sensor": 4}, "sensor must be 0 to 3, not 4"),
        ("fan_null", {"rpm": 0}, "rpm must be other than 0, which is a fan that stands still"),
        ("watts_elsewhere", {"key": "w"}, "key must be one of chain_consumption, chain_power"),
        ("rate_in_summary", {"unit": "KHS"}, "unit must be one of MHS, GHS"),
        ("state_words", {"state": "asleep"}, "state must be one of mining, auto-tuning, stopped, paused, failure"),
        ("speaks_http", {"status": 99}, "status must be a status of HTTP"),
        ("speaks_ssh", {"banner": "FTP"}, "banner must be ASCII, SSH-"),
    ],
)
def test_an_impossible_fault_is_refused_with_the_expected_value(
    name: str, values: dict[str, Any], message: str
) -> None:
    """Name, attributes, types and ranges are checked."""
    with pytest.raises(FaultError, match=message.replace("?", "[?]")):
        read_fault(name, values)


async def spoiled(name: str, **values: object) -> bytes:
    """Return the reply of a unit under one fault."""
    farm = make_farm(2)
    async with serve_farm(farm, port=0) as server:
        unit = farm.units[0].identity
        farm.inject(read_fault(name, values), Selector(units=(unit.unit_id,)))
        async with asyncio.timeout(PATIENT_S):
            return await ask(unit.host, server.port, b'{"command":"stats"}')


async def healthy() -> bytes:
    """Return the same reply without a fault."""
    farm = make_farm(2)
    async with serve_farm(farm, port=0) as server:
        return await ask(farm.units[0].identity.host, server.port, b'{"command":"stats"}')


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("latency", {"wait_s": 0.01, "jitter_s": 0.01}),
        ("slicer", {"piece_bytes": 500, "gap_s": 0.001}),
        ("slow_close", {"linger_s": 0.01}),
        ("bandwidth", {"bytes_per_s": 100_000.0}),
    ],
)
async def test_slow_wires_bring_every_byte(name: str, values: dict[str, object]) -> None:
    """Late, in pieces or at low bandwidth, the reply is the same in the end."""
    assert await spoiled(name, **values) == await healthy()


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("limit_data", {"limit_bytes": 100}, lambda whole: whole[:100]),
        ("missing_nul", {}, lambda whole: whole[:-1]),
        ("truncated_json", {"ratio": 0.5}, lambda whole: whole[: len(whole) // 2] + b"\0"),
        ("joined_objects", {}, lambda whole: whole.replace(b"},{", b"}{")),
        ("trailing_comma", {}, lambda whole: whole.replace(b'}],"id"', b'},],"id"').replace(b"},]", b",}]")),
        ("not_json", {"text": "<html>"}, lambda _: b"<html>\0"),
    ],
)
async def test_spoiled_texts_are_the_sound_one_with_one_thing_wrong(
    name: str, values: dict[str, object], expected: Any
) -> None:
    """The reply is cut, joined, unterminated or replaced, and otherwise unchanged."""
    whole = await healthy()
    got = await spoiled(name, **values)
    if name == "trailing_comma":
        assert (got.count(b",}") + got.count(b",]"), len(got)) == (1, len(whole) + 1)
        return
    assert got == expected(whole)


async def test_a_refusal_names_the_command() -> None:
    """The refusal is E/45, as recorded from other firmware."""
    status = json.loads((await spoiled("access_denied")).rstrip(b"\0"))["STATUS"][0]
    assert (status["STATUS"], status["Code"], status["Msg"]) == ("E", 45, "Access denied to 'stats' command")


async def test_nan_stands_where_rates_were() -> None:
    """A bare nan, which strict JSON refuses, stands in the rates and nowhere else."""
    text = (await spoiled("nan_values")).decode()
    assert '"GHS 5s":nan' in text
    assert '"total_acn":324' in text
    seen = []
    json.loads(text.rstrip("\0").replace(":nan", ":NaN"), parse_constant=seen.append)
    assert len(seen) == 4


async def test_a_huge_reply_is_as_huge_as_said() -> None:
    """The reply is three million bytes of valid JSON, most of them blanks."""
    text = await spoiled("huge_reply", size_bytes=3_000_000)
    assert len(text) == 3_000_001
    json.loads(text.rstrip(b"\0"))


async def test_a_reset_comes_after_as_many_bytes_as_said() -> None:
    """The client sees the reset, not a close."""
    with pytest.raises(ConnectionResetError):
        await spoiled("reset_peer", after_bytes=0)


async def test_a_timeout_takes_the_request_and_never_answers() -> None:
    """Nothing comes while the client waits; the unit is free again when it leaves."""
    farm = make_farm(1)
    async with serve_farm(farm, port=0) as server:
        injection = farm.inject(read_fault("timeout", {}))
        host = farm.units[0].identity.host
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await ask(host, server.port)
        farm.clear(injection.number)
        async with asyncio.timeout(PATIENT_S):
            assert (await ask(host, server.port)).endswith(b"\0")


async def test_down_units_do_not_answer_at_all_and_hash_on() -> None:
    """Connecting times out while the unit hashes on; once the fault is cleared the unit answers again."""
    farm = make_farm(2)
    async with serve_farm(farm, port=0) as server:
        unit = farm.units[0]
        injection = farm.inject(read_fault("down", {}), Selector(units=(unit.identity.unit_id,)))
        sweep(farm, server)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await ask(unit.identity.host, server.port)
        assert unit.hashrate_hs(farm.clock.now()) > 190e12
        assert (await ask(farm.units[1].identity.host, server.port)).endswith(b"\0")
        farm.clear(injection.number)
        sweep(farm, server)
        async with asyncio.timeout(PATIENT_S):
            assert (await ask(unit.identity.host, server.port)).endswith(b"\0")


async def test_swapped_addresses_are_answered_by_the_other_unit() -> None:
    """Each unit answers at the other's address with its own serials, and the journal names it."""
    farm = make_farm(2)
    one, two = (unit.identity for unit in farm.units)
    async with serve_farm(farm, port=0) as server:
        for here, there in ((one, two), (two, one)):
            farm.inject(read_fault("address_swapped", {"unit_id": there.unit_id}), Selector(units=(here.unit_id,)))
        assert two.board_serials[0].encode() in await ask(one.host, server.port)
        assert one.board_serials[0].encode() in await ask(two.host, server.port)
        assert [entry.unit_id for entry in server.journal.entries] == [two.unit_id, one.unit_id]


def test_builds_cover_every_line_and_can_be_rolled_out() -> None:
    """There are builds of lines A, B and C, and a farm can change to any of them."""
    assert {build.line for build in BUILDS.values()} == {"A", "B", "C"}
    assert all(read_fault("firmware_changed", {"build": key}) for key in BUILDS)


def test_a_thin_line_carries_twenty_pieces_a_second_of_what_it_can_bear() -> None:
    """200 bytes/s are ten bytes every 50 ms; the smallest piece is one byte."""
    sound = Delivery(command="stats", reply=b"x" * 2000)
    spoiled = Bandwidth(bytes_per_s=200.0).spoil(sound)
    assert (spoiled.piece_bytes, spoiled.gap_s) == (10, pytest.approx(0.05))
    spoiled = Bandwidth(bytes_per_s=4.0).spoil(sound)
    assert (spoiled.piece_bytes, spoiled.gap_s) == (1, pytest.approx(0.25))
