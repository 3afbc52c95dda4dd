"""The chain: every way of writing leaves links, and they say what is in the file."""

from pathlib import Path

import pytest

from agent.history.chain.links import FIRST_HASH, Fact, Link, LinkKind, canonical, fact_of, next_hash
from agent.history.chain.rows import changes_digest, containers_digest, owners_digest, site_digest
from agent.history.minutes import Row
from agent.history.schema import MIGRATIONS
from agent.history.state_changes import Change
from agent.history.writer import HistoryWriter, write_history

AT = 1_760_000_040
PH = 1e15


def row(at: int, operating_hs: float = 9 * PH) -> Row:
    """Return a whole minute."""
    return Row(at=at, watched_s=60.0, units=1.0, deployed_hs=10 * PH, operating_hs=operating_hs, known_hs=10 * PH)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a history that does not exist yet."""
    return tmp_path / "site.history.sqlite"


def hashes(file: HistoryWriter) -> tuple[int, str]:
    """Return the number and the hash of the last link, computed from all links."""
    found, number = FIRST_HASH, 0
    for number, link in enumerate(file.links(), start=1):
        assert link.seq == number
        found = next_hash(found, link)
    return number, found


def test_text_of_a_link_is_what_is_documented() -> None:
    """The text that is hashed has the documented fields, and JSON one form."""
    link = Link(7, LinkKind.MINUTE, AT, bytes(14), None)
    assert link.text == f"7|minute|{AT}|{'00' * 14}||"
    assert Link(8, LinkKind.FACT, AT, body='{"fact":"start"}').text == f'8|fact|{AT}|||{{"fact":"start"}}'
    assert canonical({"b": 0.1, "a": "\N{SNOWMAN}"}) == '{"a":"\N{SNOWMAN}","b":0.1}'
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical({"a": float("nan")})


def test_each_write_is_linked(path: Path) -> None:
    """A write appends links with the digests of its rows, in the documented order."""
    file = write_history(path)
    change = Change(unit_id="u1", state="stopped", why="stopped_unknown", since=AT + 0.5)
    file.write(
        site=[row(AT).values()],
        containers=[("C1", row(AT).values())],
        owners=[("Own", row(AT).values())],
        changes=[change],
        facts=[Fact("start", AT, {"version": "1"})],
    )
    genesis, minute, owners, changes, fact = file.links()
    connection = file._connection
    assert genesis.kind is LinkKind.FACT
    assert minute[1:5] == (LinkKind.MINUTE, AT, site_digest(connection, AT), containers_digest(connection, AT))
    assert owners[1:4] == (LinkKind.OWNERS, AT, owners_digest(connection, AT))
    assert changes[1:4] == (LinkKind.CHANGES, AT // 3600 * 3600, changes_digest(connection, AT // 3600 * 3600))
    assert fact_of(fact.at, fact.body or "") == Fact("start", AT, {"version": "1"})
    assert hashes(file) == file.chain_end
    file.close()


def test_a_merged_minute_is_linked_again_and_a_known_one_is_not(path: Path) -> None:
    """A minute is linked anew only if its row changed."""
    file = write_history(path)
    half = Row(at=AT, watched_s=30.0, units=1.0, deployed_hs=PH, operating_hs=PH, known_hs=PH)
    file.write(site=[half.values()])
    before = file.chain_end
    file.write(site=[half.values()])
    assert file.chain_end[0] == before[0] + 1
    file.write(site=[half.values()])
    assert file.chain_end[0] == before[0] + 1
    file.close()


def test_a_failed_write_leaves_no_link(path: Path) -> None:
    """A write that fails changes neither rows nor chain; the next one goes on."""
    file = write_history(path)
    before = file.chain_end
    with pytest.raises(ValueError, match="JSON"):
        file.write(site=[row(AT).values()], facts=[Fact("start", AT, {"offset_s": float("inf")})])
    assert file.chain_end == before
    file.write(site=[row(AT).values()])
    assert hashes(file) == file.chain_end
    file.close()
    file = write_history(path)
    assert hashes(file) == file.chain_end
    file.close()


def test_old_history_is_sealed_as_found(path: Path) -> None:
    """A file of an earlier version gets a chain over the rows that it has."""
    file = write_history(path, migrations=MIGRATIONS[:4])
    file.write(site=[row(AT).values(), row(AT + 60).values()], containers=[("C1", row(AT).values())])
    assert file.chain_end == (0, "")
    file.close()
    file = write_history(path)
    genesis, found, first, second = file.links()
    assert genesis.seq == 1
    assert fact_of(found.at, found.body or "").body == {"rows": 2, "from": AT, "until": AT + 120}
    assert (first.at, second.at, second.containers) == (AT, AT + 60, None)
    assert first.containers is not None
    assert hashes(file) == file.chain_end
    file.close()
