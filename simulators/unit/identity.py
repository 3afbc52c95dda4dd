"""Identity of a unit: model, names, numbers and place, fixed for its whole life."""

from dataclasses import dataclass
from typing import Final

from simulators.unit import chance
from simulators.unit.endpoints import Endpoint
from simulators.unit.models import Model

STOCK: Final = "antminer"
"""Name of the stock firmware."""

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_PAIRS = tuple(a + b for b in _LETTERS for a in _LETTERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Model, names, numbers and place of a unit; never changes.

    Attributes:
        unit_id: Name in the ledger.
        index: Position in the farm, from 0.
        model: Its bin.
        build: Key of its stock firmware build; of the build that was there before, under another firmware.
        address: IPv4 address as a number.
        port: TCP port of its API; 0 for the port of the whole farm.
        firmware: Name of the firmware it runs, as in `simulators.firmware.registry`.
        tuning: Clock over rated clock of the tuning profile it runs.
        container: Container.
        rack: Rack.
        slot: Slot in the rack, from 1.
        owner: Whose it is; empty for the site's own.
        key: Seed of all its randomness.
        like: Name of the capture whose likeness it has; empty for none.
    """

    unit_id: str
    index: int
    model: Model
    build: str
    address: int
    container: str
    rack: str
    slot: int
    key: int
    port: int = 0
    like: str = ""
    firmware: str = STOCK
    tuning: float = 1.0
    owner: str = ""

    @property
    def host(self) -> str:
        """Its address in dotted form."""
        return ".".join(str(self.address >> shift & 255) for shift in (24, 16, 8, 0))

    @property
    def endpoint(self) -> Endpoint:
        """Its address and port."""
        return Endpoint(self.address, self.port)

    @property
    def mac(self) -> str:
        """MAC address, from the locally administered range."""
        digits = f"{chance.word(self.key, -2) & 0xFFFFFFFFFF:010X}"
        return "02:" + ":".join(digits[at : at + 2] for at in range(0, 10, 2))

    @property
    def serial(self) -> str:
        """Serial number of the unit; 17 characters, as in captures."""
        return f"SIM{_nine_letters(chance.word(self.key, -3))}{self.index:05d}"

    @property
    def board_serials(self) -> tuple[str, ...]:
        """Serial numbers of its boards; 17 characters, as in captures."""
        stem, first = f"SMTT{_nine_letters(chance.word(self.key, -4))}", 3 * self.index
        return tuple([f"{stem}{(first + board) % 10000:04d}" for board in range(self.model.boards)])

    @property
    def miner_id(self) -> str:
        """Chip id in the legacy `stats`, 16 hex digits."""
        return f"{chance.word(self.key, -5):016x}"


def _nine_letters(bits: int) -> str:
    pairs = len(_PAIRS)
    return (
        _PAIRS[bits % pairs]
        + _PAIRS[bits // pairs % pairs]
        + _PAIRS[bits // pairs**2 % pairs]
        + _PAIRS[bits // pairs**3 % pairs]
        + _LETTERS[bits // pairs**4 % len(_LETTERS)]
    )
