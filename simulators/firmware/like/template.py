"""A recorded reply as a template: its text stays, but for the values that follow the simulated unit."""

from collections.abc import Sequence
from typing import NamedTuple

from simulators.firmware.like.drivers import slot_of
from simulators.firmware.like.sketch import BOARD_LISTS, Sketch, Slot
from simulators.firmware.like.tokens import Leaf, parse
from simulators.firmware.like.view import Recorded, View
from simulators.twins.stages import decoded


class Piece(NamedTuple):
    """Text with slots.

    Attributes:
        text: With ``%s`` for each slot, and every other ``%`` doubled.
        slots: What prints each.
    """

    text: str
    slots: tuple[Slot, ...]

    def show(self, view: View) -> str:
        """Return the text for a unit at a moment."""
        return self.text % tuple([slot(view) for slot in self.slots])


class Boards(NamedTuple):
    """The list of boards in the new dialect or of LuxOS: a board that the simulated unit does not list is left out.

    Attributes:
        places: Recorded position of each board.
        pieces: Its object.
        between: What stands between two of them.
        is_of_found: Boards that do not answer are left out too, as by LuxOS.
    """

    places: tuple[int, ...]
    pieces: tuple[Piece, ...]
    between: str
    is_of_found: bool = False

    def show(self, view: View) -> str:
        """Return the objects of the boards that the unit lists."""
        return self.between.join(
            [
                piece.show(view)
                for place, piece in zip(self.places, self.pieces, strict=True)
                if place not in view.boards or self._is_shown(view, place)
            ]
        )

    def _is_shown(self, view: View, place: int) -> bool:
        return (view.up(place) if self.is_of_found else view.boards[place]) is not None


class Template:
    """One recorded reply.

    Args:
        data: Its bytes; a whole JSON object.
        recorded: What the recorded unit was like.
        average_ghs: Its average rate, GH/s; 0 if it is not known.
        is_hashing: It was hashing.

    Raises:
        ValueError: The bytes are not JSON.
    """

    def __init__(self, data: bytes, recorded: Recorded, *, average_ghs: float, is_hashing: bool) -> None:
        text = data.decode("latin-1")
        parsed = parse(text)
        sketch = Sketch(
            parsed,
            decoded(data) or {},
            average_ghs=average_ghs,
            elapsed_s=recorded.elapsed_s,
            boards=recorded.boards,
        )
        slots = [(leaf, slot_of(leaf, sketch, is_hashing=is_hashing)) for leaf in parsed.leaves]
        driven = [(leaf, slot) for leaf, slot in slots if slot is not None]
        lists = ("chain", *BOARD_LISTS) if sketch.has_lists else ("chain",)
        items = [item for item in parsed.items if item.path[-2] in lists] if is_hashing else []
        self.driven = tuple(leaf.path for leaf, _ in driven)
        self._parts: list[Piece | Boards] = []
        at = 0
        if items:
            first, last = items[0].start, items[-1].end
            self._parts.append(_piece(text, 0, first, driven))
            self._parts.append(
                Boards(
                    places=tuple(_place(item.path[-1], item.path, parsed.leaves) for item in items),
                    pieces=tuple(_piece(text, item.start, item.end, driven) for item in items),
                    between=text[items[0].end : items[1].start] if len(items) > 1 else ", ",
                    is_of_found=sketch.has_lists,
                )
            )
            at = last
        self._parts.append(_piece(text, at, len(text), driven))

    def show(self, view: View) -> bytes:
        """Return the reply of a unit at a moment."""
        return "".join([part.show(view) for part in self._parts]).encode("latin-1", "replace")


def _place(at: object, path: tuple[str | int, ...], leaves: Sequence[Leaf]) -> int:
    index = next((leaf.raw for leaf in leaves if leaf.path in ((*path, "index"), (*path, "ID"))), "")
    if index.isdigit():
        return int(index)
    return at if isinstance(at, int) else 0


def _piece(text: str, start: int, end: int, driven: Sequence[tuple[Leaf, Slot]]) -> Piece:
    pieces: list[str] = []
    slots: list[Slot] = []
    at = start
    for leaf, slot in driven:
        if start <= leaf.start and leaf.end <= end:
            pieces.append(text[at : leaf.start].replace("%", "%%") + "%s")
            slots.append(slot)
            at = leaf.end
    pieces.append(text[at:end].replace("%", "%%"))
    return Piece("".join(pieces), tuple(slots))
