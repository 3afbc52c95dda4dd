"""A unit's identity in its own words: the program in every reply, model, MAC address and serial number in `config`."""

from typing import Final

from agent.address import mac_or_none
from agent.unit.cgminer.fields import clean, interned
from agent.unit.luxos.reports import ConfigRow
from agent.unit.luxos.summary import Summary
from agent.unit.reading import Identity, IdentitySource, SystemInfo

# Documented (D247): the word for the model of a unit that finds no board. It had a model before.
_UNKNOWN: Final = "Unknown"
_NO_SERIAL: Final = frozenset({"unknown", "n/a", "none", "null", "0"})


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


def system_info_of(known: SystemInfo | None, identity: Identity, config: ConfigRow | None) -> SystemInfo | None:
    """Return MAC address and serial number as this poll's `config` tells them; None if it tells neither.

    Observed (O193): a serial number may be empty.

    Args:
        known: As of an earlier poll; returned if nothing changed, so that a unit keeps one object.
        identity: Of this poll.
        config: Of this poll; None if it was not answered, because an earlier one may be another unit's.
    """
    if config is None:
        return None
    mac, serial = mac_or_none(config.MACAddr), clean(config.SerialNumber)
    if serial is not None and serial.casefold() in _NO_SERIAL:
        serial = None
    if mac is None and serial is None:
        return None
    info = SystemInfo(
        model=identity.model, firmware=identity.firmware, mac=mac, serial=serial, source=IdentitySource.CONFIG
    )
    return known if info == known else info


def _version_of(program: str | None) -> str | None:
    """Return ``2025.7.10.152155`` of ``LUXminer 2025.7.10.152155-6e13fb74``."""
    number = "" if program is None else program.partition(" ")[2].partition("-")[0]
    return interned(number)
