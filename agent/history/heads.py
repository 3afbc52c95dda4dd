"""The keeper's heads: signed at the start, each hour, each day and at the stop, and kept beside the history as well.

Three files stand beside the history: the key, a log of the heads of starts, days and stops, and the latest head. After
a restart they say whether the history is the one that was written last, or an older copy of it.
Nothing here keeps rows from being written: a failure is a trouble, and heads are unsigned meanwhile.
"""

import base64
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from agent.errors import ConfigError, HistoryError
from agent.files.append import append_line, last_lines, overwrite
from agent.files.signing import PublicKey, SigningKey, is_id, make_signing_key, read_signing_key
from agent.history.chain.anchors import requested_anchors
from agent.history.chain.heads import Head, HeadKind, SignedHead, is_about, is_left
from agent.history.chain.links import HOUR_S, Fact
from agent.history.health import Health
from agent.history.writer import HistoryWriter

MOST_CHAINS = 20
MOST_OTHER_KEYS = 20
"""Other keys that become facts; anyone who may publish on a broker can make up more."""
_MOST_NAME = 64
KEY_OPTION = "history.key_file"


def key_file(history: Path) -> Path:
    """Return where a history's key stands by default."""
    return history.with_suffix(".key")


def log_file(history: Path) -> Path:
    """Return where the log of a history's heads stands."""
    return history.with_suffix(".heads.jsonl")


def latest_file(history: Path) -> Path:
    """Return where a history's latest head stands."""
    return history.with_suffix(".head.json")


class Heads:
    """Makes the heads of one history. Used by the thread that writes it.

    Args:
        path: The history file.
        key_path: The key's file; it is made if it does not exist.
        site: The site's name.
        zone: The time zone of its days, by IANA name.
        version: Version of the agent's software.
        other_agents: Ids of keys with which other agents of this site sign.
        health: Gets heads, doubts and troubles.
        wall: Returns Unix time, s.
    """

    def __init__(
        self,
        path: Path,
        *,
        key_path: Path,
        site: str,
        zone: str,
        version: str,
        health: Health,
        other_agents: Collection[str] = (),
        wall: Callable[[], float],
    ) -> None:
        self._path, self._key_path = path, key_path
        self._site, self._zone, self._version = site, zone, version
        self._health, self._wall = health, wall
        self._other_keys = frozenset(other_agents)
        self._doubted: set[tuple[str, str, str, int]] = set()
        self._key: SigningKey | None = None
        self._chain = ""
        self._day: str | None = None
        self._hour: int | None = None
        self._trying: set[str] = set()

    def opened(self, file: HistoryWriter) -> None:
        """Begin with a history that was just opened: its key, what is known of it, and the head of a start."""
        self._chain, self._day, self._hour = "", None, None
        with self._tried("head"):
            self._chain = file.chain_name
            self._take_key(file)
            last = file.last_head()
            self._health.day_head = file.last_head(kind=HeadKind.DAY)
            self._day = None if last is None else last.head.day
            self._compare(file)
        self._add(file, HeadKind.START)

    def written(self, file: HistoryWriter) -> None:
        """Follow a write: heads that are due, the latest head's file, and requests for anchors."""
        self._take_anchors(file)
        with self._tried("head"):
            self._add_due(file, self._wall())
        with self._tried("latest"):
            overwrite(latest_file(self._path), f"{self._signed(file, HeadKind.LATEST).line}\n")

    def _add_due(self, file: HistoryWriter, now: float) -> None:
        day, hour = self._today(now), int(now // HOUR_S)
        if self._key is None and hour != self._hour:
            self._take_key(file)
        if day != self._day:
            with self._tried("head"):
                file.cut_chain(now=now)
            self._add(file, HeadKind.DAY)
        elif hour != self._hour:
            self._add(file, HeadKind.HOUR)

    def stopped(self, file: HistoryWriter) -> None:
        """Add the head of a stop."""
        self._add(file, HeadKind.STOP)
        with self._tried("latest"):
            overwrite(latest_file(self._path), f"{self._signed(file, HeadKind.LATEST).line}\n")

    def doubt(self, file: HistoryWriter, reason: str, known: SignedHead, **body: Any) -> None:
        """Record that a head known elsewhere does not fit this history; once a head as a fact.

        Args:
            file: The history.
            reason: One of `agent.history.health.DOUBTS`; also the fact's name.
            known: The head.
            body: Further fields of the fact.
        """
        head = known.head
        # Once a run, however often a broker says it.
        if (reason, head.chain, head.hash, head.seq) in self._doubted:
            return
        self._doubted.add((reason, head.chain, head.hash, head.seq))
        self._health.doubts[reason] += 1
        said = {"known_chain": head.chain, "known_seq": head.seq, "known_hash": head.hash}
        with self._tried("head"):
            if not any(said.items() <= fact.body.items() for fact in file.chain_facts(reason)):
                file.write(facts=[Fact(reason, int(self._wall()), {**said, "known_at": head.at, **body})])

    def judge(self, file: HistoryWriter, known: SignedHead, *, by: str, is_retained: bool) -> None:
        """Hold a head against the chain that a broker has of this site.

        Args:
            file: The history.
            known: The head.
            by: The broker's name.
            is_retained: True if the broker had retained it; False for one that an agent published just now.
        """
        with self._tried("head"):
            head = known.head
            if head.site != self._site or known.signature is None or head.key in self._other_keys:
                return
            if max(len(head.key), len(head.chain)) > _MOST_NAME:
                # No agent's, and too long to be kept.
                return
            own = [key for fact in file.chain_facts("key") if (key := key_of(fact.body)) is not None]
            key = next((each for each in own if each.id == head.key), None)
            seq, hash_ = file.chain_end
            if key is None:
                # One fact a key is enough, and nobody can check these signatures: a broker invents keys without end.
                told = [fact.body.get("key") for fact in file.chain_facts("other_key")]
                if head.key not in told and len(told) < MOST_OTHER_KEYS and is_id(head.key):
                    self.doubt(file, "other_key", known, key=head.key, known_by=by, seq=seq, hash=hash_)
                else:
                    self._health.doubts["other_key"] = max(1, self._health.doubts["other_key"])
            elif known.is_signed_by(key) and self.fits(file, head) is False:
                is_behind = is_retained and (head.chain != self._chain or head.seq > seq)
                reason = "rolled_back" if is_behind else "forked"
                self.doubt(file, reason, known, known_by=by, seq=seq, hash=hash_)

    def fits(self, file: HistoryWriter, known: Head) -> bool | None:
        """Return True if a head is one of this history, False if it is not, None if its links were dropped."""
        if known.chain != self._chain:
            told = file.chain_facts("merged", "restored", "rolled_back", "salvaged")
            return any(is_about(fact, known.chain) for fact in told)
        found = file.hash_at(known.seq)
        if found == known.hash:
            return True
        if found is None and known.seq < file.chain_base().seq:
            return None
        told = file.chain_facts("restored", "rolled_back")
        return None if any(is_left(fact, known) for fact in told) else False

    def known(self) -> list[tuple[str, SignedHead]]:
        """Return the last head of the log and the latest one, as far as they can be read, each with its file's name."""
        found = []
        with self._tried("log"):
            for line in reversed(last_lines(log_file(self._path))):
                if (signed := self._read(line)) is not None:
                    found.append(("log", signed))
                    break
        with self._tried("latest"):
            lines = last_lines(latest_file(self._path))
            if lines and (signed := self._read(lines[0])) is not None:
                found.append(("latest", signed))
        return found

    def salvaged(self, rows: int, damaged: Path) -> Fact:
        """Return the fact of a history that begins anew with the readable rows of a damaged one."""
        body: dict[str, Any] = {"rows": rows, "file": damaged.name, "known_chains": self._chains()}
        if known := self.known():
            head = max((signed.head for _, signed in known), key=lambda head: (head.at, head.seq))
            body |= {"known_chain": head.chain, "known_seq": head.seq, "known_hash": head.hash, "known_at": head.at}
        return Fact("salvaged", int(self._wall()), body)

    def _chains(self) -> list[str]:
        """Return the names of the chains before this one whose heads the log has."""
        found: dict[str, None] = {}
        with self._tried("log"):
            for line in last_lines(log_file(self._path)):
                with suppress(ValueError):
                    found[SignedHead.parse(line).head.chain] = None
        return [name for name in found if name != self._chain][-MOST_CHAINS:]

    def _read(self, line: str) -> SignedHead | None:
        """Return the head of a line; None for one that was cut short, or that this key should have signed."""
        try:
            signed = SignedHead.parse(line)
        except ValueError:
            return None
        if signed.signature is None or self._key is None or signed.head.key != self._key.public.id:
            return signed
        return signed if signed.is_signed_by(self._key.public) else None

    def _compare(self, file: HistoryWriter) -> None:
        unfit = [(name, known) for name, known in self.known() if self.fits(file, known.head) is False]
        if unfit:
            name, known = max(unfit, key=lambda each: (each[1].head.at, each[1].head.seq))
            seq, hash_ = file.chain_end
            chains = self._chains() if known.head.chain != self._chain else []
            self.doubt(file, "restored", known, known_by=name, known_chains=chains, seq=seq, hash=hash_)

    def _take_key(self, file: HistoryWriter) -> None:
        """Read the key, or make it, and record it if the chain does not name it yet."""
        self._key = None
        with self._tried("key"):
            before = [fact.body.get("id") for fact in file.chain_facts("key")]
            if self._key_path.exists():
                key = read_signing_key(self._key_path, where=KEY_OPTION)
            else:
                key = make_signing_key(self._key_path)
            if not before or before[-1] != key.public.id:
                file.write(facts=[Fact("key", int(self._wall()), key_body(key.public))])
                self._health.doubts["new_key"] += bool(before)
            self._key = key
        self._health.is_signing = self._key is not None

    def _take_anchors(self, file: HistoryWriter) -> None:
        with self._tried("anchor"):
            take_anchors(file)

    def _add(self, file: HistoryWriter, kind: HeadKind) -> None:
        """Make a head and keep it: in the history, and one that is not an hour's in the log."""
        now = self._wall()
        with self._tried("head"):
            signed = self._signed(file, kind)
            file.add_head(signed)
            # One that failed stays due: the next write tries again.
            self._hour = int(now // HOUR_S)
            self._health.head = signed
            if kind is HeadKind.DAY:
                self._day = self._today(now)
                self._health.day_head = signed
            if kind is not HeadKind.HOUR:
                with self._tried("log"):
                    append_line(log_file(self._path), signed.line)

    def _signed(self, file: HistoryWriter, kind: HeadKind) -> SignedHead:
        now = self._wall()
        seq, hash_ = file.chain_end
        key = self._key
        head = Head(
            chain=self._chain,
            site=self._site,
            zone=self._zone,
            key="" if key is None else key.public.id,
            seq=seq,
            hash=hash_,
            at=int(now),
            day=self._today(now),
            kind=kind,
            version=self._version,
        )
        return SignedHead(head, None if key is None else key.sign(head.text.encode()))

    def _today(self, now: float) -> str:
        return datetime.fromtimestamp(now, ZoneInfo(self._zone)).date().isoformat()

    @contextmanager
    def _tried(self, what: str) -> Iterator[None]:
        """Count what fails in the block as a trouble, and go on behind it.

        Within another block of the same part, success ends no trouble: something before may have failed.
        """
        is_within, errors = what in self._trying, self._health.head_errors[what]
        self._trying.add(what)
        try:
            yield
        except (HistoryError, ConfigError, OSError, ValueError, LookupError, TypeError) as error:
            self._health.head_errors[what] += 1
            self._health.head_troubles[what] = str(error) or type(error).__name__
        else:
            if not is_within and self._health.head_errors[what] == errors:
                self._health.head_troubles.pop(what, None)
        finally:
            if not is_within:
                self._trying.discard(what)


def take_anchors(file: HistoryWriter) -> None:
    """Record the anchors that are requested beside a history, then delete their requests.

    Raises:
        HistoryError: It could not be written, or a file beside it is no request.
        OSError: A request could not be read or deleted.
    """
    for path, anchor in requested_anchors(file.path):
        if anchor is None:
            raise HistoryError("damaged", f"{path}: no request for an anchor; move it away")
        if anchor.fact not in file.chain_facts("anchor"):
            file.write(facts=[anchor.fact])
        path.unlink()


def key_of(body: Mapping[str, Any]) -> PublicKey | None:
    """Return the key that a fact names; None for one that names none."""
    try:
        return PublicKey(base64.b64decode(str(body.get("public")), validate=True))
    except ValueError:
        return None


def key_body(key: PublicKey) -> Mapping[str, str]:
    """Return the body of the fact that names a key."""
    return {"id": key.id, "public": base64.b64encode(key.raw).decode()}
