"""A listener for report buttons: a UDP socket on a free loopback port."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from patience import PATIENT_S


@contextmanager
def heard_reports(host: str = "127.0.0.1") -> Iterator[tuple[socket.socket, str]]:
    """Yield a bound socket with a patient deadline, and its address as ``HOST:PORT``."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind((host, 0))
        listener.settimeout(PATIENT_S)
        yield listener, f"{host}:{listener.getsockname()[1]}"
