"""Statements of earlier formats, checked by their own rules and read as today's. Pure.

Format 1 did not tell measured from estimated power: what units reported counts as estimated. Format 2 did not judge
where work goes. Neither had bounds, gaps or gates but coverage. Statements of both stay valid: the digests of their
parts are of the rows as that release printed them. Format 3 was a statement without a document around it.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from agent.statement.errors import StatementError
from agent.statement.figures import StatementFigures
from agent.statement.notes import notes_of
from agent.statement.parts import Part
from agent.statement.period import utc_text
from agent.statement.statement import FORMAT
from agent.text.numbers import TARGET_RATIO, ratio_text

EARLIER_FORMATS = (1, 2)
UNSIGNED_FORMAT = 3
"""Its figures and notes are today's; it was not signed, and neither canonical nor strict about keys."""
LAST_EARLIER_DIGEST = 2
"""The newest version of the CSV of rows that these statements can name."""
_COVERAGE_RATIO = 0.95
_ROUNDING_RATIO = 1e-12
NEW_FIGURES = (
    "deployed_whole_hs",
    "operating_floor_hs",
    "operating_ceiling_hs",
    "operational_efficiency_floor_ratio",
    "operational_efficiency_ceiling_ratio",
    "operational_efficiency_capped_ratio",
    "operational_efficiency_capped_floor_ratio",
    "is_lower_bound",
    "unknown_ratio",
    "ledger_off_ratio",
    "diverted_hs",
    "diverted_ratio",
    "judged_ratio",
    "credited_hs",
    "credited_covered_ratio",
)
"""The figures that they do not have."""


def upgraded_parts(content: Any) -> Any:
    """Return the decoded JSON of a statement of an earlier format with parts of today's; what does not fit is left.

    Args:
        content: Any decoded JSON with one of `EARLIER_FORMATS`. It is changed in place.
    """
    if content["format"] == 1:
        for part in content["parts"]:
            for row in (part["mean"], part["last"]):
                _split_reported(row["watts"])
            part["inputs"]["digest_format"] = 1
        _split_reported(content["figures"]["joules_by_source"])
    for part in content["parts"]:
        part["unseen"] = _unseen(part)
    return content


def _unseen(part: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of unseen time without the rows: how long it was."""
    mean = part["mean"]
    unknown_hs = min(mean["deployed_hs"] - mean["known_hs"], sum(mean["losses_hs"].values()))
    return {
        "since": part["start"],
        "deployed_s": part["elapsed_s"],
        "unwatched": mean["deployed_hs"] * max(0.0, part["elapsed_s"] - mean["watched_s"]),
        "unsure": 0.0,
        "unknown": max(0.0, unknown_hs) * mean["watched_s"],
    }


def upgraded(content: Any, figures: StatementFigures, parts: Sequence[Part], file: str) -> Any:
    """Return such a statement as one of today's, once it holds to the rules of its own format.

    Args:
        content: From `upgraded_parts`. It is changed in place.
        figures: What follows from its parts today.
        parts: Its parts.
        file: Named in errors.

    Raises:
        StatementError: If its notes do not match its figures, or it must not have been published.
    """
    stated = content["figures"]
    if content["notes"] != list(_notes(figures, parts)):
        raise StatementError(f"{file}: does not follow from its own parts: its notes do not match its figures")
    ratio = figures.operational_efficiency_ratio
    if stated.get("is_above_target") != (None if ratio is None else ratio > TARGET_RATIO):
        raise StatementError(f"{file}: does not follow from its own parts: is_above_target does not match its figures")
    is_unfit = figures.coverage_ratio is None or figures.coverage_ratio < _COVERAGE_RATIO
    if not content["is_draft"] and (is_unfit or not all(part.is_over for part in parts)):
        raise StatementError(f"{file}: not to be published: coverage is {ratio_text(figures.coverage_ratio)}")
    stated |= {name: getattr(figures, name) for name in NEW_FIGURES if name not in stated}
    # Sums are added in another order today.
    computed = {name: getattr(figures, name, None) for name in stated}
    stated |= {name: value for name, value in computed.items() if _is_rounded(stated[name], value)}
    stated["is_above_target"] = figures.is_above_target
    content |= {"format": FORMAT, "notes": list(notes_of(figures, parts))}
    return content


def _is_rounded(stated: object, computed: object) -> bool:
    if not isinstance(stated, float) or not isinstance(computed, float):
        return False
    return math.isclose(stated, computed, rel_tol=_ROUNDING_RATIO)


def _notes(figures: StatementFigures, parts: Sequence[Part]) -> Iterator[str]:
    """Yield the notes as those formats worded them."""
    if figures.coverage_ratio is None or figures.coverage_ratio < _COVERAGE_RATIO:
        yield (
            f"COVERAGE IS ONLY {ratio_text(figures.coverage_ratio)}: too little is known for these figures"
            f" to be published ({ratio_text(_COVERAGE_RATIO, 0)} is needed)."
        )
    if figures.simulated_units:
        yield (
            f"SIMULATED: {figures.simulated_units:,.0f} of {figures.units:,.0f} units are simulated;"
            " these are not a site's real figures."
        )
    for part in parts:
        if not part.is_over:
            days, of = part.elapsed_s / 86400, (part.end - part.start) / 86400
            yield f"{part.site}: the period is not over; these are {days:.1f} of its {of:.1f} days."
        if part.is_over and part.inputs.last_at < part.end:
            last = utc_text(part.inputs.last_at)
            yield f"{part.site}: the end of the period was not watched; what is of its end is of {last}."
    zones = sorted({part.zone for part in parts})
    if len(zones) > 1:
        yield f"Sites keep different zones ({', '.join(zones)}); each one's period is its own calendar's."


def _split_reported(by_source: dict[str, Any]) -> None:
    if "reported" in by_source:
        by_source |= {"measured": 0.0, "estimated": by_source.pop("reported")}
