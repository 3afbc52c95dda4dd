"""The latest look of discovery on disk: written after each look, and taken over at the start."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import structlog

from agent.files.snapshot import read_packed, write_packed
from agent.hil.discovery.figures import Look
from agent.hil.scan.ranges import Targets
from agent.text.numbers import duration_text

log = structlog.get_logger("agent.discovery")

SUFFIX: Final = ".discovery"
FORMAT: Final = 1
KEPT_FOR_S: Final = 7 * 86_400.0
"""An older look says too little about today."""


class _Kept(msgspec.Struct, frozen=True):
    """The content of the file: the format, the port that was looked at, and the look."""

    format: int
    port: int
    look: Look


def keep_look(path: Path, look: Look, port: int) -> None:
    """Write a look, whole or not at all. A file that cannot be written is logged: nothing else depends on it."""
    try:
        write_packed(path, msgspec.json.encode(_Kept(FORMAT, port, look)))
    except OSError as error:
        log.warning("look not kept", file=str(path), error=error.strerror or str(error))


def kept_look(path: Path, targets: Targets, port: int, *, at: float) -> Look | None:
    """Return the look of an earlier process, without machines that would not be looked at now; None if there is none.

    Args:
        path: The file.
        targets: The addresses that are looked at.
        port: The port of the API.
        at: Unix time now, s.
    """
    try:
        data = read_packed(path)
        if data is None:
            return None
        kept = msgspec.json.decode(data, type=_Kept)
    except (OSError, ValueError, msgspec.MsgspecError, RecursionError) as error:
        log.warning("look not restored", file=str(path), error=str(error))
        return None
    age_s = at - kept.look.ended
    if kept.format != FORMAT or kept.port != port or not 0 <= age_s <= KEPT_FOR_S:
        return None
    seen = tuple(each for each in kept.look.seen if _is_among(each.endpoint.host, targets))
    log.info("look restored", age=duration_text(age_s), machines=len(seen), file=str(path))
    return replace(kept.look, seen=seen)


def _is_among(host: str, targets: Targets) -> bool:
    try:
        targets.index_of(host)
    except ValueError:
        return False
    return True
