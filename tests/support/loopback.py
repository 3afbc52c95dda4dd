"""Units that tests can connect to, well behaved and hostile, on addresses of 127.0.0.0/8."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from patience import PATIENT_S

from agent.unit.cgminer.call import Address

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
REQUEST_BYTES = 4096


@asynccontextmanager
async def unit(
    behaviour: Behaviour, host: str = "127.0.0.1", *, bound: socket.socket | None = None
) -> AsyncIterator[Address]:
    """Listen as one unit, on a bound socket if given; `behaviour` serves each connection, which is then closed."""
    writers: set[asyncio.StreamWriter] = set()
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
        writers.add(writer)
        try:
            await behaviour(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    if bound is None:
        server = await asyncio.start_server(handle, host, 0, backlog=1024)
    else:
        server = await asyncio.start_server(handle, sock=bound, backlog=1024)
    try:
        address = server.sockets[0].getsockname()
        yield address[0], address[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


def answering(answers: dict[bytes, bytes] | bytes, slice_bytes: int = 1 << 20) -> Behaviour:
    """Read a request and answer it, from a table or always alike, in slices of `slice_bytes`."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.read(REQUEST_BYTES)
        data = answers if isinstance(answers, bytes) else answers[request]
        for start in range(0, len(data), slice_bytes):
            writer.write(data[start : start + slice_bytes])
            await writer.drain()
            if slice_bytes < len(data):
                await asyncio.sleep(0)

    return behave


def splitting(*parts: bytes) -> Behaviour:
    """Answer in these parts, each in its own packet."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(REQUEST_BYTES)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.01)

    return behave


def hanging(after: bytes = b"") -> Behaviour:
    """Accept, send `after`, then stay silent until the client closes."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(after)
        while await reader.read(REQUEST_BYTES):
            pass

    return behave


def resetting(after: bytes = b"", *, is_reading: bool = True) -> Behaviour:
    """Send `after`, then reset the connection; without `is_reading`, do not wait for the request."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if is_reading:
            await reader.read(REQUEST_BYTES)
        writer.write(after)
        await writer.drain()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    return behave


def dripping(data: bytes, pause_s: float) -> Behaviour:
    """Answer one byte at a time, with a pause after each."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(REQUEST_BYTES)
        for byte in data:
            writer.write(bytes([byte]))
            await asyncio.sleep(pause_s)

    return behave


def flooding(chunk: bytes = b"x" * 65536) -> Behaviour:
    """Answer endlessly."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(REQUEST_BYTES)
        while True:
            writer.write(chunk)
            await writer.drain()

    return behave


@contextmanager
def blackhole(host: str = "127.0.0.1") -> Iterator[Address]:
    """Yield an address that neither accepts nor refuses: its queue is full, so further SYNs are dropped."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        listener.listen(0)
        address = listener.getsockname()
        queued = [socket.socket() for _ in range(3)]
        try:
            for client in queued:
                client.setblocking(False)  # noqa: FBT003  the socket module has no keyword for it
                client.connect_ex(address)
            yield address
        finally:
            for client in queued:
                client.close()


@contextmanager
def unused(host: str = "127.0.0.1") -> Iterator[Address]:
    """Yield an address that refuses connections, bound so that no other process can take it."""
    with socket.socket() as holder:
        holder.bind((host, 0))
        yield holder.getsockname()


async def until(condition: Callable[[], bool]) -> None:
    """Run the event loop until a condition holds that sets no event."""
    async with asyncio.timeout(PATIENT_S):
        while not condition():  # noqa: ASYNC110  descriptors and foreign counters set no event
            await asyncio.sleep(0)
