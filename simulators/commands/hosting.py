"""A farm on its sockets, and the lines that say where it can be reached."""

import contextlib
import gc
from collections.abc import Callable
from functools import partial

from simulators.commands.listeners import Listeners
from simulators.commands.process import stop_signal
from simulators.commands.terminal import ERRORS, SCREEN, building_bar
from simulators.control.http import serve_control
from simulators.farm.clock import SimClock
from simulators.farm.farm import Farm
from simulators.farm.plan import FarmError, FarmPlan
from simulators.scenario.player import Playing
from simulators.sockets.api_server import ApiServer
from simulators.sockets.listening import ServeError
from simulators.sockets.serving import serve_farm, sweep
from simulators.sockets.web_server import WebServer, serve_hash_side, serve_web


async def host_farm(plan: FarmPlan, listeners: Listeners) -> None:
    """Serve a farm until stopped."""
    stopped = stop_signal()
    farm = Farm(plan, SimClock(), watch=partial(building_bar, total=plan.units))
    async with contextlib.AsyncExitStack() as stack:
        await open_listeners(stack, farm, listeners)
        await stopped.wait()


async def open_listeners(
    stack: contextlib.AsyncExitStack, farm: Farm, listeners: Listeners, playing: Playing | None = None
) -> None:
    """Serve a farm for as long as `stack` is open, and print where it can be reached."""
    # The units live as long as this process. Freezing them saves the garbage collector half a second for 256,000 units.
    gc.collect()
    gc.freeze()
    is_shared_address = len({unit.identity.address for unit in farm.units}) < len(farm.units)
    if is_shared_address and (listeners.is_http_given or listeners.power is not None):
        raise FarmError("units that share an address cannot have web pages: only their port distinguishes them")
    server = await stack.enter_async_context(
        serve_farm(farm, port=listeners.api, is_loopback_only=not listeners.allow_remote)
    )
    pages = await _open_pages(stack, farm, server, listeners, is_shared_address=is_shared_address)
    if listeners.ledger_out is not None:
        with listeners.ledger_out.open("w", encoding="utf-8", newline="") as file:
            farm.write_ledger(file, port=server.port)
    if not server.can_silence:
        ERRORS.print("this kernel lets only root keep addresses silent: units without power reset connections instead")
    SCREEN.print(f"seed {farm.plan.seed}")
    first, last = farm.units[0].identity, farm.units[-1].identity
    place = f"{len(farm.units)} units at {first.endpoint} to {last.endpoint}"
    if len(farm.units) == 1:
        place = f"1 unit at {first.endpoint}"
    has_own_ports = any(unit.identity.port for unit in farm.units)
    SCREEN.print(place if has_own_ports else f"{place}, port {server.port}")
    for line in (*_twin_lines(farm), *pages):
        SCREEN.print(line)
    if listeners.control is not None:
        host, port = listeners.control
        follow: Callable[[], None] = partial(sweep, farm, server)
        host, port = await stack.enter_async_context(
            serve_control(
                farm,
                server.journal,
                host=host,
                port=port,
                follow=follow,
                playing=playing,
                listener=listeners.report_to,
            )
        )
        SCREEN.print(f"control http://{host}:{port}/truth")
    now = farm.clock.now()
    SCREEN.print(
        f"true hashrate {farm.operating_hs(now) / 1e15:.3f} of {farm.deployed_hs / 1e15:.3f} PH/s deployed, "
        f"{farm.operating_hs(now) / farm.deployed_hs:.2%}"
    )


def _twin_lines(farm: Farm) -> list[str]:
    """Return a line for each twin, and what of it is not recorded."""
    lines = []
    for twin in farm.twins.values():
        count = sum(1 for unit in farm.units if unit.identity.model is twin.model)
        model = twin.model
        lines.append(f"{count} like {twin.name}: {model.name}, {model.hashrate_th:g} TH/s, {model.power_watts:.0f} W")
        lines += [f"  {note}" for note in twin.notes]
    return lines


async def _open_pages(
    stack: contextlib.AsyncExitStack, farm: Farm, server: ApiServer, listeners: Listeners, *, is_shared_address: bool
) -> list[str]:
    """Serve web pages and hash side as far as they are wanted, and return a line for each."""
    lines = []
    host = farm.units[0].identity.host
    if listeners.http is not None and is_shared_address:
        ERRORS.print("units that share an address have no web pages: only their port distinguishes them")
    elif listeners.http is not None:
        web = await _serve_pages(stack, farm, server, listeners, port=listeners.http)
        lines.append(f"web pages http://{host}:{web.port}/")
    if listeners.power is not None:
        power = await stack.enter_async_context(
            serve_hash_side(farm, server, listeners.power_lines, port=listeners.power)
        )
        lines.append(f"power http://{host}:{power.port}/miner_power")
    return lines


async def _serve_pages(
    stack: contextlib.AsyncExitStack, farm: Farm, server: ApiServer, listeners: Listeners, *, port: int
) -> WebServer:
    """Serve the units' web pages, on a free port where the usual one cannot be had and none was asked for."""
    try:
        return await stack.enter_async_context(serve_web(farm, server, port=port))
    except ServeError as error:
        if listeners.is_http_given:
            raise
        web = await stack.enter_async_context(serve_web(farm, server, port=0))
        ERRORS.print(f"web pages are on port {web.port}: {error.strerror}")
        return web
