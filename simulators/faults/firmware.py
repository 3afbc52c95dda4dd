"""Faults of a unit that another firmware runs on: the same figures in other places and words.

Such firmware knows the legacy dialect only. What an agent should report is the truth; each docstring says what it must
conclude. These are single habits of such firmware, not whole dialects.
"""

from dataclasses import dataclass, replace
from typing import Any

from simulators.faults.body import SLOTS, Body, FigureFault, Figures, insert_after, used_slots
from simulators.unit.conditions import Conditions, require
from simulators.unit.snapshot import Phase

_BRAIINS = "boser-buildroot 0.1.0-26ba61b9"
_BRAIINS_WINDOWS_S = {"15m": 900.0, "1m": 60.0, "24h": 86400.0, "5m": 300.0, "5s": 5.0}
_VNISH = "1.2.6"
_RATE_UNITS = {"MHS": 1000.0, "GHS": 1.0}
_NEW_API_POWER = frozenset({"power", "watt"})
_POWER_KEYS = ("chain_consumption", "chain_power", "total_power", "PSU Power", "power", "watt")
_ASLEEP = frozenset({"stopped", "paused"})
_STATES = ("mining", "auto-tuning", "stopped", "paused", "failure")


class FirmwareFault(FigureFault):
    """A fault of a unit whose firmware does not know the new dialect."""

    __slots__ = ()

    def bend(self, conditions: Conditions) -> Conditions:
        """Alter the replies, and answer in the legacy dialect whatever is asked."""
        return replace(conditions, spoilers=(*conditions.spoilers, self), is_legacy_only=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class WattsElsewhere(FigureFault):
    """Power is reported under another key. Documented (D163, D58); assumed (A99): `PSU Power`.

    An agent must report it: measured if the supply measured it, estimated if it is the sum of the boards, and none of
    it while it contradicts the rate.

    Attributes:
        key: ``chain_consumption`` (VNish) and ``chain_power`` (Hiveon) are one figure a board, ``total_power`` (Hiveon)
            their sum, ``PSU Power``, ``power`` (L9) and ``watt`` (L11) one figure. The last two are in the new dialect,
            the others in the legacy one.
    """

    key: str = "chain_consumption"

    def __post_init__(self) -> None:
        require(self.key in _POWER_KEYS, "key", self.key, f"one of {', '.join(_POWER_KEYS)}")

    def bend(self, conditions: Conditions) -> Conditions:
        """Alter the replies; most keys are those of firmware that knows the legacy dialect only."""
        is_legacy_only = conditions.is_legacy_only or self.key not in _NEW_API_POWER
        return replace(conditions, spoilers=(*conditions.spoilers, self), is_legacy_only=is_legacy_only)

    def alter(self, body: Body) -> None:
        """Add the true power, or the boards' parts of it, to `stats`."""
        figures = body.figures
        if body.command != "stats" or not figures or body.is_new_api != (self.key in _NEW_API_POWER):
            return
        watts = body.facts.power_watts
        if body.is_new_api:
            insert_after(figures, "hwp_total", {self.key: round(watts)})
        elif self.key == "chain_consumption":
            # Documented (D163): all boards report the same.
            boards = list(used_slots(figures))
            figures.update({f"chain_consumption{slot}": round(watts / len(boards)) for slot in boards})
        elif self.key == "PSU Power":
            figures[self.key] = round(watts)
        else:
            figures.update(_boards_power(figures, watts))
            is_text = self.key == "chain_power"
            figures[self.key] = f"{watts:.2f} (AB)" if is_text else round(watts, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateInSummary(FirmwareFault):
    """`stats` is empty and the rate stands in `summary`, as Braiins OS does. Documented (D160).

    An agent must read rate and uptime from `summary`, in its unit, and call the unit hashing. Boards, fans and
    temperatures are unknown, not missing.

    Attributes:
        unit: ``MHS`` or ``GHS``, the first word of the keys and their unit.
    """

    unit: str = "MHS"

    def __post_init__(self) -> None:
        require(self.unit in _RATE_UNITS, "unit", self.unit, f"one of {', '.join(_RATE_UNITS)}")

    def alter(self, body: Body) -> None:
        """Empty `stats`, and move the rates of `summary` to other keys."""
        for status in body.whole["STATUS"]:
            status["Description"] = f"BOSer {_BRAIINS}"
            status["Msg"] = status["Msg"].replace("CGMiner", "BOSer")
        if body.command == "stats":
            body.whole["STATS"] = []
        elif body.command == "version":
            body.whole["VERSION"] = [{"API": "3.7", "BOSer": _BRAIINS}]
        elif body.command == "summary" and "GHS 5s" in body.figures:
            figures = body.figures
            # Documented (D160): a window is divided by its whole length, even while the unit is younger.
            now, mean, age_s = figures.pop("GHS 5s"), figures.pop("GHS av"), figures["Elapsed"]
            del figures["GHS 30m"]
            factor = _RATE_UNITS[self.unit]
            for name, window_s in _BRAIINS_WINDOWS_S.items():
                rate = now if window_s <= 60.0 else mean
                figures[f"{self.unit} {name}"] = round(rate * factor * min(1.0, age_s / window_s), 2)
            figures[f"{self.unit} av"] = round(mean * factor, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateWords(FirmwareFault):
    """The firmware says its state in words: `state` and `chain_stateN`, as VNish does. Documented (D163).

    An agent must take ``stopped`` and ``paused`` for sleep, which is curtailed inside an event and stopped outside;
    ``failure`` never. ``mining`` and ``auto-tuning`` hash. `version` is refused with code 0.

    Attributes:
        state: What the unit does, and says.
    """

    state: str = "stopped"

    def __post_init__(self) -> None:
        require(self.state in _STATES, "state", self.state, f"one of {', '.join(_STATES)}")

    def bend(self, conditions: Conditions) -> Conditions:
        """Do what the word says, and say it."""
        conditions = FirmwareFault.bend(self, conditions)
        if self.state in _ASLEEP:
            return replace(conditions, is_asleep=True)
        return replace(conditions, has_failed=True) if self.state == "failure" else conditions

    def alter(self, body: Body) -> None:
        """Print `stats` and the refusal of `version` as that firmware does."""
        when = body.whole["STATUS"][0]["When"]
        if body.command == "version":
            refusal = {
                "STATUS": "E",
                "When": when,
                "Code": 0,
                "Msg": "Invalid command",
                "Description": "cgminer 4.11.1",
            }
            body.whole.clear()
            body.whole["STATUS"] = [refusal]
        elif body.command == "stats":
            body.whole["STATUS"][0]["Description"] = "cgminer 4.11.1"
            header = next(iter(body.whole["STATS"]), {"Type": "Antminer", "CompileTime": ""})
            named = {
                "Type": f"{header['Type']} (Vnish {_VNISH})",
                "Miner": "0.0.0",
                "Cgminer": _VNISH,
                "CompileTime": header["CompileTime"],
            }
            body.whole["STATS"] = [named, self._hardware(body)]

    def _hardware(self, body: Body) -> Figures:
        stock = body.figures
        state = "initializing" if body.facts.phase is Phase.ENUMERATING else self.state
        slots = list(used_slots(stock))
        shown: Figures = {"Elapsed": stock.get("Elapsed", int(body.facts.phase_s))}
        rate = float(stock.get("GHS 5s", 0.0))
        shown |= {"GHS 5s": f"{rate:.2f}", "GHS av": stock.get("GHS av", 0.0)}
        for slot in slots:
            shown |= {f"{key}{slot}": stock[f"{key}{slot}"] for key in ("temp_chip", "temp_pcb", "chain_hw")}
        shown |= {key: value for key, value in stock.items() if key.startswith("fan")}
        for slot in slots:
            shown |= {
                f"chain_rate{slot}": float(stock[f"chain_rate{slot}"]),
                f"freq_avg{slot}": float(stock[f"freq{slot}"]),
            }
        shown |= {"state": state, "total_rate": rate}
        for slot in slots or range(1, body.facts.boards + 1):
            shown |= {f"chain_state{slot}": state, f"chain_fault{slot}": ""}
        return shown | {f"chain_acn{slot}": stock[f"chain_acn{slot}"] for slot in slots}


def _boards_power(figures: Figures, watts: float) -> dict[str, Any]:
    """Return the key `chain_powerN` of every slot; each board that is up has the same part."""
    boards = list(used_slots(figures))
    return {f"chain_power{slot}": round(watts / len(boards), 2) if slot in boards else 0.0 for slot in SLOTS}
