"""Exposure of the server to its network, in words for the log and the page."""

from ipaddress import ip_address

from agent.address import Endpoint
from agent.exporters.web.door.web_file import WebFile

_NOTHING = "no TLS and no users: anyone on that network can read everything, and tokens cross it in the clear"
_NO_TLS = "no TLS: passwords, tokens and figures cross that network in the clear"
_NO_USERS = "no users: anyone on that network can read everything"


def exposure(listen: Endpoint, file: WebFile | None) -> str | None:
    """Return what is missing where the server listens beyond this machine; None if nothing is."""
    if ip_address(listen.host).is_loopback:
        return None
    has_tls = file is not None and file.tls is not None
    knows_clients = file is not None and (bool(file.users) or (file.tls is not None and file.tls.needs_certificate))
    if has_tls and knows_clients:
        return None
    missing = _NO_USERS if has_tls else _NO_TLS if knows_clients else _NOTHING
    advice = " and ".join(
        key for key, is_there in (("tls_server_config", has_tls), ("basic_auth_users", knows_clients)) if not is_there
    )
    return f"it listens on {listen} with {missing} (web.config_file: {advice})"
