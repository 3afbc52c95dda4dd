"""The work mode: what three reports tell of a pause. None of them says it plainly, so most units have no mode.

    tunerstatus ... a text with `paused` on every board (Documented (D252))
    temps ......... refused as `Not ready` (Documented (D253)), of a unit none of whose boards runs
    devs .......... `Nominal MHS` 0 on every board: alone this says nothing, a unit that failed shows the same

Documented (D257): on 24.09 a stopped unit answers `devdetails` as a running one does; it is no evidence.
"""

from collections.abc import Sequence
from typing import Final

from agent.unit.braiins.boards import stopped
from agent.unit.braiins.devs import Board
from agent.unit.braiins.tunerstatus import Tuner, Work
from agent.unit.reading import Mode

STARTED_S: Final = 600.0
"""Before this uptime boards that are not ready are starting. Assumed (A180): afterwards they are paused."""


def mode_of(boards: Sequence[Board], tuner: Tuner | None, *, is_ready: bool, uptime_s: float | None) -> Mode | None:
    """Return the work mode; None if the unit does not tell it.

    Args:
        boards: Of `devs`; empty if they are not known.
        tuner: `tunerstatus`; None if it was not answered, and then a pause is not known.
        is_ready: False if `temps` was refused as not ready.
        uptime_s: Of the process, s.
    """
    if tuner is None:
        return None
    work = tuner.work
    if work is Work.PAUSED:
        return Mode.SLEEP
    is_idle = len(stopped(boards)) == len(boards)
    if is_idle and boards and not is_ready and work is not Work.OTHER:
        # A text that is not known may name a failure, and a failure is no pause. Documented (D254): the tuner of some
        # models goes on saying that it is stable.
        return Mode.SLEEP if uptime_s is not None and uptime_s >= STARTED_S else None
    return Mode.NORMAL if work is Work.HASHING and not is_idle else None
