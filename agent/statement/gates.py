"""What keeps figures from being published. Pure."""

from collections.abc import Sequence

from agent.statement.errors import StatementError
from agent.statement.figures import StatementFigures
from agent.statement.parts import Part
from agent.statement.period import utc_text
from agent.text.numbers import ratio_text

PUBLISHED_COVERAGE_RATIO = 0.95


def refuse_unfit(figures: StatementFigures, parts: Sequence[Part]) -> None:
    """Refuse figures that must not be published.

    Raises:
        StatementError: If coverage is too low, or the period is not over.
    """
    early = [part.site for part in parts if not part.is_over]
    if early:
        raise StatementError(f"not to be published: the period is not over ({', '.join(early)})")
    for part in parts:
        if part.apart_hours:
            raise StatementError(
                f"not to be published: the containers of {part.site} do not add up to the site"
                f" in {len(part.apart_hours)} of its hours, the first from {utc_text(part.apart_hours[0])} on"
            )
    if figures.coverage_ratio is None or figures.coverage_ratio < PUBLISHED_COVERAGE_RATIO:
        raise StatementError(
            f"not to be published: coverage is {ratio_text(figures.coverage_ratio)},"
            f" less than {ratio_text(PUBLISHED_COVERAGE_RATIO, 0)}"
        )
