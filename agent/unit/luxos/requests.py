"""Every request that the agent sends to a LuxOS unit: reports only, from a whitelist.

Observed (O175): s19jpro-luxos-2025, a joined reply of nine reports. So the reports of one turn are one request.
Documented (D241): commands that act without a login. None of them is here; a test holds the list against them.
"""

from typing import Final

from agent.unit.cgminer import wire

COMMANDS: Final = ("summary", "devs", "power", "temps", "fans", "config", "pools", "devdetails", "events")
"""The whitelist: reports, none of which changes a unit."""

STATE_COMMANDS: Final = ("power", "temps", "fans", "config")
SLOW_COMMANDS: Final = ("pools", "devdetails", "events")

BY_TURN: Final = ("power", "temps", "fans")
"""Of a unit that does not join, one of these a poll."""

SUMMARY: Final = wire.encode_request("summary")
DEVS: Final = wire.encode_request("devs")
STATE: Final = wire.encode_request("+".join(STATE_COMMANDS))
SLOW: Final = wire.encode_request("+".join(SLOW_COMMANDS))
SINGLE: Final = {command: wire.encode_request(command) for command in (*STATE_COMMANDS, *SLOW_COMMANDS)}
"""The parts of the joined requests, for a unit that does not join."""

REQUESTS: Final = (SUMMARY, DEVS, STATE, SLOW, *SINGLE.values())
MOST_REQUESTS: Final = 5
"""A poll, with the `version` by which the reader was chosen."""
