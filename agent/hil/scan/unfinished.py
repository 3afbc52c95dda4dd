"""Knowledge of a scan that was stopped or killed: kept in a file, so that another run continues from there."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from agent.errors import ConfigError, Mistake
from agent.files.atomic import replace_file
from agent.hil.scan.found import Found, Kind
from agent.hil.scan.probe import Tally
from agent.hil.scan.ranges import Targets

FORMAT: Final = 1
FINDS_A_PIECE: Final = 200
"""Finds encoded at once: 4 ms of work."""
MAX_BYTES: Final = 512 << 20


class Unfinished(msgspec.Struct, kw_only=True):
    """A scan between its first and its last address.

    Attributes:
        targets: Digest of the addresses and the port.
        start: The start of the order of addresses.
        begun: Addresses of that order that were begun.
        undecided: Indices of those that are neither silent nor found yet.
        tally: The counts of what is decided.
        found: The finds.
        proposal: Digest of the proposal that was written beside it; empty for none.
        format: Of this file.
    """

    targets: str
    start: int
    begun: int = 0
    undecided: set[int] = msgspec.field(default_factory=set)
    tally: Tally = msgspec.field(default_factory=Tally)
    found: list[Found] = msgspec.field(default_factory=list)
    proposal: str = ""
    format: int = FORMAT

    def rest(self, targets: Targets) -> Iterator[int]:
        """Yield the indices that are not decided yet, and note each as begun."""
        yield from sorted(self.undecided)
        order = targets.order(self.start)
        for _ in range(self.begun):
            next(order, None)
        for index in order:
            self.begun += 1
            self.undecided.add(index)
            yield index

    def take(self, found: Found, targets: Targets) -> None:
        """Note a find."""
        self.undecided.discard(targets.index_of(found.host))
        self.found.append(found)


def digest_of(targets: Targets, port: int) -> str:
    """Return a digest of the addresses of a scan and its port, the same however the ranges are written."""
    spans = [(span.version, span.first, span.last) for span in targets.spans]
    return hashlib.sha256(repr((spans, port)).encode()).hexdigest()


def write_unfinished(path: Path, unfinished: Unfinished) -> None:
    """Write the state of a stopped scan, whole or not at all, with mode 0600.

    Counts are those of decided addresses: the others are looked at again.

    Raises:
        OSError: It could not be written.
    """
    replace_file(path, b"".join(encoded(unfinished)))


def encoded(unfinished: Unfinished) -> Iterator[bytes]:
    """Yield the content of a scan's file, in pieces; it is as the scan was at the first of them."""
    found, encode = tuple(unfinished.found), msgspec.json.encode
    # Of the members, only a find could have these words in it, and there is none.
    head, opening, rest = encode(msgspec.structs.replace(unfinished, found=[])).partition(b'"found":[')
    yield head + opening
    for start in range(0, len(found), FINDS_A_PIECE):
        piece = b",".join(encode(each) for each in found[start : start + FINDS_A_PIECE])
        yield b"," + piece if start else piece
    yield rest


def read_unfinished(path: Path, *, targets: str) -> Unfinished:
    """Read the state of a stopped scan.

    Args:
        path: The file.
        targets: Digest of the addresses that are to be scanned now.

    Raises:
        ConfigError: It cannot be read, or is of other addresses.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _refusal(path, "not the state of a scan: it is larger than any")
        unfinished = msgspec.json.decode(path.read_bytes(), type=Unfinished)
    except FileNotFoundError as error:
        raise _refusal(path, "there is no such file, so no scan with this --out was stopped") from error
    except OSError as error:
        raise _refusal(path, error.strerror or str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _refusal(path, f"not the state of a scan: {error}") from error
    if unfinished.format != FORMAT:
        raise _refusal(path, f"the state of a scan in format {unfinished.format}; {FORMAT} is expected")
    if unfinished.targets != targets:
        raise _refusal(path, "the state of a scan of other addresses; name the same ranges, or leave --resume out")
    tally = unfinished.tally
    tally.identified = sum(each.kind is Kind.IDENTIFIED for each in unfinished.found)
    tally.unidentified = len(unfinished.found) - tally.identified
    tally.open = len(unfinished.found)
    tally.looked = tally.open + tally.refused + tally.silent
    return unfinished


def _refusal(path: Path, reason: str) -> ConfigError:
    return ConfigError([Mistake(file=str(path), where="--resume", value="", reason=reason)])
