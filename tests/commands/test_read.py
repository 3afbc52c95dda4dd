"""`hashsight read`: what a refuted rate was replaced by, bad chips, and the kind of power, as table and JSON."""

import asyncio
import json
import re
from typing import Any

import pytest
from braiins_units import BMM, changed, reply_in
from field_cases import FieldCase, behaving, field_case
from loopback import answering, unit, unused
from typer.testing import CliRunner, Result

from agent.commands.command_line import app
from agent.unit.braiins.conversation import DEVDETAILS, TEMPS
from agent.unit.choice import VERSION


def stats(fields: dict[str, Any]) -> FieldCase:
    """Return a unit that answers `stats` in the new dialect, with figures of these fields."""
    status = {"STATUS": "S", "when": 1, "Msg": "stats", "api_version": "1.0.0"}
    figures = {"elapsed": 86_400, "rate_unit": "GH/s", "chain": [], **fields}
    body = {"STATUS": status, "INFO": {"type": "Antminer S21"}, "STATS": [figures]}
    return FieldCase({"stats-new": json.dumps(body).encode() + b"\0"}, {})


async def read(case: FieldCase, *options: str) -> Result:
    """Run the command against a unit on loopback."""
    async with unit(behaving(case)) as (host, port):
        command = ["read", f"{host}:{port}", *options]
        return await asyncio.to_thread(CliRunner().invoke, app, command, env={"COLUMNS": "200"})


async def test_a_stand_in_is_shown_with_its_window() -> None:
    """The 5 s rate is absent, and what stands in for it says over which time."""
    case = stats({"rate_5s": 1_900_000, "rate_30m": 200_000})
    shown = (await read(case)).stdout
    assert re.search(r"hashrate 5 s +-", shown)
    assert re.search(r"stands in for it +200\.00 TH/s, over 30 min", shown)
    assert re.search(r"repairs +longer_rate", shown)
    reading = json.loads((await read(case, "--json")).stdout)
    assert (reading["hashrate_5s_hs"], reading["stand_in_hs"], reading["stand_in_window_s"]) == (None, 200e12, 1800)
    assert reading["repairs"] == ["longer_rate"]


async def test_a_rate_is_named_by_its_window_and_chips_by_their_source() -> None:
    """Braiins OS is read over 60 s, and works out the chips of an S21."""
    model = BMM[DEVDETAILS].replace(b"Braiins Mini Miner BMM 100", b"Antminer S21 Pro")
    temps = changed(BMM[TEMPS], "TEMPS", Board=48.1, Chip=63.1)
    told = {**BMM, DEVDETAILS: model, TEMPS: temps, VERSION: reply_in("other-bmm100-braiins-2026", "version")}
    async with unit(answering(told)) as (host, port):
        shown = await asyncio.to_thread(CliRunner().invoke, app, ["read", f"{host}:{port}"], env={"COLUMNS": "200"})
    assert re.search(r"hashrate 60 s +1\.47 TH/s", shown.stdout)
    assert re.search(r"chip °C +worked out by the firmware, not measured", shown.stdout)


def test_a_public_address_is_refused() -> None:
    """Before a packet is sent; the message names the way out."""
    result = CliRunner().invoke(app, ["read", "203.0.113.9"])
    assert result.exit_code == 2
    assert result.stderr == (
        "read: HOST = '203.0.113.9': not a private address, nor in ledger.networks of --config;"
        " --any-address allows it\n"
    )


async def test_a_unit_is_held_against_its_model() -> None:
    """Without a ledger, the strongest bin of the model that it says it is."""
    result = await read(stats({"rate_5s": 1_900_000}))
    assert result.exit_code == 1
    assert "contradict" in result.stderr


async def test_bad_chips_and_the_kind_of_power() -> None:
    """Both are in the table and in JSON."""
    chain = [{"index": 0, "rate_real": 200_000, "asic_num": 108, "asic": " oox xoo"}]
    case = stats({"rate_5s": 200_000, "watt": 3500, "chain": chain})
    shown = (await read(case)).stdout
    assert re.search(r"power +3\.50 kW.*estimated", shown)
    assert re.search(r"slot +hashrate +chips +bad", shown)
    assert re.search(r"0 +200\.00 TH/s +108 +2 ", shown)
    reading = json.loads((await read(case, "--json")).stdout)
    assert (reading["power_kind"], reading["boards"][0]["bad_chips"]) == ("estimated", 2)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("09-refused-counts-as-covered", "refused: summary: code 14, 'Invalid command' from Braiins OS (BOSer)"),
        ("10-http-on-4028", "foreign: something that speaks HTTP answers on 4028: its /summary is not ePIC firmware's"),
    ],
)
async def test_a_failure_says_what_answers(name: str, said: str) -> None:
    """One line with the reason, and exit code 1."""
    result = await read(field_case(name))
    assert result.exit_code == 1
    assert said in " ".join(result.stderr.split())


async def test_another_make_is_named_first() -> None:
    """A Whatsminer's refusal, as D105 has it: what it is comes before the error."""
    reply = b'{"STATUS":"E","When":1,"Code":14,"Msg":"invalid cmd","Description":"whatsminer v1.4.0"}\0'
    async with unit(answering(reply)) as (host, port):
        result = await asyncio.to_thread(CliRunner().invoke, app, ["read", f"{host}:{port}"])
    assert result.exit_code == 1
    first, second, *_ = result.stderr.splitlines()
    assert first == "this is a Whatsminer, which hashsight does not read"
    assert second.startswith("foreign: a Whatsminer answers on 4028, not an Antminer: ")


async def test_a_port_where_nothing_listens_is_said_in_words() -> None:
    """No errno names."""
    with unused() as (host, port):
        result = await asyncio.to_thread(CliRunner().invoke, app, ["read", f"{host}:{port}"])
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == f"unreachable: nothing listens on {host}:{port} (refused)"
