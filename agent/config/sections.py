"""The sections of the configuration file: their keys, what each means, and what it is unless told."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationInfo, field_validator, model_validator

from agent.address import Endpoint, Network, parse_network
from agent.config.values import (
    ClientId,
    Dates,
    Day,
    FilePath,
    Host,
    Listen,
    Name,
    Networks,
    Place,
    Pointer,
    TimeOfDay,
    TimeZone,
    Url,
    between,
    parse_place,
    parse_user,
    parsed,
)

# Where units are found, and nowhere else: RFC 1918, loopback for simulators, the carrier-grade space that some hosting
# sites use (RFC 6598), IPv6 unique local and link-local. A list, because `is_private` says no to 100.64.0.0/10.
DEFAULT_NETWORKS: tuple[Network, ...] = tuple(
    parse_network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "127.0.0.0/8",
        "100.64.0.0/10",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)


class Section(BaseModel):
    """What all sections have in common: unknown keys are refused, nothing is converted, nothing changes."""

    # Defaults are validated too: a key left out can contradict one that was given.
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, validate_default=True, hide_input_in_errors=True
    )


class SiteSection(Section):
    """The site as a whole.

    Attributes:
        name: The site's name; a label on every series.
        zone: The zone of the ledger's dates and of calendar months.
        count_simulated: Whether simulated units count at a site that has real ones.
    """

    name: Name
    zone: TimeZone = Field(default="UTC", validate_default=True)
    # A rehearsal must not pass for hashrate.
    count_simulated: bool = False


class LedgerSection(Section):
    """What is deployed, and where units may be.

    Attributes:
        file: The ledger; relative to the configuration file.
        models_file: Catalogue rows of the site's own; None for the shipped catalogue alone.
        networks: The only networks in which the ledger may place units.
    """

    file: FilePath
    models_file: FilePath | None = None
    networks: Networks = DEFAULT_NETWORKS

    @field_validator("networks")
    @classmethod
    def _let_somebody_in(cls, networks: tuple[Network, ...]) -> tuple[Network, ...]:
        if not networks:
            raise ValueError("one network at least is expected; leave the key out for all private ones")
        return networks


def _default_stale_after_s(given: Mapping[str, float]) -> float:
    # Two polls may fail before a reading is disbelieved; with intervals shorter than the deadline, a slow one may end.
    return max(3 * given["interval_s"], given["interval_s"] + given["deadline_s"])


def _default_max_in_flight_sick(given: Mapping[str, int]) -> int:
    # Half: however many units wait for their deadlines, the well ones have as much room again.
    return max(1, given["max_in_flight"] // 2)


class PollSection(Section):
    """How units are asked.

    Attributes:
        interval_s: From one poll of a unit to its next.
        connect_timeout_s: For the connection alone.
        deadline_s: For the whole poll, the connection with it.
        stale_after_s: A reading older than this is no longer believed; three intervals unless told.
        slow_every: Every how many polls a unit is also asked for what changes slowly (share counters).
        max_in_flight: Polls open at once.
        max_in_flight_sick: Of these, polls of units that failed last time; half unless told.
        backoff_max_s: The longest a unit that cannot be reached is left alone, where the interval is not longer.
    """

    interval_s: Annotated[float, between(1, 3600)] = 10.0
    # Units share the site's network: one that has not answered a SYN and its first repetition (1 s) is off.
    connect_timeout_s: Annotated[float, between(0.05, 60)] = 2.0
    # Assumed: a healthy unit answers within a second; firmware that is busy takes a few.
    deadline_s: Annotated[float, between(0.1, 300)] = 5.0
    stale_after_s: Annotated[float, between(1, 86400)] = Field(default_factory=_default_stale_after_s)
    # Five minutes at the default interval: enough to see difficulty accepted, at a thirtieth of the cost.
    slow_every: Annotated[int, between(1, 100_000)] = 30
    # One descriptor each, and the smallest usual hard limit is 4,096.
    max_in_flight: Annotated[int, between(1, 65_536)] = 1000
    max_in_flight_sick: Annotated[int, between(1, 65_536)] = Field(default_factory=_default_max_in_flight_sick)
    # Whatever comes back is seen within a minute; a longer back-off is refused.
    backoff_max_s: Annotated[float, between(1, 60)] = 60.0

    @field_validator("deadline_s")
    @classmethod
    def _cover_the_connection(cls, deadline_s: float, info: ValidationInfo) -> float:
        connect_timeout_s = info.data.get("connect_timeout_s", 0.0)
        if deadline_s < connect_timeout_s:
            raise ValueError(
                f"at least poll.connect_timeout_s ({connect_timeout_s:g}) is expected: the deadline includes connecting"
            )
        return deadline_s

    @field_validator("stale_after_s")
    @classmethod
    def _outlive_a_slow_poll(cls, stale_after_s: float, info: ValidationInfo) -> float:
        least_s = info.data.get("interval_s", 0.0) + info.data.get("deadline_s", 0.0)
        if stale_after_s < least_s:
            raise ValueError(
                f"at least poll.interval_s + poll.deadline_s ({least_s:g}) is expected:"
                " else a unit that answers slowly goes stale between two good polls"
            )
        return stale_after_s

    @field_validator("max_in_flight_sick")
    @classmethod
    def _stay_a_part(cls, max_in_flight_sick: int, info: ValidationInfo) -> int:
        most = info.data.get("max_in_flight", max_in_flight_sick)
        if max_in_flight_sick > most:
            raise ValueError(f"at most poll.max_in_flight ({most}) is expected: it is a part of it")
        return max_in_flight_sick


class WebSection(Section):
    """The HTTP side.

    Attributes:
        listen: Address and port; port 0 takes any free one.
        max_connections: Open at once; more are turned away.
    """

    # Loopback: nothing is shown to a network until somebody says so. Port 9184 is below the ephemeral range.
    listen: Listen = Endpoint("127.0.0.1", 9184)
    # Some Prometheus servers and browsers; the rest is a mistake or an attack.
    max_connections: Annotated[int, between(1, 65_536)] = 256


class ApiSection(Section):
    """What may be changed over HTTP, and by whom.

    Attributes:
        token_file: Holds the bearer token that callers must show; None refuses every change.
        state_file: Keeps what was changed over a restart; beside the configuration file unless told.
    """

    token_file: FilePath | None = None
    state_file: FilePath | None = None


class CurtailmentSection(Section):
    """One window of the curtailment schedule, in the site's zone.

    Attributes:
        name: Names its events.
        days: Weekdays on which it starts; every day unless told.
        dates: The only dates on which it starts.
        start, end: Local times; an end that is not after the start is on the next day.
        target_percent: What is left to hash, as a share of the nameplate.
        container, rack, model, unit: Who is curtailed: what matches all that is told, else the whole site.
    """

    name: Name
    days: Annotated[tuple[Day, ...], Strict(strict=False)] | None = None
    dates: Dates | None = None
    start: TimeOfDay
    end: TimeOfDay
    target_percent: Annotated[float, between(0, 99.9)] = 0.0
    container: Place | None = None
    rack: Place | None = None
    model: Place | None = None
    unit: Place | None = None

    @field_validator("days")
    @classmethod
    def _start_some_day(cls, days: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if days == ():
            raise ValueError("one day at least is expected; leave the key out for every day")
        return days

    @field_validator("dates")
    @classmethod
    def _start_on_days_or_dates(cls, dates: tuple[date, ...] | None, info: ValidationInfo) -> tuple[date, ...] | None:
        if dates == ():
            raise ValueError("one date at least is expected; leave the key out for every day")
        if dates is not None and info.data.get("days") is not None:
            raise ValueError("days or dates are expected, not both")
        return dates


class HistorySection(Section):
    """The history of the site, on the disk.

    Attributes:
        keep: Whether there is to be any.
        file: The SQLite file; beside the configuration file unless told.
        keep_days: For how long rows are kept.
        max_mb: Above this, the oldest changes of units and rows of containers go early; rows of the site never do.
    """

    keep: bool = True
    file: FilePath | None = None
    # Thirteen months: the same month of the year before is still there when a month's statement is made.
    keep_days: Annotated[int, between(1, 4000)] = 400
    max_mb: Annotated[int, between(16, 1_000_000)] = 2048

    def path(self, config_file: Path) -> Path:
        """Give the file, for a configuration read from `config_file`."""
        return self.file or config_file.with_suffix(".history.sqlite")


class IdentitySection(Section):
    """How units are asked who they are, on their own web pages.

    Attributes:
        enabled: Whether they are, at a site whose ledger tells any serial number or MAC address.
        web_port: Where the pages are, for units whose ledger row does not say.
        user: For the digest authentication.
        password_file: Holds the password; None for the one that units leave the factory with.
        checks_per_s: At most so many are asked in a second.
        max_in_flight: At most so many at once.
        deadline_s: For one page.
    """

    enabled: bool = True
    web_port: Annotated[int, between(1, 65_535)] = 80
    user: Annotated[str, parsed((), parse_user)] = "root"
    password_file: FilePath | None = None
    # A page is a shell script on the unit; a thousand units are asked in two minutes, at a fraction of what polls cost.
    checks_per_s: Annotated[float, between(0.01, 100)] = 10.0
    max_in_flight: Annotated[int, between(1, 32)] = 8
    # Reported: a busy unit's page takes up to 4 s, and a second try helps.
    deadline_s: Annotated[float, between(0.1, 60)] = 8.0


class LogSection(Section):
    """The log on standard error.

    Attributes:
        level: The least that is written.
        format: ``auto`` is console on a terminal and JSON elsewhere.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class PowerSection(Section):
    """How watts that nobody measures are modelled.

    Attributes:
        standby_watts: What a unit draws that does not hash: its control board.
        calibration_ratio: Factor on every modelled watt, for a site that has held the model against its own meters.
    """

    # Assumed: 0 to 30 W in sleep; no measurement of a stock unit is known.
    standby_watts: Annotated[float, between(0, 500)] = 18.0
    calibration_ratio: Annotated[float, between(0.5, 2)] = 1.0


def _default_max_age_s(given: Mapping[str, float]) -> float:
    return max(60.0, 3 * given["every_s"])


class MeterSection(Section):
    """One meter: what the site, a container or a unit draws by somebody's measurement.

    Attributes:
        name: For the log and as a label.
        container, unit: What is metered, by its name in the ledger; the whole site when neither is given. Several
            meters of the same thing add up, such as two feeders.
        watts: A constant.
        url: An address that gives JSON; literal, as names are not looked up.
        file: A file that somebody keeps up to date, with a number or JSON in it.
        pointer: Where in the JSON the number stands (RFC 6901); empty for the whole.
        scale: Watts for each one of what the meter says: 1000 for kW.
        every_s: From one reading to the next.
        timeout_s: For the whole reading.
        max_age_s: A reading older than this no longer counts; one minute, or three readings, unless told.
    """

    name: Name
    container: Place | None = None
    unit: Place | None = None
    watts: Annotated[float, between(0, 1e10)] | None = None
    url: Url | None = None
    file: FilePath | None = None
    pointer: Pointer = ""
    scale: Annotated[float, between(1e-6, 1e9)] = 1.0
    every_s: Annotated[float, between(1, 3600)] = 10.0
    timeout_s: Annotated[float, between(0.1, 60)] = 3.0
    max_age_s: Annotated[float, between(1, 86400)] = Field(default_factory=_default_max_age_s)

    @field_validator("max_age_s")
    @classmethod
    def _outlive_a_slow_reading(cls, max_age_s: float, info: ValidationInfo) -> float:
        least_s = info.data.get("every_s", 0.0) + info.data.get("timeout_s", 0.0)
        if max_age_s < least_s:
            raise ValueError(
                f"at least every_s + timeout_s ({least_s:g}) is expected: else it lapses between two readings"
            )
        return max_age_s

    @model_validator(mode="after")
    def _have_one_source(self) -> Self:
        if sum(source is not None for source in (self.watts, self.url, self.file)) != 1:
            raise ValueError("exactly one of watts, url and file is expected")
        if self.container is not None and self.unit is not None:
            raise ValueError("a meter is of a container or of a unit, not of both")
        if self.watts is not None and (self.pointer or self.scale != 1):
            raise ValueError("a constant has no pointer and no scale")
        return self


def _default_mqtt_port(given: Mapping[str, bool]) -> int:
    return 8883 if given["tls"] else 1883


class MqttSection(Section):
    """One MQTT broker: what is told there, and what is taken in from there.

    Attributes:
        name: For the log and as a label.
        host, tls, port: Where it is; 8883 with TLS and 1883 without unless told.
        protocol: Of MQTT.
        client_id: Who the agent is there; hashsight-SITE-NAME unless told. Two clients of one id throw each other out.
        username, password_file: None for a broker that asks for neither.
        ca_file: Whose certificates are believed; the system's unless told.
        cert_file, key_file: The agent's own certificate.
        keepalive_s: The broker takes the agent for gone after one and a half of these without a word.
        units: Single units as the latest only, in batches that are kept until delivered, or not at all.
        unit_heartbeat_s: A unit that does not change is told again after so long.
        outbox_file: Keeps what is not delivered yet; beside the configuration file unless told.
        outbox_max_mb: What it should not outgrow; old unit batches go first, events last.
        curtailment: Whether curtailments are taken in from there.
        gateway_heartbeat_s: A demand-response gateway that is silent for longer is told of; None expects none.
        meters: Whether meters' readings are taken in from there.
        meter_max_age_s: A reading older than this no longer counts.
        home_assistant: Whether Home Assistant is to find the site there.
        home_assistant_prefix: Where it looks.
        sparkplug_group: Whether and under which group the site is a Sparkplug B node there too.
    """

    name: Name
    host: Host
    tls: bool = False
    port: Annotated[int, between(1, 65_535)] = Field(default_factory=_default_mqtt_port)
    protocol: Literal["3.1.1", "5"] = "3.1.1"
    client_id: ClientId | None = None
    username: Annotated[str, parsed((), parse_place)] | None = None
    password_file: FilePath | None = None
    ca_file: FilePath | None = None
    cert_file: FilePath | None = None
    key_file: FilePath | None = None
    keepalive_s: Annotated[int, between(2, 300)] = 15
    units: Literal["off", "latest", "batches"] = "latest"
    unit_heartbeat_s: Annotated[float, between(5, 86400)] = 300.0
    outbox_file: FilePath | None = None
    # Some days of figures every ten seconds, which are 2 kB each, beside the events.
    outbox_max_mb: Annotated[int, between(1, 65_536)] = 64
    curtailment: bool = False
    gateway_heartbeat_s: Annotated[float, between(1, 86400)] | None = None
    meters: bool = False
    meter_max_age_s: Annotated[float, between(1, 86400)] = 60.0
    home_assistant: bool = False
    home_assistant_prefix: Name = "homeassistant"
    sparkplug_group: Name | None = None

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together")
        if not self.tls and (self.ca_file is not None or self.cert_file is not None):
            raise ValueError("certificates without tls = true would not be used")
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file without username would not be used")
        if self.gateway_heartbeat_s is not None and not self.curtailment:
            raise ValueError("gateway_heartbeat_s without curtailment = true would wait for nobody")
        return self


class ShardSection(Section):
    """Which part of the site's units this agent polls, where several agents share them.

    Attributes:
        index: Which one this is, from 0.
        count: How many there are; each unit belongs to exactly one of them, by a hash of its id.
    """

    count: Annotated[int, between(1, 1024)] = 1
    index: Annotated[int, between(0, 1023)] = 0

    @field_validator("index")
    @classmethod
    def _be_one_of_them(cls, index: int, info: ValidationInfo) -> int:
        count = info.data.get("count", index + 1)
        if index >= count:
            raise ValueError(f"0 to {count - 1} is expected: shard.count is {count}")
        return index
