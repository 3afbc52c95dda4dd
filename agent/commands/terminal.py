"""How commands end and where they print: exit 0 ok, 1 failed, 2 bad configuration."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from agent.errors import AgentError, ConfigError, PollError

OK, FAILED, BAD_CONFIG = 0, 1, 2

out = Console(highlight=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn the errors a command may meet into one clear message each and the exit code that belongs to it."""
    try:
        yield
    except ConfigError as error:
        for mistake in error.mistakes:
            err.print(str(mistake), markup=False, soft_wrap=True)
        raise typer.Exit(BAD_CONFIG) from error
    except (AgentError, OSError) as error:
        err.print(_sentence(error), markup=False, soft_wrap=True)
        raise typer.Exit(FAILED) from error


def _sentence(error: AgentError | OSError) -> str:
    """Give what went wrong without the names of our classes; a poll that failed with the reason that metrics show."""
    if isinstance(error, PollError):
        return f"{error.reason}: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
