"""The result of a look at the site's networks, for the exporters. Values only.

Nothing here counts into a site's figures.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

import msgspec

from agent.address import Endpoint

MOST_MACHINES: Final = 10_000
"""Machines kept of one look; a network where nothing is in the ledger has more, and the count says so."""

LookResult = Literal["done", "failed"]


class MachineKind(StrEnum):
    """Relation of a machine that answers to the ledger.

    Attributes:
        UNLISTED: A unit of any make, and neither its address nor its identity is in the ledger.
        NOT_DEPLOYED: A unit at an address, or with an identity, in rows that are not in force now.
        MOVED: A unit of the ledger, by its MAC address or serial number, at an address that is not its own.
        UNIDENTIFIED: It takes connections on the port of the API, and tells neither a model nor a bin.
    """

    UNLISTED = "unlisted"
    NOT_DEPLOYED = "not_deployed"
    MOVED = "moved"
    UNIDENTIFIED = "unidentified"


class Seen(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One machine that answered a look.

    Attributes:
        endpoint: Address and port of its API.
        at: Unix time at which it was identified, s.
        is_identified: It told a model or bin, in its reports or on its page.
        model, firmware: As it says; None if it does not.
        mac, serial: From its page; None without one.
        hashrate_hs: Its own rate, H/s; None if it was not read. It counts nowhere.
        looks_like: What an unidentified one speaks; None if unknown.
    """

    endpoint: Endpoint
    at: float
    is_identified: bool
    model: str | None = None
    firmware: str | None = None
    mac: str | None = None
    serial: str | None = None
    hashrate_hs: float | None = None
    looks_like: str | None = None


class Machine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A machine that is not where the ledger has a deployed unit.

    Attributes:
        seen: What it says.
        kind: How it stands to the ledger.
        unit_id: The ledger's unit that it is, or that stood at its address; None for none.
    """

    seen: Seen
    kind: MachineKind
    unit_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A look that is over.

    Attributes:
        began, ended: Unix time, s.
        addresses: Addresses looked at; those that are polled anyway are left out.
        refused, silent: How many refused, and how many did not answer.
        seen: What answered, at most `MOST_MACHINES`, by address.
        unkept: How many more answered.
    """

    began: float
    ended: float
    addresses: int
    refused: int
    silent: int
    seen: tuple[Seen, ...] = ()
    unkept: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryFigures:
    """The latest look, held against the ledger in force.

    Attributes:
        ranges: The ranges that are looked at; empty if discovery is off.
        is_looking: A look is under way.
        next_at: Unix time of the next look, s; None if discovery is off.
        look: The latest look that came to its end; None before the first.
        machines: What it found that is no deployed unit at its own address, by address.
        looks: Looks since this process started, by result.
        is_restored: The latest look was made before this process started.
    """

    ranges: tuple[str, ...] = ()
    is_looking: bool = False
    next_at: float | None = None
    look: Look | None = None
    machines: tuple[Machine, ...] = ()
    looks: Mapping[LookResult, int] = field(default_factory=dict)
    is_restored: bool = False

    @property
    def is_on(self) -> bool:
        """True if there is anything to look at."""
        return bool(self.ranges)

    def by_kind(self) -> dict[MachineKind, int]:
        """Return the number of machines of each kind, zeros included; empty before the first look."""
        if self.look is None:
            return {}
        counts = Counter(machine.kind for machine in self.machines)
        return {kind: counts[kind] for kind in MachineKind}
