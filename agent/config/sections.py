"""The sections of the configuration file: their keys, meanings and defaults."""

from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationInfo, field_validator, model_validator

from agent.address import PRIVATE_NETWORKS, Endpoint, Network
from agent.config.values import (
    AgentUrl,
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

DEFAULT_NETWORKS: tuple[Network, ...] = PRIVATE_NETWORKS


class Section(BaseModel):
    """Base of all sections: unknown keys are refused, values are not converted, instances are immutable."""

    # Defaults are validated too: the default of a key left out can contradict a key that was given.
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, validate_default=True, hide_input_in_errors=True
    )


class SiteSection(Section):
    """The site as a whole.

    Attributes:
        name: The site's name; a label on every series.
        zone: Time zone of the ledger's dates and of calendar months.
        count_simulated: True to count simulated units at a site that has real ones.
    """

    name: Name
    zone: TimeZone = Field(default="UTC", validate_default=True)
    # Simulated hashrate must not pass for real hashrate.
    count_simulated: bool = False


class LedgerSection(Section):
    """The ledger, and the networks that units may be in.

    Attributes:
        file: The ledger; relative to the configuration file.
        models_file: The site's own catalogue rows; None for the shipped catalogue alone.
        networks: The only networks that units' addresses may be in.
        detect_simulated: True to take units at loopback addresses, and with serial numbers of the bundled simulator,
            for simulated, whatever the ledger's column says; False to go by the column alone.
    """

    file: FilePath
    models_file: FilePath | None = None
    networks: Networks = DEFAULT_NETWORKS
    # A simulated unit that passes for a machine adds hashrate that does not exist.
    detect_simulated: bool = True

    @field_validator("networks")
    @classmethod
    def _require_a_network(cls, networks: tuple[Network, ...]) -> tuple[Network, ...]:
        if not networks:
            raise ValueError("at least one network is expected; leave the key out for all private ones")
        return networks


def _default_stale_after_s(given: Mapping[str, float]) -> float:
    # Two polls may fail before a reading goes stale. The second term leaves time for a slow poll at short intervals.
    return max(3 * given["interval_s"], given["interval_s"] + given["deadline_s"])


def _default_max_in_flight_sick(given: Mapping[str, int]) -> int:
    # Half: however many sick units wait for their deadlines, as many slots are left for healthy ones.
    return max(1, given["max_in_flight"] // 2)


class PollSection(Section):
    """Polling of units: intervals, deadlines and limits.

    Attributes:
        interval_s: Time from one poll of a unit to its next.
        connect_timeout_s: Deadline for connecting.
        deadline_s: Deadline for the whole poll, connecting included.
        stale_after_s: Age at which a reading goes stale; default: three intervals.
        slow_every: Every how many polls slowly changing data (share counters) is read too.
        max_in_flight: Maximum concurrent polls.
        max_in_flight_sick: Maximum among these for units whose last poll failed; default: half.
        backoff_max_s: Maximum back-off of an unreachable unit, unless the interval is longer.
        foreign_interval_s: Time from one poll of a unit of another make to its next.
    """

    interval_s: Annotated[float, between(1, 3600)] = 10.0
    # On the site's own network, a unit that answers neither a SYN nor its first retransmission (1 s) is off.
    connect_timeout_s: Annotated[float, between(0.05, 60)] = 2.0
    # Assumed (A05): a healthy unit answers within a second, busy firmware within a few.
    deadline_s: Annotated[float, between(0.1, 300)] = 5.0
    stale_after_s: Annotated[float, between(1, 86400)] = Field(default_factory=_default_stale_after_s)
    # Five minutes at the default interval: often enough for accepted difficulty, at a thirtieth of the cost.
    slow_every: Annotated[int, between(1, 100_000)] = 30
    # Each poll takes one file descriptor; the smallest usual hard limit is 4,096.
    max_in_flight: Annotated[int, between(1, 65_536)] = 1000
    max_in_flight_sick: Annotated[int, between(1, 65_536)] = Field(default_factory=_default_max_in_flight_sick)
    # A returning unit is seen within a minute; a longer back-off is refused.
    backoff_max_s: Annotated[float, between(1, 60)] = 60.0
    # Through pyasic, a poll costs as much as fifty of a unit that this agent reads itself.
    foreign_interval_s: Annotated[float, between(5, 3600)] = 60.0

    @property
    def foreign_stale_after_s(self) -> float:
        """Age at which a reading of a unit of another make goes stale, s.

        After the next poll may have taken its longest, and before two intervals are over: a unit that cannot be read is
        shown as that within two of them.
        """
        return max(self.stale_after_s, 1.75 * self.foreign_interval_s)

    @field_validator("deadline_s")
    @classmethod
    def _check_deadline(cls, deadline_s: float, info: ValidationInfo) -> float:
        connect_timeout_s = info.data.get("connect_timeout_s", 0.0)
        if deadline_s < connect_timeout_s:
            raise ValueError(
                f"at least poll.connect_timeout_s ({connect_timeout_s:g}) is expected: the deadline includes connecting"
            )
        return deadline_s

    @field_validator("stale_after_s")
    @classmethod
    def _check_stale_after(cls, stale_after_s: float, info: ValidationInfo) -> float:
        least_s = info.data.get("interval_s", 0.0) + info.data.get("deadline_s", 0.0)
        if stale_after_s < least_s:
            raise ValueError(
                f"at least poll.interval_s + poll.deadline_s ({least_s:g}) is expected:"
                " else a slow unit goes stale between two good polls"
            )
        return stale_after_s

    @field_validator("max_in_flight_sick")
    @classmethod
    def _check_sick_share(cls, max_in_flight_sick: int, info: ValidationInfo) -> int:
        most = info.data.get("max_in_flight", max_in_flight_sick)
        if max_in_flight_sick > most:
            raise ValueError(f"expected at most {most}, the value of poll.max_in_flight")
        return max_in_flight_sick


class WebSection(Section):
    """The HTTP server.

    Attributes:
        listen: Address and port; port 0 binds any free one.
        hosts: Names under which clients may ask for it, besides IP addresses and the names of this machine.
        max_connections: Maximum open connections; at the limit a new one takes the place of an idle one.
        config_file: TLS, users and limits, in the form of Prometheus' exporters; None for none of these.
        operators: Users of that file who may change things; the others only read.
        alertmanager: Address of Alertmanager, whose firing alerts the wall shows; None for none.
        external_url: Address at which people open the pages, for links in other programs; None for no links.
    """

    # Loopback: serving a network takes an explicit choice. Port 9184 is below the ephemeral range.
    listen: Listen = Endpoint("127.0.0.1", 9184)
    # A web page elsewhere can point its own name at this machine (DNS rebinding), so unknown names are refused.
    hosts: Annotated[tuple[Host, ...], Strict(strict=False)] = ()
    # Enough for some Prometheus servers and browsers; more is a mistake or an attack.
    max_connections: Annotated[int, between(1, 65_536)] = 256
    config_file: FilePath | None = None
    operators: Annotated[tuple[str, ...], Strict(strict=False)] = ()
    alertmanager: Url | None = None
    external_url: AgentUrl | None = None

    @field_validator("alertmanager")
    @classmethod
    def _check_address(cls, url: str | None) -> str | None:
        if url is not None and (urlsplit(url).query or urlsplit(url).fragment):
            raise ValueError("expected an address such as http://127.0.0.1:9093, without a query")
        return url


class ApiSection(Section):
    """Changes over HTTP.

    Attributes:
        token_file: File with the bearer token of operators; without it and `web.operators` every change is refused.
        viewer_token_file: File with a bearer token that only reads, for programs where `web.config_file` has users.
        state_file: Keeps changes across restarts; default: beside the configuration file.
    """

    token_file: FilePath | None = None
    viewer_token_file: FilePath | None = None
    state_file: FilePath | None = None


class CurtailmentSection(Section):
    """One window of the curtailment schedule, in the site's time zone.

    Attributes:
        name: Prefix of its events' ids.
        days: Weekdays on which it starts; default: every day.
        dates: The only dates on which it starts.
        start, end: Local times; an end that is not after the start is on the next day.
        target_percent: Share left hashing, in percent of nameplate.
        container, rack, model, unit: Scope: units that match every one given; default: the whole site.
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
    def _require_a_day(cls, days: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if days == ():
            raise ValueError("at least one day is expected; leave the key out for every day")
        return days

    @field_validator("dates")
    @classmethod
    def _refuse_days_with_dates(cls, dates: tuple[date, ...] | None, info: ValidationInfo) -> tuple[date, ...] | None:
        if dates == ():
            raise ValueError("at least one date is expected; leave the key out for every day")
        if dates is not None and info.data.get("days") is not None:
            raise ValueError("days or dates are expected, not both")
        return dates


KeyId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class HistorySection(Section):
    """The site's history on disk.

    Attributes:
        keep: True to keep history.
        file: The SQLite file; default: beside the configuration file.
        keep_days: Retention of rows, in days.
        max_mb: Above this size the oldest unit changes and container rows are deleted early; site rows never are.
        key_file: The private key that signs the chain's heads; default: beside the history. The agent makes it.
        other_agents: Ids of keys of other agents of this site, such as a standby's, whose heads are no surprise.
    """

    keep: bool = True
    file: FilePath | None = None
    key_file: FilePath | None = None
    other_agents: Annotated[tuple[KeyId, ...], Strict(strict=False)] = ()
    # Thirteen months: a month's statement can still be compared with the same month of the year before.
    keep_days: Annotated[int, between(1, 4000)] = 400
    max_mb: Annotated[int, between(16, 1_000_000)] = 2048

    def path(self, config_file: Path) -> Path:
        """Return the history file of a configuration read from `config_file`."""
        return self.file or config_file.with_suffix(".history.sqlite")

    def key_path(self, config_file: Path) -> Path:
        """Return the private key of a configuration read from `config_file`."""
        return self.key_file or self.path(config_file).with_suffix(".key")


class RepairsSection(Section):
    """The walk list: how long a fault has to last to be listed, and how long it has to be away to be closed.

    Attributes:
        board_missing_after_s, fan_stopped_after_s, hot_after_s, no_pool_alive_after_s, not_hashing_after_s,
            no_answer_after_s, container_dark_after_s, diverted_after_s: Time a symptom lasts before it is listed.
        calm_s: Time it is away before its entry is closed, so that a fault that comes and goes is one entry.
        hot_celsius: Chip temperature from which a unit is hot, where it is measured.
        hot_board_celsius: The same for board sensors, of units that measure no chip.
        container_dark_percent: A container is dark below this share of the nameplate that should hash.
        count_days: Earlier entries of that age count as "how often before".
    """

    # A restart takes up to ten minutes, and clears some of these; a fan does not come back by itself.
    board_missing_after_s: Annotated[float, between(30, 86400)] = 600.0
    fan_stopped_after_s: Annotated[float, between(30, 86400)] = 300.0
    hot_after_s: Annotated[float, between(30, 86400)] = 600.0
    no_pool_alive_after_s: Annotated[float, between(30, 86400)] = 900.0
    not_hashing_after_s: Annotated[float, between(30, 86400)] = 900.0
    no_answer_after_s: Annotated[float, between(30, 86400)] = 900.0
    container_dark_after_s: Annotated[float, between(30, 86400)] = 120.0
    # A pool that a unit falls back to is in the allow-list; another one is worth a look at once.
    diverted_after_s: Annotated[float, between(30, 86400)] = 60.0
    calm_s: Annotated[float, between(30, 86400)] = 900.0
    # As in the alert on overheating units.
    hot_celsius: Annotated[float, between(40, 130)] = 85.0
    hot_board_celsius: Annotated[float, between(40, 130)] = 80.0
    # As in the alert on dark containers.
    container_dark_percent: Annotated[float, between(0, 90)] = 10.0
    count_days: Annotated[int, between(1, 4000)] = 90


class SnapshotSection(Section):
    """The snapshot of every unit that outlasts a restart.

    Attributes:
        keep: True to keep the latest statuses on disk, once an interval, and to show them again after a restart.
        file: The snapshot; default: beside the history, named after the configuration file.
    """

    keep: bool = True
    file: FilePath | None = None

    def path(self, config_file: Path, history_file: Path) -> Path:
        """Return the snapshot of a configuration read from `config_file`, whose history is `history_file`."""
        return self.file or history_file.with_name(f"{config_file.stem}.snapshot")


class IdentitySection(Section):
    """Identity checks of units, on their own web pages.

    Attributes:
        enabled: True to check units, at a site whose ledger has any serial number or MAC address.
        web_port: Port of the pages, for units whose ledger row has none.
        user: User name for HTTP digest authentication.
        password_file: File with the password; None for the factory default.
        checks_per_s: Rate limit.
        max_in_flight: Maximum concurrent checks.
        deadline_s: Deadline for one page.
    """

    enabled: bool = True
    web_port: Annotated[int, between(1, 65_535)] = 80
    user: Annotated[str, parsed((), parse_user)] = "root"
    password_file: FilePath | None = None
    # A page is a shell script on the unit. A thousand units take two minutes, at a fraction of the cost of polls.
    checks_per_s: Annotated[float, between(0.01, 100)] = 10.0
    max_in_flight: Annotated[int, between(1, 32)] = 8
    # Reported: a busy unit's page takes up to 4 s, and a retry helps.
    deadline_s: Annotated[float, between(0.1, 60)] = 8.0


class ForeignLoginSection(Section):
    """The login of one make's units in some networks, for makes whose reports are behind one.

    Attributes:
        make: Their make, as in the ledger.
        networks: Where they stand, within `ledger.networks`; a password is sent nowhere else.
        user: User name.
        password_file: File with the password.
    """

    make: Place
    networks: Networks
    user: Annotated[str, parsed((), parse_user)]
    password_file: FilePath

    @field_validator("networks")
    @classmethod
    def _require_a_network(cls, networks: tuple[Network, ...]) -> tuple[Network, ...]:
        if not networks:
            raise ValueError("at least one network is expected")
        return networks


class DiscoverySection(Section):
    """Daily looks at addresses that are not polled, for machines that are not in the ledger.

    Attributes:
        networks: Ranges such as ``10.20.0.0/22`` or ``10.20.8.10-10.20.8.90``, each within one of `ledger.networks`;
            none by default.
        exclude: Ranges among them that are left alone.
        at: Local time of a look: an hour in which the network is quiet.
        rate_per_s: Connections begun per second.
        port: Port of the units' API.
    """

    networks: Annotated[tuple[str, ...], Strict(strict=False)] = ()
    exclude: Annotated[tuple[str, ...], Strict(strict=False)] = ()
    # Before the day's heat, and before people change anything.
    at: TimeOfDay = time(4)
    # Each is one packet of 74 bytes. A thousand silent addresses take half a minute, a /16 twenty.
    rate_per_s: Annotated[int, between(1, 1000)] = 100
    port: Annotated[int, between(1, 65_535)] = 4028

    @field_validator("exclude")
    @classmethod
    def _require_networks(cls, exclude: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if exclude and not info.data.get("networks", exclude):
            raise ValueError("discovery.networks is expected with it: nothing is looked at without")
        return exclude


class MetricsSection(Section):
    """The series for Prometheus.

    Attributes:
        detail: ``full`` exports all of every unit; ``units`` leaves out boards but for their hottest
            chips; ``site`` exports no single unit, as ``/metrics/site`` does.
    """

    detail: Literal["full", "units", "site"] = "full"


class LogSection(Section):
    """The log on standard error.

    Attributes:
        level: Lowest level that is logged.
        format: ``auto`` is console on a terminal, else JSON.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class PowerSection(Section):
    """The model of power that is not measured.

    Attributes:
        standby_watts: Power of a unit that does not hash: its control board.
        calibration_ratio: Factor on all modelled power, for a site that has compared the model with its own meters.
    """

    # Assumed (A50): 0 to 30 W asleep; no measurement of a stock unit is known.
    standby_watts: Annotated[float, between(0, 500)] = 18.0
    calibration_ratio: Annotated[float, between(0.5, 2)] = 1.0


def _default_max_age_s(given: Mapping[str, float]) -> float:
    return max(60.0, 3 * given["every_s"])


class MeterSection(Section):
    """One power meter of the site, a container or a unit.

    Attributes:
        name: Name in the log, and label value.
        container, unit: What it measures, by its name in the ledger; the whole site if neither is given. Meters of the
            same thing add up, such as two feeders.
        watts: A constant.
        url: URL that returns JSON; its host is an IP address, as names are not resolved.
        file: File with a number or JSON, kept up to date by another program.
        pointer: JSON pointer to the number (RFC 6901); empty for the whole value.
        scale: Watts per unit of the reading: 1000 for kW.
        every_s: Time from one reading to the next.
        timeout_s: Deadline for a whole reading.
        max_age_s: Age at which a reading expires; default: three readings, at least one minute.
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
    def _check_max_age(cls, max_age_s: float, info: ValidationInfo) -> float:
        least_s = info.data.get("every_s", 0.0) + info.data.get("timeout_s", 0.0)
        if max_age_s < least_s:
            raise ValueError(
                f"at least every_s + timeout_s ({least_s:g}) is expected, else it expires between two readings"
            )
        return max_age_s

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        sources = [source for source in (self.watts, self.url, self.file) if source is not None]
        if len(sources) != 1:
            raise ValueError("exactly one of watts, url and file is expected")
        if self.container is not None and self.unit is not None:
            raise ValueError("a meter measures a container or a unit, not both")
        if self.watts is not None and (self.pointer or self.scale != 1):
            raise ValueError("a constant has no pointer and no scale")
        return self


def _default_mqtt_port(given: Mapping[str, bool]) -> int:
    return 8883 if given["tls"] else 1883


class MqttSection(Section):
    """One MQTT broker: what is published there, and what is read from there.

    Attributes:
        name: Name in the log, and label value.
        host, tls, port: Its address; the default port is 8883 with TLS and 1883 without.
        protocol: MQTT version.
        client_id: The agent's client id; default: hashsight-SITE-NAME. Two clients with one id disconnect each other.
            Orders come over a second connection, CLIENT_ID-orders, and a Sparkplug node is CLIENT_ID-sparkplug.
        username, password_file: None for a broker without authentication.
        ca_file: Trusted certificates; default: the system's.
        cert_file, key_file: The agent's own certificate.
        keepalive_s: The broker drops the agent after one and a half keep-alives of silence.
        units: Publish single units as the latest state only, in batches kept until delivered, or not at all.
        unit_heartbeat_s: Time after which an unchanged unit is published again.
        outbox_file: Keeps undelivered messages; default: beside the configuration file.
        outbox_max_mb: Its size limit; old unit batches are dropped first, events last.
        curtailment: True to take curtailment orders from this broker.
        gateway_heartbeat_s: Silence after which a demand-response gateway is reported; None expects no gateway.
        meters: True to take meter readings from this broker.
        meter_max_age_s: Age at which a reading expires.
        home_assistant: True to publish Home Assistant discovery messages.
        home_assistant_prefix: Its discovery prefix.
        sparkplug_group: Sparkplug B group under which the site is also a node; None for no node.
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
    # Some days of figures every ten seconds, at 2 kB each, plus events.
    outbox_max_mb: Annotated[int, between(1, 65_536)] = 64
    curtailment: bool = False
    gateway_heartbeat_s: Annotated[float, between(1, 86400)] | None = None
    meters: bool = False
    meter_max_age_s: Annotated[float, between(1, 86400)] = 60.0
    home_assistant: bool = False
    home_assistant_prefix: Name = "homeassistant"
    sparkplug_group: Name | None = None

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file are needed together")
        if not self.tls and (self.ca_file is not None or self.cert_file is not None):
            raise ValueError("certificates without tls = true would not be used")
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file without username would not be used")
        if self.gateway_heartbeat_s is not None and not self.curtailment:
            raise ValueError("gateway_heartbeat_s without curtailment = true would not be used")
        return self


class StandbySection(Section):
    """A second agent of the same site, which publishes only while the first one, its primary, is gone.

    Attributes:
        of: Address of the primary's web server; its host is an IP address. None for an agent that is no standby.
        token_file: File with the primary's bearer token, to share declared curtailments; None shares none.
        ca_file: Certificates to trust, for ``https``; default: the system's.
    """

    of: Url | None = None
    token_file: FilePath | None = None
    ca_file: FilePath | None = None

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        if self.of is None:
            if self.token_file is not None or self.ca_file is not None:
                raise ValueError("token_file and ca_file without of would not be used")
            return self
        address = urlsplit(self.of)
        if address.query or address.fragment:
            raise ValueError("of is the address of an agent, such as http://10.0.0.5:9184, without a query")
        if self.ca_file is not None and address.scheme != "https":
            raise ValueError("ca_file with an http address would not be used")
        return self


class ShardSection(Section):
    """The part of the site's units that this agent polls, if several agents share them.

    Attributes:
        index: This shard, from 0.
        count: Number of shards; a hash of its id assigns each unit to exactly one.
    """

    count: Annotated[int, between(1, 1024)] = 1
    index: Annotated[int, between(0, 1023)] = 0

    @field_validator("index")
    @classmethod
    def _check_index(cls, index: int, info: ValidationInfo) -> int:
        count = info.data.get("count", index + 1)
        if index >= count:
            raise ValueError(f"0 to {count - 1} is expected: shard.count is {count}")
        return index
