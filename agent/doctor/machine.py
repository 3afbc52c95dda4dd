"""Facts about this machine: routes, clock, limits, files, disks, versions. Reads, and sends nothing."""

import importlib.metadata
import ipaddress
import os
import resource
import shutil
import socket
import stat
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from agent import __version__
from agent.doctor.facts import Disk, FileFacts, Limits, Network, Versions
from agent.errors import HistoryError
from agent.exporters.mqtt.links import outbox_path
from agent.history.reader import read_history
from agent.runtime.setup import Setup
from agent.site.ledger.entries import LedgerEntry
from agent.site.nameplates import Nameplates
from agent.statement.nameplates import latest_nameplates

MOST_NETWORKS = 64
PROC = Path("/proc")
NEEDED: Final = ("aiohttp", "aiomqtt", "msgspec", "prometheus-client", "pydantic", "pyasic", "rich", "typer")
OPTIONAL: Final = ("uvloop", "isal")
_PREFIX: Final = {4: 24, 6: 64}
# A port that nothing has to listen on: a datagram socket that is connected sends nothing.
_NO_PORT: Final = 9
_UP, _GATEWAY = 0x1, 0x2


def read_networks(entries: Iterable[LedgerEntry], proc: Path = PROC) -> list[Network]:
    """Return the networks of the units, largest first, and the way to each; at most `MOST_NETWORKS`."""
    groups: dict[str, list[str]] = {}
    for entry in entries:
        address = ipaddress.ip_address(entry.host)
        network = ipaddress.ip_network((address, _PREFIX[address.version]), strict=False)
        groups.setdefault(str(network), []).append(entry.host)
    routes = list(_routes(proc))
    largest = sorted(groups.items(), key=lambda item: -len(item[1]))[:MOST_NETWORKS]
    return [_network(name, hosts, routes) for name, hosts in largest]


def _network(name: str, hosts: list[str], routes: list[tuple[ipaddress.IPv4Network, str, bool]]) -> Network:
    host, source, trouble = hosts[0], None, ""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            # The kernel chooses way and source address; no packet leaves.
            probe.connect((host, _NO_PORT))
            source = str(probe.getsockname()[0])
    except OSError as error:
        trouble = error.strerror or str(error)
    fitting = [route for route in routes if family == socket.AF_INET and ipaddress.IPv4Address(host) in route[0]]
    _, interface, is_routed = max(fitting, key=lambda route: route[0].prefixlen, default=(None, "", True))
    if source is not None and ipaddress.ip_address(source).is_loopback:
        # The machine itself, by a table of its own.
        interface, is_routed = "lo", False
    return Network(name, len(hosts), host, source, trouble, interface, is_direct=bool(interface) and not is_routed)


def _routes(proc: Path) -> Iterator[tuple[ipaddress.IPv4Network, str, bool]]:
    """Yield each route of the main table: its network, its interface, and whether it goes through a router."""
    for line in _text(proc / "net/route").splitlines()[1:]:
        cells = line.split()
        if len(cells) < 8 or not int(cells[3], 16) & _UP:
            continue
        # Addresses are in the byte order of the machine.
        address, mask = (ipaddress.IPv4Address(struct.pack("=I", int(cells[place], 16))) for place in (1, 7))
        yield ipaddress.IPv4Network(f"{address}/{mask}"), cells[0], bool(int(cells[3], 16) & _GATEWAY)


def read_limits(proc: Path = PROC) -> Limits:
    """Return the limits of account and kernel."""
    tables = proc / "sys/net/netfilter"
    wait_s = _number(tables / "nf_conntrack_tcp_timeout_time_wait")
    return Limits(
        files=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        conntrack_max=_number(tables / "nf_conntrack_max"),
        conntrack_count=_number(tables / "nf_conntrack_count"),
        conntrack_wait_s=120.0 if wait_s is None else float(wait_s),
        neighbours_max=_number(proc / "sys/net/ipv4/neigh/default/gc_thresh3"),
    )


def read_files(setup: Setup) -> list[FileFacts]:
    """Return the files and folders that a setup names."""
    config = setup.config
    files = [("configuration", setup.path, "read"), ("ledger.file", config.ledger.file, "read")]
    if config.ledger.models_file is not None:
        files.append(("ledger.models_file", config.ledger.models_file, "read"))
    secrets = [
        ("api.token_file", config.api.token_file),
        ("api.viewer_token_file", config.api.viewer_token_file),
        ("identity.password_file", config.identity.password_file),
        ("standby.token_file", config.standby.token_file),
        *((f"mqtt[{number}].password_file", each.password_file) for number, each in enumerate(config.mqtt)),
        *((f"mqtt[{number}].key_file", each.key_file) for number, each in enumerate(config.mqtt)),
        *(
            (f"foreign_login[{number}].password_file", each.password_file)
            for number, each in enumerate(config.foreign_login)
        ),
    ]
    files += [(key, path, "secret") for key, path in secrets if path is not None]
    if config.history.keep:
        files.append(("history.file", config.history.path(setup.path).parent, "state"))
    files.append(("api.state_file", setup.curtailments_file.parent, "state"))
    return [_file(key, path, kind) for key, path, kind in files]


def _file(key: str, path: Path, kind: str) -> FileFacts:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return FileFacts(key, str(path), kind, exists=False)
    except OSError as error:
        return FileFacts(key, str(path), kind, exists=False, trouble=error.strerror or str(error))
    folders = path.absolute().parents
    return FileFacts(
        key,
        str(path),
        kind,
        exists=True,
        mode=mode,
        is_readable=os.access(path, os.R_OK),
        is_writable=os.access(path, os.W_OK | os.X_OK),
        is_reachable=all(each.stat().st_mode & stat.S_IXOTH for each in folders),
    )


def read_disks(setup: Setup) -> list[Disk]:
    """Return the disks that history and outboxes grow on, folder by folder."""
    config = setup.config
    growing = [(outbox_path(each, setup.path), each.outbox_max_mb) for each in config.mqtt]
    if config.history.keep:
        growing.append((config.history.path(setup.path), config.history.max_mb))
    more: dict[Path, int] = {}
    for path, max_mb in growing:
        more[path.parent] = more.get(path.parent, 0) + max(0, max_mb * 1_000_000 - _size(path))
    disks = ((folder, _free(folder), may_grow) for folder, may_grow in more.items())
    return [Disk(str(folder), free, may_grow) for folder, free, may_grow in disks if free is not None]


def _free(folder: Path) -> int | None:
    """Return what is free on a folder's disk, bytes; None if it is not there, or this account cannot tell."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def read_nameplates(setup: Setup) -> Nameplates | None:
    """Return what units last said of their nameplates; None if history has nothing of it, or cannot be read."""
    try:
        with closing(read_history(setup.config.history.path(setup.path))) as reader:
            latest = latest_nameplates(reader)
    except HistoryError:
        return None
    return None if latest is None else latest[1]


def read_versions() -> Versions:
    """Return the versions of Python, hashsight and its packages."""
    return Versions(
        python=sys.version_info[:3],
        hashsight=__version__,
        needed={name: _version(name) for name in NEEDED},
        optional={name: _version(name) for name in OPTIONAL},
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
