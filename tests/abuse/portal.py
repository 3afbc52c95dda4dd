"""A way into a network namespace: connections to an inherited listening socket go on to a port on loopback here.

python tests/abuse/portal.py DESCRIPTOR PORT
"""

import asyncio
import contextlib
import socket
import sys

PIECE_BYTES = 65_536


async def main() -> None:
    """Pass connections on until killed."""
    descriptor, port = map(int, sys.argv[1:])

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(PIECE_BYTES):
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()

    # The event loop holds its tasks weakly.
    tasks: set[asyncio.Task[None] | None] = set()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        tasks.add(task)
        with contextlib.suppress(OSError):
            there, away = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(pump(reader, away), pump(there, writer))
            away.close()
        writer.close()
        tasks.discard(task)

    server = await asyncio.start_server(take, sock=socket.socket(fileno=descriptor))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
