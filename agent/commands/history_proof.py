"""`hashsight history verify` and `history seal`: the chain of kept rows checked, and its heads anchored elsewhere."""

import base64
import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import typer

from agent.commands.ledger_text import counted
from agent.commands.machine_output import visible, write_json, write_text
from agent.commands.site_file import site_file
from agent.commands.terminal import FAILED, exit_codes, note, out, usage_error
from agent.config.file import load_config
from agent.errors import HistoryError
from agent.files.atomic import replace_file
from agent.files.regular import open_regular
from agent.files.signing import PublicKey, public_file, read_public_key
from agent.history.chain.anchors import MOST_NOTE, Anchor, request_anchor
from agent.history.chain.findings import Finding, FindingKind, Verdict, moment_text
from agent.history.chain.heads import SignedHead
from agent.history.chain.seals import seal_text, timestamp_request
from agent.history.heads import key_file, latest_file, log_file, take_anchors
from agent.history.reader import HistoryReader, read_history
from agent.history.writer import write_history

_WITNESS = re.compile(r"([0-9]{1,15}):([0-9]{1,16})(?:\.0*)?", re.ASCII)
_MOST_LINE = 1 << 16
_MODE = 0o644
_DOUBTS = {
    "restored": "an older copy of this history, or another history, was put in its place",
    "rolled_back": "a broker has a later head than this history",
    "forked": "two copies of this history were continued",
    "other_key": "another key signed for this site",
}


class _Files(NamedTuple):
    """The files of one history.

    Attributes:
        history: The SQLite file.
        public: The public half of its key; None if there is none here.
    """

    history: Path
    public: Path | None


def verify(
    *,
    config: Path | None,
    history: Path | None,
    key: list[Path] | None,
    heads: Path | None,
    head: list[Path] | None,
    witness: list[str] | None,
    as_json: bool,
) -> None:
    """Check a history against its chain, its key, and heads that were kept elsewhere."""
    command = "history verify"
    with exit_codes():
        files = _files(command, config, history)
        keys = [read_public_key(path, where="--key") for path in key or ([files.public] if files.public else [])]
        witnesses = [_witness(command, text) for text in witness or ()]
        unread: list[Finding] = []
        with closing(read_history(files.history)) as reader:
            known = [*_kept_beside(files.history, heads, unread), *_given(command, head or [])]
            verdict = reader.verify(keys=keys, known=known, witnesses=witnesses)
        for finding in unread:
            verdict.findings.add(finding)
        if as_json:
            write_json({"file": str(files.history), **verdict.to_json()})
        else:
            write_text(f"{line}\n" for line in _words(files, verdict, key))
        if not verdict.holds:
            raise typer.Exit(FAILED)


def seal(
    *,
    config: Path | None,
    history: Path | None,
    into: Path | None,
    rfc3161: Path | None,
    add: Path | None,
    words: str,
) -> None:
    """Write the latest signed head for an anchor elsewhere, or record the anchor that came back."""
    command = "history seal"
    with exit_codes():
        files = _files(command, config, history)
        if add is not None:
            if into is not None or rfc3161 is not None:
                raise usage_error(command, "--add", str(add), "--add records an anchor and makes no seal")
            _add(command, files.history, add, words)
            return
        if words:
            raise usage_error(command, "--note", words, "a note belongs to --add")
        with closing(read_history(files.history)) as reader:
            text = _seal(files, reader)
        if into is None:
            write_text([text])
        else:
            replace_file(into, text.encode(), mode=_MODE)
        if rfc3161 is not None:
            replace_file(rfc3161, timestamp_request(text.encode(), nonce=secrets.randbits(63)), mode=_MODE)


def _files(command: str, config: Path | None, history: Path | None) -> _Files:
    if history is None:
        config = site_file(config, command, instead=", or a history file with --history")
        section = load_config(config).history
        history, private = section.path(config), section.key_path(config)
    else:
        private = key_file(history)
    public = public_file(private)
    return _Files(history, public if public.exists() else None)


def _witness(command: str, text: str) -> tuple[int, int]:
    found = _WITNESS.fullmatch(text)
    if found is None:
        reason = "SEQ:CHECK is expected, the values of mining_history_chain_links and mining_history_chain_check"
        raise usage_error(command, "--witness", text, reason)
    return int(found[1]), int(found[2])


def _kept_beside(history: Path, heads: Path | None, unread: list[Finding]) -> Iterator[tuple[str, SignedHead]]:
    """Yield the heads of the log and the latest one; what is there and cannot be read is a finding."""
    paths = (
        [heads] if heads is not None else [path for path in (log_file(history), latest_file(history)) if path.exists()]
    )
    for path in paths:
        with open_regular(path) as file:
            for number, line in enumerate(iter(lambda: file.readline(_MOST_LINE), b""), start=1):
                where = f"{path.name}, line {number}"
                try:
                    yield where, SignedHead.parse(line)
                except ValueError as error:
                    # A power cut leaves the beginning of a line, which says nothing.
                    if line.rstrip().endswith(b"}"):
                        unread.append(Finding(FindingKind.ELSEWHERE, "heads", words=f"{where}: {error}"))


def _given(command: str, paths: list[Path]) -> Iterator[tuple[str, SignedHead]]:
    for path in paths:
        with open_regular(path) as file:
            content = file.read(_MOST_LINE)
        try:
            yield str(path), SignedHead.parse(content)
        except ValueError as error:
            raise usage_error(command, "--head", str(path), f"a head or a seal is expected: {error}") from error


def _seal(files: _Files, reader: HistoryReader) -> str:
    """Return the seal of the latest signed head.

    Raises:
        HistoryError: There is no signed head, or no public key.
    """
    signed = reader.last_head(is_signed=True)
    if signed is None:
        raise HistoryError("absent", f"{files.history}: no signed head yet; the agent signs one at its start")
    keys = [read_public_key(files.public, where="--history")] if files.public else []
    for fact in reader.chain_facts("key"):
        with suppress(ValueError):
            keys.append(PublicKey(base64.b64decode(str(fact.body.get("public")), validate=True)))
    key = next((each for each in keys if each.id == signed.head.key and signed.is_signed_by(each)), None)
    if key is None:
        raise HistoryError(
            "damaged", f"{files.history}: no public key here is that of the last head ({signed.head.key})"
        )
    return seal_text(signed, key)


def _add(command: str, history: Path, path: Path, words: str) -> None:
    """Record the SHA-256 of a file: at once, or by a request that a running agent takes up."""
    if len(words) > MOST_NOTE or not words.isprintable():
        raise usage_error(command, "--note", words[:60], f"at most {MOST_NOTE} printable characters are expected")
    if not history.exists():
        raise HistoryError("absent", f"{history}: there is no history yet; `hashsight run` writes it")
    digest = hashlib.sha256()
    size_bytes = 0
    try:
        file = open_regular(path)
    except OSError as error:
        raise usage_error(command, "--add", str(path), error.strerror or str(error)) from error
    with file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
            size_bytes += len(chunk)
    # A name that is no UTF-8 cannot stand in the chain.
    name = os.fsencode(path.name).decode("utf-8", "replace")
    anchor = Anchor(digest.hexdigest(), name[:200], size_bytes, words, int(time.time()))
    request = request_anchor(history, anchor)
    try:
        with closing(write_history(history)) as writer:
            take_anchors(writer)
    except HistoryError as error:
        if error.reason != "in_use":
            request.unlink(missing_ok=True)
            raise
        note(f"{request}: the running agent takes it up within a minute")
        return
    out.print(visible(f"{path}: SHA-256 {anchor.sha256} is a fact of the chain"), markup=False, soft_wrap=True)


def _words(files: _Files, verdict: Verdict, given: list[Path] | None) -> Iterator[str]:
    """Yield the verdict in words."""
    zone = _zone(verdict)
    number = verdict.findings.number
    outcome = "holds" if verdict.holds else f"does not hold: {number:,} finding{'s' if number > 1 else ''}"
    yield f"{files.history}: {outcome}"
    for finding in verdict.findings:
        yield f"  {visible(finding.text(zone))}"
    if number > len(verdict.findings.kept):
        yield f"  and {number - len(verdict.findings.kept):,} more"
    links = counted(verdict.seq - verdict.base, "link")
    yield f"{links} and {counted(verdict.rows, 'digest')} of rows checked"
    if verdict.base:
        yield f"the chain begins behind link {verdict.base:,}: older rows were deleted for their age"
    if verdict.signed is None:
        yield "not signed: no head carries a signature that holds"
    else:
        if verdict.is_key_given:
            by = f"key {verdict.signed.key}, {', '.join(map(str, given or filter(None, [files.public])))}"
        else:
            by = f"key {verdict.signed.key}, known from the history alone: give --key"
        yield f"signed up to link {verdict.signed.seq:,}, {moment_text(verdict.signed.at, zone)} ({visible(by)})"
    if verdict.tail_links:
        begin = "" if verdict.tail_from is None else f", minutes from {moment_text(verdict.tail_from, zone)} on"
        yield f"not signed yet: {counted(verdict.tail_links, 'link')}{begin}"
    if verdict.too_old:
        yield f"{verdict.too_old:,} heads and witnesses of other places are older than that and say nothing here"
    yield from _facts(verdict, zone)


def _facts(verdict: Verdict, zone: ZoneInfo) -> Iterator[str]:
    for told in verdict.told:
        body, at = told.fact.body, moment_text(told.fact.at, zone)
        match told.fact.kind:
            case "found":
                begin, end = (_when(body.get(name), zone) for name in ("from", "until"))
                rows = f"{body.get('rows')} minutes, {begin} to {end}"
                yield visible(f"sealed as found: {rows}; the chain says nothing of before")
            case "salvaged":
                yield visible(f"{at}: begun anew from a damaged file; {body.get('rows')} rows were taken over as found")
            case "merged":
                yield f"{at}: merged from two histories"
            case "anchor":
                words = f": {body.get('note')}" if body.get("note") else ""
                yield visible(f"anchor added {at}: {body.get('name')}, SHA-256 {body.get('sha256')}{words}")
            case "restored" | "rolled_back" | "forked" | "other_key" as kind:
                yield visible(f"{at}: {kind}: {_DOUBTS[kind]}; the head known then is of link {body.get('known_seq')}")


def _when(at: object, zone: ZoneInfo) -> str:
    """Return a time that a fact names, which may be anything: a file is looked at because it is in doubt."""
    return moment_text(at, zone) if isinstance(at, int) else str(at)


def _zone(verdict: Verdict) -> ZoneInfo:
    with suppress(ValueError, OSError, LookupError):
        return ZoneInfo(verdict.zone or "UTC")
    return ZoneInfo("UTC")
