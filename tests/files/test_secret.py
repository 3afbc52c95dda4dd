"""Passwords in files."""

from pathlib import Path

import pytest

from agent.errors import ConfigError
from agent.files.secret import read_password
from agent.runtime.setup import load_setup
from agent.unit.registry import FACTORY_LOGIN

HEADER = "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status"
LEDGER = f"{HEADER}\nu1,S21,200,10.0.0.1,,,,,,deployed\n"
SITE = '[site]\nname = "north"\n[ledger]\nfile = "ledger.csv"\n'


def write(path: Path, content: bytes, mode: int = 0o600) -> Path:
    """Write a file with a mode."""
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("content", [b"hunter2", b"hunter2\n", b"  hunter2\r\n"])
def test_a_password_is_one_line(tmp_path: Path, content: bytes) -> None:
    """Surrounding white space, such as an editor's line end, is not part of the password."""
    assert read_password(write(tmp_path / "word", content), where="identity.password_file") == "hunter2"


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        (b"", 0o600, "one line with a password is expected"),
        (b" \n", 0o600, "one line with a password is expected"),
        (b"hunter2\nhunter3", 0o600, "one line with a password is expected"),
        (b"hunter2", 0o604, "others may read or change this secret (mode 0604); chmod 600 it"),
        (b"hunter2", 0o620, "others may read or change this secret (mode 0620); chmod 600 it"),
    ],
)
def test_bad_password_files(tmp_path: Path, content: bytes, mode: int, reason: str) -> None:
    """The message names the file and the key, and never contains the content."""
    path = write(tmp_path / "word", content, mode)
    with pytest.raises(ConfigError) as caught:
        read_password(path, where="identity.password_file")
    assert str(caught.value) == f"{path}: identity.password_file: {reason}"


def test_the_login_of_the_units_comes_with_the_setup(tmp_path: Path) -> None:
    """The default is the factory login; a password file replaces it, and a bad file is reported with other mistakes."""
    write(tmp_path / "ledger.csv", LEDGER.encode())
    site = write(tmp_path / "site.toml", SITE.encode())
    assert load_setup(site).unit_login == FACTORY_LOGIN
    write(tmp_path / "word", b"hunter2\n")
    write(site, f'{SITE}[identity]\nuser = "reader"\npassword_file = "word"\n'.encode())
    login = load_setup(site).unit_login
    assert (login.user, login.password) == ("reader", "hunter2")
    write(site, f'{SITE}[identity]\npassword_file = "nowhere"\n'.encode())
    with pytest.raises(ConfigError, match="nowhere: file: cannot be read"):
        load_setup(site)
