"""`hashsight curtail start|stop|list`: curtailments declared, stopped and listed at a running agent.

These commands only declare; nothing is ever sent to a unit.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec

from agent.commands.agent_client import AnswerError, RunningAgent, running_agent
from agent.commands.curtail_text import event_lines, order_text, span_text
from agent.commands.machine_output import visible, write_json
from agent.commands.terminal import exit_codes, out, usage_error
from agent.exporters.web.curtailment_answers import CurtailmentAnswer, CurtailmentsAnswer
from agent.exporters.web.curtailment_api import PATH
from agent.site.curtailment.events import Phase, Scope
from agent.site.ledger.cells import parse_moment

COMMAND = "curtail"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def start(
    *,
    config: Path | None,
    url: str | None,
    token_file: Path | None,
    ca_file: Path | None,
    target_percent: float,
    container: str | None,
    rack: str | None,
    model: str | None,
    unit: str | None,
    start: str | None,
    end: str | None,
    lasts: str | None,
    source: str | None,
    event_id: str | None,
    as_json: bool,
) -> None:
    """Declare a curtailment."""
    with exit_codes():
        agent = running_agent(config, url=url, token_file=token_file, ca_file=ca_file)
        scope = Scope(container=container, rack=rack, model=model, unit=unit)
        order: dict[str, object] = {"target_percent": target_percent, "scope": scope.names()}
        optional = {
            "start": _iso(start, "--start", agent.zone),
            "end": _iso(end, "--end", agent.zone),
            "duration_s": _seconds(lasts),
            "source": source,
            "id": event_id,
        }
        order |= {name: value for name, value in optional.items() if value is not None}
        answer = agent.ask("POST", PATH, order)
        if as_json:
            write_json(answer)
            return
        event = _read(answer, CurtailmentAnswer)
        _print(f"{event.id}: {order_text(event, agent.zone)}")
        _print(f"stop it with: hashsight curtail stop {event.id}")


def stop(
    event_id: str | None,
    *,
    config: Path | None,
    url: str | None,
    token_file: Path | None,
    ca_file: Path | None,
    stop_all: bool,
    as_json: bool,
) -> None:
    """Stop one curtailment, or all."""
    with exit_codes():
        agent = running_agent(config, url=url, token_file=token_file, ca_file=ca_file)
        has_id = event_id is not None
        if has_id == stop_all:
            raise usage_error(COMMAND, "ID", event_id or "", "the id of an event is expected, or --all")
        ids = _open_ids(agent) if event_id is None else [event_id]
        answers = [agent.ask("DELETE", f"{PATH}/{quote(each, safe='')}") for each in ids]
        if as_json:
            write_json(answers)
            return
        for answer in answers:
            event = _read(answer, CurtailmentAnswer)
            _print(f"{event.id}: {event.phase}, {span_text(event, agent.zone)}")
        if not answers:
            out.print("nothing to stop")


def list_events(
    *, config: Path | None, url: str | None, token_file: Path | None, ca_file: Path | None, as_json: bool
) -> None:
    """Print declared curtailments."""
    with exit_codes():
        agent = running_agent(config, url=url, token_file=token_file, ca_file=ca_file)
        answer = agent.ask("GET", PATH)
        if as_json:
            write_json(answer)
            return
        events = _read(answer, CurtailmentsAnswer).curtailments
        if not events:
            out.print("no curtailment is declared")
            return
        for event in events:
            for line in event_lines(event, agent.zone):
                _print(line)


def _open_ids(agent: RunningAgent) -> list[str]:
    """Return the ids of ordered events that have not ended; the schedule's own events belong to the configuration."""
    events = _read(agent.ask("GET", PATH), CurtailmentsAnswer).curtailments
    # Only the schedule's ids contain a colon.
    return [event.id for event in events if event.phase in {Phase.PENDING, Phase.ACTIVE} and ":" not in event.id]


def _read(answer: Any, kind: type[msgspec.Struct]) -> Any:
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError as error:
        raise AnswerError(f"the agent's answer does not fit this version of hashsight: {error}") from error


def _print(text: str) -> None:
    # Names come from an unverified server at the address.
    out.print(visible(text), markup=False, soft_wrap=True)


def _iso(text: str | None, option: str, zone: ZoneInfo) -> str | None:
    """Return an ISO time in UTC from an operator's input; a time without an offset is local to `zone`."""
    if text is None:
        return None
    try:
        at = parse_moment(text, zone=zone)
    except ValueError as error:
        raise usage_error(COMMAND, option, text, str(error)) from error
    if at is None:
        raise usage_error(COMMAND, option, text, "an ISO date and time is expected, such as 2025-10-07T16:00")
    return datetime.fromtimestamp(at, UTC).isoformat()


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,7}(?:\.[0-9]{1,3})?)([smhd])", text)
    if match is None or float(match[1]) == 0:
        raise usage_error(COMMAND, "--for", text, "a duration above zero is expected, such as 90m, 2h or 1d")
    return float(match[1]) * _SECONDS[match[2]]
