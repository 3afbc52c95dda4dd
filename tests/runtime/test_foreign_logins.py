"""Logins for units of other makes: who gets one, and every mistake in the configuration."""

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from site_cases import PLATE, entry

from agent.config.file import parse_config
from agent.errors import ConfigError
from agent.runtime.foreign_logins import ForeignLogin, login_for, read_logins
from agent.runtime.foreign_polling import ForeignPolling
from agent.site.ledger.entries import LedgerEntry
from agent.unit.foreign.protocol import READ, MakeLogin, encode_request
from agent.unit.foreign.reader import READER

LEAST = """\
[site]
name = "north"
[ledger]
file = "ledger.csv"
networks = ["10.20.0.0/16", "10.30.0.0/16", "8.8.8.0/24"]
"""


def section(folder: Path, make: str = "Auradine", networks: str = "10.20.8.0/24", word: str = "word") -> str:
    """Return a section of the configuration, with its password's file."""
    (folder / word).write_text("bluebird", encoding="utf-8")
    (folder / word).chmod(0o600)
    return f"[[foreign_login]]\nmake = '{make}'\nnetworks = ['{networks}']\nuser = 'admin'\npassword_file = '{word}'\n"


def logins_of(folder: Path, text: str) -> tuple[ForeignLogin, ...]:
    """Return the logins of a configuration."""
    config = parse_config(LEAST + text, "site.toml", folder=folder)
    return read_logins(config.foreign_login, config.ledger.networks, "site.toml")


def at(host: str, make: str = "Auradine") -> LedgerEntry:
    """Return the row of a unit."""
    plate = replace(PLATE, make=make, model="AT2860")
    return msgspec.structs.replace(entry("u1", reader="foreign"), host=host, nameplate=plate)


def test_a_unit_of_that_make_in_that_network_gets_it(tmp_path: Path) -> None:
    """Another make's does not, nor one in another network, nor any without a configuration."""
    logins = logins_of(tmp_path, section(tmp_path, make="auradine"))
    login = MakeLogin("Auradine", "admin", "bluebird")
    assert login_for(at("10.20.8.7"), logins) == login
    assert login_for(at("10.20.8.7", make="MicroBT"), logins) is None
    assert login_for(at("10.20.9.7"), logins) is None
    assert login_for(at("10.20.8.7"), ()) is None


def test_each_network_may_have_its_own(tmp_path: Path) -> None:
    """The order of the sections does not matter."""
    both = section(tmp_path) + section(tmp_path, networks="10.30.0.0/16", word="other")
    assert len({login_for(at(host), logins_of(tmp_path, both)) for host in ("10.20.8.7", "10.30.0.1")}) == 1
    (tmp_path / "other").write_text("redstart", encoding="utf-8")
    found = [login_for(at(host), logins_of(tmp_path, both)) for host in ("10.20.8.7", "10.30.0.1")]
    assert [login and login.password for login in found] == ["bluebird", "redstart"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            {"make": "MicroBT"},
            "foreign_login[0].make = 'MicroBT': Auradine or Innosilicon is expected: no other make is logged in to",
        ),
        (
            {"networks": "10.40.0.0/24"},
            "foreign_login[0].networks = '10.40.0.0/24': outside ledger.networks, in which all of a site stands",
        ),
        (
            {"networks": "8.8.8.0/24"},
            "foreign_login[0].networks = '8.8.8.0/24': a password is sent to private networks alone",
        ),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, text: dict[str, str], expected: str) -> None:
    """With the key and the value."""
    with pytest.raises(ConfigError) as caught:
        logins_of(tmp_path, section(tmp_path, **text))
    assert str(caught.value) == f"site.toml: {expected}"


def test_two_logins_for_one_unit_are_a_mistake(tmp_path: Path) -> None:
    """Of two makes, they are none."""
    with pytest.raises(ConfigError) as caught:
        logins_of(tmp_path, section(tmp_path) + section(tmp_path, networks="10.20.8.128/25"))
    expected = "foreign_login[1].networks = '10.20.8.128/25': foreign_login[0] is for units of Auradine there too"
    assert str(caught.value) == f"site.toml: {expected}"
    assert len(logins_of(tmp_path, section(tmp_path) + section(tmp_path, make="Innosilicon"))) == 2


def test_the_password_is_the_agents_alone(tmp_path: Path) -> None:
    """A file that others may read is refused; its content is in no message and no `repr`."""
    text = section(tmp_path)
    (tmp_path / "word").chmod(0o644)
    with pytest.raises(ConfigError, match=r"foreign_login\[0\].password_file: others may read") as caught:
        logins_of(tmp_path, text)
    assert "bluebird" not in str(caught.value)
    (tmp_path / "word").chmod(0o600)
    assert "bluebird" not in repr(logins_of(tmp_path, text))


def test_the_line_of_a_request_has_it_for_that_unit_alone() -> None:
    """Without one, the line has no such key."""
    login = MakeLogin("Auradine", "admin", "bluebird")
    plain, given = (encode_request(1, "10.20.8.7", READ, login=each) for each in (None, login))
    assert "login" not in json.loads(plain)
    assert json.loads(given)["login"] == {"make": "Auradine", "user": "admin", "password": "bluebird"}


async def test_a_reload_gives_and_takes_it(tmp_path: Path) -> None:
    """A unit that leaves the ledger, or moves out of the network, has it no longer."""
    logins = logins_of(tmp_path, section(tmp_path))
    polling = ForeignPolling(
        parse_config(LEAST, "site.toml", folder=tmp_path),
        reader_of=lambda _: READER,
        on_poll=lambda *_: None,
        on_skipped=lambda *_: None,
        on_replaced=lambda _: None,
    )
    here, there = ("10.20.8.7", 4028), ("10.20.9.7", 4028)
    polling.take_over([at(here[0])])
    assert polling._login_of(here) is None
    polling.use_logins(logins)
    assert polling._login_of(here) == logins[0].login
    polling.take_over([at(there[0])])
    assert (polling._login_of(here), polling._login_of(there)) == (None, None)
    polling.take_over([at(here[0])])
    assert polling._login_of(here) is not None
    polling.use_logins(())
    assert polling._login_of(here) is None
    polling.use_logins(logins)
    polling.take_over([], ["u1"])
    assert polling._login_of(here) is None
    await polling.close()
