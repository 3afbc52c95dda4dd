"""A comparison of two records: equal entries, deliberate rewordings and differences."""

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Values that depend on the real clock or the machine, each with the reason. A row holds a name, a pattern, its
# replacement, and a pattern for file names. Everything else is compared to the last digit, times and durations
# included, because the programs run by the stepped clock.
NORMALISED = (
    # The libraries that write it read the system clock in C.
    ("time of a log line", r'"timestamp": "[^"]*"', '"timestamp": "TIME"', r".*\.err"),
    # The cost of the process on this machine, in this run.
    ("process and interpreter", r"(?m)^((?:process|python)_\w+(?:\{[^}]*\})?) \S+$", r"\1 N", r".*\.prom"),
    # The size depends on the digits of the above and on HELP texts, which may be reworded.
    ("size of a scrape", r"(?m)^(miner_agent_scrape_bytes\{[^}]*\}) \S+$", r"\1 N", r".*\.prom"),
    # Two commits may have different versions.
    ("version", r'("(?:version|sw|sw_version|agent_version)": ?|version=)"\d[^"]*"', r'\1"VERSION"', r".*"),
)
# JSON fields that hold sentences for people. All other fields are for programs.
SENTENCES = {
    *("about", "agent_must", "description", "detail", "error", "event", "help", "message", "not_ready_reason", "note"),
    *("notes", "summary", "text", "title", "trouble", "why", "words"),
}
SHOWN = 40
_EXCERPT = 300


@dataclass(frozen=True, slots=True)
class Entry:
    """One value in a record.

    Attributes:
        where: Its place in the file, the same in both records.
        value: The value as text.
        is_prose: True if it may be reworded.
    """

    where: str
    value: str
    is_prose: bool


@dataclass
class Verdict:
    """The outcome of a comparison.

    Attributes:
        files, entries: Number compared.
        reworded: Number of uses of each (before, after) pair of the table.
        unlisted: Places of each (before, after) pair of prose that is not in the table.
        differences: All other differences, one line each.
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
    """Read the table of deliberate rewordings as (before, after) pairs."""
    texts = tomllib.loads(path.read_text(encoding="utf-8")).get("text", [])
    return [(text["before"], text["after"]) for text in texts]


def draft(verdict: Verdict) -> str:
    """Return unlisted rewordings as entries of the table, for review one by one; different numbers are marked."""
    lines = []
    for (was, now), places in verdict.unlisted.items():
        if _figures(was) != _figures(now):
            lines.append("# NUMBERS DIFFER")
        lines.append(f"# {places[0]}" + (f" and {len(places) - 1} more" if len(places) > 1 else ""))
        lines += ["[[text]]", f"before = {_toml(was)}", f"after = {_toml(now)}", ""]
    return "\n".join(lines)


def _toml(text: str) -> str:
    # A JSON string without lone surrogates is a TOML string.
    return json.dumps(text, ensure_ascii=False)


def compare(before: Path, after: Path, rewordings: Iterable[tuple[str, str]] = ()) -> Verdict:
    """Compare two recorded folders."""
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
    """Return the normalised entries of one recorded file."""
    text = path.read_text(encoding="utf-8", errors="backslashreplace")
    for _, pattern, replacement, names in NORMALISED:
        if re.fullmatch(names, path.name):
            text = re.sub(pattern, replacement, text)
    if path.suffix == ".prom":
        return list(_exposition(text))
    if path.name.startswith("help-"):
        # Help is prose, wrapped to the width of the terminal: one sentence more moves every line.
        return [Entry("text", " ".join(re.sub(r"[│╭╮╰╯─]+", " ", text).split()), is_prose=True)]
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
    """Yield tags, the labels in them, and the text between them, each placed by its part number."""
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
    """Yield lines, and the fields of lines that are JSON, as in a log. Column widths of tables are ignored."""
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
        if not was.is_prose:
            verdict.differences.append(f"{name}: {was.where}: {was.value[:_EXCERPT]} -> {now.value[:_EXCERPT]}")
        elif not _is_reworded(was.value, now.value, table, verdict):
            verdict.unlisted.setdefault((was.value, now.value), []).append(f"{name}: {was.where}")


def _misplaced(old: list[str], new: list[str]) -> Iterator[str]:
    """Yield the places that only one record has, or that the other has elsewhere."""
    for line in difflib.unified_diff(old, new, "first", "second", lineterm="", n=0):
        if not line.startswith(("---", "+++", "@@")):
            which = "first" if line[0] == "-" else "second"
            yield f"only, or elsewhere, in the {which} record: {line[1:][:_EXCERPT]}"


def _figures(text: str) -> list[str]:
    """Return the numbers in a sentence, sorted: an unlisted rewording may only reorder them."""
    return sorted(re.findall(r"\d[\d.,:]*\d|\d", text))


def _is_reworded(was: str, now: str, table: list[tuple[str, str]], verdict: Verdict) -> bool:
    # A whole sentence in the table takes precedence: parts of other entries may occur in it.
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
