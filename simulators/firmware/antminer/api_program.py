"""The API program of the stock firmware: it picks the reply that `legacy` or `new_api` prints."""

from typing import Final

from simulators.firmware.antminer import legacy, new_api
from simulators.firmware.request import Request
from simulators.unit.builds import BUILDS
from simulators.unit.unit import Unit
from simulators.unit.work_modes import WORK_MODE_SLEEP

# API commands that change something; a monitoring client never sends them.
WRITE_COMMANDS: Final = frozenset({"reload", "sleep", "network"})


def ordered_mode(unit: Unit, request: Request) -> int | None:
    """Return the work mode that a request changes `unit` to; None if it changes none."""
    # Assumed (A24): like a change of mode on the web page. `reload` and `network` show in no reply.
    is_sleep = request.is_new_api and request.command == "sleep" and not unit.conditions.is_legacy_only
    return WORK_MODE_SLEEP if is_sleep else None


def answer(unit: Unit, request: Request, t: float) -> bytes:
    """Return the reply of `unit` at `t`, without the closing NUL.

    Observed (O03): a command that the firmware does not have gets E/14. Documented (D14): joined ones are
    among them. Documented (D10, D11): the API program knows five legacy commands and, with `new_api`, five reports
    and three switches (reload, sleep, network).
    """
    # Assumed (A07): a legacy-only command with new_api gets its legacy reply. Documented (D13): so does any command on
    # firmware that does not know new_api.
    if request.is_new_api and request.command in new_api.REPLIES and not unit.conditions.is_legacy_only:
        text = new_api.REPLIES[request.command](unit, BUILDS[unit.build], t)
    elif request.command in legacy.REPLIES:
        text = legacy.REPLIES[request.command](unit, BUILDS[unit.build], t)
    else:
        text = legacy.invalid_command(t)
    return text.encode("ascii", "replace")
