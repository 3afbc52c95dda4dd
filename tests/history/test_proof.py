"""A history held against its chain: every way of writing verifies, and every edit is named with its place."""

# ruff: noqa: S608 - statements are this module's own.

import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from chained import Keeper, known, rich, said, verified
from history_cases import AT, DAY_S, HOUR_S, row, write

from agent.errors import HistoryError
from agent.history.chain.findings import Finding, FindingKind
from agent.history.chain.heads import SignedHead, check_of
from agent.history.chain.links import FIRST_HASH, next_hash
from agent.history.chain.rows import site_digest
from agent.history.heads import MOST_OTHER_KEYS, key_file, latest_file, log_file
from agent.history.keeper import MAX_HEARD
from agent.history.merging import merge_histories
from agent.history.reader import read_history
from agent.history.schema import MIGRATIONS
from agent.history.state_changes import Change
from agent.history.writer import MINUTES_KEPT_DAYS, move_aside, write_history

EDITS = 330
FLIPS = 170


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a path for a new history."""
    return tmp_path / "site.history.sqlite"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return three hours of a site with every kind of row; copy it before it is changed."""
    path = tmp_path_factory.mktemp("whole") / "site.history.sqlite"
    rich(path)
    return path


def copied(whole: Path, folder: Path) -> Path:
    """Return a copy of a history and of what stands beside it."""
    for file in whole.parent.iterdir():
        if file.is_file():
            shutil.copy2(file, folder / file.name)
    return folder / whole.name


def edited(path: Path, *statements: str) -> None:
    """Change a history in SQLite."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


# Every way of writing


def test_all_kinds_of_rows_verify(whole: Path) -> None:
    """Rows of site, containers and owners, states and windows of pools are held against the chain, and it is signed."""
    verdict = verified(whole)
    assert (verdict.holds, verdict.is_key_given, verdict.unsigned_heads) == (True, True, 0)
    assert verdict.rows == 3 * 185 + 4 + 3
    assert verdict.signed is not None
    assert (verdict.signed.seq < verdict.seq, verdict.tail_from) == (True, AT + 3 * HOUR_S)


def test_a_minute_that_grows_and_a_clock_set_back_verify(path: Path) -> None:
    """A minute that gains seconds, and minutes that come late, have their latest digest in force."""
    keeper = Keeper(path)
    keeper.minutes(5)
    keeper.now -= 180
    keeper.history.record_site(row(AT + 120, watched_s=30.0))
    keeper.minutes(3)
    keeper.now -= HOUR_S
    keeper.minutes(3)
    with closing(write_history(path.with_name("half.sqlite"))) as file:
        for watched_s in (20.0, 40.0):
            file.write(site=[row(AT, watched_s=watched_s).values()])
    keeper.history.close()
    assert said(path) == []
    assert said(path.with_name("half.sqlite")) == []


@pytest.mark.parametrize("is_edited", [False, True])
def test_rows_set_aside_come_back(path: Path, *, is_edited: bool) -> None:
    """Minutes of a wrong clock come back as they were; if they were edited meanwhile, the chain says so."""
    keeper = Keeper(path)
    keeper.minutes(90)
    keeper.now += 10 * HOUR_S
    keeper.minutes(3)
    keeper.now -= 10 * HOUR_S
    keeper.minute()
    assert keeper.history.health.set_aside == 3 * 3
    if is_edited:
        edited(path, "UPDATE aside_site SET operating_hs = deployed_hs WHERE at = (SELECT MIN(at) FROM aside_site)")
    keeper.now += 10 * HOUR_S + 600
    keeper.minute()
    keeper.history.close()
    expected = ["altered site 690 691"] if is_edited else []
    assert said(path) == expected
    assert keeper.history.health.doubts["altered"] == len(expected)


@pytest.mark.parametrize("is_edited", [False, True])
def test_compaction_launders_nothing(path: Path, *, is_edited: bool) -> None:
    """Quarters verify against the means' digest; minutes that were edited before are named by a fact."""
    keeper = Keeper(path)
    keeper.minutes(60)
    if is_edited:
        edited(
            path,
            f"UPDATE containers SET operating_hs = operating_hs + 1e9 WHERE at = {AT + 1200}",
            f"DELETE FROM containers WHERE at = {AT + 1260}",
        )
    keeper.now = AT + MINUTES_KEPT_DAYS * DAY_S + HOUR_S
    keeper.minutes(62)
    keeper.history.close()
    with closing(read_history(path)) as reader:
        assert [values[1] for chunk in reader.chunks(AT, AT + HOUR_S, "C1") for values in chunk] == [900] * 4
    assert said(path) == (["altered containers 20 22"] if is_edited else [])


def test_rows_dropped_for_their_age_take_their_links_along(path: Path) -> None:
    """Links of deleted rows go up to a signed head; what still holds is said again, and the rest verifies."""
    keeper = Keeper(path, keep_days=2)
    lasting = Change(unit_id="u1", state="maintenance", why="maintenance", since=AT + 10.0)
    keeper.history.record_change(lasting)
    keeper.history.record_fact("ledger", AT, digest="00")
    for _ in range(5 * 24):
        keeper.minutes(4)
        keeper.now += HOUR_S - 240
    keeper.history.close()
    verdict = verified(path)
    assert verdict.findings.kept == []
    assert verdict.base > 100
    # The log's first lines are of links that are gone.
    assert verdict.too_old > 0
    with closing(read_history(path)) as reader:
        assert next(iter(reader.links())).seq == verdict.base + 1
        assert [fact.kind for fact in reader.chain_facts("genesis", "key", "ledger")].count("ledger") == 1
        assert list(reader.changes(0, 1e12)) == [lasting]
        start, _ = reader.span() or (0, 0)
    # A beginning that no fact names: links, rows and heads before a later head are taken away.
    edited(
        path,
        f"DELETE FROM chain WHERE seq <= (SELECT seq FROM heads WHERE at > {start + DAY_S} LIMIT 1)",
        f"DELETE FROM heads WHERE seq < (SELECT seq FROM heads WHERE at > {start + DAY_S} LIMIT 1)",
        f"DELETE FROM site WHERE at < {start + DAY_S}",
        f"DELETE FROM containers WHERE at < {start + DAY_S}",
    )
    assert "beginning chain" in said(path)


def test_rows_dropped_for_size_verify(path: Path) -> None:
    """Containers and states that a limit of size took verify as gone."""
    with closing(write_history(path)) as file:
        for number in range(120):
            at = AT + 60 * number
            change = Change(unit_id="u1", state="stopped", why="asleep", since=float(at), until=at + 30.0)
            file.write(site=[row(at).values()], containers=[("C1", row(at).values())], changes=[change])
        file.tidy(now=AT + 7200, keep_days=400, max_bytes=1)
        assert list(file.chunks(0, 1e12, "C1")) == []
    assert said(path) == []


def test_an_old_file_is_sealed_as_found(path: Path) -> None:
    """Rows from before the chain are sealed as they are, which the verdict says; an edit after that is named."""
    write(path.with_name("new.sqlite"), [row(AT + 60 * number) for number in range(10)])
    with closing(write_history(path, migrations=MIGRATIONS[:4])) as file:
        file.write(
            site=[row(AT + 60 * number).values() for number in range(10)],
            containers=[("C1", row(AT + 60 * number).values()) for number in range(10)],
            changes=[Change(unit_id="u1", state="stopped", why="asleep", since=AT + 1.0)],
        )
    keeper = Keeper(path, at=AT + 600)
    keeper.minute()
    keeper.history.close()
    (found,) = verified(path).facts("found")
    assert found.body == {"rows": 10, "from": AT, "until": AT + 600}
    assert said(path) == []
    edited(path, f"UPDATE site SET deployed_hs = deployed_hs / 2 WHERE at = {AT + 120}")
    assert said(path) == ["edited site 2 3"]


def test_a_salvaged_file_begins_anew_and_says_so(path: Path) -> None:
    """Readable rows of a damaged file are taken over; the heads beside it do not call that a restored copy."""
    keeper = Keeper(path)
    keeper.minutes(30)
    keeper.stop()
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    again = Keeper(path, at=keeper.now)
    again.minutes(3)
    again.history.close()
    assert again.history.health.errors["damaged"] == 1
    assert again.history.health.doubts["restored"] == 0
    (salvaged,) = verified(path).facts("salvaged")
    assert salvaged.body["rows"] > 0
    assert said(path) == []


def test_merged_histories_verify(path: Path, tmp_path: Path) -> None:
    """A merged file has a chain of its own, with the facts of both and their last heads."""
    files = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        keeper = Keeper(tmp_path / name / "site.history.sqlite")
        keeper.history.record_fact("ledger", AT, digest=name)
        keeper.minutes(5)
        keeper.stop()
        files.append(keeper.path)
    with closing(read_history(files[0])) as one, closing(read_history(files[1])) as two:
        with closing(write_history(path)) as into:
            merge_histories(one, two, into)
            into.claim(site="alpha", zone="UTC")
        ends = [reader.chain_end for reader in (one, two)]
    verdict = verified(path)
    assert verdict.findings.kept == []
    assert [
        (fact.body["known_seq"], fact.body["known_hash"], fact.body["origin"]) for fact in verdict.facts("merged")
    ] == [(*end, name) for end, name in zip(ends, ("first", "second"), strict=True)]
    with closing(read_history(path)) as reader:
        assert [(fact.body["digest"], fact.body["origin"]) for fact in reader.chain_facts("ledger")] == [
            ("first", "first"),
            ("second", "second"),
        ]


# Edits

EDITS_BY_HAND = (
    (f"UPDATE site SET operating_hs = deployed_hs WHERE at = {AT + 600}", ["edited site 10 11"]),
    (f"UPDATE site SET operating_hs = 2 * operating_hs WHERE at BETWEEN {AT} AND {AT + 540}", ["edited site 0 10"]),
    (f"UPDATE site SET delivered_hs = 1e15, delivered_s = 60.0 WHERE at = {AT + 600}", ["edited site 10 11"]),
    (f"DELETE FROM site WHERE at = {AT + 600}", ["deleted site 10 11"]),
    (f"UPDATE site SET at = {AT + 12000} WHERE at = {AT + 600}", ["deleted site 10 11", "inserted site 200 201"]),
    (f"DELETE FROM containers WHERE at = {AT + 660}", ["deleted containers 11 12"]),
    (f"DELETE FROM containers WHERE at = {AT + 660} AND container = 1", ["edited containers 11 12"]),
    (f"UPDATE owners SET watts_metered = 1.0 WHERE at = {AT + 660}", ["edited owners 11 12"]),
    (f"DELETE FROM changes WHERE since < {AT + HOUR_S}", ["deleted changes 0 60"]),
    (f"UPDATE changes SET until = until + 1 WHERE since < {AT + 60}", ["edited changes 0 60"]),
    (
        "UPDATE pool_credits SET credited_hs = 5e16 WHERE start = (SELECT MAX(start) FROM pool_credits)",
        ["edited credits 120 180"],
    ),
    ("UPDATE facts SET value = 'America/Chicago' WHERE name = 'zone'", ["site"]),
    ("UPDATE names SET name = 'C9' WHERE name = 'C1'", ["edited containers 0 185"]),
    ("SELECT 1", []),
    (
        """UPDATE chain SET body = '{"fact":["key"],"id":[5]}' WHERE kind = 1 AND seq > 1""",
        ["links chain 1", "links chain 1"],
    ),
    (
        """UPDATE chain SET body = '{"fact":"altered","minutes":["x",{}],"table":7}' WHERE seq = 2""",
        ["altered 7 1 2", "links chain 1"],
    ),
    ("CREATE TRIGGER t AFTER INSERT ON site BEGIN SELECT 1; END", ["file"]),
)


@pytest.mark.parametrize(("statement", "expected"), EDITS_BY_HAND)
def test_an_edit_of_rows_is_named(whole: Path, tmp_path: Path, statement: str, expected: list[str]) -> None:
    """Edited, deleted, inserted and moved rows are named by their table and time, and nothing else is."""
    path = copied(whole, tmp_path)
    edited(path, statement)
    assert said(path) == expected


def test_an_edit_of_links_is_found_at_the_next_head(whole: Path, tmp_path: Path) -> None:
    """An edited row with its link and all later hashes made anew does not lead to the next signed head."""
    path = copied(whole, tmp_path)
    forge(path, AT + 600)
    (finding,) = verified(path, is_alone=True).findings
    assert (finding.kind, finding.table) == (FindingKind.LINKS, "chain")
    assert (finding.start or 0) <= AT + 600 < (finding.end or 0)


def test_only_heads_elsewhere_know_what_the_key_was_taken_for(whole: Path, tmp_path: Path) -> None:
    """If every head of the file is taken away too, the heads beside it, a seal or a witness tell."""
    path = copied(whole, tmp_path)
    with closing(read_history(path)) as reader:
        signed = reader.last_head(is_signed=True)
        assert signed is not None
    forge(path, AT + 600)
    edited(path, "DELETE FROM heads")
    kinds = {finding.kind for finding in verified(path).findings}
    assert FindingKind.ELSEWHERE in kinds
    for file in (log_file(path), latest_file(path)):
        file.unlink()
    with closing(read_history(path)) as reader:
        found = reader.verify(witnesses=[(signed.head.seq, check_of(signed.head.hash))]).findings
        assert FindingKind.ELSEWHERE in {finding.kind for finding in found}
        found = reader.verify(known=[("seal", signed)]).findings
        assert FindingKind.ELSEWHERE in {finding.kind for finding in found}
        assert FindingKind.UNSIGNED in {finding.kind for finding in found}


def forge(path: Path, at: int) -> None:
    """Edit a minute of the site and make its link, and all hashes behind it, anew."""
    edited(path, f"UPDATE site SET operating_hs = deployed_hs WHERE at = {at}")
    with closing(sqlite3.connect(path)) as connection:
        digest = site_digest(connection, at)
        connection.execute("UPDATE chain SET digest = ? WHERE at = ? AND kind = 0", (digest, at))
        connection.commit()
    relink(path)


def relink(path: Path) -> None:
    """Store the last hash that the links lead to."""
    with closing(read_history(path)) as reader:
        found = FIRST_HASH
        for link in reader.links():
            found = next_hash(found, link)
    edited(path, f"UPDATE facts SET value = '{found}' WHERE name = 'chain'")


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return all that the chain is about, and the chain itself."""
    with closing(sqlite3.connect(path)) as connection:
        found = {}
        for table in ("site", "containers", "owners", "changes", "pool_credits", "chain", "heads", "facts", "names"):
            found[table] = connection.execute(f"SELECT * FROM {table}").fetchall()
        return found


def figures(connection: sqlite3.Connection, table: str) -> list[str]:
    """Return the columns of a table."""
    return [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]


def found_in(path: Path) -> list[Finding]:
    """Return the findings of a history; one that cannot be read, or has what no agent writes, is one of its own."""
    try:
        return verified(path).findings.kept
    except HistoryError as error:
        return [Finding(FindingKind.FILE, "", words=str(error))] if str(path) in str(error) else []


def random_edit(path: Path, rng: random.Random) -> tuple[str, int | None]:
    """Change a history in one random way; returns the table, and the Unix time of what was changed if it is a row's."""
    with closing(sqlite3.connect(path)) as connection:
        table, key, step = rng.choice(
            (
                ("site", "at", 60),
                ("site", "at", 60),
                ("containers", "at", 60),
                ("owners", "at", 60),
                ("changes", "since", HOUR_S),
                ("pool_credits", "start", HOUR_S),
                ("chain", "seq", 0),
                ("heads", "seq", 0),
            )
        )
        columns = figures(connection, table)
        rows = connection.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {key}").fetchall()
        chosen = rng.choice(rows)
        at = int(chosen[columns.index(key)])
        where = " AND ".join(f"{name} IS ?" for name in columns)
        how = rng.choice(("update", "update", "delete", "insert", "swap"))
        if table == "heads":
            # A head that is gone changes no row, and the next one signs the same links.
            how = "update"
        if how == "delete":
            connection.execute(f"DELETE FROM {table} WHERE {where}", chosen)
        elif how == "insert":
            other = list(chosen)
            place = columns.index(key)
            other[place] = rows[-1][place] + (step or 1) * rng.randrange(1, 5)
            at = int(other[place])
            if table == "chain":
                other[place] = at = rows[-1][place] + 1
            connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(other))})", other)
        elif how == "swap":
            other = rng.choice([each for each in rows if each[1:] != chosen[1:] or len(rows) < 3])
            names = [name for name in columns if name not in {key, "container", "owner", "unit", "account", "window_s"}]
            places = [columns.index(name) for name in names]
            sets = ", ".join(f"{name} = ?" for name in names)
            for target, source in ((chosen, other), (other, chosen)):
                condition = [name for name in columns if name not in names]
                connection.execute(
                    f"UPDATE {table} SET {sets} WHERE {' AND '.join(f'{name} IS ?' for name in condition)}",
                    [*(source[place] for place in places), *(target[columns.index(name)] for name in condition)],
                )
        else:
            name = rng.choice(columns)
            connection.execute(
                f"UPDATE OR REPLACE {table} SET {name} = ? WHERE {where}",
                (changed(chosen[columns.index(name)], rng), *chosen),
            )
        connection.commit()
    return table, at // step * step if step else None


def changed(value: object, rng: random.Random) -> object:
    """Return another value than one."""
    match value:
        case None:
            return 1.5
        case int():
            return value + rng.choice((-1, 1, 60, 1 << 20))
        case float():
            return value * rng.choice((1.0000001, 2.0)) + rng.choice((0.5, 1e12))
        case bytes():
            place = rng.randrange(len(value))
            return value[:place] + bytes((value[place] ^ 1 << rng.randrange(8),)) + value[place + 1 :]
        case _:
            text = str(value)
            place = rng.randrange(len(text))
            return text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]


@pytest.mark.parametrize("seed", range(EDITS // 10))
def test_random_edits_are_found(whole: Path, tmp_path: Path, seed: int) -> None:
    """Whatever is changed in a history is found, a row's change at its time; a history that is unchanged holds."""
    rng = random.Random(seed)
    before = tables(whole)
    done = 0
    while done < 10:
        path = copied(whole, tmp_path)
        table, at = random_edit(path, rng)
        if tables(path) == before:
            assert said(path) == []
            continue
        done += 1
        findings = found_in(path)
        assert findings, (table, at)
        if at is not None:
            # A row's change leaves the file readable.
            name = "credits" if table == "pool_credits" else table
            places = [each for each in findings if each.table == name and (each.start or 0) <= at < (each.end or 0)]
            assert places, (table, at, findings)


@pytest.mark.parametrize("seed", range(FLIPS // 10))
def test_flipped_bits_and_cut_files_are_found(whole: Path, tmp_path: Path, seed: int) -> None:
    """A flipped bit or a cut file that changes what is kept is found or refused; free space says nothing."""
    rng = random.Random(seed)
    before = tables(whole)
    for number in range(10):
        path = copied(whole, tmp_path)
        content = bytearray(path.read_bytes())
        if number == 0:
            del content[rng.randrange(len(content)) :]
        else:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        try:
            is_changed = tables(path) != before
        except (sqlite3.Error, OverflowError):
            is_changed = True
        findings = found_in(path)
        if is_changed:
            assert findings
        else:
            assert {finding.kind for finding in findings} <= {FindingKind.FILE}


# Heads elsewhere, keys and troubles


def test_a_restored_copy_is_told_once(path: Path, tmp_path: Path) -> None:
    """A history that is older than the heads beside it is told at the start, as a fact, and not again after that."""
    keeper = Keeper(path)
    keeper.minutes(10)
    keeper.stop()
    (tmp_path / "backup").mkdir()
    backup = copied(path, tmp_path / "backup")
    later = Keeper(path, at=keeper.now)
    later.minutes(5)
    later.history.close()
    with closing(read_history(path)) as reader:
        seq, hash_ = reader.chain_end
    shutil.copy2(backup, path)
    doubts = []
    for _ in range(2):
        again = Keeper(path, at=later.now)
        again.minutes(2)
        again.stop()
        later = again
        doubts.append(again.history.health.doubts["restored"])
    assert doubts == [1, 0]
    (restored,) = verified(path).facts("restored")
    assert (restored.body["known_seq"], restored.body["known_hash"], restored.body["known_by"]) == (
        seq,
        hash_,
        "latest",
    )
    assert said(path) == []


def test_another_history_in_its_place_is_told(path: Path) -> None:
    """A history that was moved away, so that another begins, is told as well."""
    keeper = Keeper(path)
    keeper.minutes(3)
    keeper.stop()
    move_aside(path, now=AT)
    again = Keeper(path, at=keeper.now)
    again.minute()
    assert again.history.health.doubts["restored"] == 1
    again.history.close()


def test_a_history_that_began_anew_twice_is_explained(path: Path) -> None:
    """The log beside it has heads of two chains before this one; signed facts say what became of both."""
    keeper = Keeper(path)
    for number in range(3):
        keeper = Keeper(path, at=keeper.now)
        keeper.minutes(3)
        keeper.stop()
        if number < 2:
            move_aside(path, now=AT + number)
    (restored,) = verified(path).facts("restored")
    assert len(restored.body["known_chains"]) == 2
    assert said(path) == []


def test_a_lost_key_is_replaced_and_said(path: Path) -> None:
    """A key that is gone is replaced; the new one signs the whole chain, and the doubt is counted."""
    keeper = Keeper(path)
    keeper.minutes(3)
    keeper.stop()
    key_file(path).unlink()
    again = Keeper(path, at=keeper.now)
    again.minutes(3)
    again.stop()
    assert again.history.health.doubts["new_key"] == 1
    assert len(verified(path).facts("key")) == 2
    assert said(path) == []


@pytest.mark.parametrize("spoil", ["garbage", "mode", "folder"])
def test_a_broken_key_leaves_heads_unsigned(path: Path, spoil: str) -> None:
    """A key that cannot be read stops nothing: heads are unsigned until it can, and a later one signs all."""
    key = key_file(path)
    if spoil == "folder":
        key.mkdir()
    else:
        key.write_text("garbage" if spoil == "garbage" else "", encoding="utf-8")
        key.chmod(0o644 if spoil == "mode" else 0o600)
    keeper = Keeper(path)
    keeper.minutes(65)
    health = keeper.history.health
    assert (health.is_writing, health.is_signing, health.head_errors["key"]) == (True, False, 2)
    assert str(key) in health.head_troubles["key"]
    assert verified(path).signed is None
    assert said(path) == []
    if spoil == "folder":
        key.rmdir()
    else:
        key.unlink()
    keeper.minutes(60)
    keeper.history.close()
    assert (health.is_signing, health.head_troubles) == (True, {})
    verdict = verified(path)
    assert verdict.signed is not None
    assert verdict.findings.kept == []


def test_a_head_that_fails_is_told_and_made_with_the_next_write(path: Path) -> None:
    """A day's head that the file refuses is a trouble while it lasts, and is due until it is kept."""
    keeper = Keeper(path)
    keeper.minutes(3)
    health = keeper.history.health
    before = health.day_head
    edited(path, "CREATE TRIGGER refuse BEFORE INSERT ON heads BEGIN SELECT RAISE(ABORT, 'refused'); END")
    keeper.now += DAY_S
    keeper.minutes(2)
    assert (health.is_writing, health.head_errors["head"], health.day_head) == (True, 2, before)
    assert "refused" in health.head_troubles["head"]
    assert "refused" in str(health.chain_trouble)
    edited(path, "DROP TRIGGER refuse")
    keeper.minute()
    assert (health.head_errors["head"], health.chain_trouble) == (2, None)
    assert before is not None
    assert health.day_head is not None
    assert health.day_head.head.at >= before.head.at + DAY_S
    keeper.history.close()
    assert said(path) == []


def test_made_up_keys_fill_no_history(path: Path) -> None:
    """Of heads that anyone may publish, a bounded number of keys becomes facts, and none with a name of any length."""
    keeper = Keeper(path)
    keeper.minutes(3)
    keeper.history._wanted.clear()
    own = keeper.history.health.head
    assert own is not None
    keys = [*(f"{number:016x}" for number in range(MOST_OTHER_KEYS + 10)), "f" * 65]
    for number, key in enumerate(keys):
        made_up = SignedHead(replace(own.head, key=key, hash=f"{number:064x}"), "AAAA")
        keeper.history.hear_head(made_up, "broker", is_retained=True)
        keeper.history.hear_head(made_up._replace(head=replace(made_up.head, chain="c" * 65)), "b", is_retained=False)
    flood = replace(own.head, key="f" * 16, hash="f" * 64)
    for _ in range(2 * MAX_HEARD):
        keeper.history.hear_head(SignedHead(flood, "AAAA"), "broker", is_retained=False)
    assert len(keeper.history._heard) == MAX_HEARD
    assert not keeper.history._wanted.is_set()
    keeper.minute()
    assert keeper.history.health.doubts["other_key"] == MOST_OTHER_KEYS
    keeper.history.close()
    with closing(read_history(path)) as reader:
        told = [fact.body["key"] for fact in reader.chain_facts("other_key")]
    assert told == keys[:MOST_OTHER_KEYS]
    assert said(path) == []


def test_a_log_that_cannot_be_written_stops_nothing(path: Path) -> None:
    """Rows and heads are written while the log and the latest head cannot be."""
    for file in (log_file(path), latest_file(path)):
        file.mkdir()
    keeper = Keeper(path)
    keeper.minutes(3)
    keeper.history.close()
    health = keeper.history.health
    assert (health.is_writing, health.is_signing) == (True, True)
    assert (health.head_errors["log"] > 0, health.head_errors["latest"] >= 3) == (True, True)
    assert verified(path, is_alone=True).holds


def test_a_line_that_was_cut_short_spoils_no_later_one(path: Path) -> None:
    """Half a line of a power cut is passed over, and the next head begins on a line of its own."""
    keeper = Keeper(path)
    keeper.minutes(3)
    keeper.stop()
    with log_file(path).open("a", encoding="utf-8") as file:
        file.write('{"head":{"at":17')
    again = Keeper(path, at=keeper.now)
    again.minutes(3)
    again.history.close()
    assert again.history.health.doubts["restored"] == 0
    heads = [SignedHead.parse(line) for line in log_file(path).read_text(encoding="utf-8").splitlines() if "}" in line]
    assert [signed.head.kind for signed in heads] == ["start", "day", "stop", "start"]


def test_days_have_heads_of_their_own(path: Path) -> None:
    """The first write after midnight writes the day's head, in the site's zone; each hour has one too."""
    keeper = Keeper(path, at=AT + 23 * HOUR_S)
    keeper.minutes(130)
    keeper.history.close()
    with closing(read_history(path)) as reader:
        heads = [(signed.head.kind, (signed.head.at - AT) // 60, signed.head.day) for signed in reader.heads()]
    assert heads == [
        ("start", 1381, "2025-10-01"),
        ("day", 1381, "2025-10-01"),
        ("day", 1440, "2025-10-02"),
        ("hour", 1500, "2025-10-02"),
    ]
    assert [signed.head.kind for _, signed in known(path)] == ["start", "day", "day", "latest"]


def test_a_period_is_held_alone(whole: Path, tmp_path: Path) -> None:
    """For a statement, rows outside the period are not looked at; a state that reaches into it is, and every link."""
    path = copied(whole, tmp_path)
    edited(path, f"UPDATE site SET operating_hs = deployed_hs WHERE at = {AT + 600}")
    edited(path, f"UPDATE changes SET until = {AT + 7300} WHERE since < {AT + 60}")
    edited(path, f"DELETE FROM containers WHERE at = {AT + 7140}")
    edited(path, f"DELETE FROM owners WHERE at = {AT + 10800}")

    def found(start: int, end: int) -> list[tuple[str, str, int]]:
        with closing(read_history(path)) as reader:
            findings = reader.verify(start=AT + start, end=AT + end).findings
        return [
            (finding.kind, finding.table, None if finding.start is None else finding.start - AT) for finding in findings
        ]

    assert found(0, 3600) == [("edited", "site", 600), ("edited", "changes", 0)]
    assert found(3600, 7200) == [("deleted", "containers", 7140), ("edited", "changes", 0)]
    assert found(7320, 10800) == []
    assert found(7320, 10860) == [("deleted", "owners", 10800)]


def test_a_days_head_outlasts_a_restart_without_new_rows(path: Path) -> None:
    """The head of a start at the same link takes no day's head away, so that brokers go on showing it."""
    keeper = Keeper(path)
    keeper.minute()
    expected = keeper.history.health.day_head
    keeper.history.close()
    again = Keeper(path, at=keeper.now)
    again.history.flush()
    assert expected is not None
    assert again.history.health.day_head == expected
    again.history.close()


def test_old_heads_of_hours_go_and_those_of_days_stay(path: Path) -> None:
    """After two weeks a day has one head; the chain goes on holding, and an edit of its links is found at the day's."""
    keeper = Keeper(path, at=AT - 18 * DAY_S)
    for _ in range(18 * 12):
        keeper.minute()
        keeper.now += 2 * HOUR_S - 60
    keeper.history.close()
    with closing(read_history(path)) as reader:
        heads = [(signed.head.kind, (signed.head.at - AT) // DAY_S) for signed in reader.heads()]
    assert [kind for kind, day in heads if day < -16] == ["start", "day", "day"]
    assert sum(kind == "hour" for kind, _ in heads) == 14 * 11 + 11
    assert said(path) == []
    edited(path, f"UPDATE site SET deployed_hs = 2 * deployed_hs WHERE at = {AT - 17 * DAY_S}")
    edited(path, f"UPDATE chain SET digest = ZEROBLOB(14) WHERE at = {AT - 17 * DAY_S - 7200}")
    found = said(path)
    assert [words.split()[:2] for words in found] == [["links", "chain"], ["edited", "site"], ["edited", "site"]]
