"""The options that commands have in common: how they are given, and what is made of them."""

import contextlib
import ipaddress
import random
from pathlib import Path
from typing import Annotated

import typer

from simulators.farm.plan import FarmError
from simulators.commands.hosting import Doors
from simulators.scenario.durations import read_duration
from simulators.unit.builds import Line
from simulators.unit.endpoints import Endpoint, find_endpoints

SeedOption = Annotated[int | None, typer.Option(help="Seed of everything random; drawn and printed when left out.")]
BaseOption = Annotated[str, typer.Option(help="First IPv4 address; the others follow it.")]
AddressesOption = Annotated[
    str, typer.Option(help="Instead of --base: IPV4 or IPV4:PORT for each unit, with commas between, or @FILE.")
]
PortOption = Annotated[int, typer.Option(min=0, max=65535, help="TCP port of every unit; 0 takes a free one.")]
HttpPortOption = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="TCP port of every unit's web pages, 80 on real ones; 0 for a free one."),
]
PowerPortOption = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="TCP port of every unit's /miner_power, 6060 where real ones have it at all."),
]
PowerLinesOption = Annotated[str, typer.Option(help="Firmware lines that have /miner_power.")]
ControlOption = Annotated[str, typer.Option(help="HOST:PORT of the control API; empty for none.")]
LedgerOption = Annotated[Path | None, typer.Option(help="Write the farm's ledger for an agent to this CSV file.")]
RemoteOption = Annotated[bool, typer.Option(help="Also answer clients that are not on this machine.")]


def drawn_seed(seed: int | None) -> int:
    """Give the seed that was said, or else one drawn from the system."""
    return random.SystemRandom().randrange(1_000_000) if seed is None else seed


def refuse_beside_file(context: typer.Context) -> None:
    """Refuse options that say what the file of ``--farm`` says.

    Raises:
        FarmError: The first of them.
    """
    said = {
        "units",
        "base",
        "addresses",
        "mix",
        "containers",
        "off",
        "asleep",
        "starting",
        "missing_board",
        "missing_chips",
        "slow",
    }
    for name in sorted(said):
        if is_said(context, name):
            raise FarmError(f"--{name.replace('_', '-')} and --farm exclude each other: the file says it")


def is_said(context: typer.Context, name: str) -> bool:
    """Say whether an option was given, and not left at its default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def listed_endpoints(context: typer.Context, addresses: str) -> tuple[Endpoint, ...]:
    """Read ``--addresses``; empty where it was not given.

    Raises:
        FarmError: ``--base`` was given as well.
        EndpointError: It is no such list.
    """
    if not is_said(context, "addresses"):
        return ()
    if is_said(context, "base"):
        raise FarmError("--addresses and --base exclude each other")
    return find_endpoints(addresses)


def read_every(text: str, duration_s: float) -> float | None:
    """Read ``--every`` for a scenario of a length, in seconds; None where it was not given.

    Raises:
        FarmError: No length of time, or one so short that it would fill the screen for ever.
    """
    if not text:
        return None
    try:
        every_s = read_duration(text)
    except ValueError as error:
        raise FarmError(f"--every {text!r}: {error}") from error
    if not duration_s / 100_000 <= every_s:
        raise FarmError(f"--every {text!r}: more than a hundred thousand lines would come of it")
    return every_s


def read_doors(
    *,
    port: int,
    http_port: int | None,
    power_port: int | None,
    power_lines: str,
    control: str,
    ledger_out: Path | None,
    allow_remote: bool,
) -> Doors:
    """Give where a farm is to be reached.

    Raises:
        FarmError: No such firmware line, or no such address of the control API.
    """
    return Doors(
        api=port,
        http=http_port,
        power=power_port,
        power_lines=_read_lines(power_lines),
        control=_control_address(control),
        ledger_out=ledger_out,
        allow_remote=allow_remote,
    )


def _read_lines(text: str) -> frozenset[Line]:
    try:
        return frozenset(Line(name.strip()) for name in text.split(","))
    except ValueError:
        raise FarmError(f"firmware lines {text!r} are not a list of {', '.join(Line)}") from None


def _control_address(text: str) -> tuple[str, int] | None:
    host, colon, port = text.rpartition(":")
    if not text:
        return None
    with contextlib.suppress(ValueError):
        ipaddress.IPv4Address(host)
        if colon and 0 <= int(port) <= 65535:
            return host, int(port)
    raise FarmError(f"control address {text!r} is not IPV4:PORT")
