"""VNish's words: the states of a unit and of its boards, the marks of its fee pools, and its names in a model."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from agent.unit.cgminer.fields import spelled
from agent.unit.reading import Fault, Mode


class State(NamedTuple):
    """The meaning of a state word.

    Attributes:
        mode: None if it is neither hashing nor asleep, or not known.
        is_starting: The unit says that it starts.
        has_failed: The unit says that it gave up, which is no sleep.
    """

    mode: Mode | None = None
    is_starting: bool = False
    has_failed: bool = False


UNKNOWN: Final = State()
HASHING: Final = State(Mode.NORMAL)
ASLEEP: Final = State(Mode.SLEEP)
STARTING: Final = State(is_starting=True)
FAILED: Final = State(has_failed=True)

# Documented (D108): the words of a unit. Observed (O170): auto-tuning hashes. Any other word says nothing.
_OF_UNIT: Final[Mapping[str, State]] = {
    **dict.fromkeys(("mining", "auto-tuning", "autotuning"), HASHING),
    **dict.fromkeys(("stopped", "paused"), ASLEEP),
    **dict.fromkeys(("initializing", "starting", "restarting"), STARTING),
    "shuttingdown": UNKNOWN,
    "failure": FAILED,
}
# Documented (D165): the words of a board.
_OF_BOARD: Final[Mapping[str, State]] = {
    "mining": HASHING,
    "stopped": ASLEEP,
    "initializing": STARTING,
    "failure": FAILED,
    "disconnected": FAILED,
}
MINING: Final = "mining"
DISCONNECTED: Final = "disconnected"
_BOARD_FAULTS: Final = frozenset({"failure", DISCONNECTED})


def state_of(word: str) -> State:
    """Return the meaning of a unit's state word."""
    found = _OF_UNIT.get(word)
    return _OF_UNIT.get(spelled(word), UNKNOWN) if found is None else found


def state_of_boards(words: Iterable[str | None]) -> State:
    """Return what the words of a unit's boards say together, of a unit without a word of its own."""
    of_boards = {_OF_BOARD.get(spelled(word), UNKNOWN) for word in words if word}
    for meaning in (HASHING, STARTING, FAILED):
        if meaning in of_boards:
            return meaning
    # One board may be switched off by its owner; a unit sleeps if all of them do.
    return ASLEEP if of_boards == {ASLEEP} else UNKNOWN


def has_failed(word: str | None) -> bool:
    """Return True if a board's word names a fault."""
    return word is not None and spelled(word) in _BOARD_FAULTS


def faults_of(state: State, *, is_board_named: bool) -> tuple[Fault, ...]:
    """Return the faults that the words name, in the order of `Fault`."""
    if not is_board_named:
        return (Fault.UNNAMED,) if state.has_failed else ()
    return (Fault.BOARD, Fault.UNNAMED) if state.has_failed else (Fault.BOARD,)


# Observed (O172): of VNish. Documented (D234): the others are of rebuilds with the same ancestor.
_FEE_URL: Final = re.compile(r"(?:[a-z0-9+]{1,16}://)?(?:devfee|\*)(?::[0-9]{1,5})?/?")
_FEE_USER: Final = re.compile(r"devfee(?:miner)?(?![a-z0-9])|\*\Z")


def is_fee_pool(row: Mapping[str, Any]) -> bool:
    """Return True if a row of `pools` is the firmware's own: `Type` 1, or a mark as URL or user."""
    kind, url, user = row.get("Type"), row.get("URL"), row.get("User")
    if (kind == 1 and not isinstance(kind, bool)) or kind == "1":
        return True
    return _is_marked(_FEE_URL.fullmatch, url) or _is_marked(_FEE_USER.match, user)


def _is_marked(matches: Callable[[str], object], text: Any) -> bool:
    return isinstance(text, str) and matches(text[:64].strip().casefold()) is not None


# Observed (O171): "(Vnish 1.2.7)", "(vnish 3.8.6)". Documented (D120): "(7Miners 1.2.6-rc1)", of the same maker.
_LABEL: Final = re.compile(r"\(\s*([A-Za-z0-9][A-Za-z0-9 ]{0,18}?)(?:\s+v?([0-9][A-Za-z0-9.+_-]{0,24}))?\s*\)\s*\Z")
_LABELS: Final[Mapping[str, str]] = {
    "vnish": "VNish",
    "7miners": "7Miners",
    # Assumed (A173): the label that its pages show stands in `Type` of units sold under it.
    "anthill": "AnthillOS",
    "anthillos": "AnthillOS",
}


def label_of(model: Any) -> str | None:
    """Return the firmware's name in a reported model and the version, if told: ``VNish 1.2.7``; None if not VNish's."""
    found = _LABEL.search(model[-64:]) if isinstance(model, str) else None
    name = None if found is None else _LABELS.get(spelled(found[1]))
    return name if found is None or name is None or found[2] is None else f"{name} {found[2]}"
