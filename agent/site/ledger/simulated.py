"""Entries that a simulator answers for, whatever the ledger's column says. Pure.

A simulated unit that passes for a machine adds hashrate that does not exist. So an entry is simulated if its address
is a loopback address, where no machine stands, or if its serial number is one that the bundled simulator makes.

A site that reaches real units over a tunnel on this machine sets ``ledger.detect_simulated = false``. Then the column
alone decides.
"""

import re

import msgspec

from agent.site.ledger.entries import LedgerEntry

SIMULATED_SERIAL = re.compile(r"SIM[A-HJ-NP-Z]{9}[0-9]{5}", re.ASCII | re.IGNORECASE)
"""A serial number of a simulated unit; `tests/simulators/unit/test_identity.py` holds the simulator to it."""


def with_detection(entry: LedgerEntry) -> LedgerEntry:
    """Return the entry, marked as simulated if its address or serial number says so; else the very same object."""
    if entry.is_simulated or not (is_loopback(entry.host) or has_simulated_serial(entry)):
        return entry
    return msgspec.structs.replace(entry, is_simulated=True)


def is_loopback(host: str) -> bool:
    """Return True if a literal IP address, as ledgers keep it, is one of this machine itself.

    A ledger has no IPv4 address written as IPv6.
    """
    return host.startswith("127.") or host == "::1"


def has_simulated_serial(entry: LedgerEntry) -> bool:
    """Return True if the declared serial number is one that the bundled simulator makes."""
    return entry.serial is not None and SIMULATED_SERIAL.fullmatch(entry.serial) is not None
