"""`hashsight history verify` and `history seal`, called from the command line."""

# ruff: noqa: S608 - statements are this module's own.

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from chained import Keeper, rich, verified
from history_cases import AT
from typer.testing import CliRunner, Result

from agent.commands.command_line import app
from agent.files.signing import public_file
from agent.history.chain.anchors import requested_anchors
from agent.history.chain.heads import SignedHead, check_of
from agent.history.chain.links import Fact
from agent.history.chain.seals import timestamp_request
from agent.history.heads import key_file, latest_file, log_file
from agent.history.reader import read_history
from agent.history.writer import write_history


def call(*words: str | Path) -> Result:
    """Call the command line."""
    return CliRunner().invoke(app, ["history", *map(str, words)])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return three hours of a site with every kind of row."""
    path = tmp_path_factory.mktemp("whole") / "site.history.sqlite"
    rich(path)
    return path


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    """Return a copy of that history, with its key and heads."""
    for file in whole.parent.iterdir():
        shutil.copy2(file, tmp_path / file.name)
    return tmp_path / whole.name


def edited(path: Path, statement: str) -> None:
    """Change a history in SQLite."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


def test_a_whole_history_holds(path: Path) -> None:
    """The verdict says how far it is signed, with which key, and what is open."""
    result = call("verify", "--history", path)
    lines = result.stdout.splitlines()
    assert (result.exit_code, lines[0]) == (0, f"{path}: holds")
    assert lines[1].endswith(" links and 562 digests of rows checked")
    assert lines[2].startswith("signed up to link ")
    assert str(public_file(key_file(path))) in lines[2]
    assert lines[3].endswith("minutes from 2025-10-01 03:00 on")
    said = json.loads(call("verify", "--history", path, "--json").stdout)
    assert (said["holds"], said["findings"], said["is_key_given"]) == (True, [], True)


def test_edits_are_named_by_time_and_table(path: Path) -> None:
    """Each finding is a line with its time in the site's zone; the exit code is 1."""
    edited(path, f"UPDATE site SET operating_hs = deployed_hs WHERE at BETWEEN {AT + 600} AND {AT + 660}")
    edited(path, f"DELETE FROM containers WHERE at = {AT + 7200}")
    result = call("verify", "--history", path)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:3] == [
        f"{path}: does not hold: 2 findings",
        "  2025-10-01 00:10 to 00:12: the site's rows edited",
        "  2025-10-01 02:00 to 02:01: containers' rows deleted",
    ]
    said = json.loads(call("verify", "--history", path, "--json").stdout)
    assert [(each["kind"], each["table"], each["start"], each["end"]) for each in said["findings"]] == [
        ("edited", "site", AT + 600, AT + 720),
        ("deleted", "containers", AT + 7200, AT + 7260),
    ]


def test_a_configuration_names_history_and_key(path: Path) -> None:
    """With a configuration, the history and the key that it names are used."""
    config = path.with_name("site.toml")
    key = path.with_name("elsewhere.key")
    shutil.move(key_file(path), key)
    shutil.move(public_file(key_file(path)), public_file(key))
    text = f'[site]\nname = "alpha"\nzone = "UTC"\n[ledger]\nfile = "ledger.csv"\n[history]\nkey_file = "{key}"\n'
    config.write_text(text, encoding="utf-8")
    result = call("verify", "-c", config)
    assert result.exit_code == 0, result.stdout
    assert str(public_file(key)) in result.stdout


def test_without_a_public_key_it_says_so(path: Path, tmp_path: Path) -> None:
    """Signatures are then checked with the key that the chain names, and it says so; a wrong key is a finding."""
    public_file(key_file(path)).unlink()
    result = call("verify", "--history", path)
    assert result.exit_code == 0
    assert "known from the history alone: give --key" in result.stdout
    (tmp_path / "other").mkdir()
    other = Keeper(tmp_path / "other" / "site.history.sqlite")
    other.minute()
    other.history.close()
    result = call("verify", "--history", path, "--key", public_file(key_file(other.path)))
    assert result.exit_code == 1
    assert "which is not the public key that was given" in result.stdout


def test_witnesses_and_heads_from_elsewhere(path: Path, tmp_path: Path) -> None:
    """A metric's two numbers, a seal and a log of another place are held against the chain."""
    seal = tmp_path / "seal.json"
    assert call("seal", "--history", path, "--into", seal).exit_code == 0
    with closing(read_history(path)) as reader:
        signed = reader.last_head()
    assert signed is not None
    witness = f"{signed.head.seq}:{check_of(signed.head.hash)}"
    assert call("verify", "--history", path, "--witness", witness, "--head", seal).exit_code == 0
    wrong = call("verify", "--history", path, "--witness", f"{signed.head.seq}:1")
    assert (wrong.exit_code, "not 1 as the witness says" in wrong.stdout) == (1, True)
    shutil.copy2(log_file(path), tmp_path / "log")
    edited(path, f"DELETE FROM chain WHERE seq > {signed.head.seq - 5}")
    edited(path, "DELETE FROM heads WHERE seq > (SELECT MAX(seq) FROM chain)")
    for file in (log_file(path), latest_file(path)):
        file.unlink()
    found = call("verify", "--history", path, "--head", seal).stdout
    assert f"the chain went on to link {signed.head.seq}" in found
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    (tmp_path / "log").write_text(lines[0].replace('"at":17', '"at":18') + '\n{"head":{}}\n{"he', encoding="utf-8")
    found = call("verify", "--history", path, "--heads", tmp_path / "log").stdout
    assert "log, line 1" in found
    assert "that head was changed: its signature is wrong" in found
    assert "log, line 2: format 'None' of a head" in found
    assert "line 3" not in found


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (("verify", "--witness", "12"), 2, "SEQ:CHECK is expected"),
        (("verify", "--key", "nothing.pub"), 2, "nothing.pub"),
        (("verify", "--head", "site.history.key"), 2, "a head or a seal is expected"),
        (("verify", "--heads", "nothing"), 1, "nothing: No such file"),
        (("seal", "--add", "nothing"), 2, "No such file"),
        (("seal", "--note", "x"), 2, "a note belongs to --add"),
        (("seal", "--add", "site.history.key", "--into", "x"), 2, "--add records an anchor"),
        (("seal", "--add", "site.history.key", "--note", "a\nb"), 2, "printable characters are expected"),
    ],
)
def test_mistakes(
    path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], status: int, reason: str
) -> None:
    """A bad option is one clear sentence."""
    monkeypatch.chdir(path.parent)
    result = call(*words, "--history", path)
    assert result.exit_code == status
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_hostile_files_end_in_one_error(path: Path) -> None:
    """What no agent writes, and what is no database, is one error that names the file."""
    edited(path, "UPDATE chain SET kind = 99 WHERE seq = 20")
    result = call("verify", "--history", path)
    assert (result.exit_code, result.stderr) == (1, f"{path}: link 20 of the chain is none that an agent writes\n")
    edited(path, "UPDATE chain SET kind = 0, at = 1 << 60 WHERE seq = 20")
    result = call("verify", "--history", path)
    assert (result.exit_code, result.stderr) == (1, "")
    assert "do not lead to the head that follows" in result.stdout
    edited(path, "UPDATE chain SET kind = 0, at = 1 << 60 WHERE seq IN (21, 23)")
    edited(path, "DELETE FROM chain WHERE seq IN (20, 22)")
    assert (
        "Unix time 1152921504606846976 to Unix time 1152921504606846976: link 22 of the chain missing"
        in call("verify", "--history", path).stdout
    )
    edited(path, "UPDATE names SET name = CAST(x'ff80' AS TEXT) WHERE name = 'C1'")
    result = call("verify", "--history", path)
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    path.write_bytes(b"no database" * 1000)
    result = call("verify", "--history", path)
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)


def test_a_seal_and_its_request(path: Path, tmp_path: Path) -> None:
    """The seal is the latest signed head with its public key; the request has its SHA-256 and a nonce."""
    seal, request = tmp_path / "seal.json", tmp_path / "seal.tsq"
    assert call("seal", "--history", path, "--into", seal, "--rfc3161", request).exit_code == 0
    text = seal.read_bytes()
    signed = SignedHead.parse(text)
    with closing(read_history(path)) as reader:
        assert signed == reader.last_head()
    assert call("seal", "--history", path).stdout.encode() == text
    assert hashlib.sha256(text).digest() in request.read_bytes()
    assert request.read_bytes()[:5] == timestamp_request(text, nonce=1 << 62)[:5] or len(request.read_bytes()) < 80


def test_a_request_is_der_as_documented() -> None:
    """The bytes of RFC 3161, 2.4.1: version, imprint, nonce and certReq, for a nonce with and without its first bit."""
    digest = hashlib.sha256(b"x").hexdigest()
    imprint = f"3031300d060960864801650304020105000420{digest}"
    assert timestamp_request(b"x", nonce=127).hex() == f"303c020101{imprint}02017f0101ff"
    assert timestamp_request(b"x", nonce=128).hex() == f"303d020101{imprint}020200800101ff"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_reads_the_request(tmp_path: Path) -> None:
    """Another program reads the request's digest, nonce and wish for a certificate."""
    (tmp_path / "x").write_bytes(timestamp_request(b"x", nonce=0xFEDCBA9876543210))
    command = ["openssl", "ts", "-query", "-in", str(tmp_path / "x"), "-text"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "Hash Algorithm: sha256" in said
    assert "Nonce: 0xFEDCBA9876543210" in said
    assert "Certificate required: yes" in said


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("restored", "an older copy of this history, or another history, was put in its place"),
        ("rolled_back", "a broker has a later head than this history"),
        ("forked", "two copies of this history were continued"),
        ("other_key", "another key signed for this site"),
    ],
)
def test_doubts_of_the_past_are_listed_in_words(kind: str, words: str, path: Path) -> None:
    """What the agent once found against the chain is said with its time and the head that it knew."""
    with closing(write_history(path)) as file:
        file.write(facts=[Fact(kind, AT, {"known_seq": 48})])
    said = call("verify", "--history", path)
    assert said.exit_code == 0
    assert f"2025-10-01 00:00: {kind}: {words}; the head known then is of link 48\n" in said.stdout


@pytest.mark.parametrize(
    "body",
    [
        *({"seq": 1, "known_seq": value} for value in (None, [], "x")),
        *({"seq": value, "known_seq": 3} for value in (None, {}, "x")),
        {"known_chain": "another", "known_chains": 5},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["restored", "rolled_back", "salvaged"])
def test_facts_of_an_edited_file_end_no_verification(kind: str, body: dict[str, object], path: Path) -> None:
    """A fact that explains older heads may hold anything in a forged file: it explains none, and that is found."""
    log = log_file(path)
    known = json.loads(log.read_text(encoding="utf-8").splitlines()[0])
    known["head"] |= {"chain": "other" if "known_chains" in body else known["head"]["chain"], "seq": 10**6}
    with closing(write_history(path)) as file:
        file.write(facts=[Fact(kind, AT, {"known_chain": known["head"]["chain"]} | body)])
    # Only a signed fact explains anything.
    keeper = Keeper(path, at=AT + 86_400)
    keeper.minute()
    keeper.history.stop()
    log.write_text(json.dumps(known) + "\n", encoding="utf-8")
    said = call("verify", "--history", path)
    assert (said.exit_code, isinstance(said.exception, SystemExit)) == (1, True)
    assert "does not hold" in said.stdout


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("altered", {"table": "site", "during": "return", "minutes": 5}, "rows of site were not those"),
        ("found", {"rows": 1, "from": "\x1b[2J", "until": []}, "sealed as found: 1 minutes"),
        ("found", {"rows": "\x1b[2J"}, "sealed as found"),
        ("salvaged", {"rows": "\x1b[2J"}, "begun anew from a damaged file"),
    ],
)
def test_facts_of_an_edited_file_reach_no_terminal(kind: str, body: dict[str, object], words: str, path: Path) -> None:
    """Texts and lists where a number is expected are printed, and control characters are not."""
    with closing(write_history(path)) as file:
        file.write(facts=[Fact(kind, AT, body)])
    said = call("verify", "--history", path)
    assert isinstance(said.exception, SystemExit | None)
    assert words in said.stdout
    assert "\x1b" not in said.stdout


def test_a_fact_nested_too_deeply_is_a_finding(path: Path) -> None:
    """JSON that no decoder follows to its end is named with its link."""
    edited(path, f"UPDATE chain SET body = '{'[' * 99_999}' WHERE seq = (SELECT MIN(seq) FROM chain WHERE kind = 1)")
    said = call("verify", "--history", path)
    assert said.exit_code == 1
    assert isinstance(said.exception, SystemExit)
    assert "not a fact" in said.stdout + said.stderr


def test_an_anchor_becomes_a_fact(path: Path, tmp_path: Path) -> None:
    """Without a running agent, the anchor's SHA-256 is in the chain at once; verify lists it."""
    (tmp_path / "seal.tsr").write_bytes(b"a time stamp")
    result = call("seal", "--history", path, "--add", tmp_path / "seal.tsr", "--note", "TSA of October")
    assert result.exit_code == 0, result.stderr
    digest = hashlib.sha256(b"a time stamp").hexdigest()
    said = call("verify", "--history", path)
    assert said.exit_code == 0
    assert f"seal.tsr, SHA-256 {digest}: TSA of October" in said.stdout
    assert list(requested_anchors(path)) == []


def test_an_anchor_whose_name_is_no_text(path: Path, tmp_path: Path) -> None:
    """A name in another encoding than UTF-8 is recorded with a mark where it cannot be read."""
    file = tmp_path / os.fsdecode(b"seal-\xe4.tsr")
    file.write_bytes(b"a time stamp")
    result = call("seal", "--history", path, "--add", file)
    assert result.exit_code == 0, result.stderr
    assert "seal-\N{REPLACEMENT CHARACTER}.tsr, SHA-256 " in call("verify", "--history", path).stdout
    assert list(requested_anchors(path)) == []


def test_a_running_agent_takes_an_anchor_up_once(path: Path, tmp_path: Path) -> None:
    """Beside a running agent the anchor waits in a file; a request that was taken up before it could go is one fact."""
    keeper = Keeper(path, at=AT + 86_400)
    keeper.minute()
    (tmp_path / "txid.txt").write_text("4a5e1e4b", encoding="utf-8")
    result = call("seal", "--history", path, "--add", tmp_path / "txid.txt")
    assert (result.exit_code, "takes it up within a minute" in result.stderr) == (0, True)
    ((request, anchor),) = requested_anchors(path)
    content = request.read_bytes()
    keeper.minute()
    assert not request.exists()
    request.write_bytes(content)
    keeper.minute()
    assert not request.exists()
    assert anchor is not None
    keeper.history.close()
    assert [fact.body["name"] for fact in verified(path).facts("anchor")] == ["txid.txt"]


def test_a_file_that_is_no_request_is_said_and_left(path: Path) -> None:
    """Nonsense beside the history stops nothing, is counted, and stays where it is."""
    keeper = Keeper(path, at=AT + 86_400)
    nonsense = path.with_name("site.history.anchor-x.json")
    nonsense.write_text('{"sha256": 5}', encoding="utf-8")
    keeper.minutes(2)
    keeper.history.close()
    assert keeper.history.health.head_errors["anchor"] == 2
    assert str(nonsense) in keeper.history.health.head_troubles["anchor"]
    assert nonsense.exists()
