"""`hashsight check`: configuration and ledger, without opening a socket."""

import time
from collections import Counter
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from agent.commands.machine_output import write_text
from agent.commands.terminal import exit_codes, out
from agent.config.file import render_config
from agent.pool_accounts.presets import plan_of
from agent.runtime.setup import load_setup
from agent.text.numbers import hashrate_text


def check(config: Path, *, show: bool) -> None:
    """Print what is deployed now, or every mistake of the files."""
    with exit_codes():
        setup = load_setup(config)
        if show:
            write_text([render_config(setup.config), "\n"])
        entries = setup.ledger.at(time.time())
        models = Counter((entry.nameplate.model, entry.nameplate.hashrate_hs) for entry in entries)
        table = Table(title="deployed now, by model and bin", title_justify="left", box=None)
        for column in ("model", "bin", "units", "deployed"):
            table.add_column(column, justify="left" if column == "model" else "right")
        for (model, bin_hs), units in sorted(models.items()):
            table.add_row(escape(model), hashrate_text(bin_hs, 0), f"{units:,}", hashrate_text(units * bin_hs))
        out.print(table)
        deployed_hs = sum(entry.nameplate.hashrate_hs for entry in entries)
        in_maintenance = sum(1 for entry in entries if entry.is_in_maintenance)
        simulated = sum(1 for entry in entries if entry.is_simulated)
        out.print(
            f"{setup.config.site.name}: {len(entries):,} units deployed, {hashrate_text(deployed_hs)}; "
            f"{in_maintenance:,} in maintenance, {simulated:,} simulated; "
            f"{len(setup.ledger.entries):,} ledger rows, sha256 {setup.ledger.digest[:12]}",
            markup=False,
            soft_wrap=True,
        )
        for section in setup.config.pool_account:
            plan = plan_of(section)
            out.print(f"pool account {section.name}: {plan.title}, {plan.basis}", markup=False, soft_wrap=True)
        out.print("ok")
