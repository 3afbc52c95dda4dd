"""The API program of Braiins OS: it parses a request and prints the reports asked for.

Documented (D258): joined commands are answered by an object with one list each; the whole input is one JSON value, and
stray bytes are E/23; commands with parameters are E/45. Documented (D254): `pause`, `resume` and the commands of pools
act without a login.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from simulators.firmware.braiins import reports
from simulators.firmware.request import Request
from simulators.unit import chance
from simulators.unit.unit import Unit
from simulators.unit.work_modes import WORK_MODE_NORMAL, WORK_MODE_SLEEP

_POOL_COMMANDS: Final = frozenset({"addpool", "removepool", "switchpool", "enablepool", "disablepool"})
# Commands that change something, whoever asks; a monitoring client never sends them.
WRITE_COMMANDS: Final = frozenset({"pause", "resume"}) | _POOL_COMMANDS

# Observed (O82): 24.09, 25.05.1 and 24.06, in s21pro-braiins-2026, s21plus-braiins-2026, other-bmm100-braiins-2026.
# Documented (D259): 26.04.
_VERSIONS: Final = ("75912fc7", "45f356ea", "fc9fe388", "912d084c")
_KEY_VERSION: Final = 40  # Counter of a unit's key, apart from those of its physics.
_INVALID_COMMAND, _INVALID_JSON, _MISSING_COMMAND, _ACCESS_DENIED = 14, 23, 24, 45


def program_of(unit: Unit) -> str:
    """Return name and version of the program, the same for the unit's whole life."""
    version = _VERSIONS[int(chance.uniform(unit.identity.key + _KEY_VERSION, 0) * len(_VERSIONS))]
    return f"boser-buildroot 0.1.0-{version}"


def ordered_mode(unit: Unit, request: Request) -> int | None:
    """Return the work mode that a request changes `unit` to; None if it changes none."""
    if request.parameter:
        return None
    if "pause" in request.commands:
        return WORK_MODE_SLEEP
    is_paused = unit.work_mode == WORK_MODE_SLEEP
    return WORK_MODE_NORMAL if "resume" in request.commands and is_paused else None


def answer(unit: Unit, request: Request, t: float) -> bytes:
    """Return the reply of `unit` at `t`, without the closing NUL."""
    program = f"BOSer {program_of(unit)}"
    if not request.command:
        text = request.data.strip(b"\0\r\n \t")
        is_object = text.startswith(b"{") and _is_json(text)
        code, message = (_MISSING_COMMAND, "Missing JSON 'command'") if is_object else (_INVALID_JSON, "Invalid JSON")
        return msgspec.json.encode(_refusal(code, message, program, t))
    if not request.data.lstrip().startswith(b"{"):
        # Plain text is no JSON value.
        return msgspec.json.encode(_refusal(_INVALID_JSON, "Invalid JSON", program, t))
    if len(request.commands) == 1:
        return msgspec.json.encode({**_one(unit, request, request.command, program, t), "id": 1})
    joined: dict[str, Any] = {name: [_one(unit, request, name, program, t)] for name in request.commands}
    return msgspec.json.encode({**joined, "id": 1})


def _one(unit: Unit, request: Request, command: str, program: str, t: float) -> Mapping[str, Any]:
    """Return the part of a reply to one command."""
    if command in _POOL_COMMANDS or (request.parameter and command in reports.REPORTS):
        # Assumed (A184): without the list of pools of a real unit, the commands of pools are refused and only counted.
        return _refusal(_ACCESS_DENIED, f"Access denied to '{command}' command", program, t)
    if command in {"pause", "resume"}:
        code = 204 if command == "pause" else 205
        return _part(_status("S", code, command.capitalize(), program, t), command.upper(), [True])
    report = reports.REPORTS.get(command)
    if report is None:
        return _refusal(_INVALID_COMMAND, "Invalid command", program, t)
    found = report(unit, t)
    if found is None:
        # Documented (D253): while no board is ready. Assumed (A184): with this code.
        return _refusal(201, "Not ready", program, t)
    if command == "version":
        found = found._replace(rows=[{"API": "3.7", "BOSer": program_of(unit)}])
    return _part(_status("S", found.code, found.message, program, t), command.upper(), found.rows)


def _part(status: Mapping[str, Any], key: str, rows: Any) -> dict[str, Any]:
    return {"STATUS": [status], key: rows}


def _refusal(code: int, message: str, program: str, t: float) -> dict[str, Any]:
    return {"STATUS": [_status("E", code, message, program, t)]}


def _status(letter: str, code: int, message: str, program: str, t: float) -> dict[str, Any]:
    return {"STATUS": letter, "When": int(t), "Code": code, "Msg": message, "Description": program}


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
