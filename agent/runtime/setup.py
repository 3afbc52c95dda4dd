"""The operator's files, checked: either a whole setup, or every mistake in the files."""

import ssl
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from agent.address import Network, parse_endpoint
from agent.config.file import MAX_CONFIG_BYTES, Config, parse_config
from agent.config.mistakes import Mistakes, NearMatches
from agent.config.pools import PoolsSection
from agent.config.sections import CurtailmentSection, IdentitySection, MeterSection, WebSection
from agent.errors import ConfigError, Mistake
from agent.exporters.mqtt.links import Link, outbox_path, read_links
from agent.exporters.web.bearer import Token, read_token
from agent.exporters.web.door.web_file import WebFile, read_web_file
from agent.files.regular import resolved
from agent.files.secret import read_password
from agent.files.text import read_text
from agent.hil.scan.ranges import Targets, parse_targets
from agent.pool_accounts.accounts import check_pool_accounts
from agent.runtime.foreign_logins import ForeignLogin, read_logins
from agent.site.curtailment.events import Scope
from agent.site.curtailment.orders import KnownScopes
from agent.site.curtailment.windows import DailyWindow
from agent.site.ledger.entries import Ledger
from agent.site.ledger.file import MAX_LEDGER_BYTES
from agent.site.ledger.reader import read_ledger
from agent.site.pools.allow import AllowEntry, AllowList
from agent.standby.watch import read_authority
from agent.unit.login import Login
from agent.unit.models_file import read_models
from agent.unit.nameplate import Catalogue, shipped_catalogue
from agent.unit.registry import FACTORY_LOGIN

T = TypeVar("T")

MAX_MODELS_BYTES = 1 << 20
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A configuration and everything it names.

    Attributes:
        path: The configuration file.
        config: Its content.
        catalogue: Nameplates, the site's own on top of the shipped ones.
        ledger: All units that are, were or will be deployed.
        watched: The part of the ledger that this agent polls: its shard, or all of it.
        windows: The curtailment schedule.
        token: The bearer token of operators; None without one.
        viewer_token: The bearer token of viewers; None without one.
        web_config_file: The web configuration file that the command line names instead of the configuration's.
        web_file: What the web configuration file says; None without one.
        unit_login: User and password for the units' own web pages.
        foreign_logins: The logins of units of other makes.
        mqtt_links: The link to each MQTT broker, in the order of the configuration.
        primary_token: The bearer token of the agent that this one stands by for; None without one.
        primary_tls: The certificates to trust there; None for the system's.
        discovered: The addresses that are looked at for machines outside the ledger; None for none.
        allow: Where the site's work may go; None where that is not judged.
        digest: SHA-256 of the configuration file, hexadecimal; empty if `config` was not read from it here.
    """

    path: Path
    config: Config
    catalogue: Catalogue
    ledger: Ledger
    windows: tuple[DailyWindow, ...] = ()
    token: Token | None = None
    viewer_token: Token | None = None
    web_config_file: Path | None = None
    web_file: WebFile | None = field(default=None, compare=False)
    unit_login: Login = FACTORY_LOGIN
    foreign_logins: tuple[ForeignLogin, ...] = ()
    mqtt_links: tuple[Link, ...] = ()
    primary_token: Token | None = None
    primary_tls: ssl.SSLContext | None = field(default=None, repr=False)
    discovered: Targets | None = None
    allow: AllowList | None = None
    digest: str = ""
    watched: Ledger = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shard = self.config.shard
        object.__setattr__(self, "watched", self.ledger.shard(shard.index, shard.count))

    @property
    def curtailments_file(self) -> Path:
        """The file that keeps declared curtailments."""
        return self.config.api.state_file or self.path.with_suffix(".curtailments.json")


def check_meters(
    sections: Iterable[MeterSection], ledger: Ledger, networks: tuple[Network, ...], file: str
) -> Iterator[Mistake]:
    """Yield the mistakes in the meters, held against the ledger and the site's networks.

    Args:
        sections: The meters of the configuration.
        ledger: All units that are, were or will be deployed.
        networks: Networks in which units and meters may be.
        file: Name of the configuration in messages.
    """
    mistakes = Mistakes(file)
    known = {"container": {entry.place.container for entry in ledger.entries}, "unit": set(ledger.unit_ids)}
    matches = {kind: NearMatches(names) for kind, names in known.items()}
    for number, section in enumerate(sections):
        for kind, names in known.items():
            name = getattr(section, kind)
            if name is not None and name not in names:
                mistakes.add(f"meter[{number}].{kind}", name, partial(_no_such, kind, name, matches[kind]))
        if section.url is not None:
            address, _ = parse_endpoint(urlsplit(section.url).netloc, default_port=80)
            if not any(address in network for network in networks):
                reason = "outside ledger.networks, in which all of a site stands"
                mistakes.add(f"meter[{number}].url", section.url, reason)
    yield from mistakes.listed()


def check_owners(section: PoolsSection, ledger: Ledger, file: str) -> Iterator[Mistake]:
    """Yield the entries of the allow-list for an owner that the ledger does not have."""
    mistakes, owners = Mistakes(file), {entry.owner for entry in ledger.entries} - {""}
    matches = NearMatches(owners)
    for number, entry in enumerate(section.allowed):
        if entry.owner is not None and entry.owner not in owners:
            where = f"pools.allowed[{number}].owner"
            mistakes.add(where, entry.owner, partial(_no_such, "owner", entry.owner, matches))
    yield from mistakes.listed()


def _no_such(kind: str, name: str, known: NearMatches) -> str:
    return f"no {kind} of the ledger{known.near(name)}"


def load_setup(
    path: Path,
    *,
    config: Config | None = None,
    before: Setup | None = None,
    rest: Callable[[], None] = lambda: None,
    web_config_file: Path | None = None,
) -> Setup:
    """Read the configuration, the site's own models and the ledger, without opening a socket.

    Args:
        path: The configuration.
        config: Its content, if it was read already.
        before: An earlier setup; its ledger entries are reused where rows did not change.
        rest: As of `read_ledger`.
        web_config_file: The web configuration file, instead of the configuration's.

    Raises:
        ConfigError: With the mistakes of all files that could be read.
    """
    digest = ""
    if config is None:
        text = read_text(path, max_bytes=MAX_CONFIG_BYTES)
        config, digest = parse_config(text, str(path), folder=path.parent), sha256(text.encode()).hexdigest()
    mistakes: list[Mistake] = []
    catalogue = shipped_catalogue()
    try:
        catalogue = load_catalogue(config)
    except ConfigError as error:
        mistakes.extend(error.mistakes)
    try:
        ledger = read_ledger(
            read_text(config.ledger.file, max_bytes=MAX_LEDGER_BYTES),
            str(config.ledger.file),
            catalogue=catalogue,
            zone=config.site.zone,
            networks=config.ledger.networks,
            detect_simulated=config.ledger.detect_simulated,
            before=None if before is None else before.ledger,
            rest=rest,
        )
    except ConfigError as error:
        raise ConfigError([*mistakes, *error.mistakes]) from error
    mistakes.extend(check_meters(config.meter, ledger, config.ledger.networks, str(path)))
    mistakes.extend(check_pool_accounts(config.pool_account, str(path)))
    mistakes.extend(check_owners(config.pools, ledger, str(path)))
    token = _read(lambda: _token(config.api.token_file, "api.token_file"), None, mistakes)
    viewer_token = _read(lambda: _token(config.api.viewer_token_file, "api.viewer_token_file"), None, mistakes)
    kept = None if before is None else before.web_file
    web_file = _read(lambda: read_door(config.web, str(path), web_config_file, kept=kept), None, mistakes)
    unit_login = _read(lambda: unit_login_of(config.identity), FACTORY_LOGIN, mistakes)
    no_logins: tuple[ForeignLogin, ...] = ()
    foreign_logins = _read(
        lambda: read_logins(config.foreign_login, config.ledger.networks, str(path)), no_logins, mistakes
    )
    no_links: tuple[Link, ...] = ()
    standby = config.standby
    is_standby = standby.of is not None
    mqtt_links = _read(
        lambda: read_links(config.mqtt, site=config.site.name, file=path, is_standby=is_standby), no_links, mistakes
    )
    primary_token = _read(lambda: _token(standby.token_file, "standby.token_file"), None, mistakes)
    primary_tls = _read(lambda: read_authority(standby.ca_file, where="standby.ca_file"), None, mistakes)
    discovered = _read(lambda: read_discovery(config, str(path)), None, mistakes)
    windows = tuple(_window(section, config.site.zone) for section in config.curtailment)
    mistakes.extend(_check_windows(windows, ledger, str(path)))
    history_file, snapshot_file = config.history.path(path), config.snapshot_path(path)
    others = {resolved(each) for each in _other_files(path, config)}
    for key, file, more in (
        ("history", history_file, set[Path]()),
        ("snapshot", snapshot_file, {resolved(history_file)}),
    ):
        if resolved(file) in others | more:
            reason = f"this is another file of the agent's; {key} needs one of its own"
            mistakes.append(Mistake(file=str(path), where=f"{key}.file", value=str(file), reason=reason))
    if mistakes:
        raise ConfigError(mistakes)
    return Setup(
        path=path,
        config=config,
        catalogue=catalogue,
        ledger=ledger,
        windows=windows,
        token=token,
        viewer_token=viewer_token,
        web_config_file=web_config_file,
        web_file=web_file,
        unit_login=unit_login,
        foreign_logins=foreign_logins,
        mqtt_links=mqtt_links,
        primary_token=primary_token,
        primary_tls=primary_tls,
        discovered=discovered,
        digest=digest,
        allow=before.allow if before is not None and before.config.pools == config.pools else allow_list(config.pools),
    )


def allow_list(section: PoolsSection) -> AllowList | None:
    """Return where the site's work may go; None where that is not judged."""
    if not section.is_on:
        return None
    allowed = (
        AllowEntry(name=each.name, urls=each.urls, accounts=each.accounts, workers=each.workers, owner=each.owner)
        for each in section.allowed
    )
    fees = (AllowEntry(name=each.name, urls=each.urls, accounts=each.accounts, is_fee=True) for each in section.fees)
    return AllowList(
        (*allowed, *fees),
        tolerates_firmware_fees=section.tolerate_firmware_fees,
        fee_window_s=section.fee_window_s,
        stale_after_s=section.stale_after_s,
    )


def _token(path: Path | None, where: str) -> Token | None:
    return None if path is None else read_token(path, where=where)


def read_door(
    section: WebSection, file: str, instead: Path | None = None, *, kept: WebFile | None = None
) -> WebFile | None:
    """Return the web configuration; None without one.

    Args:
        section: The section ``[web]``, which names it.
        file: Name of the configuration in messages.
        instead: The file that the command line names instead.
        kept: Its content in force, which a running server keeps, and reports, while the file has a mistake: a wrong
            certificate must not keep a ledger from being reloaded.

    Raises:
        ConfigError: With its mistakes, and the operators who are no users of it.
    """
    path = instead or section.config_file
    try:
        web_file = None if path is None else read_web_file(path)
    except ConfigError:
        if kept is None:
            raise
        web_file = kept
    users = {} if web_file is None else web_file.users
    where = "web.config_file, which is not set" if path is None else str(path)
    unknown = [name for name in section.operators if name not in users]
    if unknown:
        reason = f"no user of basic_auth_users in {where}"
        raise ConfigError(Mistake(file=file, where="web.operators", value=name, reason=reason) for name in unknown)
    return web_file


def read_discovery(config: Config, file: str) -> Targets | None:
    """Return the addresses of discovery; None if it is off.

    Raises:
        ConfigError: A range is malformed, or not within one of `ledger.networks`.
    """
    section = config.discovery
    if not section.networks:
        return None
    keys = {"RANGE": "discovery.networks", "--exclude": "discovery.exclude"}
    try:
        targets = parse_targets(section.networks, section.exclude, allowed=None)
    except ConfigError as error:
        raise ConfigError([replace(each, file=file, where=keys[each.where]) for each in error.mistakes]) from error
    reason = "outside ledger.networks, in which all of a site stands"
    outside = [
        Mistake(file=file, where="discovery.networks", value=text, reason=reason)
        for text in targets.outside(config.ledger.networks)
    ]
    if outside:
        raise ConfigError(outside)
    return targets


def load_catalogue(config: Config) -> Catalogue:
    """Return the shipped nameplates with the site's own on top.

    Raises:
        ConfigError: With every mistake in them.
    """
    if config.ledger.models_file is None:
        return shipped_catalogue()
    text = read_text(config.ledger.models_file, max_bytes=MAX_MODELS_BYTES)
    return shipped_catalogue(read_models(text, str(config.ledger.models_file)))


def _read(read: Callable[[], T], otherwise: T, mistakes: list[Mistake]) -> T:
    """Return what `read` returns; if it fails, add its mistakes and return `otherwise`."""
    try:
        return read()
    except ConfigError as error:
        mistakes.extend(error.mistakes)
        return otherwise


def unit_login_of(identity: IdentitySection) -> Login:
    """Return the login of units' identity pages.

    Raises:
        ConfigError: The password's file cannot be used.
    """
    if identity.password_file is None:
        return Login(user=identity.user, password=FACTORY_LOGIN.password)
    return Login(user=identity.user, password=read_password(identity.password_file, where="identity.password_file"))


def _other_files(path: Path, config: Config) -> list[Path]:
    """Return the files that history and snapshot must not replace."""
    ledger, api = config.ledger, config.api
    named = (path, ledger.file, ledger.models_file, api.token_file, api.state_file, config.identity.password_file)
    outboxes = (outbox_path(broker, path) for broker in config.mqtt)
    passwords = (section.password_file for section in config.foreign_login)
    keys = (section.key_file for section in config.pool_account)
    return [each for each in (*named, *outboxes, *passwords, *keys) if each is not None]


def _check_windows(windows: Iterable[DailyWindow], ledger: Ledger, file: str) -> Iterator[Mistake]:
    """Yield the windows that no unit is in."""
    mistakes, scopes = Mistakes(file), KnownScopes(ledger.entries)
    for number, window in enumerate(windows):
        if scopes.is_empty(window.scope):
            mistakes.add(f"curtailment[{number}]", window.name, partial(scopes.reason, window.scope))
    yield from mistakes.listed()


def _window(section: CurtailmentSection, zone: ZoneInfo) -> DailyWindow:
    starts, ends = (moment.hour * 60 + moment.minute for moment in (section.start, section.end))
    days = WEEKDAYS if section.days is None else section.days
    return DailyWindow(
        name=section.name,
        scope=Scope(container=section.container, rack=section.rack, model=section.model, unit=section.unit),
        target_ratio=section.target_percent / 100,
        zone=zone,
        starts=starts,
        ends=ends,
        weekdays=frozenset(WEEKDAYS.index(day) for day in days),
        dates=None if section.dates is None else frozenset(section.dates),
    )
