"""A proposal's file as a person gives it back, perhaps from a spreadsheet. Pure."""

from typing import Final

from agent.config.mistakes import Mistakes
from agent.hil.scan.proposal import EXTRA_COLUMNS, Proposed
from agent.site.ledger.table import header_of, raise_all, read_table

_TELLING: Final = ("guessed", "source")


def is_proposal(text: str) -> bool:
    """Return True if a table has the columns that only proposals have."""
    return set(_TELLING) <= set(header_of(text))


def read_proposed(text: str, file: str) -> tuple[Proposed, ...]:
    """Return the rows of a proposal; the values of its cells are not checked.

    Args:
        text: As `agent.site.ledger.table.read_table` takes it.
        file: Its name in messages.

    Raises:
        ConfigError: With every malformed row, and every row without an address.
    """
    mistakes = Mistakes(file)
    rows = []
    for line, cells in read_table(text, file, extra=EXTRA_COLUMNS).rows:
        if not cells.get("host"):
            mistakes.add(f"line {line}, column host", "", "an address is expected")
        given = {**dict.fromkeys(("model", "hashrate_th", "host"), ""), **cells}
        rows.append(Proposed(**{**given, "guessed": tuple(cells.get("guessed", "").split())}))  # type: ignore[arg-type]
    raise_all(mistakes)
    return tuple(rows)
