"""A unit's figures under ePIC firmware: its word for the state, the boards that run, and the error it names."""

from typing import Final, NamedTuple

from simulators.firmware.antminer.pools import Pool, pools_of
from simulators.unit.snapshot import RUNNING, BoardSnapshot, Phase, Snapshot
from simulators.unit.unit import Unit
from simulators.unit.work_modes import WORK_MODE_SLEEP

MINING: Final = "Mining"
IDLING: Final = "Idling"
INITIALIZING: Final = "Initializing"

MHS_PER_GHS: Final = 1000.0


class Figures(NamedTuple):
    """A unit at a moment.

    Attributes:
        unit: The unit.
        t: Unix seconds.
        snapshot: What its hardware shows.
        chips: Chips that answer, board by board.
        running: The boards that run, by slot; none unless it mines.
        pools: The configured pools.
        state: What it says it does.
        error: Why it idles; None if that was ordered, or it does not idle.
    """

    unit: Unit
    t: float
    snapshot: Snapshot
    chips: tuple[int, ...]
    running: tuple[BoardSnapshot, ...]
    pools: tuple[Pool, ...]
    state: str
    error: str | None

    @property
    def active_pool(self) -> Pool | None:
        """The pool in use; None without one."""
        return next((pool for pool in self.pools if pool.is_active), None)

    @property
    def board_mhs(self) -> float:
        """Rate of a complete board at the present clock, MH/s."""
        model = self.unit.identity.model
        return model.chips_per_board * model.ghs_per_chip_mhz * self.snapshot.clock_mhz * MHS_PER_GHS


def figures_of(unit: Unit, t: float) -> Figures:
    """Return the figures of a unit at `t`, Unix seconds."""
    snapshot = unit.snapshot(t)
    is_asleep = snapshot.work_mode == WORK_MODE_SLEEP
    pools = tuple(pool for pool in pools_of(unit, t, is_asleep=is_asleep) if pool.url)
    state, error = _state(unit, snapshot, pools, is_asleep=is_asleep)
    running = [board for board in snapshot.boards if board.chips] if state == MINING else []
    return Figures(
        unit=unit,
        t=t,
        snapshot=snapshot,
        chips=unit.conditions.chips_by_board(unit.identity.model),
        running=tuple(running),
        pools=pools,
        state=state,
        error=error,
    )


def _state(unit: Unit, snapshot: Snapshot, pools: tuple[Pool, ...], *, is_asleep: bool) -> tuple[str, str | None]:
    """Return what a unit says it does, and why it idles. Documented (D274): the words. Assumed (A212): the errors."""
    if is_asleep:
        return IDLING, None
    if snapshot.phase not in RUNNING:
        return (IDLING, "Over temperature") if snapshot.phase is Phase.PROTECTED else (INITIALIZING, None)
    conditions = unit.conditions
    if conditions.has_no_boards:
        return IDLING, "No hashboards"
    if conditions.has_failed:
        return IDLING, "Hashboards failed"
    # Documented (D274): with `IdleOnConnectionLost` a unit without a pool idles.
    return (IDLING if pools and all(pool.status == "Dead" for pool in pools) else MINING), None
