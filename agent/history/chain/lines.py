"""The chain as JSON lines, one object a line, for verifiers that share no code with us.

    {"base": {"seq": 0, "hash": "000..."}}
    {"seq": 1, "kind": "fact", "at": 0, "digest": null, "containers": null, "body": "{...}", "hash": "..."}
    {"head": {"seq": 1, "hash": "...", ...}, "signature": "..."}

The first line is the base: the hash before the first link. Then come the links in their order, each head directly
behind its link (one of the base behind the base). `hash` is computed, not read.
"""

from collections.abc import Generator

from agent.history.chain.links import canonical, next_hash
from agent.history.reader import HistoryReader

_LINES = 2000


def chain_lines(reader: HistoryReader, start: float | None = None) -> Generator[str, None, None]:
    """Yield the chain, some lines at a time.

    Args:
        reader: The history.
        start: Unix time, s; links before the latest signed head that lies before those of rows from then on are left
            out. None for the whole chain. It always goes on to the end.

    Raises:
        HistoryError: The file cannot be read, or is damaged.
    """
    base = reader.chain_base(start)
    lines = [canonical({"base": base._asdict()})]
    heads = reader.heads(base.seq - 1)
    head = next(heads, None)
    before, seq = base.hash, base.seq
    for link in reader.links(base.seq):
        while head is not None and head.head.seq <= seq:
            lines.append(head.line)
            head = next(heads, None)
        before, seq = next_hash(before, link), link.seq
        digests = {
            name: None if digest is None else digest.hex()
            for name, digest in (("digest", link.digest), ("containers", link.containers))
        }
        kind = link.kind.name.lower()
        lines.append(
            canonical({"seq": seq, "kind": kind, "at": link.at, **digests, "body": link.body or None, "hash": before})
        )
        if len(lines) >= _LINES:
            yield "".join(f"{line}\n" for line in lines)
            lines.clear()
    if head is not None:
        lines.append(head.line)
        lines += (each.line for each in heads)
    yield "".join(f"{line}\n" for line in lines)
