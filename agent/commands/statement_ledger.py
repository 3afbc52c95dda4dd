"""The dated ledger behind a statement: of the site, or of the shard, whose history it is."""

from pathlib import Path

from agent.commands.ledger_site import LedgerSite
from agent.commands.site_file import site_file
from agent.commands.terminal import err
from agent.site.ledger.file import ledger_text
from agent.statement.combining import shard_of_title
from agent.statement.gathering import Declared, declared_of
from agent.statement.owner_source import OwnerCourse

COMMAND = "statement"


def found_config(config: Path | None, history: Path | None) -> Path | None:
    """Return the configuration, looked for unless a history is given: its ledger says what was deployed."""
    return config if history is not None else site_file(config, COMMAND, instead=", or a history file with --history")


def dated_ledger(config: Path | None, title: str, *, now: float) -> Declared | None:
    """Return what the ledger of a configuration says of the site, or the shard, of a title.

    Without a configuration there is none, nor for another site's history. A message says if the file is missing.
    """
    if config is None:
        return None
    site, shard = LedgerSite(config, now), shard_of_title(title)
    if site.name != (title if shard is None else shard.site):
        return None
    written = ledger_text(site.file)
    if not written:
        message = f"{site.file}: no ledger; what was deployed in gaps is taken from the rows beside them"
        err.print(message, markup=False, soft_wrap=True)
        return None
    ledger = site.rules.read(written, str(site.file))
    if shard is not None:
        ledger = ledger.shard(shard.index, shard.count)
    return declared_of(ledger.entries, digest=ledger.digest)


def of_owner(declared: Declared | None, owner: str | None) -> Declared | None:
    """Return what a ledger says of one owner's units; of all units without an owner."""
    if declared is None or owner is None:
        return declared
    own = [entry for entry in declared.entries if entry.owner_name == owner]
    return Declared(own, OwnerCourse(declared.entries, owner, digest=declared.course.digest))
