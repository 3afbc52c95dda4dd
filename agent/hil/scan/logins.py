"""The logins of a scan: which user and password the pages of which network take, from a file."""

import stat
from collections.abc import Callable, Container, Iterable
from pathlib import Path
from typing import NamedTuple

from agent.address import PRIVATE_NETWORKS, Network, parse_address, parse_network
from agent.config.mistakes import SHOWN_MISTAKES
from agent.errors import ConfigError, Mistake
from agent.files.secret import read_secret, secret_refusal
from agent.unit import registry
from agent.unit.login import Login

WHERE = "--logins"


class NetworkLogin(NamedTuple):
    """The login of all units in a network."""

    network: Network
    login: Login


def read_logins(path: Path) -> tuple[NetworkLogin, ...]:
    """Return the logins in a file: a network, a user and a password a line, separated by blanks.

    Empty lines, and lines that begin with ``#``, do not count. A password may have blanks inside.

    Raises:
        ConfigError: It cannot be read, other accounts may read it, or a line is no login. No message has a password.
    """
    text = read_secret(path, where=WHERE)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise secret_refusal(path, WHERE, f"others may read these passwords (mode {mode:04o}); chmod 600 it")
    logins: dict[Network, Login] = {}
    mistakes: list[Mistake] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split(maxsplit=2)
        if not words or words[0].startswith("#"):
            continue
        try:
            network, login = _login(words, logins)
        except ValueError as error:
            mistakes.append(Mistake(file=str(path), where=f"line {number}", value="", reason=str(error)))
        else:
            logins[network] = login
    if not logins and not mistakes:
        raise secret_refusal(path, WHERE, "no login; a line such as '10.20.0.0/22 root PASSWORD' is expected")
    if mistakes:
        raise ConfigError(mistakes[:SHOWN_MISTAKES])
    return tuple(NetworkLogin(network, login) for network, login in logins.items())


def _login(words: list[str], known: Container[Network]) -> tuple[Network, Login]:
    if len(words) != 3:
        raise ValueError("a network, a user and a password are expected, separated by blanks")
    network = parse_network(words[0] if "/" in words[0] else _of_one(words[0]))
    if network in known:
        raise ValueError(f"{network} has a login already")
    return network, login_words(words[1], words[2].strip())


def login_words(user: str, password: str) -> Login:
    """Return a user and a password as a login.

    Raises:
        ValueError: One of them cannot stand in a request. The message has no password.
    """
    if ":" in user or '"' in user or "\\" in user or not user.isprintable():
        raise ValueError('a user has none of : " \\ in it')
    if not password.isprintable():
        raise ValueError("a password is printable")
    return Login(user=user, password=password)


def _of_one(text: str) -> str:
    return f"{text}/{parse_address(text).max_prefixlen}"


def login_finder(
    logins: Iterable[NetworkLogin], networks: Iterable[Network], *, default: Login | None = registry.FACTORY_LOGIN
) -> Callable[[str], Login | None]:
    """Return a function from an address to the login of its pages; None for a page that is not asked for.

    The narrowest network of the file counts. A public address gets no login, nor does one outside the ledger's
    networks, even if the file names it: a machine there is not known to be the site's.

    Args:
        logins: As read.
        networks: Those of the ledger. Before there is one, those that the person named (DECISIONS 150).
        default: For addresses in no network of the file.
    """
    narrowest = sorted(logins, key=lambda each: -each.network.prefixlen)
    homes = tuple(networks)

    def login_of(host: str) -> Login | None:
        address = parse_address(host)
        if not any(address in private for private in PRIVATE_NETWORKS) or not any(address in home for home in homes):
            return None
        return next((login for network, login in narrowest if address in network), default)

    return login_of
