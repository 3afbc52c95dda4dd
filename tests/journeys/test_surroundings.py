"""A network with more on it than units: what a scan makes of each machine, and a rack that is walked by its buttons."""

import asyncio
from contextlib import aclosing

import aiohttp
from patience import PATIENT_S
from report_listener import heard_reports
from sim_cases import make_farm
from web_cases import served

from agent.hil.listen.receiver import receiving
from agent.hil.scan.found import Found, Kind
from agent.hil.scan.probe import Tally
from agent.hil.scan.ranges import parse_targets
from agent.hil.scan.scanner import ScanOptions, scan
from agent.unit.nameplate import shipped_catalogue
from agent.unit.registry import FACTORY_LOGIN
from simulators.control.http import serve_control
from simulators.sockets.journal import Journal
from simulators.sockets.report_button import Listener
from simulators.strangers.recorded import mac_of
from simulators.strangers.surroundings import Elsewhere, Make, Surroundings, read_strangers

MACHINES = (Make.MUTE, Make.WEB, Make.WHATSMINER, Make.AVALON, Make.SEALMINER, Make.AURADINE, Make.EPIC)
AROUND = Surroundings(
    strangers=(
        *(read_strangers(f"{make}=127.77.4.{number}") for number, make in enumerate(MACHINES, start=1)),
        read_strangers("silent=127.77.4.16/28"),
    ),
    elsewhere=Elsewhere.REFUSE,
    latency_s=0.02,
    loss_ratio=0.02,
)
LISTENER = "127.93.62.7"


async def test_a_scan_tells_units_other_makes_and_silence_apart() -> None:
    """With one packet in fifty lost and every reply late, each address is what it is, and nothing is written."""
    farm = make_farm(20, mix="S21=50%,T21:190=50%", around=AROUND)
    async with asyncio.timeout(PATIENT_S), served(farm) as running:
        tally = Tally()
        finds = scan(
            parse_targets(["127.77.0.1-127.77.0.30", "127.77.4.1-127.77.4.31"], allowed=None),
            catalogue=shipped_catalogue(),
            login_of=lambda _: FACTORY_LOGIN,
            options=ScanOptions(
                port=running.api.port,
                web_port=running.web.port,
                rate_per_s=1000.0,
                first_deadline_s=3.0,
                deadline_s=4.0,
                workers=16,
            ),
            tally=tally,
        )
        found: dict[str, Found] = {}
        async with aclosing(finds):
            async for each in finds:
                found[each.host] = each
    for unit in farm.units:
        identified = found.pop(unit.identity.host)
        assert identified.kind is Kind.IDENTIFIED
        assert identified.model == unit.identity.model.name
        assert identified.info is not None
        assert identified.info.mac == unit.identity.mac.lower()
    assert {host: each.model for host, each in found.items() if each.kind is Kind.IDENTIFIED} == {
        "127.77.4.3": "Whatsminer M30S+_VE40",
        "127.77.4.4": "Avalon Q",
        "127.77.4.5": "SealMiner A2",
        "127.77.4.7": "S19 XP",
    }
    assert {host: each.looks_like for host, each in found.items() if each.kind is Kind.UNIDENTIFIED} == {
        "127.77.4.1": None,
        "127.77.4.2": "HTTP",
        "127.77.4.6": "an Auradine",
    }
    assert (tally.open, tally.silent, tally.refused) == (27, 16, 18)
    assert running.api.journal.writes == 0


async def test_a_rack_is_walked_by_its_buttons() -> None:
    """The listener hears each press once for each datagram, in order, with the MAC address of the ledger."""
    farm = make_farm(5, around=Surroundings(strangers=(read_strangers("whatsminer=127.77.4.1"),)))
    paths = [f"/units/{unit.identity.unit_id}/press" for unit in farm.units] + ["/strangers/127.77.4.1/press"]
    heard = []
    with heard_reports(LISTENER) as (_, to):
        port = int(to.rpartition(":")[2])
    async with (
        asyncio.timeout(PATIENT_S),
        receiving(LISTENER, (port,)) as receiver,
        serve_control(farm, Journal(), listener=Listener(LISTENER, port)) as (host, control),
        aiohttp.ClientSession(f"http://{host}:{control}") as session,
    ):
        assert receiver.silent == {}
        for path in paths:
            async with session.post(path, data=b'{"times": 2}') as reply:
                assert reply.status == 200
            heard += [await receiver.next(), await receiver.next()]
    expected = [(unit.identity.host, unit.identity.mac.lower()) for unit in farm.units]
    expected.append(("127.77.4.1", mac_of(Make.WHATSMINER, 0x7F4D0401).lower()))
    assert [each.report for each in heard[::2]] == expected
    assert [each.report for each in heard[1::2]] == expected
    assert [each.sender for each in heard[::2]] == [address for address, _ in expected]
