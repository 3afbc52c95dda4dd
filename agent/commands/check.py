"""`hashsight check`: configuration and ledger, without opening a socket."""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from agent.commands.machine_output import write_json, write_text
from agent.commands.site_setup import checked_setup
from agent.commands.terminal import exit_codes, out, usage_error
from agent.config.file import load_config, render_config
from agent.config.pool_width import wide_patterns
from agent.pool_accounts.presets import plan_of
from agent.runtime.setup import Setup
from agent.site.ledger.entries import LedgerEntry
from agent.text.numbers import hashrate_text


def check(config: Path | None, *, show: bool, as_json: bool) -> None:
    """Print what is deployed now, or every mistake of the files."""
    with exit_codes():
        if show and as_json:
            raise usage_error("check", "--show", "", "not together with --json: the configuration is TOML")
        setup = checked_setup(config, "check")
        if show:
            write_text([render_config(load_config(setup.path)), "\n"])
        entries = setup.ledger.at(time.time())
        models = Counter((entry.nameplate.model, entry.nameplate.hashrate_hs) for entry in entries)
        if as_json:
            write_json(_fields(setup, entries, models))
            return
        table = Table(title="deployed now, by model and bin", title_justify="left", box=None)
        for column in ("model", "bin", "units", "deployed"):
            table.add_column(column, justify="left" if column == "model" else "right")
        for (model, bin_hs), units in sorted(models.items()):
            table.add_row(escape(model), hashrate_text(bin_hs, 0), f"{units:,}", hashrate_text(units * bin_hs))
        out.print(table)
        sums = _sums(entries)
        out.print(
            f"{setup.config.site.name}: {len(entries):,} units deployed, {hashrate_text(sums['deployed_hs'])}; "
            f"{sums['units_in_maintenance']:,} in maintenance, {sums['units_simulated']:,} simulated; "
            f"{len(setup.ledger.entries):,} ledger rows, sha256 {setup.ledger.digest[:12]}",
            markup=False,
            soft_wrap=True,
        )
        for section in setup.config.pool_account:
            plan = plan_of(section)
            out.print(f"pool account {section.name}: {plan.title}, {plan.basis}", markup=False, soft_wrap=True)
        for remark in wide_patterns(setup.config.pools):
            out.print(f"look again: {remark}", markup=False, soft_wrap=True)
        out.print("ok")


def _sums(entries: tuple[LedgerEntry, ...]) -> dict[str, float]:
    return {
        "deployed_hs": sum(entry.nameplate.hashrate_hs for entry in entries),
        "units_in_maintenance": sum(1 for entry in entries if entry.is_in_maintenance),
        "units_simulated": sum(1 for entry in entries if entry.is_simulated),
    }


def _fields(
    setup: Setup, entries: tuple[LedgerEntry, ...], models: Mapping[tuple[str, float], int]
) -> dict[str, object]:
    return {
        "site": setup.config.site.name,
        "configuration": str(setup.path),
        "ledger": str(setup.config.ledger.file),
        "ledger_rows": len(setup.ledger.entries),
        "ledger_sha256": setup.ledger.digest,
        "units": len(entries),
        **_sums(entries),
        "models": [
            {"model": model, "bin_hs": bin_hs, "units": units, "deployed_hs": units * bin_hs}
            for (model, bin_hs), units in sorted(models.items())
        ],
    }
