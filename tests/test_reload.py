"""What a running agent takes over from its files, and what it refuses until it is restarted."""

from pathlib import Path

import pytest

from agent.app import Agent
from agent.errors import ConfigError
from agent.setup import load_setup

LEDGER = """\
unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status
u1,S21,200,127.77.0.1,C1,R1,1,2025-01-01,,deployed
"""
CONFIG = '[site]\nname = "alpha"\nzone = "UTC"\n[ledger]\nfile = "ledger.csv"\n[history]\nkeep = true\n'


def _agent(folder: Path) -> Agent:
    (folder / "ledger.csv").write_text(LEDGER, encoding="utf-8")
    (folder / "site.toml").write_text(CONFIG, encoding="utf-8")
    return Agent(load_setup(folder / "site.toml"))


@pytest.mark.parametrize(
    ("before", "after", "mistake"),
    [
        ('name = "alpha"', 'name = "beta"', "site.name = 'beta': cannot change while running (it is alpha)"),
        # Months of history and statements are those of the zone in which it is written.
        ('zone = "UTC"', 'zone = "America/Chicago"', "site.zone = 'America/Chicago': cannot change while running"),
        ("keep = true", "keep = false", "history.keep = 'False': cannot change while running (it is True)"),
    ],
)
def test_what_only_a_restart_can_change(tmp_path: Path, before: str, after: str, mistake: str) -> None:
    """A change of what was given out at the start is refused with the key and both values."""
    agent = _agent(tmp_path)
    (tmp_path / "site.toml").write_text(CONFIG.replace(before, after), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        agent.prepare_reload()
    assert mistake in str(refused.value.mistakes[0])
    assert len(refused.value.mistakes) == 1


def test_a_ledger_is_taken_over_whole_or_not_at_all(tmp_path: Path) -> None:
    """A negative hashrate in one row keeps all of the old ledger; a sound one counts at once."""
    agent = _agent(tmp_path)
    new_row = "u2,S21,200,127.77.0.2,C1,R1,2,2025-01-01,,deployed\n"
    (tmp_path / "ledger.csv").write_text(LEDGER + new_row.replace("200", "-200"), encoding="utf-8")
    with pytest.raises(ConfigError, match="a number of TH/s above 0 is expected"):
        agent.prepare_reload()
    assert len(agent.tracker) == 1
    (tmp_path / "ledger.csv").write_text(LEDGER + new_row, encoding="utf-8")
    assert {entry.unit_id for entry in agent.prepare_reload().ledger.entries} == {"u1", "u2"}
    assert len(agent.tracker) == 1
