"""The `version` report: model, firmware and API version, as the unit reports them."""

from agent.unit.cgminer import wire
from agent.unit.cgminer.fields import interned
from agent.unit.cgminer.rows import first_row
from agent.unit.reading import Identity


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
        model=interned(row.get("Type")),
        firmware=interned(row.get("CompileTime")),
        api=interned(row.get("API")),
        miner=interned(row.get("Miner")),
    )
    return identity, reply.repairs
