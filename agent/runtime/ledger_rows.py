"""Digests of the ledger's rows on disk, so that a start knows what was changed while no agent ran. Blocking.

Written when the ledger changes, beside the history: 8 bytes and a name for each unit.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from agent.files.regular import resolved
from agent.files.snapshot import read_packed, write_packed

VERSION = 1
_MARK = b"hashsight ledger rows\n"


class _Content(msgspec.Struct, frozen=True):
    version: int
    digest: str
    rows: dict[str, bytes]


class LedgerRows:
    """The file.

    Args:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = resolved(path)

    def read(self, digest: str) -> dict[str, bytes] | None:
        """Return the rows of the ledger of that digest; None if the file has none of it.

        Raises:
            OSError, ValueError: It cannot be read, or is damaged.
        """
        data = read_packed(self.path)
        if data is None or not data.startswith(_MARK):
            return None
        try:
            content = msgspec.msgpack.decode(data.removeprefix(_MARK), type=_Content)
        except msgspec.MsgspecError as error:
            raise ValueError(f"damaged: {error}") from error
        return content.rows if (content.version, content.digest) == (VERSION, digest) else None

    def write(self, digest: str, rows: Mapping[str, bytes]) -> None:
        """Replace the file.

        Raises:
            OSError: It could not be written; it is unchanged.
        """
        write_packed(self.path, _MARK + msgspec.msgpack.encode(_Content(VERSION, digest, dict(rows))))
