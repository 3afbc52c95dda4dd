"""Two records of the project held against each other: what is equal, what was reworded on purpose, what differs."""

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# What the real clock or the machine decides, and why it cannot be made the same: a pattern, what stands for it, the
# names of the files that it holds for. Everything else is equal to the last digit, times and durations included,
# because the programs ran by a clock that was moved for them.
NORMALISED = (
    # The libraries that write it ask the system for the time, in C.
    ("time of a log line", r'"timestamp": "[^"]*"', '"timestamp": "TIME"', r".*\.err"),
    # What the process cost on this machine, in this run.
    ("process and interpreter", r"(?m)^((?:process|python)_\w+(?:\{[^}]*\})?) \S+$", r"\1 N", r".*\.prom"),
    # Counts the digits of the above, and the letters of HELP texts that may be reworded.
    ("size of a scrape", r"(?m)^(miner_agent_scrape_bytes\{[^}]*\}) \S+$", r"\1 N", r".*\.prom"),
    # Two commits may be two versions.
    ("version", r'("(?:version|sw|sw_version|agent_version)": ?|version=)"\d[^"]*"', r'\1"VERSION"', r".*"),
)
# Fields of JSON that hold sentences for people. All others are for programs.
SENTENCES = {
    *("about", "agent_must", "description", "detail", "error", "event", "help", "message", "not_ready_reason", "note"),
    *("notes", "summary", "text", "title", "trouble", "why", "words"),
}
SHOWN = 40
_EXCERPT = 300


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a record says.

    Attributes:
        where: What it is about; the same in both records.
        value: What is said of it.
        is_prose: Whether it may be reworded.
    """

    where: str
    value: str
    is_prose: bool


@dataclass
class Verdict:
    """The outcome of a comparison.

    Attributes:
        files, entries: How many were compared.
        reworded: Rewordings that were found in the table, with how often.
        unlisted: Prose that differs and is not in the table: before and after, and each place.
        differences: All else that differs, one line each.
    """

    files: int = 0
    entries: int = 0
    reworded: dict[tuple[str, str], int] = field(default_factory=dict)
    unlisted: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        """True if nothing differs except deliberate rewordings."""
        return not self.differences and not self.unlisted


def read_rewordings(path: Path) -> list[tuple[str, str]]:
    """Read the table of what was reworded on purpose."""
    texts = tomllib.loads(path.read_text(encoding="utf-8")).get("text", [])
    return [(text["before"], text["after"]) for text in texts]


def draft(verdict: Verdict) -> str:
    """Return the prose that differs and is not in the table as entries of it, to be read one by one."""
    return "".join(
        f"# {places[0]}{f' and {len(places) - 1} more' if len(places) > 1 else ''}\n"
        f"[[text]]\nbefore = {json.dumps(was, ensure_ascii=False)}\nafter = {json.dumps(now, ensure_ascii=False)}\n\n"
        for (was, now), places in verdict.unlisted.items()
    )


def compare(before: Path, after: Path, rewordings: Iterable[tuple[str, str]] = ()) -> Verdict:
    """Compare two folders of records."""
    verdict, table = Verdict(), list(rewordings)
    names = [{path.name for path in folder.iterdir()} for folder in (before, after)]
    for name in sorted(names[0] | names[1]):
        if name not in names[0] or name not in names[1]:
            verdict.differences.append(f"{name}: only in {'the second' if name in names[1] else 'the first'} record")
            continue
        verdict.files += 1
        _compare(name, read(before / name), read(after / name), table, verdict)
    return verdict


def read(path: Path) -> list[Entry]:
    """Read one file of a record as what it says, normalised."""
    text = path.read_text(encoding="utf-8", errors="backslashreplace")
    for _, pattern, replacement, names in NORMALISED:
        if re.fullmatch(names, path.name):
            text = re.sub(pattern, replacement, text)
    if path.suffix == ".prom":
        return list(_exposition(text))
    if path.suffix == ".html":
        return list(_page(text))
    try:
        return list(_leaves("", json.loads(text), is_prose=False))
    except ValueError:
        return list(_lines(text))


def _exposition(text: str) -> Iterator[Entry]:
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, _, words = line.removeprefix("# HELP ").partition(" ")
            yield Entry(f"HELP {name}", words, is_prose=True)
        elif line.startswith("#"):
            yield Entry(line, "", is_prose=False)
        else:
            series, _, value = line.rpartition(" ")
            yield Entry(series, value, is_prose=False)


def _page(text: str) -> Iterator[Entry]:
    """Yield tags, the labels in them, and the text between them, each placed by the number of tags before it."""
    for number, part in enumerate(re.split(r"(<[^>]*>)", text)):
        if not part.strip():
            continue
        words = " ".join(part.split())
        if not part.startswith("<"):
            yield Entry(f"part {number}", words, is_prose=True)
            continue
        yield Entry(f"part {number}", re.sub(r'(aria-label|title)="[^"]*"', r'\1=""', words), is_prose=False)
        for label, value in re.findall(r'(aria-label|title)="([^"]*)"', words):
            yield Entry(f"part {number}, {label}", value, is_prose=True)


def _lines(text: str) -> Iterator[Entry]:
    """Yield lines, and the fields of lines that are JSON, as in a log. The widths of a table's columns are ignored."""
    for number, line in enumerate(text.splitlines(), 1):
        try:
            fields = json.loads(line)
        except ValueError:
            fields = None
        if isinstance(fields, dict):
            yield from _leaves(f"line {number}", fields, is_prose=False)
        else:
            yield Entry(f"line {number}", re.sub(r"[ ─━-]{2,}", " ", line).strip(), is_prose=True)


def _leaves(where: str, value: Any, *, is_prose: bool) -> Iterator[Entry]:
    """Yield the value at each place of a JSON document, in the order of the file."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(f"{where}.{key}", inner, is_prose=key in SENTENCES)
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _leaves(f"{where}[{number}]", inner, is_prose=is_prose)
    elif isinstance(value, str) and is_prose:
        yield Entry(where, value, is_prose=True)
    else:
        yield Entry(where, repr(value), is_prose=False)


def _compare(name: str, old: list[Entry], new: list[Entry], table: list[tuple[str, str]], verdict: Verdict) -> None:
    verdict.entries += len(old)
    places = [[entry.where for entry in entries] for entries in (old, new)]
    if places[0] != places[1]:
        verdict.differences.extend(f"{name}: {line}" for line in _misplaced(*places))
        rest = {entry.where: entry for entry in new}
        pairs = [(entry, rest[entry.where]) for entry in old if entry.where in rest]
    else:
        pairs = list(zip(old, new, strict=True))
    for was, now in pairs:
        if was.value == now.value:
            continue
        if was.is_prose and _is_reworded(was.value, now.value, table, verdict):
            continue
        if not was.is_prose or _figures(was.value) != _figures(now.value):
            verdict.differences.append(f"{name}: {was.where}: {was.value[:_EXCERPT]} -> {now.value[:_EXCERPT]}")
        else:
            verdict.unlisted.setdefault((was.value, now.value), []).append(f"{name}: {was.where}")


def _misplaced(old: list[str], new: list[str]) -> Iterator[str]:
    """Yield the places that only one record has, or that stand elsewhere in the other."""
    for line in difflib.unified_diff(old, new, "first", "second", lineterm="", n=0):
        if not line.startswith(("---", "+++", "@@")):
            which = "first" if line[0] == "-" else "second"
            yield f"only, or elsewhere, in the {which} record: {line[1:][:_EXCERPT]}"


def _figures(text: str) -> list[str]:
    """Return the numbers in a sentence, which rewording leaves as they are, in whatever order."""
    return sorted(re.findall(r"\d[\d.,:]*\d|\d", text))


def _is_reworded(was: str, now: str, table: list[tuple[str, str]], verdict: Verdict) -> bool:
    # A sentence that is in the table as a whole first: parts of others may occur in it.
    used = [pair for pair in table if pair == (was, now)][:1]
    if used:
        was = now
    else:
        for before, after in table:
            if before in was:
                was = was.replace(before, after)
                used.append((before, after))
    if was != now:
        return False
    for pair in used:
        verdict.reworded[pair] = verdict.reworded.get(pair, 0) + 1
    return True
