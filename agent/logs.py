"""Structured logs on standard error: for people on a terminal, JSON lines elsewhere.

Events are short, constant and lower case; facts are keys with their units. What a unit sent never becomes part of an
event, and JSON keeps whatever it sent on one line.
"""

import logging
import sys
from typing import TextIO

import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def set_up(level: str = "info", form: str = "auto", *, stream: TextIO | None = None) -> None:
    """Send all logging of this process to `stream`, standard error unless told.

    Args:
        level: The least that is written; a key of `LEVELS`.
        form: ``json``, ``console``, or ``auto``: console on a terminal, JSON elsewhere.
        stream: Where to.
    """
    out = stream if stream is not None else sys.stderr
    is_console = form == "console" or (form == "auto" and out.isatty())
    renderer: structlog.typing.Processor
    if is_console:
        renderer = structlog.dev.ConsoleRenderer(colors=out.isatty())
    else:
        renderer = structlog.processors.JSONRenderer(ensure_ascii=True)
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not is_console:
        processors.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    # What libraries say goes the same way; aiohttp's own access log stays off.
    logging.basicConfig(level=max(LEVELS[level], logging.WARNING), stream=out, format="%(message)s", force=True)
