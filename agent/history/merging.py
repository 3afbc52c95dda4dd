"""Two agents' histories of one site put together, each second counted once. Pure but for the files.

A minute that both wrote is the first one's; the second adds at most the seconds that the first did not watch. So the
seconds in which both published, as at a return or in a partition, count once. Changes of units' states and entries of
the walk list are the first's alone: while it was away, the second's are in its own file.

A row is known by its time, its seconds and its rates, and a merged file names the rows behind a minute of two. So a row
counts once however often its file is merged: with a backup of itself, or with a file that it went into before.
"""

import heapq
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import chain, groupby, islice
from typing import NamedTuple

from agent.errors import HistoryError
from agent.history.chain.links import QUARTER_S, Fact
from agent.history.minutes import COLUMNS, Values, merge
from agent.history.reader import CHUNK, HistoryReader
from agent.history.writer import HistoryWriter, is_sound

ALWAYS = 1e12
_IDENTIFYING = tuple(map(COLUMNS.index, ("at", "span_s", "watched_s", "operating_hs", "known_hs")))


class Merged(NamedTuple):
    """Where the minutes of the site come from.

    Attributes:
        first: Minutes that are the first history's alone.
        second: Minutes that only the second history has.
        completed: Minutes of the first to which the second added seconds.
        repeated: Minutes of the second that the first had watched; they were left out.
    """

    first: int
    second: int
    completed: int
    repeated: int


class _Piece(NamedTuple):
    """A row of one of the two files.

    Attributes:
        at: Unix time at which the row of the new file begins that this one belongs to, s.
        is_second: True if it is the second's.
        values: The row.
        names: Identities of the rows behind it; its own unless it was merged.
    """

    at: int
    is_second: bool
    values: Values
    names: frozenset[str]


class _Joined(NamedTuple):
    """A row of the new file.

    Attributes:
        at: Unix time at which it begins, s.
        values: The row.
        names: Identities of the rows behind it.
        whose: The field of `Merged` that counts it.
        repeated: How many of the second's rows were left out.
    """

    at: int
    values: Values
    names: frozenset[str]
    whose: str
    repeated: int


def merge_histories(first: HistoryReader, second: HistoryReader, into: HistoryWriter) -> Merged:
    """Write both histories into a new one.

    Args:
        first: The primary's.
        second: The standby's.
        into: An empty history.

    Raises:
        HistoryError: ``foreign`` for histories of different sites, ``damaged`` for a row that no agent writes; others
            as of the files.
    """
    if first.site != second.site:
        raise HistoryError("foreign", f"{second.path}: the history of site {second.site}, not of {first.site}")
    merged = _merge_rows(first, second, into)
    for container in sorted({*first.containers(), *second.containers()}):
        _merge_rows(first, second, into, container)
    for owner in sorted({*first.owners(), *second.owners()}):
        _merge_rows(first, second, into, owner=owner)
    # A window of a pool that both kept is the first's: the second's is of the same hour, read some minutes apart.
    for reader in (first, second):
        into.write(pool_credits=reader.pool_credits(-ALWAYS, ALWAYS))
    into.write(changes=first.changes(-ALWAYS, ALWAYS), repairs=first.repairs())
    into.write(facts=[*_facts(first, "first"), *_facts(second, "second")])
    return merged


def _facts(reader: HistoryReader, origin: str) -> Iterator[Fact]:
    """Yield a file's facts for the merged chain, with where they are from, then the fact of where its chain ended.

    Facts about the file's own chain and its keys say nothing of the merged one.
    """
    chain_name, public = "", None
    for fact in reader.chain_facts():
        match fact.kind:
            case "genesis":
                chain_name = str(fact.body.get("chain"))
            case "key":
                public = fact.body.get("public")
            case "cut":
                pass
            case _:
                before = fact.body.get("origin")
                yield Fact(fact.kind, fact.at, {**fact.body, "origin": f"{origin}/{before}" if before else origin})
    seq, hash_ = reader.chain_end
    signed = reader.last_head(is_signed=True)
    span = reader.span()
    body = {"origin": origin, "known_chain": chain_name, "known_seq": seq, "known_hash": hash_, "public": public}
    if signed is not None:
        body |= {"head": signed.head.fields, "signature": signed.signature}
    yield Fact("merged", 0 if span is None else span[1], body)


def _merge_rows(
    first: HistoryReader,
    second: HistoryReader,
    into: HistoryWriter,
    container: str | None = None,
    *,
    owner: str | None = None,
) -> Merged:
    """Write the merged rows of the site, of a container or of an owner; return where they come from."""
    # Where one file has made a quarter of an hour of a container's minutes, those of both become one.
    quarters = set() if container is None else {*_quarters(first, container), *_quarters(second, container)}
    counts: Counter[str] = Counter()
    with (
        closing(_pieces(first, container, quarters, owner=owner, is_second=False)) as ours,
        closing(_pieces(second, container, quarters, owner=owner, is_second=True)) as theirs,
    ):
        pieces = heapq.merge(ours, theirs, key=lambda piece: (piece.at, piece.is_second))
        joined = (_join(list(group)) for _, group in groupby(pieces, key=lambda piece: piece.at))
        while some := list(islice(joined, CHUNK)):
            rows = [each.values for each in some]
            if owner is not None:
                into.write(owners=[(owner, values) for values in rows])
            elif container is not None:
                into.write(containers=[(container, values) for values in rows])
            else:
                into.write(site=rows)
            names = {each.at: each.names for each in some if each.names != {_name(each.values)}}
            into.write_sources(container, names, owner=owner)
            for each in some:
                counts[each.whose] += 1
                counts["repeated"] += each.repeated
    return Merged(*(counts[name] for name in Merged._fields))


def _join(pieces: list[_Piece]) -> _Joined:
    """Return one row of all pieces of the same time, of which the first's come first."""
    at = pieces[0].at
    whole = pieces[0].values
    names = pieces[0].names
    whose = "second" if pieces[0].is_second else "first"
    repeated = 0
    for piece in pieces[1:]:
        if names < piece.names:
            # That row went into this one before.
            after, after_names = piece.values, piece.names
        elif names & piece.names:
            after, after_names = whole, names
        else:
            after, after_names = merge(whole, piece.values), names | piece.names
        if piece.is_second and whose != "second":
            whose = "first" if after == whole and whose == "first" else "completed"
            repeated += after == whole
        whole, names = (after, after_names) if after != whole else (whole, names)
    return _Joined(at, whole, names, whose, repeated)


def _pieces(
    reader: HistoryReader, container: str | None, quarters: set[int], *, owner: str | None, is_second: bool
) -> Generator[_Piece, None, None]:
    """Yield a file's rows, each where it belongs in the new file, oldest first.

    Raises:
        HistoryError: ``damaged`` for a row that no agent writes.
    """
    sources = reader.sources(container, owner=owner)
    # Closed before the file is, if something fails.
    with closing(reader.chunks(-ALWAYS, ALWAYS, container, owner=owner)) as chunks:
        for values in chain.from_iterable(chunks):
            if not is_sound(values):
                raise HistoryError(
                    "damaged", f"{reader.path}: a row that no agent writes: {_words(values, container, owner)}"
                )
            at = int(values[0] or 0)
            names = sources.get(at) or frozenset((_name(values),))
            quarter = at // QUARTER_S * QUARTER_S
            if quarter in quarters:
                yield _Piece(quarter, is_second, (quarter, QUARTER_S, *values[2:]), names)
            else:
                yield _Piece(at, is_second, values, names)


def _quarters(reader: HistoryReader, container: str) -> Iterator[int]:
    for chunk in reader.chunks(-ALWAYS, ALWAYS, container):
        yield from (int(values[0] or 0) for values in chunk if values[1] == QUARTER_S)


def _name(values: Values) -> str:
    """Return what tells a row from every other one of the same site or container."""
    return " ".join(repr(values[number]) for number in _IDENTIFYING)


def _words(values: Values, container: str | None, owner: str | None) -> str:
    figures = ", ".join(f"{name} {str(value)[:40]}" for name, value in zip(COLUMNS[:3], values[:3], strict=True))
    groups = (("owner", owner), ("container", container))
    return ", ".join((*(f"{kind} {name}" for kind, name in groups if name is not None), figures))
