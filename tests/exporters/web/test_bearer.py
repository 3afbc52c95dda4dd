"""The bearer token: what files are taken, and that nothing but the token itself opens the door."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigError
from agent.exporters.web.bearer import Token, read_token

SECRET = "s3cr3t-" + "0123456789abcdef"


def token_file(folder: Path, content: str = SECRET + "\n", mode: int = 0o600) -> Path:
    """Give a token file of that content and mode."""
    path = folder / "api.token"
    path.write_text(content, encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o440, 0o640])
def test_a_private_file_is_read(tmp_path: Path, mode: int) -> None:
    """The account's own, or root's for the account's group; the line's end is no part of the token."""
    assert read_token(token_file(tmp_path, mode=mode), where="api.token_file") == Token(text=SECRET)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o601, 0o660, 0o610, 0o666, 0o777])
def test_a_file_that_others_may_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    """A secret that others can read is none; the message says what to do."""
    path = token_file(tmp_path, mode=mode)
    with pytest.raises(ConfigError) as caught:
        read_token(path, where="api.token_file")
    reason = f"others may read or change this secret (mode {mode:04o}); chmod 600 it"
    assert str(caught.value) == f"{path}: api.token_file: {reason}"


@pytest.mark.parametrize(
    "content", ["", "short", "x" * 15, "x" * 513, "two words of many letters", "ä" * 20, "a\n" * 16]
)
def test_what_is_no_token_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    """Too short to be a secret, or not one line of a token's characters; the file's content stays out of messages."""
    with pytest.raises(ConfigError, match="openssl rand -hex 32") as caught:
        read_token(token_file(tmp_path, content), where="api.token_file")
    assert not content or content not in str(caught.value)


def test_a_missing_file_and_a_pipe_are_refused(tmp_path: Path) -> None:
    """What cannot be read is named, and a pipe is not waited for."""
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
    """The scheme's case does not matter, everything of the token does."""
    assert Token(text=SECRET).is_shown_by(header) is is_shown


@given(st.text())
def test_any_header_is_a_yes_or_a_no(header: str) -> None:
    """Whatever a client sends, the answer is no."""
    assert Token(text=SECRET).is_shown_by(header) is False


def test_a_token_does_not_show_itself() -> None:
    """Neither a traceback nor a log that prints the token gives it away."""
    assert SECRET not in repr(Token(text=SECRET))
