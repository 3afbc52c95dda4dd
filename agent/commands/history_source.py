"""Which history a command reads: by the site's configuration, or a file by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from agent.config.file import load_config
from agent.errors import ConfigError, Mistake
from agent.history.reader import HistoryReader, read_history


def usage_error(command: str, where: str, value: str, reason: str) -> ConfigError:
    """Give what ends a command that was called wrongly."""
    return ConfigError([Mistake(file=command, where=where, value=value, reason=reason)])


@contextmanager
def opened(command: str, *, config: Path | None, history: Path | None) -> Iterator[tuple[HistoryReader, ZoneInfo]]:
    """Open a history to read; gives it, and the zone of its calendar months.

    Args:
        command: For messages.
        config: The site's configuration, which names its history and zone.
        history: The file itself, which knows the zone it was written in; outranks `config`.

    Raises:
        ConfigError: When neither is given, or the configuration is wrong.
        HistoryError: When it cannot be read.
    """
    zone = None
    if history is None:
        if config is None:
            raise usage_error(command, "--config", "", "the site's configuration is needed, or its history (--history)")
        site = load_config(config)
        zone, history = site.site.zone, site.history.path(config)
    reader = read_history(history)
    try:
        yield reader, zone or ZoneInfo(reader.zone or "UTC")
    finally:
        reader.close()
