"""A scan in words: what answers, by kind, and what a person should look at before the proposal is a ledger."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich.markup import escape
from rich.table import Table

from agent.commands.ledger_text import counted
from agent.commands.machine_output import visible
from agent.commands.scan_units import together, unit_lines
from agent.commands.terminal import out
from agent.hil.scan.found import Found, Kind, address_order
from agent.hil.scan.probe import Tally
from agent.hil.scan.proposal import CHECK_LABEL, Proposal, Proposed
from agent.text.numbers import ABSENT

SHOWN = 20
NARROW = 60
"""Columns below which a table of three columns breaks its words."""


def print_scan(found: Sequence[Found], tally: Tally, proposal: Proposal, took_s: float, *, show_all: bool) -> None:
    """Print what a scan found.

    Args:
        found: The finds.
        tally: The counts of all addresses.
        proposal: The rows for the finds.
        took_s: How long it took, s.
        show_all: List every unit.
    """
    rows = {row.source: row for row in proposal.rows}
    units = [(each, rows[str(each.endpoint)]) for each in found if each.kind is Kind.IDENTIFIED]
    if units:
        out.print(_kinds(units))
        out.print()
        if show_all:
            by_source = {str(each.endpoint): each for each, _ in units}
            for row in proposal.rows:
                for line in unit_lines(by_source[row.source], row):
                    out.print(line, markup=False, soft_wrap=True)
            out.print()
    others = [each for each in found if each.kind is Kind.UNIDENTIFIED]
    others.sort(key=lambda each: address_order(each.endpoint))
    if others:
        _print_others(others if show_all else others[:SHOWN], of=len(others))
        out.print()
    for line in filter(None, (together(each for each, _ in units), *_notes(proposal))):
        out.print(line, markup=False, soft_wrap=True)
    no_route = f" ({tally.no_route:,} without a route)" if tally.no_route else ""
    deep = f"; pyasic alone identifies {tally.deep:,}" if tally.deep else ""
    out.print(
        f"{tally.addresses:,} addresses in {took_s:,.1f} s: {tally.identified:,} identified, "
        f"{tally.unidentified:,} answer and are not identified, {tally.refused:,} refuse, "
        f"{tally.silent:,} silent{no_route}{deep}",
        markup=False,
        soft_wrap=True,
    )


def _kinds(units: Iterable[tuple[Found, Proposed]]) -> Table:
    """Return the units counted by model, bin and firmware."""
    kinds = Counter(
        (row.model, row.hashrate_th, "hashrate_th" in row.guessed, each.firmware_line or "") for each, row in units
    )
    table = Table(title="units", title_justify="left", box=None, padding=(0, 1, 0, 0))
    for column in ("units", "model", "bin, TH/s", "firmware"):
        table.add_column(column, overflow="fold", justify="right" if column == "units" else "left")
    for (model, bin_th, is_guess, line), count in sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0])):
        shown_bin = f"{bin_th or ABSENT}{' (guessed)' if is_guess and bin_th else ''}"
        table.add_row(f"{count:,}", escape(model or ABSENT), shown_bin, escape(line or ABSENT))
    return table


def _print_others(others: Iterable[Found], *, of: int) -> None:
    """Print what answers and was not identified: a table, or on a narrow terminal two lines each."""
    shown = list(others)
    more = f", {len(shown)} of {of}" if len(shown) < of else ""
    title = f"answer, and are not identified{more}"
    rows = [
        (str(each.endpoint), each.looks_like or ABSENT, visible(each.first_bytes or each.error or ABSENT))
        for each in shown
    ]
    if out.width < NARROW:
        out.print(title, markup=False, soft_wrap=True)
        for address, looks_like, text in rows:
            out.print(f"{address} {looks_like}\n  {text}", markup=False, soft_wrap=True)
        return
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for column in ("address", "looks like", "first bytes or error"):
        table.add_column(column, overflow="fold", no_wrap=column == "address")
    for cells in rows:
        table.add_row(*map(escape, cells))
    out.print(table)


def _notes(proposal: Proposal) -> Iterator[str]:
    """Yield what a person should look at before taking the rows over."""
    yield from proposal.clashes
    guessed = sum("hashrate_th" in row.guessed and bool(row.hashrate_th) for row in proposal.rows)
    if guessed:
        yield (
            f"guessed: the bin of {counted(guessed, 'unit')}, from the firmware's ideal rate;"
            " compare a few with the label on the machine"
        )
    profiles = sum(CHECK_LABEL in row.note for row in proposal.rows)
    if profiles:
        yield (
            f"of these, {profiles:,} are guessed from a running profile, which may be far from the label:"
            " compare each of them"
        )
    blank = sum(not row.hashrate_th or not row.model for row in proposal.rows)
    if blank:
        yield f"to fill in: {counted(blank, 'unit')} without a model or a bin"
    nameless = sum(not row.mac and not row.serial for row in proposal.rows)
    if nameless:
        yield (
            f"without identity: {counted(nameless, 'unit')}, whose page was not read or has no MAC address and no"
            " serial"
        )
    yield from proposal.missing_models
