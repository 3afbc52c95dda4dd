"""Which questions a machine gets, by what it looks like. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from agent.hil.scan.makes.asking import Questions
from agent.hil.scan.makes.auradine import ask_auradine
from agent.hil.scan.makes.avalon import ask_avalon
from agent.hil.scan.makes.epic import ask_epic
from agent.hil.scan.makes.sealminer import ask_sealminer
from agent.hil.scan.makes.whatsminer import ask_whatsminer

QUESTIONS: Final[Mapping[str, Questions]] = MappingProxyType(
    {
        "a Whatsminer": ask_whatsminer,
        "an Avalon": ask_avalon,
        "a SealMiner": ask_sealminer,
        "an Auradine": ask_auradine,
        "HTTP": ask_epic,
    }
)
"""By what `ForeignProtocolError.speaker` says; the others tell nothing more."""
