"""Who stands at an address: a simulated unit, with its faults, or a recorded one."""

from typing import Protocol

from simulators.farm.farm import Farm
from simulators.firmware.antminer import api_program as firmware
from simulators.unit import chance
from simulators.unit.delivery import Delivery
from simulators.unit.snapshot import OFFLINE
from simulators.unit.unit import Unit
from simulators.unit.work_modes import WORK_MODE_SLEEP

_KEY_DELIVERY = 32  # Counter of a unit's key, apart from those of its physics.


class Station(Protocol):
    """Whoever stands at an address."""

    @property
    def name(self) -> str:
        """Give the name requests are put down under."""
        ...

    def is_online(self, t: float) -> bool:
        """Say whether its API process can be reached at `t`."""
        ...

    def answer(self, request: firmware.Request, t: float) -> bytes | Delivery:
        """Give its reply at `t` without the closing NUL, or how a spoiled one travels."""
        ...


class LiveUnit:
    """The address of a simulated unit."""

    __slots__ = ("_farm", "_unit")

    def __init__(self, farm: Farm, unit: Unit) -> None:
        self._farm = farm
        self._unit = unit

    @property
    def name(self) -> str:
        """Give the id of the unit that is found here."""
        return self._farm.unit_found_at(self._unit).identity.unit_id

    def is_online(self, t: float) -> bool:
        """Say whether the API process of the unit found here can be reached at `t`."""
        self._unit.advance(t)
        unit = self._unit
        if unit.conditions.answers_as:
            unit = self._farm.unit_found_at(unit)
            unit.advance(t)
        return unit.phase not in OFFLINE and not unit.conditions.is_cut_off

    def answer(self, request: firmware.Request, t: float) -> bytes | Delivery:
        """Give the reply of the unit found here."""
        unit = self._unit
        if unit.conditions.answers_as:
            unit = self._farm.unit_found_at(unit)
        reply = firmware.answer(unit, request, t)
        if request.is_new_api and request.command == "sleep":
            # Assumed (A24): as a change of mode by the web page. `reload` and `network` show in no reply.
            self._farm.set_work_mode(unit, WORK_MODE_SLEEP)
        spoilers = unit.conditions.spoilers
        if not spoilers:
            return reply
        draw = chance.uniform(unit.identity.key + _KEY_DELIVERY, int(t * 1000.0))
        delivery = Delivery(command=request.command, reply=reply + firmware.NUL, draw=draw)
        for spoiler in spoilers:
            delivery = spoiler.spoil(delivery)
        return delivery
