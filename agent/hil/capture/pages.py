"""Pages of a unit that only tell: GET without a login first, then with one if the unit asks for it, by digest only."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from agent.address import Endpoint
from agent.hil.capture.exchange import MOST_REPLY_BYTES, READ_BYTES, Connection, Patience, Taken, connect
from agent.hil.capture.exchanged import UNAUTHORIZED, Exchange
from agent.hil.capture.form import Ending, Port
from agent.hil.capture.page_reply import PageReply
from agent.hil.capture.requests import path_of
from agent.unit.digest import authorization
from agent.unit.login import Login

_CHALLENGE: Final = "www-authenticate"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageReader:
    """Gets the pages of one unit.

    Attributes:
        endpoint: Address and port of its pages.
        login: User and password.
        patience: How long to wait.
        clock: Monotonic time, s.
        began: When the recording began, on `clock`.
    """

    endpoint: Endpoint
    login: Login
    patience: Patience
    clock: Callable[[], float]
    began: float

    async def get(self, page: str, *, look: int) -> list[Exchange]:
        """Return the answer without a login and, if the unit asks for one by digest, the answer with it.

        Raises:
            ValueError: The page is not on the whitelist; nothing was sent.
            LocalResourceError: This process has no socket to spare.
        """
        path = path_of(page)
        connection = await connect(self.endpoint, self.patience.connect_s, self.clock)
        try:
            first, reply = await self._ask(connection, page, path, look, None)
            exchanges = [first]
            challenges = reply.values(_CHALLENGE) if reply.status == UNAUTHORIZED else ()
            url = f"http://{self.endpoint}{path}"
            answer = await authorization(challenges, self.login, method="GET", url=url)
            if answer is None:
                return exchanges
            second = None
            if not reply.is_last:
                second, page_reply = await self._ask(connection, page, path, look, answer)
                if not page_reply.head and not page_reply.body and second.ending in {Ending.CLOSE, Ending.RESET}:
                    # A server may close a connection without having announced it.
                    second = None
            if second is None:
                connection.close()
                connection = await connect(self.endpoint, self.patience.connect_s, self.clock)
                second, _ = await self._ask(connection, page, path, look, answer)
            return [*exchanges, second]
        finally:
            connection.close()

    async def _ask(
        self, connection: Connection, page: str, path: str, look: int, authorization: str | None
    ) -> tuple[Exchange, PageReply]:
        reply, taken = PageReply(MOST_REPLY_BYTES), Taken()
        at_s = self.clock() - self.began
        has_login = authorization is not None
        if connection.port is not Port.OPEN:
            silent = Exchange(look=look, request=page, at_s=at_s, port=connection.port, has_login=has_login)
            return silent, reply
        lines = [f"GET {path} HTTP/1.1", f"Host: {self.endpoint}", "Accept: */*"]
        if authorization is not None:
            lines += [f"Authorization: {authorization}", "Connection: close"]
        sent = self.clock()
        await self._exchange(connection, "\r\n".join((*lines, "", "")).encode("utf-8"), reply, taken)
        exchange = Exchange(
            look=look,
            request=page,
            at_s=at_s,
            port=Port.OPEN,
            data=bytes(reply.body),
            ending=reply.ending,
            connect_s=connection.connect_s,
            status=reply.status,
            head=reply.head,
            chunks=tuple(reply.chunks),
            has_login=has_login,
            **taken.times(sent),
        )
        return exchange, reply

    async def _exchange(self, connection: Connection, request: bytes, reply: PageReply, taken: Taken) -> None:
        """Send a request and feed its reply until it is whole, or nothing more comes."""
        loop, sock = asyncio.get_running_loop(), connection.socket
        try:
            async with asyncio.timeout(self.patience.deadline_s):
                await loop.sock_sendall(sock, request)
                while not reply.is_whole:
                    chunk = await loop.sock_recv(sock, READ_BYTES)
                    if not chunk:
                        reply.close(Ending.CLOSE)
                        return
                    taken.note(len(chunk), self.clock())
                    reply.feed(chunk)
        except TimeoutError:
            reply.close(Ending.SILENCE)
        except OSError:
            reply.close(Ending.RESET)
