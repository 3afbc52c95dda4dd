"""Which configuration a command takes, and what it says about that."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.commands import site_file
from agent.commands.command_line import app

CONFIG = '[site]\nname = "{name}"\n[ledger]\nfile = "ledger.csv"\n'
LEDGER = (
    "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"
    "u1,S21,200,127.77.0.1,C1,R1,1,2025-01-01,,deployed\n"
)
COMMANDS = (
    ("check",),
    ("once",),
    ("run",),
    ("top", "--once"),
    ("doctor",),
    ("ledger", "show"),
    ("ledger", "diff", "--from", "2025-01-01"),
    ("ledger", "set", "u1", "--slot", "2"),
    ("mqtt", "check"),
    ("mqtt", "tail"),
    ("curtail", "list"),
    ("statement", "2025-10"),
    ("history", "export"),
)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a working folder ``here`` and a system's folder ``etc``; no configuration yet."""
    for name in ("here", "etc", "other"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv(site_file.VARIABLE, raising=False)
    monkeypatch.setattr(site_file, "PLACES", (Path("site.toml"), tmp_path / "etc/site.toml"))
    return tmp_path


def put(folder: Path) -> Path:
    """Put a site into a folder, named after it."""
    (folder / "ledger.csv").write_text(LEDGER, encoding="utf-8")
    (folder / "site.toml").write_text(CONFIG.format(name=folder.name), encoding="utf-8")
    return folder / "site.toml"


def checked(*arguments: str) -> Result:
    """Return the end of `hashsight check`."""
    return CliRunner().invoke(app, ["check", *arguments])


def test_the_first_place_counts(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Option, variable, working folder, system: each before the next; all but the option are said on stderr."""
    system = put(places / "etc")
    assert checked().stderr == f"configuration: {system}\n"
    put(places / "here")
    assert checked().stderr == "configuration: ./site.toml\n"
    other = put(places / "other")
    monkeypatch.setenv(site_file.VARIABLE, str(other))
    result = checked()
    assert (result.stderr, "other: 1 units deployed" in result.stdout) == (
        f"configuration: {other}, by HASHSIGHT_CONFIG\n",
        True,
    )
    result = checked("-c", str(system))
    assert (result.stderr, "etc: 1 units deployed" in result.stdout) == ("", True)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_any_the_error_names_every_place(places: Path, command: tuple[str, ...]) -> None:
    """Exit 2, and one line with the variable, both files and the option."""
    result = CliRunner().invoke(app, list(command))
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    for named in ("$HASHSIGHT_CONFIG (not set)", "./site.toml", str(places / "etc/site.toml"), "-c FILE"):
        assert named in line


def test_a_file_that_cannot_be_read_is_not_passed_over(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next place would be another site: a folder in the way, or a missing file of the variable, is the error."""
    put(places / "etc")
    (places / "here/site.toml").mkdir()
    result = checked()
    assert (result.exit_code, "site.toml" in result.stderr) == (2, True)
    monkeypatch.setenv(site_file.VARIABLE, "/nowhere/site.toml")
    result = checked()
    assert (result.exit_code, "/nowhere/site.toml: file: cannot be read" in result.stderr) == (2, True)
    monkeypatch.setenv(site_file.VARIABLE, "")
    assert "$HASHSIGHT_CONFIG (empty)" not in checked().stderr
