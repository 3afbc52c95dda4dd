"""Counter-based seeded randomness: any draw, in any order, without a generator per unit.

Every draw is a hash of a key and a counter (the finaliser of splitmix64). So a unit's figures at a moment do not
depend on earlier requests. A unit needs one integer instead of the 2.5 kB of a Mersenne twister.
"""

import hashlib
import math
import struct

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_SQRT3 = math.sqrt(3.0)
_STEP6 = math.sqrt(6.0) / 256.0

SHARES_PER_BLOCK = 256
_LEVELS = 8  # A block of 256 expected shares is halved down to leaves that expect one.


def word(key: int, counter: int) -> int:
    """Return 64 uniform bits for `counter` under `key`."""
    z = (key + (counter + 1) * _GOLDEN) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def uniform(key: int, counter: int) -> float:
    """Return a uniform number in [0, 1)."""
    return (word(key, counter) >> 11) * 2.0**-53


def normal(key: int, counter: int) -> float:
    """Return an approximately normal number of mean 0 and variance 1, never beyond 3.47: the sum of four uniforms."""
    bits = word(key, counter)
    total = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
    return (total / 65536.0 - 2.0) * _SQRT3


def four_normals(key: int, counter: int) -> tuple[float, float, float, float]:
    """Return four numbers of mean 0 and variance 1 from one draw, never beyond 2.45: sums of two uniforms each."""
    bits = word(key, counter)
    return (
        _STEP6 * ((bits & 255) + (bits >> 8 & 255) - 255),
        _STEP6 * ((bits >> 16 & 255) + (bits >> 24 & 255) - 255),
        _STEP6 * ((bits >> 32 & 255) + (bits >> 40 & 255) - 255),
        _STEP6 * ((bits >> 48 & 255) + (bits >> 56) - 255),
    )


def stratified_count(key: int, expected: float) -> int:
    """Return how many rare events have happened when `expected` of them were due; monotonic in `expected`.

    One event falls at a random place in each unit of `expected`. That costs one draw and stays within one of the mean.
    """
    whole = int(expected)
    return whole + 1 if expected - whole > uniform(key, whole) else whole


def block_count(key: int, block: int) -> int:
    """Return the number of events in one block that expects 256, by the normal limit of the Poisson law."""
    return max(0, round(SHARES_PER_BLOCK + math.sqrt(SHARES_PER_BLOCK) * normal(key, block)))


def count_within(key: int, block: int, fraction: float) -> int:
    """Return how many of a block's events fall in its first `fraction`; monotonic in `fraction`.

    The block is halved eight times. Each half gets a fair binomial share of the events, as a Poisson process splits.
    Inside the last leaf, which expects one event, they are spread evenly.
    """
    remaining = block_count(key, block)
    before = 0
    low, width = 0.0, 1.0
    node = 1
    for _ in range(_LEVELS):
        left = (_random_bits(key, block, node) & ((1 << remaining) - 1)).bit_count()
        width /= 2.0
        if fraction < low + width:
            remaining = left
            node = 2 * node
        else:
            before += left
            remaining -= left
            low += width
            node = 2 * node + 1
    return before + int(remaining * (fraction - low) / width)


def _random_bits(key: int, block: int, node: int) -> int:
    """Return 512 bits, one per event; no block has more than 312 events."""
    return int.from_bytes(hashlib.blake2b(struct.pack("<QQQ", key, block, node), digest_size=64).digest(), "little")
