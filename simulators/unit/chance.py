"""Seeded randomness that can be asked for at any point, in any order, without keeping a generator per unit.

Every draw is a hash of a key and a counter (the finaliser of splitmix64), so what a unit shows at a moment does not
depend on who asked before, and a unit needs one integer instead of the 2.5 kB of a Mersenne twister.
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
    """Give 64 uniform bits for `counter` under `key`."""
    z = (key + (counter + 1) * _GOLDEN) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def uniform(key: int, counter: int) -> float:
    """Give a number in [0, 1)."""
    return (word(key, counter) >> 11) * 2.0**-53


def normal(key: int, counter: int) -> float:
    """Give a number of mean 0 and variance 1, never beyond 3.47: the sum of four uniforms, near enough to a bell."""
    bits = word(key, counter)
    total = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
    return (total / 65536.0 - 2.0) * _SQRT3


def four_normals(key: int, counter: int) -> tuple[float, float, float, float]:
    """Give four numbers of mean 0 and variance 1 for the price of one, never beyond 2.45: sums of two uniforms each."""
    bits = word(key, counter)
    return (
        _STEP6 * ((bits & 255) + (bits >> 8 & 255) - 255),
        _STEP6 * ((bits >> 16 & 255) + (bits >> 24 & 255) - 255),
        _STEP6 * ((bits >> 32 & 255) + (bits >> 40 & 255) - 255),
        _STEP6 * ((bits >> 48 & 255) + (bits >> 56) - 255),
    )


def stratified_count(key: int, expected: float) -> int:
    """Give how many rare events have happened by the time `expected` of them were due; never falls as it rises.

    One event falls at a random place in each unit of `expected`: as cheap as one draw, and never far from the mean.
    """
    whole = int(expected)
    return whole + (expected - whole > uniform(key, whole))


def block_count(key: int, block: int) -> int:
    """Give how many events fall in one block that expects 256, by the normal limit of the Poisson law."""
    return max(0, round(SHARES_PER_BLOCK + math.sqrt(SHARES_PER_BLOCK) * normal(key, block)))


def count_within(key: int, block: int, fraction: float) -> int:
    """Give how many of a block's events fall in its first `fraction`; never falls as `fraction` rises.

    The block is halved eight times; each half gets a fair binomial part of the events, which is how a Poisson process
    splits. Inside the last leaf, which expects one event, they are spread evenly.
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
    """Give 512 bits, more than a block has events (17 standard deviations would be needed)."""
    return int.from_bytes(hashlib.blake2b(struct.pack("<QQQ", key, block, node), digest_size=64).digest(), "little")
