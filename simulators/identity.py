"""What a unit is and where it stands: names, numbers and place, the same for its whole life."""

from dataclasses import dataclass

from simulators import chance
from simulators.endpoints import Endpoint
from simulators.models import Model

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a unit is and where it stands; never changes.

    Attributes:
        unit_id: Name in the ledger.
        index: Position in the farm, from 0.
        model: Its bin.
        build: Key of its firmware build.
        address: IPv4 address as a number.
        port: TCP port of its API where it has one of its own; 0 for that of the whole farm.
        container: Container.
        rack: Rack.
        slot: Slot in the rack, from 1.
        key: Key of all its randomness.
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

    @property
    def host(self) -> str:
        """Its address in dotted form."""
        return ".".join(str(self.address >> shift & 255) for shift in (24, 16, 8, 0))

    @property
    def endpoint(self) -> Endpoint:
        """Its address, with its port where it has one of its own."""
        return Endpoint(self.address, self.port)

    @property
    def mac(self) -> str:
        """Hardware address, from the range anybody may use."""
        digits = f"{chance.word(self.key, -2) & 0xFFFFFFFFFF:010X}"
        return "02:" + ":".join(digits[at : at + 2] for at in range(0, 10, 2))

    @property
    def serial(self) -> str:
        """Serial number of the unit, 17 characters like the recorded ones."""
        return f"SIM{_letters(chance.word(self.key, -3), 9)}{self.index:05d}"

    def board_serial(self, board: int) -> str:
        """Give the serial number of a board, 17 characters like the recorded ones."""
        return f"SMTT{_letters(chance.word(self.key, -4), 9)}{(3 * self.index + board) % 10000:04d}"

    @property
    def miner_id(self) -> str:
        """Chip id the legacy `stats` prints, 16 hex digits."""
        return f"{chance.word(self.key, -5):016x}"


def _letters(bits: int, count: int) -> str:
    letters = []
    for _ in range(count):
        bits, letter = divmod(bits, len(_LETTERS))
        letters.append(_LETTERS[letter])
    return "".join(letters)
