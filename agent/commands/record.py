"""`hashsight record HOST...`: what a unit says, byte for byte, as a capture that can be replayed."""

import asyncio
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import typer

from agent import __version__
from agent.address import PRIVATE_NETWORKS, Endpoint, Network, parse_endpoint
from agent.commands.machine_output import visible, write_json
from agent.commands.options.record import Through
from agent.commands.record_text import Brought, print_finished, print_redaction
from agent.commands.scan import cancelled_by_signals
from agent.commands.terminal import FAILED, err, exit_codes, sentence, usage_error
from agent.config.file import load_config
from agent.errors import ForeignProtocolError, PollError
from agent.files.secret import read_password
from agent.hil.assumptions.captured import recorded_of, unread_of
from agent.hil.assumptions.table import judge
from agent.hil.capture.exchange import Patience
from agent.hil.capture.finishing import finished, named
from agent.hil.capture.folder import write_capture
from agent.hil.capture.gathering import Look
from agent.hil.capture.recorder import API_PORT, WEB_PORT, Plan
from agent.hil.capture.report import as_document
from agent.hil.capture.session import MOST_HOSTS, Recording, folder_of_one, record_all, spooled
from agent.hil.capture.spool import SUFFIX, VERSION, Begun
from agent.hil.capture.states import THROUGH
from agent.hil.redaction.redactor import Redactor
from agent.hil.scan.logins import login_finder, login_words, read_logins
from agent.hil.scan.ranges import refuse_public
from agent.site.reasons import REASONS
from agent.site.status import reason_of
from agent.text.numbers import duration_text
from agent.unit.digest import Login

MOST_S: Final = 24 * 3600.0
LEAST_EVERY_S: Final = 5.0
THROUGH_S: Final = 2 * 3600.0
"""How long a state is waited for without --for."""
_UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_MOST_TWINS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writing:
    """How captures are written, as the options say.

    Attributes:
        folder: Where; None for that of each spool.
        keep: Paths whose texts are not replaced.
        is_redacted: Replace what is private.
        is_agreed: Ask nobody.
        has_screen: Print the screen at the end.
    """

    folder: Path | None
    keep: tuple[str, ...]
    is_redacted: bool
    is_agreed: bool
    has_screen: bool


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
        writing = _Writing(
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
                documents, has_failed = _settled(recordings, writing)
        else:
            networks = () if config is None else load_config(config).ledger.networks
            endpoints = _endpoints(hosts or [], networks, any_address=any_address)
            login_of = _login_of(logins, user, password_file, networks)
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
                documents, has_failed = _settled(_recorded(plans, folder or Path()), writing)
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
    """Return the login for the pages of an address: None for a public one, or if none is given.

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
    return login_finder(known, (*PRIVATE_NETWORKS, *networks), default=default)


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
        _say(f"note: {path} was never finished; hashsight record --finish {path} makes its capture")
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
        _say("stopped before its end; what was recorded until then is kept")
    return recordings


def _hosts_text(plans: Sequence[Plan]) -> str:
    return str(plans[0].shown) if len(plans) == 1 else f"{len(plans)} units"


def _say_look(host: str, look: Look) -> None:
    """Tell what a look brought that none before had."""
    words = [str(look.state)] if look.is_new_state else []
    if look.is_kept:
        paths = list(dict.fromkeys(feature.request for feature in look.new))
        words.append(f"kept: new in {', '.join(paths[:4])}" if paths else "kept")
    if words:
        _say(f"{host} at {duration_text(look.at_s)}: {'; '.join(words)}")


def _settled(recordings: Iterable[Recording], writing: _Writing) -> tuple[list[dict[str, object]], bool]:
    """Write the capture of each recording; return a document on each, and True if one failed."""
    documents: list[dict[str, object]] = []
    has_failed = False
    for recording in recordings:
        error = recording.error
        if isinstance(error, OSError):
            document = _failure(recording, error)
        elif isinstance(error, PollError) or not recording.gathering.is_answered:
            document = _no_unit(recording)
        else:
            try:
                document = _written(recording, writing)
            except OSError as failure:
                document = _failure(recording, failure)
            if error is not None:
                _say(f"{recording.begun.host}: {sentence(error)}; what was recorded until then is in the capture")
                has_failed = True
        documents.append(document)
        has_failed |= "error" in document
    return documents, has_failed


def _no_unit(recording: Recording) -> dict[str, object]:
    """Say why there is nothing to write; a spool that this process made holds nothing that is missed."""
    host, error = recording.begun.host, recording.error
    if error is not None or recording.is_stopped:
        recording.path.unlink(missing_ok=True)
    text = "stopped before anything was recorded"
    if error is not None:
        text = sentence(error)
    elif not recording.is_stopped:
        text = "nothing answered while it was recorded"
    if isinstance(error, ForeignProtocolError) and error.speaker.startswith(("a ", "an ")):
        _say(f"{host}: this is {error.speaker}, which hashsight does not read")
    _say(f"{host}: {text}")
    if isinstance(error, PollError):
        _say(f"check first: {REASONS[reason_of(error)].check_first}")
    return {"host": host, "error": text}


def _failure(recording: Recording, error: OSError) -> dict[str, object]:
    """Say what was not written, and how the rest is saved."""
    host, path = recording.begun.host, recording.path
    _say(f"{host}: {sentence(error)}")
    if not path.exists():
        return {"host": host, "error": sentence(error)}
    _say(f"what was recorded is in {path}; once that is put right: hashsight record --finish {path}")
    return {"host": host, "error": sentence(error), "unfinished": str(path)}


def _written(recording: Recording, writing: _Writing) -> dict[str, object]:
    """Show what was replaced, ask if that is to be written, and write it.

    Raises:
        OSError: It could not be written.
    """
    redactor = Redactor(keep=writing.keep) if writing.is_redacted else None
    if redactor is not None:
        redactor.learn(recording.secrets)
    done = finished(recording.gathering, recording.begun, redactor)
    parent = recording.path.parent if writing.folder is None else writing.folder
    folder = _free(parent / done.capture.name)
    done = named(done, folder.name)
    host = recording.begun.host
    print_redaction(host, redactor)
    if not _is_agreed(folder, writing):
        _say(f"not written; {recording.path} holds it, unredacted: finish it with --finish, or delete it")
        return {"host": host, "error": "not written, as answered", "unfinished": str(recording.path)}
    write_capture(folder, done.capture, golden=done.golden, sources=done.sources)
    recording.path.unlink(missing_ok=True)
    raw = recording.gathering.capture(name="", recorded_by="", recorded_at=recording.begun.recorded_at)
    # Of what the unit said, not of its pseudonyms: the names of fields that nobody knows are among those.
    unread, findings = unread_of(raw), judge(recorded_of(raw))
    document = as_document(recording.gathering, done, redactor)
    if writing.has_screen:
        print_finished(Brought(recording, done, folder, document, unread, findings))
    return {
        "host": host,
        "folder": str(folder),
        **document,
        "unread": msgspec.to_builtins(unread),
        "assumptions": [msgspec.to_builtins(finding) for finding in findings],
    }


def _free(folder: Path) -> Path:
    """Return a folder of this name that does not exist yet, with a number behind it if need be."""
    twins = (folder.with_name(f"{folder.name}-{number}") for number in range(2, _MOST_TWINS))
    return next((each for each in (folder, *twins) if not each.exists()), folder)


def _is_agreed(folder: Path, writing: _Writing) -> bool:
    if writing.is_agreed or not _has_terminal():
        return True
    return typer.confirm(f"write {folder}?", default=True, err=True)


def _has_terminal() -> bool:
    """Return True if somebody can be asked."""
    return sys.stdin is not None and sys.stdin.isatty() and err.is_terminal


def _say(text: str) -> None:
    err.print(visible(text), markup=False, soft_wrap=True)
