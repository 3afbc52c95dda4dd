"""A proposal's file as a person gives it back, perhaps from a spreadsheet. Pure."""

from collections.abc import Callable
from typing import Final

from agent.address import parse_endpoint, parse_mac
from agent.config.mistakes import Mistakes
from agent.hil.scan.proposal import EXTRA_COLUMNS, Proposed
from agent.site.ledger.cells import API_PORT, parse_hashrate_hs
from agent.site.ledger.table import header_of, raise_all, read_table

_TELLING: Final = ("guessed", "source")
# Cells that differences are made of: one with a mistake would make its row useless.
_CHECKED: Final[dict[str, Callable[[str], object]]] = {
    "hashrate_th": parse_hashrate_hs,
    "host": lambda cell: parse_endpoint(cell, default_port=API_PORT),
    "mac": parse_mac,
    "serial": str.casefold,
    "unit_id": str,
}
_ONCE: Final = frozenset(_CHECKED) - {"hashrate_th"}


def is_proposal(text: str) -> bool:
    """Return True if a table has the columns that only proposals have."""
    return set(_TELLING) <= set(header_of(text, extra=EXTRA_COLUMNS))


def read_proposed(text: str, file: str) -> tuple[Proposed, ...]:
    """Return the rows of a proposal. Of their values, only bin, address and MAC address are checked.

    Args:
        text: As `agent.site.ledger.table.read_table` takes it.
        file: Its name in messages.

    Raises:
        ConfigError: With every malformed row, every row without an address, every value with a mistake, and every
            unit or address that is named twice.
    """
    mistakes = Mistakes(file)
    rows = []
    first: dict[tuple[str, object], int] = {}
    for line, cells in read_table(text, file, extra=EXTRA_COLUMNS).rows:
        if not cells.get("host"):
            mistakes.add(f"line {line}, column host", "", "an address is expected")
        for column, parse in _CHECKED.items():
            cell = cells.get(column)
            if not cell:
                continue
            try:
                value = parse(cell)
            except ValueError as error:
                mistakes.add(f"line {line}, column {column}", cell, str(error))
                continue
            before = first.setdefault((column, value), line)
            if column in _ONCE and before != line:
                mistakes.add(f"line {line}, column {column}", cell, f"also on line {before}; a proposal has it once")
        given = {**dict.fromkeys(("model", "hashrate_th", "host"), ""), **cells}
        rows.append(Proposed(**{**given, "guessed": tuple(cells.get("guessed", "").split())}))  # type: ignore[arg-type]
    raise_all(mistakes)
    return tuple(rows)
