"""Silent addresses behind a listening socket: they do not answer at all, like a unit without power.

A classic BPF program on the listening socket drops packets to them. A client is neither accepted nor refused, and waits
until its connect deadline. Linux only. Most kernels allow that to every user; some require CAP_NET_ADMIN,
which root has and an unprivileged container lacks.
"""

import ctypes
import socket
import struct
from collections.abc import Sequence

# From linux/filter.h and linux/bpf_common.h.
_LOAD_WORD = 0x20
_JUMP = 0x05
_JUMP_IF_EQUAL = 0x15
_JUMP_IF_AT_LEAST = 0x35
_RETURN = 0x06
_NETWORK_HEADER = 0xFFF00000  # SKF_NET_OFF
_DESTINATION = 16  # Offset in the IPv4 header.
_SO_ATTACH_FILTER = 26
_KEEP = 0xFFFFFFFF
_DROP = 0
_LEAF = 4

# A program holds 4096 instructions; an address takes about three.
MAX_SILENT = 1300

_Instruction = tuple[int, int, int, int]


def silence(listener: socket.socket, addresses: Sequence[int]) -> int:
    """Drop packets to these IPv4 addresses and to no others on `listener`; return how many addresses were taken.

    Addresses beyond `MAX_SILENT` are left out.

    Raises:
        PermissionError: This kernel forbids packet filters to this user.
        OSError: The kernel rejects the program.
    """
    taken = sorted(addresses)[:MAX_SILENT]
    program = [(_LOAD_WORD, 0, 0, _NETWORK_HEADER + _DESTINATION), *_search(taken)]
    packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(packed, len(packed))
    listener.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(buffer))
    )
    return len(taken)


def _search(addresses: Sequence[int]) -> list[_Instruction]:
    """Return a program that searches for the loaded address by bisection and drops the packet on a hit."""
    if len(addresses) <= _LEAF:
        leaf: list[_Instruction] = []
        for address in addresses:
            leaf += [(_JUMP_IF_EQUAL, 0, 1, address), (_RETURN, 0, 0, _DROP)]
        return [*leaf, (_RETURN, 0, 0, _KEEP)]
    middle = len(addresses) // 2
    below, above = _search(addresses[:middle]), _search(addresses[middle:])
    return [(_JUMP_IF_AT_LEAST, 0, 1, addresses[middle]), (_JUMP, 0, 0, len(below)), *below, *above]
