"""One reply as it arrives in pieces, complete at its NUL or at the end of the connection. No socket."""

from agent.errors import DisconnectedError, ForeignProtocolError, TooLargeReplyError, excerpt
from agent.unit.cgminer import wire
from agent.unit.cgminer.foreign import foreign_bytes

_HTTP = b"HTTP/"
_END_OF_HEAD = b"\r\n\r\n"


class PartialReply:
    """The bytes received so far.

    Args:
        cap: The most bytes that the reply may have; see `wire.cap_of`.

    Attributes:
        size: How many there are.
    """

    __slots__ = ("_cap", "_received", "size")

    def __init__(self, cap: int = wire.MAX_REPLY_BYTES) -> None:
        # One buffer: a list of pieces would take forty bytes for each byte of a reply that comes byte by byte.
        self._received = bytearray()
        self._cap = cap
        self.size = 0

    def add(self, chunk: bytes) -> bytes | TooLargeReplyError | ForeignProtocolError | None:
        """Return the reply if this chunk completes it, an error if it is too large, None if more must come.

        The reply ends with its NUL; bytes after that are not part of it, even in the same packet. A chunk that
        completes the reply is not kept, so the common case, one chunk with a NUL, stores nothing.
        """
        end = chunk.find(b"\0") + 1
        if self.size + (end or len(chunk)) > self._cap:
            return self.foreign() or foreign_bytes(chunk) or wire.too_large(chunk, self._cap)
        if end:
            return bytes(self._received + chunk[:end]) if self.size else chunk[:end]
        self._received += chunk
        self.size += len(chunk)
        if self._received.startswith(_HTTP) and _END_OF_HEAD in self._received:
            # A web server may hold the connection after its refusal; the page that is asked for next needs the time.
            return self.foreign()
        return None

    def close(self) -> bytes | DisconnectedError | ForeignProtocolError:
        """Return the reply, now that the unit has closed the connection, or the error if it is not complete."""
        data = bytes(self._received)
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
        return foreign_bytes(bytes(self._received)) if self.size else None
