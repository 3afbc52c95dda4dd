"""The chain walked from its base: hashes, heads and their signatures, and heads known elsewhere. Pure.

A head whose signature holds but whose hash does not says that links before it were changed, back to the head before.
The walk goes on from its hash, so that one change is one finding.
"""

import base64
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from agent.files.signing import PublicKey
from agent.history.chain.file import Base
from agent.history.chain.findings import MOST_KEPT, Finding, FindingKind, Told, Verdict
from agent.history.chain.heads import Head, SignedHead, check_of, is_about, is_left
from agent.history.chain.links import HOUR_S, Link, LinkKind, fact_of, next_hash

TOLD = frozenset(
    {
        "genesis",
        "key",
        "found",
        "anchor",
        "altered",
        "restored",
        "rolled_back",
        "forked",
        "other_key",
        "merged",
        "salvaged",
    }
)
# Heads come each hour; this is late.
_LATE_S = 2 * HOUR_S


class Walk:
    """One walk along a chain.

    Args:
        verdict: Gets the findings; it names the chain already.
        base: Where the chain begins.
        keys: Public keys that may sign; empty to take those that the chain names.
        known: Heads that were kept elsewhere, each with the words for where.
        witnesses: Numbers of links and the first 52 bits of their hashes, as a series of metrics has them.
    """

    def __init__(
        self,
        verdict: Verdict,
        base: Base,
        *,
        keys: Sequence[PublicKey] = (),
        known: Iterable[tuple[str, SignedHead]] = (),
        witnesses: Iterable[tuple[int, int]] = (),
    ) -> None:
        self._verdict, self._base = verdict, base
        self._keys = {key.id: key for key in keys}
        verdict.is_key_given = bool(keys)
        verdict.base, verdict.seq, verdict.hash = base.seq, base.seq, base.hash
        self._known: dict[int, list[tuple[str, SignedHead]]] = {}
        for where, signed in known:
            self._known.setdefault(signed.head.seq, []).append((where, signed))
        self._witnesses: dict[int, list[int]] = {}
        for seq, check in witnesses:
            self._witnesses.setdefault(seq, []).append(check)
        self._unfit: list[tuple[str, SignedHead]] = []
        # Where the part of the chain begins that the next head signs: its first link, and when.
        self._part = base.seq + 1
        self._part_at: int | None = None
        self._last_at: int | None = None
        self._cuts: list[tuple[int, str]] = []
        self._has_key = False
        self._foreign: dict[str, Head] = {}

    def walk(self, links: Iterable[Link], heads: Iterable[SignedHead]) -> None:
        """Follow all links in their order, with the heads in theirs."""
        ordered = iter(heads)
        head = self._pass(None, ordered, next(ordered, None))
        for link in links:
            self._follow(link)
            head = self._pass(link, ordered, head)
        for each in () if head is None else chain([head], ordered):
            self._find(
                FindingKind.HEAD,
                f"the head of link {each.head.seq} is there, and no such link: the end of the chain is missing",
                each.head.at,
                table="heads",
            )
        self._end()

    def _pass(self, link: Link | None, heads: Iterator[SignedHead], head: SignedHead | None) -> SignedHead | None:
        """Check the heads of the link that was followed last; returns the next one."""
        seq = self._base.seq if link is None else link.seq
        while head is not None and head.head.seq <= seq:
            self._check(head, is_in_place=head.head.seq == seq)
            head = next(heads, None)
        self._compare(seq)
        return head

    def _follow(self, link: Link) -> None:
        verdict = self._verdict
        if link.seq != verdict.seq + 1:
            missing = (
                f"link {verdict.seq + 1}"
                if link.seq == verdict.seq + 2
                else f"links {verdict.seq + 1} to {link.seq - 1}"
            )
            self._find(FindingKind.LINKS, f"{missing} of the chain missing", self._last_at, link.at)
        verdict.hash, verdict.seq = next_hash(verdict.hash, link), link.seq
        verdict.tail_links += 1
        if link.kind is LinkKind.MINUTE:
            self._last_at = link.at
            if verdict.tail_from is None:
                verdict.tail_from = link.at
        if link.kind is LinkKind.FACT and link.body is not None:
            self._take(link)

    def _take(self, link: Link) -> None:
        try:
            fact = fact_of(link.at, link.body or "")
        except ValueError as error:
            self._find(FindingKind.LINKS, f"link {link.seq} of the chain is {error}", link.at)
            return
        if fact.kind == "cut":
            self._cuts.append((fact.body.get("seq", 0), str(fact.body.get("hash"))))
        elif fact.kind == "key":
            self._has_key = True
            if not self._verdict.is_key_given:
                self._trust(str(fact.body.get("public")))
        elif fact.kind == "altered":
            self._say_altered(fact.body, fact.at)
        if fact.kind in TOLD and len(self._verdict.told) < MOST_KEPT:
            self._verdict.told.append(Told(link.seq, fact))

    def _trust(self, public: str) -> None:
        try:
            raw = base64.b64decode(public, validate=True)
        except ValueError:
            return
        key = PublicKey(raw)
        self._keys[key.id] = key

    def _say_altered(self, body: object, at: int) -> None:
        content = body if isinstance(body, dict) else {}
        named = content.get("minutes")
        minutes = [minute for minute in named if isinstance(minute, int)] if isinstance(named, list) else []
        minutes = minutes or [at]
        table = str(content.get("table"))
        words = f"rows of {table} were not those that had been written, as was seen at their {content.get('during')}"
        self._find(FindingKind.ALTERED, words, min(minutes), max(minutes) + 60, table=table)

    def _check(self, signed: SignedHead, *, is_in_place: bool) -> None:
        """Hold a head against the link that was followed last."""
        verdict, head = self._verdict, signed.head
        verdict.heads += 1
        is_signed = self._is_signed(signed)
        if not is_in_place:
            self._find(FindingKind.HEAD, f"the head of link {head.seq} has no such link", head.at, table="heads")
            return
        if head.hash != verdict.hash:
            if is_signed is False:
                return
            links = f"links {self._part} to {head.seq}" if self._part < head.seq else f"link {head.seq}"
            words = f"{links} of the chain do not lead to the head that follows: changed, re-ordered or replaced"
            self._find(FindingKind.LINKS, words, self._part_at, head.at)
        if is_signed:
            verdict.signed, verdict.hash = head, head.hash
            self._foreign.clear()
            verdict.tail_links, verdict.tail_from = 0, None
            self._part, self._part_at = head.seq + 1, head.at

    def _is_signed(self, signed: SignedHead) -> bool | None:
        """Return True if a signature holds, None if there is none, False if it is wrong, which is a finding."""
        head = signed.head
        if signed.signature is None:
            self._verdict.unsigned_heads += 1
            return None
        key = self._keys.get(head.key)
        if key is None:
            # A later head of a key that may sign covers it: the key was replaced.
            self._foreign.setdefault(head.key, head)
            return None
        if signed.is_signed_by(key):
            return True
        self._find(
            FindingKind.HEAD, f"the head of link {head.seq} was changed: its signature is wrong", head.at, table="heads"
        )
        return False

    def _compare(self, seq: int) -> None:
        """Hold heads that are known elsewhere against the link that was followed last."""
        for where, signed in self._known.pop(seq, ()):
            key = self._keys.get(signed.head.key)
            is_changed = signed.signature is not None and key is not None and not signed.is_signed_by(key)
            if is_changed or signed.head.hash != self._verdict.hash or signed.head.chain != self._verdict.chain:
                words = "" if signed.head.hash == self._verdict.hash else " had another hash"
                self._unfit.append((f"{where}: link {seq}{words}", signed))
        for check in self._witnesses.pop(seq, ()):
            if check != check_of(self._verdict.hash):
                words = f"link {seq} has the check {check_of(self._verdict.hash)}, not {check} as the witness says"
                self._find(FindingKind.ELSEWHERE, words, self._last_at)

    def _end(self) -> None:
        verdict = self._verdict
        for key, head in self._foreign.items():
            given = "the public key that was given" if verdict.is_key_given else "one that the chain names"
            words = f"heads from link {head.seq} on are signed by key {key}, which is not {given}"
            self._find(FindingKind.HEAD, words, head.at, table="heads")
        if self._base.seq and (self._base.seq, self._base.hash) not in self._cuts:
            words = (
                f"the chain begins with link {self._base.seq + 1}, and no fact says that links before it were dropped"
            )
            self._find(FindingKind.BEGINNING, words)
        verdict.too_old = sum(len(known) for seq, known in self._known.items() if seq < self._base.seq)
        verdict.too_old += sum(len(checks) for seq, checks in self._witnesses.items() if seq < self._base.seq)
        for seq, known in self._known.items():
            if seq > verdict.seq:
                beyond = f"the chain went on to link {seq}; here it ends with link {verdict.seq}"
                self._unfit += [(f"{where}: {beyond}", signed) for where, signed in known]
        for words, signed in self._unfit:
            if not self._is_explained(signed.head):
                self._say_unfit(words, signed)
        for seq in self._witnesses:
            if seq > verdict.seq:
                self._find(
                    FindingKind.ELSEWHERE, f"the chain ends with link {verdict.seq}; the witness knows link {seq}"
                )
        signed_at = None if verdict.signed is None else verdict.signed.at
        is_late = self._last_at is not None and (signed_at is None or self._last_at - signed_at > _LATE_S)
        if self._has_key and is_late and verdict.tail_links and not verdict.unsigned_heads:
            words = "heads are missing: the chain goes on, and none was signed"
            self._find(FindingKind.UNSIGNED, words, signed_at or verdict.tail_from, self._last_at, table="heads")

    def _is_explained(self, head: Head) -> bool:
        """Return True if a signed fact says that this head's history was left: restored, merged or salvaged."""
        verdict = self._verdict
        signed = 0 if verdict.signed is None else verdict.signed.seq
        reasons = ("restored", "merged", "salvaged", "rolled_back")
        facts = [told.fact for told in verdict.told if told.fact.kind in reasons and told.seq <= signed]
        if head.chain != verdict.chain:
            return any(is_about(fact, head.chain) for fact in facts)
        return any(is_left(fact, head) for fact in facts)

    def _say_unfit(self, words: str, signed: SignedHead) -> None:
        key = self._keys.get(signed.head.key)
        if signed.head.chain != self._verdict.chain:
            words += f", of another chain ({signed.head.chain[:40]})"
        if signed.signature is not None and key is not None and not signed.is_signed_by(key):
            words += "; that head was changed: its signature is wrong"
        self._find(FindingKind.ELSEWHERE, words, signed.head.at)

    def _find(
        self, kind: FindingKind, words: str, start: int | None = None, end: int | None = None, *, table: str = "chain"
    ) -> None:
        if end is not None and (start is None or end < start):
            start, end = end, None
        self._verdict.findings.add(Finding(kind, table, start, end, words))
