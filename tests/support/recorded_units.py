"""Units recorded by the agent's own recorder, in this process and without a command line."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from loopback import Behaviour

from agent.address import Endpoint
from agent.hil.capture.exchange import Patience
from agent.hil.capture.finishing import Finished, Redacts, finished, named
from agent.hil.capture.folder import write_capture
from agent.hil.capture.gathering import Look
from agent.hil.capture.recorder import Plan
from agent.hil.capture.requests import Firmware
from agent.hil.capture.session import Recording, record_all
from agent.hil.capture.spool import VERSION, Begun
from agent.unit.login import Login

LOGIN = Login(user="root", password="root")  # noqa: S106  the factory's
NO_PAUSE = dict.fromkeys(Firmware, 0.0)
REFUSED = b'{"STATUS":[{"STATUS":"E","When":1,"Code":14,"Msg":"Invalid command","Description":"cgminer 1.0.0"}],"id":1}'
RECORDED_AT = "2026-11-30T16:00:00Z"


def plan(host: str, port: int, **options: Any) -> Plan:
    """Return the plan of one look without pauses, at the API's port alone."""
    defaults: dict[str, Any] = {"web_port": None, "pauses_s": NO_PAUSE, "patience": Patience(close_s=0.1)}
    return Plan(endpoint=Endpoint(host, port), **{**defaults, **options})


def begun(host: str) -> Begun:
    """Return the first line of a spool, of a fixed time."""
    return Begun(spool=VERSION, host=host, recorded_by="hashsight test", recorded_at=RECORDED_AT)


async def record(
    folder: Path, *plans: Plan, on_look: Callable[[str, Look], None] = lambda _host, _look: None
) -> Sequence[Recording]:
    """Record units into spools in a folder."""
    recordings: list[Recording] = []
    await record_all(plans, folder, begun, on_look=on_look, recordings=recordings)
    return recordings


def written(recording: Recording, folder: Path, redactor: Redacts | None = None) -> Finished:
    """Write the capture of a recording under the name of its folder."""
    done = named(finished(recording.gathering, recording.begun, redactor), folder.name)
    write_capture(folder, done.capture, golden=done.golden, sources=done.sources)
    return done


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the content of every file in a folder and below, by relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def only(recordings: Sequence[Recording]) -> Recording:
    """Return the one recording, without an error."""
    (recording,) = recordings
    assert recording.error is None, recording.error
    return recording


def by_table(answers: Mapping[str, bytes], heard: list[bytes]) -> Behaviour:
    """Answer by command, in either dialect; E/14 to any other."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.read(4096)
        heard.append(request)
        if request:
            writer.write(answers.get(json.loads(request)["command"], REFUSED) + b"\0")

    return behave
