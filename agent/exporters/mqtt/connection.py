"""The only module that uses aiomqtt and paho: a connection to a broker, with every failure as a `BrokerError`.

Seen with aiomqtt 2.5.1 over paho 2.2.0 and mosquitto 2.0.11, and handled here:

- A publish that is waiting when the broker dies fails only after its timeout. So timeouts are short, and the receiving
  side, which notices at once, ends the connection.
- The message then stays in paho's queue, and entering the same client again would send it after all. So every
  connection has a new client.
- Another thread asks the loop to watch a socket that may be closed by then, which leaves a traceback in the log.
- A client that got no CONNACK keeps its socket until it is garbage-collected, so it is closed here.
- Neither library checks the reason code of a PUBACK, so the caller publishes a canary and waits for it.
"""

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple, cast

import aiomqtt

from agent.errors import BrokerError
from agent.exporters.mqtt.links import Link

CONNECT_S = 3.0
ANSWER_S = 4.0
CLOSE_S = 1.0
WINDOW = 50
MAX_INCOMING = 1000

# The libraries' messages about lost connections are silenced: the agent logs one line of its own.
_QUIET = logging.getLogger("agent.exporters.mqtt.paho")
_QUIET.disabled = True

_CREDENTIALS = {4, 5, 134, 135}


class Received(NamedTuple):
    """A message from the broker.

    Attributes:
        topic, payload: As published.
        is_retained: True if the broker had retained it before the agent subscribed.
    """

    topic: str
    payload: bytes
    is_retained: bool


class _Loop:
    """The event loop as aiomqtt sees it: watching a socket that was closed meanwhile is no error."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def add_writer(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Watch a socket, if it is still open."""
        with suppress(OSError, ValueError):
            self._loop.add_writer(descriptor, callback)

    def add_reader(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Watch a socket, if it is still open."""
        with suppress(OSError, ValueError):
            self._loop.add_reader(descriptor, callback)


class Connection:
    """An open connection; made by `connect`."""

    def __init__(self, client: aiomqtt.Client, link: Link) -> None:
        self._client = client
        self._link = link

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1, is_retained: bool = False) -> None:
        """Publish and wait for the acknowledgement. Messages leave in the order of the calls.

        Raises:
            BrokerError: It was not acknowledged in time; it may have arrived all the same.
        """
        try:
            await self._client.publish(topic, payload, qos=qos, retain=is_retained, timeout=ANSWER_S)
        except (aiomqtt.MqttError, OSError, ValueError) as error:
            raise BrokerError("lost", f"{self._link}: {_words(error)}") from error

    async def subscribe(self, topic: str) -> None:
        """Subscribe with QoS 1.

        Raises:
            BrokerError: ``acl`` if the broker refuses, else ``lost``.
        """
        try:
            granted = await self._client.subscribe(topic, qos=1, timeout=ANSWER_S)
        except (aiomqtt.MqttError, OSError) as error:
            raise BrokerError("lost", f"{self._link}: {_words(error)}") from error
        codes = [code if isinstance(code, int) else code.value for code in granted]
        if any(code >= 128 for code in codes):
            raise BrokerError("acl", f"{self._link}: the broker refuses the subscription to {topic}")

    def break_off(self) -> None:
        """Close the socket without a DISCONNECT, as a crash would."""
        _close_socket(self._client._client.socket())  # noqa: SLF001  nothing public closes without a DISCONNECT

    async def messages(self) -> AsyncIterator[Received]:
        """Yield received messages.

        Raises:
            BrokerError: The connection is lost; this method notices it first.
        """
        try:
            async for message in self._client.messages:
                yield Received(str(message.topic), message.payload, message.retain)
        except (aiomqtt.MqttError, OSError) as error:
            raise BrokerError("lost", f"{self._link}: {_words(error)}") from error


class Will(NamedTuple):
    """A message that the broker publishes when a connection ends without a DISCONNECT."""

    topic: str
    payload: bytes
    is_retained: bool


@asynccontextmanager
async def connect(link: Link, *, will: Will | None = None) -> AsyncIterator[Connection]:
    """Hold a connection to a broker while the block runs.

    Args:
        link: Address and credentials.
        will: Published by the broker when the connection ends without a DISCONNECT.

    Raises:
        BrokerError: With the reason why no connection could be made.
    """
    await _resolve(link)
    client = aiomqtt.Client(
        link.host,
        link.port,
        username=link.username,
        password=link.password,
        logger=_QUIET,
        identifier=link.client_id,
        protocol=aiomqtt.ProtocolVersion.V5 if link.protocol == "5" else aiomqtt.ProtocolVersion.V311,
        will=None if will is None else aiomqtt.Will(will.topic, will.payload, 1, will.is_retained),
        # A persistent session would duplicate the outbox: broker and client would keep messages that the outbox keeps.
        clean_session=True if link.protocol == "3.1.1" else None,
        timeout=ANSWER_S,
        keepalive=link.keepalive_s,
        max_queued_incoming_messages=MAX_INCOMING,
        max_inflight_messages=2 * WINDOW,
        tls_context=link.tls,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    )
    client.pending_calls_threshold = 4 * WINDOW
    paho = client._client  # noqa: SLF001  the pinned aiomqtt has no other way to bound connecting and to close
    paho.connect_timeout = CONNECT_S
    client._loop = cast(asyncio.AbstractEventLoop, _Loop(client._loop))  # noqa: SLF001  likewise
    try:
        await client.__aenter__()
    except BaseException as error:
        # paho would keep the socket of a connection that was never acknowledged.
        paho.disconnect()
        _close_socket(paho.socket())
        if isinstance(error, aiomqtt.MqttError | OSError | ValueError):
            raise _refusal(link, error) from error
        raise
    try:
        yield Connection(client, link)
    finally:
        client.timeout = CLOSE_S
        try:
            with suppress(aiomqtt.MqttError, OSError):
                await client.__aexit__(None, None, None)
        finally:
            _close_socket(paho.socket())


def _close_socket(left: Any) -> None:
    """Close a socket that outlived its DISCONNECT: with a frozen broker it would stay open until the keepalive ends."""
    if left is None or left.fileno() < 0:
        return
    loop = asyncio.get_running_loop()
    loop.remove_reader(left.fileno())
    loop.remove_writer(left.fileno())
    left.close()


async def _resolve(link: Link) -> None:
    """Check that the broker's name resolves, in a daemon thread.

    paho looks the name up again in the loop's executor, whose threads the process waits for when it ends.

    Raises:
        BrokerError: It does not resolve, or not in time.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str | None] = loop.create_future()

    def report(reason: str | None) -> None:
        if not answer.done():
            answer.set_result(reason)

    def look_up() -> None:
        reason = None
        try:
            socket.getaddrinfo(link.host, link.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            reason = str(error)
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(report, reason)

    threading.Thread(target=look_up, name=f"look up {link.host}", daemon=True).start()
    try:
        async with asyncio.timeout(CONNECT_S):
            reason = await answer
    except TimeoutError:
        reason = f"no answer in {CONNECT_S:g} s"
    if reason is not None:
        raise BrokerError("unresolved", f"{link}: cannot resolve this name: {reason}")


def _refusal(link: Link, error: Exception) -> BrokerError:
    """Return why a connection could not be made, in one line that points to the cause and contains no secret."""
    text = str(error)
    reason, message = "other", _words(error)
    code = getattr(error, "rc", None)
    number = code if isinstance(code, int) else getattr(code, "value", None)
    if isinstance(error, aiomqtt.MqttCodeError) and number in _CREDENTIALS:
        client = f"user {link.username}" if link.username else "anonymous clients"
        reason, message = "credentials", f"the broker refuses {client}: wrong user or password, or not allowed"
    elif isinstance(error, aiomqtt.MqttCodeError):
        reason = "rejected"
    elif "CERTIFICATE_VERIFY_FAILED" in text:
        detail = text.partition("certificate verify failed:")[2].partition("(_ssl")[0].strip() or text
        reason, message = "tls", f"the broker's certificate is not accepted: {detail}"
    elif "SSL" in text or "TLS" in text or (link.tls and "reset" in text):
        is_plain = any(sign in text for sign in ("WRONG_VERSION", "EOF", "reset"))
        hint = "; is this a plain port?" if is_plain else ""
        reason, message = "tls", f"no encrypted connection: {text}{hint}"
    elif "refused" in text:
        reason, message = "refused", "nothing listens there"
    elif "timed out" in text:
        reason = "timeout"
        hint = "" if link.tls else "; is this a TLS port?"
        message = f"no answer in {ANSWER_S:g} s, connected or not{hint}"
    return BrokerError(reason, f"{link}: {message}")


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
