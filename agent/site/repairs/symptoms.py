"""The closed list of symptoms that open an entry of the walk list, and the rules by which they do. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Symptom(StrEnum):
    """The closed list of symptoms, in the order in which a unit's are shown."""

    CONTAINER_DARK = "container_dark"
    DIVERTED = "diverted"
    BOARD_MISSING = "board_missing"
    FAN_STOPPED = "fan_stopped"
    HOT = "hot"
    NO_POOL_ALIVE = "no_pool_alive"
    NOT_HASHING = "not_hashing"
    NO_ANSWER = "no_answer"


SYMPTOM_WORDS: Mapping[Symptom, str] = {
    Symptom.CONTAINER_DARK: "container dark",
    Symptom.DIVERTED: "work diverted",
    Symptom.BOARD_MISSING: "board missing",
    Symptom.FAN_STOPPED: "fan stopped",
    Symptom.HOT: "hot",
    Symptom.NO_POOL_ALIVE: "no pool alive",
    Symptom.NOT_HASHING: "not hashing",
    Symptom.NO_ANSWER: "no answer",
}
"""Each symptom in words."""

DIVERTED_WORDS = "works for an address that is not yours"
"""What is said of a unit whose work is diverted."""

NAMED = frozenset({Symptom.BOARD_MISSING, Symptom.FAN_STOPPED, Symptom.HOT, Symptom.NO_POOL_ALIVE})
"""Symptoms that name what is wrong with a unit. A unit that shows one is not also listed as not hashing."""


class Closing(StrEnum):
    """Why an entry was closed: a closed list."""

    RECOVERED = "recovered"
    EXPLAINED = "explained"
    MAINTENANCE = "maintenance"
    LEFT_LEDGER = "left_ledger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When a symptom becomes an entry, and when an entry is over.

    Attributes:
        after_s: How long each symptom has to last, s, as far as the agent looked.
        calm_s: How long it has to be away before its entry closes, s.
        hot_celsius: A measured chip temperature from which a unit is hot.
        hot_board_celsius: The same for a board sensor, where no chip temperature is measured.
        dark_ratio: A container is dark below this share of the nameplate that should hash.
        count_days: Earlier entries of this age count as "how often before", days.
    """

    after_s: Mapping[Symptom, float]
    calm_s: float = 900.0
    hot_celsius: float = 85.0
    hot_board_celsius: float = 80.0
    dark_ratio: float = 0.1
    count_days: float = 90.0


DEFAULT_AFTER_S: Mapping[Symptom, float] = {
    Symptom.CONTAINER_DARK: 120.0,
    Symptom.DIVERTED: 60.0,
    Symptom.BOARD_MISSING: 600.0,
    Symptom.FAN_STOPPED: 300.0,
    Symptom.HOT: 600.0,
    Symptom.NO_POOL_ALIVE: 900.0,
    Symptom.NOT_HASHING: 900.0,
    Symptom.NO_ANSWER: 900.0,
}
"""How long each symptom has to last by default, s."""

DEFAULT_RULES = Rules(after_s=DEFAULT_AFTER_S)
