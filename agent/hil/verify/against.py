"""Two units or captures side by side: replies by structure, readings by range, checks and timings. Pure."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from agent.errors import PollError
from agent.hil.capture.form import API_PAGE, Capture
from agent.hil.verify.checks.catalogue import ESSENTIAL, verdicts_of
from agent.hil.verify.differences import Difference, Kind, Verification, in_order
from agent.hil.verify.figures import differences_of_figures
from agent.hil.verify.meaning import Trial, is_private, meaning_of
from agent.hil.verify.observed import Observed, looks_of, restricted, shown
from agent.hil.verify.reply import Reply
from agent.hil.verify.structure import MISSING, Apart, applied, differences_of, layout_of, path_text, type_of
from agent.hil.verify.timing import differences_of_timings
from agent.hil.verify.verdict import Outcome, UnansweredError, Verdict
from agent.unit.cgminer import wire
from agent.unit.reading import Mode, UnitReading

MOST_TRIALS: Final = 2000
"""Differences of one pair of looks that are tried. Two replies of one kind of unit have a hundred."""


def held_against(first: Capture, second: Capture) -> Verification:
    """Return the differences of two captures, of which either may be a unit that was just looked at.

    Looks in the same state are held against each other, the first of each state. `first` is the reference: a check
    that it breaks as well is no difference.
    """
    is_redacted = first.manifest.is_redacted or second.manifest.is_redacted
    ones, others = _by_state(first), _by_state(second)
    differences: list[Difference] = []
    compared: list[str] = []
    left_out: list[str] = []
    for state in dict.fromkeys((*ones, *others)):
        one, other = ones.get(state), others.get(state)
        if one is not None and other is not None:
            compared.append(f"{state}: {one.name} with {other.name}")
            differences += _of_looks(one, other, left_out, is_redacted=is_redacted)
    if not compared:
        differences.append(
            Difference(
                kind=Kind.STATE,
                path="state",
                first=", ".join(ones),
                second=", ".join(others),
                changes_meaning=True,
                why="no look of the one is in a state of the other",
            )
        )
    left_out += [f"only {first.name} has a look that is {state}" for state in ones if state not in others]
    left_out += [f"only {second.name} has a look that is {state}" for state in others if state not in ones]
    verdicts = verdicts_of(second)
    differences += _of_verdicts(verdicts_of(first), verdicts)
    differences += differences_of_timings(first.timings, second.timings)
    return Verification(
        first=first.name,
        second=second.name,
        differences=in_order(differences),
        verdicts=verdicts,
        compared=tuple(compared),
        left_out=tuple(dict.fromkeys(left_out)),
    )


def state_of(read: UnitReading | PollError) -> str:
    """Return a look's state in one word: ``asleep``, ``hashing``, ``idle``, or the reason of a failed poll."""
    if isinstance(read, PollError):
        return read.reason
    if read.mode is Mode.SLEEP:
        return "asleep"
    return "hashing" if read.rate_hs else "idle"


def _by_state(capture: Capture) -> dict[str, Observed]:
    looks: dict[str, Observed] = {}
    for look in looks_of(capture):
        looks.setdefault(state_of(look.reading), look)
    return looks


def _of_looks(one: Observed, other: Observed, left_out: list[str], *, is_redacted: bool) -> Iterator[Difference]:
    left_out += [f"{request}: only {one.name} was asked" for request in one.replies if request not in other.replies]
    left_out += [f"{request}: only {other.name} was asked" for request in other.replies if request not in one.replies]
    # What one of them was not asked would make its reading another.
    asked = one.replies.keys() & other.replies.keys()
    first, second = restricted(one, asked), restricted(other, asked)
    trial = Trial(first)
    trials = MOST_TRIALS
    for request, reply in first.replies.items():
        for difference in _of_replies(trial, first, second, reply, second.replies[request], is_redacted=is_redacted):
            trials -= 1
            yield difference
            if not trials:
                left_out.append(f"more than {MOST_TRIALS} differences of one look")
                return
    # A figure that a key, type or text already explains is named there.
    known = trial.explained
    figures = {path: value for path, value in meaning_of(second.reading).items() if path not in known}
    reference = {path: value for path, value in trial.meant.items() if path not in known}
    yield from differences_of_figures(reference, figures, is_redacted=is_redacted)
    yield from _of_identities(one, other, {path for path in trial.meant if trial.meant[path] is not None})


def _of_identities(one: Observed, other: Observed, known: set[str]) -> Iterator[Difference]:
    """Yield how the units say they are another model or build, in replies that only one of them was asked for."""
    whole, its_whole = meaning_of(one.reading), meaning_of(other.reading)
    for path in ("identity.model", "identity.firmware"):
        told, its_told = whole.get(path), its_whole.get(path)
        if told is not None and its_told is not None and told != its_told and path not in known:
            yield Difference(
                kind=Kind.FIGURE,
                path=f"reading: {path}",
                first=shown(told),
                second=shown(its_told),
                changes_meaning=True,
                why="must be the same",
            )


def _of_replies(
    trial: Trial, one: Observed, other: Observed, reply: Reply, same: Reply, *, is_redacted: bool
) -> Iterator[Difference]:
    request = reply.request
    if reply.data is None or same.data is None:
        if reply.data is not same.data:
            yield Difference(
                kind=Kind.REPLY,
                path=request,
                first=_came(reply),
                second=_came(same),
                changes_meaning=True,
                why="one of them got no reply",
            )
        return
    if reply.ending is not None and same.ending is not None and reply.ending is not same.ending:
        changed = trial.changed_by_ending(request, same.ending)
        yield _difference(Kind.FRAMING, request, (reply.ending, same.ending), changed, "its end does not matter")
    try:
        body, its_body = one.document(request), other.document(request)
    except UnansweredError as error:
        if reply.data != same.data and _is_read(one, request) != _is_read(other, request):
            changed = trial.changed_by_bytes(request, same.data)
            yield _difference(Kind.REPLY, request, (_came(reply), _came(same)), changed, f"{error}; unread")
        return
    if (repairs := _repairs(reply)) != (its_repairs := _repairs(same)):
        yield _difference(Kind.REPLY, request, (repairs, its_repairs), [], "repaired as it is read")
    if layout_of(reply.data) != layout_of(same.data):
        layouts = layout_of(reply.data), layout_of(same.data)
        yield _difference(Kind.WHITE_SPACE, request, layouts, [], "white space means nothing")
    for apart in differences_of(body, its_body):
        found = _of_place(trial, request, body, apart, is_redacted=is_redacted)
        lacking = reply if apart.first is MISSING else same if apart.second is MISSING else None
        if lacking is not None and not lacking.is_complete:
            found = msgspec.structs.replace(found, changes_meaning=False, why="left out by its publisher")
        yield found


def _of_place(trial: Trial, request: str, body: Any, apart: Apart, *, is_redacted: bool) -> Difference:
    path = f"{request}: {path_text(apart.steps)}"
    first = None if apart.first is MISSING else apart.first
    second = None if apart.second is MISSING else apart.second
    if apart.kind is Kind.NUMBER:
        return _difference(apart.kind, path, (first, second), [], "a value of its moment; figures are held by range")
    changed = trial.changed_by_body(request, applied(body, apart))
    if is_redacted and changed and all(is_private(figure) for figure in changed):
        return _difference(apart.kind, path, (first, second), [], "redaction replaces it")
    if apart.kind is Kind.TEXT and changed and all(figure.startswith(("pools", "boards")) for figure in changed):
        # A pool that another unit uses, a chip that was lost: no other meaning, another fact.
        return _difference(apart.kind, path, (first, second), [], f"another fact of its moment ({changed[0]})")
    if apart.kind is Kind.TYPE:
        first, second = f"{type_of(apart.first)} {shown(first)}", f"{type_of(apart.second)} {shown(second)}"
    why = "nothing reads it" if apart.kind in {Kind.KEY, Kind.TEXT} else "read alike"
    return _difference(apart.kind, path, (first, second), changed, why)


def _of_verdicts(first: tuple[Verdict, ...], second: tuple[Verdict, ...]) -> Iterator[Difference]:
    others = {verdict.check: verdict for verdict in second}
    for one in first:
        other = others.get(one.check)
        if other is None:
            # ePIC firmware is held to checks of its own.
            continue
        is_broken = one.outcome is Outcome.BROKEN, other.outcome is Outcome.BROKEN
        if is_broken[0] == is_broken[1]:
            continue
        finding = (one if is_broken[0] else other).findings[0]
        yield Difference(
            kind=Kind.CHECK,
            path=one.check,
            first=str(finding) if is_broken[0] else one.outcome,
            second=str(finding) if is_broken[1] else other.outcome,
            changes_meaning=is_broken[1] and one.check in ESSENTIAL,
            why="the agent's figures rest on it" if one.check in ESSENTIAL else "the agent copes with it",
        )


def _difference(kind: Kind, path: str, values: tuple[Any, Any], changed: list[str], why: str) -> Difference:
    first, second = values
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return Difference(
        kind=kind,
        path=path,
        first=None if first is None else shown(first),
        second=None if second is None else shown(second),
        changes_meaning=bool(changed),
        why=f"changes {changed[0]}{more}" if changed else why,
    )


def _came(reply: Reply) -> str:
    return "no byte" if reply.data is None else f"{len(reply.data):,} bytes"


def _is_read(look: Observed, request: str) -> bool:
    try:
        look.document(request)
    except UnansweredError:
        return False
    return True


def _repairs(reply: Reply) -> str:
    if reply.request.startswith(API_PAGE):
        return "none"
    repairs = wire.decode_reply(reply.data or b"", reply.request.partition(" ")[0]).repairs
    return ", ".join(repairs) or "none"
