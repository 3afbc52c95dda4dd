"""Exit statuses of a command: 0 stopped or done, 1 failed, 2 bad input."""

import contextlib
from collections.abc import Iterator

import typer

from simulators.captures.folder import CaptureError
from simulators.commands.terminal import ERRORS
from simulators.farm.clock import ClockError
from simulators.farm.plan import FarmError
from simulators.scenario.tomlfile import TomlError
from simulators.sockets.listening import ServeError
from simulators.sockets.report_button import ButtonError
from simulators.strangers.spans import SpanError
from simulators.strangers.surroundings import SurroundingsError
from simulators.unit.builds import BuildError
from simulators.unit.endpoints import EndpointError
from simulators.unit.models import ModelError

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2


@contextlib.contextmanager
def clear_errors() -> Iterator[None]:
    """Turn errors that the user can fix into one line and an exit status."""
    try:
        yield
    except (
        FarmError,
        BuildError,
        ModelError,
        CaptureError,
        TomlError,
        ClockError,
        EndpointError,
        SpanError,
        SurroundingsError,
        ButtonError,
    ) as error:
        ERRORS.print(f"hashsight-sim: {error}")
        raise typer.Exit(EXIT_BAD_INPUT) from error
    except ServeError as error:
        ERRORS.print(f"hashsight-sim: {error.strerror}")
        raise typer.Exit(EXIT_FAILED) from error
    except OSError as error:
        ERRORS.print(f"hashsight-sim: {error.filename or 'system'}: {error.strerror or error}")
        raise typer.Exit(EXIT_FAILED) from error
