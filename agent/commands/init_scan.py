"""The scan of `hashsight init`, kept in a file beside the new folder until the site is written."""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer

from agent.commands.ledger_text import counted
from agent.commands.scan_progress import SUFFIX, cancelled_by_signals, kept, progress
from agent.commands.terminal import FAILED, err, usage_error
from agent.hil.scan.found import Found
from agent.hil.scan.probe import Tally
from agent.hil.scan.ranges import Targets
from agent.hil.scan.scanner import ScanOptions
from agent.hil.scan.scanner import scan as scan_targets
from agent.hil.scan.unfinished import Unfinished, digest_of, read_unfinished, write_unfinished
from agent.unit.login import Login
from agent.unit.nameplate import shipped_catalogue

_KEPT: Final = "{count} kept; to continue: {again}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteScan:
    """A scan of a site's networks.

    Attributes:
        targets: The addresses.
        login_of: Returns the login for the pages of an address.
        options: How to scan.
        state: How far it has come.
        file: Keeps the state.
        again: The command that continues it.
    """

    targets: Targets
    login_of: Callable[[str], Login | None]
    options: ScanOptions
    state: Unfinished
    file: Path
    again: str

    async def run(self) -> Sequence[Found]:
        """Scan, and return the finds. After Ctrl-C they are kept, and the command ends."""
        state, targets = self.state, self.targets
        finds = scan_targets(
            targets,
            catalogue=shipped_catalogue(),
            login_of=self.login_of,
            options=self.options,
            indices=state.rest(targets),
            tally=state.tally,
            on_silent=state.undecided.discard,
        )
        try:
            with cancelled_by_signals():
                async with progress(state.tally), kept(state, self.file), aclosing(finds):
                    async for found in finds:
                        state.take(found, targets)
        except asyncio.CancelledError:
            write_unfinished(self.file, state)
            complain(f"stopped; no site was written. {self.how_to_continue()}")
            raise typer.Exit(FAILED) from None
        # A large network is not scanned twice because of a later mistake in the site.
        with suppress(OSError):
            write_unfinished(self.file, state)
        return state.found

    def how_to_continue(self) -> str:
        """Return how many finds are kept, and the command that continues from there."""
        return _KEPT.format(count=counted(len(self.state.found), "find"), again=self.again)

    def forget(self) -> None:
        """Remove the file: the site is written, or there is nothing to write."""
        self.file.unlink(missing_ok=True)


def state_file_of(folder: Path) -> Path:
    """Return the file that keeps the scan for a new folder, which does not exist yet: beside it."""
    whole = folder.absolute()
    return whole.parent / f"{whole.name}{SUFFIX}"


def begun(targets: Targets, port: int, file: Path, *, is_resumed: bool) -> Unfinished:
    """Return the state of a scan that begins, or of the one that was stopped.

    Raises:
        ConfigError: `--resume` finds no scan to continue, or there is one and the command has no `--resume`.
    """
    digest = digest_of(targets, port)
    if is_resumed:
        return read_unfinished(file, targets=digest)
    if file.exists():
        reason = f"{file} has a scan that was not finished; --resume continues it, or remove that file"
        raise usage_error("init", "DIR", "", reason)
    return Unfinished(targets=digest, start=random.randrange(len(targets)), tally=Tally(addresses=len(targets)))


def complain(text: str) -> None:
    """Print a line on standard error."""
    err.print(text, markup=False, soft_wrap=True)
