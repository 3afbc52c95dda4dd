"""Secrets in files that only the agent's account may read or change."""

import os
import stat
from pathlib import Path

from agent.errors import ConfigError, Mistake
from agent.files.text import read_text

MAX_SECRET_FILE_BYTES = 1 << 20
# Group read is allowed: root gives a service account a secret that way.
_FORBIDDEN_MODE = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO
_FORBIDDEN_PRIVATE_MODE = stat.S_IRWXG | stat.S_IRWXO


def read_secret(path: Path, *, where: str, is_private: bool = False) -> str:
    """Return the text of a file of mode 0640 or stricter, without surrounding white space.

    Args:
        path: The file.
        where: The configuration key that names it, for messages.
        is_private: True to ask for 0600 or stricter: what opens an account elsewhere is for no group. A file that root
            gives to a service alone, as systemd does, is read-only for a group and passes.

    Raises:
        ConfigError: For a file that cannot be read, or that others may read. The message never contains the secret.
    """
    text = read_text(path, max_bytes=MAX_SECRET_FILE_BYTES).strip()
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    is_given = found.st_uid == 0 and os.geteuid() != 0
    if mode & (_FORBIDDEN_PRIVATE_MODE if is_private and not is_given else _FORBIDDEN_MODE):
        raise secret_refusal(path, where, f"others may read or change this secret (mode {mode:04o}); chmod 600 it")
    return text


def read_password(path: Path, *, where: str) -> str:
    """Return the password in a file: one line, at least one character. Arguments and errors as `read_secret`."""
    text = read_secret(path, where=where)
    if not text or not text.isprintable():
        raise secret_refusal(path, where, "one line with a password is expected")
    return text


def secret_refusal(path: Path, where: str, reason: str) -> ConfigError:
    """Return the error for a file that holds no valid secret, without its content."""
    return ConfigError([Mistake(file=str(path), where=where, value="", reason=reason)])
