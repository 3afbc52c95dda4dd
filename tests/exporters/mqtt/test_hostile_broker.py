"""Brokers that break the rules of MQTT: what they send costs a reconnection, and nothing is logged but that."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from patience import PATIENT_S

from agent.exporters.mqtt import connection as connection_module
from agent.exporters.mqtt.connection import BrokerError, connect
from agent.exporters.mqtt.links import Link

CONNACK = b"\x20\x02\x00\x00"
SUBACK = b"\x90\x03\x00\x01\x01"


@asynccontextmanager
async def answering(after_connect: bytes, *, stays: bool) -> AsyncIterator[int]:
    """Run a broker that answers CONNECT with these bytes, and then hangs up or says nothing more; yield its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(4096)
            writer.write(after_connect)
            await writer.drain()
            while stays and await reader.read(4096):
                pass
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def attempt(port: int) -> str:
    """Connect, subscribe and publish; return the reason for which that ended."""
    try:
        async with connect(link(port)) as connection:
            await connection.subscribe("a/b")
            await connection.publish("a/b", b"{}")
            await connection.lost()
    except BrokerError as error:
        return error.reason
    return ""


def link(port: int) -> Link:
    """Return the link to a broker on this machine."""
    return Link(name="hostile", host="127.0.0.1", port=port, client_id="hashsight-alpha")


@pytest.mark.parametrize(
    ("data", "stays"),
    [
        pytest.param(CONNACK, False, id="hangs up"),
        pytest.param(CONNACK * 3, False, id="accepts three times"),
        pytest.param(b"\x20\x02\x00\x05", False, id="refuses"),
        pytest.param(b"", False, id="says nothing and hangs up"),
        pytest.param(CONNACK + b"\xff" * 64, True, id="a length without end"),
        pytest.param(CONNACK + SUBACK + b"\x40\x02\xff\xff" * 100, True, id="acknowledges what was never sent"),
        pytest.param(CONNACK + b"\x30\x06\x00\x02\xff\xfexy", True, id="a topic that is no text"),
        pytest.param(CONNACK + b"\x30\x02\x00\x09", True, id="a topic longer than its packet"),
        pytest.param(CONNACK + b"\x90\x00", True, id="an empty SUBACK"),
        pytest.param(CONNACK + b"\x00\x00\xf0\x00", True, id="reserved packets"),
        pytest.param(CONNACK + b"\xd0\x00" * 1000, True, id="answers to no ping"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", False, id="HTTP"),
    ],
)
async def test_a_broker_that_breaks_the_rules_is_only_left(
    data: bytes, *, stays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection ends with a reason, and asyncio has no error that nobody retrieved."""
    monkeypatch.setattr(connection_module, "ANSWER_S", 0.5)
    said: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
    async with answering(data, stays=stays) as port, asyncio.timeout(PATIENT_S):
        reasons = [await attempt(port) for _ in range(3)]
    gc.collect()
    await asyncio.sleep(0)
    assert all(reasons), reasons
    assert said == []
