"""The requests of one look at a unit, in order, and their bytes. Every one is a report; the last is unknown to all."""

from typing import Final

from agent.hil.verify.observed import POOLS, STATS, STATS_NEW_API, SUMMARY, SUMMARY_NEW_API, UNKNOWN, VERSION
from agent.unit.cgminer import wire

LOOK: Final = (VERSION, STATS_NEW_API, STATS, SUMMARY_NEW_API, SUMMARY, POOLS, UNKNOWN)
"""Both dialects of a report follow each other, so that they are of one second."""
POLLED: Final = STATS_NEW_API
"""What the agent asks at every poll."""


def request_bytes(request: str) -> bytes:
    """Return the bytes of a request on TCP 4028 by its name, as ``stats new_api``."""
    command, _, rest = request.partition(" ")
    return wire.encode_request(command, new_api=rest == "new_api")
