"""`hashsight ledger`: what it prints, what it writes, and its exit codes."""

import csv
import json
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.commands.command_line import app
from agent.history.chain.links import Fact
from agent.history.writer import write_history
from agent.site.ledger.file import backup_path, journal_end, journal_path

CONFIG = '[site]\nname = "alpha"\nzone = "America/Chicago"\n[ledger]\nfile = "ledger.csv"\n'
HEADER = "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status"
TEXT = f"""\
{HEADER}
u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,2025-06-01,deployed
u1,S21,200,10.0.0.1,C2,R1,1,2025-06-01,,deployed
u2,T21,190,10.0.0.2,C1,R1,2,2025-03-01,,deployed
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a site's configuration with a ledger of two units; u1 has moved."""
    (tmp_path / "site.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "ledger.csv").write_text(TEXT, encoding="utf-8")
    return tmp_path / "site.toml"


def run(site: Path, *words: str) -> Result:
    """Run a command of `hashsight ledger`."""
    return CliRunner().invoke(app, ["ledger", words[0], "--config", str(site), *words[1:]])


def ledger_of(site: Path) -> str:
    """Return the ledger's text."""
    return site.with_name("ledger.csv").read_text(encoding="utf-8")


def test_show_prints_the_units_deployed_at_a_moment(site: Path) -> None:
    """Rows are aligned in columns; empty columns are left out."""
    result = run(site, "show", "--at", "2025-02-01")
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            "unit_id  model  hashrate_th  host      container  rack  slot  deployed_from  deployed_to  status",
            "u1       S21    200          10.0.0.1  C1         R1    1     2025-01-01     2025-06-01   deployed",
            "1 unit deployed, 200.00 TH/s, at 2025-02-01",
        ],
    )


def test_show_for_programs(site: Path) -> None:
    """JSON and CSV hold the same cells; the CSV is a valid ledger."""
    rows = json.loads(run(site, "show", "--format", "json", "--at", "2025-07-01").stdout)
    assert [(row["unit_id"], row["container"]) for row in rows] == [("u1", "C2"), ("u2", "C1")]
    text = run(site, "show", "--format", "csv", "--at", "2025-07-01").stdout
    assert list(csv.DictReader(text.splitlines())) == rows
    assert run(site, "show", "--format", "xml").exit_code == 2


def test_show_prints_all_rows_of_a_unit(site: Path) -> None:
    """A unit's rows are in order of time, followed by their journal of changes."""
    assert run(site, "set", "u1", "--slot", "9", "--at", "2025-09-01T06:00").exit_code == 0
    printed = run(site, "show", "u1").stdout.splitlines()
    assert [line.split()[4:8] for line in printed[1:4]] == [
        ["C1", "R1", "1", "2025-01-01"],
        ["C2", "R1", "1", "2025-06-01"],
        ["C2", "R1", "9", "2025-09-01T06:00:00-05:00"],
    ]
    assert printed[-2].endswith("  ~ u1 (2025-06-01): deployed_to (empty) -> 2025-09-01T06:00")
    assert "slot=9 deployed_from=2025-09-01T06:00" in printed[-1]
    refused = run(site, "show", "u3")
    assert (refused.exit_code, "no such unit in the ledger" in refused.stderr) == (2, True)


def test_set_writes_and_prints_each_row(site: Path) -> None:
    """`set` writes ledger, backup and journal, and prints a line per row."""
    result = run(site, "set", "u2", "--status", "maintenance", "--at", "2025-06-03")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:2] == [
        "~ u2 (2025-03-01): deployed_to (empty) -> 2025-06-03",
        (
            "+ u2: model=T21 hashrate_th=190 host=10.0.0.2 container=C1 rack=R1 slot=2 deployed_from=2025-06-03"
            " status=maintenance"
        ),
    ]
    assert "2 rows changed" in result.stdout
    assert ledger_of(site).splitlines()[3:] == [
        "u2,T21,190,10.0.0.2,C1,R1,2,2025-03-01,2025-06-03,deployed",
        "u2,T21,190,10.0.0.2,C1,R1,2,2025-06-03,,maintenance",
    ]
    file = site.with_name("ledger.csv")
    assert backup_path(file).read_text(encoding="utf-8") == TEXT
    assert len(journal_path(file).read_text(encoding="utf-8").splitlines()) == 1
    again = run(site, "set", "u2", "--status", "maintenance", "--at", "2025-06-04")
    assert (again.exit_code, again.stdout) == (0, "nothing changes: the ledger already says so\n")


def test_now_is_a_time_with_its_offset(site: Path) -> None:
    """Without --at a change takes effect this second, written with the site's offset."""
    assert run(site, "set", "u2", "--removed").exit_code == 0
    end = ledger_of(site).splitlines()[3].split(",")[8]
    assert end[10] == "T"
    assert end[-6:] in {"-05:00", "-06:00"}


def test_a_unit_enters_moves_and_leaves(site: Path) -> None:
    """Commands alone deploy, move, remove and bring back a unit."""
    enter = ("set", "u3", "--new", "--model", "S21", "--hashrate-th", "195", "--host", "10.0.0.3", "--slot", "3")
    for words in (
        (*enter, "--at", "2025-07-01"),
        ("set", "u3", "--container", "C1", "--at", "2025-08-01"),
        ("set", "u3", "--removed", "--at", "2025-09-01"),
        ("set", "u3", "--status", "deployed", "--at", "2025-10-01"),
    ):
        assert run(site, *words).exit_code == 0
    assert [line.split(",")[4:] for line in ledger_of(site).splitlines()[4:]] == [
        ["", "", "3", "2025-07-01", "2025-08-01", "deployed"],
        ["C1", "", "3", "2025-08-01", "2025-09-01", "deployed"],
        ["C1", "", "3", "2025-10-01", "", "deployed"],
    ]


def test_a_dry_run_writes_nothing(site: Path) -> None:
    """A dry run writes nothing, not even a journal, and refuses what a real run refuses."""
    before = sorted(site.parent.iterdir())
    result = run(site, "set", "u2", "--slot", "9", "--dry-run")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "2 rows would change; nothing was written")
    table = site.with_name("new.csv")
    table.write_text("unit_id,slot\nu2,9\n", encoding="utf-8")
    assert "2 rows would change" in run(site, "import", str(table), "--dry-run").stdout
    assert run(site, "set", "u2", "--host", "10.0.0.1", "--dry-run").exit_code == 2
    table.unlink()
    assert (ledger_of(site), sorted(site.parent.iterdir())) == (TEXT, before)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("set", "u2", "--host", "10.0.0.1", "--at", "2025-07-01"), "also of u1 on line 3"),
        (("set", "u2", "--slot", "1", "--at", "2025-05-01"), "also of u1 on line 2"),
        (("set", "u2", "--hashrate-th", "-5"), "a number of TH/s above 0 is expected"),
        (("set", "u2"), "what to change is expected"),
        (("set", "u2", "--removed", "--slot", "1"), "what to change is expected"),
        (("set", "u3", "--slot", "1"), "no such unit"),
        (("set", "u2", "--slot", "9", "--at", "soon"), "an ISO date, or date and time, is expected"),
        (("set", "u2", "--slot", "9", "--at", "2025-02-30"), "there is no such date or time"),
        (("set", "u2", "--slot", "9", "--at", "2025-11-02T01:30"), "show this time twice"),
        (("import", "nowhere.csv"), "cannot be read"),
        (("show", "--at", "soon"), "an ISO date, or date and time, is expected"),
        (("diff",), "two files at most are expected"),
        (("diff", "a", "b", "c"), "two files at most are expected"),
    ],
)
def test_what_is_refused_changes_nothing(site: Path, words: tuple[str, ...], message: str) -> None:
    """A refused change exits with 2 and one message, and leaves the ledger without a backup."""
    result = run(site, *words)
    assert result.exit_code == 2
    assert message in result.stderr.replace("\n", " ")
    assert ledger_of(site) == TEXT
    assert not backup_path(site.with_name("ledger.csv")).exists()


def test_a_leap_day_is_a_day(site: Path) -> None:
    """29 February is a date in leap years only."""
    assert run(site, "set", "u2", "--slot", "9", "--at", "2028-02-29").exit_code == 0
    assert "2028-02-29" in ledger_of(site)
    assert run(site, "set", "u2", "--slot", "8", "--at", "2027-02-29").exit_code == 2


def test_import_takes_in_a_table(site: Path) -> None:
    """An import adds and changes rows together, as one journal entry."""
    table = site.with_name("new.csv")
    table.write_text("unit_id,model,hashrate_th,host,serial\nu3,S21,195,10.0.0.3,SN3\nu1,,,,SN1\n", encoding="utf-8")
    result = run(site, "import", str(table), "--at", "2025-08-01")
    assert (result.exit_code, "3 rows changed" in result.stdout) == (0, True)
    assert ledger_of(site).splitlines() == [
        f"{HEADER},serial",
        "u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,2025-06-01,deployed,",
        "u1,S21,200,10.0.0.1,C2,R1,1,2025-06-01,2025-08-01,deployed,",
        "u1,S21,200,10.0.0.1,C2,R1,1,2025-08-01,,deployed,SN1",
        "u2,T21,190,10.0.0.2,C1,R1,2,2025-03-01,,deployed,",
        "u3,S21,195,10.0.0.3,,,,2025-08-01,,deployed,SN3",
    ]
    assert len(journal_path(site.with_name("ledger.csv")).read_text(encoding="utf-8").splitlines()) == 1


def test_diff_of_two_moments(site: Path) -> None:
    """Between two moments: units added, removed and moved, and deployed hashrate before and after."""
    result = run(site, "diff", "--from", "2025-02-01", "--to", "2025-07-01")
    assert result.stdout.splitlines() == [
        "~ u1: container C1 -> C2",
        "+ u2: model=T21 hashrate_th=190 host=10.0.0.2 container=C1 rack=R1 slot=2 status=deployed",
        "1 unit, 200.00 TH/s -> 2 units, 390.00 TH/s; differences: 2",
    ]


def test_diff_of_two_files(site: Path) -> None:
    """Two files compare row by row with their dates; a single file compares with the site's ledger."""
    run(site, "set", "u2", "--removed", "--at", "2025-09-01")
    backup = str(backup_path(site.with_name("ledger.csv")))
    assert run(site, "diff", backup).stdout.splitlines() == [
        "~ u2: deployed_to (empty) -> 2025-09-01",
        "differences: 1",
    ]
    assert run(site, "diff", backup, backup).stdout == "differences: 0\n"
    [difference] = json.loads(run(site, "diff", backup, "--json").stdout)
    assert (difference["before"]["deployed_to"], difference["after"]["deployed_to"]) == ("", "2025-09-01")
    at_once = run(site, "diff", backup, "--from", "2025-10-01", "--to", "2025-10-01").stdout.splitlines()
    assert at_once[0].startswith("- u2: model=T21")


def test_the_proposed_command_sets_an_exchange_right(site: Path) -> None:
    """The command that the agent proposes for two exchanged units corrects both rows."""
    result = run(site, "set", "u1", "--host", "10.0.0.2", "--swap", "--at", "2025-11-20T21:36:00+00:00")
    assert result.exit_code == 0
    hosts = {row["unit_id"]: row["host"] for row in json.loads(run(site, "show", "--format", "json").stdout)}
    assert hosts == {"u1": "10.0.0.2", "u2": "10.0.0.1"}
    other = run(site, "set", "u2", "--host", "10.0.0.1", "--swap", "--at", "2025-11-20T21:36:02+00:00")
    assert other.stdout == "nothing changes: the ledger already says so\n"


@pytest.mark.parametrize(
    ("words", "is_noted"),
    [
        (("set", "u2", "--status", "maintenance", "--at", "2025-06-03"), True),
        (("set", "u2", "--removed", "--at", "2025-06-03"), True),
        # At the row's own start date, the row itself is corrected.
        (("set", "u2", "--slot", "9", "--at", "2025-03-01"), True),
        (("set", "u2", "--status", "maintenance"), False),
        (("set", "u2", "--removed", "--at", "2080-06-03"), False),
    ],
)
def test_a_change_of_the_past_does_not_change_history(site: Path, words: tuple[str, ...], *, is_noted: bool) -> None:
    """A backdated change notes that recorded history stays as it was, if there is a history."""
    note = "note: history, and the statements made from it, keep what the ledger said at the time"
    assert note not in run(site, *words, "--dry-run").stderr
    site.with_name("site.history.sqlite").touch()
    assert (note in run(site, *words, "--dry-run").stderr) is is_noted


def test_the_first_import_makes_the_ledger(site: Path, tmp_path: Path) -> None:
    """`import` and `set --new` work before there is a ledger; `--dry-run` creates nothing."""
    site.with_name("ledger.csv").unlink()
    table = tmp_path / "units.csv"
    table.write_text(f"{HEADER}\nu1,S21,200,10.0.0.1,C1,R1,1,,,Deployed\n", encoding="utf-8")
    assert run(site, "import", str(table), "--dry-run").exit_code == 0
    assert not site.with_name("ledger.csv").exists()
    assert run(site, "import", str(table)).exit_code == 0
    assert run(site, "set", "u2", "--new", "--model=T21", "--hashrate-th=190", "--host=10.0.0.2").exit_code == 0
    assert "2 units deployed, 390.00 TH/s" in run(site, "show").stdout


def test_a_machine_of_another_make_enters(site: Path) -> None:
    """With its make, a machine that the catalogue lacks is deployed, adds its columns, and comes back as it was."""
    enter = ("set", "w1", "--new", "--model", "Proto Rig", "--hashrate-th", "819", "--host", "10.0.0.9")
    refused = run(site, *enter, "--at", "2025-07-01")
    assert (refused.exit_code, "not in the catalogue" in refused.stderr) == (2, True)
    made = ("--make", "Proto", "--power-w", "12000", "--boards", "9")
    assert run(site, *enter, *made, "--at", "2025-07-01").exit_code == 0
    assert run(site, "set", "w1", "--removed", "--at", "2025-08-01").exit_code == 0
    assert run(site, "set", "w1", "--status", "deployed", "--at", "2025-09-01").exit_code == 0
    header, *rows = ledger_of(site).splitlines()
    assert header.endswith(",make,power_w,boards")
    assert [row.split(",")[-3:] for row in rows if row.startswith("w1,")] == [["Proto", "12000", "9"]] * 2
    assert "3 units deployed, 1.21 PH/s" in run(site, "show", "--at", "2025-10-01").stdout


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            b"PK\x03\x04\x14\x00",
            "not a workbook that can be read: BadZipFile: File is not a zip file; save it as .xlsx or as CSV UTF-8",
        ),
        (b"\xd0\xcf\x11\xe0\xa1", "a workbook (.xls), not text; save it from the spreadsheet as CSV UTF-8"),
        ("unit_id".encode("utf-16"), "UTF-16 (Unicode text), not text; save it from the spreadsheet as CSV UTF-8"),
    ],
)
def test_import_explains_a_workbook(site: Path, tmp_path: Path, data: bytes, reason: str) -> None:
    """A workbook is named, with the way to a file that can be read."""
    (tmp_path / "units.xlsx").write_bytes(data)
    refused = run(site, "import", str(tmp_path / "units.xlsx"))
    assert (refused.exit_code, refused.stderr) == (2, f"{tmp_path / 'units.xlsx'}: file: {reason}\n")


PROPOSAL = f"""\
{HEADER},serial,mac,simulated,web_port,guessed,note,source
SN3,S21,200,10.0.0.3,,,,,,deployed,SN3,02:1a:2b:00:00:03,,,unit_id,,10.0.0.3:4028
at-10.0.0.2,T21,190,10.0.0.2,,,,,,deployed,SN2,,,,unit_id,,10.0.0.2:4028
"""


@pytest.fixture
def proposal(tmp_path: Path) -> Path:
    """Return a proposal with a unit that is new, and one whose serial number the ledger lacks."""
    path = tmp_path / "proposal.csv"
    path.write_text(PROPOSAL, encoding="utf-8")
    return path


def test_diff_with_a_proposal(site: Path, proposal: Path) -> None:
    """A line for each difference, their number by kind, and the command that imports them, without `gone`."""
    result = run(site, "diff", str(proposal))
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            "new       SN3: at 10.0.0.3: S21 of 200 TH/s",
            "identity  u2: serial SN2",
            "gone      u1: nothing was identified at 10.0.0.1",
            "2 units in the ledger, 2 in the proposal; differences: 3",
            "       1  new: answers and is not in the ledger",
            "       1  identity: MAC or serial to be filled in",
            "       1  gone: in the ledger, and did not answer",
            f"to import them: hashsight ledger import {proposal} --config {site} --kind new --kind identity",
        ],
    )
    rows = json.loads(run(site, "diff", str(proposal), "--json").stdout)
    assert [(row["kind"], row["unit_id"]) for row in rows] == [("new", "SN3"), ("identity", "u2"), ("gone", "u1")]
    assert rows[1]["would_set"] == {"serial": "SN2"}
    assert run(site, "diff", str(proposal), "--from", "2025-01-01").exit_code == 2


def test_import_of_a_proposal(site: Path, proposal: Path) -> None:
    """Chosen kinds only, dated, placed by a rule, with a journal; the others are named."""
    result = run(site, "import", str(proposal), "--at", "2025-09-01", "--place", "10.0.{container}.{slot}")
    assert result.exit_code == 0
    assert "note: not imported: 1 gone, 1 identity, 1 moved; see `hashsight ledger diff" in result.stderr
    assert ledger_of(site).splitlines()[-1] == ("SN3,S21,200,10.0.0.3,0,,3,2025-09-01,,deployed,SN3,02:1a:2b:00:00:03")
    assert run(site, "import", str(proposal), "--kind", "identity", "--at", "2025-09-01").exit_code == 0
    assert ledger_of(site).splitlines()[3] == "u2,T21,190,10.0.0.2,C1,R1,2,2025-03-01,,deployed,SN2,"
    journal = journal_path(site.with_name("ledger.csv")).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["command"][2:] for line in journal] == [
        ["--place=10.0.{container}.{slot}", "--at=2025-09-01"],
        ["--kind=identity", "--at=2025-09-01"],
    ]
    again = run(site, "import", str(proposal), "--kind", "identity", "--at", "2025-09-01")
    assert "nothing changes" in again.stdout


def test_a_proposal_makes_the_first_ledger(site: Path, proposal: Path) -> None:
    """Without a ledger, every unit of a proposal is new."""
    site.with_name("ledger.csv").unlink()
    assert "2 in the proposal; differences: 2" in run(site, "diff", str(proposal)).stdout
    assert run(site, "import", str(proposal), "--kind", "new").exit_code == 0
    assert "2 units deployed, 390.00 TH/s" in run(site, "show").stdout


def test_kinds_are_for_proposals(site: Path, tmp_path: Path) -> None:
    """A plain table takes rules for places, and no kinds."""
    table = tmp_path / "units.csv"
    table.write_text("unit_id,model,hashrate_th,host,mac\nu7,S21,200,10.0.0.7,\n", encoding="utf-8")
    refused = run(site, "import", str(table), "--kind", "new")
    assert refused.exit_code == 2
    assert "--kind = 'new': " in refused.stderr
    assert "only a proposal of `hashsight scan` has kinds" in refused.stderr
    assert run(site, "import", str(table), "--place", "10.0.{container}.{slot:02}", "--at", "2025-09-01").exit_code == 0
    assert ledger_of(site).splitlines()[-1] == "u7,S21,200,10.0.0.7,0,,07,2025-09-01,,deployed"


def test_an_unreadable_unit_has_nothing_to_import(site: Path, tmp_path: Path) -> None:
    """The message says what a person does instead; the ledger has no journal yet, and gets none."""
    path = tmp_path / "proposal.csv"
    path.write_text("unit_id,model,hashrate_th,host,guessed,source\nu9,,,10.0.0.9,,x\n", encoding="utf-8")
    refused = run(site, "import", str(path), "--kind", "unreadable")
    assert refused.exit_code == 2
    assert "--kind = 'unreadable': such a unit reports nothing to import; fill in model" in refused.stderr
    assert not (site.parent / "ledger.csv.journal.jsonl").exists()


def test_guessed_bins_are_imported_when_asked_for(site: Path, tmp_path: Path) -> None:
    """`diff` does not offer them among the kinds; `--guessed` imports them."""
    path = tmp_path / "proposal.csv"
    rows = ("u1,S21,188,10.0.0.1,,,,,,deployed,,,,,hashrate_th,,x", "u2,T21,190,10.0.0.2,,,,,,deployed,,,,,,,x")
    path.write_text("\n".join((PROPOSAL.splitlines()[0], *rows, "")), encoding="utf-8")
    shown = run(site, "diff", str(path))
    assert (
        shown.stdout.splitlines()[0] == "model  u1: the ledger says S21 of 200 TH/s, the unit S21 of 188 TH/s (guessed)"
    )
    assert "to import them" not in shown.stdout
    assert "note: 1 bin guessed from an ideal rate; compare with labels, then import --guessed" in shown.stderr
    before = ledger_of(site)
    without = run(site, "import", str(path), "--kind", "model", "--at", "2025-09-01")
    assert (without.exit_code, ledger_of(site)) == (0, before)
    assert "note: 1 guessed bin not imported, such as that of u1; see --guessed" in without.stderr
    assert run(site, "import", str(path), "--kind", "model", "--guessed", "--at", "2025-09-01").exit_code == 0
    assert "u1,S21,188,10.0.0.1,C2,R1,1,2025-09-01,,deployed" in ledger_of(site)


def test_verify_without_a_journal(site: Path) -> None:
    """A ledger that no command changed has no journal: no fault, and not called as it was written."""
    checked = run(site, "verify")
    assert checked.exit_code == 0
    file = journal_path(site.with_name("ledger.csv"))
    assert checked.stdout == f"{file}: no lines: no command has changed the ledger, as far as is known\n"


def test_verify_names_a_changed_journal(site: Path) -> None:
    """A sound journal exits with 0; one with a changed line with 1, and names line, time and reason."""
    for slot in ("8", "9"):
        assert run(site, "set", "u2", "--at", "2025-08-01", "--slot", slot).exit_code == 0
    sound = run(site, "verify")
    assert sound.exit_code == 0
    assert "as it was written: 2 lines, 2 with the hash of those before" in sound.stdout
    file = journal_path(site.with_name("ledger.csv"))
    file.write_text(file.read_text(encoding="utf-8").replace("--slot", "--Slot", 1), encoding="utf-8")
    changed = run(site, "verify")
    assert changed.exit_code == 1
    assert f"{file}: not as it was written" in changed.stderr
    assert "line 2 of 20" in changed.stderr
    assert "a line before it was changed, added or removed" in changed.stderr
    answer = json.loads(run(site, "verify", "--json").stdout)
    assert (answer["lines"], answer["chained"], len(answer["faults"])) == (2, 2, 1)


def test_verify_holds_the_journal_against_history(site: Path) -> None:
    """A journal that was cut off together with its ledger is found by the hash that history keeps."""
    assert run(site, "set", "u2", "--at", "2025-08-01", "--slot", "8").exit_code == 0
    ledger = site.with_name("ledger.csv")
    known = journal_end(ledger).hash
    with closing(write_history(site.with_suffix(".history.sqlite"))) as file:
        file.write(facts=[Fact("ledger", 1_760_000_000, {"journal": known})])
    assert "hashes kept in history that fit: 1" in run(site, "verify").stdout
    journal_path(ledger).write_text("", encoding="utf-8")
    cut = run(site, "verify")
    assert cut.exit_code == 1
    assert f"the history knows the hash {known[:16]}, which is after none of these lines" in cut.stderr
