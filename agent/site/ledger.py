"""The dated list of what is deployed: declared, and independent of telemetry."""

from dataclasses import dataclass

from agent.unit.nameplate import Nameplate


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a unit stands.

    Attributes:
        container, rack: Names as painted on them; empty when the site has none.
        slot: Position in the rack; empty when not told.
    """

    container: str = ""
    rack: str = ""
    slot: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One unit over one span of time.

    Attributes:
        unit_id: The site's own name for the unit; history goes by it.
        nameplate: Model and bin.
        place: Container, rack and slot.
        host, port: Where its API listens; an attribute, not an identity. The host is a literal IP address.
        deployed_from, deployed_to: Unix time, s; the span is half open. None means since ever, or until further notice.
        is_in_maintenance: True when the ledger says that it is out for repair in this span; it stays deployed.
        is_simulated: True when the ledger says that a simulator answers at `host`.
        serial, mac: Identity, as far as declared.
    """

    unit_id: str
    nameplate: Nameplate
    place: Place
    host: str
    port: int = 4028
    deployed_from: float | None = None
    deployed_to: float | None = None
    is_in_maintenance: bool = False
    is_simulated: bool = False
    serial: str | None = None
    mac: str | None = None

    def is_deployed_at(self, at: float) -> bool:
        """Say whether Unix time `at` falls in this entry's span."""
        return (self.deployed_from is None or self.deployed_from <= at) and (
            self.deployed_to is None or at < self.deployed_to
        )
