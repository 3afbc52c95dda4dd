"""Stations: the simulated unit, with its faults, or the recorded unit at an address."""

from typing import Protocol

from simulators.captures.form import Ending
from simulators.farm.farm import Farm
from simulators.firmware.like.likeness import likeness_of
from simulators.firmware.registry import firmware_of, is_any_write
from simulators.firmware.request import NUL, Request
from simulators.unit import chance
from simulators.unit.delivery import Delivery, Facts
from simulators.unit.delivery import Ending as DeliveryEnding
from simulators.unit.snapshot import OFFLINE
from simulators.unit.unit import Unit

# Endings of recorded replies that differ from a NUL and the close.
_OTHER_ENDINGS = frozenset({Ending.CLOSE, Ending.NUL})
_KEY_DELIVERY = 32  # Counter of a unit's key, apart from those of its physics.


class Station(Protocol):
    """The unit, simulated or recorded, that answers at an address."""

    @property
    def name(self) -> str:
        """Name in the journal."""
        ...

    def is_online(self, t: float) -> bool:
        """Return True if its API process can be reached at `t`."""
        ...

    def is_write(self, request: Request) -> bool:
        """Return True if the request would change its state."""
        ...

    def answer(self, request: Request, t: float) -> bytes | Delivery:
        """Return its reply at `t` without the closing NUL, or the delivery of a reply altered by faults."""
        ...


class LiveUnit:
    """The address of a simulated unit."""

    __slots__ = ("_farm", "_unit")

    def __init__(self, farm: Farm, unit: Unit) -> None:
        self._farm = farm
        self._unit = unit

    @property
    def name(self) -> str:
        """Id of the unit found here."""
        return self._farm.unit_found_at(self._unit).identity.unit_id

    def is_online(self, t: float) -> bool:
        """Return True if the API process of the unit found here can be reached at `t`."""
        self._unit.advance(t)
        unit = self._unit
        if unit.conditions.answers_as:
            unit = self._farm.unit_found_at(unit)
            unit.advance(t)
        return unit.phase not in OFFLINE and not unit.conditions.is_cut_off

    def is_write(self, request: Request) -> bool:
        """Return True if the firmware of the unit found here takes the request and changes something.

        Of a twin, whose firmware may be any: if it would change a unit of any.
        """
        unit = self._farm.unit_found_at(self._unit)
        return firmware_of(unit).is_write(request) if self._farm.twin_of(unit) is None else is_any_write(request)

    def answer(self, request: Request, t: float) -> bytes | Delivery:
        """Return the reply of the unit found here."""
        unit = self._unit
        if unit.conditions.answers_as:
            unit = self._farm.unit_found_at(unit)
        twin = self._farm.twin_of(unit)
        firmware = firmware_of(unit)
        ending = Ending.NUL_CLOSE
        if twin is None:
            reply = firmware.answer(unit, request, t)
            ending = Ending.CLOSE if firmware.is_http else ending
        else:
            reply, told = likeness_of(twin).answer(unit, request, t)
            ending = told or ending
        mode = firmware.ordered_mode(unit, request)
        if mode is not None:
            self._farm.set_work_mode(unit, mode)
        spoilers = unit.conditions.spoilers
        if not spoilers and ending not in _OTHER_ENDINGS:
            return reply
        draw = chance.uniform(unit.identity.key + _KEY_DELIVERY, int(t * 1000.0))
        facts = Facts(
            unit.phase,
            t - unit.since,
            unit.identity.model.hashrate_hs,
            unit.power_watts(t),
            unit.identity.model.boards,
        )
        delivery = Delivery(
            command=request.command,
            reply=reply if ending is Ending.CLOSE else reply + NUL,
            draw=draw,
            ending=DeliveryEnding.HANG if ending is Ending.NUL else DeliveryEnding.CLOSE,
            facts=facts,
        )
        for spoiler in spoilers:
            delivery = spoiler.spoil(delivery)
        return delivery
