"""Recorded replies served byte for byte; each capture directory is one unit with an address of its own."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from simulators.farm.plan import addresses
from simulators.firmware.antminer import legacy
from simulators.firmware.registry import is_any_write
from simulators.firmware.request import Request
from simulators.unit.endpoints import Endpoint

PREFIX = "tcp4028-"
NEW_API_SUFFIX = "-new_api"
_JOINING = b"LUXminer"


class CaptureError(ValueError):
    """A capture that cannot be served; the message names the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedUnit:
    """The recorded replies of one unit.

    Attributes:
        name: Name of the capture directory.
        host: IPv4 address it is served at.
        port: TCP port of its own; 0 for the common port.
        replies: Recorded bytes without the NUL, by command; replies in the new dialect are under ``COMMAND new_api``.
    """

    name: str
    host: str
    replies: Mapping[str, bytes]
    port: int = 0

    def __hash__(self) -> int:
        return hash((self.host, self.port))

    def is_online(self, _t: float) -> bool:
        """Return True: a recorded unit always answers."""
        return True

    def is_write(self, request: Request) -> bool:
        """Return True if the request would change a unit of any firmware."""
        return is_any_write(request)

    def answer(self, request: Request, t: float) -> bytes:
        """Return the recorded reply; the legacy one if the new dialect was not recorded, E/14 if nothing was.

        A unit whose firmware joins reports answers a joined request with its recorded parts.
        """
        if "+" in request.command and request.command not in self.replies and self.is_joining:
            return self._joined(request.commands, t)
        legacy_reply = self.replies.get(request.command)
        if request.is_new_api:
            legacy_reply = self.replies.get(f"{request.command} new_api", legacy_reply)
        return legacy.invalid_command(t).encode() if legacy_reply is None else legacy_reply

    @property
    def is_joining(self) -> bool:
        """True for firmware that joins reports. Observed (O175): LuxOS does. Documented (D14): stock does not."""
        return any(_JOINING in reply for reply in self.replies.values())

    def _joined(self, commands: Sequence[str], t: float) -> bytes:
        unknown = legacy.invalid_command(t).encode()
        parts = [
            msgspec.json.encode(command) + b":[" + self.replies.get(command, unknown).strip(b"\0 \r\n") + b"]"
            for command in dict.fromkeys(commands)
        ]
        return b"{" + b",".join(parts) + b',"id":1}'


def read_captures(paths: Sequence[Path], base: str, endpoints: Sequence[Endpoint] = ()) -> list[RecordedUnit]:
    """Read captures: directories with files ``tcp4028-COMMAND[-new_api].json`` (or ``.txt``), or such files themselves.

    Each directory becomes one unit, at `endpoints` or else at `base` and the addresses after it, in the given order.

    Raises:
        CaptureError: A path is missing or holds no recorded reply, the base is not an IPv4 address, or there are fewer
            endpoints than units.
    """
    try:
        ipaddress.IPv4Address(base)
    except ValueError:
        raise CaptureError(f"base {base!r} is not an IPv4 address") from None
    by_unit: dict[Path, dict[str, bytes]] = {}
    for path in paths:
        if not path.exists():
            raise CaptureError(f"{path}: no such file or directory")
        files = sorted(path.glob(f"{PREFIX}*")) if path.is_dir() else [path]
        replies = by_unit.setdefault(path if path.is_dir() else path.parent, {})
        for file in files:
            command = _command_of(file)
            # The first file of a command wins: `tcp4028-stats.json` over `tcp4028-stats.truncated.txt`.
            replies.setdefault(command, file.read_bytes())
        if not files:
            raise CaptureError(f"{path}: holds no file named {PREFIX}COMMAND.json")
    if endpoints and len(endpoints) < len(by_unit):
        raise CaptureError(f"{len(by_unit)} recorded units, but a list of {len(endpoints)} addresses")
    places = iter(endpoints) if endpoints else map(Endpoint, addresses(base))
    return [
        RecordedUnit(name=path.name, host=str(ipaddress.IPv4Address(address)), port=port, replies=replies)
        for (path, replies), (address, port) in zip(by_unit.items(), places, strict=False)
    ]


def _command_of(file: Path) -> str:
    if not file.name.startswith(PREFIX):
        raise CaptureError(f"{file}: the name of a recorded reply starts with {PREFIX}")
    command = file.name.removeprefix(PREFIX).split(".", 1)[0]
    if command.endswith(NEW_API_SUFFIX):
        return f"{command.removesuffix(NEW_API_SUFFIX)} new_api"
    return command
