"""The options of each command: they fit its work, and neither help nor completion imports that work."""

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple, get_type_hints

import pytest
from patience import PATIENT_S
from rich.text import Text
from typer.main import get_command

from agent.commands.command_line import SUBCOMMANDS
from agent.commands.deferred import work_of


class Command(NamedTuple):
    """A command that does something: its words after `hashsight`, and the function that declares its options."""

    words: str
    declaration: Callable[..., None]


def commands() -> list[Command]:
    """Return every subcommand, or if it is a group, the commands in it."""
    found = []
    for name in SUBCOMMANDS:
        app = import_module(f"agent.commands.options.{name}").app
        is_group = len(app.registered_commands) > 1 or app.registered_callback is not None
        for command in app.registered_commands:
            declaration = inspect.unwrap(command.callback)
            found.append(Command(f"{name} {command.name or declaration.__name__}" if is_group else name, declaration))
    return found


COMMANDS = commands()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.words)
def test_the_work_takes_the_options_that_are_declared(command: Command) -> None:
    """Options and work of a command have the same names and types; only the options have defaults."""
    work = work_of(command.declaration)
    assert get_type_hints(command.declaration) == get_type_hints(work)
    assert {parameter.default for parameter in inspect.signature(work).parameters.values()} <= {inspect.Parameter.empty}


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_help_texts_have_no_markup(name: str) -> None:
    """Completion shows help texts as they are written: typer needs rich to strip markup, and does not find it there."""
    command = get_command(import_module(f"agent.commands.options.{name}").app)
    for each in (command, *getattr(command, "commands", {}).values()):
        texts = [each.help or "", *(getattr(parameter, "help", None) or "" for parameter in each.params)]
        assert not [text for text in texts if Text.from_markup(text).plain != text]


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_help_texts_wrap_at_the_terminal_s_width(name: str) -> None:
    """A paragraph is one line: typer keeps a docstring's own line breaks in all paragraphs but the first."""
    command = get_command(import_module(f"agent.commands.options.{name}").app)
    helps = [each.help or "" for each in (command, *getattr(command, "commands", {}).values())]
    assert [text for text in helps if re.search(r"[^\n]\n[^\n]", text)] == []


# Answers each request in turn, and prints at last which modules that took.
ANSWER_ALL = """\
import contextlib, os, sys
from agent.commands.command_line import app
for request in sys.argv[1:]:
    words = request.split(" ")
    os.environ.update(COMP_WORDS=request, COMP_CWORD=str(len(words) - 1))
    os.environ.update(_TYPER_COMPLETE_ARGS=request, _TYPER_COMPLETE_WORD_TO_COMPLETE=words[-1])
    with contextlib.suppress(SystemExit):
        app(args=words[1:], prog_name="hashsight")
print("modules:", *sys.modules)
"""

HEAVY = ("aiohttp", "aiomqtt", "asyncio", "msgspec", "paho", "prometheus_client", "pydantic", "structlog")
OPTIONS = {f"agent.commands.options.{name}" for name in ("shared", *SUBCOMMANDS)}
LIGHT = {
    *("agent", "agent.commands", "agent.commands.command_line", "agent.commands.deferred", "agent.commands.options"),
    # The kinds of differences are choices of an option; their module imports nothing.
    *("agent.hil", "agent.hil.review", "agent.hil.review.kinds"),
}


def answers(requests: list[str], **environment: str) -> tuple[str, set[str]]:
    """Return what one process prints for all requests, and the modules it has loaded then."""
    ended = subprocess.run(
        (sys.executable, "-c", ANSWER_ALL, *requests),
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PATIENT_S,
        check=True,
    )
    printed, _, modules = ended.stdout.rpartition("modules: ")
    return printed, set(modules.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completing_options_imports_no_work(shell: str) -> None:
    """In every shell, the options and values of every command complete without anything that the commands need."""
    groups = {command.words.partition(" ")[0] for command in COMMANDS if " " in command.words}
    requests = [f"hashsight {words} --" for words in (*(command.words for command in COMMANDS), *groups)]
    requests += ["hashsight demo --units many --", "hashsight ledger set ", "hashsight ledger show --format "]
    printed, loaded = answers(requests, _HASHSIGHT_COMPLETE=f"complete_{shell}", _TYPER_COMPLETE_FISH_ACTION="get-args")
    assert printed.count("--help") == len(COMMANDS) + len(groups) + 1
    assert "csv" in printed
    assert loaded.isdisjoint((*HEAVY, "rich"))
    assert {module for module in loaded if module.partition(".")[0] == "agent"} == LIGHT | OPTIONS


def test_help_imports_no_work() -> None:
    """The help of every command takes its options and rich, and nothing else; at 80 columns no word is cut."""
    printed, loaded = answers([f"hashsight {command.words} --help" for command in COMMANDS], COLUMNS="80")
    assert printed.count("Usage: hashsight") == len(COMMANDS)
    assert "…" not in printed
    assert loaded.isdisjoint(HEAVY)
    assert {module for module in loaded if module.partition(".")[0] == "agent"} == LIGHT | OPTIONS
