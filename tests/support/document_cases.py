"""Documents for tests: rows with a chain and facts in memory, a ledger, and a key that is always the same."""

import base64
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from history_cases import AT, DAY_S, HOUR_S, PH, hours, row
from statement_cases import LATER, OCTOBER, OCTOBER_PERIOD, Kept

from agent.files.signing import SigningKey
from agent.history.chain.file import Base
from agent.history.chain.heads import Head, HeadKind, SignedHead
from agent.history.chain.links import (
    FIRST_HASH,
    Fact,
    Link,
    LinkKind,
    canonical,
    digest_of,
    fact_body,
    fact_of,
    next_hash,
)
from agent.history.export import row_line, site_lines
from agent.history.minutes import Row
from agent.site.ledger.entries import LedgerEntry, Place
from agent.statement.contents import Contents, Software
from agent.statement.document import Document, document_of
from agent.statement.gathering import Declared, contents_of, declared_of
from agent.statement.statement import combine, state
from agent.unit.nameplate import Nameplate

SOFTWARE = Software(version="0.0.0", commit=None)
DIGESTS = {name: name * 64 for name in "abcd"}


def key_of(number: int = 1) -> SigningKey:
    """Return one of a few keys, always the same ones."""
    return SigningKey(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


class Chained(Kept):
    """A history in memory with the chain over its rows, in their order, after its facts."""

    def __init__(self, rows: Sequence[Row], facts: Iterable[Fact] = (), site: str = "alpha") -> None:
        super().__init__(rows, site)
        genesis = Fact("genesis", 0, {"chain": "c" * 32, "format": 1, "rows_format": 3})
        self._links = [
            Link(seq, LinkKind.FACT, fact.at, body=fact_body(fact))
            for seq, fact in enumerate((genesis, *facts), start=1)
        ]
        for each in rows:
            digest = digest_of([row_line(each.values())])
            self._links.append(Link(len(self._links) + 1, LinkKind.MINUTE, each.at, digest))

    @property
    def chain_end(self) -> tuple[int, str]:
        """Number and hash of the last link."""
        found = FIRST_HASH
        for link in self._links:
            found = next_hash(found, link)
        return len(self._links), found

    def chain_base(self) -> Base:
        """Return the base of a whole chain."""
        return Base()

    def links(self, after: int = 0) -> Iterator[Link]:
        """Yield the links behind a number."""
        return (link for link in self._links if link.seq > after)

    def facts(
        self,
        start: float = -math.inf,
        end: float = math.inf,
        *,
        kinds: Collection[str] = (),
        last: float = math.inf,
    ) -> Iterator[Fact]:
        """Yield facts as a history's reader does."""
        found = [link for link in self._links if link.kind is LinkKind.FACT and link.seq <= last]
        facts = (fact_of(link.at, link.body or "") for link in sorted(found, key=lambda link: (link.at, link.seq)))
        return (fact for fact in facts if start <= fact.at < end and (not kinds or fact.kind in kinds))

    def edit(self, seq: int, link: Link) -> None:
        """Put another link in the place of one."""
        self._links[seq - 1] = link


def entry(unit_id: str, begin: int | None, end: int | None = None, **changes: Any) -> LedgerEntry:
    """Return a row of a ledger: a unit of 25 PH/s, so that two are the site."""
    values: dict[str, Any] = {
        "nameplate": Nameplate(model="S21", hashrate_hs=25 * PH, power_watts=3500.0, cooling="air", source="test"),
        "place": Place(),
        "host": "10.0.0.1",
        "deployed_from": None if begin is None else float(begin),
        "deployed_to": None if end is None else float(end),
    }
    return LedgerEntry(unit_id=unit_id, **values | changes)


TWO = (entry("u1", None), entry("u2", None))


def ledger_of(entries: Sequence[LedgerEntry] = TWO, digest: str = DIGESTS["a"]) -> Declared:
    """Return what a ledger says."""
    return declared_of(entries, digest=digest)


def kept_facts() -> list[Fact]:
    """Return facts of every kind, as an agent keeps them over October."""
    noon = AT + 12 * HOUR_S
    start = {"version": "1.0.0", "commit": "f" * 40, "config": DIGESTS["c"], "ledger": DIGESTS["b"]}
    change = {"digest": DIGESTS["a"], "before": DIGESTS["b"], "added": ["u2"], "removed": [], "changed": []}
    counts = {"added_count": 1, "removed_count": 0, "changed_count": 0, "units": 2, "deployed_hs": 50 * PH}
    clock = {"source": "chrony", "is_synchronized": True, "offset_s": 0.001, "error_s": 0.002}
    event = {"id": 7, "scope": {"container": "C1"}, "declared_by": "grid", "reason": "price\u2028peak", "from": noon}
    ended = {"until": noon + 7200, "hours": 2.0, "curtailed_hashes": 1e20, "energy_j": 3.6e10}
    gap = {"from": AT + 3 * DAY_S - 600, "until": AT + 3 * DAY_S}
    units = {"units": 2, "of_units": 2, "restarted_units": 0, "still_units": 0, "unknown_units": 0}
    work = {"hashes": 9e18, "excess_hashes": 0.0, "deployed_hashes": 1e19, "method": "uptime"}
    return [
        Fact("start", AT - DAY_S, start),
        Fact("key", AT - DAY_S, {"public": base64.b64encode(key_of().public.raw).decode()}),
        Fact("clock", AT - DAY_S, clock | {"offset_s": -0.5}),
        Fact("clock", AT + DAY_S, clock | {"offset_s": -0.02}),
        Fact("clock", AT + 2 * DAY_S, clock),
        Fact("ledger", AT + HOUR_S, change | counts),
        Fact("curtailment", noon, event | {"event": "declared", "until": None}),
        Fact("curtailment", noon + 7200, event | ended | {"event": "ended"}),
        Fact("gap", AT + 3 * DAY_S, gap | {"reason": "crash"}),
        Fact("recovered", AT + 3 * DAY_S, gap | units | work),
        Fact("repairs", AT + DAY_S, {"from": AT, "until": AT + DAY_S, "counts": {"rate_capped": 3}}),
        Fact("repairs", AT + 2 * DAY_S, {"from": AT + DAY_S, "until": AT + 2 * DAY_S, "counts": {"rate_capped": 1}}),
        Fact("config", AT + 5 * DAY_S, {"digest": DIGESTS["d"]}),
        Fact("start", AT + 6 * DAY_S, start | {"config": DIGESTS["d"], "ledger": DIGESTS["a"]}),
        Fact("restored", AT + 7 * DAY_S, {"from": "backup"}),
    ]


def history(site: str = "alpha", facts: Iterable[Fact] | None = None, **changes: Any) -> Chained:
    """Return October of a site, hour by hour, with its facts."""
    return Chained(hours(*OCTOBER, **changes), kept_facts() if facts is None else facts, site)


def stated_document(
    source: Chained | None = None,
    *,
    ledger: Declared | None = None,
    key: SigningKey | None = None,
    is_draft: bool = False,
    **more: Any,
) -> Document:
    """Return October's document of a history, published and signed unless it is said otherwise."""
    source = history() if source is None else source
    course = None if ledger is None else ledger.course
    stated = state(source, OCTOBER_PERIOD, now=LATER, is_draft=is_draft, course=course)
    contents = contents_of(source, stated.parts[0], ledger)
    return document_of(stated, software=SOFTWARE, contents=[contents], key=key or key_of(), **more)


def contents(facts: Iterable[Fact], ledger: Declared | None = None) -> Contents:
    """Return the contents of a document of a history with these facts."""
    return stated_document(history(facts=facts), ledger=ledger).contents[0]


def combined_document(*documents: Document, key: SigningKey | None = None) -> Document:
    """Return a draft that combines documents."""
    whole = combine([each.statement for each in documents], now=LATER)
    return document_of(whole, software=SOFTWARE, documents=documents, key=key)


def write_key(path: Path, number: int = 1) -> Path:
    """Write a key's public half as PEM; return its path."""
    private = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    path.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def rows_text(source: Chained, start: int = OCTOBER[0], end: int = OCTOBER[1]) -> str:
    """Return what `history export` prints of a span."""
    return "".join(site_lines(source.chunks(start, end)))


def chain_text(source: Chained, heads: Sequence[SignedHead] = ()) -> str:
    """Return what `history export --what chain` prints."""
    lines, before = [canonical({"base": source.chain_base()._asdict()})], source.chain_base().hash
    for link in source.links():
        before = next_hash(before, link)
        digest = None if link.digest is None else link.digest.hex()
        fields = {"seq": link.seq, "kind": link.kind.name.lower(), "at": link.at, "digest": digest, "containers": None}
        lines.append(canonical(fields | {"body": link.body, "hash": before}))
        lines += [head.line for head in heads if head.head.seq == link.seq]
    return "".join(f"{line}\n" for line in lines)


def with_gaps(site: str = "alpha") -> Chained:
    """Return a late start, a gap of a day, minutes that were watched in part, and a site that grew."""
    rows = [
        *hours(AT + 5 * HOUR_S, AT + 4 * DAY_S, known_hs=45 * PH),
        row(AT + 4 * DAY_S, watched_s=30.0),
        *hours(AT + 5 * DAY_S, AT + 12 * DAY_S, operating_hs=51.3 * PH),
        *hours(AT + 12 * DAY_S + 7200, AT + 30 * DAY_S, operating_hs=40.7 * PH, known_hs=44 * PH),
    ]
    return Chained(rows, kept_facts(), site)


def head_of(source: Chained, seq: int, number: int = 1, **changes: Any) -> SignedHead:
    """Return the head of a chain at a link, signed by one of the keys."""
    found = source.chain_base().hash
    for link in source.links():
        if link.seq <= seq:
            found = next_hash(found, link)
    values = {"chain": "c" * 32, "site": "alpha", "zone": "UTC", "key": key_of(number).public.id, "hash": found}
    fields = values | {"seq": seq, "at": AT, "day": "2025-10-01", "kind": HeadKind.DAY, "version": "0"} | changes
    head = Head(**fields)
    return SignedHead(head, key_of(number).sign(head.text.encode()))
