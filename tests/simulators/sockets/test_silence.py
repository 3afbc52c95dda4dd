"""Kernels that allow packet filters only to root: a locked socket refuses its filter in the same way."""

import socket

import pytest
from sim_cases import ask, make_farm

from simulators.farm.selection import Selector
from simulators.faults.unit import PowerOff
from simulators.sockets.serving import serve_farm, sweep
from simulators.sockets.silence import silence
from simulators.sockets.web_server import serve_web

# From asm-generic/socket.h: the socket's filter can no longer be attached, replaced or removed.
SO_LOCK_FILTER = 44


def test_a_forbidden_filter_raises() -> None:
    """A user without the right to attach a filter gets PermissionError."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, SO_LOCK_FILTER, 1)
        with pytest.raises(PermissionError):
            silence(listener, [0x7F000001])


async def test_without_a_filter_units_without_power_reset_connections() -> None:
    """Units without power reset connections, the others answer, and the server reports that it cannot silence."""
    farm = make_farm(2)
    dead, lit = farm.units
    async with serve_farm(farm, port=0) as server, serve_web(farm, server, port=0):
        assert server.can_silence
        for door in server._doors:
            door.listener.setsockopt(socket.SOL_SOCKET, SO_LOCK_FILTER, 1)
        farm.inject(PowerOff(), Selector(units=(dead.identity.unit_id,)))
        sweep(farm, server)
        assert not server.can_silence
        with pytest.raises(ConnectionResetError):
            await ask(dead.identity.host, server.port)
        assert (await ask(lit.identity.host, server.port)).endswith(b"\0")
