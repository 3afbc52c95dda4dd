"""The two generations of VNish that units run, and the share of each."""

from typing import Final, NamedTuple

from simulators.unit import chance
from simulators.unit.identity import Identity

_KEY_GENERATION: Final = -9
_NEW_RATIO: Final = 0.75  # Share of units with the newer generation; of the simulation, not of the trade.

FEE_DIFFICULTY: Final = 16384  # Observed (O172): s21pro-vnish-2026, tcp4028-pools.


class Generation(NamedTuple):
    """One generation.

    Attributes:
        version: As in `Type`.
        compile_time: Of the build.
        miner: Version of the hash side.
        is_new: Since 1.2.6: `version` is refused, no chip maps, watts of boards.
        fee_ratio: Share of the work that goes to the maker's pool.
    """

    version: str
    compile_time: str
    miner: str
    is_new: bool
    fee_ratio: float


# Observed (O170, O172): s21pro-vnish-2026 and s19xp-vnish-2023.
NEW: Final = Generation("1.2.7", "2025-12-22 19:12:30", "0.0.0", is_new=True, fee_ratio=0.02812)
OLD: Final = Generation("1.2.0-rc1", "Sat Jun 24 11:17:59 UTC 2023", "uart_trans.1.3", is_new=False, fee_ratio=0.038449)


def generation_of(identity: Identity) -> Generation:
    """Return the generation that a unit runs."""
    return NEW if chance.uniform(identity.key, _KEY_GENERATION) < _NEW_RATIO else OLD


def envelope(generation: Generation, t: float, report: tuple[int, str, str], body: str, *, has_id: bool) -> str:
    """Return a reply around `body`; `report` is its code, its message and its key.

    Observed (O171): the older generation has blanks, and always an `id`.
    """
    code, message, name = report
    blank = "" if generation.is_new else " "
    end = ',"id":1' if has_id or not generation.is_new else ""
    return (
        f'{{"STATUS":{blank}[{{"STATUS":"S","When":{int(t)},"Code":{code},"Msg":"{message}",'
        f'"Description":"cgminer 4.11.1"}}],"{name}":{blank}[{body}]{end}}}'
    )
