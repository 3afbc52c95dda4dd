"""The ledger of one site: its file, and the rules its configuration sets for reading it."""

from pathlib import Path

from agent.commands.site_file import site_file
from agent.commands.terminal import usage_error
from agent.config.file import Config, load_config
from agent.files.text import read_text
from agent.files.workbook import read_table
from agent.runtime.setup import load_catalogue
from agent.site.ledger.cells import moment_cell, parse_moment
from agent.site.ledger.edit import Rules
from agent.site.ledger.entries import LedgerEntry
from agent.site.ledger.file import MAX_LEDGER_BYTES


class LedgerSite:
    """A site's ledger as its configuration describes it.

    Attributes:
        config_file: Its configuration.
        name: The site's name.
        zone: The site's time zone.
        file: The ledger.
        history: The history file; it may not exist.
        rules: Catalogue, zone and networks by which ledgers are read.
        now: Unix time of the command, s.
    """

    def __init__(self, path: Path | None, now: float) -> None:
        path = site_file(path, "ledger")
        config: Config = load_config(path)
        self.config_file = path
        self.name = config.site.name
        self.zone = config.site.zone
        self.file = config.ledger.file
        self.history = config.history.path(path)
        self.rules = Rules(catalogue=load_catalogue(config), zone=self.zone, networks=config.ledger.networks)
        self.now = now

    def read(self, path: Path) -> tuple[LedgerEntry, ...]:
        """Read a ledger by this site's rules; any other than its own may be a workbook."""
        read = read_text if path == self.file else read_table
        return self.rules.read(read(path, max_bytes=MAX_LEDGER_BYTES), str(path)).entries

    def moment(self, text: str | None, option: str) -> float:
        """Return the Unix time that an option gives; now if it was left out."""
        try:
            moment = None if text is None else parse_moment(text, zone=self.zone)
        except ValueError as error:
            raise usage_error("ledger", option, text or "", str(error)) from error
        return self.now if moment is None else moment

    def cell(self, text: str | None) -> str:
        """Return the ledger cell for a moment: the text as given, or now to the second."""
        return moment_cell(float(int(self.now)), self.zone) if text is None else text
