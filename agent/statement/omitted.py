"""What a document leaves out although history shows it. Pure.

Whoever holds the key can sign a statement without its pools, without its ledger, or up to a link before an unwelcome
fact. Such a document holds in itself, so each part that may be absent is held against what history had at that time.
"""

from collections.abc import Iterable, Iterator
from math import inf

from agent.history.chain.heads import SignedHead
from agent.statement.before import before_of
from agent.statement.contents import Contents
from agent.statement.declared import DeployedCourse
from agent.statement.gates import LEDGER, is_off
from agent.statement.gathering import FactSource
from agent.statement.parts import Part, Source, part_of
from agent.statement.period import Period, utc_text
from agent.statement.recovered import RECOVERED_KIND, recovered_of
from agent.statement.statement import Statement

# Heads are an hour apart, and the clock of another machine may be off.
_SLACK_S = 7200.0
_RUN_KINDS = frozenset({"key", "start"})


def omissions(
    statement: Statement,
    contents: Contents,
    part: Part,
    rows: Source,
    *,
    facts: FactSource,
    period: Period,
    course: DeployedCourse | None,
) -> Iterator[str]:
    """Yield what a site's statement leaves out, in words.

    Args:
        statement: Its statement.
        contents: Its contents.
        part: Its part.
        rows: The history that it was made from, or the owner's rows in that.
        facts: The same history.
        period: Its period in the zone of the site.
        course: Deployed by the site's ledger; None without one.
    """
    found = rows.pool_credits(period.start, period.end, known_by=statement.computed_at)
    if found and part.credits_known_by != statement.computed_at:
        yield f"credited: stated without what pools had said by {utc_text(statement.computed_at)}"
    if part.owner is None:
        yield from _unsaid_recovery(statement, contents, part, facts)
    if statement.before is None:
        before = before_of(rows, period, now=statement.computed_at, course=course)
        if before is not None:
            yield f"before: stated nothing, history has {before.period}"
    if contents.chain is None:
        known = [fact.at for fact in facts.facts(kinds=_RUN_KINDS) if 0 < fact.at <= statement.computed_at]
        if known:
            yield f"chain: stated nothing, history has one since {utc_text(min(known))}"
    if course is not None and not part.unseen.ledger_digest:
        yield from _unsaid_ledger(statement, part, rows, period, course)


def _unsaid_recovery(statement: Statement, contents: Contents, part: Part, facts: FactSource) -> Iterator[str]:
    last = inf if contents.chain is None else contents.chain.seq
    told = facts.facts(part.start, inf, kinds=(RECOVERED_KIND,), last=last)
    found = recovered_of(told, part.unseen.gaps, known_by=statement.computed_at)
    if found != part.recovered:
        yield f"recovered: stated {part.recovered.facts} facts, history had {found.facts}"


def _unsaid_ledger(
    statement: Statement, part: Part, rows: Source, period: Period, course: DeployedCourse
) -> Iterator[str]:
    """Yield the doubt about the ledger that a statement which rests on none does not have."""
    with_ledger = part_of(
        rows,
        period,
        until=period.end if part.is_over else min(part.inputs.last_at, period.end),
        elapsed_s=part.elapsed_s,
        is_over=part.is_over,
        known_by=0.0,
        recovered_by=0.0,
        course=course,
    )
    if is_off(with_ledger) and LEDGER not in statement.acknowledged:
        yield "ledger: stated without one, and the site's contradicts deployed as history kept it"


def early_end(statement: Statement, contents: Contents, heads: Iterable[SignedHead]) -> Iterator[str]:
    """Yield that the chain had gone on when a statement was computed, as a later head shows.

    Args:
        statement: A site's statement.
        contents: Its contents.
        heads: The heads of its history's chain, in their order.
    """
    if contents.chain is None:
        return
    latest_at = -inf
    for head in (signed.head for signed in heads):
        if head.seq <= contents.chain.seq:
            latest_at = max(latest_at, head.at)
        # After a clock that was set back, times say nothing.
        elif latest_at <= head.at <= statement.computed_at - _SLACK_S:
            yield f"chain: stated up to link {contents.chain.seq}, it had link {head.seq} at {utc_text(head.at)}"
            return
