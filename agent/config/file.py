"""The configuration file: all sections together, and every mistake at once.

The file is TOML. Unknown keys are refused: a misspelt key that is ignored silently applies a default instead. Nothing
here opens a socket, and only `load_config` reads a file.
"""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import time
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import Strict, ValidationError, ValidationInfo, field_validator

from agent.address import Endpoint, parse_endpoint
from agent.config.mistakes import MASK, is_secret, read_mistakes
from agent.config.pool_accounts import PoolAccountSection
from agent.config.pools import PoolsSection
from agent.config.sections import (
    ApiSection,
    CurtailmentSection,
    DiscoverySection,
    ForeignLoginSection,
    HistorySection,
    IdentitySection,
    LedgerSection,
    LogSection,
    MeterSection,
    MetricsSection,
    MqttSection,
    PollSection,
    PowerSection,
    RepairsSection,
    Section,
    ShardSection,
    SiteSection,
    SnapshotSection,
    StandbySection,
    WebSection,
)
from agent.errors import ConfigError, Mistake
from agent.files.text import read_text

T = TypeVar("T")
S = TypeVar("S", bound=Section)

MAX_CONFIG_BYTES = 1 << 20
POOLS_ASKED_S = 50.0
"""Longest time between two looks at a unit's pools, s: a switch is seen within a minute, its poll included."""
# tomllib's time grows with the square of the dots in a key: 20,000 dots took six seconds (Python 3.11).
MAX_DOTS_IN_LINE = 256


class Config(Section):
    """The whole configuration, checked."""

    site: SiteSection
    ledger: LedgerSection
    poll: PollSection = PollSection()
    web: WebSection = WebSection()
    api: ApiSection = ApiSection()
    curtailment: Annotated[tuple[CurtailmentSection, ...], Strict(strict=False)] = ()
    history: HistorySection = HistorySection()
    repairs: RepairsSection = RepairsSection()
    snapshot: SnapshotSection = SnapshotSection()
    identity: IdentitySection = IdentitySection()
    foreign_login: Annotated[tuple[ForeignLoginSection, ...], Strict(strict=False)] = ()
    discovery: DiscoverySection = DiscoverySection()
    metrics: MetricsSection = MetricsSection()
    pools: PoolsSection = PoolsSection()
    log: LogSection = LogSection()

    power: PowerSection = PowerSection()
    meter: Annotated[tuple[MeterSection, ...], Strict(strict=False)] = ()
    pool_account: Annotated[tuple[PoolAccountSection, ...], Strict(strict=False)] = ()
    mqtt: Annotated[tuple[MqttSection, ...], Strict(strict=False)] = ()
    shard: ShardSection = ShardSection()
    standby: StandbySection = StandbySection()

    @property
    def title(self) -> str:
        """The site's name, with the shard's number if the site is sharded."""
        if self.shard.count == 1:
            return self.site.name
        return f"{self.site.name} (shard {self.shard.index} of {self.shard.count})"

    @property
    def pools_every(self) -> int | None:
        """Every how many polls a unit is asked for its pools because they are judged; None where they are not."""
        return max(1, int(POOLS_ASKED_S // self.poll.interval_s)) if self.pools.is_on else None

    def snapshot_path(self, config_file: Path) -> Path:
        """Return the file that keeps statuses over a restart, of a configuration read from `config_file`."""
        return self.snapshot.path(config_file, self.history.path(config_file))

    def recent_path(self, config_file: Path) -> Path:
        """Return the file that keeps units' last 24 hours, beside the history; written only if history is kept."""
        return self.history.path(config_file).with_name(f"{config_file.stem}.recent")

    def ledger_rows_path(self, config_file: Path) -> Path:
        """Return the file that keeps digests of the ledger's rows, beside the history; only if history is kept."""
        return self.history.path(config_file).with_name(f"{config_file.stem}.ledger-rows")

    @field_validator("shard")
    @classmethod
    def _refuse_unshardable(cls, shard: ShardSection, info: ValidationInfo) -> ShardSection:
        if shard.count == 1:
            return shard
        if info.data.get("mqtt"):
            raise ValueError("shards cannot be combined with [[mqtt]]: each shard would overwrite the others' figures")
        if info.data.get("pool_account"):
            raise ValueError(
                "shards cannot be combined with [[pool_account]]: a shard sees a part of the account's units"
            )
        if any(meter.unit is None for meter in info.data.get("meter", ())):
            raise ValueError(
                "a shard's meters must measure single units: every shard would count a container's or the site's meter"
            )
        return shard

    @field_validator("standby")
    @classmethod
    def _refuse_impossible_standby(cls, standby: StandbySection, info: ValidationInfo) -> StandbySection:
        if standby.of is None:
            return standby
        shard, web = info.data.get("shard"), info.data.get("web")
        if shard is not None and shard.count > 1:
            raise ValueError("a standby cannot be combined with shards: it would take over the whole site from one")
        address, port = parse_endpoint(urlsplit(standby.of).netloc, default_port=80)
        if web is not None and web.listen.port == port and str(address) in {web.listen.host, "127.0.0.1", "::1"}:
            raise ValueError(f"{standby.of} is this agent's own address (web.listen); name the other agent's")
        if any(broker.sparkplug_group is not None for broker in info.data.get("mqtt", ())):
            raise ValueError("a standby cannot be a Sparkplug node: two nodes of one name end each other's sessions")
        return standby

    @field_validator("mqtt")
    @classmethod
    def _refuse_ambiguous_brokers(cls, brokers: tuple[MqttSection, ...]) -> tuple[MqttSection, ...]:
        for key in ("name", "outbox_file"):
            value = _first_twice(value for value in (getattr(broker, key) for broker in brokers) if value is not None)
            if value is not None:
                raise ValueError(f"two brokers have {key} {value}")
        # Meters are keyed by what they measure, across all brokers.
        if len({broker.meter_max_age_s for broker in brokers if broker.meters}) > 1:
            raise ValueError("meter_max_age_s must be equal for all brokers with meters = true")
        return brokers

    @field_validator("meter")
    @classmethod
    def _refuse_duplicate_meters(cls, meters: tuple[MeterSection, ...]) -> tuple[MeterSection, ...]:
        name = _first_twice(meter.name for meter in meters)
        if name is not None:
            raise ValueError(f"two meters are named {name}")
        return meters

    @field_validator("pool_account")
    @classmethod
    def _refuse_duplicate_accounts(cls, accounts: tuple[PoolAccountSection, ...]) -> tuple[PoolAccountSection, ...]:
        name = _first_twice(account.name for account in accounts)
        if name is not None:
            raise ValueError(f"two pool accounts are named {name}")
        if len(accounts) > 1 and any(account.account is None for account in accounts):
            raise ValueError("account is expected of each of several: units are compared by it")
        return accounts

    @field_validator("curtailment")
    @classmethod
    def _refuse_duplicate_windows(cls, windows: tuple[CurtailmentSection, ...]) -> tuple[CurtailmentSection, ...]:
        name = _first_twice(window.name for window in windows)
        if name is not None:
            raise ValueError(f"two windows are named {name}")
        return windows


def _first_twice(values: Iterable[T]) -> T | None:
    """Return the first of the values that are there more than once; None if each is there once."""
    return next((value for value, times in Counter(values).items() if times > 1), None)


def load_config(path: Path) -> Config:
    """Read a configuration file; relative paths in it start at its folder.

    Raises:
        ConfigError: With every mistake, in file order.
    """
    return parse_config(read_text(path, max_bytes=MAX_CONFIG_BYTES), str(path), folder=path.parent)


def parse_config(text: str, file: str, *, folder: Path) -> Config:
    """Read a site's configuration from its text; arguments and errors as `parse_sections`."""
    return parse_sections(Config, text, file, folder=folder)


def parse_sections(model: type[S], text: str, file: str, *, folder: Path) -> S:
    """Read a file of sections.

    Args:
        model: All sections of the file together.
        text: TOML.
        file: The file's name in messages.
        folder: Folder that relative paths start at.

    Raises:
        ConfigError: With every mistake, in file order; only the first if the text is not TOML.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > MAX_DOTS_IN_LINE:
            reason = f"more than {MAX_DOTS_IN_LINE} dots in a line; split a long list over several lines"
            raise ConfigError([Mistake(file=file, where=f"line {number}", value="", reason=reason)])
    try:
        raw = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax_mistake(str(error), text, file)]) from error
    except RecursionError as error:
        raise ConfigError([Mistake(file=file, where="file", value="", reason="nested too deeply")]) from error
    except ValueError as error:  # Python refuses to parse decimal integers of more than 4,300 digits.
        raise ConfigError([Mistake(file=file, where="file", value="", reason="a number is too long")]) from error
    try:
        return model.model_validate(raw, context=folder)
    except ValidationError as error:
        raise ConfigError(read_mistakes(error, model=model, raw=raw, file=file)) from None


def _syntax_mistake(message: str, text: str, file: str) -> Mistake:
    """Return the mistake with line and column, which tomllib reports only in its message."""
    match = re.fullmatch(r"(.*) \((?:at line (\d+), column (\d+)|at end of document)\)", message, re.DOTALL)
    reason, line, column = match.groups() if match else (message, None, None)
    if line is None:
        lines = text.rstrip().split("\n")
        line, column = str(len(lines)), str(len(lines[-1]) + 1)
    return Mistake(file=file, where=f"line {line}, column {column}", value="", reason=f"not TOML: {reason}")


def render_config(config: Config) -> str:
    """Return the effective configuration as TOML, with defaults and masked secrets."""
    return "\n".join(_rendered_sections(config, ""))


def _rendered_sections(config: Section, parent: str) -> Iterator[str]:
    for name, value in config:
        if not _is_section(value) or (isinstance(value, PoolsSection) and not value.is_on):
            # Without an entry, a section of pools is a mistake.
            continue
        repeated = isinstance(value, tuple)
        for section in value if repeated else (value,):
            shown = ((key, each) for key, each in section if each is not None and not _is_section(each))
            lines = [f"{key} = {_toml(key, each)}" for key, each in shown]
            yield "\n".join((f"[[{parent}{name}]]" if repeated else f"[{parent}{name}]", *lines, ""))
            yield from _rendered_sections(section, f"{parent}{name}.")


def _is_section(value: object) -> bool:
    """Return True for a section, or for some of the same name."""
    return isinstance(value, Section) or (isinstance(value, tuple) and bool(value) and isinstance(value[0], Section))


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
