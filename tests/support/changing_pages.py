"""Identity pages that say something else each time they are read, at every address of 127.0.0.0/8."""

import asyncio
import contextlib
import itertools
import json
import threading
from collections.abc import Iterator

from agent.unit.antminer.webpage import SYSTEM_INFO
from simulators.sockets.listening import listen

LONGEST_S = 10.0


class ChangingPages:
    """A web server that answers each request for an identity with another serial number and MAC address.

    Every second answer leaves the serial number out, so that the agent sees both a stranger and a unit without a name.

    Attributes:
        port: Its port.
        served: Pages served so far.
    """

    def __init__(self) -> None:
        self._listener = listen("0.0.0.0", 0, is_loopback_only=True)
        self.port: int = self._listener.getsockname()[1]
        self._numbers = itertools.count(1)
        self.served = 0

    async def serve(self, is_over: asyncio.Event) -> None:
        """Serve until `is_over` is set."""
        server = await asyncio.start_server(self._answer, sock=self._listener)
        async with server:
            await is_over.wait()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(LONGEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
                status, body = ("200 OK", self._page()) if f"GET {SYSTEM_INFO} ".encode() in head else ("404 no", b"{}")
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
                )
                await writer.drain()
        writer.close()

    def _page(self) -> bytes:
        number = next(self._numbers)
        self.served += 1
        page = {
            "minertype": "Antminer S21",
            "system_filesystem_version": f"build {number}",
            # Locally administered, so that no maker has it.
            "macaddr": ":".join(f"{byte:02X}" for byte in (0x02FF << 32 | number).to_bytes(6)),
        }
        if number % 2:
            page["serinum"] = f"CHANGING{number:09d}"
        return json.dumps(page).encode()


@contextlib.contextmanager
def changing_pages() -> Iterator[ChangingPages]:
    """Serve changing pages from a thread while the block runs."""
    pages = ChangingPages()
    loop = asyncio.new_event_loop()
    is_over = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(pages.serve(is_over),), name="changing pages")
    thread.start()
    try:
        yield pages
    finally:
        loop.call_soon_threadsafe(is_over.set)
        thread.join()
        loop.close()
