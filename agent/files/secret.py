"""A secret in a file of its own, which nobody but the agent's account may read or change."""

import stat
from pathlib import Path

from agent.errors import ConfigError, Mistake
from agent.files.text import read_text

MAX_SECRET_FILE_BYTES = 1 << 20
# Read by a group is how root hands a secret to a service's account; anything more is somebody else's business.
_FORBIDDEN_MODE = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO


def read_secret(path: Path, *, where: str) -> str:
    """Give the text of a file of mode 0640 or stricter, without white space around it.

    Args:
        path: The file.
        where: The configuration key that names it, for messages.

    Raises:
        ConfigError: For a file that cannot be read, or that others may read; its content is not part of the message.
    """
    text = read_text(path, max_bytes=MAX_SECRET_FILE_BYTES).strip()
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & _FORBIDDEN_MODE:
        raise secret_refusal(path, where, f"others may read or change this secret (mode {mode:04o}); chmod 600 it")
    return text


def read_password(path: Path, *, where: str) -> str:
    """Give the password in a file: one line, at least one character; arguments and errors as `read_secret`."""
    text = read_secret(path, where=where)
    if not text or not text.isprintable():
        raise secret_refusal(path, where, "one line with a password is expected")
    return text


def secret_refusal(path: Path, where: str, reason: str) -> ConfigError:
    """Give the error for a file that holds no secret; tells nothing of its content."""
    return ConfigError([Mistake(file=str(path), where=where, value="", reason=reason)])
