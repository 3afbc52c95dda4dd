"""Logins for units of other makes: read with the configuration, and found for a ledger row.

A row gets one only if its make and its address are those that the configuration names. Nothing is sent without.
"""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import NamedTuple

from agent.address import PRIVATE_NETWORKS, Network
from agent.config.sections import ForeignLoginSection
from agent.errors import ConfigError, Mistake
from agent.files.secret import read_password
from agent.site.ledger.entries import LedgerEntry
from agent.unit.foreign.logins import DOORS
from agent.unit.foreign.protocol import MakeLogin


class ForeignLogin(NamedTuple):
    """A login, and the networks in which units of its make get it."""

    login: MakeLogin
    networks: tuple[Network, ...]


def read_logins(
    sections: Sequence[ForeignLoginSection], networks: Iterable[Network], file: str
) -> tuple[ForeignLogin, ...]:
    """Return the logins of a configuration.

    Args:
        sections: Those of the configuration.
        networks: `ledger.networks`.
        file: The configuration's name in messages.

    Raises:
        ConfigError: With every mistake: a make without a login, a network outside, two logins for one unit, a file.
    """
    known = {make.casefold(): make for make in DOORS}
    mistakes: list[Mistake] = []
    logins: list[ForeignLogin] = []
    for number, section in enumerate(sections):
        where = f"foreign_login[{number}]"
        make = known.get(section.make.casefold())
        if make is None:
            reason = f"{' or '.join(DOORS)} is expected: no other make is logged in to"
            mistakes.append(Mistake(file=file, where=f"{where}.make", value=section.make, reason=reason))
        for network in section.networks:
            reason = _misplaced(network, networks)
            other = _first_with(logins, make, network)
            if not reason and other is not None:
                reason = f"foreign_login[{other}] is for units of {make} there too"
            if reason:
                mistakes.append(Mistake(file=file, where=f"{where}.networks", value=str(network), reason=reason))
        password = ""
        try:
            password = read_password(section.password_file, where=f"{where}.password_file")
        except ConfigError as error:
            mistakes.extend(error.mistakes)
        logins.append(ForeignLogin(MakeLogin(make or "", section.user, password), section.networks))
    if mistakes:
        raise ConfigError(mistakes)
    return tuple(logins)


def login_for(entry: LedgerEntry, logins: Iterable[ForeignLogin]) -> MakeLogin | None:
    """Return the login for a unit; None without one for its make and address."""
    if not logins:
        return None
    address, make = ip_address(entry.host), entry.nameplate.make.casefold()
    for login, networks in logins:
        if login.make.casefold() == make and any(address in network for network in networks):
            return login
    return None


def _misplaced(network: Network, allowed: Iterable[Network]) -> str:
    """Return why no password is sent to a network; empty if it may be."""
    if not any(_is_within(network, each) for each in PRIVATE_NETWORKS):
        return "a password is sent to private networks alone"
    if not any(_is_within(network, each) for each in allowed):
        return "outside ledger.networks, in which all of a site stands"
    return ""


def _is_within(network: Network, other: Network) -> bool:
    return network.version == other.version and network.subnet_of(other)  # type: ignore[arg-type]


def _first_with(logins: Sequence[ForeignLogin], make: str | None, network: Network) -> int | None:
    """Return the place of the first login for a make in a network that overlaps with one; None without one."""
    for place, (login, networks) in enumerate(logins):
        if login.make == make and any(each.version == network.version and each.overlaps(network) for each in networks):
            return place
    return None
