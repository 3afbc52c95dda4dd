"""The configuration file: its sections, their defaults, and every mistake in it at once.

The file is TOML. Unknown keys are refused, because a misspelt key that is silently ignored is a default nobody chose.
Nothing here opens a socket, and only `load_config` touches the disk.
"""

import ipaddress
import json
import re
import tomllib
import zoneinfo
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    Strict,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from agent.address import Endpoint, Network, parse_address, parse_endpoint, parse_network
from agent.errors import ConfigError, Mistake
from agent.mistakes import MASK, is_secret, near_match, read_mistakes
from agent.pointer import parse_pointer
from agent.textfile import read_text

MAX_CONFIG_BYTES = 1 << 20
# tomllib's time grows with the square of a key's dots: 20,000 of them, in 40 kB, took six seconds (Python 3.11).
MAX_DOTS_IN_LINE = 256


def _parsed(kind: type | tuple[type, ...], parse: Callable[[str], object]) -> PlainValidator:
    """Validate a key that is a text in the file and a `kind` in the program."""

    def validate(value: object) -> object:
        if isinstance(value, kind):
            return value
        if not isinstance(value, str):
            raise ValueError("a text in quotes is expected")  # noqa: TRY004 - pydantic gathers ValueErrors, not TypeErrors
        return parse(value)

    return PlainValidator(validate)


def _between(low: float, high: float) -> AfterValidator:
    """Validate a number in a range with its ends; NaN is in none."""

    def validate(value: float) -> float:
        if not low <= value <= high:
            raise ValueError(f"{low:g} to {high:g} is expected")
        return value

    return AfterValidator(validate)


def _parse_name(text: str) -> str:
    # A letter or digit at least: "." and ".." are no names for anything that ends up in a path.
    if not re.fullmatch(r"(?=.*[A-Za-z0-9])[A-Za-z0-9._-]{1,64}", text):
        raise ValueError("1 to 64 of A-Z a-z 0-9 . _ - are expected, at least one of them a letter or digit")
    return text


def _parse_zone(text: str) -> ZoneInfo:
    # Many systems' databases have a "localtime", which is another zone on each of them.
    known = zoneinfo.available_timezones() - {"localtime"}
    if not known:
        raise ValueError("this machine has no time zone database; install the package tzdata")
    if text not in known:
        raise ValueError(f"an IANA zone is expected, such as UTC or America/Chicago{near_match(text, known)}")
    return ZoneInfo(text)


def _parse_listen(text: str) -> Endpoint:
    address, port = parse_endpoint(text)
    if address.is_multicast:
        raise ValueError("nothing can listen on a multicast address")
    return Endpoint(str(address), port)


def _parse_place(text: str) -> str:
    if not text.isprintable() or not 1 <= len(text) <= 64:
        raise ValueError("a name as in the ledger is expected, 1 to 64 printable characters")
    return text


def _parse_url(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.netloc or not text.isascii() or not text.isprintable():
        raise ValueError("an address such as http://10.0.9.5/status is expected")
    if "@" in parts.netloc:
        raise ValueError("no user and password can stand in an address")
    parse_endpoint(parts.netloc, default_port=80)
    return text


def _checked_pointer(text: str) -> str:
    parse_pointer(text)
    return text


def _parse_user(text: str) -> str:
    # What a quoted text of a header may hold without escapes.
    if not re.fullmatch(r"[!#-\[\]-~ ]{1,64}", text) or ":" in text:
        raise ValueError("1 to 64 ASCII characters without quotes, backslashes and colons are expected")
    return text


def _validate_time(value: object) -> time:
    """Validate a local time of the day, to the minute: a text, or TOML's own kind."""
    if isinstance(value, str) and re.fullmatch(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]", value):
        return time.fromisoformat(value)
    if isinstance(value, time) and not value.second and not value.microsecond:
        return value
    raise ValueError('a local time to the minute is expected, "00:00" to "23:59"')


def _validate_date(value: object) -> date:
    """Validate a date: a text, or TOML's own kind."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError('a date is expected, such as "2025-10-07"')


def _parse_host(text: str) -> str:
    # A broker's certificate is made out to its name, so that names are looked up here and nowhere else.
    if re.fullmatch(r"[0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", text):
        return str(parse_address(text))
    if ".." in text or not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", text):
        raise ValueError("a host name or an IP address is expected, such as mqtt.example or 10.0.0.5")
    return text


def _parse_client_id(text: str) -> str:
    # Documented: MQTT 3.1.1, 3.1.3.1: brokers may refuse anything else; most take more than its 23 characters.
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text):
        raise ValueError("1 to 64 of A-Z a-z 0-9 . _ - are expected")
    return text


def _validate_path(value: object, info: ValidationInfo) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError("a path in quotes is expected")
    folder: Path = info.context or Path()
    return folder / value


_Name = Annotated[str, _parsed((), _parse_name)]
_Zone = Annotated[ZoneInfo, _parsed(ZoneInfo, _parse_zone)]
_Networks = Annotated[
    tuple[Annotated[Network, _parsed((ipaddress.IPv4Network, ipaddress.IPv6Network), parse_network)], ...],
    Strict(strict=False),
]
_Listen = Annotated[Endpoint, _parsed(Endpoint, _parse_listen)]
_Path = Annotated[Path, PlainValidator(_validate_path)]
_Host = Annotated[str, _parsed((), _parse_host)]
_ClientId = Annotated[str, _parsed((), _parse_client_id)]
_Time = Annotated[time, PlainValidator(_validate_time)]
_Dates = Annotated[tuple[Annotated[date, PlainValidator(_validate_date)], ...], Strict(strict=False)]
_Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_Place = Annotated[str, _parsed((), _parse_place)]
_Url = Annotated[str, _parsed((), _parse_url)]
_Pointer = Annotated[str, _parsed((), _checked_pointer)]

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


class _Section(BaseModel):
    # Defaults are validated too: a key left out can contradict one that was given.
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, validate_default=True, hide_input_in_errors=True
    )


class SiteSection(_Section):
    """The site as a whole.

    Attributes:
        name: The site's name; a label on every series.
        zone: The zone of the ledger's dates and of calendar months.
        count_simulated: Whether simulated units count at a site that has real ones.
    """

    name: _Name
    zone: _Zone = Field(default="UTC", validate_default=True)
    # A rehearsal must not pass for hashrate.
    count_simulated: bool = False


class LedgerSection(_Section):
    """What is deployed, and where units may be.

    Attributes:
        file: The ledger; relative to the configuration file.
        models_file: Catalogue rows of the site's own; None for the shipped catalogue alone.
        networks: The only networks in which the ledger may place units.
    """

    file: _Path
    models_file: _Path | None = None
    networks: _Networks = DEFAULT_NETWORKS

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


class PollSection(_Section):
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

    interval_s: Annotated[float, _between(1, 3600)] = 10.0
    # Units share the site's network: one that has not answered a SYN and its first repetition (1 s) is off.
    connect_timeout_s: Annotated[float, _between(0.05, 60)] = 2.0
    # Assumed: a healthy unit answers within a second; firmware that is busy takes a few.
    deadline_s: Annotated[float, _between(0.1, 300)] = 5.0
    stale_after_s: Annotated[float, _between(1, 86400)] = Field(default_factory=_default_stale_after_s)
    # Five minutes at the default interval: enough to see difficulty accepted, at a thirtieth of the cost.
    slow_every: Annotated[int, _between(1, 100_000)] = 30
    # One descriptor each, and the smallest usual hard limit is 4,096.
    max_in_flight: Annotated[int, _between(1, 65_536)] = 1000
    max_in_flight_sick: Annotated[int, _between(1, 65_536)] = Field(default_factory=_default_max_in_flight_sick)
    # Whatever comes back is seen within a minute; a longer back-off is refused.
    backoff_max_s: Annotated[float, _between(1, 60)] = 60.0

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


class WebSection(_Section):
    """The HTTP side.

    Attributes:
        listen: Address and port; port 0 takes any free one.
        max_connections: Open at once; more are turned away.
    """

    # Loopback: nothing is shown to a network until somebody says so. Port 9184 is below the ephemeral range.
    listen: _Listen = Endpoint("127.0.0.1", 9184)
    # Some Prometheus servers and browsers; the rest is a mistake or an attack.
    max_connections: Annotated[int, _between(1, 65_536)] = 256


class ApiSection(_Section):
    """What may be changed over HTTP, and by whom.

    Attributes:
        token_file: Holds the bearer token that callers must show; None refuses every change.
        state_file: Keeps what was changed over a restart; beside the configuration file unless told.
    """

    token_file: _Path | None = None
    state_file: _Path | None = None


class CurtailmentSection(_Section):
    """One window of the curtailment schedule, in the site's zone.

    Attributes:
        name: Names its events.
        days: Weekdays on which it starts; every day unless told.
        dates: The only dates on which it starts.
        start, end: Local times; an end that is not after the start is on the next day.
        target_percent: What is left to hash, as a share of the nameplate.
        container, rack, model, unit: Who is curtailed: what matches all that is told, else the whole site.
    """

    name: _Name
    days: Annotated[tuple[_Day, ...], Strict(strict=False)] | None = None
    dates: _Dates | None = None
    start: _Time
    end: _Time
    target_percent: Annotated[float, _between(0, 99.9)] = 0.0
    container: _Place | None = None
    rack: _Place | None = None
    model: _Place | None = None
    unit: _Place | None = None

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


class HistorySection(_Section):
    """The history of the site, on the disk.

    Attributes:
        keep: Whether there is to be any.
        file: The SQLite file; beside the configuration file unless told.
        keep_days: For how long rows are kept.
        max_mb: Above this, the oldest changes of units and rows of containers go early; rows of the site never do.
    """

    keep: bool = True
    file: _Path | None = None
    # Thirteen months: the same month of the year before is still there when a month's statement is made.
    keep_days: Annotated[int, _between(1, 4000)] = 400
    max_mb: Annotated[int, _between(16, 1_000_000)] = 2048

    def path(self, config_file: Path) -> Path:
        """Give the file, for a configuration read from `config_file`."""
        return self.file or config_file.with_suffix(".history.sqlite")


class IdentitySection(_Section):
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
    web_port: Annotated[int, _between(1, 65_535)] = 80
    user: Annotated[str, _parsed((), _parse_user)] = "root"
    password_file: _Path | None = None
    # A page is a shell script on the unit; a thousand units are asked in two minutes, at a fraction of what polls cost.
    checks_per_s: Annotated[float, _between(0.01, 100)] = 10.0
    max_in_flight: Annotated[int, _between(1, 32)] = 8
    # Reported: a busy unit's page takes up to 4 s, and a second try helps.
    deadline_s: Annotated[float, _between(0.1, 60)] = 8.0


class LogSection(_Section):
    """The log on standard error.

    Attributes:
        level: The least that is written.
        format: ``auto`` is console on a terminal and JSON elsewhere.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class PowerSection(_Section):
    """How watts that nobody measures are modelled.

    Attributes:
        standby_watts: What a unit draws that does not hash: its control board.
        calibration_ratio: Factor on every modelled watt, for a site that has held the model against its own meters.
    """

    # Assumed: 0 to 30 W in sleep; no measurement of a stock unit is known.
    standby_watts: Annotated[float, _between(0, 500)] = 18.0
    calibration_ratio: Annotated[float, _between(0.5, 2)] = 1.0


def _default_max_age_s(given: Mapping[str, float]) -> float:
    return max(60.0, 3 * given["every_s"])


class MeterSection(_Section):
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

    name: _Name
    container: _Place | None = None
    unit: _Place | None = None
    watts: Annotated[float, _between(0, 1e10)] | None = None
    url: _Url | None = None
    file: _Path | None = None
    pointer: _Pointer = ""
    scale: Annotated[float, _between(1e-6, 1e9)] = 1.0
    every_s: Annotated[float, _between(1, 3600)] = 10.0
    timeout_s: Annotated[float, _between(0.1, 60)] = 3.0
    max_age_s: Annotated[float, _between(1, 86400)] = Field(default_factory=_default_max_age_s)

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


class MqttSection(_Section):
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

    name: _Name
    host: _Host
    tls: bool = False
    port: Annotated[int, _between(1, 65_535)] = Field(default_factory=_default_mqtt_port)
    protocol: Literal["3.1.1", "5"] = "3.1.1"
    client_id: _ClientId | None = None
    username: Annotated[str, _parsed((), _parse_place)] | None = None
    password_file: _Path | None = None
    ca_file: _Path | None = None
    cert_file: _Path | None = None
    key_file: _Path | None = None
    keepalive_s: Annotated[int, _between(2, 300)] = 15
    units: Literal["off", "latest", "batches"] = "latest"
    unit_heartbeat_s: Annotated[float, _between(5, 86400)] = 300.0
    outbox_file: _Path | None = None
    # Some days of figures every ten seconds, which are 2 kB each, beside the events.
    outbox_max_mb: Annotated[int, _between(1, 65_536)] = 64
    curtailment: bool = False
    gateway_heartbeat_s: Annotated[float, _between(1, 86400)] | None = None
    meters: bool = False
    meter_max_age_s: Annotated[float, _between(1, 86400)] = 60.0
    home_assistant: bool = False
    home_assistant_prefix: _Name = "homeassistant"
    sparkplug_group: _Name | None = None

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


class ShardSection(_Section):
    """Which part of the site's units this agent polls, where several agents share them.

    Attributes:
        index: Which one this is, from 0.
        count: How many there are; each unit belongs to exactly one of them, by a hash of its id.
    """

    count: Annotated[int, _between(1, 1024)] = 1
    index: Annotated[int, _between(0, 1023)] = 0

    @field_validator("index")
    @classmethod
    def _be_one_of_them(cls, index: int, info: ValidationInfo) -> int:
        count = info.data.get("count", index + 1)
        if index >= count:
            raise ValueError(f"0 to {count - 1} is expected: shard.count is {count}")
        return index


class Config(_Section):
    """The whole configuration, checked."""

    site: SiteSection
    ledger: LedgerSection
    poll: PollSection = PollSection()
    web: WebSection = WebSection()
    api: ApiSection = ApiSection()
    curtailment: Annotated[tuple[CurtailmentSection, ...], Strict(strict=False)] = ()
    history: HistorySection = HistorySection()
    identity: IdentitySection = IdentitySection()
    log: LogSection = LogSection()

    power: PowerSection = PowerSection()
    meter: Annotated[tuple[MeterSection, ...], Strict(strict=False)] = ()
    mqtt: Annotated[tuple[MqttSection, ...], Strict(strict=False)] = ()
    shard: ShardSection = ShardSection()

    @property
    def title(self) -> str:
        """The site's name, and which shard of it this is."""
        return self.site.name + (f" (shard {self.shard.index} of {self.shard.count})" if self.shard.count > 1 else "")

    @field_validator("shard")
    @classmethod
    def _share_what_adds_up(cls, shard: ShardSection, info: ValidationInfo) -> ShardSection:
        if shard.count == 1:
            return shard
        if info.data.get("mqtt"):
            raise ValueError("shards and [[mqtt]] do not go together: each would replace the others' figures")
        if any(meter.unit is None for meter in info.data.get("meter", ())):
            raise ValueError(
                "a shard's meters measure single units: that of a container or site would count repeatedly"
            )
        return shard

    @field_validator("mqtt")
    @classmethod
    def _tell_brokers_apart(cls, brokers: tuple[MqttSection, ...]) -> tuple[MqttSection, ...]:
        for key in ("name", "outbox_file"):
            values = [value for value in (getattr(broker, key) for broker in brokers) if value is not None]
            for value in values:
                if values.count(value) > 1:
                    raise ValueError(f"two brokers have {key} {value}")
        # Meters are told by what they measure, wherever their readings come from.
        if len({broker.meter_max_age_s for broker in brokers if broker.meters}) > 1:
            raise ValueError("meter_max_age_s is one for all brokers with meters = true")
        return brokers

    @field_validator("meter")
    @classmethod
    def _tell_meters_apart(cls, meters: tuple[MeterSection, ...]) -> tuple[MeterSection, ...]:
        names = [meter.name for meter in meters]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two meters are called {name}")
        return meters

    @field_validator("curtailment")
    @classmethod
    def _name_windows_apart(cls, windows: tuple[CurtailmentSection, ...]) -> tuple[CurtailmentSection, ...]:
        names = [window.name for window in windows]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two windows are called {name}")
        return windows


def load_config(path: Path) -> Config:
    """Read a configuration file; paths in it are relative to its folder.

    Raises:
        ConfigError: With every mistake, in file order.
    """
    return parse_config(read_text(path, max_bytes=MAX_CONFIG_BYTES), str(path), folder=path.parent)


def parse_config(text: str, file: str, *, folder: Path) -> Config:
    """Read a configuration from its text.

    Args:
        text: TOML.
        file: What to call it in messages.
        folder: Where relative paths start.

    Raises:
        ConfigError: With every mistake, in file order; the first alone where the text is not TOML.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > MAX_DOTS_IN_LINE:
            reason = f"more than {MAX_DOTS_IN_LINE} dots in a line; a long list goes on several lines"
            raise ConfigError([Mistake(file=file, where=f"line {number}", value="", reason=reason)])
    try:
        raw = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax_mistake(str(error), text, file)]) from error
    except RecursionError as error:
        raise ConfigError([Mistake(file=file, where="file", value="", reason="nested too deeply")]) from error
    except ValueError as error:  # Python refuses to read decimal numbers of more than 4,300 digits.
        raise ConfigError([Mistake(file=file, where="file", value="", reason="a number is too long")]) from error
    try:
        return Config.model_validate(raw, context=folder)
    except ValidationError as error:
        raise ConfigError(read_mistakes(error, model=Config, raw=raw, file=file)) from None


def _syntax_mistake(message: str, text: str, file: str) -> Mistake:
    """Give line and column, which tomllib tells in its message only."""
    told = re.fullmatch(r"(.*) \((?:at line (\d+), column (\d+)|at end of document)\)", message, re.DOTALL)
    reason, line, column = told.groups() if told else (message, None, None)
    if line is None:
        lines = text.rstrip().split("\n")
        line, column = str(len(lines)), str(len(lines[-1]) + 1)
    return Mistake(file=file, where=f"line {line}, column {column}", value="", reason=f"not TOML: {reason}")


def render_config(config: Config) -> str:
    """Give the configuration in force as TOML, defaults spelt out and secrets masked."""
    sections = []
    for name, value in config:
        repeated = isinstance(value, tuple)
        for section in value if repeated else (value,):
            lines = [f"{key} = {_toml(key, value)}" for key, value in section if value is not None]
            sections.append("\n".join((f"[[{name}]]" if repeated else f"[{name}]", *lines, "")))
    return "\n".join(sections)


def _toml(key: str, value: object) -> str:
    match value:
        case _ if is_secret(key):
            return f'"{MASK}"'
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case time():
            return f'"{value:%H:%M}"'
        case tuple() if not isinstance(value, Endpoint):
            return f"[{', '.join(_toml(key, item) for item in value)}]"
        case _:
            return json.dumps(str(value), ensure_ascii=False)
