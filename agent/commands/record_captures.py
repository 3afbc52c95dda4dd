"""From recordings to written captures: shown, asked for, written; and every way in which that fails, told."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import typer

from agent.commands.machine_output import visible
from agent.commands.record_text import Brought, print_finished, print_redaction
from agent.commands.terminal import err, sentence
from agent.errors import ForeignProtocolError, PollError
from agent.hil.assumptions.captured import recorded_of, unread_of
from agent.hil.assumptions.table import judge
from agent.hil.capture.finishing import finished, named
from agent.hil.capture.folder import write_capture
from agent.hil.capture.report import as_document
from agent.hil.capture.session import Recording
from agent.hil.redaction.redactor import Redactor
from agent.site.reasons import REASONS
from agent.site.status import reason_of

_MOST_TWINS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How captures are written, as the options say.

    Attributes:
        folder: Where; None for that of each spool.
        keep: Paths whose texts are not replaced.
        is_redacted: Replace what is private.
        is_agreed: Write without asking.
        has_screen: Print the screen at the end.
    """

    folder: Path | None
    keep: tuple[str, ...]
    is_redacted: bool
    is_agreed: bool
    has_screen: bool


def settled(recordings: Iterable[Recording], writing: Writing) -> tuple[list[dict[str, object]], bool]:
    """Write the capture of each recording; return a document on each, and True if one failed."""
    documents: list[dict[str, object]] = []
    has_failed = False
    for recording in recordings:
        error = recording.error
        if isinstance(error, OSError):
            document = _failure(recording, error)
        elif isinstance(error, PollError) or not recording.gathering.is_answered:
            document = _no_unit(recording)
        else:
            try:
                document = _written(recording, writing)
            except OSError as failure:
                document = _failure(recording, failure)
            if error is not None:
                say(f"{recording.begun.host}: {sentence(error)}; what was recorded until then is in the capture")
                has_failed = True
        documents.append(document)
        has_failed |= "error" in document
    return documents, has_failed


def _no_unit(recording: Recording) -> dict[str, object]:
    """Say why there is nothing to write; a spool that this process made holds nothing that is missed."""
    host, error = recording.begun.host, recording.error
    if error is not None or recording.is_stopped:
        recording.path.unlink(missing_ok=True)
    text = "stopped before anything was recorded"
    if error is not None:
        text = sentence(error)
    elif not recording.is_stopped:
        text = "nothing answered while it was recorded"
    if isinstance(error, ForeignProtocolError) and error.speaker.startswith(("a ", "an ")):
        say(f"{host}: this is {error.speaker}, which hashsight does not read")
    say(f"{host}: {text}")
    if isinstance(error, PollError):
        say(f"check first: {REASONS[reason_of(error)].check_first}")
    return {"host": host, "error": text}


def _failure(recording: Recording, error: OSError) -> dict[str, object]:
    """Say what was not written, and how the rest is saved."""
    host, path = recording.begun.host, recording.path
    say(f"{host}: {sentence(error)}")
    if not path.exists():
        return {"host": host, "error": sentence(error)}
    say(f"what was recorded is in {path}; once that is put right: hashsight record --finish {path}")
    return {"host": host, "error": sentence(error), "unfinished": str(path)}


def _written(recording: Recording, writing: Writing) -> dict[str, object]:
    """Show what was replaced, ask if that is to be written, and write it.

    Raises:
        OSError: It could not be written.
    """
    redactor = Redactor(keep=writing.keep) if writing.is_redacted else None
    if redactor is not None:
        redactor.learn(recording.secrets)
    done = finished(recording.gathering, recording.begun, redactor)
    parent = recording.path.parent if writing.folder is None else writing.folder
    folder = _free(parent / done.capture.name)
    done = named(done, folder.name)
    host = recording.begun.host
    print_redaction(host, redactor)
    if not _is_agreed(folder, writing):
        say(f"not written; {recording.path} holds it, unredacted: finish it with --finish, or delete it")
        return {"host": host, "error": "not written, as answered", "unfinished": str(recording.path)}
    write_capture(folder, done.capture, golden=done.golden, sources=done.sources)
    recording.path.unlink(missing_ok=True)
    raw = recording.gathering.capture(name="", recorded_by="", recorded_at=recording.begun.recorded_at)
    # From the unit's own replies: in redacted ones, names of unknown fields are pseudonyms.
    unread, findings = unread_of(raw), judge(recorded_of(raw))
    document = as_document(recording.gathering, done, redactor)
    if writing.has_screen:
        print_finished(Brought(recording, done, folder, document, unread, findings))
    return {
        "host": host,
        "folder": str(folder),
        **document,
        "unread": msgspec.to_builtins(unread),
        "assumptions": [msgspec.to_builtins(finding) for finding in findings],
    }


def _free(folder: Path) -> Path:
    """Return a folder of this name that does not exist yet, with a number behind it if need be."""
    twins = (folder.with_name(f"{folder.name}-{number}") for number in range(2, _MOST_TWINS))
    return next((each for each in (folder, *twins) if not each.exists()), folder)


def _is_agreed(folder: Path, writing: Writing) -> bool:
    if writing.is_agreed or not _has_terminal():
        return True
    return typer.confirm(f"write {folder}?", default=True, err=True)


def _has_terminal() -> bool:
    """Return True if there is a terminal to ask at."""
    return sys.stdin is not None and sys.stdin.isatty() and err.is_terminal


def say(text: str) -> None:
    """Print one line for the person at the terminal, beside the output."""
    err.print(visible(text), markup=False, soft_wrap=True)
