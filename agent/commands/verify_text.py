"""The result of `hashsight verify`, in words."""

import re
from collections import Counter
from typing import Final

from agent.commands.machine_output import visible
from agent.commands.terminal import out
from agent.hil.verify.differences import Difference, Kind, Verification
from agent.hil.verify.verdict import Outcome

_AT: Final = re.compile(r"\[[0-9]+\]|(?<=[a-z])[1-4](?=$|[^0-9a-z])")
"""The position of a board or sensor in a path, in either dialect."""

_SHOWN: Final = {Outcome.HOLDS: "hold", Outcome.BROKEN: "broken", Outcome.UNANSWERED: "not answered"}


def print_verification(found: Verification, *, show_all: bool) -> None:
    """Print the differences, what was compared, and what could not be answered."""
    out.print(f"{found.second}, held against {found.first}", markup=False, soft_wrap=True)
    for line in found.compared:
        out.print(f"  {line}", markup=False, soft_wrap=True)
    meant = [difference for difference in found.differences if difference.changes_meaning]
    notes = [difference for difference in found.differences if not difference.changes_meaning]
    _print("These change what is read:", meant)
    shown = notes if show_all else [note for note in notes if note.kind is not Kind.NUMBER]
    _print("These change nothing:", shown)
    if len(shown) < len(notes):
        out.print(f"{len(notes) - len(shown)} numbers differ as two moments do (--all lists them)")
    for line in found.left_out:
        out.print(f"not compared: {visible(line)}", markup=False, soft_wrap=True)
    _print_checks(found)
    count = (
        f"{len(meant)} of {len(found.differences)} differences change" if found.differences else "no difference changes"
    )
    out.print(f"{count} what is read")


def _print(title: str, differences: list[Difference]) -> None:
    """Print differences, those of one kind and reason at like places as one."""
    if not differences:
        return
    out.print(f"\n{title}")
    alike: dict[tuple[str, ...], list[Difference]] = {}
    for each in differences:
        alike.setdefault((each.kind, _AT.sub("[]", each.path), _AT.sub("[]", each.why)), []).append(each)
    for (kind, *_), [each, *more] in alike.items():
        places = f" and {len(more)} more like it" if more else ""
        values = " -> ".join("none" if value is None else visible(value) for value in (each.first, each.second))
        out.print(f"  {kind}: {visible(each.path)}{places}", markup=False, soft_wrap=True)
        out.print(f"      {values} ({visible(each.why)})", markup=False, soft_wrap=True)


def _print_checks(found: Verification) -> None:
    counts = Counter(verdict.outcome for verdict in found.verdicts)
    if not counts:
        return
    words = ", ".join(f"{counts[outcome]} {_SHOWN[outcome]}" for outcome in Outcome if counts[outcome])
    out.print(f"\nchecks: {words}")
    for verdict in found.verdicts:
        if verdict.outcome is Outcome.UNANSWERED:
            out.print(f"  {verdict.check} is not answered: {visible(verdict.why)}", markup=False, soft_wrap=True)
