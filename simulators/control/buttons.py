"""The report button of units and strangers."""

import ipaddress

from simulators.control.answers import Pressed, StrangerTold
from simulators.control.operations import Asked, Operation, RefusedError
from simulators.control.questions import PressOrder
from simulators.farm.farm import Farm
from simulators.firmware.antminer import ip_report
from simulators.sockets.report_button import Listener, read_listener, send
from simulators.strangers import recorded
from simulators.unit.unit import Unit


class ButtonOperations:
    """Operations that press a button, and the strangers that may have one.

    Args:
        farm: The farm.
        listener: What hears the buttons unless an order says otherwise.
    """

    def __init__(self, farm: Farm, listener: Listener) -> None:
        self._farm = farm
        self._listener = listener
        self._makes = dict(farm.plan.around.answering())

    def operations(self) -> tuple[Operation, ...]:
        """Return their rows."""
        no_power = (409, "It has no power or no network, or no button that is known; nothing was sent.")
        unsent = (503, "This machine cannot send it.")
        return (
            Operation(
                "POST",
                "/units/{unit_id}/press",
                self.press_unit,
                Pressed,
                body=PressOrder,
                refusals=((404, "There is no such unit."), no_power, unsent),
            ),
            Operation("GET", "/strangers", self.list_strangers, list[StrangerTold]),
            Operation(
                "POST",
                "/strangers/{address}/press",
                self.press_stranger,
                Pressed,
                body=PressOrder,
                refusals=((404, "No stranger that answers stands there."), no_power, unsent),
            ),
        )

    async def press_unit(self, asked: Asked) -> Pressed:
        """Press the report button of a unit: it sends its addresses to the listener."""
        unit = self._farm.by_id.get(asked.named)
        if unit is None:
            raise RefusedError(404, f"no unit {asked.named[:60]!r}")
        unit.advance(self._farm.clock.now())
        if unit.is_silent:
            raise RefusedError(409, f"unit {asked.named!r} has no power or no network")
        host = self._host_of(unit)
        payload = ip_report.report(host, unit.identity.mac)
        return self._press(payload, (host, ip_report.SOURCE_PORT), ip_report.PORT, asked.body)

    async def list_strangers(self, _asked: Asked) -> list[StrangerTold]:
        """The strangers that answer at addresses of the farm's network."""
        return [
            StrangerTold(address=str(ipaddress.IPv4Address(address)), make=make, mac=recorded.mac_of(make, address))
            for address, make in self._makes.items()
        ]

    async def press_stranger(self, asked: Asked) -> Pressed:
        """Press the report button of a stranger."""
        try:
            address = int(ipaddress.IPv4Address(asked.named))
            make = self._makes[address]
        except (ValueError, KeyError):
            raise RefusedError(404, f"no stranger at {asked.named[:60]!r}") from None
        sent = recorded.report_of(make, address)
        if sent is None:
            raise RefusedError(409, f"what the button of a {make} sends is not known")
        port, payload = sent
        return self._press(payload, (asked.named, port), port, asked.body)

    def _host_of(self, unit: Unit) -> str:
        """Return the address that a unit answers at now: another unit's while addresses are swapped."""
        unit_id = unit.identity.unit_id
        holders = (other for other in self._farm.units if other.conditions.answers_as == unit_id)
        return next(holders, unit).identity.host

    def _press(self, payload: bytes, source: tuple[str, int], port: int, order: PressOrder) -> Pressed:
        listener = self._listener if order.to is None else read_listener(order.to)
        to = (listener.host, listener.port or port)
        came_from = source
        try:
            for _ in range(order.times):
                came_from = send(payload, source=source, to=to)
        except OSError as error:
            raise RefusedError(503, f"{to[0]}:{to[1]}: {error.strerror or error}") from error
        return Pressed(
            payload=payload.decode("ascii"),
            times=order.times,
            source="{}:{}".format(*came_from),
            to="{}:{}".format(*to),
        )
