"""Figures the firmware of a unit has at a moment: everything a reply is made of, and nothing else."""

from enum import StrEnum
from typing import NamedTuple


class Phase(StrEnum):
    """Phase of a unit between no power and full rate."""

    OFF = "off"
    BOOTING = "booting"
    RESTARTING = "restarting"
    ENUMERATING = "enumerating"
    RAMPING = "ramping"
    HASHING = "hashing"
    THROTTLED = "throttled"
    PROTECTED = "protected"
    ASLEEP = "asleep"


# Two real pools and an empty third slot.
CONFIGURED_POOLS = 2
STRANGERS_POOL = CONFIGURED_POOLS + 1
"""Stands for the pool of another one that was put in place of the first. The number between is none of them."""

OFFLINE = frozenset({Phase.OFF, Phase.BOOTING, Phase.RESTARTING})
RUNNING = frozenset({Phase.RAMPING, Phase.HASHING, Phase.THROTTLED})


class BoardSnapshot(NamedTuple):
    """One board as its firmware sees it.

    Attributes:
        board: Position, from 0.
        chips: Chips that were counted; 0 while the board is not up.
        ghs: Measured 5 s rate, GH/s, two decimals.
        hw_errors: Since the miner process started.
        pic_celsius: Board sensors, two at the inlet and two at the outlet; empty while the board is not up.
        marked: Those of the counted chips that its map marks as bad.
    """

    board: int
    chips: int
    ghs: float
    hw_errors: int
    pic_celsius: tuple[int, ...]
    marked: int = 0


class Snapshot(NamedTuple):
    """Figures of a unit's hardware at a moment, as its firmware has them.

    Attributes:
        phase: The phase it is in.
        elapsed_s: Whole seconds since the miner process started.
        work_mode: 0 normal, 1 sleep, 2 high, 3 low.
        clock_mhz: Mean chip clock; 0 while not hashing.
        ghs_5s: Sum of the boards' measured 5 s rates, GH/s.
        ghs_30m: Exponential average over half an hour, GH/s.
        ghs_avg: Hashes over elapsed time, GH/s.
        ideal_ghs: The rate the firmware calls ideal, GH/s; 0 without a board.
        boards: The boards the firmware lists.
        fans_rpm: One per fan; empty on hydro units.
        ambient_celsius: Air or coolant at the inlet.
        power_watts: Power at the wall, as the power supply measures it.
    """

    phase: Phase
    elapsed_s: int
    work_mode: int
    clock_mhz: int
    ghs_5s: float
    ghs_30m: float
    ghs_avg: float
    ideal_ghs: float
    boards: tuple[BoardSnapshot, ...]
    fans_rpm: tuple[int, ...]
    ambient_celsius: float
    power_watts: float


class Process(NamedTuple):
    """Figures of a unit's miner process, as its firmware has them.

    Attributes:
        elapsed_s: Whole seconds since it started.
        work_mode: 0 normal, 1 sleep, 2 high, 3 low.
    """

    elapsed_s: int
    work_mode: int


class Shares(NamedTuple):
    """Share counters since the miner process started.

    Attributes:
        accepted: Shares the pool accepted.
        rejected: Shares the pool rejected.
        stale: Shares that came too late.
        difficulty: Difficulty of each share.
        work: All work done, in shares of difficulty 1.
        age_s: Whole seconds since the last accepted share.
        by_pool: Accepted, rejected and stale shares of each configured pool; with the next, they add up to the fields
            above unless work was diverted.
        by_stranger: Those of another one's pool in place of the first.
    """

    accepted: int
    rejected: int
    stale: int
    difficulty: int
    work: float
    age_s: int
    by_pool: tuple[tuple[int, int, int], ...]
    by_stranger: tuple[int, int, int] = (0, 0, 0)
