"""The command tree as data: every command with its words, help, options and examples.

Read off the declarations in `options`, not off typer: what typer makes of them changes from release to release.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from agent.commands.command_line import SUBCOMMANDS

HELP = "Show this message and exit."


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """An option or an argument.

    Attributes:
        names: An option's names as typed, such as ``("--config", "-c")``; empty for an argument.
        negative: The names that switch a flag off.
        metavar: What stands for its value; empty for a flag.
        help: What it means.
        choices: The values that it may have; empty if they are not listed.
        is_path: True if its value is a file or a folder.
        is_repeatable: True if it may be given more than once.
        is_required: True if the command refuses to run without it.
        default: Its default as typed; empty for none, and for a flag.
    """

    names: tuple[str, ...]
    negative: tuple[str, ...] = ()
    metavar: str = ""
    help: str
    choices: tuple[str, ...] = ()
    is_path: bool = False
    is_repeatable: bool = False
    is_required: bool = False
    default: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command, or a group of commands.

    Attributes:
        words: What is typed after ``hashsight``; empty for the whole.
        line: The first paragraph of its help.
        more: The other paragraphs.
        parameters: Arguments first, then options; without ``--help``.
        examples: Command lines.
        commands: The commands of a group.
    """

    words: tuple[str, ...]
    line: str
    more: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    examples: tuple[str, ...] = ()
    commands: tuple["Command", ...] = ()


def command_tree() -> Command:
    """Return the whole tree."""
    app = import_module("agent.commands.command_line").app
    version = Parameter(names=("--version",), help="Print the version.")
    return Command(
        words=(),
        line=app.info.help,
        more=(app.info.epilog,),
        parameters=(version,),
        commands=tuple(_subcommand(name, line) for name, line in SUBCOMMANDS.items()),
    )


def _subcommand(name: str, line: str) -> Command:
    app = import_module(f"agent.commands.options.{name}").app
    leaves = app.registered_commands
    # A group is named; the app of a single command is not.
    if app.info.name != name:
        return _leaf((name,), leaves[0])
    commands = tuple(_leaf((name, each.name or inspect.unwrap(each.callback).__name__), each) for each in leaves)
    return Command(words=(name,), line=line, commands=commands)


def _leaf(words: tuple[str, ...], declared: Any) -> Command:
    paragraphs = declared.help.split("\n\n")
    examples = declared.epilog.split("\n\n")[1:] if declared.epilog else ()
    return Command(
        words=words,
        line=paragraphs[0],
        more=tuple(paragraphs[1:]),
        parameters=tuple(_parameters(inspect.unwrap(declared.callback))),
        examples=tuple(examples),
    )


def _parameters(declaration: Callable[..., None]) -> list[Parameter]:
    hints = get_type_hints(declaration, include_extras=True)
    found = [
        _parameter(each.name, hints[each.name], each.default)
        for each in inspect.signature(declaration).parameters.values()
    ]
    return sorted(found, key=lambda parameter: bool(parameter.names))


def _parameter(name: str, hint: Any, default: Any) -> Parameter:
    if get_origin(hint) is not Annotated:
        raise TypeError(f"the parameter {name} says neither option nor argument")
    kind, info = get_args(hint)
    kinds = [each for each in get_args(kind) if each is not NoneType] or [kind]
    is_repeatable = get_origin(kinds[0]) is list
    value = get_args(kinds[0])[0] if is_repeatable else kinds[0]
    is_argument = isinstance(info, typer.models.ArgumentInfo)
    is_flag = value is bool
    # In an annotation, typer takes the first name for a default and sorts that out later.
    declared = tuple(each for each in (info.default, *(info.param_decls or ())) if isinstance(each, str))
    on, off = _names(name, declared, is_argument=is_argument)
    choices = tuple(each.value for each in value) if issubclass(value, Enum) else ()
    is_required = default is inspect.Parameter.empty
    shown = default.value if isinstance(default, Enum) else f"{default:g}" if isinstance(default, float) else default
    return Parameter(
        names=on,
        negative=off,
        metavar="" if is_flag else info.metavar or _metavar(name, value, choices, is_argument=is_argument),
        help=info.help or "",
        choices=choices,
        is_path=value is Path,
        is_repeatable=is_repeatable,
        is_required=is_required,
        default="" if is_flag or is_required or shown is None else str(shown),
    )


def _names(name: str, declared: tuple[str, ...], *, is_argument: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return an option's names, and those that switch it off."""
    if is_argument:
        return (), ()
    pairs = [each.partition("/")[::2] for each in declared] or [(f"--{name.replace('_', '-')}", "")]
    return tuple(on for on, _ in pairs), tuple(off for _, off in pairs if off)


def _metavar(name: str, value: type, choices: tuple[str, ...], *, is_argument: bool) -> str:
    if is_argument:
        return name.upper()
    if choices:
        return "|".join(choices)
    return {Path: "FILE", int: "N", float: "NUMBER"}.get(value, "TEXT")
