"""The server's address, bound or refused in words."""

import asyncio
import errno
from collections.abc import Callable

from agent.address import Endpoint
from agent.errors import AgentError

SETTING = "web.listen"
_ASKED_FOR_S = 1.0
_ASKED_BYTES = 1024


async def bind(
    factory: Callable[[], asyncio.BaseProtocol], host: str, port: int, *, setting: str = SETTING
) -> asyncio.Server:
    """Return a server that listens at an address.

    Args:
        factory: Makes the protocol of a connection.
        host: Address to bind.
        port: Port to bind; 0 takes a free one.
        setting: The configuration key that names the address, for messages.

    Raises:
        AgentError: The address cannot be bound; the message says who holds it, or why not, and names the setting.
    """
    endpoint = Endpoint(host, port)
    try:
        return await asyncio.get_running_loop().create_server(factory, host, port)
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                holder = "another agent" if await _is_agent(host, port) else "another program"
                reason = f"{holder} holds {endpoint} ({setting}); stop it, or listen on another port"
            case errno.EADDRNOTAVAIL:
                reason = f"this machine has no address {host} ({setting} = {str(endpoint)!r})"
            case errno.EACCES:
                reason = f"only root may listen on port {port} ({setting} = {str(endpoint)!r}); take one above 1023"
            case _:
                reason = f"{endpoint} cannot be listened on ({setting}): {error.strerror or error}"
        raise AgentError(reason) from error


async def _is_agent(host: str, port: int) -> bool:
    """Return True if an agent of this project answers at an address of this machine, within a second."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    try:
        async with asyncio.timeout(_ASKED_FOR_S):
            reader, writer = await asyncio.open_connection(local, port)
            try:
                writer.write(b"HEAD /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                return b"\r\nserver: hashsight\r\n" in (await reader.read(_ASKED_BYTES)).lower()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
