"""The one screen at the end of a record, as lines of at most 80 columns: read, unread, confirmed, refuted. Pure."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from agent.hil.assumptions.check import Finding, Verdict
from agent.unit.unread import Unread

WIDTH: Final = 80
_LABEL: Final = 12
_FIELDS: Final = 12
_REFUTED: Final = 10


class StateSeen(NamedTuple):
    """A state of the unit: its word, and when it was first and last seen, s since the recording began."""

    word: str
    first_s: float
    last_s: float


class UnitRead(NamedTuple):
    """A unit's reading in words; None where it does not say.

    Attributes:
        host: As it was given.
        model, firmware: As it says.
        bin_th: The bin it was sold as, or that its ideal rate tells, TH/s.
        boards: Such as ``3 of 108 chips``.
        states: In the order in which they were first seen.
        replies: How many replies were read.
    """

    host: str
    model: str | None
    firmware: str | None
    bin_th: float | None
    boards: str | None
    states: Sequence[StateSeen]
    replies: int


def screen(unit: UnitRead, unread: Unread, findings: Sequence[Finding]) -> list[str]:
    """Return the lines: what was read, which fields no reader reads, which assumptions were confirmed or refuted.

    Args:
        unit: What was read.
        unread: Of all its replies.
        findings: Of every assumption that a recording can settle.
    """
    model = unit.model or "no model"
    what = model if unit.bin_th is None else f"{model}, {unit.bin_th:g} TH/s"
    return [
        *_labelled("unit", f"{what} at {unit.host}"),
        *_labelled("firmware", unit.firmware or "not told"),
        *_labelled("boards", unit.boards or "none"),
        *_labelled("states", ", ".join(map(_state, unit.states)) or "none known"),
        *_labelled("replies", f"{unit.replies:,} read"),
        *_unread(unread),
        *_assumptions(findings),
    ]


def _unread(unread: Unread) -> Iterator[str]:
    total = len(unread.fields) + unread.more
    if not total:
        yield from _labelled("unread", "no field: all are read, or known and left alone")
        return
    yield from _labelled("unread", f"{total:,} field{'s' if total > 1 else ''} that no reader reads:")
    for field in unread.fields[:_FIELDS]:
        example = "" if field.example is None else f", {field.example}"
        times = f" x{field.times}" if field.times > 1 else ""
        yield from _indented(f"{field.report}: {field.path}{times} ({field.form}{example})")
    hidden = total - min(len(unread.fields), _FIELDS)
    if hidden:
        yield from _indented(f"and {hidden:,} more")


def _assumptions(findings: Sequence[Finding]) -> Iterator[str]:
    by_verdict = {verdict: [each for each in findings if each.verdict is verdict] for verdict in Verdict}
    refuted = by_verdict[Verdict.REFUTED]
    yield from _labelled("refuted", f"{len(refuted)} assumption{'s' * (len(refuted) != 1)}{':' * bool(refuted)}")
    for each in refuted[:_REFUTED]:
        when = "" if each.at_s is None else f" at {each.at_s:g} s"
        yield from _indented(f"{each.id} {each.path}{when}: {each.value}")
    if len(refuted) > _REFUTED:
        yield from _indented(f"and {', '.join(each.id for each in refuted[_REFUTED:])}")
    yield from _labelled("confirmed", _ids(by_verdict[Verdict.CONFIRMED]))
    yield from _labelled("not shown", _ids(by_verdict[Verdict.NOT_SHOWN]))


def _ids(findings: Iterable[Finding]) -> str:
    return " ".join(finding.id for finding in findings) or "none"


def _state(state: StateSeen) -> str:
    first, last = round(state.first_s), round(state.last_s)
    return f"{state.word} at {first} s" if first == last else f"{state.word} from {first} to {last} s"


def _labelled(label: str, text: str) -> list[str]:
    return _wrapped(text, label.ljust(_LABEL))


def _indented(text: str) -> list[str]:
    return _wrapped(text, " " * _LABEL)


def _wrapped(text: str, first: str) -> list[str]:
    """Return printable lines; a word longer than a line is cut, and continued."""
    shown = "".join(character if character.isprintable() else "?" for character in text)
    after = " " * (_LABEL + 2)
    return textwrap.wrap(shown, WIDTH, initial_indent=first, subsequent_indent=after, break_on_hyphens=False) or [first]
