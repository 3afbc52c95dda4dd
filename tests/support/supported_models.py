"""`docs/supported.md`: which models under which firmware were recorded, and what is read of them.

Derived from the captures' golden readings, the catalogue, and the pages in `tests/web_captures`; nothing is typed in.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from paths import CAPTURES, TESTS, WEB_CAPTURES

from agent.hil.capture.form import GOLDEN
from agent.unit.model_names import base_key, model_key, short_model
from agent.unit.nameplate import Nameplate, shipped_catalogue

HEAD: Final = """# Models and firmware: recorded, documented, assumed

Written by `pytest tests/docs --update-golden` from the captures, their golden readings and the catalogue. Do not edit.

- **Recorded**: replies of such a unit are in `tests/captures`. What is read of them is held by a test.
- **Documented**: public sources give its boards and chips. It is read like the recorded units of its family.
- **Assumed**: no source gives its boards. It is read by what its replies say of themselves.

A unit that is missing here, or reads wrongly: `hashsight record` it, and attach the folder to an issue.
"""
GOLDEN_READINGS: Final = TESTS / "golden"
FIRMWARE: Final[Mapping[str, str]] = {
    "stock": "stock",
    "luxos": "LuxOS",
    "braiins": "Braiins OS",
    "bosminerplus": "BOSminer+",
    "vnish": "VNish",
    "hiveon": "Hiveon",
    "rwglr": "rwglr",
    "asicseer": "asicseer",
    "epic": "ePIC",
    "pitbit": "PitBit",
}
MISSING: Final = """## What was never recorded

`hashsight record` of one such unit settles it. Until then, what its reader makes of it is documented or assumed.

| Firmware | Missing | So |
|---|---|---|
| LuxOS | a unit asleep or waking; an S21; one with a board missing | `config` tells sleep, as documented |
| Braiins OS | `devs`, `temps` and `tunerstatus` of an S19 or S21; a paused unit | read as of the S9 and the BMM 100 |
| VNish | a unit stopped, or with a board gone, on 4028 | `state` tells, as documented |
| ePIC | `/summary` of a unit that idles or starts; an S21; the head of an answer | states as documented or assumed |
| Hiveon | `stats`, `summary`, `devs`, `pools` of an S19 or S21, whole | read as stock firmware, which it imitates |

Of Hiveon there are `stats` of an S9, and of an S19j Pro `version` and the beginning of `stats`. MARA and PitBit are not
read: what answers on 4028 was not recorded.
"""
CONTRAST: Final = "other-"
_UNIT_FIGURES: Final = (
    ("uptime_s", "uptime"),
    ("mode", "mode"),
    ("hashrate_5s_hs", "rate"),
    ("stand_in_hs", "rate of unknown window"),
    ("hashrate_30m_hs", "30 min"),
    ("hashrate_avg_hs", "average"),
    ("hashrate_ideal_hs", "ideal"),
    ("hashrate_sale_hs", "bin sold"),
    ("fan_rpm", "fans"),
    ("shares", "shares"),
    ("pools", "pools"),
)
_BOARD_FIGURES: Final = (
    ("hashrate_hs", "rate"),
    ("chips", "chips"),
    ("bad_chips", "bad chips"),
    ("frequency_hz", "clock"),
    ("chip_celsius", "chip C"),
    ("pcb_celsius", "board C"),
    ("coolant_celsius", "coolant C"),
    ("hw_errors", "errors"),
    ("serial", "serial"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One capture with a golden reading.

    Attributes:
        name: Of its folder.
        firmware: As people name it.
        first: Its golden reading of the first look.
    """

    name: str
    firmware: str
    first: Mapping[str, Any]

    @property
    def model(self) -> str:
        """The model that was read, without its firmware's mark, or that of the folder's name."""
        told = (self.first.get("identity") or {}).get("model")
        return short_model(told).partition(" (")[0].removesuffix(" Hiveon") if told else model_in(self.name)

    @property
    def is_asleep(self) -> bool:
        """True if the unit slept while it was recorded."""
        return self.first.get("mode") == "sleep"


def firmware_of(name: str) -> str:
    """Return the firmware in a folder's name.

    Raises:
        StopIteration: It names none of `FIRMWARE`.
    """
    return next(words for key, words in FIRMWARE.items() if key in name.split("-"))


def model_in(name: str) -> str:
    """Return the model in a folder's name, spelled as in the catalogue if that has it."""
    parts = name.removeprefix(CONTRAST).split("-")
    own = "".join(parts[: next(at for at, part in enumerate(parts) if part in FIRMWARE)])
    spelled = {_letters(model): model for model in shipped_catalogue().models()}
    return spelled.get(own) or own.upper() or "not told"


def recorded() -> list[Recorded]:
    """Return every capture with a golden reading: by model, firmware and name, the contrast last."""
    found = []
    for golden in CAPTURES.glob(f"*/{GOLDEN}"):
        name = golden.parent.name
        found.append(Recorded(name=name, firmware=firmware_of(name), first=json.loads(golden.read_bytes())["first"]))
    for folder in WEB_CAPTURES.iterdir():
        # Pages of firmware that is read over HTTP; those of other firmware have no golden poll.
        poll = GOLDEN_READINGS / f"{folder.name}.poll.json"
        if poll.exists():
            found.append(
                Recorded(name=folder.name, firmware=firmware_of(folder.name), first=json.loads(poll.read_bytes()))
            )
    return sorted(found, key=lambda each: (each.name.startswith(CONTRAST), each.model, each.firmware, each.name))


def fields_of(first: Mapping[str, Any], *, is_cut: bool = False) -> str:
    """Return which figures a golden reading has, or why there is none."""
    if "error" in first:
        return "not read: its publisher cut it" if is_cut else f"not read: {first['error']}"
    boards: Sequence[Mapping[str, Any]] = first.get("boards", ())
    told = [words for key, words in _UNIT_FIGURES if _is_told(first.get(key))]
    of_board = [words for key, words in _BOARD_FIGURES if any(_is_told(board.get(key)) for board in boards)]
    if boards:
        told.append(f"{len(boards)} boards ({', '.join(of_board)})" if of_board else f"{len(boards)} boards")
    return ", ".join(told) or "identity alone"


def power_of(first: Mapping[str, Any]) -> str:
    """Return where the watts of a recorded unit come from."""
    if first.get("power_watts") is not None:
        return f"{first['power_kind']}, {first['power_watts']:,.0f} W"
    return "told, and refuted" if "watts_refuted" in first.get("repairs", ()) else "not told"


def document() -> str:
    """Return the content of `docs/supported.md`."""
    return "\n".join((HEAD, *_recorded_table(), "", *_firmware_table(), "", MISSING, *_catalogue_table(), ""))


def _letters(model: str) -> str:
    return "".join(sign for sign in model.casefold().replace("+", "plus") if sign.isalnum())


def _is_told(value: Any) -> bool:
    if isinstance(value, list):
        return any(each is not None for each in value)
    return value is not None


def _recorded_table() -> Iterator[str]:
    yield "## Recorded units"
    yield ""
    yield "| Model | Firmware | Capture | Reader | Read | Power |"
    yield "|---|---|---|---|---|---|"
    for each in recorded():
        reader = each.first.get("reader", "-")
        is_cut = any("truncated" in path.name for path in (CAPTURES / each.name).glob("*"))
        fields = f"{'asleep: ' if each.is_asleep else ''}{fields_of(each.first, is_cut=is_cut)}"
        yield f"| {each.model} | {each.firmware} | `{each.name}` | {reader} | {fields} | {power_of(each.first)} |"
    yield ""
    pages = sorted(path.name for path in WEB_CAPTURES.iterdir() if path.is_dir())
    yield f"Pages of these are in `tests/web_captures`: {', '.join(f'`{name}`' for name in pages)}."


def _firmware_table() -> Iterator[str]:
    yield "## Firmware"
    yield ""
    yield "Power that a unit does not tell is metered, or modelled from its nameplate and labelled so."
    yield ""
    yield "| Firmware | Recorded on | Read by | Power |"
    yield "|---|---|---|---|"
    every = recorded()
    pages = {firmware_of(path.name) for path in WEB_CAPTURES.iterdir() if path.is_dir()}
    for words in FIRMWARE.values():
        own = [each for each in every if each.firmware == words]
        models = ", ".join(sorted({each.model for each in own})) or ("pages alone" if words in pages else "nothing")
        readers = ", ".join(sorted({str(each.first["reader"]) for each in own if "reader" in each.first})) or "nobody"
        kinds = sorted({str(each.first["power_kind"]) for each in own if each.first.get("power_kind")})
        yield f"| {words} | {models} | {readers} | {', '.join(kinds) or 'not told'} |"


def _catalogue_table() -> Iterator[str]:
    yield "## Stock firmware, by model of the catalogue"
    yield ""
    yield "Builds of 2026 tell an estimate of their power. Of others, without a meter:"
    yield ""
    yield "| Model | TH/s | Known | Cooling | Power without a meter |"
    yield "|---|---|---|---|---|"
    stock = [each for each in recorded() if each.firmware == "stock" and "error" not in each.first]
    own = {base_key(each.model) for each in stock}
    awake = {base_key(each.model) for each in stock if not each.is_asleep}
    for model, plates in _by_model().items():
        first = plates[0]
        known = "assumed" if first.boards is None or first.chips_per_board is None else "documented"
        key = base_key(model)
        known = "recorded" if key in awake else "recorded asleep" if key in own else known
        bins = ", ".join(f"{plate.hashrate_hs / 1e12:g}" for plate in plates)
        rated = sum(plate.power_watts is not None for plate in plates)
        power = "modelled" if rated == len(plates) else f"modelled for {rated} of {len(plates)} bins"
        cooling = first.cooling if first.cooling != "hydro" else f"hydro, coolant: {first.layout.replace('_', ' ')}"
        yield f"| {model} | {bins} | {known} | {cooling} | {power if rated else 'none: no rating is known'} |"


def _by_model() -> dict[str, list[Nameplate]]:
    found: dict[str, list[Nameplate]] = {}
    for plate in sorted(shipped_catalogue(), key=lambda plate: (model_key(plate.model), -plate.hashrate_hs)):
        found.setdefault(plate.model, []).append(plate)
    return found
