"""The operator's file of a fleet and everything it names, checked: whole, or every mistake."""

import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from agent.config.fleet import FleetConfig, FleetSiteSection, load_fleet
from agent.errors import ConfigError, Mistake
from agent.exporters.web.bearer import read_token
from agent.exporters.web.door.web_file import WebFile, read_web_file
from agent.files.secret import read_password
from agent.standby.watch import read_authority
from agent.tls import client_context

log = structlog.get_logger("agent.fleet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One site of the fleet, ready to be asked.

    Attributes:
        section: Its configuration.
        credentials: The ``Authorization`` header that its agents get; None for none.
        tls: The certificates to trust.
    """

    section: FleetSiteSection
    credentials: str | None = field(repr=False)
    tls: ssl.SSLContext = field(repr=False)

    @property
    def name(self) -> str:
        """Its name."""
        return self.section.name


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSetup:
    """A fleet's configuration and everything it names.

    Attributes:
        path: The file.
        config: Its content.
        sites: By name, in the order of the file.
        web_config_file: The web configuration file that the command line names instead of the file's.
        web_file: What the web configuration file says; None without one.
    """

    path: Path
    config: FleetConfig
    sites: Mapping[str, Site]
    web_config_file: Path | None = None
    web_file: WebFile | None = None


def load_fleet_setup(path: Path, *, web_config_file: Path | None = None) -> FleetSetup:
    """Read the file of a fleet, and the secrets and certificates that it names; no socket is opened.

    Args:
        path: The file.
        web_config_file: The web configuration file, instead of the one that it names.

    Raises:
        ConfigError: With every mistake.
    """
    config = load_fleet(path)
    mistakes: list[Mistake] = []
    # A context with the system's authorities takes a megabyte, so sites share those of one file.
    contexts: dict[Path | None, ssl.SSLContext] = {}
    sites: dict[str, Site] = {}
    for number, section in enumerate(config.site):
        try:
            where = f"site[{number}].ca_file"
            if section.ca_file not in contexts:
                contexts[section.ca_file] = read_authority(section.ca_file, where=where) or client_context()
            credentials = _credentials(section, where=f"site[{number}]")
        except ConfigError as error:
            mistakes.extend(error.mistakes)
        else:
            tls = contexts[section.ca_file]
            sites[section.name] = Site(section=section, credentials=credentials, tls=tls)
    web_path, web_file = web_config_file or config.fleet.web_config_file, None
    try:
        web_file = None if web_path is None else read_web_file(web_path)
    except ConfigError as error:
        mistakes.extend(error.mistakes)
    if mistakes:
        raise ConfigError(mistakes)
    return FleetSetup(path=path, config=config, sites=sites, web_config_file=web_config_file, web_file=web_file)


def warn_of_open_credentials(setup: FleetSetup) -> None:
    """Log the sites whose credentials travel without TLS."""
    for site in setup.sites.values():
        if site.credentials is not None and any(url.startswith("http:") for url in site.section.urls):
            log.warning("credentials without tls", site=site.name, key="url", expected="https")


def _credentials(section: FleetSiteSection, *, where: str) -> str | None:
    if section.token_file is not None:
        return f"Bearer {read_token(section.token_file, where=f'{where}.token_file').text}"
    if section.user is None or section.password_file is None:
        return None
    password = read_password(section.password_file, where=f"{where}.password_file")
    return f"Basic {base64.b64encode(f'{section.user}:{password}'.encode()).decode()}"
