"""Values of boards, fans and the whole hardware in a recorded `stats`, and what they follow."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from simulators.firmware.like.sketch import Sketch, Slot
from simulators.firmware.like.tokens import Leaf
from simulators.firmware.like.view import View

# A key with the number of a board, from 1.
_COLUMN: Final = re.compile(
    r"(?P<name>chain_rateideal|chain_rate|chain_acn|chain_acs|chain_hw|chain_consumption|freq_avg|freq"
    r"|temp_chip|temp_pcb|temp_pic|temp_in|temp_out|temp[0-9]*_|temp)(?P<board>[1-9])"
)
_FAN: Final = re.compile(r"fan([1-9])")
_TEMPERATURES: Final = frozenset({"temp_chip", "temp_pcb", "temp_pic", "temp_in", "temp_out", "temp"})
_NEAR = 2e-4


def slot_of(leaf: Leaf, name: str, sketch: Sketch) -> Slot | None:
    """Return the slot of a value of the hardware; None if it is none."""
    fan = _FAN.fullmatch(name)
    recorded = sketch.value(leaf)
    if fan is not None or (name == "fan" and isinstance(leaf.path[-1], int)):
        number = int(fan[1]) - 1 if fan is not None else int(leaf.path[-1])
        return sketch.printed(leaf, lambda view: view.rpm(number, recorded)) if recorded else None
    column = _COLUMN.fullmatch(name)
    if column is not None:
        return _of_board(leaf, column["name"], int(column["board"]) - 1, sketch)
    if "chain" in leaf.path:
        at = leaf.path[leaf.path.index("chain") + 1]
        if isinstance(at, int):
            return _of_board(leaf, _CHAIN_NAMES.get(name, name), sketch.place(leaf, at), sketch)
    return _of_all(leaf, name, sketch)


_CHAIN_NAMES: Final = {
    "rate_real": "chain_rate",
    "rate_ideal": "chain_rateideal",
    "asic_num": "chain_acn",
    "asic": "chain_acs",
    "hw": "chain_hw",
    "hwp": "hwp",
    "freq_avg": "freq",
    "watt": "chain_consumption",
}


def _of_board(leaf: Leaf, name: str, place: int, sketch: Sketch) -> Slot | None:
    """Return the slot of a board's value; a position without a board, and an empty text, stay as recorded."""
    if place not in sketch.boards or leaf.value in ("", None):
        return None
    is_temperature = name in _TEMPERATURES or re.fullmatch(r"temp[0-9]*_", name) is not None
    make = temperature if is_temperature else _OF_BOARD.get(name)
    slot = None if make is None else make(leaf, place, sketch)
    unused = sketch.unused(name)
    if slot is None or unused is None:
        return slot
    show = slot
    return lambda view: show(view) if view.boards[place] is not None else unused


def _ideal(leaf: Leaf, _place: int, sketch: Sketch) -> Slot | None:
    recorded = sketch.value(leaf) or 0.0
    return sketch.printed(leaf, lambda view: recorded if view.clock == 1.0 else int(recorded * view.clock))


def _clock(leaf: Leaf, place: int, sketch: Sketch) -> Slot | None:
    recorded = sketch.value(leaf) or 0.0
    return sketch.printed(leaf, lambda view: recorded * view.clock if view.up(place) else 0.0)


def _chips(leaf: Leaf, place: int, sketch: Sketch) -> Slot | None:
    return sketch.printed(leaf, lambda view: 0 if (board := view.boards[place]) is None else board.chips)


def _hw(leaf: Leaf, place: int, sketch: Sketch) -> Slot | None:
    return sketch.printed(leaf, lambda view: view.hw_errors(place))


def _hwp(leaf: Leaf, place: int, sketch: Sketch) -> Slot | None:
    return _errors_ratio(leaf, sketch, lambda view: view.hw_errors(place), boards=len(sketch.boards))


def _watts(leaf: Leaf, place: int, sketch: Sketch) -> Slot | None:
    """Return the slot of a board's power. Assumed (A158): the boards' add up to that at the wall."""

    def share(view: View) -> float:
        up = sum(1 for each in view.recorded.boards if view.up(each))
        return view.snapshot.power_watts / up if view.up(place) else 0.0

    return sketch.printed(leaf, share) if sketch.value(leaf) else None


def _board_rate(leaf: Leaf, place: int, sketch: Sketch) -> Slot | None:
    """Return the slot of a board's rate: a share of whichever rate of the unit the recorded boards add up to."""
    factor = sketch.board_factor(leaf)
    if factor is None:
        return None
    if sketch.boards_add_up_to() == "average":
        return sketch.printed(leaf, lambda view: board_average(view, place) * factor)
    return sketch.printed(leaf, lambda view: 0.0 if (board := view.boards[place]) is None else board.ghs * factor)


def board_average(view: View, place: int) -> float:
    """Return a board's average since the start, GH/s."""
    board, now = view.boards[place], view.snapshot.ghs_5s
    return 0.0 if board is None or not now else board.ghs * view.snapshot.ghs_avg / now


def _chip_map(leaf: Leaf, place: int, _sketch: Sketch) -> Slot | None:
    """Return the slot of a map of chips. Documented (D30): ``x`` for a chip that does not answer."""
    recorded = leaf.raw
    whole = recorded.count("o")
    if not whole:
        return None

    def show(view: View) -> str:
        board = view.boards[place]
        if board is None or not board.chips:
            return '""'
        good = board.chips - board.marked
        if good >= whole:
            return recorded
        head, rest = recorded, whole - good
        at = len(head)
        letters = list(head)
        while rest > 0 and at > 0:
            at -= 1
            if letters[at] == "o":
                letters[at] = "x"
                rest -= 1
        return "".join(letters)

    return show


_OF_BOARD: Final[Mapping[str, Callable[[Leaf, int, Sketch], Slot | None]]] = {
    "chain_rate": _board_rate,
    "chain_rateideal": _ideal,
    "freq": _clock,
    "freq_avg": _clock,
    "chain_acn": _chips,
    "chain_acs": _chip_map,
    "chain_hw": _hw,
    "hwp": _hwp,
    "chain_consumption": _watts,
}


def temperature(leaf: Leaf, place: int, sketch: Sketch) -> Slot | None:
    """Return the slot of a sensor, or of a text of several: as recorded, and warmer or colder as the simulated board.

    A recorded 0 is a place without a sensor.
    """
    recorded = sketch.value(leaf)
    if recorded is not None:
        if not recorded:
            return None
        return sketch.printed(
            leaf, lambda view: 0.0 if (warmer := view.warmth(place)) is None else max(1.0, recorded + warmer)
        )
    if not isinstance(leaf.value, str) or not re.fullmatch(r"-?\d+(?:-\d+)*", leaf.value):
        return None
    sensors = [int(text) for text in leaf.value.split("-") if text]
    if not any(sensors):
        return None

    def show(view: View) -> str:
        warmer = view.warmth(place)
        now = [0 if warmer is None or not each else max(1, each + warmer) for each in sensors]
        return f'"{"-".join(map(str, now))}"'

    return show


def _errors_ratio(leaf: Leaf, sketch: Sketch, errors: Callable[[View], int], *, boards: int) -> Slot | None:
    """Return the slot of hardware errors in percent of nonces. Assumed (A21): one nonce per 1280 shares."""
    return sketch.printed(
        leaf,
        lambda view: (
            100.0 * errors(view) / max(1.0, view.snapshot.ghs_avg * 1e9 * view.elapsed_s / (2.0**32 * 1280.0 * boards))
        ),
    )


def _of_all(leaf: Leaf, name: str, sketch: Sketch) -> Slot | None:
    """Return the slot of a value of the whole hardware; a recorded 0 stays."""
    recorded = sketch.value(leaf)
    if name == "hwp_total":
        return _errors_ratio(leaf, sketch, lambda view: view.all_hw_errors, boards=1)
    if not recorded or sketch.is_of_a_board(leaf):
        return None
    if name in ("total rate", "total_rate"):
        return _total_rate(leaf, sketch)
    figure = _total(leaf, name, recorded, sketch)
    return None if figure is None else sketch.printed(leaf, figure)


def _total(leaf: Leaf, name: str, recorded: float, sketch: Sketch) -> Callable[[View], float] | None:
    boards, totals = len(sketch.boards), sketch.total("chain_acn")
    figures: dict[str, Callable[[View], float]] = {
        **dict.fromkeys(("no_matching_work", "Hardware Errors", "hw_all"), lambda view: view.all_hw_errors),
        **dict.fromkeys(("frequency", "total_freqavg"), lambda view: recorded * view.clock),
        # Observed (O30): the nameplate. Assumed (A95): 0 without a board.
        **dict.fromkeys(("total_rateideal", "rate_ideal"), lambda view: recorded if view.snapshot.ideal_ghs else 0.0),
    }
    if sketch.is_board_ideal(leaf):
        figures |= dict.fromkeys(("total_rateideal", "rate_ideal"), lambda view: recorded * view.clock)
    if recorded == totals:
        figures["total_acn"] = lambda view: sum(board.chips for board in view.snapshot.boards)
    if recorded == boards:
        figures["miner_count"] = lambda view: sum(1 for place in sketch.boards if view.up(place))
        figures["chain_num"] = lambda view: len(view.snapshot.boards)
    if boards:
        figures |= dict.fromkeys(
            ("temp_max", "Temperature", "Tenperature"),
            lambda view: max(0.0, recorded + max(_warmths(view), default=-round(recorded))),
        )
    return figures.get(name)


def _warmths(view: View) -> list[int]:
    return [warmer for place in view.recorded.boards if (warmer := view.warmth(place)) is not None]


def _total_rate(leaf: Leaf, sketch: Sketch) -> Slot | None:
    """Return the slot of a total: the rate that it was recorded to equal, or else a fixed part of the average."""
    recorded = sketch.value(leaf)
    five_s, average = sketch.rates
    if not recorded or not average:
        return None
    if five_s and abs(recorded - five_s) <= _NEAR * five_s:
        return sketch.printed(leaf, lambda view: view.snapshot.ghs_5s)
    # Observed (O83): on LuxOS it is the average of a board.
    ratio = next(
        (1.0 / n for n in (1, len(sketch.boards)) if n and abs(recorded * n - average) <= _NEAR * average), None
    )
    ratio = recorded / average if ratio is None else ratio
    return sketch.printed(leaf, lambda view: view.snapshot.ghs_avg * ratio)
