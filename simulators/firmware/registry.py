"""All firmwares a simulated unit may run, by name. Add yours to `FIRMWARES`.

A firmware turns requests into replies. It has no part in the physics, except that its tuning profiles set the clock.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from simulators.firmware.antminer import api_program as antminer
from simulators.firmware.braiins import api_program as braiins
from simulators.firmware.epic import api_program as epic
from simulators.firmware.luxos import api_program as luxos
from simulators.firmware.request import Request
from simulators.firmware.vnish import api_program as vnish
from simulators.unit.identity import STOCK
from simulators.unit.unit import Unit


def _orders_nothing(_unit: Unit, _request: Request) -> int | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """One firmware.

    Attributes:
        name: As in ``MODEL:TH/NAME`` of a mix, and in the truth of the control API.
        answer: Returns a unit's reply to a request at a moment, Unix seconds, without the closing NUL.
        write_commands: Commands that it takes on TCP 4028 and that change the unit. The journal marks them as writes,
            also within joined commands; a monitoring client never sends them.
        ordered_mode: Returns the work mode that a request changes the unit to; None for most.
        tunings: Clock over rated clock of its tuning profiles, each with the share of units that run it.
        is_http: Its replies are pages with their heads, which no NUL ends.
    """

    name: str
    answer: Callable[[Unit, Request, float], bytes]
    write_commands: frozenset[str]
    ordered_mode: Callable[[Unit, Request], int | None] = _orders_nothing
    tunings: tuple[tuple[float, float], ...] = ((1.0, 1.0),)
    is_http: bool = False

    def is_write(self, request: Request) -> bool:
        """Return True if the request would change a unit."""
        return not self.write_commands.isdisjoint(request.commands)

    def tuning_for(self, draw: float) -> float:
        """Return the clock over rated clock of the profile that a unit runs, for a uniform `draw` in [0, 1)."""
        below = 0.0
        for ratio, share in self.tunings:
            below += share
            if draw < below:
                return ratio
        return self.tunings[-1][0]


FIRMWARES: Final[Mapping[str, Firmware]] = MappingProxyType(
    {
        firmware.name: firmware
        for firmware in (
            Firmware(
                name=STOCK,
                answer=antminer.answer,
                write_commands=antminer.WRITE_COMMANDS,
                ordered_mode=antminer.ordered_mode,
            ),
            Firmware(
                name="braiins",
                answer=braiins.answer,
                write_commands=braiins.WRITE_COMMANDS,
                ordered_mode=braiins.ordered_mode,
                # Assumed (A184): most run at the rating, others at a lower power target, few above.
                tunings=((1.0, 0.5), (0.8, 0.35), (1.1, 0.15)),
            ),
            Firmware(
                name="epic",
                answer=epic.answer,
                write_commands=epic.WRITE_COMMANDS,
                ordered_mode=epic.ordered_mode,
                tunings=epic.TUNINGS,
                is_http=True,
            ),
            Firmware(
                name="luxos",
                answer=luxos.answer,
                write_commands=luxos.WRITE_COMMANDS,
                tunings=luxos.TUNINGS,
            ),
            Firmware(name="vnish", answer=vnish.answer, write_commands=vnish.WRITE_COMMANDS, tunings=vnish.TUNINGS),
        )
    }
)


def firmware_of(unit: Unit) -> Firmware:
    """Return the firmware that a unit runs."""
    return FIRMWARES[unit.identity.firmware]


def is_any_write(request: Request) -> bool:
    """Return True if a request would change a unit of any firmware here."""
    return any(firmware.is_write(request) for firmware in FIRMWARES.values())
