"""The history a command reads: a file given directly, or the one a configuration names."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from agent.commands.site_file import site_file
from agent.config.file import load_config
from agent.history.reader import HistoryReader, read_history


@contextmanager
def opened(command: str, *, config: Path | None, history: Path | None) -> Iterator[tuple[HistoryReader, ZoneInfo]]:
    """Open a history for reading; yields its reader and the zone of its calendar months.

    Args:
        command: The command, named in error messages.
        config: The site's configuration, which names its history and zone.
        history: The history file, which records its own zone; takes precedence over `config`.

    Raises:
        ConfigError: When neither is given and no configuration is found, or it is wrong.
        HistoryError: When the history cannot be read.
    """
    zone = None
    if history is None:
        config = site_file(config, command, instead=", or a history file with --history")
        site = load_config(config)
        zone, history = site.site.zone, site.history.path(config)
    reader = read_history(history)
    try:
        yield reader, zone or ZoneInfo(reader.zone or "UTC")
    finally:
        reader.close()
