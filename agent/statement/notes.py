"""The warnings of a statement, to read before its figures. Pure."""

from collections.abc import Iterable, Sequence

from agent.statement.figures import StatementFigures
from agent.statement.gates import PUBLISHED_COVERAGE_RATIO
from agent.statement.parts import Part
from agent.statement.period import utc_text
from agent.text.numbers import ratio_text


def notes_of(figures: StatementFigures, parts: Sequence[Part]) -> Iterable[str]:
    """Yield the warnings to read before the figures.

    Their wording is part of `FORMAT`: `agent.statement.check` compares the notes of a saved statement with these.
    """
    if figures.coverage_ratio is None or figures.coverage_ratio < PUBLISHED_COVERAGE_RATIO:
        yield (
            f"COVERAGE IS ONLY {ratio_text(figures.coverage_ratio)}: too little is known for these figures"
            f" to be published ({ratio_text(PUBLISHED_COVERAGE_RATIO, 0)} is needed)."
        )
    if figures.simulated_units:
        yield (
            f"SIMULATED: {figures.simulated_units:,.0f} of {figures.units:,.0f} units are simulated;"
            " these are not a site's real figures."
        )
    for part in parts:
        if part.apart_hours:
            hours = f"{len(part.apart_hours)} of its hours, the first from {utc_text(part.apart_hours[0])} on"
            yield f"{part.site}: ITS CONTAINERS DO NOT ADD UP to the site in {hours}; rows were changed or lost."
        if not part.is_over:
            days, of = part.elapsed_s / 86400, (part.end - part.start) / 86400
            yield f"{part.site}: the period is not over; these are {days:.1f} of its {of:.1f} days."
        if part.is_over and part.inputs.last_at < part.end:
            last = utc_text(part.inputs.last_at)
            yield f"{part.site}: the end of the period was not watched; what is of its end is of {last}."
    zones = sorted({part.zone for part in parts})
    if len(zones) > 1:
        yield f"Sites keep different zones ({', '.join(zones)}); each one's period is its own calendar's."
