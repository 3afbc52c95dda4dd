"""A document that replaces an earlier one: which one, and every figure that differs, in words. Pure."""

from collections.abc import Iterator

import msgspec

from agent.statement.errors import StatementError
from agent.statement.figures import StatementFigures
from agent.statement.statement import Statement


class Restates(msgspec.Struct, frozen=True, kw_only=True):
    """The earlier document.

    Attributes:
        digest: SHA-256 of its file.
        format: Its format.
        computed_at: When it was computed, Unix time, s.
        key_id: The key that signed it; None if it was not signed.
        is_draft: True if it was not published.
        differences: Each figure that differs, in words.
    """

    digest: str
    format: int
    computed_at: float
    key_id: str | None
    is_draft: bool
    differences: tuple[str, ...]


def restated(old: Statement, new: Statement, *, digest: str, form: int, key_id: str | None) -> Restates:
    """Return what `new` says of `old`.

    Args:
        old: The earlier statement.
        new: The one that replaces it.
        digest: SHA-256 of the file of the old one.
        form: Its format.
        key_id: The key that signed it.

    Raises:
        StatementError: They are not of the same period and sites.
    """
    sites, others = ([part.site for part in each.parts] for each in (old, new))
    if old.period != new.period or sites != others:
        raise StatementError(
            f"a statement of {', '.join(others)}, {new.period}, restates one of the same, not of {', '.join(sites)},"
            f" {old.period}"
        )
    return Restates(
        digest=digest,
        format=form,
        computed_at=old.computed_at,
        key_id=key_id,
        is_draft=old.is_draft,
        differences=tuple(_differences(old.figures, new.figures)),
    )


def _differences(old: StatementFigures, new: StatementFigures) -> Iterator[str]:
    for name in old.__struct_fields__:
        before, after = getattr(old, name), getattr(new, name)
        if isinstance(before, dict):
            for key in before:
                if before[key] != after[key]:
                    yield f"{name}.{key} was {_shown(before[key])}, is {_shown(after[key])}"
        elif before != after:
            yield f"{name} was {_shown(before)}, is {_shown(after)}"


def _shown(value: object) -> str:
    return "absent" if value is None else str(value)
