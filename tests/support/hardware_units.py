"""The addresses of real units, as the command line names them."""

from agent.address import Endpoint, parse_endpoint
from agent.hil.scan.ranges import refuse_public

MOST_UNITS = 64
API_PORT = 4028


def read_units(text: str) -> tuple[Endpoint, ...]:
    """Return the units of ``10.20.0.11,10.20.0.12:4029``; none of an empty text.

    Raises:
        ValueError: One is no address, is public, or stands twice; or there are more than `MOST_UNITS`.
    """
    units: list[Endpoint] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            address, port = parse_endpoint(part, default_port=API_PORT)
            refuse_public(address, ())
        except ValueError as error:
            raise ValueError(f"{part!r}: {error}") from error
        unit = Endpoint(str(address), port)
        if unit in units:
            raise ValueError(f"{part!r} stands twice; a unit serves one client at a time")
        units.append(unit)
    if len(units) > MOST_UNITS:
        raise ValueError(f"{len(units)} units are too many at once; at most {MOST_UNITS}")
    return tuple(units)
