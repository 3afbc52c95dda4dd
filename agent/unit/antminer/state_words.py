"""State words of any firmware: which mean asleep, hashing or awake, and which name a fault."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from agent.unit.cgminer.fields import spelled
from agent.unit.reading import Fault, Mode


class StateWord(NamedTuple):
    """The meaning of a state word: a mode, or None for awake, and the fault that it names."""

    mode: Mode | None
    fault: Fault | None = None


ASLEEP: Final = StateWord(Mode.SLEEP)
HASHING: Final = StateWord(Mode.NORMAL)
AWAKE: Final = StateWord(None)
FAILED: Final = StateWord(None, Fault.UNNAMED)
BOARD_LOST: Final = StateWord(None, Fault.BOARD)

# Documented (D108): the states of VNish's interface; tuning hashes. Documented (D109): Braiins OS pauses and suspends.
# Any other word says nothing.
STATE_WORDS: Final[Mapping[str, StateWord]] = {
    **dict.fromkeys(("sleep", "sleeping", "asleep", "stopped", "paused", "suspended", "curtailed", "standby"), ASLEEP),
    **dict.fromkeys(("mining", "running", "hashing", "normal", "autotuning", "tuning"), HASHING),
    **dict.fromkeys(
        (
            "initializing",
            "initialising",
            "starting",
            "restarting",
            "rebooting",
            "shuttingdown",
            "stopping",
            "warmingup",
        ),
        AWAKE,
    ),
    **dict.fromkeys(("failure", "failed", "error", "fault"), FAILED),
    # Documented (D165): of a board, whose slot is empty or whose cable is off.
    "disconnected": BOARD_LOST,
    "low": StateWord(Mode.LOW),
    "lowpower": StateWord(Mode.LOW),
    "high": StateWord(Mode.HIGH),
}


def state_word(value: Any) -> StateWord | None:
    """Return the meaning of a state word in any spelling; None if it is no text, or says nothing."""
    return STATE_WORDS.get(spelled(value)) if isinstance(value, str) else None
