"""Facts of the APIs that units speak: each has an id, a kind and a source, and code names only facts that exist."""

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
FACTS_FILES = tuple(
    ROOT / "docs" / f"{name}.md"
    for name in ("antminer-api", "aftermarket-api", "history-chain", "pool-apis", "statement")
)
ASSUMPTIONS_FILE = ROOT / "docs" / "assumptions.md"
SOURCES = sorted(path for package in ("agent", "simulators") for path in (ROOT / package).rglob("*.py"))
CAPTURES = {
    path.name
    for folder in ("captures", "web_captures")
    for path in (ROOT / "tests" / folder).iterdir()
    if path.is_dir()
}

ID = re.compile(r"\b[ODA][0-9]{2,3}\b")
FACT_ROW = re.compile(r'^\| <a id="([^"]*)"></a>\*\*([^*]*)\*\* \| (.+) \| (.*?) ?\|$', re.MULTILINE)
ASSUMPTION_ROW = re.compile(r"^\| \[([^\]]*)\]\(([a-z-]+\.md)#([^)]*)\) \|(.*)\|$", re.MULTILINE)
# A folder of captures: model, firmware, date; a place of publication may follow. After a slash it is part of a path.
CAPTURE_NAME = re.compile(r"(?<![\w/#.-])(?:[slt][0-9]|other-|stock-)[a-z0-9-]*-20[0-9]{2,4}(?:-[a-z0-9]+)?(?![\w-])")
# "Observed (O12, O13)": the ids follow the word at once. In lower case it is prose, unless a colon makes it a claim.
CLAIM = re.compile(r"\b(?:(Observed|Documented|Assumed)\b|(observed|documented|assumed)(?=:))(?: \(([^)]*)\))?")


class Remark(NamedTuple):
    """A comment or docstring, on one line, and where it stands."""

    where: str
    text: str


def test_every_id_is_well_formed_and_stands_once() -> None:
    """A letter for the kind and two or three digits, and an anchor of the same name."""
    anchors, ids = (list(column) for column in zip(*facts_columns(), strict=True))
    assert anchors == ids
    assert all(ID.fullmatch(fact) for fact in ids)
    assert [fact for fact, times in Counter(ids).items() if times > 1] == []


def test_no_row_of_the_facts_is_lost_to_a_slip() -> None:
    """A row with an anchor that the pattern does not read would not be checked at all."""
    assert sum(file.read_text(encoding="utf-8").count('<a id="') for file in FACTS_FILES) == len(facts())


def test_texts_name_only_ids_that_exist() -> None:
    """Facts name each other by id, and so do the notes on assumptions."""
    for file in (*FACTS_FILES, ASSUMPTIONS_FILE):
        text = file.read_text(encoding="utf-8")
        assert set(ID.findall(text)) <= facts().keys(), file.name


def test_observed_facts_name_a_capture() -> None:
    """Observed facts can be looked up in this project."""
    unfounded = [fact for fact, source in facts().items() if fact[0] == "O" and not cited_captures(source)]
    assert unfounded == []


def test_documented_facts_name_a_source() -> None:
    """Documented facts name their source."""
    assert [fact for fact, source in facts().items() if fact[0] == "D" and not source] == []


def test_assumed_facts_name_no_source() -> None:
    """An assumption has no source."""
    assert [fact for fact, source in facts().items() if fact[0] == "A" and source] == []


def test_assumptions_are_those_of_the_facts() -> None:
    """Each once, with where it is used, what depends on it and what would settle it."""
    rows = ASSUMPTION_ROW.findall(ASSUMPTIONS_FILE.read_text(encoding="utf-8"))
    listed = [fact for fact, _, _, _ in rows]
    assert sorted(listed) == sorted(fact for fact in facts() if fact[0] == "A")
    places = {fact: file.name for file in FACTS_FILES for _, fact, _, _ in rows_of(file)}
    assert [fact for fact, page, anchor, _ in rows if fact != anchor or places.get(fact) != page] == []
    assert [fact for fact, _, _, cells in rows if not is_full(cells)] == []


@pytest.mark.parametrize("file", [*FACTS_FILES, ASSUMPTIONS_FILE], ids=lambda path: path.name)
def test_captures_that_are_cited_exist(file: Path) -> None:
    """A folder that was renamed is renamed here too."""
    assert set(CAPTURE_NAME.findall(file.read_text(encoding="utf-8"))) <= CAPTURES


def test_code_names_only_ids_that_exist() -> None:
    """Every fact id in a comment or docstring of the agent and the simulators is in the documents."""
    unknown = [
        f"{remark.where}: {fact}" for remark in remarks() for fact in ID.findall(remark.text) if fact not in facts()
    ]
    assert unknown == []


def test_every_claim_in_code_names_its_facts() -> None:
    """A comment that says Observed, Documented or Assumed says which fact, of that kind."""
    unnamed = [
        f"{remark.where}: {remark.text[match.start() : match.start() + 60]}"
        for remark in remarks()
        for match in CLAIM.finditer(remark.text)
        if not is_named(match)
    ]
    assert unnamed == []


def facts_columns() -> list[tuple[str, str]]:
    """Return anchor and id of every row of facts."""
    return [(anchor, fact) for file in FACTS_FILES for anchor, fact, _, _ in rows_of(file)]


@cache
def facts() -> dict[str, str]:
    """Return the source of every fact, by id."""
    return {fact: source for file in FACTS_FILES for _, fact, _, source in rows_of(file)}


def rows_of(file: Path) -> list[tuple[str, str, str, str]]:
    """Return anchor, id, text and source of every row of facts on a page."""
    return FACT_ROW.findall(file.read_text(encoding="utf-8"))


def cited_captures(source: str) -> set[str]:
    """Return the folders of captures that a cell names."""
    return {name for name in CAPTURES if re.search(rf"\b{re.escape(name)}\b", source)}


def is_full(cells: str) -> bool:
    """Return True if a row holds its four cells, none of them empty."""
    texts = [cell.strip() for cell in cells.split("|")]
    return len(texts) == 4 and all(texts)


def is_named(match: re.Match[str]) -> bool:
    """Return True if a claim is followed only by ids of its kind."""
    word, ids = match[1] or match[2], (match[3] or "").split(", ")
    return all(ID.fullmatch(fact) and fact[0] == word[0].upper() for fact in ids)


@cache
def remarks() -> tuple[Remark, ...]:
    """Return every docstring and every run of comment lines of both packages."""
    found: list[Remark] = []
    for path in SOURCES:
        text, name = path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix()
        if not (CLAIM.search(text) or ID.search(text)):
            continue
        strings = (node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Expr))
        found += [
            Remark(f"{name}:{node.lineno}", " ".join(node.value.split()))
            for node in strings
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        found += comments(name, text)
    return tuple(found)


def comments(name: str, text: str) -> Iterator[Remark]:
    """Yield the comments of one file; consecutive lines are one comment."""
    run: list[str] = []
    first = last = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        if run and token.start[0] != last + 1:
            yield Remark(f"{name}:{first}", " ".join(run))
            run = []
        if not run:
            first = token.start[0]
        run.append(token.string.lstrip("#: "))
        last = token.start[0]
    if run:
        yield Remark(f"{name}:{first}", " ".join(run))
