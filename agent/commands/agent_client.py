"""A running agent, as commands talk to it: where it is, the token it asks for, one request at a time."""

import http.client
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from agent.config.file import load_config
from agent.errors import AgentError, ConfigError, Mistake
from agent.exporters.web.bearer import Token, read_token

TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 64 << 20
# What "listen on every address" means to somebody on the same machine.
_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class AnswerError(AgentError):
    """The agent cannot be reached, or said no; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningAgent:
    """Where an agent answers.

    Attributes:
        url: ``http://HOST:PORT`` or ``https://HOST[:PORT]``, with a path before the API's where a proxy wants one.
        token: What it asks for.
        zone: The site's, to read and show local times in.
    """

    url: str
    token: Token
    zone: ZoneInfo

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send one request; give the decoded answer.

        Raises:
            AnswerError: No good answer within `TIMEOUT_S`.
        """
        address = urlsplit(self.url)
        headers = {"Authorization": f"Bearer {self.token.text}", "Accept": "application/json"}
        data = None
        if body is not None:
            data, headers["Content-Type"] = msgspec.json.encode(body), "application/json"
        host, port = address.hostname or "", address.port
        connection = (
            http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=ssl.create_default_context())
            if address.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        )
        try:
            connection.request(method, address.path.rstrip("/") + path, body=data, headers=headers)
            response = connection.getresponse()
            text = response.read(MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise AnswerError(f"no answer from {self.url}: {error}") from error
        finally:
            connection.close()
        try:
            answer = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise AnswerError(f"{self.url} answered {response.status} and no JSON; is it hashsight?") from error
        if not 200 <= response.status < 300:
            reason = answer.get("error") if isinstance(answer, dict) else None
            raise AnswerError(f"refused ({response.status}): {reason or response.reason}")
        return answer


def running_agent(config: Path | None, *, url: str | None, token_file: Path | None) -> RunningAgent:
    """Give the agent that a configuration describes, or that is told by address and token.

    Args:
        config: Its configuration; gives whatever is not told.
        url: Where it answers.
        token_file: The file with its token.

    Raises:
        ConfigError: For what is missing or wrong.
    """
    zone = ZoneInfo("UTC")
    if config is not None:
        settings = load_config(config)
        zone = settings.site.zone
        token_file = token_file or settings.api.token_file
        if url is None:
            host, port = settings.web.listen
            host = _HERE.get(host, host)
            url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        if token_file is None:
            raise _mistake(str(config), "api.token_file", "this key is needed to change anything over HTTP")
    if url is None or token_file is None:
        raise _mistake("curtail", "command line", "--config is needed, or --url with --token-file")
    _check_url(url)
    return RunningAgent(url=url, token=read_token(token_file, where="--token-file"), zone=zone)


def _check_url(url: str) -> None:
    try:
        address = urlsplit(url)
        is_good = address.scheme in {"http", "https"} and bool(address.hostname) and address.port != 0
    except ValueError:
        is_good = False
    if not is_good or address.username or address.query or address.fragment or not url.isprintable() or " " in url:
        raise _mistake("curtail", "--url", "an address such as http://127.0.0.1:9184 is expected")


def _mistake(file: str, where: str, reason: str) -> ConfigError:
    return ConfigError([Mistake(file=file, where=where, value="", reason=reason)])
