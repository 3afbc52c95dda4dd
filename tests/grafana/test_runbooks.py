"""Commands, options, addresses, queries and keys named in runbooks exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import typer

import agent.exporters.web.server
from agent.commands.command_line import DeferredCommand, app
from agent.config.file import Config
from agent.exporters.web.unit_query import parse_query
from grafana import rules_lint

FOLDER = Path(rules_lint.__file__).parent / "runbooks"
RUNBOOKS = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
NAMES = [path.stem for path in RUNBOOKS]
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in RUNBOOKS}


def commands(text: str) -> Iterator[list[str]]:
    """Yield every `hashsight ...` command of a page, split into words."""
    for line in re.findall(r"(?:^    |`)hashsight ([^`\n]+)", text, flags=re.MULTILINE):
        yield shlex.split(line.split("|")[0])


@pytest.mark.parametrize("name", NAMES)
def test_commands_exist(name: str) -> None:
    """Every hashsight command on a page exists and takes the given options."""
    for words in commands(TEXTS[name]):
        command = typer.main.get_command(app)
        for word in words:
            command = getattr(command, "commands", {}).get(word, command)
            if isinstance(command, DeferredCommand):
                command = command.load()
        assert command.name in words, f"hashsight {' '.join(words)}: no such command"
        options = {option for parameter in command.params for option in parameter.opts}
        given = {word for word in words if word.startswith("--")}
        assert given <= options, f"hashsight {' '.join(words)}: no option {given - options}"
        needed = {
            parameter.opts[0] for parameter in command.params if parameter.required and parameter.opts[0][0] == "-"
        }
        # A page that only mentions a command names no options.
        assert not given or needed <= given, f"hashsight {' '.join(words)}: needs {needed - given}"


@pytest.mark.parametrize("name", NAMES)
def test_addresses_exist(name: str) -> None:
    """Every agent address on a page is served, and queries for units parse."""
    source = Path(agent.exporters.web.server.__file__).read_text(encoding="utf-8")
    served = set(re.findall(r'web\.get\("([^"]+)"', source))
    for address in re.findall(r"http://127\.0\.0\.1:9184[^\s']*", TEXTS[name]):
        parts = urlsplit(address)
        assert parts.path in served, address
        if parts.path == "/api/v1/units":
            parse_query(parse_qsl(parts.query, strict_parsing=True))


@pytest.mark.parametrize("name", NAMES)
def test_keys_exist(name: str) -> None:
    """Every configuration key on a page belongs to the named section."""
    for line in re.findall(r"`\w+(?: = \w+)?`[^.;]*? (?:in|of the) `\[+\w+\]+`", TEXTS[name].replace("\n", " ")):
        *keys, section = re.findall(r"`\[*(\w+)", line)
        field = Config.model_fields[section]
        section_class = next(
            (
                each
                for each in (field.annotation, *getattr(field.annotation, "__args__", ()))
                if hasattr(each, "model_fields")
            ),
            None,
        )
        assert section_class is not None, line
        assert set(keys) <= set(section_class.model_fields), line


def test_the_checks_above_see_something() -> None:
    """The patterns above find commands, addresses and keys."""
    pages = "\n".join(TEXTS.values())
    assert len(list(commands(pages))) > 30
    assert pages.count("http://127.0.0.1:9184/api/v1/units?") > 8
    assert "`calibration_ratio` in `[power]`" in pages
