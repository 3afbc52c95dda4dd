"""The units in pictures of `hashsight top`: a row each, in the columns that the terminal has room for. No I/O."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.text import Text

from agent.commands.machine_output import visible
from agent.commands.top_answers import Answers, Unit
from agent.commands.top_state import View
from agent.commands.top_table import NARROW_COLUMNS, Column, header, line, row
from agent.text.numbers import duration_text, hashrate_text, ratio_text

WIDE_COLUMNS = 104
"""From this width on, units have their address and model."""


def unit_lines(view: View, answers: Answers, units: Sequence[Unit], columns: int) -> Iterable[Text]:
    """Yield the units' names of columns, and a row each; a narrow terminal has no room for place and hashrate."""
    is_wide, is_narrow = columns >= WIDE_COLUMNS, columns < NARROW_COLUMNS
    longest = max((cell_len(each.unit_id) for each in units), default=4)
    table = (
        Column("unit", min(max(longest, 4), columns // 3)),
        *((Column("address", 15),) if is_wide else ()),
        *(() if is_narrow else (Column("place", 14 if is_wide else 10),)),
        *((Column("model", 10),) if is_wide else ()),
        *(() if is_narrow else (Column("hashrate", 11, is_number=True),)),
        Column("short", 7, is_number=True),
        Column("why", 0),
    )
    first, total = answers.units.offset, answers.units.total
    span = f"{first + 1:,} to {first + len(units):,} of {total:,}" if units else "none"
    yield header(table, columns, f"{span}, by {view.order}")
    if not units:
        yield line("no unit fits the filters; x shows all", columns)
    for unit in units:
        share = unit.shortfall_hs / unit.nameplate_hs if unit.shortfall_hs is not None and unit.nameplate_hs else None
        cells = {
            "unit": visible(unit.unit_id),
            "address": visible(unit.host),
            "place": visible(" ".join(part for part in (unit.container, _rack(unit), unit.slot) if part)),
            "model": visible(unit.model),
            "hashrate": hashrate_text(unit.hashrate_hs),
            "short": ratio_text(share, 1),
            "why": visible(_why(unit)),
        }
        yield row(table, tuple(cells[column.name] for column in table), columns, _colour(unit))


def _rack(unit: Unit) -> str:
    """Return the rack's name without the container's, which stands before it."""
    rest = unit.rack.removeprefix(unit.container)
    return (
        rest[1:] if unit.container and rest != unit.rack and rest[:1] in set("-_./ ") and len(rest) > 1 else unit.rack
    )


def _why(unit: Unit) -> str:
    if unit.state is None:
        return "not asked yet"
    why = unit.why or ""
    words = why if why.startswith(unit.state) else f"{unit.state}: {why}" if why else unit.state
    since = f" for {duration_text(unit.state_age_s)}" if unit.state not in {"hashing", "maintenance"} else ""
    late = "not asked lately; " if unit.is_overdue else ""
    return f"{late}{words}{since if unit.state_age_s is not None else ''}{''.join(f'; {each}' for each in unit.also)}"


def _colour(unit: Unit) -> str:
    if unit.state in {"unreachable", "unreadable", "stopped"}:
        return "red"
    if unit.state in {"curtailed", "maintenance", "starting"}:
        return "cyan"
    return "yellow" if unit.shortfall_hs and unit.shortfall_hs > 0.1 * unit.nameplate_hs else ""
