"""One reply as it arrives in pieces, complete at its NUL or at the end of the connection. No socket."""

from agent.errors import DisconnectedError, ForeignProtocolError, MalformedReplyError, excerpt
from agent.unit.cgminer import wire
from agent.unit.cgminer.foreign import foreign_bytes


class PartialReply:
    """The bytes received so far.

    Attributes:
        size: How many there are.
    """

    __slots__ = ("_chunks", "size")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self.size = 0

    def add(self, chunk: bytes) -> bytes | MalformedReplyError | None:
        """Return the reply if this chunk completes it, an error if it is too large, None if more must come.

        The reply ends with its NUL; bytes after that are not part of it, even in the same packet. A chunk that
        completes the reply is not kept, so the common case, one chunk with a NUL, stores nothing.
        """
        end = chunk.find(b"\0") + 1
        if end:
            if not self._chunks:
                return chunk[:end]
            return b"".join((*self._chunks, chunk[:end]))
        self._chunks.append(chunk)
        self.size += len(chunk)
        if self.size > wire.MAX_REPLY_BYTES:
            return MalformedReplyError(f"reply is larger than {wire.MAX_REPLY_BYTES} bytes, ends in {excerpt(chunk)!r}")
        return None

    def close(self) -> bytes | DisconnectedError | ForeignProtocolError:
        """Return the reply, now that the unit has closed the connection, or the error if it is not complete."""
        data = b"".join(self._chunks)
        # Some firmware may close without the NUL: a closing brace then means that the object is complete.
        if data.rstrip().endswith(b"}"):
            return data
        if not data:
            return DisconnectedError("closed without a reply")
        return foreign_bytes(data) or DisconnectedError(
            f"closed after {len(data)} bytes, in mid-reply: {excerpt(data, len(data))!r}"
        )

    def foreign(self) -> ForeignProtocolError | None:
        """Return the error if the bytes so far are another protocol's; for a reply that will not be completed."""
        return foreign_bytes(b"".join(self._chunks)) if self._chunks else None

    def clear(self) -> None:
        """Forget everything, for the next connection."""
        self._chunks.clear()
        self.size = 0
