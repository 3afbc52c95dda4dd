"""The links in alerts: placeholders in the shipped rules, and what an operator may put in their place. Pure."""

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

GRAFANA = "https://grafana.example"
RUNBOOKS = "https://runbooks.example/hashsight"
"""The placeholders: no name below `.example` is ever assigned, so a forgotten one leads nowhere."""

# No space, quote, brace, query or fragment: links go into YAML and templates, and get paths appended.
_LINK = re.compile(r"[A-Za-z0-9._~:/%+,;=@\[\]-]+")
_LOCAL_NAMES = {"", "localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"}
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")


class Links(NamedTuple):
    """Addresses that alerts lead to.

    Attributes:
        grafana: Grafana's address; dashboards are at ``/d/UID`` below it.
        runbooks: Address of the folder of runbooks; a page is ``/NAME.md`` below it.
    """

    grafana: str
    runbooks: str

    def put_into(self, text: str) -> str:
        """Return a shipped text with these links in place of the placeholders."""
        return text.replace(GRAFANA, self.grafana).replace(RUNBOOKS, self.runbooks)


def checked_link(link: str, *, may_be_local: bool = False) -> str:
    """Return a link without its trailing slash.

    Args:
        link: As an operator gave it.
        may_be_local: Accept `http`, `file` and loopback, which lead nowhere from another machine.

    Raises:
        ValueError: It does not lead to a page from a phone; the message is for operators.
    """
    if not _LINK.fullmatch(link):
        raise ValueError("an address such as https://grafana.mine.net is expected, without spaces, quotes, `?` and `#`")
    try:
        parts = urlsplit(link)
    except ValueError:
        raise ValueError("a host name or an IP address is expected after https://") from None
    reason = _scheme_refusal(parts, may_be_local=may_be_local) or _host_refusal(parts, may_be_local=may_be_local)
    if reason:
        raise ValueError(reason)
    return link.rstrip("/")


def production_refusal(link: str) -> str | None:
    """Return why a link must not be shipped to production; None if it may be, or is a placeholder."""
    parts = urlsplit(link)
    return _scheme_refusal(parts, may_be_local=False) or _loopback_refusal(parts)


def _scheme_refusal(parts: SplitResult, *, may_be_local: bool) -> str | None:
    if parts.scheme == "https" or (may_be_local and parts.scheme in {"http", "file"}):
        return None
    if may_be_local:
        return "https, http or file is expected"
    if parts.scheme == "file":
        return "https is expected: a phone cannot open a file of this machine"
    return "https is expected: links of alerts are opened from anywhere"


def _host_refusal(parts: SplitResult, *, may_be_local: bool) -> str | None:
    if parts.scheme == "file":
        return None if parts.netloc == "" and parts.path.startswith("/") else "file:///PATH is expected"
    if "@" in parts.netloc:
        return "no user or password: every receiver of an alert would see it"
    if not _HOST.fullmatch(parts.hostname or "") or not _has_port(parts):
        return "a host name or an IP address is expected, and a port from 1 to 65535 if any"
    if may_be_local:
        return None
    if (parts.hostname or "").rstrip(".").endswith(".example"):
        return f"{parts.hostname} is a placeholder; give the address of your own"
    return _loopback_refusal(parts)


def _has_port(parts: SplitResult) -> bool:
    """Return True if the port may be one, or none is given."""
    try:
        return parts.port != 0
    except ValueError:
        return False


def _loopback_refusal(parts: SplitResult) -> str | None:
    host = (parts.hostname or "").rstrip(".")
    is_local = host in _LOCAL_NAMES or host.endswith(".localhost")
    try:
        address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(host)
    except ValueError:
        # Short, octal and hexadecimal spellings of IPv4 addresses, which browsers accept, may mean any address.
        if re.fullmatch(r"[0-9.]+|0x[0-9a-f.x]+", host):
            return "an IPv4 address is four numbers from 0 to 255 without leading zeros"
    else:
        address = getattr(address, "ipv4_mapped", None) or address
        is_local = address.is_loopback or address.is_unspecified
    return "a loopback address is refused: it leads to the machine of the one who reads the alert" if is_local else None
