"""What a document's figures rest on, in words, to print below them. Pure."""

from collections.abc import Iterator

from agent.statement.contents import Contents
from agent.statement.document import Document
from agent.statement.notes import span_text
from agent.statement.period import utc_text
from agent.text.numbers import ratio_text

_SHOWN = 3
_MWH = 3.6e9
_HASH_DIGITS = 16


def rest_lines(document: Document) -> Iterator[str]:
    """Yield the contents of a document, and of those that it combines; nothing for earlier formats."""
    for each in document.documents:
        yield from rest_lines(each)
    for contents in document.contents:
        yield from (f"{contents.site}: {line}" for line in _lines(contents))
    if document.restates is not None:
        yield from (f"Restated: {difference}" for difference in document.restates.differences)


def _lines(contents: Contents) -> Iterator[str]:
    yield from _agent(contents)
    yield from _ledger(contents)
    yield from _events(contents)
    energy = contents.energy
    errors = [
        f"{source} {'+-' + ratio_text(each.error_ratio, 0) if each.error_ratio else 'with its own error'}"
        for source, each in energy.by_source.items()
        if each.joules
    ]
    if errors:
        yield f"energy is {', '.join(errors)}"
    yield f"energy leaves out {'; '.join(energy.outside)}"
    if energy.unread_units_ratio:
        yield f"units could not be read in {ratio_text(energy.unread_units_ratio)} of unit time"
    reasons: dict[str, list[str]] = {}
    for name, reason in contents.absent.items():
        reasons.setdefault(reason, []).append(name.replace("_", " "))
    for reason, names in reasons.items():
        yield f"absent: {', '.join(names)} ({reason})"


def _agent(contents: Contents) -> Iterator[str]:
    for run in contents.agents or ():
        commit = f"commit {run.commit[:12]}" if run.commit else "commit not known"
        starts = "1 start" if run.starts == 1 else f"{run.starts:,} starts"
        yield f"kept by hashsight {run.version}, {commit}, from {utc_text(run.since)}, {starts}"
    for key in contents.keys or ():
        yield f"its chain is signed by key {key.key_id}, from {utc_text(key.since)}"
    clock = contents.clock
    if clock is not None and clock.looks:
        worst = "offset not known" if clock.worst_s is None else f"at worst {clock.worst_s:.6g} s off"
        at = "" if clock.worst_at is None else f" at {utc_text(clock.worst_at)}"
        yield f"clock by {', '.join(clock.sources) or 'an unknown source'}, {worst}{at}"
    for config in contents.configs or ():
        yield f"configuration sha256 {config.digest}, from {utc_text(config.since)}"
    if contents.chain is not None:
        chain = contents.chain
        yield f"chain {chain.name}, link {chain.seq:,}, hash {chain.hash[:_HASH_DIGITS]}..."


def _ledger(contents: Contents) -> Iterator[str]:
    for ledger in contents.ledgers or ():
        yield f"ledger sha256 {ledger.digest}, from {utc_text(ledger.since)}"
    for change in contents.ledger_changes or ():
        what = [
            f"{count} {name} ({', '.join(map(str, (ids or ())[:_SHOWN]))}{', ...' if count > _SHOWN else ''})"
            for name, count, ids in (
                ("added", change.added_count, change.added),
                ("removed", change.removed_count, change.removed),
                ("changed", change.changed_count, change.changed),
            )
            if count
        ]
        otherwise = "what is not known" if change.added_count is None else "nothing of its units"
        yield f"ledger changed {utc_text(change.at)}: {', '.join(what) or otherwise}"
    units = contents.units
    if units is not None:
        yield (
            f"units entered {units.entered}, left {units.left}, in maintenance {units.in_maintenance};"
            f" appendix of {units.appendix_rows} rows, sha256 {units.appendix_digest}"
        )


def _events(contents: Contents) -> Iterator[str]:
    for event in contents.curtailments or ():
        begin = "?" if event.since is None else utc_text(event.since)
        end = "until further notice" if event.until is None else f"to {utc_text(event.until)}"
        size = "" if event.hours is None else f", {event.hours:.2f} h"
        size += "" if event.energy_j is None else f", {event.energy_j / _MWH:.2f} MWh modelled from nameplates"
        yield f"curtailment {begin} {end}{size}, {event.event}, by {event.declared_by or 'nobody named'}"
    gaps = contents.gaps
    if gaps is not None and gaps.count:
        yield f"the agent did not watch {gaps.count} times, {span_text(gaps.seconds)} in all"
    if contents.repairs:
        counts = ", ".join(f"{name} {count:,}" for name, count in sorted(contents.repairs.items()))
        yield f"repairs and caps that touched figures: {counts}"
