"""Which units a log names: so many an interval, and each so often, so that a few that flap drown nobody."""

LINES_AN_INTERVAL = 20
WINDOW_S = 600.0


class Naming:
    """Chooses the units that a log names; the caller counts the others.

    Args:
        most_a_unit: Lines about one unit in `WINDOW_S`, counted from the first.
    """

    def __init__(self, *, most_a_unit: int) -> None:
        self._most_a_unit = most_a_unit
        self._left = LINES_AN_INTERVAL
        # By unit: when the window began, Unix time, s, and the lines in it.
        self._windows: dict[str, tuple[float, int]] = {}

    def has_room(self, unit_id: str, at: float) -> bool:
        """Count a line about a unit and return True, or return False if there is no room for it.

        Args:
            unit_id: The unit.
            at: Unix time of what the line says, s; a clock that was set back begins a new window.
        """
        if not self._left:
            return False
        since, lines = self._windows.get(unit_id, (at, 0))
        if not 0.0 <= at - since < WINDOW_S:
            since, lines = at, 0
        if lines >= self._most_a_unit:
            return False
        self._windows[unit_id] = (since, lines + 1)
        self._left -= 1
        return True

    def forget(self, unit_id: str) -> None:
        """Drop a unit that left the ledger."""
        self._windows.pop(unit_id, None)

    def close_interval(self) -> None:
        """Start the next interval."""
        self._left = LINES_AN_INTERVAL
