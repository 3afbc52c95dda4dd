"""A scan in words: what answers, by kind, and what a person should look at before the proposal is a ledger."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich.markup import escape
from rich.table import Table

from agent.commands.machine_output import visible
from agent.commands.terminal import out
from agent.hil.scan.found import Found, Kind
from agent.hil.scan.probe import Tally
from agent.hil.scan.proposal import Proposal, Proposed
from agent.text.numbers import ABSENT, hashrate_text

SHOWN = 20


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
            order = {row.source: place for place, row in enumerate(proposal.rows)}
            out.print(_units(sorted(units, key=lambda unit: order[unit[1].source])))
            out.print()
    others = [each for each in found if each.kind is Kind.UNIDENTIFIED]
    if others:
        out.print(_others(others if show_all else others[:SHOWN], of=len(others)))
        out.print()
    for line in _notes(proposal):
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


def _units(units: Iterable[tuple[Found, Proposed]]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    for column in ("address", "model", "hashrate", "MAC", "serial"):
        table.add_column(column, overflow="fold", no_wrap=column not in {"model", "serial"})
    for each, row in units:
        reading, info = each.reading, each.info
        table.add_row(
            row.host,
            escape(row.model or ABSENT),
            hashrate_text(None if reading is None else reading.rate_hs),
            (None if info is None else info.mac) or ABSENT,
            escape((None if info is None else info.serial) or ABSENT),
        )
    return table


def _others(others: Iterable[Found], *, of: int) -> Table:
    shown = sorted(others, key=lambda each: each.host)
    more = f", {len(shown)} of {of}" if len(shown) < of else ""
    table = Table(title=f"answer, and are not identified{more}", title_justify="left", box=None, padding=(0, 1, 0, 0))
    for column in ("address", "looks like", "first bytes or error"):
        table.add_column(column, overflow="fold", no_wrap=column == "address")
    for each in shown:
        table.add_row(
            str(each.endpoint),
            escape(each.looks_like or ABSENT),
            escape(visible(each.first_bytes or each.error or ABSENT)),
        )
    return table


def _notes(proposal: Proposal) -> Iterator[str]:
    """Yield what a person should look at before taking the rows over."""
    yield from proposal.clashes
    guessed = sum("hashrate_th" in row.guessed and bool(row.hashrate_th) for row in proposal.rows)
    if guessed:
        yield (
            f"guessed: the bin of {guessed:,} units, from the firmware's ideal rate;"
            " compare a few with the label on the machine"
        )
    blank = sum(not row.hashrate_th or not row.model for row in proposal.rows)
    if blank:
        yield f"to fill in: {blank:,} units tell no model or no bin"
    nameless = sum(not row.mac and not row.serial for row in proposal.rows)
    if nameless:
        yield f"without identity: {nameless:,} units, whose page was not read or tells no MAC address and no serial"
    yield from proposal.missing_models
