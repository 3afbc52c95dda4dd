"""A document's rows against the chain of its history: each row as it was hashed, each link as it was counted. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from agent.history.chain.file import Base
from agent.history.chain.links import Link, LinkKind, digest_of, next_hash
from agent.history.export import row_line
from agent.history.minutes import Values
from agent.statement.contents import ChainEnd
from agent.statement.period import utc_text

_LISTED = 5


class WalkedChain:
    """A chain, walked up to the link that a document names.

    Args:
        links: All links behind the base, in their order.
        end: The end that the document names.
        base: Number and hash of the link before them: links that are older than their rows are dropped.

    Attributes:
        wrong: Why the chain is not the one that the document names, in words; empty if it is.
    """

    def __init__(self, links: Iterable[Link], end: ChainEnd, base: Base) -> None:
        self.wrong: list[str] = []
        self._rows: dict[int, bytes | None] = {}
        seq, before = base
        for link in links:
            if link.seq > end.seq:
                break
            if link.seq != seq + 1:
                self.wrong.append(f"chain: link {seq + 1} is missing, the next one is {link.seq}")
                return
            seq, before = link.seq, next_hash(before, link)
            if link.kind is LinkKind.MINUTE:
                self._rows[link.at] = link.digest
        if seq != end.seq:
            self.wrong.append(f"chain: it ends with link {seq}, the statement names link {end.seq}")
        elif before != end.hash:
            self.wrong.append(
                f"chain: link {seq} has the hash {before[:16]}..., stated {end.hash[:16]}...: rows or facts up to it"
                " are not those that the statement was made from"
            )

    def row_mistakes(self, chunks: Iterable[Sequence[Values]], start: int, end: int) -> list[str]:
        """Return each row of [start, end) that is not as its link has it, by time."""
        found = [utc_text(at) + why for at, why in self._mistakes(chunks, start, end)]
        more = [f"and {len(found) - _LISTED} rows more"] if len(found) > _LISTED else []
        return [f"row of {words}" for words in found[:_LISTED]] + more

    def _mistakes(self, chunks: Iterable[Sequence[Values]], start: int, end: int) -> Iterator[tuple[int, str]]:
        waiting = {at for at, digest in self._rows.items() if digest is not None and start <= at < end}
        for chunk in chunks:
            for values in chunk:
                at = int(values[0] or 0)
                if at not in waiting:
                    yield at, ": it is not in the chain"
                elif digest_of([row_line(values)]) != self._rows[at]:
                    yield at, ": it is not as it was chained"
                waiting.discard(at)
        for at in sorted(waiting):
            yield at, ": it is in the chain and no longer in the history"
