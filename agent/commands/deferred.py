"""Commands declared by their options alone, whose work is imported when they run.

`agent.commands.options.NAME` declares the options of a subcommand. `agent.commands.NAME` does the work, in functions of
the same names and parameters. Help and completion import the first only, which costs little more than typer.
"""

import re
from collections.abc import Callable, Sequence
from functools import wraps
from importlib import import_module
from inspect import cleandoc
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

EXAMPLES = "Examples:"
"""The line above the examples of a command's help."""

_Declaration = TypeVar("_Declaration", bound=Callable[..., None])


def work_of(declaration: Callable[..., None]) -> Callable[..., None]:
    """Import the module that does a command's work, and return the function there.

    Args:
        declaration: The function whose signature declares the command's options.
    """
    name = declaration.__module__.rpartition(".")[2]
    work: Callable[..., None] = getattr(import_module(f"{__package__}.{name}"), declaration.__name__)
    return work


def command(
    app: typer.Typer, name: str | None = None, *, examples: Sequence[str] = ()
) -> Callable[[_Declaration], _Declaration]:
    """Declare a command of `app`: the decorated signature is its options, the docstring its help.

    Args:
        app: The subcommand, or the group of subcommands.
        name: Name in a group; the function's if left out.
        examples: Command lines for the end of its help.
    """

    def declare(declaration: _Declaration) -> _Declaration:
        epilog = "\n\n".join((EXAMPLES, *examples)) if examples else None

        @app.command(name, cls=_Command, help=_unwrapped(declaration.__doc__ or ""), epilog=epilog)
        @wraps(declaration)
        def run(**options: Any) -> None:
            work_of(declaration)(**options)

        return declaration

    return declare


def _unwrapped(text: str) -> str:
    """Return a docstring with one line a paragraph: typer wraps only the first paragraph by itself."""
    return re.sub(r"(?<!\n)\n(?!\n)", " ", cleandoc(text))


class _Command(TyperCommand):
    """A command that converts no values while a shell completes."""

    # Any: older typer takes contexts from click, newer typer from a copy of its own.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words typed so far."""
        if ctx.resilient_parsing:
            # Typer imports pydantic to convert a value, and completion uses only where a value came from.
            for parameter in self.get_params(ctx):
                parameter.process_value = _unconverted  # type: ignore[method-assign]
        return super().parse_args(ctx, args)


def _unconverted(ctx: Any, value: Any) -> Any:
    del ctx
    return value


class Group(TyperGroup):
    """A group of commands, whose own options are all flags."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options before the subcommand."""
        parameters = super().get_params(ctx)
        # Typer leaves the defaults of --help, --install-completion and --show-completion at None, and imports pydantic
        # to convert None. It takes False as it is.
        for parameter in parameters:
            if parameter.default is None:
                parameter.default = False
        return parameters
