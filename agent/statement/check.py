"""Checks of a finished statement: against its own parts, and against history. Pure."""

from dataclasses import fields, is_dataclass
from typing import Any

import msgspec

from agent.history.export import FORMATS as DIGEST_FORMATS
from agent.statement.before import differences as before_differences
from agent.statement.before import refuse_strange
from agent.statement.combining import refuse_incomplete
from agent.statement.declared import DeployedCourse
from agent.statement.earlier_formats import (
    EARLIER_FORMATS,
    LAST_EARLIER_DIGEST,
    UNSIGNED_FORMAT,
    upgraded,
    upgraded_parts,
)
from agent.statement.errors import StatementError
from agent.statement.figures import figures_of
from agent.statement.gates import refuse_unfit
from agent.statement.nameplates import is_missing
from agent.statement.notes import notes_of
from agent.statement.owner_source import OwnerSource
from agent.statement.parts import Part, Source, part_of, titled
from agent.statement.period import Period, utc_text
from agent.statement.statement import FORMAT, Statement

_MOST_NAME = 64


def decode(text: bytes, file: str) -> Statement:
    """Decode a statement from its JSON and check it against its own parts; errors as `statement_of`."""
    try:
        content = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StatementError(f"{file}: not a statement in JSON (--format json): {error}") from error
    return statement_of(content, file)


def statement_of(content: Any, file: str) -> Statement:
    """Return the statement of a decoded JSON of any format, and check it against its own parts.

    Args:
        content: The decoded JSON; of an earlier format, it is changed in place.
        file: Named in errors.

    Raises:
        StatementError: It is not a statement; or its figures or notes do not follow from its parts; or it lacks
            a draft mark although it must not be published.
    """
    try:
        # A combination may have parts of earlier formats; its documents are each checked by their own.
        is_alone = isinstance(content, dict) and not content.get("documents")
        told_format = content.get("format") if is_alone else None
        is_earlier = isinstance(content, dict) and content.get("format") in EARLIER_FORMATS
        if is_earlier:
            parts = msgspec.convert(upgraded_parts(content)["parts"], tuple[Part, ...])
            content = upgraded(content, figures_of(parts), parts, file)
        if isinstance(content, dict) and content.get("format") == UNSIGNED_FORMAT:
            content["format"] = FORMAT
        statement = msgspec.convert(content, Statement)
    except (msgspec.MsgspecError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise StatementError(f"{file}: not a statement in JSON (--format json): {error}") from error
    if statement.format != FORMAT:
        raise StatementError(f"{file}: statement format {statement.format}, this version reads {FORMAT}")
    if is_missing(told_format, (part.nameplates for part in statement.parts)):
        raise StatementError(f"{file}: does not say whether nameplates were checked")
    try:
        _refuse_unsound(statement, file)
    except (ArithmeticError, OSError, ValueError) as error:
        raise StatementError(f"{file}: it has numbers that cannot be: {error}") from error
    if not statement.is_draft and not is_earlier:
        refuse_unfit(statement.figures, statement.parts, statement.acknowledged)
        refuse_incomplete(statement.parts, statement.sites)
    return statement


def _refuse_unsound(statement: Statement, file: str) -> None:
    if not statement.period.isprintable():
        raise StatementError(f"{file}: period {statement.period[:_MOST_NAME]!r}: printable characters are expected")
    if not statement.parts:
        raise StatementError(f"{file}: names no site")
    for part in statement.parts:
        # They stand in headlines, and a terminal obeys control characters.
        for name, value in (("site", part.site), ("zone", part.zone), ("owner", part.owner or "")):
            if not value.isprintable() or len(value) > _MOST_NAME:
                raise StatementError(
                    f"{file}: {name} {value[:_MOST_NAME]!r}: at most 64 printable characters are expected"
                )
        if part.inputs.digest_format not in DIGEST_FORMATS:
            raise StatementError(f"{file}: digest format {part.inputs.digest_format} of {part.site} is unknown")
    figures = figures_of(statement.parts)
    wrong = [
        f"{name} is {found}, its parts give {expected}"
        for name, found, expected in _differences(statement.figures, figures)
    ]
    if statement.notes != tuple(notes_of(figures, statement.parts, statement.acknowledged)):
        wrong.append("its notes do not match its figures")
    if statement.before is not None:
        sites = [part.site for part in statement.parts]
        refuse_strange(statement.before, period=statement.period, sites=sites, file=file)
    if wrong:
        raise StatementError(f"{file}: does not follow from its own parts: {'; '.join(wrong)}")


def _differences(found: Any, expected: Any) -> list[tuple[str, Any, Any]]:
    """Return (name, found, expected) of each field in which two structures of one type differ."""
    names = [each.name for each in fields(found)] if is_dataclass(found) else list(found.__struct_fields__)
    triples = [(name, getattr(found, name), getattr(expected, name)) for name in names]
    return [(name, one, other) for name, one, other in triples if one != other]


def verify(
    statement: Statement,
    source: Source,
    period: Period,
    *,
    course: DeployedCourse | None = None,
    is_exported: bool = False,
    has_facts: bool = True,
) -> list[str]:
    """Recompute one site's part of a statement from its history.

    Args:
        statement: A statement from `decode`.
        source: The history of one of its sites.
        period: The statement's period, in the time zone of that site.
        course: Deployed by the site's ledger. Without it, what a statement took from a ledger is not checked.
        is_exported: True if the source has rows alone: nothing of containers, pools and rows set aside.
        has_facts: False if it has no facts either.

    Returns:
        The differences, in words; empty if there are none.

    Raises:
        StatementError: If the site is not in the statement, or history no longer has rows for the period.
    """
    owner = source.owner if isinstance(source, OwnerSource) else None
    stated = next((part for part in statement.parts if (part.site, part.owner) == (source.site, owner)), None)
    if stated is None:
        covered = ", ".join(titled(part.site, part.owner) for part in statement.parts)
        raise StatementError(f"{titled(source.site, owner)} is not in this statement, which covers {covered}")
    until = period.end if stated.is_over else min(stated.inputs.last_at, period.end)
    part = part_of(
        source,
        period,
        until=until,
        elapsed_s=stated.elapsed_s,
        is_over=stated.is_over,
        known_by=stated.credits_known_by,
        recovered_by=stated.recovered.known_by,
        course=course if stated.unseen.ledger_digest else None,
        digest_format=stated.inputs.digest_format,
    )
    wrong = [
        f"{prefix}{name}: stated {_shown(found)}, history gives {_shown(expected)}"
        for prefix, one, other in (
            ("", stated.inputs, part.inputs),
            ("mean ", stated.mean, part.mean),
            ("last ", stated.last, part.last),
        )
        for name, found, expected in _differences(one, other)
    ]
    wrong += [
        f"{name}: stated {getattr(stated, name)}, the calendar of {period.zone} gives {getattr(part, name)}"
        for name in ("zone", "start", "end")
        if getattr(stated, name) != getattr(part, name)
    ]
    if is_exported:
        part = _as_exported(part, stated, has_facts=has_facts)
    if (stated.credited, stated.credited_union_s) != (part.credited, part.credited_union_s):
        wrong.append(f"credited: stated {_credited(stated)}, history gives {_credited(part)}")
    if stated.inputs.digest_format > LAST_EARLIER_DIGEST:
        wrong += _unseen_differences(stated, part)
    if stated.nameplates is not None and part.nameplates is not None:
        wrong += [
            f"nameplates, {name}: stated {_shown(found)}, history gives {_shown(expected)}"
            for name, found, expected in _differences(stated.nameplates, part.nameplates)
        ]
    wrong += [
        f"recovered {name}: stated {_shown(found)}, history gives {_shown(expected)}"
        for name, found, expected in _differences(stated.recovered, part.recovered)
    ]
    if stated.apart_hours != part.apart_hours:
        wrong.append(f"hours in which containers do not add up: stated {_hours(stated)}, history gives {_hours(part)}")
    least_s = float(period.seconds) if stated.is_over else float(stated.inputs.last_at - stated.start)
    if statement.days != period.days:
        wrong.append(f"days: stated {statement.days}, the calendar gives {period.days}")
    if not least_s <= stated.elapsed_s <= period.seconds:
        wrong.append(f"elapsed_s: stated {stated.elapsed_s:g}, at least {least_s:g} had passed")
    if statement.before is not None:
        wrong += before_differences(statement.before, source, period, course=course)
    return wrong


def _as_exported(part: Part, stated: Part, *, has_facts: bool) -> Part:
    """Return a part computed from rows alone, with what only a whole history tells as it was stated."""
    gaps = part.unseen.gaps
    if [(gap.start, gap.end) for gap in gaps] == [(gap.start, gap.end) for gap in stated.unseen.gaps]:
        gaps = stated.unseen.gaps
    return msgspec.structs.replace(
        part,
        credited=stated.credited,
        credited_union_s=stated.credited_union_s,
        apart_hours=stated.apart_hours,
        recovered=part.recovered if has_facts else stated.recovered,
        nameplates=part.nameplates if has_facts else stated.nameplates,
        unseen=msgspec.structs.replace(part.unseen, gaps=gaps),
    )


def _credited(part: Part) -> str:
    shown = (f"{each.name} {each.credited_hs:g} over {each.covered_s:g} s" for each in part.credited)
    return ", ".join(shown) or "nothing"


def _unseen_differences(stated: Part, part: Part) -> list[str]:
    """Return in what the unseen time differs; what only a ledger tells is compared if there is one."""
    is_by_ledger = bool(stated.unseen.ledger_digest)
    names = {"gaps", "unsure", "unknown"}
    if is_by_ledger == bool(part.unseen.ledger_digest):
        names |= {"since", "deployed_s", "unwatched", "ledger_off"}
    return [
        f"unseen {name}: stated {_shown(found)}, {'ledger and history give' if is_by_ledger else 'history gives'}"
        f" {_shown(expected)}"
        for name, found, expected in _differences(stated.unseen, part.unseen)
        if name in names
    ]


def _hours(part: Part) -> str:
    return ", ".join(map(utc_text, part.apart_hours[:3])) + " and more" * (len(part.apart_hours) > 3) or "none"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return f"{len(value)} in all"
    return f"{value:g}" if isinstance(value, float) else str(value)
