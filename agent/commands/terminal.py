"""Terminal output and exit codes shared by all commands: 0 success, 1 failure, 2 bad configuration."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from agent.commands.machine_output import abandon_stdout, visible
from agent.errors import AgentError, ConfigError, Mistake, PollError

FAILED, BAD_CONFIG = 1, 2

out = Console(highlight=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)
# The width is looked up whenever something is printed, not kept from COLUMNS as it was at the import.
out._width = err._width = None  # noqa: SLF001


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn each error a command may raise into one clear message and its exit code."""
    try:
        yield
    except ConfigError as error:
        for mistake in error.mistakes:
            err.print(visible(str(mistake)), markup=False, soft_wrap=True)
        raise typer.Exit(BAD_CONFIG) from error
    except (AgentError, OSError) as error:
        err.print(visible(sentence(error)), markup=False, soft_wrap=True)
        try:
            out.file.flush()
        except OSError:
            abandon_stdout()
        raise typer.Exit(FAILED) from error


def note(text: str) -> None:
    """Print a note on standard error."""
    err.print(visible(f"note: {text}"), markup=False, soft_wrap=True)


def usage_error(command: str, where: str, value: str, reason: str) -> ConfigError:
    """Return the error that ends a command called with a bad option or argument.

    Args:
        command: The command, such as ``ledger diff``.
        where: The option or argument.
        value: What was given; empty when it is missing.
        reason: What is expected instead.
    """
    return ConfigError([Mistake(file=command, where=where, value=value, reason=reason)])


def sentence(error: AgentError | OSError) -> str:
    """Return the message without class names; a failed poll is prefixed with its metric reason."""
    if isinstance(error, PollError):
        return f"{error.reason}: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
