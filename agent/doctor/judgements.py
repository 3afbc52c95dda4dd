"""Judgements of facts about machine and neighbours, each with its remedy. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from agent.doctor.facts import (
    Answered,
    Disk,
    FileFacts,
    Limits,
    Load,
    Neighbour,
    Network,
    Port,
    Target,
    Versions,
)
from agent.doctor.findings import Finding, bad, note, ok
from agent.runtime.kernel_clock import Clock
from agent.site.nameplates import Nameplates
from agent.text.numbers import hashrate_text

OFFSET_NOTED_S, OFFSET_BAD_S = 0.5, 5.0
"""Minutes of history and events of curtailment bear the clock's time."""
FULL_RATIO = 0.8
"""A table that is fuller than this has no room for a bad day."""
LEAST_FREE = 256 << 20
LEAST_PYTHON = (3, 11, 0)
_OTHERS_READ, _OTHERS_ANY, _GROUP_CHANGES = 0o004, 0o007, 0o030


def judge_networks(networks: Sequence[Network]) -> Iterator[Finding]:
    """Yield a finding for each network of the ledger's units."""
    if not networks:
        yield note(
            "network", "no unit is deployed now, so no way was looked for", "hashsight init, or hashsight ledger"
        )
    for each in networks:
        units = f"{each.name} ({_counted(each.units, 'unit')})"
        if each.source is None:
            mend = f"give this machine an address or a route there; `ip route get {each.host}` shows what it knows"
            yield bad("network", f"{units}: no way: {each.trouble}", mend)
            continue
        way = f" by {each.interface}" if each.interface else ""
        router = "" if each.is_direct else ", through a router"
        yield ok("network", f"{units}: from {each.source}{way}{router if each.interface else ''}")


def judge_answers(answered: Answered) -> Finding:
    """Return the finding about units that were tried."""
    if not answered.tried:
        return note("units", "no unit is deployed now, so none was tried", "hashsight init, or hashsight ledger")
    text = f"{answered.connected} of {_counted(answered.tried, 'unit')} that were tried take a connection"
    if answered.refused:
        text += f", {answered.refused} refuse it"
    if answered.silent:
        text += f", {answered.silent} do not answer, such as {answered.first_silent}"
    if answered.connected:
        return (
            ok("units", text)
            if answered.connected == answered.tried
            else note("units", text, "hashsight once says which and why")
        )
    mend = "check the cable, the VLAN and the firewall between; hashsight read ADDRESS shows one unit"
    return bad("units", text, mend)


def judge_clock(clock: Clock) -> Finding:
    """Return the finding about the clock."""
    if clock.is_synchronised is None:
        return note("clock", "the kernel does not say whether it is set by a time service", "timedatectl")
    if not clock.is_synchronised:
        mend = "timedatectl set-ntp true; in a container, on its host"
        return bad("clock", "no time service sets it: history and curtailments bear a time that drifts", mend)
    text = f"set by a time service, {clock.offset_s * 1000:+.1f} ms to correct"
    if abs(clock.offset_s) > OFFSET_BAD_S:
        return bad("clock", text, "chronyc makestep, or restart the time service")
    if abs(clock.offset_s) > OFFSET_NOTED_S:
        return note("clock", text, "wait some minutes and look again; if it stays, look at the time server")
    return ok("clock", text)


def judge_limits(limits: Limits, load: Load, networks: Sequence[Network]) -> Iterator[Finding]:
    """Yield the findings about open files and the kernel's tables."""
    text = f"{limits.files:,} allowed to this account, {load.files:,} needed"
    if limits.files < load.files:
        mend = f"LimitNOFILE={_rounded(load.files)} in the service, or ulimit -n; or poll.max_in_flight lower"
        yield bad("open files", text, mend)
    else:
        yield ok("open files", text)
    yield _judge_conntrack(limits, load)
    direct = sum(each.units for each in networks if each.is_direct and each.interface != "lo")
    if limits.neighbours_max is not None and direct:
        text = f"{limits.neighbours_max:,} machines at most in the kernel's table, {direct:,} units on its own networks"
        if direct > FULL_RATIO * limits.neighbours_max:
            size = _rounded(2 * direct)
            mend = f"sysctl -w net.ipv4.neigh.default.gc_thresh3={size} net.ipv4.neigh.default.gc_thresh2={size // 2}"
            yield bad("neighbours", text, f"{mend}, and the same in /etc/sysctl.d")
        else:
            yield ok("neighbours", text)


def _judge_conntrack(limits: Limits, load: Load) -> Finding:
    if limits.conntrack_max is None:
        return ok("conntrack", "no table of connections: no firewall here tracks any")
    remembered = load.units * load.connections_a_poll / load.interval_s * limits.conntrack_wait_s
    others = limits.conntrack_count or 0
    text = (
        f"{limits.conntrack_max:,} connections at most, {others:,} now; polling {_counted(load.units, 'unit')} every"
        f" {load.interval_s:g} s fills {round(remembered):,}"
    )
    # What is there now may be polling already; the greater of both is there at least.
    expected = max(float(others), remembered)
    if expected > FULL_RATIO * limits.conntrack_max:
        size = _rounded(int(2 * expected))
        return bad("conntrack", text, f"sysctl -w net.netfilter.nf_conntrack_max={size}, and the same in /etc/sysctl.d")
    return ok("conntrack", text)


def judge_files(files: Iterable[FileFacts]) -> Iterator[Finding]:
    """Yield a finding for each file that is not as the service needs it; one if all are."""
    found = [finding for each in files for finding in _judge_file(each)]
    yield from found or [ok("files", "configuration, ledger, secrets and folders are as the service needs them")]


def _judge_file(file: FileFacts) -> Iterator[Finding]:
    what = f"{file.key}: {file.path}"
    if file.trouble:
        yield note("files", f"{what}: this account cannot look at it: {file.trouble}", "run this as root to look at it")
        return
    if not file.exists:
        if file.kind == "state":
            yield bad(
                "files", f"{what}: the folder is not there", f"mkdir -p {file.path}, owned by the agent's account"
            )
        else:
            yield bad("files", f"{what}: the file is not there", "create it, or correct the key")
        return
    if file.kind == "secret" and file.mode & (_OTHERS_ANY | _GROUP_CHANGES):
        yield bad(
            "files", f"{what}: others may read or change this secret (mode {file.mode:04o})", f"chmod 600 {file.path}"
        )
    if file.kind == "read" and not file.is_readable:
        yield bad("files", f"{what}: this account cannot read it", f"chmod a+r {file.path}")
    elif file.kind == "read" and not (file.mode & _OTHERS_READ and file.is_reachable):
        yield note(
            "files",
            f"{what}: a service under an account of its own cannot read it (mode {file.mode:04o})",
            f"chmod a+r {file.path}, and a+x its folders; it holds no secret",
        )
    if file.kind == "state" and not file.is_writable:
        yield note("files", f"{what}: this account cannot write there", "right if the service's account can")


def judge_disk(disks: Iterable[Disk]) -> Iterator[Finding]:
    """Yield the findings about room on disk."""
    for disk in disks:
        text = (
            f"{disk.path}: {_megabytes(disk.free)} free, history and outboxes may take {_megabytes(disk.may_grow)} more"
        )
        if disk.free < LEAST_FREE:
            yield bad("disk", text, "make room, or history.file on another disk")
        elif disk.free < disk.may_grow:
            yield note("disk", text, "lower history.max_mb or outbox_max_mb, or give it a larger disk")
        else:
            yield ok("disk", text)


def judge_neighbours(check: str, neighbours: Iterable[Neighbour], *, mend: str) -> Iterator[Finding]:
    """Yield a finding for each program that the agent needs or serves."""
    for each in neighbours:
        if each.trouble:
            yield bad(check, f"{each.name}: {each.trouble}", mend)
        else:
            yield ok(check, f"{each.name}: {each.note or 'answers'}")


def judge_prometheus(prometheus: Neighbour, target: Target | None, address: str) -> Finding:
    """Return the finding about Prometheus."""
    check = "prometheus"
    if prometheus.trouble:
        return note(
            check, f"{prometheus.name}: {prometheus.trouble}", "--prometheus URL says where it is, if elsewhere"
        )
    if target is None:
        mend = f'add the target "{address}" to a job of prometheus.yml, and reload Prometheus'
        return bad(check, f"{prometheus.name}: answers, and scrapes no {address}", mend)
    if target.health == "down":
        return bad(check, f"{prometheus.name}: scraping {address} fails: {target.error}", "curl the address from there")
    if target.error:
        return note(check, f"{prometheus.name}: {target.error}", f'look for "{address}" on its page of targets')
    return ok(check, f"{prometheus.name}: scrapes {address} ({target.health})")


def judge_port(port: Port, site: str) -> Iterator[Finding]:
    """Yield the findings about the address to listen on, and about the agent that does already."""
    if port.agent:
        if port.agent != site:
            mend = "another port in web.listen for one of the two"
            yield bad("port", f"{port.address}: taken by the agent of {port.agent}", mend)
            return
        yield ok("port", f"{port.address}: the agent of {site} listens")
        if port.is_ready:
            yield ok("agent", port.readiness or "ready")
        else:
            yield bad("agent", f"not ready: {port.readiness}", "journalctl -u hashsight -n 50")
    elif port.wants_login:
        yield ok("port", f"{port.address}: an agent with a login listens")
        yield note(
            "agent",
            "without a login it says neither its site nor if it is ready",
            "`hashsight top`, which sends a token of [api]",
        )
    elif port.trouble:
        yield bad("port", f"{port.address}: {port.trouble}", "`ss -ltnp` shows what has it; or another web.listen")
    else:
        yield ok("port", f"{port.address}: free")
        yield note("agent", f"none runs; {site} is not watched", "systemctl start hashsight")


def judge_nameplates(found: Nameplates | None) -> Finding:
    """Return the finding about rows that their units contradict; `found` is None if nothing was checked yet."""
    check = "nameplates"
    if found is None:
        return note(check, "no unit was held against its row yet", "let the agent ask every unit once")
    said = f"{found.units_checked:,} of {_counted(found.units, 'unit')} say theirs"
    if not found.units_differing:
        return ok(check, f"{said}, and none contradicts its row by more than 3 %")
    deployed = f"deployed is {hashrate_text(found.row_hs)}, {hashrate_text(found.own_hs)} by their word"
    text = f"{said}; the rows of {found.units_differing:,} are more than 3 % off: {deployed}"
    return bad(check, text, "hashsight ledger check; a statement is not published unless that is acknowledged")


def judge_versions(versions: Versions) -> Iterator[Finding]:
    """Yield the findings about Python and packages."""
    python = ".".join(map(str, versions.python))
    if versions.python < LEAST_PYTHON:
        yield bad("versions", f"Python {python}; 3.11 or newer is needed", "install it, then install hashsight again")
    missing = [name for name, version in versions.needed.items() if version is None]
    if missing:
        yield bad("versions", f"not installed: {', '.join(missing)}", "install hashsight again, by its lock file")
    shown = ", ".join(f"{name} {version}" for name, version in versions.needed.items() if version)
    yield ok("versions", f"hashsight {versions.hashsight}, Python {python}, {shown}")
    absent = [name for name, version in versions.optional.items() if version is None]
    if absent:
        yield note(
            "versions", f"without {' and '.join(absent)}, which save CPU", "pip install 'hashsight[uvloop,isal]'"
        )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _rounded(number: int) -> int:
    """Return the next power of two."""
    return 1 << max(0, number - 1).bit_length()


def _megabytes(size: int) -> str:
    return f"{max(0, size) / 1e6:,.0f} MB"
