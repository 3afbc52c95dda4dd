"""Replies that a recording keeps: the first ones, each look with a new shape or a new state, and the last look. Pure.

Exchanges go in one by one, while they are made or when a spool is finished; a capture comes out at any time.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from agent.errors import PollError
from agent.hil.capture import form
from agent.hil.capture.exchanged import Exchange
from agent.hil.capture.form import Capture, CapturedUnit, Manifest, Moment, Port, RecordedReply, Timing, Timings
from agent.hil.capture.replayed import reading_of
from agent.hil.capture.shapes import Feature, SeenShapes
from agent.hil.capture.states import State, state_of
from agent.unit.reading import UnitReading

MOST_MOMENTS: Final = 98
"""Moments kept for what is new in them; the last look may be one more."""
MOST_KEPT_BYTES: Final = 64 * 1024 * 1024
"""Bytes of all moments together; beyond them only the last look is kept."""


class Look(NamedTuple):
    """One look at a unit, as it was judged.

    Attributes:
        number: From 0.
        at_s: Time of its first request, since the recording began, s.
        state: The unit's state.
        is_new_state: It was not in this state in any look before.
        new: What no reply before had, without the first look's.
        is_kept: It became a moment.
        answered, asked: Its requests with an answer, and all of them.
    """

    number: int
    at_s: float
    state: State
    is_new_state: bool
    new: tuple[Feature, ...]
    is_kept: bool
    answered: int
    asked: int


class _Kept(NamedTuple):
    state: State
    exchanges: tuple[Exchange, ...]


class Gathering:
    """Replies of one unit so far."""

    def __init__(self) -> None:
        self.ports: dict[str, Port] = {}
        self.looks: list[Look] = []
        self._first: dict[tuple[str, bool], Exchange] = {}
        self._shapes = SeenShapes()
        self._current: list[Exchange] = []
        self._moments: list[_Kept] = []
        self._kept_bytes = 0
        self._last: _Kept | None = None
        self._timings: list[Timing] = []

    @property
    def states(self) -> list[State]:
        """The states seen, each once, in the order in which they were first seen."""
        return list(dict.fromkeys(look.state for look in self.looks))

    @property
    def is_answered(self) -> bool:
        """True if any reply came."""
        return any(exchange.is_answered for exchange in self._first.values())

    def has_left(self, state: State) -> bool:
        """Return True if the unit was seen in a state and is in another one since."""
        return state in self.states and self.looks[-1].state is not state

    def add_port(self, number: str, port: Port) -> None:
        """Take what a port did to a connection."""
        self.ports[number] = port

    def add(self, exchange: Exchange) -> None:
        """Take one exchange; one of another look ends the look before it."""
        if self._current and self._current[0].look != exchange.look:
            self.end_look()
        self._current.append(exchange)

    def end_look(self) -> Look | None:
        """Judge the look that is under way; None if there is none."""
        exchanges, self._current = tuple(self._current), []
        if not exchanges:
            return None
        state = state_of(list(exchanges), self._reading(exchanges))
        new = [feature for exchange in exchanges for feature in self._features(exchange)]
        is_first = self._take_first(exchanges)
        is_new_state = state not in self.states
        size = sum(len(exchange.data) for exchange in exchanges)
        has_room = len(self._moments) < MOST_MOMENTS and self._kept_bytes + size <= MOST_KEPT_BYTES
        is_kept = not is_first and (is_new_state or bool(new)) and has_room
        if is_kept:
            self._kept_bytes += size
            self._moments.append(_Kept(state, exchanges))
        self._last = None if is_kept or is_first else _Kept(state, exchanges)
        self._timings += [exchange.timing(state) for exchange in exchanges]
        look = Look(
            number=exchanges[0].look,
            at_s=exchanges[0].at_s,
            state=state,
            is_new_state=is_new_state,
            new=() if is_first else tuple(new),
            is_kept=is_kept,
            answered=sum(exchange.is_answered for exchange in exchanges),
            asked=len(exchanges),
        )
        self.looks.append(look)
        return look

    def capture(self, *, name: str, recorded_by: str, recorded_at: str) -> Capture:
        """Return everything kept so far as a capture without redaction, whose unit is not yet named."""
        self.end_look()
        firsts = tuple(self._first.values())
        kept = [*self._moments, *([] if self._last is None else [self._last])]
        data = dict(_files(firsts, ""))
        moments = []
        for number, (state, exchanges) in enumerate(kept, start=1):
            folder = f"{form.MOMENTS}/{number:02d}-{state}"
            shown = [exchange for exchange in exchanges if not exchange.is_challenge]
            data.update(_files(shown, f"{folder}/"))
            moments.append(Moment(folder=folder, state=state, replies=_recorded(shown)))
        manifest = Manifest(
            form=form.FORM,
            recorded_by=recorded_by,
            is_redacted=False,
            unit=CapturedUnit(),
            ports={number: self.ports[number] for number in sorted(self.ports, key=int)},
            replies=_recorded(firsts),
            moments=tuple(moments),
        )
        timings = Timings(recorded_at=recorded_at, replies=tuple(self._timings))
        return Capture(name=name, manifest=manifest, data=data, timings=timings)

    def _reading(self, exchanges: tuple[Exchange, ...]) -> UnitReading | PollError:
        """Return what the agent reads from one look, with the first replies for what that look did not ask."""
        look = {exchange.request for exchange in exchanges}
        shown = [first for (request, _), first in self._first.items() if request not in look]
        shown += exchanges
        manifest = Manifest(
            form=form.FORM,
            recorded_by="",
            is_redacted=False,
            unit=CapturedUnit(),
            ports={},
            replies=_recorded(shown),
        )
        return reading_of(Capture(name="", manifest=manifest, data=dict(_files(shown, ""))))

    def _features(self, exchange: Exchange) -> tuple[Feature, ...]:
        if exchange.is_challenge:
            return ()
        status = "" if exchange.status is None else str(exchange.status)
        return self._shapes.take(exchange.request, exchange.data, ending=exchange.ending or "", status=status)

    def _take_first(self, exchanges: tuple[Exchange, ...]) -> bool:
        """Take the first answer to each request; return True if all that was answered here was a first."""
        is_first = True
        for exchange in exchanges:
            key = exchange.request, exchange.is_challenge
            known = self._first.get(key)
            if known is None or (exchange.is_answered and not known.is_answered):
                self._first[key] = exchange
            elif exchange.is_answered or known.is_answered:
                is_first = False
        return is_first


def _recorded(exchanges: Iterable[Exchange]) -> tuple[RecordedReply, ...]:
    return tuple(exchange.recorded() for exchange in exchanges)


def _files(exchanges: Iterable[Exchange], prefix: str) -> Iterable[tuple[str, bytes]]:
    for exchange in exchanges:
        file = exchange.file()
        if file is not None:
            yield f"{prefix}{file}", exchange.data
