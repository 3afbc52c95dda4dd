"""A finished recording in words: what was replaced, and one screen of 80 columns at its end."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from agent.commands.machine_output import visible
from agent.commands.terminal import err, out
from agent.hil.assumptions.check import Finding
from agent.hil.assumptions.screen import StateSeen, UnitRead, screen
from agent.hil.capture.finishing import Finished
from agent.hil.capture.report import NOTHING
from agent.hil.capture.session import Recording
from agent.hil.redaction.redactor import Redactor
from agent.hil.redaction.summary import words_for
from agent.text.numbers import ABSENT, hashrate_text
from agent.unit.unread import Unread

_WIDTH: Final = 80
_MARGIN: Final = 12
_ENDINGS: Final[Mapping[str, str]] = {
    "nul_close": "NUL, then it closes",
    "nul": "NUL, and it leaves the connection open",
    "close": "it closes without a NUL",
    "length": "at the announced length",
    "reset": "it resets the connection",
    "silence": "nothing more came",
    "too_large": "cut at the recorder's cap",
    NOTHING: "no connection",
}


class Brought(NamedTuple):
    """The result of one recording.

    Attributes:
        recording: The recording.
        done: Its capture.
        folder: Where that was written.
        document: As of `report.as_document`.
        unread: Fields that no reader reads.
        findings: Its finding for each assumption.
    """

    recording: Recording
    done: Finished
    folder: Path
    document: Mapping[str, Any]
    unread: Unread
    findings: Sequence[Finding]


def print_redaction(host: str, redactor: Redactor | None) -> None:
    """Print what was replaced, and what stays; None if nothing is replaced. No secret is shown."""
    if redactor is None:
        _note(f"{host}: nothing is replaced; the capture will say that it is private")
        return
    _note(f"{host}: before anything is written")
    for line in words_for(redactor):
        _note(line)


def print_finished(brought: Brought) -> None:
    """Print the screen at the end of one recording."""
    for line in screen(_unit_read(brought), brought.unread, brought.findings):
        _print(line)
    for name, text in _rows(brought):
        for number, line in enumerate(_wrapped(text)):
            _print(f"{'' if number else name:<{_MARGIN}}{line}")


def _unit_read(brought: Brought) -> UnitRead:
    manifest = brought.done.capture.manifest
    unit, looks = manifest.unit, brought.recording.gathering.looks
    states = [
        StateSeen(state, *(look.at_s for look in (seen[0], seen[-1])))
        for state in brought.recording.gathering.states
        if (seen := [look for look in looks if look.state is state])
    ]
    return UnitRead(
        host=brought.recording.begun.host,
        model=unit.model,
        firmware=f"{brought.done.firmware}, {unit.firmware or 'build not reported'}",
        bin_th=None if unit.bin_hs is None else unit.bin_hs / 1e12,
        boards=_boards_text(brought.document["reading"]),
        states=states,
        replies=len(brought.done.capture.data),
    )


def _boards_text(reading: Mapping[str, Any]) -> str | None:
    boards = reading.get("boards") or ()
    chips = sorted({board["chips"] for board in boards if board["chips"] is not None})
    if not boards:
        return None
    return f"{len(boards)}" + (f" of {' or '.join(map(str, chips))} chips" if chips else "")


def _rows(brought: Brought) -> Iterable[tuple[str, str]]:
    document, recording = brought.document, brought.recording
    yield "reading", _reading_text(document["reading"])
    if document["moments"]:
        yield "moments", ", ".join(folder.partition("/")[2] for folder in document["moments"])
    endings = document["endings"].items()
    yield "framing", "; ".join(f"{len(names)} x {_ENDINGS[ending]}{_named(ending, names)}" for ending, names in endings)
    if document["refused"]:
        yield "refused", ", ".join(document["refused"])
    ports = {state: [number for number, each in document["ports"].items() if each == state] for state in _PORTS}
    yield "ports", "; ".join(f"{_PORTS[state]} {', '.join(numbers)}" for state, numbers in ports.items() if numbers)
    yield "times", _times_text(document["times"])
    if recording.is_login_refused:
        yield "pages", "the login was refused, or is not asked for by digest; they were left alone then"
    if recording.is_too_large:
        yield "note", "ended early: the recording had reached its largest size"
    kind = "redacted" if document["is_redacted"] else "NOT redacted: private, do not publish"
    yield "capture", f"{brought.folder} ({document['bytes'] / 1000:,.0f} kB, {kind})"


_PORTS: Final = {"open": "open", "refused": "refused", "silent": "silent", "no_route": "no route"}


def _reading_text(reading: Mapping[str, Any]) -> str:
    if "error" in reading:
        return f"{reading['error']}: {reading['message']}"
    words = [reading["why"], hashrate_text(reading["hashrate_5s_hs"])]
    if reading["mode"]:
        words.append(f"mode {reading['mode']}")
    return ", ".join(word for word in words if word != ABSENT)


def _named(ending: str, requests: Sequence[str]) -> str:
    """Return the names of what did not end as it should; the others are many, and alike."""
    return "" if ending in {"nul_close", "length"} else f" ({', '.join(requests)})"


def _times_text(times: Mapping[str, Mapping[str, float]]) -> str:
    words = (("connect_s", "connect"), ("first_byte_s", "first byte"), ("last_byte_s", "last byte"))
    return "; ".join(
        f"{word} median {times[key]['median'] * 1000:.1f} ms, at most {times[key]['greatest'] * 1000:.0f} ms"
        for key, word in words
        if key in times
    )


def _wrapped(text: str) -> Iterable[str]:
    """Yield the lines of a text that fit beside the margin; a longer word has a line of its own."""
    line = ""
    for word in visible(text).split(" "):
        if line and _MARGIN + len(line) + 1 + len(word) > _WIDTH:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line


def _note(text: str) -> None:
    err.print(visible(text), markup=False, soft_wrap=True)


def _print(text: str) -> None:
    out.print(visible(text), markup=False, soft_wrap=True)
