"""From the files an operator wrote to values that are known to be good: all of them, or every mistake in them."""

from dataclasses import dataclass
from pathlib import Path

from agent.config import Config, load_config
from agent.errors import ConfigError, Mistake
from agent.site.ledger import Ledger, read_ledger
from agent.textfile import read_text
from agent.unit.nameplate import Catalogue, read_nameplates, shipped_catalogue

MAX_LEDGER_BYTES = 64 << 20
MAX_MODELS_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A configuration and all it names.

    Attributes:
        path: The configuration file.
        config: What it says.
        catalogue: Nameplates, the site's own on top of the shipped ones.
        ledger: What is deployed, and when.
    """

    path: Path
    config: Config
    catalogue: Catalogue
    ledger: Ledger


def load_setup(path: Path) -> Setup:
    """Read the configuration, the site's own models and the ledger; opens no socket.

    Raises:
        ConfigError: With the mistakes of all the files that could be looked at.
    """
    config = load_config(path)
    mistakes: list[Mistake] = []
    catalogue = shipped_catalogue()
    models_file = config.ledger.models_file
    if models_file is not None:
        try:
            text = read_text(models_file, max_bytes=MAX_MODELS_BYTES)
            catalogue = shipped_catalogue(read_nameplates(text, str(models_file)))
        except ConfigError as error:
            mistakes.extend(error.mistakes)
    try:
        ledger = read_ledger(
            read_text(config.ledger.file, max_bytes=MAX_LEDGER_BYTES),
            str(config.ledger.file),
            catalogue=catalogue,
            zone=config.site.zone,
            networks=config.ledger.networks,
        )
    except ConfigError as error:
        raise ConfigError([*mistakes, *error.mistakes]) from error
    if mistakes:
        raise ConfigError(mistakes)
    return Setup(path=path, config=config, catalogue=catalogue, ledger=ledger)
