"""What a unit says it is: the program in every reply, the model in `config` and `version`."""

from typing import Final

from agent.unit.cgminer.fields import interned
from agent.unit.luxos.reports import ConfigRow
from agent.unit.luxos.summary import Summary
from agent.unit.reading import Identity

# Documented (D247): the word for the model of a unit that finds no board. It had a model before.
_UNKNOWN: Final = "Unknown"


def identity_of(known: Identity, told: Summary | None, config: ConfigRow | None, version: Identity | None) -> Identity:
    """Return the identity after a poll: `known` itself if nothing new was told, so that a unit keeps one object.

    Args:
        known: The identity before.
        told: Its `summary`, in which the program is named; None if it could not be read.
        config: Its `config`; None if it could not be read.
        version: What its answer to `version` says; None if it was not asked.
    """
    program = None if told is None else told.program
    model = None if config is None or config.Model == _UNKNOWN else config.Model
    if version is not None and model is None and version.model != _UNKNOWN:
        model = version.model
    if version is None and (program is None or program == known.firmware) and (model is None or model == known.model):
        return known
    firmware = interned(program) or known.firmware
    api = version.api if version is not None else known.api if firmware == known.firmware else None
    now = Identity(model=interned(model) or known.model, firmware=firmware, api=api, miner=_version_of(firmware))
    return known if now == known else now


def _version_of(program: str | None) -> str | None:
    """Return ``2025.7.10.152155`` of ``LUXminer 2025.7.10.152155-6e13fb74``."""
    number = "" if program is None else program.partition(" ")[2].partition("-")[0]
    return interned(number)
