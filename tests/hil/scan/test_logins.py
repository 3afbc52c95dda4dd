"""The file of logins: which page gets which password, and which file is refused."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from agent.address import PRIVATE_NETWORKS
from agent.errors import ConfigError
from agent.hil.scan.logins import login_finder, read_logins
from agent.unit.login import Login


def file(folder: Path, text: str, mode: int = 0o600) -> Path:
    """Write a file of logins."""
    path = folder / "logins"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def words(login: Login | None) -> tuple[str, str] | None:
    """Return user and password."""
    return None if login is None else (login.user, login.password)


def test_the_narrowest_network_counts(tmp_path: Path) -> None:
    """An address gets the login of the smallest network it is in, else the default."""
    logins = read_logins(
        file(tmp_path, "# ours\n10.0.0.0/8 root wide\n\n10.0.3.0/24 admin a long one \n10.0.3.9 op x\n")
    )
    login_of = login_finder(logins, PRIVATE_NETWORKS)
    assert words(login_of("10.9.9.9")) == ("root", "wide")
    assert words(login_of("10.0.3.8")) == ("admin", "a long one")
    assert words(login_of("10.0.3.9")) == ("op", "x")
    assert words(login_of("192.168.0.1")) == ("root", "root")


def test_a_public_address_gets_no_password(tmp_path: Path) -> None:
    """Whatever the file says: its page may be anyone's."""
    login_of = login_finder(read_logins(file(tmp_path, "203.0.113.0/24 root secret\n")), PRIVATE_NETWORKS)
    assert login_of("203.0.113.9") is None


def test_the_networks_of_a_ledger_bound_the_logins(tmp_path: Path) -> None:
    """A private address outside of them gets no password, nor does a public one inside, even if the file names both."""
    logins = read_logins(file(tmp_path, "10.20.0.0/16 root a\n10.30.0.0/16 root b\n203.0.113.0/24 root c\n"))
    ledger = (ip_network("10.20.0.0/22"), ip_network("203.0.113.0/24"))
    login_of = login_finder(logins, ledger)
    hosts = ("10.20.3.9", "10.20.4.9", "10.30.0.9", "192.168.0.1", "203.0.113.9", "fe80::1%eth0")
    assert [words(login_of(host)) for host in hosts] == [("root", "a"), None, None, None, None, None]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    """One message, with the mode and what to do, without a password."""
    with pytest.raises(ConfigError) as caught:
        read_logins(file(tmp_path, "10.0.0.0/8 root secret\n", mode))
    assert f"(mode {mode:04o}); chmod 600 it" in str(caught.value)
    assert "secret" not in str(caught.value).replace("this secret", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10.0.0.0/8 hunter2\n", "line 1: a network, a user and a password are expected, separated by blanks"),
        ("ours root hunter2\n", "line 1: a literal IP address is expected"),
        ("10.0.0.0/8 a hunter2\n10.0.0.0/8 b hunter2\n", "line 2: 10.0.0.0/8 has a login already"),
        ("10.0.0.0/8 a:b hunter2\n", 'line 1: a user has none of : " \\ in it'),
        ("10.0.0.0/8 root hunter2\x07\n", "line 1: a password is printable"),
        ("# nothing\n", "no login; a line such as"),
    ],
)
def test_a_line_that_is_no_login(tmp_path: Path, text: str, message: str) -> None:
    """It is named by its number; the password is in no message."""
    with pytest.raises(ConfigError) as caught:
        read_logins(file(tmp_path, text))
    assert message in str(caught.value)
    assert "hunter2" not in str(caught.value)
