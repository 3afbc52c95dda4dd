"""`hashsight check`: configuration and ledger, without opening a socket."""

from collections import Counter
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from agent.commands.terminal import exit_codes, out
from agent.config.file import render_config
from agent.runtime.setup import load_setup
from agent.text.numbers import hashrate_text


def check(config: Path, *, at: float, show: bool) -> None:
    """Read everything an operator wrote and say what it amounts to.

    Args:
        config: The configuration file.
        at: Unix time for which to say what is deployed, s.
        show: Print the configuration in force too, defaults spelt out, secrets masked.
    """
    with exit_codes():
        setup = load_setup(config)
        if show:
            out.print(render_config(setup.config), markup=False)
        entries = setup.ledger.at(at)
        models = Counter((entry.nameplate.model, entry.nameplate.hashrate_hs) for entry in entries)
        table = Table(title="deployed now, by model and bin", title_justify="left", box=None)
        for column in ("model", "bin", "units", "deployed"):
            table.add_column(column, justify="left" if column == "model" else "right")
        for (model, bin_hs), units in sorted(models.items()):
            table.add_row(escape(model), hashrate_text(bin_hs, 0), f"{units:,}", hashrate_text(units * bin_hs))
        out.print(table)
        deployed_hs = sum(entry.nameplate.hashrate_hs for entry in entries)
        maintenance = sum(entry.is_in_maintenance for entry in entries)
        simulated = sum(entry.is_simulated for entry in entries)
        out.print(
            f"{setup.config.site.name}: {len(entries):,} units deployed, {hashrate_text(deployed_hs)}; "
            f"{maintenance:,} in maintenance, {simulated:,} simulated; "
            f"{len(setup.ledger.entries):,} ledger rows, sha256 {setup.ledger.digest[:12]}",
            markup=False,
            soft_wrap=True,
        )
        out.print("ok")
