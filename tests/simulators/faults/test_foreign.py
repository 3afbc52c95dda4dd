"""Other protocols on port 4028, over real sockets: the bytes that come and how the connection ends."""

import asyncio
import json

import pytest
from patience import PATIENT_S
from sim_cases import ask, make_farm

from simulators.faults.vocabulary import read_fault
from simulators.sockets.serving import serve_farm


async def received(name: str, request: bytes = b'{"command":"stats"}', **values: object) -> bytes:
    """Return everything that comes before the close."""
    farm = make_farm(1)
    farm.inject(read_fault(name, values))
    async with serve_farm(farm, port=0) as server, asyncio.timeout(PATIENT_S):
        return await ask(farm.units[0].identity.host, server.port, request)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("speaks_http", {}, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
        (
            "speaks_http",
            {"status": 404, "body": "{}"},
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}",
        ),
        ("speaks_tls", {}, b"\x15\x03\x03\x00\x02\x02\x0a"),
        ("speaks_ssh", {}, b"SSH-2.0-dropbear_2019.78\r\n"),
        ("speaks_ssh", {"banner": "SSH-2.0-OpenSSH_9.2"}, b"SSH-2.0-OpenSSH_9.2\r\n"),
        ("speaks_stratum", {}, b'{"id":null,"result":null,"error":[20,"Other/Unknown",null]}\n'),
    ],
)
async def test_another_protocol_answers_as_it_does(name: str, values: dict[str, object], expected: bytes) -> None:
    """The bytes are those of the protocol, without the NUL that ends a unit's reply."""
    assert await received(name, **values) == expected


async def test_a_patient_stratum_server_keeps_the_connection() -> None:
    """The error comes at once, and the close does not."""
    farm = make_farm(1)
    farm.inject(read_fault("speaks_stratum", {"is_patient": True}))
    async with serve_farm(farm, port=0) as server, asyncio.timeout(PATIENT_S):
        reader, writer = await asyncio.open_connection(farm.units[0].identity.host, server.port)
        writer.write(b'{"command":"stats"}')
        assert (await reader.readline()).endswith(b"}\n")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.read()
        writer.close()


async def test_a_whatsminer_has_a_summary_and_refuses_the_rest() -> None:
    """Its STATUS is a text in a refusal, and its rates are in MH/s."""
    summary = json.loads(await received("speaks_whatsminer", b'{"command":"summary"}'))
    assert summary["SUMMARY"][0]["MHS 5s"] == 70_668_114.52
    refusal = json.loads(await received("speaks_whatsminer"))
    assert (refusal["STATUS"], refusal["Code"], refusal["Msg"]) == ("E", 14, "invalid cmd")
    assert refusal["Description"].startswith("whatsminer ")


async def test_a_unit_that_refuses_refuses_everything() -> None:
    """Reports are refused like unknown commands, with the code and text of the fault."""
    for request in (b'{"command":"stats","new_api":true}', b'{"command":"version"}', b'{"command":"summary"}'):
        [status] = json.loads((await received("refuses", request)).rstrip(b"\0"))["STATUS"]
        assert (status["STATUS"], status["Code"], status["Msg"]) == ("E", 14, "Invalid command")
    [status] = json.loads((await received("refuses", code=45, message="Access denied")).rstrip(b"\0"))["STATUS"]
    assert (status["Code"], status["Msg"]) == (45, "Access denied")
