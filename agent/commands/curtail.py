"""`hashsight curtail start|stop|list`: tell a running agent that units are curtailed on purpose, or no longer.

It declares; nothing is ever sent to a unit.
"""

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec

from agent.commands.agent_client import AnswerError, RunningAgent
from agent.commands.terminal import exit_codes, out
from agent.errors import ConfigError, Mistake
from agent.exporters.web.curtailment_answers import CurtailmentAnswer, CurtailmentsAnswer
from agent.exporters.web.curtailment_api import PATH
from agent.site.curtailment.events import Phase, Scope
from agent.site.ledger.cells import parse_moment
from agent.text.numbers import hashrate_text

UNITS_NAMED = 20
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def start(
    agent: RunningAgent,
    *,
    target_percent: float,
    scope: Scope,
    start: str | None,
    end: str | None,
    lasts: str | None,
    source: str | None,
    event_id: str | None,
    as_json: bool,
) -> None:
    """Declare a curtailment.

    Args:
        agent: Whom to tell.
        target_percent: What is left to hash, percent of the nameplate.
        scope: Whom it covers.
        start: ISO time, a local one in the site's zone; now, when left out.
        end: The same; until it is stopped, when left out.
        lasts: Instead of the end, such as ``90m`` or ``2h``.
        source: Who declares it.
        event_id: A name of the caller's own.
        as_json: Print the agent's answer.
    """
    with exit_codes():
        order: dict[str, object] = {"target_percent": target_percent, "scope": scope.told()}
        told = {
            "start": _iso(start, "--start", agent.zone),
            "end": _iso(end, "--end", agent.zone),
            "duration_s": _seconds(lasts),
            "source": source,
            "id": event_id,
        }
        order |= {name: value for name, value in told.items() if value is not None}
        answer = agent.ask("POST", PATH, order)
        if as_json:
            out.print_json(msgspec.json.encode(answer).decode())
            return
        event = _read(answer, CurtailmentAnswer)
        _say(f"{event.id}: {_scope_text(event)} to {event.target_percent:g} %, {_span_text(event, agent.zone)}")
        _say(f"stop it with: hashsight curtail stop {event.id}")


def stop(agent: RunningAgent, event_id: str | None, *, stop_all: bool, as_json: bool) -> None:
    """Stop an event, or all that somebody ordered; the schedule's own are the configuration's.

    Args:
        agent: Whom to tell.
        event_id: Which event.
        stop_all: Every ordered event that has not ended, instead.
        as_json: Print the agent's answers.
    """
    with exit_codes():
        if (event_id is None) is not stop_all:
            raise _mistake("ID", event_id or "", "the id of an event is expected, or --all")
        ids = [event_id] if event_id is not None else _open_ids(agent)
        answers = [agent.ask("DELETE", f"{PATH}/{quote(each, safe='')}") for each in ids]
        if as_json:
            out.print_json(msgspec.json.encode(answers).decode())
            return
        for answer in answers:
            event = _read(answer, CurtailmentAnswer)
            _say(f"{event.id}: {event.phase}, {_span_text(event, agent.zone)}")
        if not answers:
            out.print("nothing to stop")


def list_events(agent: RunningAgent, *, as_json: bool) -> None:
    """Print what is declared, who straggles and who did not come back.

    Args:
        agent: Whom to ask.
        as_json: Print the agent's answer.
    """
    with exit_codes():
        answer = agent.ask("GET", PATH)
        if as_json:
            out.print_json(msgspec.json.encode(answer).decode())
            return
        events = _read(answer, CurtailmentsAnswer).curtailments
        if not events:
            out.print("no curtailment is declared")
            return
        for event in events:
            _tell(event, agent.zone)


def _open_ids(agent: RunningAgent) -> list[str]:
    events = _read(agent.ask("GET", PATH), CurtailmentsAnswer).curtailments
    # A colon is in no id that somebody ordered: those with one are the schedule's.
    return [event.id for event in events if event.phase in {Phase.PENDING, Phase.ACTIVE} and ":" not in event.id]


def _read(answer: Any, kind: type[msgspec.Struct]) -> Any:
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError as error:
        raise AnswerError(f"an answer of another version: {error}") from error


def _tell(event: CurtailmentAnswer, zone: ZoneInfo) -> None:
    """Print one event in lines, because a table of all there is to say is wider than most terminals."""
    declared = f"{_scope_text(event)} to {event.target_percent:g} %, {_span_text(event, zone)}, by {event.source}"
    _say(f"{event.id}: {event.phase}, {declared}")
    facts = f"{event.units_asleep:,} asleep"
    if event.phase is Phase.ACTIVE:
        left = f"{hashrate_text(event.operating_hs)} still hashing, {event.stragglers:,} stragglers"
        facts = f"{event.units_asleep:,} of {event.units:,} asleep, {left}"
    _say(f"  {facts}, {event.not_restored:,} not back")
    _name_units("hash on", event.stragglers, event.straggler_units)
    _name_units("did not come back", event.not_restored, event.not_restored_units)


def _name_units(words: str, count: int, units: list[str]) -> None:
    if count:
        named = ", ".join(units[:UNITS_NAMED])
        more = f" and {count - UNITS_NAMED:,} more" if count > UNITS_NAMED else ""
        _say(f"  {count:,} units {words}: {named}{more}")


def _say(text: str) -> None:
    out.print(text, markup=False, soft_wrap=True)


def _scope_text(event: CurtailmentAnswer) -> str:
    return ", ".join(f"{kind} {name}" for kind, name in event.scope.items()) or "the whole site"


def _span_text(event: CurtailmentAnswer, zone: ZoneInfo) -> str:
    end = "until it is stopped" if event.end is None else f"to {_moment_text(event.end, zone)}"
    return f"from {_moment_text(event.start, zone)} {end}"


def _moment_text(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def _iso(text: str | None, option: str, zone: ZoneInfo) -> str | None:
    """Give an ISO time in UTC from what somebody typed; a time without an offset is one in `zone`."""
    if text is None:
        return None
    try:
        at = parse_moment(text, zone=zone)
    except ValueError as error:
        raise _mistake(option, text, str(error)) from error
    if at is None:
        raise _mistake(option, text, "an ISO date and time is expected, such as 2025-10-07T16:00")
    return datetime.fromtimestamp(at, UTC).isoformat()


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    told = re.fullmatch(r"([0-9]{1,7}(?:\.[0-9]{1,3})?)([smhd])", text)
    if told is None or float(told[1]) == 0:
        raise _mistake("--for", text, "a duration above zero is expected, such as 90m, 2h or 1d")
    return float(told[1]) * _SECONDS[told[2]]


def _mistake(where: str, value: str, reason: str) -> ConfigError:
    return ConfigError([Mistake(file="curtail", where=where, value=value, reason=reason)])
