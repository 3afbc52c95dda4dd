"""Checks of a unit, and their verdicts: a check holds, is broken, or cannot be answered by what was recorded."""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from itertools import islice
from typing import Final, Generic, TypeVar

import msgspec

from agent.errors import AgentError

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

MOST_FINDINGS: Final = 50
"""Findings of one check that are kept; a reply of hostile length breaks it at one place as well as at thousands."""


class UnansweredError(AgentError):
    """A check that a recording does not answer; the message says what is missing."""


class Outcome(StrEnum):
    """Result of a check."""

    HOLDS = "holds"
    BROKEN = "broken"
    UNANSWERED = "unanswered"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One place at which a check is broken.

    Attributes:
        path: Request and key path: ``stats new_api: STATS[0].chain[1].rate_real``.
        found: What is there.
        expected: What should be.
    """

    path: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.path}: {self.found}; expected {self.expected}"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one check.

    Attributes:
        check: Name of the check.
        outcome: How it came out.
        findings: Where it is broken.
        why: Why it could not be answered.
    """

    check: str
    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    why: str = ""


class Check(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One thing that a unit must do for the agent to be right.

    Attributes:
        run: Yields what breaks it.
        is_essential: A unit that breaks it has wrong figures, or none. Otherwise the agent copes.

    `run` raises `UnansweredError` if what was recorded does not answer it.
    """

    run: Callable[[T], Iterator[Finding]]
    is_essential: bool

    @property
    def name(self) -> str:
        """The name of its function."""
        return self.run.__name__

    @property
    def about(self) -> str:
        """The first line of its docstring."""
        return (self.run.__doc__ or "").partition("\n")[0]


def judge(check: Check[T], subject: T) -> Verdict:
    """Return the verdict of one check."""
    try:
        findings = tuple(islice(check.run(subject), MOST_FINDINGS))
    except UnansweredError as error:
        return Verdict(check=check.name, outcome=Outcome.UNANSWERED, why=str(error))
    return Verdict(check=check.name, outcome=Outcome.BROKEN if findings else Outcome.HOLDS, findings=findings)


def joined(verdicts: Iterable[Verdict]) -> Verdict:
    """Return one verdict for a check over several looks: broken if one is, unanswered if all are."""
    every = tuple(verdicts)
    findings = tuple(dict.fromkeys(finding for verdict in every for finding in verdict.findings))
    if findings:
        return Verdict(check=every[0].check, outcome=Outcome.BROKEN, findings=findings[:MOST_FINDINGS])
    return next((verdict for verdict in every if verdict.outcome is Outcome.HOLDS), every[0])
