"""The `version` report: model, firmware and API version, as the unit reports them."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from agent.unit.cgminer import wire
from agent.unit.cgminer.fields import interned
from agent.unit.cgminer.rows import first_row
from agent.unit.reading import Identity


class IdentityKeys(NamedTuple):
    """Keys of an identity."""

    model: str = "Type"
    firmware: str = "CompileTime"
    api: str = "API"
    miner: str = "Miner"


_KEYS: Final = IdentityKeys()
# Observed (O82): Braiins OS and BOSminer tell no build date, but the program's version under its name.
_PROGRAMS: Final = ("BOSer", "BOSminer+", "BOSminer", "LUXminer")
KEYS_READ: Final = frozenset((*_KEYS, *_PROGRAMS))
"""Every key of VERSION that is read."""


def read_version(data: bytes) -> tuple[Identity, tuple[str, ...]]:
    """Return the identity in a `version` reply, and the repairs that reading it took.

    Raises:
        MalformedReplyError: The bytes are not a reply.
        RefusedError: The unit refused the command.
        UnsupportedReplyError: The report is missing from the reply.
    """
    reply = wire.accept(wire.decode_reply(data, "version"))
    row = first_row(reply, "VERSION")
    identity = Identity(
        model=interned(row.get(_KEYS.model)),
        firmware=interned(row.get(_KEYS.firmware)) or _program(row),
        api=interned(row.get(_KEYS.api)),
        miner=interned(row.get(_KEYS.miner)),
    )
    return identity, reply.repairs


def _program(row: Mapping[str, Any]) -> str | None:
    return next((interned(f"{name} {row[name]}") for name in _PROGRAMS if isinstance(row.get(name), str)), None)
