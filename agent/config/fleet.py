"""The file of a fleet server: which agents it asks, how, and where it answers itself."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, Strict, ValidationInfo, field_validator, model_validator

from agent.address import Endpoint
from agent.config.file import MAX_CONFIG_BYTES, parse_sections
from agent.config.sections import Section
from agent.config.values import AgentUrl, FilePath, Host, Listen, Name, Place, TimeZone, between, parse_user, parsed
from agent.files.text import read_text

MAX_SITES = 500


def _default_stale_after_s(given: Mapping[str, float]) -> float:
    # As for units: two answers may fail before a site is late.
    return max(3 * given["interval_s"], given["interval_s"] + given["deadline_s"])


class FleetSection(Section):
    """The fleet server.

    Attributes:
        name: Title of its pages.
        zone: Time zone of its pages.
        listen: Address and port; port 0 binds any free one.
        hosts: Names under which clients may ask for it, besides IP addresses and the names of this machine.
        web_config_file: TLS, users and limits, in the form of Prometheus' exporters; None for none of these.
        max_connections: Maximum open connections; at the limit a new one takes the place of an idle one.
        interval_s: Time from one answer of an agent to its next.
        deadline_s: Deadline for a whole answer, connecting included.
        stale_after_s: Age at which an answer no longer counts; default: three intervals.
        backoff_max_s: Maximum back-off of an agent that does not answer, unless the interval is longer.
    """

    name: Place = "fleet"
    zone: TimeZone = Field(default="UTC", validate_default=True)
    # Beside an agent of the same machine, which has 9184.
    listen: Listen = Endpoint("127.0.0.1", 9185)
    hosts: Annotated[tuple[Host, ...], Strict(strict=False)] = ()
    web_config_file: FilePath | None = None
    max_connections: Annotated[int, between(1, 65_536)] = 256
    interval_s: Annotated[float, between(1, 3600)] = 10.0
    # Through a tunnel over a mobile network, half a megabyte at 2 Mbit/s takes two seconds.
    deadline_s: Annotated[float, between(0.1, 300)] = 5.0
    stale_after_s: Annotated[float, between(1, 86400)] = Field(default_factory=_default_stale_after_s)
    backoff_max_s: Annotated[float, between(1, 600)] = 60.0

    @field_validator("stale_after_s")
    @classmethod
    def _check_stale_after(cls, stale_after_s: float, info: ValidationInfo) -> float:
        least_s = info.data.get("interval_s", 0.0) + info.data.get("deadline_s", 0.0)
        if stale_after_s < least_s:
            raise ValueError(
                f"at least fleet.interval_s + fleet.deadline_s ({least_s:g}) is expected:"
                " else a slow site is late between two good answers"
            )
        return stale_after_s


class FleetSiteSection(Section):
    """One site of the fleet.

    Attributes:
        name: Its name on pages and in addresses.
        reports_as: The name that its agent gives itself, for a shard: ``example-1 (shard 0 of 2)``; default: `name`.
        url: Address of its agent.
        standby_url: Address of the agent that stands by for it; the site is counted once.
        link: The address at which a person's browser reaches the agent itself; None shows none.
        ca_file: Certificates to trust; default: the system's.
        user, password_file: For basic authentication.
        token_file: File with a bearer token.
    """

    name: Name
    reports_as: Place | None = None
    url: AgentUrl
    standby_url: AgentUrl | None = None
    link: AgentUrl | None = None
    ca_file: FilePath | None = None
    user: Annotated[str, parsed((), parse_user)] | None = None
    password_file: FilePath | None = None
    token_file: FilePath | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses of its agents."""
        return (self.url,) if self.standby_url is None else (self.url, self.standby_url)

    @property
    def reported_name(self) -> str:
        """The name that its agents give."""
        return self.name if self.reports_as is None else self.reports_as

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file are needed together")
        if self.user is not None and self.token_file is not None:
            raise ValueError("user or token_file is expected, not both")
        if self.standby_url == self.url:
            raise ValueError("standby_url is url itself; name the other agent's address")
        if self.ca_file is not None and not any(url.startswith("https:") for url in self.urls):
            raise ValueError("ca_file with an http address would not be used")
        return self


class FleetConfig(Section):
    """The whole file, checked."""

    fleet: FleetSection = FleetSection()
    site: Annotated[tuple[FleetSiteSection, ...], Strict(strict=False)]

    @field_validator("site")
    @classmethod
    def _check_sites(cls, sites: tuple[FleetSiteSection, ...]) -> tuple[FleetSiteSection, ...]:
        if not 1 <= len(sites) <= MAX_SITES:
            raise ValueError(f"1 to {MAX_SITES} sites are expected, each with [[site]] on a line of its own")
        for words, values in (
            ("are named", [site.name for site in sites]),
            ("report as", [site.reported_name for site in sites]),
            ("have the url", [url for site in sites for url in site.urls]),
        ):
            value = next((value for value, times in Counter(values).items() if times > 1), None)
            if value is not None:
                raise ValueError(f"two sites {words} {value}: it would be counted twice")
        return sites


def load_fleet(path: Path) -> FleetConfig:
    """Read the file of a fleet server; relative paths in it start at its folder.

    Raises:
        ConfigError: With every mistake, in file order.
    """
    return parse_sections(FleetConfig, read_text(path, max_bytes=MAX_CONFIG_BYTES), str(path), folder=path.parent)
