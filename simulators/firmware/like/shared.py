"""Counters of shares in recorded replies, of the unit and of each of its pools."""

from collections.abc import Callable
from typing import Final

from simulators.firmware.antminer.pools import Pool
from simulators.firmware.like.sketch import Sketch, Slot
from simulators.firmware.like.tokens import Leaf
from simulators.firmware.like.view import View

_OF_UNIT: Final[dict[str, Callable[[View], float]]] = {
    "Accepted": lambda view: view.shares.accepted,
    "Rejected": lambda view: view.shares.rejected,
    "Stale": lambda view: view.shares.stale,
    "Difficulty Accepted": lambda view: view.shares.accepted * view.shares.difficulty,
    "Difficulty Rejected": lambda view: view.shares.rejected * view.shares.difficulty,
    "Difficulty Stale": lambda view: view.shares.stale * view.shares.difficulty,
}
_OF_POOL: Final[dict[str, Callable[[Pool], float]]] = {
    **dict.fromkeys(("Accepted", "accepted"), lambda pool: pool.accepted),
    **dict.fromkeys(("Rejected", "rejected"), lambda pool: pool.rejected),
    **dict.fromkeys(("Stale", "stale"), lambda pool: pool.stale),
    **dict.fromkeys(("Difficulty Accepted", "diffa"), lambda pool: pool.accepted * pool.difficulty),
    **dict.fromkeys(("Difficulty Rejected", "diffr"), lambda pool: pool.rejected * pool.difficulty),
    **dict.fromkeys(("Difficulty Stale", "diffs"), lambda pool: pool.stale * pool.difficulty),
    **dict.fromkeys(("Last Share Difficulty", "lsdiff"), lambda pool: pool.difficulty if pool.accepted else 0),
    **dict.fromkeys(("Best Share", "bestshare"), lambda pool: pool.best_share),
}
_MAX_POOLS = 2  # Those that simulated shares go to.


def slot_of(leaf: Leaf, name: str, sketch: Sketch) -> Slot | None:
    """Return the slot of a count of shares, or of what a pool says; None if it is none."""
    if sketch.is_pool(leaf):
        return _of_pool(leaf, name, sketch)
    if sketch.is_of_a_board(leaf):
        return None
    figure = _OF_UNIT.get(name)
    if figure is not None:
        return sketch.printed(leaf, figure)
    recorded = sketch.value(leaf)
    if name == "Utility" and recorded:
        return sketch.printed(leaf, lambda view: view.shares.accepted / max(1.0, view.elapsed_s / 60.0))
    return None


def _of_pool(leaf: Leaf, name: str, sketch: Sketch) -> Slot | None:
    place = next((step for step in leaf.path if isinstance(step, int)), _MAX_POOLS)
    row = sketch.row(leaf)
    url = row.get("URL", row.get("url"))
    if place >= _MAX_POOLS or not isinstance(url, str) or not url:
        return None
    figure = _OF_POOL.get(name)
    if figure is not None:
        return sketch.printed(leaf, lambda view: figure(view.pools[place]))
    if name in ("Status", "status") and leaf.value in ("Alive", "Dead"):
        raw = leaf.raw
        return lambda view: f'"{view.pools[place].status}"' if view.pools[place].url else raw
    if name in ("Last Share Time", "lstime") and isinstance(leaf.value, str):
        return lambda view: f'"{_age(view.pools[place])}"'
    return _stratum(leaf, name, url, place)


_HIJACKED: Final = {**dict.fromkeys(("URL", "url"), "url"), **dict.fromkeys(("User", "user"), "user")}


def of_first_pool(leaf: Leaf, name: str, sketch: Sketch, usual: Slot | None) -> Slot | None:
    """Return the slot of the first pool's URL or user, which a hijacker replaces; `usual` for any other value."""
    field = _HIJACKED.get(name)
    place = next((step for step in leaf.path if isinstance(step, int)), _MAX_POOLS)
    if field is None or place or not sketch.is_pool(leaf):
        return usual
    raw = leaf.raw

    def show(view: View) -> str:
        hijack = view.unit.conditions.hijack
        if hijack is not None:
            return f'"{hijack.url if field == "url" else hijack.user}"'
        return raw if usual is None else usual(view)

    return show


def _stratum(leaf: Leaf, name: str, url: str, place: int) -> Slot | None:
    if name == "Stratum Active" and isinstance(leaf.value, bool):
        return lambda view: "true" if view.pools[place].is_active else "false"
    if name == "Stratum URL":
        shown = leaf.value or url.rpartition("//")[2].partition(":")[0]
        return lambda view: f'"{shown}"' if view.pools[place].is_active else '""'
    return None


def _age(pool: Pool) -> str:
    if not pool.accepted:
        return "0"
    minutes, seconds = divmod(pool.age_s, 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
