"""Listening sockets: the limit of open files, and clear errors for ports that cannot be opened."""

import contextlib
import errno
import resource
import socket

_BACKLOG = 4096


class ServeError(OSError):
    """The farm's port cannot be opened; the message says what to do about it."""


def raise_file_limit() -> int:
    """Raise the limit of open files to the maximum for this process and return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def listen(host: str, port: int, *, option: str = "--port", is_loopback_only: bool = False) -> socket.socket:
    """Open a listening socket.

    Args:
        host: IPv4 address. Only the wildcard answers for all of 127.0.0.0/8.
        port: TCP port; 0 takes a free one.
        option: Command-line option that an error message names.
        is_loopback_only: Bind to the loopback device, whatever the address. A kernel before 5.7 allows that only to
            root; there the caller's own check of the peer address is the only protection.

    Raises:
        ServeError: Port taken, or not permitted to this user.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_loopback_only:
            with contextlib.suppress(PermissionError):
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.settimeout(0.0)
    except OSError as error:
        listener.close()
        reason = {
            errno.EADDRINUSE: f"port {port} is taken; choose another with {option}",
            errno.EACCES: f"port {port} needs a privilege this user lacks; choose one above 1023 with {option}",
            errno.EADDRNOTAVAIL: f"address {host} does not belong to this machine",
        }.get(error.errno or 0, str(error))
        raise ServeError(error.errno or 0, f"cannot listen on {host}:{port}: {reason}") from error
    return listener
