"""A finished recording in words: what was replaced, and one screen of 80 columns at its end."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from agent.commands.machine_output import visible
from agent.commands.terminal import err, out
from agent.hil.capture.report import NOTHING
from agent.hil.capture.session import Recording
from agent.hil.redaction.redactor import Redactor
from agent.hil.redaction.summary import words_for
from agent.text.numbers import ABSENT, duration_text, hashrate_text

_WIDTH: Final = 80
_MARGIN: Final = 11
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


def print_redaction(host: str, redactor: Redactor | None) -> None:
    """Print what was replaced, and what stays; None if nothing is replaced. No secret is shown."""
    if redactor is None:
        _note(f"{host}: nothing is replaced; the capture will say that it is private")
        return
    _note(f"{host}: before anything is written")
    for line in words_for(redactor):
        _note(line)


def print_finished(host: str, folder: Path, recording: Recording, document: Mapping[str, Any]) -> None:
    """Print the screen at the end of one recording."""
    _print(f"{host}: {_unit_text(document)}")
    for name, text in _rows(folder, recording, document):
        for number, line in enumerate(_wrapped(text)):
            _print(f"  {'' if number else name:<{_MARGIN - 2}}{line}")


def _rows(folder: Path, recording: Recording, document: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    kind = "redacted" if document["is_redacted"] else "NOT redacted: private, do not publish"
    yield "capture", str(folder)
    yield "replies", f"{document['files']}, {document['bytes'] / 1000:,.0f} kB; {kind}"
    yield "reading", _reading_text(document["reading"])
    yield "states", ", ".join(_state_text(each, document["looks"]) for each in document["states"])
    if document["moments"]:
        moments = [folder.partition("/")[2] for folder in document["moments"]]
        yield "moments", ", ".join(moments)
    for ending, requests in document["endings"].items():
        yield f"{len(requests):>3} x", f"{_ENDINGS[ending]}{_named(ending, requests)}"
    if document["refused"]:
        yield "refused", ", ".join(document["refused"])
    ports = {state: [number for number, each in document["ports"].items() if each == state] for state in _PORTS}
    yield "ports", "; ".join(f"{_PORTS[state]} {', '.join(numbers)}" for state, numbers in ports.items() if numbers)
    yield "times", _times_text(document["times"])
    if recording.is_login_refused:
        yield "pages", "the login was refused, or is not asked for by digest; they were left alone then"
    if recording.is_too_large:
        yield "note", "ended early: the recording had reached its largest size"


_PORTS: Final = {"open": "open", "refused": "refused", "silent": "silent", "no_route": "no route"}


def _unit_text(document: Mapping[str, Any]) -> str:
    unit = document["unit"]
    bin_hs = unit.get("bin_hs")
    bin_text = "" if bin_hs is None else f" {bin_hs / 1e12:g} TH/s"
    build = unit.get("firmware")
    return f"{unit.get('model') or 'model not told'}{bin_text}, {document['firmware']}" + (
        f", {build}" if build else ""
    )


def _reading_text(reading: Mapping[str, Any]) -> str:
    if "error" in reading:
        return f"{reading['error']}: {reading['message']}"
    boards = reading["boards"]
    chips = sorted({board["chips"] for board in boards if board["chips"] is not None})
    counts = f", {' or '.join(map(str, chips))} chips each" if chips else ""
    words = [reading["why"], hashrate_text(reading["hashrate_5s_hs"]), f"{len(boards)} boards{counts}"]
    if reading["mode"]:
        words.append(f"mode {reading['mode']}")
    return ", ".join(word for word in words if word != ABSENT)


def _state_text(state: Mapping[str, Any], looks: int) -> str:
    if looks == 1:
        return str(state["state"])
    return f"{state['state']} ({state['looks']} of {looks} looks, from {duration_text(state['first_at_s'])})"


def _named(ending: str, requests: Sequence[str]) -> str:
    """Return the names of what did not end as it should; the others are many, and alike."""
    return "" if ending in {"nul_close", "length"} else f": {', '.join(requests)}"


def _times_text(times: Mapping[str, Mapping[str, float]]) -> str:
    words = (("connect_s", "connect"), ("first_byte_s", "first byte"), ("last_byte_s", "last byte"))
    return "; ".join(
        f"{word} {times[key]['middle'] * 1000:.1f} ms, at most {times[key]['greatest'] * 1000:.0f}"
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
