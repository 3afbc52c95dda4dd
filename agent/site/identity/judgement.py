"""Judgements over sightings: where a unit is, and whose readings an address gives.

nothing seen ................. unverified: readings are credited as the ledger says
the unit at its home ......... verified
the unit at another address .. moved: readings there are its own
another unit at its home ..... displaced: unreadable, and searched for

A unit does not move while its home still answers as it did: a page elsewhere may show its MAC address by mistake, or on
purpose.
"""

from agent.address import Endpoint
from agent.site.identity.address_memory import AddressMemory
from agent.site.identity.routes import Routes
from agent.site.identity.whereabouts import Standing, Whereabouts
from agent.site.identity.whereabouts_table import WhereaboutsTable


def place_of(unit_id: str, memory: AddressMemory, routes: Routes) -> Endpoint | None:
    """Return where a unit was seen; None if nowhere.

    Its home wins while it answers as the unit. Among other addresses an undoubted one wins, then its home, then the
    latest.
    """
    home = routes.home(unit_id)
    if memory.answers_as(unit_id, home):
        return home if home in memory.places(unit_id) else None

    def rank(endpoint: Endpoint) -> tuple[bool, bool, float]:
        look = memory.look(endpoint)
        return not look.is_doubtful, endpoint == home, look.sighting.at if look.sighting else 0.0

    return max(memory.places(unit_id), key=rank, default=None)


def judge(unit_id: str, memory: AddressMemory, routes: Routes) -> Whereabouts:
    """Return where a unit in force is, by everything that was seen."""
    home = routes.home(unit_id)
    place = place_of(unit_id, memory, routes)
    occupant = memory.at(home)
    if place is not None:
        standing = Standing.VERIFIED if place == home else Standing.MOVED
    elif occupant is not None and (occupant.is_unknown or occupant.unit_id not in {None, unit_id}):
        standing = Standing.DISPLACED
    else:
        standing = Standing.UNVERIFIED
    seen = None if place is None else memory.at(place)
    return Whereabouts(unit_id=unit_id, standing=standing, home=home, place=place, seen=seen, occupant=occupant)


def owner_of(expected: str, memory: AddressMemory, routes: Routes, table: WhereaboutsTable) -> str | None:
    """Return the unit to credit with readings from the address where `expected` is polled; None to credit no unit."""
    endpoint = routes.endpoint(expected) or routes.home(expected)
    sighting = memory.at(endpoint)
    # The page says who answers; where it says nothing, the ledger does.
    if sighting is not None and sighting.unit_id is not None:
        return sighting.unit_id if table[sighting.unit_id].place == endpoint else None
    if sighting is not None and sighting.is_unknown:
        return None
    return expected if table[expected].place in {None, endpoint} else None
