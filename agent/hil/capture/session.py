"""Several units recorded side by side, each into a spool of its own; the folder has one recorder at a time."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent.errors import AgentError, ConfigError, Mistake
from agent.files.lock import FileLock
from agent.hil.capture.gathering import Gathering, Look
from agent.hil.capture.recorder import Plan, Recorder
from agent.hil.capture.spool import Begun, Spool, new_path, read_spool

MOST_HOSTS: Final = 64
SIDE_BY_SIDE: Final = 16
_LOCK: Final = ".record"


@dataclass(slots=True, kw_only=True)
class Recording:
    """One unit's recording, under way or over.

    Attributes:
        begun: The first line of its spool.
        path: Its spool.
        gathering: What was kept.
        error: Why it ended early; None if it did not.
        secrets: Texts of its login, to be replaced wherever the unit says them; in no file.
        is_stopped: A signal ended it.
        is_login_refused, is_too_large: As of `Recorder`.
    """

    begun: Begun
    path: Path
    gathering: Gathering = field(default_factory=Gathering)
    error: AgentError | OSError | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    is_stopped: bool = False
    is_login_refused: bool = False
    is_too_large: bool = False


@contextmanager
def folder_of_one(folder: Path) -> Iterator[None]:
    """Hold the right to record into a folder, which is made if it is not there.

    Raises:
        ConfigError: Another recorder has it.
        OSError: It cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(folder / _LOCK)
    except BlockingIOError as error:
        reason = "another `hashsight record` writes into this folder; wait for its end, or name another one"
        raise ConfigError([Mistake(file="record", where="-o", value=str(folder), reason=reason)]) from error
    try:
        yield
    finally:
        lock.close()


async def record_all(
    plans: Sequence[Plan],
    folder: Path,
    begun_of: Callable[[str], Begun],
    *,
    on_look: Callable[[str, Look], None],
    recordings: list[Recording],
) -> None:
    """Record units side by side until all plans are done, or this task is cancelled.

    Args:
        plans: One a unit.
        folder: For the spools; it is locked.
        begun_of: Returns the first line of the spool of a host.
        on_look: Called with the unit's address and each of its looks.
        recordings: Gets each recording as soon as it begins; failures are kept in them.
    """
    places = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(plan: Plan) -> None:
        async with places:
            await _record(plan, folder, begun_of(plan.shown), on_look, recordings)

    async with asyncio.TaskGroup() as group:
        for plan in plans:
            group.create_task(one(plan), name=f"record {plan.shown}")


async def _record(
    plan: Plan, folder: Path, begun: Begun, on_look: Callable[[str, Look], None], recordings: list[Recording]
) -> None:
    secrets = () if plan.login is None else (plan.login.user, plan.login.password)
    recording = Recording(begun=begun, path=new_path(folder, begun.host), secrets=secrets)
    recordings.append(recording)
    try:
        spool = Spool(recording.path, begun)
    except OSError as error:
        recording.error = error
        return
    recorder = Recorder(plan, spool, recording.gathering, on_look=lambda look: on_look(begun.host, look))
    try:
        await recorder.run()
    except asyncio.CancelledError:
        recording.is_stopped = True
        raise
    except (AgentError, OSError) as error:
        recording.error = error
    finally:
        recording.is_login_refused, recording.is_too_large = recorder.is_login_refused, recorder.is_too_large
        spool.close()


def spooled(path: Path) -> Recording:
    """Return the recording in a spool.

    Raises:
        ConfigError: It is none, or is damaged.
    """
    begun, ports, exchanges = read_spool(path)
    recording = Recording(begun=begun, path=path)
    for looked in ports:
        recording.gathering.add_port(looked.number, looked.port)
    for exchange in exchanges:
        recording.gathering.add(exchange)
    recording.gathering.end_look()
    return recording
