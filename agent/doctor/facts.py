"""Facts about machine, network and neighbours, from which judgements are made. Pure."""

from dataclasses import dataclass
from typing import NamedTuple


class Network(NamedTuple):
    """Some units that stand together, and the way to them.

    Attributes:
        name: Their network, such as ``10.20.3.0/24``.
        units: Number of units.
        host: One of their addresses.
        source: The address from which this machine would ask them; None if it knows no way.
        trouble: Why it knows none, in the system's words; empty if it does.
        interface: The interface that leads there; empty if that is not known.
        is_direct: True if they are on that interface's own network, without a router between.
    """

    name: str
    units: int
    host: str
    source: str | None
    trouble: str = ""
    interface: str = ""
    is_direct: bool = False


class Answered(NamedTuple):
    """Units that were tried: how many, and how many took a connection, refused one, or kept silent."""

    tried: int
    connected: int
    refused: int
    silent: int
    first_silent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Demands of the site on the machine.

    Attributes:
        units: Units deployed now.
        interval_s: Time between two polls of a unit, s.
        connections_a_poll: Connections that a poll makes on average.
        files: Open files that configuration and ledger need.
    """

    units: int
    interval_s: float
    connections_a_poll: float
    files: int


class Limits(NamedTuple):
    """Limits of the machine; None for what it does not have.

    Attributes:
        files: Open files that a process of this account may have at most.
        conntrack_max, conntrack_count: Size and filling of the table of connections.
        conntrack_wait_s: How long it remembers a closed connection, s.
        neighbours_max: Machines that the kernel's table of neighbours holds at most.
    """

    files: int
    conntrack_max: int | None = None
    conntrack_count: int | None = None
    conntrack_wait_s: float = 120.0
    neighbours_max: int | None = None


class FileFacts(NamedTuple):
    """A file or folder that the agent uses.

    Attributes:
        key: The configuration key that names it.
        path: The path.
        kind: ``read`` for a file that the agent reads, ``secret``, or ``state`` for a folder it writes to.
        exists: True if it is there.
        mode: Its permission bits.
        is_readable, is_writable: What this account may do.
        is_reachable: True if every folder above lets every account through.
        trouble: Why this account cannot tell whether it is there, in the system's words; empty if it can.
    """

    key: str
    path: str
    kind: str
    exists: bool
    mode: int = 0
    is_readable: bool = False
    is_writable: bool = False
    is_reachable: bool = True
    trouble: str = ""


class Disk(NamedTuple):
    """Room for a folder that grows: what is free, and what the configuration lets it take besides, bytes."""

    path: str
    free: int
    may_grow: int


class Neighbour(NamedTuple):
    """Another program that was asked for a connection or an answer.

    Attributes:
        name: What it is and where: ``broker site at 127.0.0.1:1883``.
        trouble: Why it gave no answer; empty if it did.
        note: What it said, in words.
    """

    name: str
    trouble: str = ""
    note: str = ""


class Target(NamedTuple):
    """Prometheus' account of this agent: None for a Prometheus that does not scrape its address.

    Attributes:
        health: Prometheus' word: ``up``, ``down`` or ``unknown``.
        error: Why the latest scrape failed, or which target is this agent's is not known; empty otherwise.
    """

    health: str
    error: str = ""


class Port(NamedTuple):
    """The address at which the agent is to listen.

    Attributes:
        address: The address and port.
        trouble: Why it cannot be bound, in the system's words; empty if it can.
        agent: The site whose agent answers there already; empty if none does.
        readiness: That agent's own words on whether its figures can be trusted.
        is_ready: True if they can.
        wants_login: True if a hashsight answers there that tells nothing without a login, not even its site.
    """

    address: str
    trouble: str = ""
    agent: str = ""
    readiness: str = ""
    is_ready: bool = False
    wants_login: bool = False


class Versions(NamedTuple):
    """Versions that run: Python, hashsight and packages by name; None for one that is not installed."""

    python: tuple[int, int, int]
    hashsight: str
    needed: dict[str, str | None]
    optional: dict[str, str | None]
