"""The report button: what a unit sends when it is pressed, where it comes from, and what other clients read from it."""

import asyncio
import json
import socket

import aiohttp
import pytest
from patience import PATIENT_S
from report_listener import heard_reports
from sim_cases import make_farm

from simulators.control.http import serve_control
from simulators.farm.farm import Farm
from simulators.farm.selection import Selector
from simulators.faults.unit import AddressSwapped, Asleep
from simulators.sockets.journal import Journal
from simulators.sockets.report_button import ButtonError, Listener, read_listener
from simulators.strangers.surroundings import Surroundings, read_strangers


async def press(farm: Farm, path: str, listener: Listener, **order: object) -> tuple[int, dict[str, object]]:
    """Press a button through the control API; return status and answer."""
    async with (
        asyncio.timeout(PATIENT_S),
        serve_control(farm, Journal(), listener=listener) as (host, port),
        aiohttp.ClientSession() as session,
        session.post(f"http://{host}:{port}{path}", data=json.dumps(order)) as reply,
    ):
        return reply.status, await reply.json()


async def test_a_unit_sends_address_and_mac_from_its_own_address() -> None:
    """One datagram, ``IP,MAC``, from the unit's address: what a listener on 14235 gets from a stock Antminer."""
    farm = make_farm(3)
    unit = farm.units[1].identity
    with heard_reports() as (heard, to):
        status, answer = await press(farm, f"/units/{unit.unit_id}/press", read_listener(to))
        payload, (host, port) = heard.recvfrom(2048)
    assert (status, host, payload) == (200, "127.77.0.2", f"127.77.0.2,{unit.mac}".encode())
    assert (answer["payload"], answer["source"], answer["to"]) == (payload.decode(), f"{host}:{port}", to)


async def test_an_asleep_unit_reports_and_two_datagrams_can_be_sent() -> None:
    """The button is the control board's: it needs power and network, not mining."""
    farm = make_farm(1)
    farm.inject(Asleep())
    with heard_reports() as (heard, to):
        status, _ = await press(farm, "/units/C1-R01-01/press", read_listener(to), times=2)
        assert heard.recv(2048) == heard.recv(2048)
    assert status == 200


async def test_a_unit_at_anothers_address_reports_that_address_and_its_own_mac() -> None:
    """After new DHCP leases the MAC address tells which unit was pressed."""
    farm = make_farm(2)
    first, second = (unit.identity for unit in farm.units)
    farm.inject(AddressSwapped(unit_id=second.unit_id), Selector(units=(first.unit_id,)))
    for unit in farm.units:
        unit.advance(farm.clock.now())
    with heard_reports() as (heard, to):
        await press(farm, f"/units/{second.unit_id}/press", read_listener(to))
        assert heard.recv(2048).decode() == f"{first.host},{second.mac}"


async def test_a_broadcast_reaches_a_listener_on_all_addresses() -> None:
    """Real units send to everybody; on loopback that is 127.255.255.255."""
    farm = make_farm(1)
    with heard_reports("0.0.0.0") as (heard, to):
        port = int(to.rpartition(":")[2])
        status, _ = await press(farm, "/units/C1-R01-01/press", Listener("127.255.255.255", port))
        assert heard.recv(2048).startswith(b"127.77.0.1,")
    assert status == 200


@pytest.mark.parametrize(
    ("path", "host", "port"),
    [("/units/C1-R01-01/press", "127.77.0.1", 14235), ("/strangers/127.77.4.1/press", "127.77.4.1", 8888)],
)
@pytest.mark.filterwarnings("ignore:Support for class-based `config` is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:'crypt' is deprecated:DeprecationWarning")
async def test_each_make_sends_to_its_own_port_as_pyasic_reads_it(path: str, host: str, port: int) -> None:
    """Pyasic 0.79 reads address and MAC from an Antminer on 14235 and from a Whatsminer on 8888."""
    from pyasic.miners.listener import MinerListenerProtocol

    farm = make_farm(1, around=Surroundings(strangers=(read_strangers("whatsminer=127.77.4.1"),)))
    _, answer = await press(farm, path, Listener("127.99.0.1", 0))
    assert answer["to"] == f"127.99.0.1:{port}"
    protocol = MinerListenerProtocol()
    protocol.datagram_received(str(answer["payload"]).encode(), None)
    assert protocol.new_miner is not None
    assert protocol.new_miner["IP"] == host
    assert protocol.new_miner["MAC"].count(":") == 5


@pytest.mark.parametrize("text", ["", "localhost", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:70000", "1.2.3.4.5"])
def test_a_bad_listener_is_named(text: str) -> None:
    """One clear message with the value."""
    with pytest.raises(ButtonError, match="is not IPV4 or IPV4:PORT"):
        read_listener(text)


def test_a_report_without_a_listener_is_lost() -> None:
    """UDP tells nobody that nothing listens; a press never fails for that."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        unheard = free.getsockname()[1]
    farm = make_farm(1)
    status, _ = asyncio.run(press(farm, "/units/C1-R01-01/press", Listener("127.0.0.1", unheard)))
    assert status == 200
