"""Which values of a recorded reply follow the simulated unit, and how; all others stay as recorded.

Values are known by their keys, in whichever reply they stand. A recorded 0 stays 0 where the firmware does not fill
the key, which a recording of a hashing unit shows.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from simulators.firmware.antminer.pools import best_share
from simulators.firmware.like import chain, listed, shared
from simulators.firmware.like.sketch import BOARD_LISTS, Sketch, Slot
from simulators.firmware.like.tokens import Leaf
from simulators.firmware.like.view import View, like_mac, like_serial, worker_of

_WINDOWS: Final[Mapping[str, Callable[[View], float]]] = {
    **dict.fromkeys(("GHS 5s", "MHS 5s", "rate_5s"), lambda view: view.snapshot.ghs_5s),
    **dict.fromkeys(("GHS av", "MHS av", "rate_avg", "GHS 24h", "MHS 24h"), lambda view: view.snapshot.ghs_avg),
    **dict.fromkeys(
        ("rate_30m", *(f"{unit} {window}" for unit in ("GHS", "MHS") for window in ("1m", "5m", "15m", "30m"))),
        lambda view: view.snapshot.ghs_30m,
    ),
}
_UPTIME: Final = frozenset({"Elapsed", "elapsed", "Device Elapsed"})
_COUNTERS: Final = frozenset(
    {"Getwork", "Getworks", "getworks", "Discarded", "discarded", "Local Work", "Network Blocks"}
)
_OWN: Final[Mapping[str, Callable[[View, str], str]]] = {
    "miner_id": lambda view, text: view.identity.miner_id[: len(text)],
    **dict.fromkeys(("serinum", "serial", "SerialNumber"), lambda view, _text: view.identity.serial),
    **dict.fromkeys(("macaddr", "mac", "MAC", "MACAddr"), lambda view, text: like_mac(text, view.identity.mac)),
    **dict.fromkeys(("ipaddress", "ip", "IPAddr"), lambda view, _text: view.identity.host),
    **dict.fromkeys(("user", "User"), lambda view, text: worker_of(text, view.identity.index)),
}
"""Names and numbers of a unit's own, by key: what stands in the place of a recorded text."""
_LONG_AGO_S = 172_800.0
_FIRST_EPOCH = 1_000_000_000


def slot_of(leaf: Leaf, sketch: Sketch, *, is_hashing: bool) -> Slot | None:
    """Return what prints the value in the place of a recorded one; None if it stays.

    Args:
        leaf: The recorded value.
        sketch: The reply that it is in.
        is_hashing: It was hashing, so that rates, clocks and temperatures follow the simulated unit.
    """
    name = sketch.key(leaf)
    slot = _identity(leaf, name, sketch) or _moment(leaf, name, sketch)
    if slot is not None:
        return slot
    if name in _UPTIME:
        # Observed (O62): asleep it stands at 1 on line A. Documented (D46): at 0 on C.
        is_counting = isinstance(leaf.value, int | float) and leaf.value > 1
        return sketch.printed(leaf, lambda view: view.elapsed_s) if is_counting or is_hashing else None
    if not is_hashing:
        return None
    return (
        listed.slot_of(leaf, name, sketch)
        or _rate(leaf, name, sketch)
        or chain.slot_of(leaf, name, sketch)
        or shared.slot_of(leaf, name, sketch)
        or _counter(leaf, name, sketch)
        or _whole_unit(leaf, name, sketch)
    )


def _identity(leaf: Leaf, name: str, sketch: Sketch) -> Slot | None:
    """Return the slot of a name or number that is the unit's own."""
    if not isinstance(leaf.value, str) or not leaf.value:
        return None
    text = leaf.value
    if name == "sn":
        board = next((step for step in reversed(leaf.path[:-1]) if isinstance(step, int)), 0)
        return lambda view: _quoted(like_serial(text, _board_serial(view, board)))
    if name == "SerialNumber" and sketch.has_lists and leaf.path[0] in BOARD_LISTS:
        place = sketch.listed_place(leaf)
        return lambda view: _quoted(like_serial(text, _board_serial(view, place)))
    own = _OWN.get(name)
    return shared.of_first_pool(leaf, name, sketch, None if own is None else lambda view: _quoted(own(view, text)))


def _board_serial(view: View, board: int) -> str:
    serials = view.identity.board_serials
    return serials[board % len(serials)]


def _moment(leaf: Leaf, name: str, sketch: Sketch) -> Slot | None:
    """Return the slot of a date near that of the reply: it stays as long before it as it was."""
    when = sketch.when
    if when is None or isinstance(leaf.value, bool) or not isinstance(leaf.value, int | float):
        return None
    if name not in ("When", "when") and not (
        leaf.value > _FIRST_EPOCH and abs(leaf.value - when) < _LONG_AGO_S and float(leaf.value).is_integer()
    ):
        return None
    ago = when - leaf.value
    return sketch.printed(leaf, lambda view: int(view.t) - ago)


def _rate(leaf: Leaf, name: str, sketch: Sketch) -> Slot | None:
    """Return the slot of the unit's rate over a window, in the power of a thousand that it was sent in."""
    window, factor = _WINDOWS.get(name), sketch.factor(leaf)
    if window is None or factor is None or sketch.is_of_a_board(leaf):
        return None
    return sketch.printed(leaf, lambda view: window(view) * factor)


def _counter(leaf: Leaf, name: str, sketch: Sketch) -> Slot | None:
    """Return the slot of a counter that runs with the time."""
    recorded = sketch.value(leaf)
    if name not in _COUNTERS or not recorded or not sketch.elapsed_s:
        return None
    per_second = recorded / sketch.elapsed_s
    return sketch.printed(leaf, lambda view: int(view.elapsed_s * per_second))


def _whole_unit(leaf: Leaf, name: str, sketch: Sketch) -> Slot | None:
    recorded = sketch.value(leaf)
    if name in ("miner-mode", "bitmain-work-mode") and recorded == 0:
        return sketch.printed(leaf, lambda view: view.snapshot.work_mode)
    if name in ("status", "code", "msg") and isinstance(leaf.path[-2], int) and "status" in leaf.path[:-1]:
        return _complaint(leaf, name, sketch)
    figure = _FIGURES.get(name)
    if not recorded or figure is None or not _fits(leaf, name, recorded, sketch):
        return None
    return sketch.printed(leaf, figure)


def _fits(leaf: Leaf, name: str, recorded: float, sketch: Sketch) -> bool:
    """Return True if a key of the whole unit means in this reply what it means in stock firmware."""
    row = sketch.row(leaf)
    elapsed, rate = _number(row.get("Elapsed")) or 0.0, _number(row.get("GHS av")) or 0.0
    if name == "Total MH":
        return bool(rate and elapsed) and 0.9 < recorded / (rate * elapsed * 1e3) < 1.1
    if name == "Work Utility":
        return 0.5 < recorded * elapsed / 60.0 / max(1.0, sketch.difficulty(leaf)) < 2.0
    return not sketch.is_pool(leaf)


def _complaint(leaf: Leaf, name: str, sketch: Sketch) -> Slot | None:
    """Return the slot of a kind of complaint in the summary of the new dialect."""
    kind = sketch.row(leaf).get("type")
    if not isinstance(kind, str):
        return None
    raw = leaf.raw
    if name == "msg":
        return lambda view: _quoted(view.codes[kind]) if kind in view.codes else raw
    wrong = '"e"' if name == "status" else "1"
    return lambda view: wrong if kind in view.codes else raw


def _joules_per_th(view: View) -> float:
    ghs = view.snapshot.ghs_5s
    return 1000.0 * round(view.snapshot.power_watts) / ghs if ghs else 0.0


_FIGURES: Final[Mapping[str, Callable[[View], float]]] = {
    **dict.fromkeys(("Best Share", "bestshare"), lambda view: best_share(view.identity.key, view.shares.work)),
    "watt": lambda view: view.snapshot.power_watts,
    "jt": _joules_per_th,
    "ambient_temp": lambda view: view.snapshot.ambient_celsius,
    "Total MH": lambda view: view.snapshot.ghs_avg * view.elapsed_s * 1e3,
    "Work Utility": lambda view: view.shares.work / max(1.0, view.elapsed_s / 60.0),
}


def _quoted(text: str) -> str:
    return f'"{text}"'


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
