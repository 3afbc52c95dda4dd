"""`--place`: rules read from a command line, and the rows of a proposal put in their places."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from agent.commands.terminal import err
from agent.files.text import read_text
from agent.hil.places.mac_table import read_places
from agent.hil.places.placing import place_rows
from agent.hil.places.rules import PARTS, Rule, read_rules
from agent.hil.scan.found import Found
from agent.hil.scan.proposal import Proposal, Proposed
from agent.site.ledger.entries import Place
from agent.site.ledger.file import MAX_LEDGER_BYTES

_SHOWN: Final = 5


def rules_of(texts: Sequence[str] | None, command: str) -> list[Rule]:
    """Return the rules of `--place`, in their order.

    Args:
        texts: As given; None for none.
        command: The command, in messages.

    Raises:
        ConfigError: With every mistake in them and in the files they name.
    """
    return read_rules(texts or (), read_places=_places_in, command=command)


def with_places(proposal: Proposal, rules: Sequence[Rule], found: Iterable[Found] = ()) -> Proposal:
    """Return a proposal with the places that rules give; units without one are named on the standard error.

    Args:
        proposal: As made by a scan, or read from its file.
        rules: In their order.
        found: The finds behind it, for the workers' names; none if only the file is left.
    """
    if not rules:
        return proposal
    placing = place_rows(proposal.rows, rules, {str(each.endpoint): _workers(each) for each in found})
    if placing.unplaced:
        shown = ", ".join(placing.unplaced[:_SHOWN]) + (", ..." if len(placing.unplaced) > _SHOWN else "")
        text = f"note: no --place rule fits {len(placing.unplaced):,} of {len(placing.rows):,} units: {shown}"
        err.print(text, markup=False, soft_wrap=True)
    return proposal._replace(rows=placing.rows, clashes=(*proposal.clashes, *placing.clashes))


def placed_cells(cells: Mapping[str, str], rules: Sequence[Rule]) -> dict[str, str]:
    """Return a table's row with the place that rules give it, by its address and MAC address."""
    row = Proposed(cells.get("unit_id", ""), "", "", cells.get("host", ""), mac=cells.get("mac", ""))
    (placed,) = place_rows([row], rules).rows
    place = {part: getattr(placed, part) for part in PARTS}
    return {**cells, **{part: name for part, name in place.items() if name}}


def _places_in(name: str) -> Mapping[str, Place]:
    path = Path(name)
    return read_places(read_text(path, max_bytes=MAX_LEDGER_BYTES), str(path))


def _workers(found: Found) -> tuple[str, ...]:
    """Return the user names at a unit's pools, the one in use first."""
    pools = () if found.reading is None else found.reading.pools
    in_order = sorted(pools, key=lambda pool: pool.is_active is not True)
    return tuple(dict.fromkeys(pool.user for pool in in_order if pool.user))
