"""`hashsight statement` and `hashsight history export`, called from the command line."""

import hashlib
import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from history_cases import AT, DAY_S, PH, hours, unix, write
from typer.testing import CliRunner, Result

from agent.commands.command_line import app
from agent.files.modes import FILE_MODE
from agent.files.signing import make_signing_key, read_signing_key
from agent.history.state_changes import Change
from agent.history.writer import write_history

CONFIG = '[site]\nname = "alpha"\nzone = "America/Chicago"\n[ledger]\nfile = "ledger.csv"\n'
LEDGER = """\
unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status
u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,,deployed
"""
END = unix("2025-11-01")


def call(*words: str | Path) -> Result:
    """Call the command line."""
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a site's configuration with two months of history and a key beside it. Statements need no ledger."""
    path = tmp_path / "site.toml"
    path.write_text(CONFIG, encoding="utf-8")
    write(tmp_path / "site.history.sqlite", hours(AT - DAY_S, END + 20 * DAY_S), zone="America/Chicago")
    make_signing_key(tmp_path / "site.history.key")
    return path


def key_id(path: Path) -> str:
    """Return the id of the key beside a history."""
    return read_signing_key(path, where="test").public.id


def test_state_verify_and_export(config: Path, tmp_path: Path) -> None:
    """A JSON statement verifies, and its digest is the SHA-256 of the exported rows."""
    stated = call("statement", "2025-10", "--config", config, "--format", "json", "--publish")
    assert stated.exit_code == 0, stated.stderr
    file = tmp_path / "october.json"
    file.write_text(stated.stdout, encoding="utf-8")
    content = json.loads(stated.stdout)
    assert (content["period"], content["is_draft"], content["figures"]["operating_hs"]) == ("2025-10", False, 46 * PH)

    verified = call("statement", "--verify", file, "-c", config)
    signed = f"signed by key {key_id(tmp_path / 'site.history.key')}"
    assert (verified.exit_code, verified.stdout) == (0, f"{file}: holds for alpha, 2025-10; {signed}\n")
    assert call("statement", "2025-10", "--verify", file, "-c", config).exit_code == 0
    assert call("statement", "2025-11", "--verify", file, "-c", config).exit_code == 2

    exported = call("history", "export", "2025-10", "-c", config)
    assert hashlib.sha256(exported.stdout.encode()).hexdigest() == content["parts"][0]["inputs"]["digest"]
    # The file alone is enough: it records its zone.
    assert call("history", "export", "2025-10", "--history", tmp_path / "site.history.sqlite").stdout == exported.stdout
    assert call("statement", "2025-10", "-c", config).stdout.startswith("Draft statement of alpha, 2025-10 (31 days, A")


def test_verify_finds_a_changed_history(config: Path, tmp_path: Path) -> None:
    """A statement does not hold for a history that changed since: exit 1, and the differences."""
    file = tmp_path / "october.json"
    file.write_text(call("statement", "2025-10", "-c", config, "--format", "json").stdout, encoding="utf-8")
    history = tmp_path / "site.history.sqlite"
    history.unlink()
    write(history, hours(AT, END + DAY_S, operating_hs=47 * PH))
    verified = call("statement", "--verify", file, "-c", config)
    assert verified.exit_code == 1
    assert "does not hold for alpha" in verified.stderr
    assert "mean operating_hs: stated 4.6e+16, history gives 4.7e+16" in verified.stderr


def test_an_owners_statement(config: Path, tmp_path: Path) -> None:
    """By the ledger's column: stated, verified and exported by name; a wrong name is an error that lists the owners."""
    unknown = call("statement", "2025-10", "-c", config, "--owner", "North")
    assert unknown.exit_code == 2
    assert "--owner = 'North': neither the ledger nor history names an owner" in " ".join(unknown.stderr.split())
    with closing(write_history(tmp_path / "site.history.sqlite")) as file:
        rows = hours(AT - DAY_S, END + 20 * DAY_S)
        # All units are North's, of whose ledger this is; South has had none of them yet.
        file.write(owners=[("North", each.values()) for each in rows])
    header, unit = LEDGER.splitlines()
    ledger = f"{header},owner\n{unit.replace('2025-01-01', '2025-11-15')},South\n"
    (tmp_path / "ledger.csv").write_text(ledger, encoding="utf-8")
    unknown = call("statement", "2025-10", "-c", config, "--owner", "Nort")
    assert (unknown.exit_code, unknown.stdout) == (2, "")
    assert "--owner = 'Nort': one of (no owner), North, South is expected" in " ".join(unknown.stderr.split())

    (tmp_path / "ledger.csv").unlink()
    stated = call("statement", "2025-10", "-c", config, "--owner", "North", "--format", "json", "--publish")
    assert stated.exit_code == 0, stated.stderr
    assert json.loads(stated.stdout)["parts"][0]["owner"] == "North"
    file_ = tmp_path / "north.json"
    file_.write_text(stated.stdout, encoding="utf-8")
    verified = call("statement", "--verify", file_, "-c", config)
    signed = f"signed by key {key_id(tmp_path / 'site.history.key')}"
    said = f"{file_}: holds for alpha, owner North, 2025-10; {signed}\n"
    assert (verified.exit_code, verified.stdout) == (0, said)
    other = call("statement", "--verify", file_, "-c", config, "--owner", "South")
    assert "--owner = 'South': the statement is of owner North" in " ".join(other.stderr.split())
    both = call("statement", "--combine", file_, "--owner", "North")
    assert both.exit_code == 2
    exported = call("history", "export", "2025-10", "-c", config, "--what", "owners").stdout.splitlines()
    assert exported[0].startswith("owner,time,at,span_s,watched_s,")
    assert len(exported) == 1 + 31 * 24
    assert {line.split(",")[0] for line in exported[1:]} == {"North"}
    as_json = call("history", "export", "2025-10", "-c", config, "--what", "owners", "--json").stdout
    assert {each["owner"] for each in json.loads(as_json)} == {"North"}


def test_publish_refuses(config: Path) -> None:
    """With less than 95 % of the time watched --publish prints no statement."""
    # 475 of the 721 hours of November in Chicago.
    draft = call("statement", "2025-11", "-c", config)
    assert draft.stdout.splitlines()[1].startswith("! alpha: WATCHED ONLY 65.88 % of the time")
    refused = call("statement", "2025-11", "-c", config, "--publish")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "not to be published: alpha was watched 65.88 % of the time, 95 % is needed" in refused.stderr


def _november(config: Path, tmp_path: Path, *, hashrate_th: int) -> tuple[dict[str, Any], str]:
    """Return November's statement by a ledger of one unit, and its JSON."""
    ledger = LEDGER.replace(",200,", f",{hashrate_th},")
    (tmp_path / "ledger.csv").write_text(ledger, encoding="utf-8")
    stated = call("statement", "2025-11", "-c", config, "--format", "json")
    assert stated.exit_code == 0, stated.stderr
    content: dict[str, Any] = json.loads(stated.stdout)
    return content, stated.stdout


def test_the_ledger_says_what_was_deployed(config: Path, tmp_path: Path) -> None:
    """The site's ledger counts where history has no rows; one that says otherwise than history is named on top."""
    history = tmp_path / "site.history.sqlite"
    history.unlink()
    write(history, hours(AT, END + 20 * DAY_S, deployed_hs=200e12, operating_hs=184e12))
    content, text = _november(config, tmp_path, hashrate_th=200)
    (part,) = content["parts"]
    assert part["unseen"]["ledger_digest"] == hashlib.sha256((tmp_path / "ledger.csv").read_bytes()).hexdigest()
    # Central time: November has 721 hours, and history ends after 475 of them.
    assert part["unseen"]["unwatched"] == pytest.approx(246 * 3600 * 200e12)
    assert not any("the ledger now says" in note for note in content["notes"])
    file = tmp_path / "november.json"
    file.write_text(text, encoding="utf-8")
    assert call("statement", "--verify", file, "-c", config).exit_code == 0
    smaller, _ = _november(config, tmp_path, hashrate_th=188)
    assert any("the ledger now says 6.00 % less deployed than history" in note for note in smaller["notes"])
    verified = call("statement", "--verify", file, "-c", config)
    assert verified.exit_code == 1
    assert "unseen unwatched: stated 1.7712e+20, ledger and history give 1.66493e+20" in verified.stderr


def test_month_to_date(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`month-to-date` is the month that is under way in the site's own zone, and says how much of it there is."""
    # Three hours into October in Chicago, at eight in the morning in UTC.
    monkeypatch.setattr(time, "time", lambda: AT + 8.0 * 3600)
    stated = call("statement", "month-to-date", "-c", config)
    assert stated.stdout.startswith("Draft statement of alpha, 2025-10 (31 days, America/Chicago)")
    assert "alpha: the period is not over; history has" in stated.stdout


def test_a_page_of_days(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--format html` is a page of the site's days, also month to date; nothing but the page is written."""
    found = call("statement", "2025-10", "-c", config, "--format", "html")
    assert (found.exit_code, found.stderr) == (
        0,
        f"{config.parent / 'ledger.csv'}: no ledger; what was deployed in gaps is taken from the rows beside them\n",
    )
    assert found.stdout.startswith("<!doctype html>\n")
    assert found.stdout.endswith("</html>\n")
    assert found.stdout.count('class="name">10-') == 31
    monkeypatch.setattr(time, "time", lambda: AT + 8.0 * 3600)
    begun = call("statement", "month-to-date", "-c", config, "--format", "html")
    assert "<title>Draft statement of alpha, 2025-10 (31 days, America/Chicago)</title>" in begun.stdout
    assert "alpha: the period is not over" in begun.stdout


def test_the_month_before_and_its_verification(config: Path, tmp_path: Path) -> None:
    """November's statement has October in one sentence; once October's rows are changed it no longer verifies."""
    file = tmp_path / "november.json"
    file.write_text(call("statement", "2025-11", "-c", config, "--json").stdout, encoding="utf-8")
    assert json.loads(file.read_text(encoding="utf-8"))["before"]["period"] == "2025-10"
    words = " ".join(call("statement", "2025-11", "-c", config).stdout.split())
    assert "2025-10: 92.00 % of 50.00 PH/s deployed (floor 92.00 %); too little of 2025-11 was watched" in words
    assert call("statement", "--verify", file, "-c", config).exit_code == 0
    with closing(sqlite3.connect(tmp_path / "site.history.sqlite")) as connection:
        connection.execute("UPDATE site SET watched_s = watched_s / 2 WHERE at = ?", (AT + DAY_S,))
        connection.commit()
    verified = call("statement", "--verify", file, "-c", config)
    assert verified.exit_code == 1
    assert "  2025-10 inputs: stated" in verified.stderr


def test_combine(config: Path, tmp_path: Path) -> None:
    """Statements of several sites combine into one; a period before the files must be theirs."""
    files = []
    for site, changes in (("alpha", {}), ("beta", {"operating_hs": 45 * PH})):
        history = write(tmp_path / f"{site}.sqlite", hours(AT, END, **changes), site=site)
        files.append(tmp_path / f"{site}.json")
        text = call("statement", "2025-10", "--history", history, "--format", "json").stdout
        files[-1].write_text(text, encoding="utf-8")
    combined = call("statement", "--combine", *files)
    assert combined.stdout.startswith("Draft statement of alpha, beta, 2025-10 (31 days, UTC)\n")
    assert "100.00 PH/s" in combined.stdout
    whole = tmp_path / "whole.json"
    whole.write_text(call("statement", "2025-10", "--combine", *files, "--format", "json").stdout, encoding="utf-8")
    verified = call("statement", "--verify", whole, "--history", tmp_path / "beta.sqlite")
    assert verified.stdout == f"{whole}: holds for beta, 2025-10; not signed; not checked here: alpha\n"
    pages = call("statement", "--combine", *files, "--format", "html").stdout
    assert "<title>Draft statement of alpha, beta, 2025-10 (31 days, UTC)</title>" in pages
    assert "JSON statements hold no days" in pages
    assert call("statement", "--combine", files[0], files[0]).exit_code == 1
    assert call("statement", "2025-11", "--combine", *files).exit_code == 2
    # A fleet is published by the list of its sites.
    silent = call("statement", "--combine", *files, "--publish")
    assert (silent.exit_code, silent.stdout) == (2, "")
    assert "all sites of the fleet are expected" in silent.stderr
    left_out = call("statement", "--combine", *files, "--publish", "--sites", "alpha, beta, gamma")
    assert left_out.exit_code == 1
    assert "declared and not stated: gamma" in left_out.stderr
    published = ("statement", "--combine", *files, "--publish", "--sites", "alpha,beta")
    unsigned = call(*published)
    assert (unsigned.exit_code, unsigned.stdout) == (2, "")
    assert "a published combination is signed: the file of a key is expected" in unsigned.stderr
    assert call(*published, "--key", config.parent / "site.history.key").exit_code == 0


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("statement",), 2, "PERIOD: a period is expected"),
        (("statement", "2025-13"), 2, "a month such as 2025-10"),
        (("statement", "october"), 2, "one period is expected"),
        (("statement", "2025-09", "2025-10"), 2, "one period is expected"),
        (("statement", "2025-10", "--format", "pdf"), 2, "one of table, markdown, html, csv, json is expected"),
        (("statement", "2024-10"), 1, "has no rows for 2024-10: it holds 2025-09-30T00:00:00Z to 2025-11-21T00:00:00Z"),
        (("statement", "2025-10", "--acknowledge", "all"), 2, "one of delivered, ledger, containers, nameplates is"),
        (("statement", "--combine"), 2, "JSON statement files are expected"),
        (("statement", "--combine", "nothing.json"), 1, "nothing.json: No such file or directory"),
        (("history", "export", "2025-10", "--from", "2025-10-01"), 2, "a period or --from and --to are expected"),
        (("history", "export", "--from", "monday"), 2, "a date or time in ISO 8601 is expected"),
        (("history", "export", "--what", "units"), 2, "one of site, containers, owners, changes, chain is expected"),
        (("history", "export", "last"), 2, "a month such as 2025-10"),
    ],
)
def test_mistakes(config: Path, words: tuple[str, ...], status: int, said: str) -> None:
    """A bad command line exits with 2, a failure with 1; the message is all that is printed."""
    result = call(*words, "-c", config)
    assert (result.exit_code, result.stdout) == (status, "")
    assert said in result.stderr


def test_neither_configuration_nor_history() -> None:
    """A command without a configuration or a history file asks for one."""
    result = call("statement", "2025-10")
    assert result.exit_code == 2
    assert "or a history file with --history" in result.stderr


def test_no_history_yet(config: Path, tmp_path: Path) -> None:
    """Before the agent's first run there is no history; the command says so and creates no file."""
    (tmp_path / "site.history.sqlite").unlink()
    result = call("statement", "2025-10", "-c", config)
    assert result.exit_code == 1
    assert "there is no history yet" in result.stderr
    assert not (tmp_path / "site.history.sqlite").exists()


@pytest.mark.parametrize("file", ["ledger.csv", "site.toml", "./ledger.csv"])
def test_history_must_not_be_another_file(tmp_path: Path, file: str) -> None:
    """The history file must not be the ledger or the configuration: a damaged history is moved aside."""
    path = tmp_path / "site.toml"
    path.write_text(f'{CONFIG}[history]\nfile = "{file}"\n', encoding="utf-8")
    (tmp_path / "ledger.csv").write_text(LEDGER, encoding="utf-8")
    checked = call("check", "-c", path)
    assert checked.exit_code == 2
    assert "history.file" in checked.stderr
    assert "history needs one of its own" in " ".join(checked.stderr.split())


def test_export_of_changes_and_containers(config: Path, tmp_path: Path) -> None:
    """Changes of state with durations and container rows export as CSV without spreadsheet formulas."""
    with_changes = tmp_path / "more.sqlite"
    file = write_history(with_changes)
    file.claim(site="alpha", zone="UTC")
    (first,) = hours(AT, AT + 1)
    file.write(
        site=[first.values()],
        containers=[('C "1", north', first.values()), ("=C2", first.values())],
        changes=[
            Change(unit_id="u1", state="unreachable", why="no answer", since=AT + 1.5, until=AT + 61.5),
            Change(unit_id="u1", state="hashing", why="hashing", since=AT + 61.5),
        ],
    )
    file.close()
    changes = call("history", "export", "--history", with_changes, "--what", "changes")
    assert changes.stdout.splitlines() == [
        "unit,state,why,since,until,seconds",
        f"u1,unreachable,no answer,{AT + 1.5},{AT + 61.5},60.0",
        f"u1,hashing,hashing,{AT + 61.5},,",
    ]
    containers = call("history", "export", "--history", with_changes, "--what", "containers").stdout.splitlines()
    assert containers[0].startswith("container,time,at,")
    assert containers[1].startswith("'=C2,2025-10-01T00:00:00Z,")
    assert containers[2].startswith('"C ""1"", north",2025-10-01T00:00:00Z,')
    # A half-open range in the site's local time.
    some = call(
        "history", "export", "-c", config, "--from", "2025-10-01", "--to", "2025-10-01T02:00"
    ).stdout.splitlines()
    assert [line.split(",")[0] for line in some[1:]] == ["2025-10-01T05:00:00Z", "2025-10-01T06:00:00Z"]


def test_two_histories_make_one_statement(config: Path, tmp_path: Path) -> None:
    """A month of which two agents watched a part each: merged, stated and verified; a file that is there is refused."""
    middle = unix("2025-10-20")
    first = write(tmp_path / "first.sqlite", hours(AT, middle), zone="UTC")
    second = write(tmp_path / "second.sqlite", hours(middle - DAY_S, END), zone="UTC")
    whole = tmp_path / "whole.sqlite"
    done = call("history", "merge", first, second, "--into", whole)
    assert done.exit_code == 0, done.stderr
    assert [line.split(" minutes ")[0].strip() for line in done.stdout.splitlines()] == ["456", "288", "0", "24"]
    asked = ("statement", "2025-10", "-c", config, "--history", whole, "--format", "json", "--publish")
    stated = json.loads(call(*asked).stdout)
    assert stated["figures"]["watched_ratio"] == 1.0
    assert stated["parts"][0]["inputs"]["rows"] == 31 * 24
    again = call("history", "merge", first, second, "--into", whole)
    assert (again.exit_code, again.stdout) == (2, "")
    assert "a file that does not exist yet is expected" in again.stderr
    other = write(tmp_path / "other.sqlite", hours(AT, middle), site="beta")
    refused = call("history", "merge", first, other, "--into", tmp_path / "none.sqlite")
    assert refused.exit_code == 1
    assert "the history of site beta, not of alpha" in refused.stderr
    assert not (tmp_path / "none.sqlite").exists()


def test_a_merge_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Half of a file is no history: the new file appears whole or not at all, and the same command works later."""
    first = write(tmp_path / "first.sqlite", hours(AT, END), zone="UTC")
    second = write(tmp_path / "second.sqlite", hours(AT, END), zone="UTC")
    whole = second.read_bytes()
    second.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) // 2))
    into = tmp_path / "whole.sqlite"
    refused = call("history", "merge", first, second, "--into", into)
    assert refused.exit_code == 1
    assert "second.sqlite: " in refused.stderr
    assert [path for path in tmp_path.iterdir() if "whole" in path.name] == []
    second.write_bytes(whole)
    assert call("history", "merge", first, second, "--into", into).exit_code == 0
    assert into.stat().st_mode & 0o777 == FILE_MODE
    into.unlink()
    into.symlink_to(tmp_path / "nowhere" / "else")
    refused = call("history", "merge", first, second, "--into", into)
    assert (refused.exit_code, refused.stderr.strip()) == (1, f"{into}: File exists")


def test_chain_is_exported_as_documented(config: Path, tmp_path: Path) -> None:
    """Any program can compute the chain's hashes, and the digests of rows from their CSV."""
    lines = [
        json.loads(line) for line in call("history", "export", "--what", "chain", "-c", config).stdout.splitlines()
    ]
    assert lines[0] == {"base": {"seq": 0, "hash": "0" * 64}}
    before = "0" * 64
    for number, link in enumerate(lines[1:], start=1):
        fields = (str(number), link["kind"], str(link["at"]), link["digest"], link["containers"], link["body"])
        text = "|".join(field or "" for field in fields)
        before = hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()
        assert (link["seq"], link["hash"]) == (number, before)
    digests = {link["at"]: link["digest"] for link in lines[1:] if link["kind"] == "minute"}
    rows = call("history", "export", "--what", "site", "-c", config).stdout.splitlines(keepends=True)[1:]
    assert len(rows) == len(digests)
    for row in rows:
        assert digests[int(row.split(",")[1])] == hashlib.sha256(row.encode()).hexdigest()[:28]
    # A file without heads begins with its first link, whatever the period.
    part = call("history", "export", "2025-11", "--what", "chain", "--history", tmp_path / "site.history.sqlite")
    assert len(part.stdout.splitlines()) == len(lines)
