"""The addresses of real units, as the command line names them."""

from agent.address import PRIVATE_NETWORKS, Endpoint, parse_endpoint

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
        except ValueError as error:
            raise ValueError(f"{part!r}: {error}") from error
        if not any(address in network for network in PRIVATE_NETWORKS):
            raise ValueError(f"{part!r}: not a private address; real units are looked at in private networks only")
        unit = Endpoint(str(address), port)
        if unit in units:
            raise ValueError(f"{part!r} stands twice; a unit serves one client at a time")
        units.append(unit)
    if len(units) > MOST_UNITS:
        raise ValueError(f"{len(units)} units are too many at once; at most {MOST_UNITS}")
    return tuple(units)
