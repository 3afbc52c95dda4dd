"""Silent addresses behind a listening socket: they do not answer at all, like a unit without power.

A classic BPF program on the listening socket drops packets to them. A client is neither accepted nor refused, and waits
until its connect deadline. The same program can lose a share of all packets by chance; connections inherit it, so the
client's system sends again what was lost. Linux only. Most kernels allow that to every user; some require
CAP_NET_ADMIN, which root has and an unprivileged container lacks.
"""

import ctypes
import socket
import struct
from collections.abc import Sequence

from simulators.strangers.spans import Span, merged

# From linux/filter.h and linux/bpf_common.h.
_LOAD_WORD = 0x20
_JUMP = 0x05
_JUMP_IF_EQUAL = 0x15
_JUMP_IF_ABOVE = 0x25
_JUMP_IF_AT_LEAST = 0x35
_RETURN = 0x06
_NETWORK_HEADER = 0xFFF00000  # SKF_NET_OFF
_RANDOM = 0xFFFFF038  # SKF_AD_OFF + SKF_AD_RANDOM
_DESTINATION = 16  # Offset in the IPv4 header.
_SO_ATTACH_FILTER = 26
_KEEP = 0xFFFFFFFF
_DROP = 0
_LEAF = 4
_ALL = Span(0, 0xFFFFFFFF)

# A program holds 4096 instructions; a span takes about three.
MAX_SILENT = 1300

_Instruction = tuple[int, int, int, int]


def silence(
    listener: socket.socket,
    addresses: Sequence[int],
    spans: Sequence[Span] = (),
    *,
    only: Sequence[Span] = (),
    loss_ratio: float = 0.0,
) -> int:
    """Drop packets to some IPv4 addresses on `listener`, and to no others; return how many spans were taken.

    Spans beyond `MAX_SILENT`, after neighbours were merged, are left out.

    Args:
        listener: The listening socket.
        addresses: Silent addresses, in any order.
        spans: Silent spans of addresses.
        only: If not empty, all addresses outside these spans are silent too.
        loss_ratio: Share of all other packets that are dropped by chance.

    Raises:
        PermissionError: This kernel forbids packet filters to this user.
        OSError: The kernel rejects the program.
    """
    taken = merged([*(Span(address, address) for address in addresses), *spans, *(_gaps(only) if only else ())])
    taken = taken[:MAX_SILENT]
    program = [*_lossy(loss_ratio), (_LOAD_WORD, 0, 0, _NETWORK_HEADER + _DESTINATION), *_search(taken)]
    packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(packed, len(packed))
    listener.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(buffer))
    )
    return len(taken)


def _gaps(spans: Sequence[Span]) -> list[Span]:
    """Return every address outside some spans."""
    gaps, first = [], _ALL.first
    for span in merged(spans):
        if first < span.first:
            gaps.append(Span(first, span.first - 1))
        first = span.last + 1
    if first <= _ALL.last:
        gaps.append(Span(first, _ALL.last))
    return gaps


def _lossy(loss_ratio: float) -> list[_Instruction]:
    """Return the beginning of a program that drops a share of all packets."""
    if not loss_ratio:
        return []
    return [(_LOAD_WORD, 0, 0, _RANDOM), (_JUMP_IF_AT_LEAST, 1, 0, int(loss_ratio * 2**32)), (_RETURN, 0, 0, _DROP)]


def _search(spans: Sequence[Span]) -> list[_Instruction]:
    """Return a program that searches for the loaded address by bisection and drops the packet on a hit."""
    if len(spans) <= _LEAF:
        leaf: list[_Instruction] = []
        for first, last in spans:
            if first == last:
                leaf += [(_JUMP_IF_EQUAL, 0, 1, first), (_RETURN, 0, 0, _DROP)]
            else:
                leaf += [(_JUMP_IF_AT_LEAST, 0, 2, first), (_JUMP_IF_ABOVE, 1, 0, last), (_RETURN, 0, 0, _DROP)]
        return [*leaf, (_RETURN, 0, 0, _KEEP)]
    middle = len(spans) // 2
    below, above = _search(spans[:middle]), _search(spans[middle:])
    return [(_JUMP_IF_AT_LEAST, 0, 1, spans[middle].first), (_JUMP, 0, 0, len(below)), *below, *above]
