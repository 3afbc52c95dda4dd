"""A board's chips as its firmware maps them, with the bad ones crossed out."""

from agent.unit.reading import BoardReading

CHIPS_A_ROW = 27
"""S21 boards have 108 chips, T21 boards too: four whole rows."""
NAMED = 12
"""Of the bad chips, how many are named."""


def chip_map(board: BoardReading) -> str:
    """Return the map as a drawing with its words; an empty text where the firmware marks no chip as bad."""
    if not board.chip_map or not board.bad_chips:
        return ""
    bad = [index for index, mark in enumerate(board.chip_map) if mark == "x"]
    cells = "".join(_cell(index, is_bad=mark == "x") for index, mark in enumerate(board.chip_map))
    rows = -(-len(board.chip_map) // CHIPS_A_ROW)
    named = ", ".join(str(index + 1) for index in bad[:NAMED]) + (" and more" if len(bad) > NAMED else "")
    words = f"Board {board.slot}: {len(bad):,} of {len(board.chip_map):,} chips are marked bad, counted from 1: {named}"
    return (
        f'<figure class="chips"><figcaption>{words}</figcaption>'
        f'<svg viewBox="0 0 {CHIPS_A_ROW} {rows}" role="img" aria-label="{words}">{cells}</svg></figure>'
    )


def _cell(index: int, *, is_bad: bool) -> str:
    x, y = index % CHIPS_A_ROW + 0.1, index // CHIPS_A_ROW + 0.1
    if not is_bad:
        return f'<rect x="{x:g}" y="{y:g}" width=".8" height=".8"/>'
    cross = f'<path d="M{x:g} {y:g}l.8 .8m0-.8l-.8 .8"/>'
    return f'<rect class="bad" x="{x:g}" y="{y:g}" width=".8" height=".8"/>{cross}'
