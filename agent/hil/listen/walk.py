"""A walk along a rack: each unit whose button is pressed gets the next slot. Pure; times are arguments."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from agent.hil.listen.reports import Report
from agent.site.ledger.entries import Place

# Assumed (A120), Documented (D193, D204): a unit sends the report of one press several times.
SAME_PRESS_S: Final = 3.0
MOST_SPOTS: Final = 100_000


class Spot(NamedTuple):
    """A unit in its place.

    Attributes:
        mac: MAC address.
        host: Address when its button was pressed.
        place: Container, rack and slot.
    """

    mac: str
    host: str
    place: Place


class Answer(StrEnum):
    """Outcome of a press."""

    PLACED = "placed"
    AGAIN = "again"
    SAME_PRESS = "same press"
    FULL = "full"


class Outcome(NamedTuple):
    """A press and what it led to.

    Attributes:
        answer: PLACED in `spot`; AGAIN if the unit has `spot` already, from this walk or an earlier one; SAME_PRESS if
            this datagram repeats the last press; FULL if no slot is left.
        spot: The unit's place; None if there is none.
        twin: A unit of another MAC address that reported the same address; None if there is none.
    """

    answer: Answer
    spot: Spot | None
    twin: Spot | None = None


class Walk:
    """The slots of one rack, filled in order.

    Args:
        container, rack: The rack's names.
        first: The slot to begin with; leading zeros are kept for all.
        last: The last slot, or None for no end.
        spots: Units that have their places already, in any rack.

    Raises:
        ValueError: The first slot is taken; with a message for operators.
    """

    def __init__(
        self, container: str, rack: str, first: str | None, last: int | None = None, spots: Iterable[Spot] = ()
    ) -> None:
        self.container, self.rack = container, rack
        self.last = last
        self.spots: list[Spot] = list(spots)
        self._heard: dict[str, float] = {}
        here = [spot for spot in self.spots if (spot.place.container, spot.place.rack) == (container, rack)]
        numbers = [int(spot.place.slot) for spot in here if spot.place.slot.isdecimal()]
        self._width = len(first) if first is not None else max((len(spot.place.slot) for spot in here), default=1)
        self._next = int(first) if first is not None else max(numbers, default=0) + 1
        taken = self._taken().get(self._slot(self._next))
        if taken is not None:
            raise ValueError(f"slot {taken.place.slot} of this rack has {taken.mac}; begin at another")

    @property
    def slot(self) -> str | None:
        """The slot that the next unit gets; None if the rack is full."""
        return None if self.last is not None and self._next > self.last else self._slot(self._next)

    def press(self, report: Report, at: float) -> Outcome:
        """Place the unit that reports, unless it has a place.

        Args:
            report: What it sent.
            at: When it came, s, on any clock.
        """
        before = self._heard.get(report.mac)
        self._heard[report.mac] = at
        known = next((spot for spot in self.spots if spot.mac == report.mac), None)
        if before is not None and at - before < SAME_PRESS_S:
            return Outcome(Answer.SAME_PRESS, known)
        if known is not None:
            return Outcome(Answer.AGAIN, known)
        slot = self.slot
        if slot is None or len(self.spots) >= MOST_SPOTS:
            return Outcome(Answer.FULL, None)
        twin = next((spot for spot in self.spots if spot.host == report.host), None)
        spot = Spot(report.mac, report.host, Place(container=self.container, rack=self.rack, slot=slot))
        self.spots.append(spot)
        self._advance()
        return Outcome(Answer.PLACED, spot, twin)

    def undo(self) -> Spot | None:
        """Take the last unit out of its place and return it; None if there is none. In this rack, its slot is next."""
        if not self.spots:
            return None
        spot = self.spots.pop()
        # Its next report is a press, even at once.
        self._heard.pop(spot.mac, None)
        if (spot.place.container, spot.place.rack) == (self.container, self.rack) and spot.place.slot.isdecimal():
            self._next = int(spot.place.slot)
        return spot

    def skip(self) -> None:
        """Leave the next slot empty."""
        self._advance()

    def _advance(self) -> None:
        taken = self._taken()
        self._next += 1
        while self._slot(self._next) in taken:
            self._next += 1

    def _slot(self, number: int) -> str:
        return str(number).zfill(self._width)

    def _taken(self) -> dict[str, Spot]:
        return {
            spot.place.slot: spot
            for spot in self.spots
            if (spot.place.container, spot.place.rack) == (self.container, self.rack)
        }
