"""Joined requests of recorded units: the replies of the parts, joined as their firmware does."""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

_JOINING: Final = b"LUXminer"


def joins_reports(replies: Iterable[bytes]) -> bool:
    """Return True if replies are of firmware that joins reports.

    Observed (O175): LuxOS does. Documented (D14): stock firmware does not.
    """
    return any(_JOINING in reply for reply in replies)


def joined(commands: Iterable[str], reply_of: Callable[[str], bytes]) -> bytes:
    """Return the reply to a joined request, without a NUL.

    Observed (O175): each command's reply is the only item of a list under its name, with one `id` for all.

    Args:
        commands: The joined commands; one that is named twice is answered once.
        reply_of: Returns the reply to a single command, with or without its NUL.
    """
    parts = [
        msgspec.json.encode(command) + b":[" + reply_of(command).strip(b"\0 \r\n") + b"]"
        for command in dict.fromkeys(commands)
    ]
    return b"{" + b",".join(parts) + b',"id":1}'
