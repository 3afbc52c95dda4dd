"""The page for newcomers names only files and folders that exist, and answers its questions."""

import re

from paths import ROOT

PAGE = (ROOT / "docs" / "where-things-go.md").read_text(encoding="utf-8")
QUESTIONS = [
    "metric",
    "firmware",
    "page",
    "address for programs",
    "cause of loss",
    "fault of the simulator",
    "ledger column",
    "fact of the chain",
]


def named_paths() -> list[str]:
    """Return every backticked path of the page."""
    return re.findall(r"`((?:agent|simulators|tests|grafana|docs|deploy)/[^`\s]*)`", PAGE)


def test_it_answers_its_questions() -> None:
    """Each question is a heading, in this order."""
    assert re.findall(r"^## A new (.*)$", PAGE, re.MULTILINE) == QUESTIONS


def test_every_path_exists() -> None:
    """No path of the page points at a file or folder that moved away."""
    assert len(named_paths()) > 40
    assert [name for name in named_paths() if not (ROOT / name).exists()] == []


def test_every_answer_names_code_and_tests() -> None:
    """An answer without a test's place, or without a module, is no answer."""
    for answer in PAGE.split("\n## ")[1:]:
        paths = re.findall(r"`((?:agent|simulators|tests)/[^`\s]*)`", answer)
        title = answer.partition("\n")[0]
        assert any(name.startswith("tests/") for name in paths), title
        assert any(name.endswith(".py") and not name.startswith("tests/") for name in paths), title


def test_every_folder_of_code_explains_itself() -> None:
    """Each package folder has a README of at most a page that says what is in it."""
    for package in ("agent", "simulators"):
        for init in (ROOT / package).rglob("__init__.py"):
            readme = init.with_name("README.md")
            assert readme.exists(), init.parent
            assert len(readme.read_text(encoding="utf-8").splitlines()) <= 110, readme
