"""One capture held against its own golden reading, and one unit against what every unit must do. Pure."""

import json
from typing import Any

import msgspec

from agent.hil.capture.form import Capture
from agent.hil.capture.golden import golden_of
from agent.hil.verify.checks.catalogue import ESSENTIAL, verdicts_of
from agent.hil.verify.differences import Difference, Kind, Verification, in_order
from agent.hil.verify.meaning import flat
from agent.hil.verify.observed import shown
from agent.hil.verify.verdict import Outcome, Verdict


def held_to_golden(capture: Capture, golden: dict[str, Any]) -> Verification:
    """Return how today's reading of a capture differs from its golden one. The bytes are the same, so all of it counts.

    A check that the capture breaks is a note: its golden reading was reviewed.
    """
    today: dict[str, Any] = json.loads(golden_of(capture))
    differences: list[Difference] = []
    for moment in dict.fromkeys((*golden, *today)):
        was, reads = dict(flat(golden.get(moment))), dict(flat(today.get(moment)))
        differences += [
            Difference(
                kind=Kind.FIGURE,
                path=f"reading {moment}: {path}" if path else f"reading {moment}",
                first=shown(was[path]) if path in was else None,
                second=shown(reads[path]) if path in reads else None,
                changes_meaning=True,
                why="the same bytes read otherwise",
            )
            for path in dict.fromkeys((*was, *reads))
            if was.get(path, _ABSENT) != reads.get(path, _ABSENT)
        ]
    verdicts = verdicts_of(capture)
    differences += [_broken(verdict, is_meaning=False) for verdict in verdicts if verdict.outcome is Outcome.BROKEN]
    return Verification(
        first=f"golden reading of {capture.name}",
        second=capture.name,
        differences=in_order(differences),
        verdicts=verdicts,
        compared=tuple(today),
    )


def held_to_checks(capture: Capture, *, left_out: tuple[str, ...] = ()) -> Verification:
    """Return what a unit breaks of what every unit must do."""
    verdicts = verdicts_of(capture)
    broken = [
        _broken(verdict, is_meaning=verdict.check in ESSENTIAL)
        for verdict in verdicts
        if verdict.outcome is Outcome.BROKEN
    ]
    return Verification(
        first="what a unit must do",
        second=capture.name,
        differences=in_order(broken),
        verdicts=verdicts,
        left_out=left_out,
    )


class _Absent(msgspec.Struct, frozen=True):
    """A path that a reading has not."""


_ABSENT = _Absent()


def _broken(verdict: Verdict, *, is_meaning: bool) -> Difference:
    finding, *others = verdict.findings
    more = f"; {len(others)} more" if others else ""
    return Difference(
        kind=Kind.CHECK,
        path=f"{verdict.check}: {finding.path}",
        first=finding.expected,
        second=finding.found,
        changes_meaning=is_meaning,
        why=("the agent's figures rest on it" if verdict.check in ESSENTIAL else "the agent copes with it") + more,
    )
