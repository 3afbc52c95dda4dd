"""A unit's figures under LuxOS: the profile it runs, the boards it found, its windows and its estimate of power."""

from typing import Final, NamedTuple

from simulators.unit import chance
from simulators.unit.snapshot import RUNNING, BoardSnapshot, Snapshot
from simulators.unit.unit import Unit
from simulators.unit.work_modes import WORK_MODE_SLEEP

_KEY_ESTIMATE = -9
_ESTIMATE_ERROR: Final = 0.04
"""The estimate is off by up to this share, for each unit its own. Observed (O176): it is not from the supply."""
_PROFILE_STEP_MHZ: Final = 5
_BOARDS_AFTER_S: Final = 20  # Observed (O177): `Device Elapsed` is 20 to 25 s behind `Elapsed`.
_BEFORE_THE_RUN_S: Final = 94
"""`24h` counts as if the run had begun so much earlier: 55.4 beside 56.9 TH/s after 3,433 s (Observed (O177))."""

WINDOWS_S: Final = {"1m": 60, "5m": 300, "15m": 900, "30m": 1800}
_DAY_S: Final = 86_400


class Board(NamedTuple):
    """A board that LuxOS found.

    Attributes:
        slot: From 0.
        shown: Its figures.
        chips: Chips that were counted, also while it is not up yet.
        nominal_ghs: What the running profile should give.
        average_ghs: Since it started.
    """

    slot: int
    shown: BoardSnapshot
    chips: int
    nominal_ghs: float
    average_ghs: float


class Figures(NamedTuple):
    """A unit at a moment.

    Attributes:
        unit: The unit.
        t: Unix seconds.
        snapshot: What its hardware shows.
        boards: The boards that were found, in the firmware's own order.
        is_asleep: It is asleep, or on its way there.
        is_hashing: Its boards have a clock.
        run_s: Time since its boards started.
        profile_mhz: Clock of the profile it runs.
        is_default: That is the default profile.
    """

    unit: Unit
    t: float
    snapshot: Snapshot
    boards: tuple[Board, ...]
    is_asleep: bool
    is_hashing: bool
    run_s: int
    profile_mhz: int
    is_default: bool

    @property
    def profile(self) -> str:
        """The name of the profile it runs."""
        return "default" if self.is_default else f"{self.profile_mhz}MHz"

    def windows_ghs(self) -> dict[str, float]:
        """Return the rate by window.

        Documented (D245): a window longer than the run is about the mean of the run. Observed (O177): `24h` is lower.
        """
        snapshot = self.snapshot
        if self.is_asleep:
            return dict.fromkeys(("5s", *WINDOWS_S, "24h", "av"), 0.0)
        now = round(self.unit.hashrate_hs(self.t) / 1e9, 2)
        rates = {"5s": snapshot.ghs_5s}
        for name, window_s in WINDOWS_S.items():
            full = now if window_s <= WINDOWS_S["5m"] else snapshot.ghs_30m
            rates[name] = full if self.run_s >= window_s else snapshot.ghs_avg
        run_s = max(self.run_s, 1)
        is_day_full = run_s >= _DAY_S
        day = snapshot.ghs_30m if is_day_full else snapshot.ghs_avg * run_s / (run_s + _BEFORE_THE_RUN_S)
        return {**rates, "24h": round(day, 2), "av": snapshot.ghs_avg}

    def watts(self) -> int:
        """Return the firmware's estimate of the unit's power."""
        draw = 2.0 * chance.uniform(self.unit.identity.key, _KEY_ESTIMATE) - 1.0
        return round(self.snapshot.power_watts * (1.0 + _ESTIMATE_ERROR * draw))


def figures_of(unit: Unit, t: float) -> Figures:
    """Return the figures of a unit at `t`, Unix seconds."""
    snapshot, identity = unit.snapshot(t), unit.identity
    model = identity.model
    is_asleep = snapshot.work_mode == WORK_MODE_SLEEP
    chips = unit.conditions.chips_by_board(model)
    shown = {board.board: board for board in snapshot.boards}
    found = [slot for slot in shown if chips[slot] > 0]
    mean = snapshot.ghs_avg / (snapshot.ghs_5s or 1.0)
    profile_mhz = round(model.frequency_mhz * identity.tuning / _PROFILE_STEP_MHZ) * _PROFILE_STEP_MHZ
    board_ghs = model.hashrate_hs / 1e9 / model.boards * identity.tuning
    boards = tuple(
        Board(
            slot=slot,
            shown=shown[slot],
            chips=chips[slot],
            nominal_ghs=0.0 if is_asleep else board_ghs * chips[slot] / model.chips_per_board,
            average_ghs=0.0 if is_asleep else round(shown[slot].ghs * mean, 2),
        )
        for slot in _own_order(found, identity.key)
    )
    return Figures(
        unit=unit,
        t=t,
        snapshot=snapshot,
        boards=boards,
        is_asleep=is_asleep,
        is_hashing=snapshot.phase in RUNNING and not is_asleep,
        run_s=max(0, snapshot.elapsed_s - _BOARDS_AFTER_S),
        profile_mhz=profile_mhz,
        is_default=profile_mhz == model.frequency_mhz,
    )


def _own_order(slots: list[int], key: int) -> list[int]:
    """Return the slots as a unit lists them. Observed (O176): 1, 2, 0 and 2, 0, 1."""
    first = key % (len(slots) or 1)
    return slots[first:] + slots[:first]
