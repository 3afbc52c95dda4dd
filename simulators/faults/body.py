"""The parsed body of a reply, for faults that alter single figures in it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from simulators.faults.wire import ReplyFault
from simulators.unit.delivery import Delivery, Facts

Figures = dict[str, Any]

SLOTS = range(1, 5)
"""Board positions in the keys of the legacy dialect: ``chain_rate1`` to ``chain_rate4``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A reply as parsed JSON; its objects may be altered in place.

    Attributes:
        command: The requested command.
        whole: The reply.
        is_new_api: It is in the new dialect.
        facts: The truth about the unit.
    """

    command: str
    whole: dict[str, Any]
    is_new_api: bool
    facts: Facts

    @property
    def figures(self) -> Figures:
        """The object that holds the figures; an empty one if the reply has none, as in a refusal or in sleep."""
        reported = self.whole.get(self.command.upper())
        wanted = 2 if self.command == "stats" and not self.is_new_api else 1
        if not isinstance(reported, list) or len(reported) < wanted:
            return {}
        last: Figures = reported[-1]
        return last

    @property
    def boards(self) -> list[Figures]:
        """The boards of `stats` in the new dialect; empty in the legacy one."""
        boards: list[Figures] = self.figures.get("chain", [])
        return boards

    def text(self) -> bytes:
        """Return the reply as its firmware prints it, with the closing NUL."""
        separators = None if self.is_new_api else (",", ":")
        return json.dumps(self.whole, separators=separators).encode("ascii") + b"\0"


class FigureFault(ReplyFault):
    """A fault that alters the figures of a reply, which is then printed like a sound one."""

    __slots__ = ()

    def alter(self, body: Body) -> None:
        """Alter the body in place; every fault overrides this."""

    def spoil(self, delivery: Delivery) -> Delivery:
        """Alter a reply that reports success; leave any other as it is."""
        body = _read(delivery)
        if body is None:
            return delivery
        self.alter(body)
        return delivery.with_reply(body.text())


def _read(delivery: Delivery) -> Body | None:
    if delivery.facts is None:
        return None
    try:
        whole = json.loads(delivery.reply.rstrip(b"\0"))
    except ValueError:
        return None
    match whole:
        case {"STATUS": {"STATUS": "S"}}:
            is_new_api = True
        case {"STATUS": [{"STATUS": "S"}]}:
            is_new_api = False
        case _:
            return None
    return Body(command=delivery.command, whole=whole, is_new_api=is_new_api, facts=delivery.facts)


def used_slots(figures: Mapping[str, Any]) -> Iterator[int]:
    """Yield the slots of boards that legacy `stats` lists with chips."""
    return (slot for slot in SLOTS if figures.get(f"chain_acn{slot}"))


def scale(figures: Figures, keys: Iterable[str], factor: float) -> None:
    """Multiply the numbers under some keys; numbers in texts stay texts."""
    for key in keys:
        value = figures.get(key)
        if isinstance(value, str) and value:
            figures[key] = f"{float(value) * factor:.2f}"
        elif isinstance(value, int | float):
            figures[key] = round(value * factor, 5)


def insert_after(figures: Figures, key: str, added: Mapping[str, Any]) -> None:
    """Put some keys after another one, or at the end if that is missing; keys that exist keep their places."""
    before = dict(figures)
    figures.clear()
    for name, value in before.items():
        figures[name] = value
        if name == key:
            figures.update({new: None for new in added if new not in before})
    figures.update(added)
