"""The bearer token: which files are accepted, and which headers."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigError
from agent.exporters.web.bearer import Token, read_token

SECRET = "s3cr3t-" + "0123456789abcdef"


def token_file(folder: Path, content: str = SECRET + "\n", mode: int = 0o600) -> Path:
    """Write a token file with that content and mode, and return its path."""
    path = folder / "api.token"
    path.write_text(content, encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o440, 0o640])
def test_a_private_file_is_read(tmp_path: Path, mode: int) -> None:
    """A private file of the account, or of root for its group, is read; the newline is not part of the token."""
    assert read_token(token_file(tmp_path, mode=mode), where="api.token_file") == Token(text=SECRET)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o601, 0o660, 0o610, 0o666, 0o777])
def test_a_file_that_others_may_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    """A token that others can read or change is refused, and the message says how to fix that."""
    path = token_file(tmp_path, mode=mode)
    with pytest.raises(ConfigError) as caught:
        read_token(path, where="api.token_file")
    reason = f"others may read or change this secret (mode {mode:04o}); chmod 600 it"
    assert str(caught.value) == f"{path}: api.token_file: {reason}"


@pytest.mark.parametrize(
    "content", ["", "short", "x" * 15, "x" * 513, "two words of many letters", "ä" * 20, "a\n" * 16]
)
def test_an_invalid_token_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    """A short token, or one with other characters, is refused; the file's content stays out of the message."""
    with pytest.raises(ConfigError, match="openssl rand -hex 32") as caught:
        read_token(token_file(tmp_path, content), where="api.token_file")
    assert not content or content not in str(caught.value)


def test_a_missing_file_and_a_pipe_are_refused(tmp_path: Path) -> None:
    """An unreadable file is named in the error, and reading a pipe does not block."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("missing", "pipe"):
        with pytest.raises(ConfigError, match=name):
            read_token(tmp_path / name, where="api.token_file")


@pytest.mark.parametrize(
    ("header", "is_shown"),
    [
        (f"Bearer {SECRET}", True),
        (f"bearer {SECRET}", True),
        (f"Bearer  {SECRET} ", True),
        (f"Basic {SECRET}", False),
        (SECRET, False),
        (f"Bearer {SECRET[:-1]}", False),
        (f"Bearer {SECRET}0", False),
        (f"Bearer {SECRET.upper()}", False),
        (f"Bearer{SECRET}", False),
        ("Bearer ", False),
        ("", False),
        ("Bearer \udcff", False),
    ],
)
def test_only_the_token_opens(header: str, *, is_shown: bool) -> None:
    """The case of the scheme does not matter; every character of the token does."""
    assert Token(text=SECRET).is_shown_by(header) is is_shown


@given(st.text())
def test_no_random_header_opens(header: str) -> None:
    """No header without the token is accepted or raises an error."""
    assert Token(text=SECRET).is_shown_by(header) is False


def test_a_token_does_not_show_itself() -> None:
    """The representation of a token, as in a traceback or a log, does not contain it."""
    assert SECRET not in repr(Token(text=SECRET))
