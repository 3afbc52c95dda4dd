"""The report on real units: what each does, what it does not, and what it cannot answer. To be attached to an issue.

It names addresses, model and firmware, and quotes figures. It has no serial number, no user and no pool.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from agent import __version__
from agent.hil.verify.checks.catalogue import CHECKS, EPIC_CHECKS, ESSENTIAL, SERIES
from agent.hil.verify.observed import Observed
from agent.hil.verify.verdict import Outcome, Verdict
from agent.unit.reading import UnitReading

ABOUT = {
    **{check.name: check.about for check in (*CHECKS, *EPIC_CHECKS)},
    **{check.name: check.about for check in SERIES},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The report on one unit.

    Attributes:
        unit: Its address.
        model, firmware: As it says; None if it does not.
        verdicts: Of every check.
    """

    unit: str
    model: str | None
    firmware: str | None
    verdicts: tuple[Verdict, ...]

    @classmethod
    def of(cls, unit: str, look: Observed, verdicts: Sequence[Verdict]) -> "Report":
        """Return the report on a unit."""
        reading = look.reading
        identity = reading.identity if isinstance(reading, UnitReading) else None
        return cls(
            unit=unit,
            model=look.model if identity is None else identity.model,
            firmware=None if identity is None else identity.firmware,
            verdicts=tuple(verdicts),
        )

    def with_outcome(self, outcome: Outcome) -> list[Verdict]:
        """Return the verdicts that came out so."""
        return [verdict for verdict in self.verdicts if verdict.outcome is outcome]


def as_json(reports: Iterable[Report]) -> bytes:
    """Return the reports as one JSON document."""
    document = {"hashsight": __version__, "units": [msgspec.to_builtins(report) for report in reports]}
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def as_text(reports: Iterable[Report]) -> str:
    """Return the reports as text."""
    lines = [f"hashsight {__version__}: what units do of what the agent rests on"]
    for report in reports:
        counts = ", ".join(f"{len(report.with_outcome(outcome))} {outcome}" for outcome in Outcome)
        lines += ["", f"{report.unit}: {report.model or 'no model'}, {report.firmware or 'no firmware'}: {counts}"]
        for verdict in report.with_outcome(Outcome.BROKEN):
            weight = "figures are wrong or absent" if verdict.check in ESSENTIAL else "the agent copes"
            lines.append(f"  BROKEN {verdict.check} ({weight}): {ABOUT[verdict.check]}")
            lines += [f"    {finding}" for finding in verdict.findings]
        lines += [
            f"  not answered: {verdict.check}: {verdict.why}" for verdict in report.with_outcome(Outcome.UNANSWERED)
        ]
        lines += [f"  holds: {verdict.check}" for verdict in report.with_outcome(Outcome.HOLDS)]
    return "\n".join(lines) + "\n"
