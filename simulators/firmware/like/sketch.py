"""A recorded reply on its way to a template: what its values mean beside each other."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from simulators.firmware.like.forms import Form, form_of
from simulators.firmware.like.tokens import Leaf, Parsed, Path
from simulators.firmware.like.view import View

Slot = Callable[[View], str]

BOARD_LISTS: Final = ("DEVS", "TEMPS", "DEVDETAILS")
"""Sections of LuxOS's replies with a row for each board that was found."""

_UNITS = (1.0, 1e3, 1e6, 1e9, 1e-3)


class Sketch:
    """One recorded reply.

    Args:
        parsed: Its text, taken apart.
        body: The same as an object.
        average_ghs: Average rate of the recorded unit, GH/s; 0 if it is not known.
        elapsed_s: Its uptime, for replies that do not tell theirs.
        boards: Recorded positions of its boards.
    """

    def __init__(
        self,
        parsed: Parsed,
        body: Mapping[str, Any],
        *,
        average_ghs: float,
        elapsed_s: float,
        boards: tuple[int, ...],
    ) -> None:
        self.boards = boards
        self._average_ghs = average_ghs
        self._by_key: dict[str, list[Leaf]] = {}
        self._rows: dict[Path, dict[str, Any]] = {}
        for leaf in parsed.leaves:
            self._by_key.setdefault(self.key(leaf), []).append(leaf)
            if leaf.path and isinstance(leaf.path[-1], str):
                self._rows.setdefault(leaf.path[:-1], {})[leaf.path[-1]] = leaf.value
        self.when = self._when(body)
        self.has_lists = self._has_lists(body)
        own = next((row[key] for row in self._rows.values() for key in ("Elapsed", "elapsed") if key in row), None)
        self.elapsed_s = float(own) if isinstance(own, int | float) else elapsed_s

    @staticmethod
    def key(leaf: Leaf) -> str:
        """Return the last key that leads to a value; lists have none of their own."""
        return next((step for step in reversed(leaf.path) if isinstance(step, str)), "")

    def row(self, leaf: Leaf) -> Mapping[str, Any]:
        """Return the plain values beside one, by key."""
        return self._rows.get(leaf.path[:-1], {})

    def alike(self, leaf: Leaf) -> list[Leaf]:
        """Return the values under the same key, itself among them."""
        return self._by_key[self.key(leaf)]

    def value(self, leaf: Leaf) -> float | None:
        """Return a number that was sent as a number or as text; None for anything else."""
        if isinstance(leaf.value, bool) or leaf.value is None:
            return None
        try:
            return float(leaf.value)
        except ValueError:
            return None

    def form(self, leaf: Leaf) -> Form | None:
        """Return how to print a number in the place of a recorded one; None if that is none."""
        return form_of(leaf, self.alike(leaf))

    def printed(self, leaf: Leaf, figure: Callable[[View], float]) -> Slot | None:
        """Return the slot that prints a figure in the form of a recorded number; None if that is none."""
        form = self.form(leaf)
        if form is None:
            return None
        return lambda view: form(figure(view))

    def factor(self, leaf: Leaf) -> float | None:
        """Return what a rate was sent in, as the number of its units in 1 GH/s; None for 0 and for no rate.

        Assumed (A155): a rate near that of the unit in GH/s, MH/s, kH/s, H/s or TH/s is sent in that unit.
        """
        recorded = self.value(leaf)
        if not recorded or not self._average_ghs:
            return None
        return next((unit for unit in _UNITS if 0.3 < recorded / (self._average_ghs * unit) < 3.0), None)

    @property
    def rates(self) -> tuple[float, float]:
        """The recorded 5 s rate and average in this reply, as sent; 0 where they are not told."""
        found = []
        for keys in (("GHS 5s", "rate_5s", "MHS 5s"), ("GHS av", "rate_avg", "MHS av")):
            leaves = [leaf for key in keys for leaf in self._by_key.get(key, ())]
            found.append((self.value(leaves[0]) or 0.0) if leaves else 0.0)
        return found[0], found[1]

    def total(self, name: str) -> float:
        """Return the sum of a value over the boards, ``chain_rate`` for example."""
        names = {"chain_rate": "rate_real", "chain_rateideal": "rate_ideal", "chain_acn": "asic_num"}
        leaves = [leaf for place in self.boards for leaf in self._by_key.get(f"{name}{place + 1}", ())]
        leaves = leaves or [leaf for leaf in self._by_key.get(names.get(name, name), ()) if "chain" in leaf.path]
        return sum(self.value(leaf) or 0.0 for leaf in leaves)

    def unused(self, name: str) -> str | None:
        """Return the text of a value at a position without a board, ``chain_rate4`` for example; None without one."""
        places = (place for place in range(9) if place not in self.boards)
        return next((leaf.raw for place in places for leaf in self._by_key.get(f"{name}{place + 1}", ())), None)

    def place(self, leaf: Leaf, at: int) -> int:
        """Return the position of a board in a list: the one that it tells, or else that in the list."""
        path = leaf.path[: leaf.path.index("chain") + 2]
        index = self._rows.get(path, {}).get("index")
        return index if isinstance(index, int) and not isinstance(index, bool) else at

    def board_factor(self, leaf: Leaf) -> float | None:
        """Return what the boards' rates were sent in, as the number of its units in 1 GH/s; None if they are 0."""
        total = self.total("chain_rate")
        if not total or not self._average_ghs or self.value(leaf) is None:
            return None
        return next((unit for unit in _UNITS if 0.3 < total / (self._average_ghs * unit) < 3.0), None)

    def boards_add_up_to(self) -> str:
        """Return ``average`` if the boards' rates add up to the average, and not to the rate over 5 s."""
        total, (five_s, average) = self.total("chain_rate"), self.rates
        return "average" if average and abs(total - average) < abs(total - five_s) else "5s"

    def is_board_ideal(self, leaf: Leaf) -> bool:
        """Return True if an ideal rate is the sum of the boards' ideals."""
        recorded, total = self.value(leaf) or 0.0, self.total("chain_rateideal")
        return total > 0.0 and abs(recorded - total) <= 0.001 * total

    def is_pool(self, leaf: Leaf) -> bool:
        """Return True for a value in the table of pools."""
        return "POOLS" in leaf.path

    def is_of_a_board(self, leaf: Leaf) -> bool:
        """Return True for a value in a list with one object a board."""
        if "chain" in leaf.path:
            return True
        return leaf.path[:1] == ("DEVS",) and sum(1 for path in self._rows if path[:1] == ("DEVS",)) > 1

    def difficulty(self, leaf: Leaf) -> float:
        """Return the difficulty of all shares in the row of a value; 0 if it is not told."""
        row = self.row(leaf)
        return sum(
            float(row[key])
            for key in ("Difficulty Accepted", "Difficulty Rejected", "Difficulty Stale")
            if isinstance(row.get(key), int | float)
        )

    def listed_place(self, leaf: Leaf) -> int:
        """Return the position of the board that a row is about; -1 if it does not tell."""
        number = self.row(leaf).get("ID")
        return int(number) if isinstance(number, int | float) and not isinstance(number, bool) else -1

    @staticmethod
    def _has_lists(body: Mapping[str, Any]) -> bool:
        """Return True for a reply of LuxOS, whose lists of boards leave out those that were not found (D247)."""
        status = body.get("STATUS")
        row = status[0] if isinstance(status, list) and status else None
        return isinstance(row, dict) and str(row.get("Description")).startswith("LUXminer")

    @staticmethod
    def _when(body: Mapping[str, Any]) -> float | None:
        status = body.get("STATUS")
        row = status[0] if isinstance(status, list) and status else status
        when = row.get("When", row.get("when")) if isinstance(row, dict) else None
        return float(when) if isinstance(when, int | float) and not isinstance(when, bool) else None
