"""`hashsight record HOST...`: what a unit says, byte for byte, as a capture that can be replayed."""

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import typer

from agent import __version__
from agent.address import PRIVATE_NETWORKS, Endpoint, Network, parse_endpoint
from agent.commands.machine_output import write_json
from agent.commands.options.record import Through
from agent.commands.record_captures import Writing, say, settled
from agent.commands.scan_progress import cancelled_by_signals
from agent.commands.terminal import FAILED, err, exit_codes, usage_error
from agent.config.file import load_config
from agent.files.secret import read_password
from agent.hil.capture.exchange import Patience
from agent.hil.capture.gathering import Look
from agent.hil.capture.recorder import API_PORT, WEB_PORT, Plan
from agent.hil.capture.session import MOST_HOSTS, Recording, folder_of_one, record_all, spooled
from agent.hil.capture.spool import SUFFIX, VERSION, Begun
from agent.hil.capture.states import THROUGH
from agent.hil.scan.logins import login_finder, login_words, read_logins
from agent.hil.scan.ranges import refuse_public
from agent.text.numbers import duration_text
from agent.unit.login import Login

MOST_S: Final = 24 * 3600.0
LEAST_EVERY_S: Final = 5.0
THROUGH_S: Final = 2 * 3600.0
"""How long a state is waited for without --for."""
_UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def record(
    hosts: list[str] | None,
    *,
    config: Path | None,
    for_text: str | None,
    every_text: str,
    through: Through | None,
    folder: Path | None,
    logins: Path | None,
    user: str | None,
    password_file: Path | None,
    web_port: int | None,
    timeout_s: float,
    any_address: bool,
    keep: list[str] | None,
    is_redacted: bool,
    is_agreed: bool,
    finish: list[Path] | None,
    as_json: bool,
) -> None:
    """Record units, or finish recordings that were stopped, and write their captures."""
    with exit_codes():
        writing = Writing(
            folder=folder,
            keep=tuple(keep or ()),
            is_redacted=is_redacted,
            is_agreed=is_agreed,
            has_screen=not as_json,
        )
        if finish:
            if hosts:
                raise usage_error("record", "--finish", "", "is given alone; no unit is asked")
            with ExitStack() as locks:
                for place in dict.fromkeys(path.absolute().parent for path in finish):
                    if place.is_dir():
                        locks.enter_context(folder_of_one(place))
                recordings = [spooled(path) for path in finish]
                documents, has_failed = settled(recordings, writing)
        else:
            networks = PRIVATE_NETWORKS if config is None else load_config(config).ledger.networks
            endpoints = _endpoints(hosts or [], networks, any_address=any_address)
            login_of = _login_of(logins, user, password_file, networks)
            if logins is not None or user is not None:
                _say_no_login(endpoints, login_of)
            for_s = _for_s(for_text, through)
            every_s = _seconds("--every", every_text, least=LEAST_EVERY_S)
            plans = [
                Plan(
                    endpoint=endpoint,
                    web_port=web_port or _web_port(endpoint, login_of(endpoint.host)),
                    login=login_of(endpoint.host),
                    for_s=for_s,
                    every_s=every_s,
                    through=None if through is None else THROUGH[through],
                    patience=Patience(connect_s=min(4.0, timeout_s), deadline_s=timeout_s),
                )
                for endpoint in endpoints
            ]
            with folder_of_one(folder or Path()):
                recordings = _recorded(plans, folder or Path())
                if through is not None:
                    _say_missed(recordings, through)
                documents, has_failed = settled(recordings, writing)
        if as_json:
            write_json({"captures": documents})
        if has_failed:
            raise typer.Exit(FAILED)


def _endpoints(hosts: Sequence[str], networks: Sequence[Network], *, any_address: bool) -> list[Endpoint]:
    """Return the units of a command line.

    Raises:
        ConfigError: There is none or one too many, or one is no address, is public, or stands twice.
    """
    if not hosts:
        raise usage_error("record", "HOST", "", f"name a unit, or a recording to finish: --finish NAME{SUFFIX}")
    if len(hosts) > MOST_HOSTS:
        raise usage_error("record", "HOST", "", f"{len(hosts)} units are too many at once; at most {MOST_HOSTS}")
    endpoints: list[Endpoint] = []
    for host in hosts:
        try:
            address, port = parse_endpoint(host, default_port=API_PORT)
            if not any_address:
                refuse_public(address, networks)
        except ValueError as error:
            raise usage_error("record", "HOST", host, str(error)) from error
        endpoint = Endpoint(str(address), port)
        if endpoint in endpoints:
            raise usage_error("record", "HOST", host, "stands twice; a unit serves one client at a time")
        endpoints.append(endpoint)
    return endpoints


def _login_of(
    logins: Path | None, user: str | None, password_file: Path | None, networks: Sequence[Network]
) -> Callable[[str], Login | None]:
    """Return the login for the pages of an address: None outside the networks, for a public one, or if none is given.

    Raises:
        ConfigError: The options contradict each other, or a file holds no login.
    """
    if (user is None) != (password_file is None):
        raise usage_error("record", "--user", user or "", "goes together with --password-file")
    default = None
    if user is not None and password_file is not None:
        try:
            default = login_words(user, read_password(password_file, where="--password-file"))
        except ValueError as error:
            raise usage_error("record", "--user", user, str(error)) from error
    known = () if logins is None else read_logins(logins)
    return login_finder(known, networks, default=default)


def _say_no_login(endpoints: Sequence[Endpoint], login_of: Callable[[str], Login | None]) -> None:
    """Name the units whose pages are not read although logins are given."""
    for endpoint in endpoints:
        if login_of(endpoint.host) is None:
            say(
                f"note: {endpoint.host} gets no login, so its pages are not read: it is public, or outside"
                " ledger.networks, or in no line of --logins"
            )


def _web_port(endpoint: Endpoint, login: Login | None) -> int | None:
    return WEB_PORT if endpoint.port == API_PORT or login is not None else None


def _for_s(text: str | None, through: Through | None) -> float:
    if text is not None:
        return _seconds("--for", text)
    return 0.0 if through is None else THROUGH_S


def _seconds(option: str, text: str, *, least: float = 0.0) -> float:
    """Return the seconds in ``20m``, ``90`` or ``1.5h``.

    Raises:
        ConfigError: It is no time, or out of range.
    """
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smh]?)", text.strip())
    if match is None:
        raise usage_error("record", option, text, "a time is expected, such as 30s, 20m or 2h")
    seconds = float(match[1]) * _UNITS[match[2]]
    if not least <= seconds <= MOST_S:
        raise usage_error("record", option, text, f"a time from {least:g}s to {MOST_S / 3600:g}h is expected")
    return seconds


def _recorded(plans: Sequence[Plan], folder: Path) -> list[Recording]:
    """Record until the plans are done or a signal stops them; return what began."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        say(f"note: {path} was never finished; hashsight record --finish {path} makes its capture")
    recordings: list[Recording] = []
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def begun_of(host: str) -> Begun:
        return Begun(spool=VERSION, host=host, recorded_by=f"hashsight {__version__}", recorded_at=at)

    async def run() -> None:
        with cancelled_by_signals():
            await record_all(plans, folder, begun_of, on_look=_say_look, recordings=recordings)

    try:
        with err.status(f"recording {_hosts_text(plans)}; Ctrl-C ends it, and keeps what was recorded"):
            asyncio.run(run())
    except asyncio.CancelledError:
        say("stopped before its end; what was recorded until then is kept")
    return recordings


def _say_missed(recordings: Sequence[Recording], through: Through) -> None:
    """Print which units did not go through the state of `--through`."""
    for recording in recordings:
        state, seen = THROUGH[through], recording.gathering.states
        if seen and not recording.gathering.has_left(state):
            how = "was not left" if state in seen else "was not seen"
            say(f"{recording.begun.host}: {state} {how} until the recording ended; seen: {', '.join(seen)}")


def _hosts_text(plans: Sequence[Plan]) -> str:
    return str(plans[0].shown) if len(plans) == 1 else f"{len(plans)} units"


def _say_look(host: str, look: Look) -> None:
    """Print a look's new state and new fields, if it has any."""
    words = [str(look.state)] if look.is_new_state else []
    if look.is_kept:
        paths = list(dict.fromkeys(feature.request for feature in look.new))
        words.append(f"kept: new in {', '.join(paths[:4])}" if paths else "kept")
    if words:
        say(f"{host} at {duration_text(look.at_s)}: {'; '.join(words)}")
