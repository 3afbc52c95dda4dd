"""A ledger and a scan's proposal: their differences, printed, and those chosen, imported."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from agent.commands.ledger_changes import change
from agent.commands.ledger_site import LedgerSite
from agent.commands.ledger_text import counted
from agent.commands.machine_output import visible, write_json_rows, write_lines
from agent.commands.place_rules import with_places
from agent.commands.terminal import err, out
from agent.files.workbook import read_table
from agent.hil.places.rules import Rule
from agent.hil.review.applying import apply_changes
from agent.hil.review.changes import Change, changes
from agent.hil.review.kinds import IMPORTABLE, KIND_WORDS, Kind
from agent.hil.review.reading import is_proposal, read_proposed
from agent.hil.scan.proposal import Proposal, Proposed
from agent.site.ledger.compare import cells_of
from agent.site.ledger.entries import LedgerEntry
from agent.site.ledger.file import MAX_LEDGER_BYTES, ledger_text


def is_proposal_file(path: Path) -> bool:
    """Return True if a file is a scan's proposal.

    Raises:
        ConfigError: It cannot be read.
    """
    return is_proposal(read_table(path, max_bytes=MAX_LEDGER_BYTES, column="unit_id"))


def diff_proposal(site: LedgerSite, path: Path, *, as_json: bool) -> None:
    """Print the differences between the ledger in force and a proposal."""
    rows = read_proposed(read_table(path, max_bytes=MAX_LEDGER_BYTES, column="unit_id"), str(path))
    entries = _in_force(site)
    found = changes(entries, rows)
    if as_json:
        write_json_rows(_fields(each, site) for each in found)
        return
    width = max((len(each.kind) for each in found), default=0)
    write_lines(visible(f"{each.kind:<{width}}  {each.unit_id}: {each.text}") for each in found)
    counts = Counter(each.kind for each in found)
    out.print(
        f"{counted(len(entries), 'unit')} in the ledger, {len(rows):,} in the proposal; differences: {len(found):,}"
    )
    for kind in Kind:
        if counts[kind]:
            out.print(f"  {counts[kind]:>6,}  {kind}: {KIND_WORDS[kind]}", soft_wrap=True)
    guesses = [each for each in found if each.is_guess]
    if guesses:
        _note(f"{counted(len(guesses), 'bin')} guessed from an ideal rate; compare with labels, then import --guessed")
    certain = {each.kind for each in found if not each.is_guess}
    importable = [kind for kind in IMPORTABLE if kind in certain and kind is not Kind.GONE]
    if importable:
        kinds = " ".join(f"--kind {kind}" for kind in importable)
        out.print(
            f"to import them: hashsight ledger import {path} --config {site.config_file} {kinds}".rstrip(),
            markup=False,
            soft_wrap=True,
        )


def import_proposal(
    site: LedgerSite,
    path: Path,
    *,
    text: str,
    kinds: Sequence[Kind] | None,
    rules: Sequence[Rule],
    moment: str,
    command: Sequence[str],
    with_guesses: bool,
    is_dry: bool,
    as_json: bool,
) -> None:
    """Import differences of chosen kinds, all or none, and say which others there are.

    Args:
        site: The ledger.
        path: The proposal, for messages.
        text: Its content.
        kinds: Which differences; None for new units alone.
        rules: Where units stand.
        moment: From when on, as in the ledger.
        command: The command's words, for the journal.
        with_guesses: Also import bins that the scan worked out.
        is_dry: Only print what would change.
        as_json: Print the changed rows as JSON.
    """
    rows = _placed(read_proposed(text, str(path)), rules)
    chosen = set(kinds or (Kind.NEW,))
    found = changes(_in_force(site, moment), rows)
    wanted = [each for each in found if each.kind in chosen]
    change(
        site,
        lambda draft: apply_changes(draft, wanted, moment, with_guesses=with_guesses),
        command,
        is_dry=is_dry,
        as_json=as_json,
    )
    guessed = [each for each in wanted if each.is_guess]
    if guessed and not with_guesses:
        _note(
            f"{counted(len(guessed), 'guessed bin')} not imported, such as that of {guessed[0].unit_id}; see --guessed"
        )
    others = Counter(each.kind for each in found if each.kind not in chosen)
    if others:
        listed = ", ".join(f"{count:,} {kind}" for kind, count in sorted(others.items()))
        _note(f"not imported: {listed}; see `hashsight ledger diff {path}`, and choose with --kind")


def _placed(rows: tuple[Proposed, ...], rules: Sequence[Rule]) -> tuple[Proposed, ...]:
    proposal = with_places(Proposal(rows, (), ()), rules)
    for clash in proposal.clashes:
        _note(clash)
    return proposal.rows


def _in_force(site: LedgerSite, moment: str | None = None) -> tuple[LedgerEntry, ...]:
    """Return the ledger's rows in force; none if there is no ledger yet."""
    text = ledger_text(site.file)
    if not text.strip():
        return ()
    ledger = site.rules.read(text, str(site.file), may_be_empty=True)
    return ledger.at(site.moment(moment, "--at"))


def _fields(each: Change, site: LedgerSite) -> dict[str, object]:
    return {
        "kind": each.kind,
        "unit_id": each.unit_id,
        "text": each.text,
        "is_guess": each.is_guess,
        "ledger": None if each.entry is None else cells_of(each.entry, site.zone),
        "proposal": None if each.row is None else each.row.cells,
        "would_set": each.cells,
    }


def _note(text: str) -> None:
    err.print(f"note: {text}", markup=False, soft_wrap=True)
