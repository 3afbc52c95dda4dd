"""A TCP proxy on loopback whose wire can be cut: connections stay open, and nothing passes any more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Wire:
    """One proxy.

    Attributes:
        url: Where it listens.
        target: Host and port it passes to; may be changed.
        is_cut: True to pass nothing in either direction.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.url = ""
        self.target = target
        self.is_cut = False
        self._open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on."""
        self._open.add(writer)
        try:
            if self.is_cut:
                await reader.read()
                return
            there_reader, there_writer = await asyncio.open_connection(*self.target)
            self._open.add(there_writer)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pass(reader, there_writer))
                tasks.create_task(self._pass(there_reader, writer))
        except (OSError, ExceptionGroup):
            pass
        finally:
            self.close(writer)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            if not self.is_cut:
                sink.write(data)
                await sink.drain()
        self.close(sink)

    def close(self, writer: asyncio.StreamWriter) -> None:
        """Close one end."""
        self._open.discard(writer)
        writer.close()

    def close_all(self) -> None:
        """Close every connection."""
        for writer in tuple(self._open):
            self.close(writer)


@asynccontextmanager
async def wire(host: str, port: int) -> AsyncIterator[Wire]:
    """Pass connections on to an address while the block runs."""
    proxy = Wire((host, port))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        proxy.close_all()
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await server.wait_closed()
