"""The warnings of a statement, to read before its figures. Pure.

Their wording is part of `FORMAT`: `agent.statement.check` compares the notes of a saved statement with these.
"""

from collections.abc import Collection, Iterator, Sequence

from agent.statement.figures import StatementFigures
from agent.statement.gates import PUBLISHED_WATCHED_RATIO, doubts_of
from agent.statement.nameplates import note_of
from agent.statement.parts import Part
from agent.statement.period import utc_text
from agent.statement.unseen import GapReason, gaps_by_reason
from agent.text.numbers import TARGET_RATIO, ratio_text

SIMULATED = "SIMULATED"
"""How the note on simulated units begins, so that it comes first everywhere."""
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


def notes_of(figures: StatementFigures, parts: Sequence[Part], acknowledged: Collection[str] = ()) -> Iterator[str]:
    """Yield the warnings, the most important first."""
    if figures.simulated_units:
        yield (
            f"{SIMULATED}: {figures.simulated_units:,.0f} of {figures.units:,.0f} units are simulated;"
            " these are not a site's real figures."
        )
    for part in parts:
        yield from _late_start(part)
    for part in parts:
        if part.watched_share < PUBLISHED_WATCHED_RATIO:
            yield (
                f"{part.site}: WATCHED ONLY {ratio_text(part.watched_share)} of the time: too little for these figures"
                f" to be published ({ratio_text(PUBLISHED_WATCHED_RATIO, 0)} is needed)."
            )
    yield from _bounds(figures)
    for part in parts:
        for doubt in doubts_of(part):
            seen = " Acknowledged by the publisher." if doubt.name in acknowledged else ""
            yield f"{doubt.reason}.{seen}"
    for part in parts:
        yield from _of_time(part)
        if (nameplates := note_of(part.site, part.nameplates)) is not None:
            yield nameplates
    zones = sorted({part.zone for part in parts})
    if len(zones) > 1:
        yield f"Sites keep different zones ({', '.join(zones)}); each one's period is its own calendar's."


def _bounds(figures: StatementFigures) -> Iterator[str]:
    floor = ratio_text(figures.operational_efficiency_floor_ratio)
    if figures.is_lower_bound:
        yield (
            f"LOWER BOUND: {ratio_text(figures.unknown_ratio)} of deployed was in no known state and counts as nothing."
            f" The figure to publish is the floor, {floor}."
        )
    gross = figures.operational_efficiency_ratio
    if gross is not None and gross > TARGET_RATIO and not figures.is_above_target:
        yield (
            f"NOT ABOVE {ratio_text(TARGET_RATIO, 0)}: {ratio_text(gross)} is of the time that was watched; the floor"
            f" over the whole time is {floor}."
        )


def _late_start(part: Part) -> Iterator[str]:
    for gap in part.unseen.gaps[:1]:
        if gap.reason is GapReason.LATE_START:
            into = "the period" if part.unseen.since == part.start else "the time in which it had units"
            history = "this agent's history begins" if part.owner is None else "owners are in its history from"
            yield (
                f"{part.site}: LATE START: {history} {utc_text(gap.end)},"
                f" {span_text(gap.seconds)} into {into}; nothing is known of before."
            )


def _of_time(part: Part) -> Iterator[str]:
    if not part.is_over:
        yield (
            f"{part.site}: the period is not over; history has {span_text(part.mean.watched_s)} of the"
            f" {span_text(part.elapsed_s)} that have passed of its {span_text(part.end - part.start)}."
        )
    if part.unseen.since > part.start:
        of_it = f"{span_text(part.unseen.deployed_s)} of {span_text(part.elapsed_s)}"
        yield f"{part.site}: it had no units before {utc_text(part.unseen.since)}; it counts with {of_it}."
    gaps = [gap for gap in part.unseen.gaps if gap.reason is not GapReason.LATE_START]
    if gaps:
        shown = ", ".join(f"{number} {reason} ({span_text(s)})" for reason, number, s in gaps_by_reason(gaps))
        yield f"{part.site}: gaps over 5 minutes: {shown}."
    if part.is_over and part.inputs.last_at < part.end:
        last = utc_text(part.inputs.last_at)
        yield f"{part.site}: the end of the period was not watched; what is of its end is of {last}."


def span_text(seconds: float) -> str:
    """Return a length of time for people: ``5 minutes``, ``36.0 hours``, ``28.6 days``."""
    if seconds < 2 * _HOUR_S:
        return f"{seconds / _MINUTE_S:.0f} minutes"
    return f"{seconds / _HOUR_S:.1f} hours" if seconds < 3 * _DAY_S else f"{seconds / _DAY_S:.1f} days"
