"""The state of `hashsight top` between two pictures, and what each key changes. No I/O."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from agent.commands.top_answers import Answers
from agent.exporters.web.unit_query import UnitQuery
from agent.site.status import Cause, UnitState

ORDERS = {
    "worst": ("unexplained", True),
    "shortfall": ("shortfall", True),
    "place": ("place", False),
    "since": ("since", True),
    "hashrate": ("hashrate", False),
    "celsius": ("celsius", True),
    "unit": ("unit", False),
}
"""Orders of the units: the API's key, and whether the largest come first."""

LATE_AFTER_LOOKS = 2.5
"""Without an answer for so many looks, the last figures are of the past."""
MOST_TEXT = 60


@dataclass(slots=True, kw_only=True)
class View:
    """Current view.

    Attributes:
        source: Where the figures come from, in words.
        every_s: Time between two looks, s.
        query: Which units, and in which order.
        order: A key of `ORDERS`.
        answers: The latest answers; None before the first.
        answered_s: When they came, on the monotonic clock, s.
        trouble: Why the latest look failed; None if it did not.
        is_paused: True while nothing new is shown.
        is_helping: True while the keys are explained.
        typed: The search as far as it is typed; None while none is being typed.
        is_over: True once the view shall end.
        is_wanting: True if a look is wanted now: which units are shown has changed.
    """

    source: str
    every_s: float
    query: UnitQuery
    order: str = "worst"
    answers: Answers | None = None
    answered_s: float = 0.0
    trouble: str | None = None
    is_paused: bool = False
    is_helping: bool = False
    typed: str | None = None
    is_over: bool = False
    is_wanting: bool = field(default=False)

    def on_answers(self, answers: Answers, clock_s: float) -> None:
        """Take in the answers of a look, made at `clock_s`."""
        self.answers, self.answered_s, self.trouble = answers, clock_s, None

    def on_trouble(self, trouble: str) -> None:
        """Note why a look failed; the last answers stay, and are of the past."""
        self.trouble = trouble

    def past_s(self, clock_s: float) -> float | None:
        """Return how old the last answers are, s, if they may not pass for current ones; None if they may."""
        if self.answers is None:
            return None
        age_s = max(0.0, clock_s - self.answered_s)
        is_late = age_s > LATE_AFTER_LOOKS * self.every_s and not self.is_paused
        return age_s if self.trouble is not None or is_late or self.is_paused else None

    def on_key(self, key: str, page: int) -> None:
        """Do what a key means; `page` is the number of units on the screen."""
        if self.typed is not None:
            self._on_typing(key)
        elif self.is_helping:
            self.is_helping = False
            self.is_over = key == "q"
        elif key in _ACTIONS:
            _ACTIONS[key](self)
        elif key in _MOVES:
            self._move(_MOVES[key](page))

    def _on_typing(self, key: str) -> None:
        typed = self.typed or ""
        if key == "enter":
            self.typed = None
            self.show(text=typed.strip().casefold())
        elif key == "escape":
            self.typed = None
        elif key == "backspace":
            self.typed = typed[:-1]
        elif len(key) == 1 and key.isprintable() and len(typed) < MOST_TEXT:
            self.typed = typed + key

    def show(self, **changes: object) -> None:
        """Show other units, from the first on, at the next look."""
        self.query = replace(self.query, offset=0, **changes)  # type: ignore[arg-type]  # callers name its attributes
        self.is_wanting = True

    def _move(self, by: int | None) -> None:
        total = self.answers.units.total if self.answers else 0
        wanted = 0 if by is None else self.query.offset + by
        offset = min(max(0, wanted), max(0, total - 1))
        if offset != self.query.offset:
            self.query = replace(self.query, offset=offset)
            self.is_wanting = True

    def next_order(self) -> None:
        """Take the next order."""
        self.order = _next(self.order, list(ORDERS)) or next(iter(ORDERS))
        sort, is_descending = ORDERS[self.order]
        self.show(sort=sort, is_descending=is_descending)

    def next_cause(self) -> None:
        """Show the units with the next loss, largest first; all after the last."""
        lines = (self.answers.site.losses or []) if self.answers else []
        causes = [line.cause for line in lines if line.cause in set(Cause)]
        found = _next(self.query.cause, causes)
        self.show(cause=None if found is None else Cause(found))

    def next_container(self) -> None:
        """Show the next container's units; all after the last."""
        containers = (self.answers.site.containers or []) if self.answers else []
        self.show(container=_next(self.query.container, [each.container for each in containers if each.container]))

    def next_owner(self) -> None:
        """Show the next owner's units; all after the last."""
        owners = (self.answers.site.owners or []) if self.answers else []
        self.show(owner=_next(self.query.owner, [each.owner for each in owners]))

    def next_state(self) -> None:
        """Show the units in the next state that some unit is in; all after the last."""
        figures = self.answers.site.figures if self.answers else None
        present = [state for state in UnitState if figures is not None and figures.units_by_state.get(state)]
        found = _next(self.query.state, list(map(str, present)))
        self.show(state=None if found is None else UnitState(found))

    def reverse(self) -> None:
        """Turn the order round."""
        self.show(is_descending=not self.query.is_descending)

    def show_all(self) -> None:
        """Show every unit."""
        self.show(cause=None, container=None, owner=None, state=None, text="")

    def pause(self) -> None:
        """Stop asking, or go on."""
        self.is_paused = not self.is_paused
        self.is_wanting = not self.is_paused

    def help(self) -> None:
        """Explain the keys."""
        self.is_helping = True

    def search(self) -> None:
        """Begin to type a search."""
        self.typed = self.query.text

    def quit(self) -> None:
        """End."""
        self.is_over = True


_ACTIONS: Mapping[str, Callable[[View], None]] = {
    "s": View.next_order,
    "r": View.reverse,
    "l": View.next_cause,
    "c": View.next_container,
    "o": View.next_owner,
    "t": View.next_state,
    "/": View.search,
    "x": View.show_all,
    "p": View.pause,
    " ": View.pause,
    "h": View.help,
    "?": View.help,
    "q": View.quit,
}
_MOVES: Mapping[str, Callable[[int], int | None]] = {
    "down": lambda _: 1,
    "j": lambda _: 1,
    "up": lambda _: -1,
    "k": lambda _: -1,
    "page down": lambda page: page,
    "page up": lambda page: -page,
    "home": lambda _: None,
}


def _next(now: str | None, names: Sequence[str]) -> str | None:
    """Return the name after `now`, the first one after None; None after the last."""
    if now is None or now not in names:
        return names[0] if names else None
    place = names.index(now) + 1
    return names[place] if place < len(names) else None
