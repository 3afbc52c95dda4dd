"""Options that several subcommands share, and what their texts mean."""

import random
from typing import Annotated

import typer

from simulators.farm.plan import FarmError
from simulators.unit.endpoints import Endpoint, find_endpoints

SeedOption = Annotated[int | None, typer.Option(help="Random seed; drawn and printed if left out.")]
BaseOption = Annotated[str, typer.Option(help="First IPv4 address; the other units follow it.")]
AddressesOption = Annotated[
    str, typer.Option(help="Instead of --base: IPV4 or IPV4:PORT of each unit, separated by commas, or @FILE.")
]
PortOption = Annotated[int, typer.Option(min=0, max=65535, help="TCP port of every unit; 0 takes a free one.")]
RemoteOption = Annotated[bool, typer.Option(help="Also answer clients on other machines.")]


def drawn_seed(seed: int | None) -> int:
    """Return the given seed, or one drawn by the system."""
    return random.SystemRandom().randrange(1_000_000) if seed is None else seed


def is_given(context: typer.Context, name: str) -> bool:
    """Return True if an option was given and did not take its default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def listed_endpoints(context: typer.Context, addresses: str) -> tuple[Endpoint, ...]:
    """Read ``--addresses``; empty if it was not given.

    Raises:
        FarmError: ``--base`` was given as well.
        EndpointError: The list is malformed.
    """
    if not is_given(context, "addresses"):
        return ()
    if is_given(context, "base"):
        raise FarmError("--addresses and --base exclude each other")
    return find_endpoints(addresses)
