"""Address and credentials of each broker, with the secrets and certificates from the configuration read and checked."""

import hashlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agent.config.sections import MqttSection
from agent.errors import ConfigError, Mistake
from agent.files.regular import refuse_irregular
from agent.files.secret import read_password
from agent.tls import client_context


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Address and credentials of one broker.

    Attributes:
        name: Name in logs and labels.
        host, port: Address; a host name is looked up.
        protocol: Version of MQTT.
        client_id: The same at every connection, so that the broker ends an old connection that it still holds.
        username, password: None for a broker that needs none.
        tls: Context of an encrypted connection; None for a plain one.
        keepalive_s: After one and a half times this long without a packet the broker considers the client gone, s.
    """

    name: str
    host: str
    port: int
    protocol: Literal["3.1.1", "5"] = "3.1.1"
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    keepalive_s: int = 15

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class _ClosingSocket(ssl.SSLSocket):
    """A socket that closes itself when its handshake fails; paho 2.2.0 leaves that to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002  the signature is the library's
        """Do the handshake; on failure, close the socket."""
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def run_mark(links: Sequence[Link]) -> str:
    """Return the first 8 digits of the ids of all runs of the agent with these links, over restarts.

    Client ids tell agents apart at a broker, so they tell their runs apart too.
    """
    return hashlib.blake2s("\n".join(link.client_id for link in links).encode(), digest_size=4).hexdigest()


def outbox_path(section: MqttSection, config_file: Path) -> Path:
    """Return the path of a broker's outbox."""
    return section.outbox_file or config_file.with_suffix(f".mqtt-{section.name}.sqlite")


def read_links(sections: Sequence[MqttSection], *, site: str, file: Path, is_standby: bool = False) -> tuple[Link, ...]:
    """Return the link to each broker.

    Args:
        sections: The brokers' sections of the configuration.
        site: The site's name.
        file: The configuration file.
        is_standby: True for a second agent, which must not end the first one's connections.

    Raises:
        ConfigError: With every mistake in the files that the sections name. It contains no secret.
    """
    links: list[Link] = []
    mistakes: list[Mistake] = []
    for number, section in enumerate(sections):
        password, tls = None, None
        where = f"mqtt[{number}]"
        try:
            if section.password_file is not None:
                password = read_password(section.password_file, where=f"{where}.password_file")
            if section.tls:
                tls = _tls_context(section, where=where, file=str(file))
        except ConfigError as error:
            mistakes.extend(error.mistakes)
        links.append(
            Link(
                name=section.name,
                host=section.host,
                port=section.port,
                protocol=section.protocol,
                client_id=section.client_id or f"hashsight-{site}-{section.name}{'-standby' if is_standby else ''}",
                username=section.username,
                password=password,
                tls=tls,
                keepalive_s=section.keepalive_s,
            )
        )
    if mistakes:
        raise ConfigError(mistakes)
    return tuple(links)


def _tls_context(section: MqttSection, *, where: str, file: str) -> ssl.SSLContext:
    """Return a context that trusts the configured authority.

    Raises:
        ConfigError: A file cannot be read, or contains no certificate.
    """
    key, path = "ca_file", section.ca_file
    try:
        if section.ca_file is not None:
            refuse_irregular(section.ca_file)
        context = client_context(section.ca_file)
        if section.cert_file is not None and section.key_file is not None:
            key, path = "cert_file", section.cert_file
            refuse_irregular(section.cert_file)
            refuse_irregular(section.key_file)
            # Without `password`, an encrypted key would prompt for one on the terminal.
            context.load_cert_chain(section.cert_file, section.key_file, password=_no_password)
    except ssl.SSLError as error:
        if key == "cert_file":
            reason = "contains no certificate, or the key does not match it"
        else:
            reason = "contains no certificate"
        raise _mistake(file, f"{where}.{key}", path, reason) from error
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise _mistake(file, f"{where}.{key}", path, f"cannot be read: {reason}") from error
    context.sslsocket_class = _ClosingSocket
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted; use one without a password, of mode 0600")


def _mistake(file: str, where: str, path: Path | None, reason: str) -> ConfigError:
    return ConfigError([Mistake(file=file, where=where, value=str(path or ""), reason=reason)])
