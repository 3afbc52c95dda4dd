"""Suggestions are made for the mistakes that are shown, and from a bounded number of names: counted, not timed."""

import difflib
import ipaddress
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.config import file as file_module
from agent.config import mistakes as mistakes_module
from agent.config.file import parse_config
from agent.config.mistakes import MAX_COMPARED, SHOWN_MISTAKES, NearMatches, near_match
from agent.errors import ConfigError, Mistake
from agent.runtime.setup import load_setup
from agent.site.ledger import machines as machines_module
from agent.site.ledger.edit import Rules
from agent.site.ledger.reader import REQUIRED_COLUMNS, read_ledger
from agent.site.ledger.table import read_table
from agent.unit import model_advice
from agent.unit.model_advice import Machine
from agent.unit.nameplate import Catalogue, shipped_catalogue

MANY = 2000
HEADER = ",".join(REQUIRED_COLUMNS)
NETWORKS = (ipaddress.ip_network("10.0.0.0/8"),)
RULES = Rules(catalogue=shipped_catalogue(), zone=ZoneInfo("UTC"), networks=NETWORKS)
MINIMAL = '[site]\nname = "a"\n[ledger]\nfile = "ledger.csv"\nnetworks = ["10.0.0.0/8"]\n'


class Compared:
    """Counts suggestions and the names that words were compared with."""

    def __init__(self) -> None:
        self.words = 0
        self.names = 0

    def __call__(self, word: str, possibilities: Iterable[str], **options: Any) -> list[str]:
        """Do as `difflib.get_close_matches` does."""
        names = list(possibilities)
        self.words += 1
        self.names += len(names)
        return difflib.get_close_matches(word, names, **options)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Compared:
    """Count what is compared."""
    counter = Compared()

    class Counted:
        get_close_matches = staticmethod(counter)

    monkeypatch.setattr(mistakes_module, "difflib", Counted)
    return counter


def row(unit: str, *, model: str = "S21", number: int = 0, container: str = "C1") -> str:
    """Return a row of a ledger."""
    return f"{unit},{model},200,10.0.{number // 250}.{1 + number % 250},{container},R1,,2025-01-01,,deployed"


def ledger(text: str) -> None:
    """Read a ledger."""
    read_ledger(text, "ledger.csv", catalogue=RULES.catalogue, zone=RULES.zone, networks=NETWORKS)


def setup(folder: Path, more: str) -> None:
    """Check a configuration and a ledger with many units, each in a container of its own."""
    rows = [row(f"unit-{number}", number=number, container=f"box-{number}") for number in range(MANY)]
    (folder / "ledger.csv").write_text("\n".join((HEADER, *rows)), encoding="utf-8")
    (folder / "site.toml").write_text(MINIMAL + more, encoding="utf-8")
    load_setup(folder / "site.toml")


def meters(key: str, value: str) -> str:
    """Return many meters of things that are almost in the ledger."""
    return "".join(f'[[meter]]\nname = "m{n}"\nwatts = 1\n{key} = "{value}{n}"\n' for n in range(MANY))


WINDOWS = "".join(
    f'[[curtailment]]\nname = "w{n}"\nstart = "01:00"\nend = "02:00"\ncontainer = "boxx-{n}"\n' for n in range(MANY)
)


@pytest.mark.parametrize(
    ("read", "first"),
    [
        pytest.param(
            lambda _: ledger(",".join(f"rack{n}" for n in range(MANY))),
            "unknown column; did you mean rack?",
            id="header",
        ),
        pytest.param(
            lambda _: read_table(",".join(f"rack{n}" for n in range(MANY)), "table.csv"),
            "unknown column; did you mean rack?",
            id="table header",
        ),
        pytest.param(
            lambda folder: parse_config(
                MINIMAL + "[poll]\n" + "".join(f"interval{n} = 1\n" for n in range(MANY)), "site.toml", folder=folder
            ),
            "unknown key; did you mean interval_s?",
            id="keys",
        ),
        pytest.param(
            lambda folder: setup(folder, meters("unit", "unti-")),
            "no unit of the ledger; did you mean unit-0?",
            id="meters' units",
        ),
        pytest.param(
            lambda folder: setup(folder, meters("container", "bxo-")),
            "no container of the ledger; did you mean box-0?",
            id="meters' containers",
        ),
        pytest.param(
            lambda folder: setup(folder, WINDOWS),
            "no unit of the ledger is in container boxx-0; did you mean box-0?",
            id="windows",
        ),
    ],
)
def test_suggestions_are_made_for_what_is_shown(
    tmp_path: Path, compared: Compared, read: Callable[[Path], None], first: str
) -> None:
    """Of thousands of mistakes a hundred are shown; only those are compared, each with few names."""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path)
    shown: tuple[Mistake, ...] = caught.value.mistakes
    assert len(shown) == SHOWN_MISTAKES + 1
    assert first in shown[0].reason
    assert shown[-1].reason.endswith("more mistakes are not shown")
    assert compared.words <= 2 * SHOWN_MISTAKES
    assert compared.names <= compared.words * MAX_COMPARED


def test_a_machine_is_looked_for_where_its_row_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of thousands of machines that are in no catalogue, a hundred are compared with those that are."""
    asked = 0

    def missing_text(catalogue: Catalogue, machine: Machine) -> str:
        nonlocal asked
        asked += 1
        return model_advice.missing_text(catalogue, machine)

    monkeypatch.setattr(machines_module, "missing_text", missing_text)
    rows = (row(f"u{number}", model=f"Nonsense M{number}", number=number) for number in range(MANY))
    with pytest.raises(ConfigError, match="not in the catalogue") as caught:
        ledger("\n".join((HEADER, *rows)))
    assert len(caught.value.mistakes) == SHOWN_MISTAKES + 1
    assert asked <= SHOWN_MISTAKES


class Names(list[str]):
    """Names that count how often all of them are read."""

    readings = 0

    def __iter__(self) -> Any:
        Names.readings += 1
        return super().__iter__()


def test_a_long_list_is_read_once(compared: Compared) -> None:
    """Any number of words is compared with neighbours only, and the list is sorted once."""
    names = Names(f"unit-{number:05}" for number in range(20_000))
    known = NearMatches(names)
    for number in range(0, 20_000, 1000):
        assert known.near(f"unit_{number:05}") == f"; did you mean unit-{number:05}?"
        assert known.near(f"uint-{number:05}") == f"; did you mean unit-{number:05}?"
    assert known.near("something else entirely") == ""
    assert Names.readings == 1
    assert compared.names <= compared.words * MAX_COMPARED


def test_a_short_list_is_compared_whole() -> None:
    """The wrong letter may be anywhere."""
    assert near_match("xntervalxs", ["interval_s", "stale_after_s"]) == "; did you mean interval_s?"


@pytest.mark.parametrize("section", ["meter", "curtailment", "mqtt"])
def test_names_are_compared_once_each(tmp_path: Path, section: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """That thousands of names differ is found by as many look-ups, not by their square."""
    body = {"meter": "watts = 1", "curtailment": 'start = "01:00"\nend = "02:00"', "mqtt": 'host = "h"'}[section]
    text = MINIMAL + "".join(f'[[{section}]]\nname = "n{number}"\n{body}\n' for number in range(MANY))
    compared = 0

    class Name(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return super().__eq__(other)

        __hash__ = str.__hash__

    first_twice = file_module._first_twice
    monkeypatch.setattr(
        file_module,
        "_first_twice",
        lambda values: first_twice(Name(value) if isinstance(value, str) else value for value in values),
    )
    parse_config(text, "site.toml", folder=tmp_path)
    assert compared < 3 * MANY
