"""`hashsight init DIR`: from a network of units to a checked configuration and ledger."""

import asyncio
import json
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import typer

from agent.address import PRIVATE_NETWORKS
from agent.commands.init_scan import SiteScan, begun, complain, state_file_of
from agent.commands.ledger_text import counted
from agent.commands.place_rules import rules_of, with_places
from agent.commands.terminal import FAILED, exit_codes, out, usage_error
from agent.config.file import Config, load_config
from agent.errors import AgentError, ConfigError, Mistake
from agent.files.atomic import sync_folder
from agent.hil.review.applying import apply_changes
from agent.hil.review.changes import changes
from agent.hil.review.kinds import Kind
from agent.hil.review.unread import unread_rows
from agent.hil.scan.logins import login_finder, read_logins
from agent.hil.scan.proposal import DEFAULT_WEB_PORT, Proposal, Proposed, propose, write_proposal
from agent.hil.scan.ranges import parse_targets
from agent.hil.scan.scanner import API_PORT, ScanOptions
from agent.runtime.setup import load_setup
from agent.site.ledger.cells import parse_hashrate_hs
from agent.site.ledger.edit import HEADER_LINE, Draft, Rules
from agent.text.numbers import hashrate_text
from agent.unit import registry
from agent.unit.login import Login
from agent.unit.nameplate import Catalogue, shipped_catalogue

SITE, LEDGER, PROPOSAL = "site.toml", "ledger.csv", "proposal.csv"
FOLDER_MODE: Final = 0o755
FILE_MODE: Final = 0o644
"""These files have no secrets, and a service under a user of its own must read them."""
_ZONE_FILES: Final = (Path("/etc/timezone"), Path("/etc/localtime"))
_HEAD: Final = (
    "# Made by `hashsight init`. site.example.toml, in share/hashsight of the installation, explains every key.\n"
)
_SERVICE: Final = """
[api]
state_file = "/var/lib/hashsight/curtailments.json"

[history]
file = "/var/lib/hashsight/history.sqlite"
"""
_PUBLIC: Final = (
    "not a private address; `init --no-scan`, then `scan --any-address` and `ledger import`, take such units"
)
_GO_ON: Final = (
    "set name and networks in {site} if need be, then `hashsight scan` and `hashsight ledger import` add units"
)
_SHOWN: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answers:
    """The answers about the site, from options or from the terminal."""

    name: str
    zone: str
    networks: Sequence[str]
    web_port: int
    is_service: bool

    @property
    def text(self) -> str:
        """The configuration."""
        networks = ", ".join(map(json.dumps, self.networks))
        text = f"{_HEAD}\n[site]\nname = {json.dumps(self.name)}\nzone = {json.dumps(self.zone)}\n"
        text += f"\n[ledger]\nfile = {json.dumps(LEDGER)}\nnetworks = [{networks}]\n"
        if self.web_port != 80:
            text += f"\n[identity]\nweb_port = {self.web_port}\n"
        return text + (_SERVICE if self.is_service else "")


def init(
    folder: Path,
    *,
    name: str | None,
    zone: str | None,
    network: list[str] | None,
    ranges: list[str] | None,
    place: list[str] | None,
    logins: Path | None,
    port: int,
    web_port: int,
    has_scan: bool,
    is_resumed: bool,
    is_service: bool,
) -> None:
    """Scan a site's networks and write its configuration and ledger."""
    with exit_codes():
        _check_folder(folder)
        rules = rules_of(place, "init")
        answers = _Answers(
            name=_asked("--name", name, "name of the site, such as north-1", ""),
            zone=_asked("--zone", zone, "its time zone", _own_zone()),
            networks=network or _asked("--network", None, "networks of its units, such as 10.20.0.0/22", "").split(),
            web_port=web_port,
            is_service=is_service,
        )
        with _named(folder), tempfile.TemporaryDirectory(prefix=".init-", dir=_existing(folder)) as draft:
            config = _checked(Path(draft), answers)
            proposal, unread, scan = Proposal((), (), ()), tuple[Proposed, ...](), None
            if has_scan:
                # The networks of this very command line vouch for nothing: a slip of the pen may be a public address.
                targets = parse_targets(
                    ranges or answers.networks, allowed=PRIVATE_NETWORKS, command="init", not_allowed=_PUBLIC
                )
                for text in targets.outside(config.ledger.networks):
                    raise usage_error("init", "--range", text, "outside the networks of the site, --network")
                scan = SiteScan(
                    targets=targets,
                    login_of=_login_of(config, logins),
                    options=ScanOptions(port=port, web_port=web_port),
                    state=begun(targets, port, state_file_of(folder), is_resumed=is_resumed),
                    file=state_file_of(folder),
                    again=_again(folder, answers, ranges=ranges, place=place, logins=logins, port=port),
                )
                found = asyncio.run(scan.run())
                proposal, unread = with_places(propose(found, shipped_catalogue()), rules, found), unread_rows(found)
                if not proposal.rows:
                    scan.forget()
                    _say_none(unread)
                    raise typer.Exit(FAILED)
            with _kept(scan):
                left_out = _write(Path(draft), proposal, unread, config)
                _put(Path(draft), folder, has_proposal=has_scan)
        _report(folder, proposal, left_out)
        if unread:
            _say(f"answer and were not identified: {len(unread):,}, at the end of {folder / PROPOSAL}")
        if scan is not None:
            tally = scan.state.tally
            _say(
                f"did not answer: {tally.silent + tally.refused:,} addresses; a unit that is off now is not in the"
                " ledger, nor in what is deployed: add it by hand, or scan again when it is on"
            )
        _say(_next(folder, has_units=len(left_out) < len(proposal.rows)))


@contextmanager
def _kept(scan: SiteScan | None) -> Iterator[None]:
    """Forget a scan's file once the site is written, or say how to continue after a failure."""
    try:
        yield
    except (AgentError, OSError):
        if scan is not None:
            complain(scan.how_to_continue())
        raise
    if scan is not None:
        scan.forget()


@contextmanager
def _named(folder: Path) -> Iterator[None]:
    """Let an error of the draft's files name the folder instead, which is the one that a person knows."""
    try:
        yield
    except OSError as error:
        error.filename = str(folder)
        raise


def _check_folder(folder: Path) -> None:
    """Refuse a folder that has a site already.

    Raises:
        ConfigError: One of the files exists, or the folder cannot be made.
    """
    taken = [name for name in (SITE, LEDGER, PROPOSAL) if (folder / name).exists()]
    if taken:
        reason = f"{folder / taken[0]} exists, and no file is replaced; {_GO_ON.format(site=folder / SITE)}"
        raise usage_error("init", "DIR", str(folder), reason)
    if folder.exists() and not folder.is_dir():
        raise usage_error("init", "DIR", str(folder), "a folder is expected")
    if not _existing(folder).is_dir():
        raise usage_error("init", "DIR", str(folder), "the folder above it does not exist")


def _existing(folder: Path) -> Path:
    """Return the folder if it exists, else the one above it."""
    return folder if folder.exists() else folder.absolute().parent


def _asked(option: str, given: str | None, question: str, default: str) -> str:
    """Return an option's value, or the answer of the person at the terminal."""
    if given is not None:
        return given
    if not sys.stdin.isatty():
        if default:
            return default
        raise usage_error("init", option, "", "needed, because there is no terminal to ask at")
    answer: str = typer.prompt(question, default=default or None)
    return answer.strip()


def _own_zone() -> str:
    """Return this machine's time zone; UTC if it has none."""
    timezone, localtime = _ZONE_FILES
    try:
        return timezone.read_text(encoding="utf-8").strip() or "UTC"
    except (OSError, UnicodeDecodeError):
        _, found, name = str(localtime.resolve()).partition("/zoneinfo/")
        return name if found else "UTC"


def _checked(draft: Path, answers: _Answers) -> Config:
    """Write the configuration into a draft's folder and return it as read.

    Raises:
        ConfigError: With every mistake in the answers.
    """
    path = draft / SITE
    path.write_text(answers.text, encoding="utf-8")
    try:
        return load_config(path)
    except ConfigError as error:
        raise ConfigError(
            Mistake(file="init", where=mistake.where, value=mistake.value, reason=mistake.reason)
            for mistake in error.mistakes
        ) from error


def _say_none(unread: Sequence[Proposed]) -> None:
    """Say that no unit was identified, and what answers instead."""
    others = ""
    if unread:
        others = f"; {len(unread):,} addresses answer and were not identified, such as {unread[0].host}"
        others += f" ({unread[0].note.removeprefix('not identified: ')})"
    complain(f"no unit answered, so nothing was written; --no-scan begins a site without units{others}")


def _login_of(config: Config, logins: Path | None) -> Callable[[str], Login | None]:
    known = () if logins is None else read_logins(logins)
    # There is no ledger yet: its networks are those that the person has just named.
    return login_finder(known, config.ledger.networks, default=registry.FACTORY_LOGIN)


def _again(
    folder: Path,
    answers: _Answers,
    *,
    ranges: list[str] | None,
    place: list[str] | None,
    logins: Path | None,
    port: int,
) -> str:
    """Return the command that continues this one."""
    words = ["hashsight", "init", str(folder), "--name", answers.name, "--zone", answers.zone]
    for option, values in (("--network", answers.networks), ("--range", ranges), ("--place", place)):
        words += [word for value in values or () for word in (option, value)]
    words += [] if logins is None else ["--logins", str(logins)]
    words += [] if port == API_PORT else ["--port", str(port)]
    words += [] if answers.web_port == DEFAULT_WEB_PORT else ["--web-port", str(answers.web_port)]
    return shlex.join([*words, *(["--service"] if answers.is_service else []), "--resume"])


def _write(draft: Path, proposal: Proposal, unread: Sequence[Proposed], config: Config) -> list[Proposed]:
    """Write ledger and proposal into a draft's folder, check them, and return the rows that the ledger cannot have."""
    catalogue = shipped_catalogue()
    rows = [row for row in proposal.rows if _is_known(row, catalogue)]
    ledger = HEADER_LINE
    if rows:
        rules = Rules(catalogue=catalogue, zone=config.site.zone, networks=config.ledger.networks)
        edit = Draft("", LEDGER, rules)
        new = [change for change in changes((), rows) if change.kind is Kind.NEW]
        apply_changes(edit, new, _today(config.site.zone))
        ledger = edit.finish().text
    (draft / LEDGER).write_text(ledger, encoding="utf-8")
    write_proposal(draft / PROPOSAL, (*proposal.rows, *unread))
    if rows:
        load_setup(draft / SITE)
    return [row for row in proposal.rows if row not in rows]


def _is_known(row: Proposed, catalogue: Catalogue) -> bool:
    """Return True if the catalogue has a row's model and bin."""
    try:
        return bool(row.model) and catalogue.find(row.model, parse_hashrate_hs(row.hashrate_th)) is not None
    except ValueError:
        return False


def _today(zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(time.time(), zone).date().isoformat()


def _put(draft: Path, folder: Path, *, has_proposal: bool) -> None:
    """Move the files of a draft to their place; the configuration last, which makes it a site."""
    if not folder.exists():
        folder.mkdir()
        # Independent of the umask: a service under a user of its own reads these files too.
        folder.chmod(FOLDER_MODE)
    for name in (PROPOSAL, LEDGER, SITE):
        if name != PROPOSAL or has_proposal:
            (draft / name).chmod(FILE_MODE)
            (draft / name).rename(folder / name)
    sync_folder(folder)


def _report(folder: Path, proposal: Proposal, left_out: Sequence[Proposed]) -> None:
    """Print what the ledger has, and what it lacks."""
    rows = [row for row in proposal.rows if row not in left_out]
    models = Counter((row.model, row.hashrate_th) for row in rows)
    for (model, bin_th), count in sorted(models.items()):
        _say(f"{count:>6,}  {model} of {bin_th} TH/s")
    total_hs = sum(parse_hashrate_hs(row.hashrate_th) for row in rows)
    _say(f"{counted(len(rows), 'unit')}, {hashrate_text(total_hs)} in {folder / LEDGER}")
    guessed = sum("hashrate_th" in row.guessed for row in rows)
    if guessed:
        _say(
            f"guessed: {counted(guessed, 'bin')}, in the column guessed of {folder / PROPOSAL}; check them with labels"
        )
    for text in proposal.clashes:
        _say(f"note: {text}")
    for row in left_out[:_SHOWN]:
        machine = f"{row.model or 'no model'} {row.hashrate_th or 'no bin'}"
        _say(f"not in the ledger: {row.host}, {machine} {row.note}".rstrip())
    if len(left_out) > _SHOWN:
        _say(f"not in the ledger: {len(left_out) - _SHOWN:,} more")
    for text in proposal.missing_models:
        _say(text)


def _next(folder: Path, *, has_units: bool) -> str:
    """Return the next command to type."""
    site = folder / SITE
    if has_units:
        return f"next: hashsight once --config {site}"
    return (
        f"next: hashsight ledger import FILE.csv --config {site}, with a row a unit; ledger.example.csv explains them"
    )


def _say(text: str) -> None:
    out.print(text, markup=False, soft_wrap=True)
