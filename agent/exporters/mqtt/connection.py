"""The only module that uses aiomqtt and paho: a connection to a broker, with every failure as a `BrokerError`.

Seen with aiomqtt 2.5.1 over paho 2.2.0 and mosquitto 2.0.11, and handled here:

- A publish that is waiting when the broker dies fails only after its timeout. So timeouts are short, and the receiving
  side, which notices at once, ends the connection.
- The message then stays in paho's queue, and entering the same client again would send it after all. So every
  connection has a new client.
- A client that got no CONNACK keeps its socket until it is garbage-collected, so it is closed here.
- Neither library checks the reason code of a PUBACK, so the caller publishes a canary and waits for it.
- paho stores packets of up to 256 MiB. A broker of MQTT 5 is asked to send none above `MAX_PACKET_BYTES`; of what
  others send, the rest is thrown away.
- aiomqtt drops a message for which its queue has no room, and paho acknowledges it all the same. So the queue has no
  limit, and the socket is not read while `MAX_WAITING` messages are in it.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple, cast

import aiomqtt
import aiomqtt.client
import structlog

from agent.errors import BrokerError
from agent.exporters.mqtt.links import Link
from agent.exporters.mqtt.name_lookup import resolve
from agent.exporters.mqtt.socket_watch import WatchedLoop, close_socket, keep_beginnings

log = structlog.get_logger(__name__)

CONNECT_S = 3.0
ANSWER_S = 4.0
CLOSE_S = 1.0
WINDOW = 50
MAX_PACKET_BYTES = 96 * 1024
"""Longest packet that is received whole: room for the longest topic and for an order."""
MAX_WAITING = 100
"""Messages that wait to be read; while there are as many, the broker keeps the others."""
SESSION_S = 86_400
"""Time for which a broker of MQTT 5 keeps a session; later an order is too late anyway."""

# The libraries' messages about lost connections are silenced: the agent logs one line of its own.
_QUIET = logging.getLogger("agent.exporters.mqtt.paho")
_QUIET.disabled = True

_CREDENTIALS = {4, 5, 134, 135}


class Received(NamedTuple):
    """A message from the broker.

    Attributes:
        topic, payload: As published; of a payload that is too long, the beginning.
        is_retained: True if the broker had retained it before the agent subscribed.
        is_repeated: True if the broker sends it again, because it was not acknowledged.
        number: Its packet identifier; 0 with QoS 0.
    """

    topic: str
    payload: bytes
    is_retained: bool
    is_repeated: bool = False
    number: int = 0


class Connection:
    """An open connection; made by `connect`."""

    def __init__(self, client: aiomqtt.Client, link: Link, loop: WatchedLoop) -> None:
        self._client = client
        self._link = link
        self._loop = loop

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
        close_socket(self._client._client.socket())  # noqa: SLF001  nothing public closes without a DISCONNECT

    async def messages(self) -> AsyncIterator[Received]:
        """Yield received messages, without those that `on_arrival` handled.

        Raises:
            BrokerError: The connection is lost; this method notices it first.
        """
        try:
            async for received in self._client.messages:
                if len(self._client.messages) <= MAX_WAITING // 2:
                    self._loop.resume()
                yield cast(Received, received)
        except (aiomqtt.MqttError, OSError) as error:
            raise BrokerError("lost", f"{self._link}: {_words(error)}") from error

    async def lost(self) -> None:
        """Wait until the connection is lost, for a caller that reads no `messages`.

        Raises:
            BrokerError: It is lost.
        """
        async for _ in self.messages():
            pass

    def acknowledge(self, received: Received) -> None:
        """Acknowledge a message of a session that the broker keeps; until then it would come again."""
        if received.number:
            self._client._client.ack(received.number, 1)  # noqa: SLF001  aiomqtt acknowledges everything at once


class Will(NamedTuple):
    """A message that the broker publishes when a connection ends without a DISCONNECT."""

    topic: str
    payload: bytes
    is_retained: bool


@asynccontextmanager
async def connect(
    link: Link,
    *,
    will: Will | None = None,
    on_arrival: Callable[[Received], bool] = lambda _: False,
    is_session_kept: bool = False,
    max_packet_bytes: int = MAX_PACKET_BYTES,
) -> AsyncIterator[Connection]:
    """Hold a connection to a broker while the block runs.

    Args:
        link: Address and credentials.
        will: Published by the broker when the connection ends without a DISCONNECT.
        on_arrival: Called with each message as it arrives; returns False to keep it for `Connection.messages`.
        is_session_kept: True if the broker is to keep subscriptions and messages of QoS 1 between connections. Each
            message must then be acknowledged with `Connection.acknowledge`.
        max_packet_bytes: Of a longer packet only the beginning is received.

    Raises:
        BrokerError: With the reason why no connection could be made.
    """
    await resolve(link, within_s=CONNECT_S)
    client = _client(link, will, is_session_kept=is_session_kept, max_packet_bytes=max_packet_bytes)
    loop = WatchedLoop(client._loop)  # noqa: SLF001  the pinned aiomqtt has no other way to pause
    client._loop = cast(asyncio.AbstractEventLoop, loop)  # noqa: SLF001  likewise
    paho = client._client  # noqa: SLF001  nor to bound connecting, to close, and to acknowledge
    paho.connect_timeout = CONNECT_S
    paho.manual_ack_set(is_session_kept)
    paho.on_message = _callback(client, loop, on_arrival)
    keep_beginnings(paho, max_packet_bytes)
    _retrieve_ends(client)
    try:
        await client.__aenter__()
    except BaseException as error:
        _retrieve_ends(client)
        # paho would keep the socket of a connection that was never acknowledged.
        paho.disconnect()
        close_socket(paho.socket())
        if isinstance(error, aiomqtt.MqttError | OSError | ValueError):
            raise _refusal(link, error) from error
        raise
    # Connecting may have replaced them.
    _retrieve_ends(client)
    try:
        yield Connection(client, link, loop)
    finally:
        client.timeout = CLOSE_S
        try:
            with suppress(aiomqtt.MqttError, OSError):
                loop.resume()
                await client.__aexit__(None, None, None)
        finally:
            close_socket(paho.socket())


def _client(link: Link, will: Will | None, *, is_session_kept: bool, max_packet_bytes: int) -> aiomqtt.Client:
    """Return a client that is not connected yet."""
    is_newer = link.protocol == "5"
    options: dict[str, Any] = {"clean_session": not is_session_kept}
    if is_newer:
        # MQTT 5, 3.1.2.11: properties of CONNECT, which is packet type 1. aiomqtt takes paho's class for them.
        properties = aiomqtt.client.Properties(1)  # type: ignore[attr-defined, no-untyped-call]
        properties.MaximumPacketSize = max_packet_bytes
        options = {"properties": properties}
        if is_session_kept:
            properties.SessionExpiryInterval = SESSION_S
            options["clean_start"] = False
    client = aiomqtt.Client(
        link.host,
        link.port,
        username=link.username,
        password=link.password,
        logger=_QUIET,
        identifier=link.client_id,
        protocol=aiomqtt.ProtocolVersion.V5 if is_newer else aiomqtt.ProtocolVersion.V311,
        will=None if will is None else aiomqtt.Will(will.topic, will.payload, 1, will.is_retained),
        timeout=ANSWER_S,
        keepalive=link.keepalive_s,
        max_inflight_messages=2 * WINDOW,
        tls_context=link.tls,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        **options,
    )
    client.pending_calls_threshold = 4 * WINDOW
    return client


def _retrieve_ends(client: aiomqtt.Client) -> None:
    """Keep asyncio from logging that a connection ended before anybody asked: callers find that out by themselves."""
    for future in (client._connected, client._disconnected):  # noqa: SLF001  aiomqtt retrieves them only when it waits
        future.add_done_callback(lambda ended: None if ended.cancelled() else ended.exception())


def _callback(
    client: aiomqtt.Client, loop: WatchedLoop, on_arrival: Callable[[Received], bool]
) -> Callable[[Any, Any, Any], None]:
    """Return paho's callback for messages."""

    def on_message(_paho: Any, _userdata: Any, message: Any) -> None:
        try:
            received = Received(message.topic, bytes(message.payload), message.retain, message.dup, message.mid)
            is_handled = on_arrival(received)
        except Exception:
            # A bug of ours is no reason to end the connection.
            log.exception("mqtt message failed")
            return
        if not is_handled:
            # aiomqtt's own message lacks the flag of a repetition.
            client._queue.put_nowait(cast(aiomqtt.Message, received))  # noqa: SLF001  aiomqtt has no other way in
            if client._queue.qsize() >= MAX_WAITING:  # noqa: SLF001  likewise
                loop.pause()

    return on_message


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
