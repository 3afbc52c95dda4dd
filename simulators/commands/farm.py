"""`hashsight-sim farm`: a farm from options or from a file."""

from pathlib import Path

import typer

from simulators.commands.exit_status import clear_errors
from simulators.commands.given import drawn_seed, is_given, listed_endpoints
from simulators.commands.hosting import host_farm
from simulators.commands.listeners import read_listeners
from simulators.commands.process import run_until_done
from simulators.farm.plan import AnyKind, FarmError, FarmPlan, Troubles, read_likes, read_mix, read_owners, read_share
from simulators.scenario.scenario import load_farm
from simulators.strangers.surroundings import Surroundings, read_elsewhere, read_strangers

# Options for which the file of ``--farm`` has keys.
_IN_FILE = (
    *("addresses", "asleep", "base", "containers", "missing_board", "missing_chips"),
    *("like", "mix", "off", "slow", "starting", "units", "strangers", "elsewhere", "latency_ms", "loss", "owners"),
)


def run(
    context: typer.Context,
    *,
    file: Path | None,
    units: int,
    seed: int | None,
    base: str,
    addresses: str,
    port: int,
    http_port: int | None,
    no_pages: bool,
    power_port: int | None,
    power_lines: str,
    control: str,
    report_to: str,
    mix: str,
    like: list[str] | None,
    containers: int,
    owners: str,
    off: str,
    asleep: str,
    starting: str,
    missing_board: str,
    missing_chips: str,
    slow: str,
    strangers: list[str] | None,
    elsewhere: str,
    latency_ms: float,
    loss: str,
    ledger_out: Path | None,
    allow_remote: bool,
) -> None:
    """Serve a farm from options or from a file."""
    with clear_errors():
        if file is not None:
            plan = _plan_from_file(context, file, seed)
        else:
            endpoints = listed_endpoints(context, addresses)
            units = len(endpoints) if endpoints and not is_given(context, "units") else units
            plan = FarmPlan(
                units=units,
                seed=drawn_seed(seed),
                base=base,
                endpoints=endpoints,
                mix=_kinds(context, mix, like or []),
                containers=containers if is_given(context, "containers") else min(containers, units),
                owners=read_owners(owners),
                troubles=Troubles(
                    off=read_share(off),
                    asleep=read_share(asleep),
                    starting=read_share(starting),
                    missing_board=read_share(missing_board),
                    missing_chips=read_share(missing_chips),
                    slow=read_share(slow),
                ),
                around=Surroundings(
                    strangers=tuple(map(read_strangers, strangers or ())),
                    elsewhere=read_elsewhere(elsewhere),
                    latency_s=latency_ms / 1000.0,
                    loss_ratio=read_share(loss),
                ),
            )
        listeners = read_listeners(
            port=port,
            http_port=http_port,
            no_pages=no_pages,
            power_port=power_port,
            power_lines=power_lines,
            control=control,
            report_to=report_to,
            ledger_out=ledger_out,
            allow_remote=allow_remote,
        )
        run_until_done(host_farm(plan, listeners))


def _kinds(context: typer.Context, mix: str, likes: list[str]) -> dict[AnyKind, float]:
    """Return the kinds of units with their shares.

    Raises:
        FarmError: Both options are given, or one is wrong.
    """
    if not likes:
        return read_mix(mix)
    if is_given(context, "mix"):
        raise FarmError("--like and --mix exclude each other; in --mix a twin is like:CAPTURE=SHARE")
    return read_likes(likes)


def _plan_from_file(context: typer.Context, path: Path, seed: int | None) -> FarmPlan:
    """Return the plan in a file.

    Raises:
        FarmError: An option was given that the file has a key for.
        TomlError: The file is wrong.
    """
    for name in _IN_FILE:
        if is_given(context, name):
            raise FarmError(f"--{name.replace('_', '-')} and --farm exclude each other: the file has a key for it")
    file = load_farm(path)
    return file.plan(seed=drawn_seed(file.seed if seed is None else seed))
