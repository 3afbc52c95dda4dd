"""Values of options, given or left out: the seed, the addresses of units."""

import random

import typer

from simulators.farm.plan import FarmError
from simulators.unit.endpoints import Endpoint, find_endpoints


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
