"""Notices another process on this machine that polls the same site: units answer one connection at a time.

The claim is a Unix socket in the abstract namespace, named after the site. It leaves nothing on disk, ends with its
process, and needs no folder that two services share. Other machines, and other network namespaces, do not see it.
"""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

# struct ucred of unix(7): process, user and group of the program that listens.
_UCRED = struct.Struct("=iII")
# sun_path of unix(7), less the leading zero byte.
_MOST_BYTES = 107


def _address(site: str) -> bytes:
    return b"\0" + f"hashsight/{site}".encode()[:_MOST_BYTES]


@contextmanager
def claimed(site: str) -> Iterator[int | None]:
    """Claim a site while the block runs.

    Args:
        site: Its name; shards and standbys have names of their own.

    Yields:
        The process that has claimed it already; 0 if that cannot be told; None if this process has the claim, or if the
        system has no such sockets.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as claim:
        try:
            claim.bind(_address(site))
            claim.listen(1)
        except OSError:
            yield other_process(site)
        else:
            yield None


def other_process(site: str) -> int | None:
    """Return the process that has claimed a site; 0 if that cannot be told, None if none has."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(0)
        try:
            asking.connect(_address(site))
            pid, _, _ = _UCRED.unpack(asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        except BlockingIOError:
            # Others ask at this moment too.
            return 0
        except OSError:
            return None
    return int(pid)
