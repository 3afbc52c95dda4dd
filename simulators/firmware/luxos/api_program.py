"""The API program of LuxOS: it picks the report, joins reports, and refuses the rest."""

from typing import Any, Final

import msgspec

from simulators.firmware.luxos.figures import Figures, figures_of
from simulators.firmware.luxos.reports import REPORTS, refusal
from simulators.firmware.request import Request
from simulators.unit.unit import Unit

# Documented (D241, D242): the commands that act, without a login and within a session.
WRITE_COMMANDS: Final = frozenset(
    {
        "addgroup",
        "addpool",
        "curtail",
        "disablepool",
        "enablepool",
        "groupquota",
        "kill",
        "ledset",
        "logon",
        "logset",
        "pooloptsset",
        "profileset",
        "rebootdevice",
        "removegroup",
        "removepool",
        "resetminer",
        "switchpool",
        "updatecheck",
    }
)

TUNINGS: Final = ((1.0, 0.5), (0.85, 0.25), (0.7, 0.15), (1.08, 0.1))
"""Clock over rated clock of its profiles, with the share of units. Observed (O179): recorded are 290 of 590 MHz and 350
of 525, on units tuned for little power."""

_encode = msgspec.json.Encoder(order="sorted").encode


def answer(unit: Unit, request: Request, t: float) -> bytes:
    """Return the reply of `unit` at `t`, without the closing NUL.

    Observed (O175): of a joined request, each command's reply is the only item of a list under its name.
    """
    figures = figures_of(unit, t)
    if len(request.commands) == 1:
        return _encode(_part(figures, request.command, t))
    joined: dict[str, Any] = {command: [_part(figures, command, t)] for command in request.commands}
    return _encode({**joined, "id": 1})


def _part(figures: Figures, command: str, t: float) -> dict[str, Any]:
    report = REPORTS.get(command)
    return refusal(t, 14, "Invalid command") if report is None else report(figures)
