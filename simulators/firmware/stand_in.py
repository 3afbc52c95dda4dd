"""Answers of recorded units to requests that were not recorded: joined replies, and refusals in their own words."""

import re
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

_JOINING: Final = b"LUXminer"
_DESCRIPTION: Final = re.compile(rb'"Description" *: *"([^"\\]{1,128})"')
_VNISH: Final = re.compile(rb'"Type" *: *"[^"]*\(Vnish', re.IGNORECASE)
_STOCK: Final = b"cgminer 1.0.0"


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


def refusal(replies: Iterable[bytes], t: float) -> bytes:
    """Return the refusal of an unknown command by the unit of some replies: its own `Description`, E/14 or VNish's E/0.

    Observed (O03): stock firmware. Observed (O86): VNish since 1.2.6, without an `id`.
    """
    said, is_vnish = None, False
    for reply in replies:
        said = said or _DESCRIPTION.search(reply)
        is_vnish = is_vnish or _VNISH.search(reply) is not None
    return b'{"STATUS":[{"STATUS":"E","When":%d,"Code":%d,"Msg":"Invalid command","Description":"%s"}]%s}' % (
        int(t),
        0 if is_vnish else 14,
        said[1] if said else _STOCK,
        b"" if is_vnish else b',"id":1',
    )
