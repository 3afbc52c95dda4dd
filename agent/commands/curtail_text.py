"""Curtailments in words, for `hashsight curtail`."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from agent.exporters.web.curtailment_answers import CurtailmentAnswer
from agent.site.curtailment.events import Phase
from agent.text.numbers import hashrate_text

UNITS_NAMED = 20


def event_lines(event: CurtailmentAnswer, zone: ZoneInfo) -> Iterator[str]:
    """Yield one event as lines of text; a table of all its facts is wider than most terminals."""
    yield f"{event.id}: {event.phase}, {order_text(event, zone)}, by {event.source}"
    facts = f"{event.units_asleep:,} asleep"
    if event.phase is Phase.ACTIVE:
        left = f"{hashrate_text(event.operating_hs)} still hashing, {event.stragglers:,} stragglers"
        facts = f"{event.units_asleep:,} of {event.units:,} asleep, {left}"
    yield f"  {facts}, {event.not_restored:,} not back"
    yield from _unit_lines("still hashing", event.stragglers, event.straggler_units)
    yield from _unit_lines("not back", event.not_restored, event.not_restored_units)


def order_text(event: CurtailmentAnswer, zone: ZoneInfo) -> str:
    """Return an event's scope, target and span, such as ``the whole site to 0 %, from ... until it is stopped``."""
    scope = ", ".join(f"{kind} {name}" for kind, name in event.scope.items()) or "the whole site"
    return f"{scope} to {event.target_percent:g} %, {span_text(event, zone)}"


def span_text(event: CurtailmentAnswer, zone: ZoneInfo) -> str:
    """Return an event's start and end as local times of `zone`."""
    end = "until it is stopped" if event.end is None else f"to {_moment_text(event.end, zone)}"
    return f"from {_moment_text(event.start, zone)} {end}"


def _unit_lines(words: str, count: int, units: Sequence[str]) -> Iterator[str]:
    if count:
        named = ", ".join(units[:UNITS_NAMED])
        more = f" and {count - UNITS_NAMED:,} more" if count > UNITS_NAMED else ""
        yield f"  {count:,} units {words}: {named}{more}"


def _moment_text(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"
