"""The file with an account's keys: one line, or two for a pool that also gives a secret."""

from pathlib import Path

from agent.files.secret import read_secret, secret_refusal
from agent.pool_accounts.request import Keys

Stamp = tuple[int, int, int, int]


def read_keys(path: Path, *, where: str, has_secret: bool) -> Keys:
    """Return the keys in a file of mode 0600 or stricter.

    Args:
        path: The file.
        where: The configuration key that names it, for messages.
        has_secret: True if a second line with the secret is expected.

    Raises:
        ConfigError: It cannot be read, others may read it, or its lines are not those expected. The message never has
            any of its content.
    """
    lines = [line.strip() for line in read_secret(path, where=where, is_private=True).splitlines()]
    wanted = "two lines are expected, the key and the secret" if has_secret else "one line with the key is expected"
    if len(lines) != (2 if has_secret else 1) or not all(
        0 < len(line) <= 1024 and line.isascii() and line.isprintable() and " " not in line for line in lines
    ):
        raise secret_refusal(path, where, wanted)
    return Keys(*lines)


class KeyFile:
    """An account's keys, read again when their file changes.

    Args:
        path: The file.
        where: The configuration key that names it, for messages.
        has_secret: True if a second line with the secret is expected.
    """

    def __init__(self, path: Path, *, where: str, has_secret: bool) -> None:
        self._path, self._where, self._has_secret = path, where, has_secret
        self._stamp: Stamp | None = None
        self._keys = Keys()

    def keys(self) -> Keys:
        """Return the keys of now.

        Raises:
            ConfigError: As `read_keys`.
        """
        stamp = self.stamp()
        if stamp is None or stamp != self._stamp:
            self._keys = read_keys(self._path, where=self._where, has_secret=self._has_secret)
            self._stamp = stamp
        return self._keys

    def stamp(self) -> Stamp | None:
        """Return what changes with the file; None if it cannot be looked at."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode
