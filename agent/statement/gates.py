"""What keeps figures from being published. Pure."""

from collections.abc import Sequence

from agent.statement.figures import StatementFigures
from agent.statement.parts import Part, StatementError
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
    if figures.coverage_ratio is None or figures.coverage_ratio < PUBLISHED_COVERAGE_RATIO:
        raise StatementError(
            f"not to be published: coverage is {ratio_text(figures.coverage_ratio)},"
            f" less than {ratio_text(PUBLISHED_COVERAGE_RATIO, 0)}"
        )
