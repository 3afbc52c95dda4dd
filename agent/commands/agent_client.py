"""A client of a running agent's HTTP API: its address, its token, one request at a time."""

import http.client
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from agent.commands.site_file import site_file
from agent.config.file import Config, load_config
from agent.errors import AgentError, ConfigError, Mistake
from agent.exporters.web.bearer import Token, read_token
from agent.exporters.web.door.web_file import read_web_file
from agent.runtime.credentials import with_stand_ins
from agent.standby.watch import read_authority
from agent.tls import client_context

TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 64 << 20
# An agent that listens on every address is reached over loopback from the same machine.
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class AnswerError(AgentError):
    """The agent cannot be reached or refused the request; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningAgent:
    """Address and credentials of an agent.

    Attributes:
        url: ``http://HOST:PORT`` or ``https://HOST[:PORT]``, with a path prefix if a proxy needs one.
        token: Its bearer token; None where none is needed.
        zone: The site's time zone, for reading and printing local times.
        tls: How its certificate is checked, for https; None for the system's authorities.
    """

    url: str
    token: Token | None
    zone: ZoneInfo
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send one request and return the decoded answer.

        Raises:
            AnswerError: No good answer within `TIMEOUT_S`.
        """
        address = urlsplit(self.url)
        headers = {"Accept": "application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token.text}"
        data = None
        if body is not None:
            data = msgspec.json.encode(body)
            headers["Content-Type"] = "application/json"
        host, port = address.hostname or "", address.port
        if address.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=TIMEOUT_S, context=self.tls or client_context()
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        try:
            connection.request(method, address.path.rstrip("/") + path, body=data, headers=headers)
            response = connection.getresponse()
            text = response.read(MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            trouble = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise AnswerError(f"no answer from {self.url}: {trouble}") from error
        finally:
            connection.close()
        try:
            answer = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise AnswerError(f"{self.url} answered {response.status} without JSON; is it hashsight?") from error
        if not 200 <= response.status < 300:
            reason = answer.get("error") if isinstance(answer, dict) else None
            raise AnswerError(f"refused ({response.status}): {reason or response.reason}")
        return answer


def running_agent(
    config: Path | None,
    *,
    url: str | None,
    token_file: Path | None,
    ca_file: Path | None = None,
) -> RunningAgent:
    """Return the agent that a configuration describes, or that address and token name.

    Args:
        config: Its configuration; supplies what the other two leave out, and is looked for if they leave out any.
        url: Its address.
        token_file: The file with its token.
        ca_file: Authorities to trust for https; by default the system's, and the agent's own certificate if its
            configuration names it.

    Raises:
        ConfigError: Something is missing or wrong.
    """
    zone = ZoneInfo("UTC")
    tls = read_authority(ca_file, where="--ca-file")
    if config is None and (url is None or token_file is None):
        config = site_file(None, "curtail", instead=", or an agent with --url and --token-file")
    if config is not None:
        settings, _ = with_stand_ins(load_config(config), config, needed={"api", "web"})
        zone = settings.site.zone
        token_file = token_file or settings.api.token_file
        if url is None:
            url, own_tls = own_address(settings)
            tls = tls or own_tls
        if token_file is None:
            raise _mistake(str(config), "api.token_file", "this key is needed to change anything over HTTP")
    if url is None or token_file is None:
        raise _mistake("curtail", "command line", "--config is needed, or --url with --token-file")
    check_url(url, "curtail")
    return RunningAgent(url=url, token=read_token(token_file, where="--token-file"), zone=zone, tls=tls)


def viewed_agent(
    config: Path | None,
    *,
    url: str | None,
    token_file: Path | None,
    ca_file: Path | None,
    command: str = "top",
    as_operator: bool = False,
) -> RunningAgent:
    """Return an agent to look at: the one at an address, or the one that a configuration describes.

    Args:
        config: Its configuration, if no address is given; looked for if left out. Its token is sent if this account
            may read it, a viewer's first.
        url: Its address.
        token_file: The file with a token; None for the configuration's, and for none at another address.
        ca_file: As for `running_agent`.
        command: The command, for messages.
        as_operator: True to send an operator's token first, for what a viewer is shown only in part.

    Raises:
        ConfigError: Something is missing or wrong.
    """
    tls = read_authority(ca_file, where="--ca-file")
    zone = ZoneInfo("UTC")
    token = None if token_file is None else read_token(token_file, where="--token-file")
    if url is None:
        path = site_file(config, command, instead=", or an agent with --url")
        settings, _ = with_stand_ins(load_config(path), path, needed={"web"})
        zone = settings.site.zone
        files = settings.api.viewer_token_file, settings.api.token_file
        for file in reversed(files) if as_operator else files:
            token = token or _readable(file)
        url, own_tls = own_address(settings)
        tls = tls or own_tls
    check_url(url, command)
    return RunningAgent(url=url, token=token, zone=zone, tls=tls)


def _readable(path: Path | None) -> Token | None:
    """Return the token in a file; None if this account may not read it, as most agents answer on loopback without."""
    try:
        return None if path is None else read_token(path, where="api.token_file")
    except ConfigError:
        return None


def own_address(settings: Config) -> tuple[str, ssl.SSLContext | None]:
    """Return the address at which the agent of a configuration answers on this machine, and how to trust it there.

    Raises:
        ConfigError: Its web configuration file cannot be read.
    """
    host, port = settings.web.listen
    host = _LOOPBACK.get(host, host)
    certificate = _certificate(settings.web.config_file)
    scheme = "https" if certificate else "http"
    url = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
    return url, _pinned(certificate) if certificate else None


def _certificate(web_config_file: Path | None) -> str:
    """Return the agent's own certificate; empty if it speaks HTTP."""
    web_file = None if web_config_file is None else read_web_file(web_config_file)
    return "" if web_file is None or web_file.tls is None else web_file.tls.certificate


def _pinned(certificate: str) -> ssl.SSLContext:
    """Return a context that trusts one certificate, whatever name it is for: the address is this machine's own."""
    context = client_context(pem=certificate)
    context.check_hostname = False
    return context


def check_url(url: str, command: str, option: str = "--url") -> None:
    """Refuse an address that is not ``http://HOST`` or ``https://HOST``, with port and path as needed.

    Raises:
        ConfigError: It is none.
    """
    try:
        address = urlsplit(url)
        is_good = address.scheme in {"http", "https"} and bool(address.hostname) and address.port != 0
        # A name with an empty or overlong label cannot be looked up.
        (address.hostname or "").encode("idna")
    except ValueError:
        is_good = False
    if not is_good or address.username or address.query or address.fragment or not url.isprintable() or " " in url:
        raise _mistake(command, option, "an address such as http://127.0.0.1:9184 is expected")


def _mistake(file: str, where: str, reason: str) -> ConfigError:
    return ConfigError([Mistake(file=file, where=where, value="", reason=reason)])
