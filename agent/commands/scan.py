"""`hashsight scan`: find the units in address ranges and propose a ledger."""

import asyncio
import hashlib
import math
import random
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import typer

from agent.address import PRIVATE_NETWORKS, Network
from agent.commands.machine_output import write_json_rows
from agent.commands.place_rules import rules_of, with_places
from agent.commands.scan_progress import SUFFIX, cancelled_by_signals, kept, progress
from agent.commands.scan_text import print_scan
from agent.commands.terminal import FAILED, err, exit_codes, usage_error
from agent.config.file import load_config
from agent.errors import AgentError
from agent.files.atomic import replace_file
from agent.hil.review.unread import unread_rows
from agent.hil.scan import deep
from agent.hil.scan.found import Kind
from agent.hil.scan.found_json import as_row
from agent.hil.scan.logins import login_finder, read_logins
from agent.hil.scan.probe import Tally
from agent.hil.scan.proposal import Proposal, proposal_bytes, propose
from agent.hil.scan.ranges import Targets, parse_targets
from agent.hil.scan.scanner import MOST_RATE_PER_S, ScanOptions, fitted
from agent.hil.scan.scanner import scan as scan_targets
from agent.hil.scan.unfinished import Unfinished, digest_of, read_unfinished, write_unfinished
from agent.runtime.setup import load_catalogue, unit_login_of
from agent.unit import registry
from agent.unit.foreign import process
from agent.unit.login import Login
from agent.unit.nameplate import Catalogue, shipped_catalogue

_SHOWN_RANGES: Final = 5
_WORKBOOKS: Final = frozenset({".xlsx", ".xls", ".ods"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """A scan as its options describe it."""

    targets: Targets
    catalogue: Catalogue
    login_of: Callable[[str], Login | None]
    options: ScanOptions
    out_file: Path | None
    state: Unfinished

    @property
    def state_file(self) -> Path | None:
        return None if self.out_file is None else self.out_file.with_name(self.out_file.name + SUFFIX)


def scan(
    ranges: list[str],
    *,
    exclude: list[str] | None,
    config: Path | None,
    logins: Path | None,
    has_pages: bool,
    place: list[str] | None,
    port: int,
    web_port: int | None,
    rate: float,
    is_deep: bool,
    any_address: bool,
    out_file: Path | None,
    is_resumed: bool,
    show_all: bool,
    pool_users: bool,
    as_json: bool,
) -> None:
    """Scan address ranges, print what answers, and write a proposed ledger."""
    with exit_codes():
        if not (math.isfinite(rate) and 1 <= rate <= MOST_RATE_PER_S):
            reason = f"1 to {MOST_RATE_PER_S:,.0f} connections a second; more would flood the site's switches"
            raise usage_error("scan", "--rate", f"{rate:.12g}", reason)
        site = _Site(config)
        rules = rules_of(place, "scan")
        if is_deep:
            _check_deep(any_address=any_address)
        targets = parse_targets(
            ranges, exclude or (), allowed=None if any_address else (*PRIVATE_NETWORKS, *site.networks)
        )
        _check_output(out_file, is_resumed=is_resumed)
        plan = _Plan(
            targets=targets,
            catalogue=site.catalogue,
            login_of=_login_of(site, logins) if has_pages else lambda _: None,
            options=ScanOptions(port=port, web_port=web_port or site.web_port, rate_per_s=rate),
            out_file=out_file,
            state=_state(targets, port, out_file, is_resumed=is_resumed),
        )
        if has_pages:
            _say_no_login(targets, site)
        if is_deep:
            err.print(deep.notice(), markup=False, soft_wrap=True)
        began = time.monotonic()
        is_whole, broken = asyncio.run(_run(plan, is_deep=is_deep))
        took_s = time.monotonic() - began
        proposal = with_places(propose(plan.state.found, plan.catalogue), rules, plan.state.found)
        failure = _kept(plan, proposal, is_whole=is_whole) or broken
        if as_json:
            _write_json(plan, proposal, took_s, is_whole=is_whole, pool_users=pool_users)
        else:
            print_scan(plan.state.found, plan.state.tally, proposal, took_s, show_all=show_all)
        if failure is not None:
            raise failure
        if not is_whole:
            kept = "" if plan.state_file is None else f"; --resume continues it ({plan.state_file})"
            err.print(f"stopped before its end{kept}", markup=False, soft_wrap=True)
            raise typer.Exit(FAILED)
        if not plan.state.found:
            err.print("no unit answered", markup=False)
            raise typer.Exit(FAILED)


class _Site:
    """The part of a configuration that a scan uses; the defaults without one."""

    def __init__(self, path: Path | None) -> None:
        self.networks: tuple[Network, ...] = ()
        self.is_without_file = path is None
        self.catalogue = shipped_catalogue()
        self.login = registry.FACTORY_LOGIN
        self.web_port = 80
        if path is not None:
            config = load_config(path)
            self.networks = config.ledger.networks
            self.catalogue = load_catalogue(config)
            self.login = unit_login_of(config.identity)
            self.web_port = config.identity.web_port

    @property
    def login_networks(self) -> tuple[Network, ...]:
        """The networks whose units get a login: the ledger's; without one, the private ones, named in the ranges."""
        return PRIVATE_NETWORKS if self.is_without_file else self.networks


def _login_of(site: _Site, logins: Path | None) -> Callable[[str], Login | None]:
    known = () if logins is None else read_logins(logins)
    return login_finder(known, site.login_networks, default=site.login)


def _say_no_login(targets: Targets, site: _Site) -> None:
    """Name the ranges whose units get no login, so that their rows come without MAC address and serial number."""
    if outside := targets.outside(site.login_networks):
        more = f" and {len(outside) - _SHOWN_RANGES:,} more" if len(outside) > _SHOWN_RANGES else ""
        where = "the private networks" if site.is_without_file else "ledger.networks"
        err.print(
            f"note: not wholly in {where}, so no login is sent outside of them and no MAC address is read:"
            f" {', '.join(outside[:_SHOWN_RANGES])}{more}",
            markup=False,
            soft_wrap=True,
        )


def _check_output(out_file: Path | None, *, is_resumed: bool) -> None:
    """Refuse a file that could not be written after the scan.

    Raises:
        ConfigError: It exists already, or its folder does not.
    """
    if out_file is None:
        if is_resumed:
            raise usage_error("scan", "--resume", "", "a scan is resumed by the --out of the stopped one")
        return
    if not out_file.parent.is_dir():
        raise usage_error("scan", "--out", str(out_file), "its folder does not exist")
    if out_file.suffix.lower() in _WORKBOOKS:
        reason = "a proposal is CSV, which a spreadsheet opens under a name that ends in .csv"
        raise usage_error("scan", "--out", str(out_file), reason)
    state_file = out_file.with_name(out_file.name + SUFFIX)
    if not out_file.exists() and state_file.exists() and not is_resumed:
        reason = f"{state_file} has a scan that was not finished; --resume continues it, or remove that file"
        raise usage_error("scan", "--out", str(out_file), reason)
    if out_file.exists() and not is_resumed:
        raise usage_error(
            "scan", "--out", str(out_file), "exists already, and may have been filled in by hand; choose another name"
        )


def _state(targets: Targets, port: int, out_file: Path | None, *, is_resumed: bool) -> Unfinished:
    digest = digest_of(targets, port)
    if out_file is not None and is_resumed:
        state = read_unfinished(out_file.with_name(out_file.name + SUFFIX), targets=digest)
        if out_file.exists() and hashlib.sha256(out_file.read_bytes()).hexdigest() != state.proposal:
            reason = "was changed since its scan stopped, and would be replaced; move it away, then --resume"
            raise usage_error("scan", "--out", str(out_file), reason)
        return state
    return Unfinished(targets=digest, start=random.randrange(len(targets)), tally=Tally(addresses=len(targets)))


def _check_deep(*, any_address: bool) -> None:
    """Refuse --deep where it cannot or must not run.

    Raises:
        ConfigError: pyasic is not installed, or addresses may be public.
    """
    if not process.is_available():
        raise usage_error("scan", "--deep", "", f"pyasic is not installed here: pip install '{process.REQUIREMENT}'")
    if any_address:
        reason = "pyasic is used at private addresses only, so not together with --any-address"
        raise usage_error("scan", "--deep", "", reason)


async def _run(plan: _Plan, *, is_deep: bool) -> tuple[bool, AgentError | None]:
    """Scan until the end, a signal or a failure; return True if it was the end, and the failure.

    What was found until then is in the plan's state.
    """
    state = plan.state
    finds = scan_targets(
        plan.targets,
        catalogue=plan.catalogue,
        login_of=plan.login_of,
        options=plan.options,
        indices=state.rest(plan.targets),
        tally=state.tally,
        on_silent=state.undecided.discard,
    )
    try:
        with cancelled_by_signals():
            async with progress(state.tally), kept(state, plan.state_file), aclosing(finds):
                async for found in finds:
                    state.take(found, plan.targets)
            if is_deep:
                await _identify_deep(plan)
    except asyncio.CancelledError:
        return False, None
    except AgentError as error:
        return state.tally.is_whole, error
    return True, None


async def _identify_deep(plan: _Plan) -> None:
    """Let pyasic identify what the scan did not."""
    targets, state, options = plan.targets, plan.state, plan.options
    by_host = {found.host: found for found in state.found}
    others = (index for index in range(len(targets)) if targets[index] not in by_host)
    accepting = await deep.with_pages(
        targets.__getitem__,
        others,
        port=deep.PAGE_PORT,
        rate_per_s=options.rate_per_s,
        most_open=fitted(options).most_open,
    )
    hosts = [found.host for found in state.found if found.kind is Kind.UNIDENTIFIED]
    hosts += [targets[index] for index in accepting]
    async with aclosing(deep.identify_deep(hosts, at=time.time())) as finds:
        async for found in finds:
            by_host[found.host] = found
            state.tally.deep += 1
            state.found = list(by_host.values())


def _kept(plan: _Plan, proposal: Proposal, *, is_whole: bool) -> OSError | None:
    """Write the proposal, and what is needed to continue a stopped scan; return why that failed."""
    if plan.out_file is None or plan.state_file is None:
        return None
    try:
        data = proposal_bytes((*proposal.rows, *unread_rows(plan.state.found)))
        if not is_whole:
            plan.state.proposal = hashlib.sha256(data).hexdigest()
            write_unfinished(plan.state_file, plan.state)
        replace_file(plan.out_file, data)
        if is_whole:
            # Last: if the proposal cannot be written, --resume makes it without scanning again.
            plan.state_file.unlink(missing_ok=True)
    except OSError as error:
        return error
    return None


def _write_json(plan: _Plan, proposal: Proposal, took_s: float, *, is_whole: bool, pool_users: bool) -> None:
    fields = {
        **msgspec.to_builtins(plan.state.tally),
        "is_whole": is_whole,
        "took_s": round(took_s, 3),
        "clashes": proposal.clashes,
        "missing_models": proposal.missing_models,
    }
    finds = sorted(plan.state.found, key=lambda found: plan.targets.index_of(found.host))
    write_json_rows((as_row(found, has_pool_users=pool_users) for found in finds), fields, name="found")
