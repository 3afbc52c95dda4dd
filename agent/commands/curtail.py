"""`hashsight curtail start|stop|list`: curtailments declared, stopped and listed at a running agent.

These commands only declare; nothing is ever sent to a unit.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec
import typer

from agent.commands.agent_client import AnswerError, RunningAgent, running_agent
from agent.commands.curtail_text import event_lines, order_text, span_text
from agent.commands.options import Json, OptionalConfigPath
from agent.commands.terminal import exit_codes, out, usage_error
from agent.exporters.web.curtailment_answers import CurtailmentAnswer, CurtailmentsAnswer
from agent.exporters.web.curtailment_api import PATH
from agent.site.curtailment.events import Phase, Scope
from agent.site.ledger.cells import parse_moment

COMMAND = "curtail"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

app = typer.Typer(
    name="curtail",
    add_completion=False,
    no_args_is_help=True,
    help="Declare, stop and list curtailments at a running agent.",
)

Url = Annotated[str | None, typer.Option("--url", help="Address of the agent; overrides the one in the configuration.")]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", help="File with the agent's token; overrides the configuration's.")
]


@app.command()
def start(
    *,
    config: OptionalConfigPath = None,
    url: Url = None,
    token_file: TokenFile = None,
    target_percent: Annotated[
        float, typer.Option("--target", min=0, max=99.9, help="Share left hashing, in percent of nameplate.")
    ] = 0.0,
    container: Annotated[str | None, typer.Option(help="Only this container.")] = None,
    rack: Annotated[str | None, typer.Option(help="Only this rack.")] = None,
    model: Annotated[str | None, typer.Option(help="Only this model.")] = None,
    unit: Annotated[str | None, typer.Option(help="Only this unit.")] = None,
    start: Annotated[
        str | None, typer.Option(help="ISO time, in the site's zone unless it has an offset; default: now.")
    ] = None,
    end: Annotated[str | None, typer.Option(help="Likewise; default: until it is stopped.")] = None,
    lasts: Annotated[str | None, typer.Option("--for", help="Duration instead of --end: 90m, 2h, 1d.")] = None,
    source: Annotated[str | None, typer.Option(help="Who declares it, in a few words.")] = None,
    event_id: Annotated[
        str | None, typer.Option("--id", help="Your own id; repeating the command starts only one event.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Declare a curtailment: sleeping units count as curtailed, not stopped. Nothing is sent to a unit."""
    with exit_codes():
        agent = running_agent(config, url=url, token_file=token_file)
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
            out.print_json(msgspec.json.encode(answer).decode())
            return
        event = _read(answer, CurtailmentAnswer)
        _print(f"{event.id}: {order_text(event, agent.zone)}")
        _print(f"stop it with: hashsight curtail stop {event.id}")


@app.command()
def stop(
    event_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Event id, as `list` prints it.")] = None,
    *,
    config: OptionalConfigPath = None,
    url: Url = None,
    token_file: TokenFile = None,
    stop_all: Annotated[bool, typer.Option("--all", help="Stop every ordered event that has not ended.")] = False,
    as_json: Json = False,
) -> None:
    """Stop a curtailment now. Its units have 15 minutes to hash again before they count as stopped."""
    with exit_codes():
        agent = running_agent(config, url=url, token_file=token_file)
        has_id = event_id is not None
        if has_id == stop_all:
            raise usage_error(COMMAND, "ID", event_id or "", "the id of an event is expected, or --all")
        ids = _open_ids(agent) if event_id is None else [event_id]
        answers = [agent.ask("DELETE", f"{PATH}/{quote(each, safe='')}") for each in ids]
        if as_json:
            out.print_json(msgspec.json.encode(answers).decode())
            return
        for answer in answers:
            event = _read(answer, CurtailmentAnswer)
            _print(f"{event.id}: {event.phase}, {span_text(event, agent.zone)}")
        if not answers:
            out.print("nothing to stop")


@app.command("list")
def list_events(
    *, config: OptionalConfigPath = None, url: Url = None, token_file: TokenFile = None, as_json: Json = False
) -> None:
    """Print declared curtailments, the units that still hash, and the units that did not come back."""
    with exit_codes():
        agent = running_agent(config, url=url, token_file=token_file)
        answer = agent.ask("GET", PATH)
        if as_json:
            out.print_json(msgspec.json.encode(answer).decode())
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
        raise AnswerError(f"an answer of another version: {error}") from error


def _print(text: str) -> None:
    out.print(text, markup=False, soft_wrap=True)


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
