"""Structured logs on standard error: for people on a terminal, JSON lines elsewhere.

Events are short, constant and lower case; facts are keys with their units. A unit's own text never becomes part of
an event, and JSON keeps it on one line. What libraries and the interpreter log takes the same form, tracebacks
included. A log that cannot be written, as on a full disk, does not stop the agent. The
next line that is written has the number of lost ones as `log_failures`.
"""

import logging
import os
import sys
import threading
from types import TracebackType
from typing import Any, TextIO, cast

import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def set_up(level: str = "info", form: str = "auto", *, stream: TextIO | None = None) -> None:
    """Send all logging of this process to `stream`, by default standard error.

    Args:
        level: The lowest level that is written; a key of `LEVELS`.
        form: ``json``, ``console``, or ``auto``: console on a terminal, JSON elsewhere.
        stream: The destination.
    """
    sink = _Sink(stream if stream is not None else sys.stderr)
    is_console = form == "console" or (form == "auto" and sink.is_terminal)
    renderer: structlog.typing.Processor
    if is_console:
        renderer = structlog.dev.ConsoleRenderer(colors=sink.is_terminal)
    else:
        renderer = structlog.processors.JSONRenderer(ensure_ascii=True)
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        sink.add_failures,
    ]
    if not is_console:
        processors.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", sink)),
        cache_logger_on_first_use=False,
    )
    # Libraries log to the same stream; aiohttp's own access log stays off.
    handler = logging.StreamHandler(sink)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *processors],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=max(LEVELS[level], logging.WARNING), handlers=[handler], force=True)


def catch_strays() -> None:
    """Send to the log what Python would print itself: warnings, and errors that nothing catches."""
    log = structlog.get_logger("agent.stray")

    def on_error(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, traceback)
        else:
            log.error("unexpected error", exc_info=(kind, error, traceback))

    def on_thread_error(args: threading.ExceptHookArgs) -> None:
        name = None if args.thread is None else args.thread.name
        if args.exc_value is not None:
            log.error("thread failed", thread=name, exc_info=args.exc_value)

    def on_unraisable(args: Any) -> None:
        log.error("error without a caller", where=repr(args.object)[:200], exc_info=args.exc_value)

    sys.excepthook, sys.unraisablehook, threading.excepthook = on_error, on_unraisable, on_thread_error
    logging.captureWarnings(capture=True)


def let_go() -> None:
    """Drop buffered output of standard error that cannot be written.

    Python flushes it at exit and ends with status 120 if that fails.
    """
    if sys.stderr is None:
        return
    try:
        sys.stderr.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stderr.fileno())
        os.close(nowhere)


class _Sink:
    """A stream whose `write` never raises; failed writes are counted.

    Args:
        stream: The destination; None if the process has none.

    Attributes:
        is_terminal: True if the stream is a terminal.
        failures: Failed writes since the last successful one.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.is_terminal = stream is not None and stream.isatty()
        self.failures = 0

    def write(self, text: str) -> int:
        if self._stream is not None:
            try:
                self._stream.write(text)
                self._stream.flush()
            except OSError:
                self.failures += 1
            else:
                self.failures = 0
        return len(text)

    def flush(self) -> None:
        """Do nothing: `write` flushes."""

    def add_failures(
        self, _logger: object, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        if self.failures:
            event["log_failures"] = self.failures
        return event
