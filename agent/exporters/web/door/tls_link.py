"""TLS over a connection that is there already: what the event loop calls for bytes, this does for plain text.

The loops' own TLS hides a connection until its handshake is over, so that no limit would hold until then, and keeps a
buffer of its own behind the connection's. Here every byte is encrypted as it is written: the connection's limits hold.
"""

import asyncio
import ssl
from typing import Any

READ_BYTES = 256 * 1024


class TlsLink(asyncio.Transport):
    """The server's side of TLS on one connection, as a transport for what is inside.

    Args:
        wire: The connection.
        context: The server's settings and certificate.

    Attributes:
        is_up: True once the handshake is over.
        is_ended: True once the client has said that it sends no more.
    """

    def __init__(self, wire: asyncio.Transport, context: ssl.SSLContext) -> None:
        super().__init__()
        self.is_up = False
        self.is_ended = False
        self._wire = wire
        self._context = context
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def receive(self, data: bytes) -> bytes:
        """Take in what came over the connection and return the plain text in it; continues the handshake.

        Raises:
            ssl.SSLError: The client does not speak TLS as it should; it was told so, if it understands that.
        """
        self._incoming.write(data)
        try:
            if not self.is_up:
                self._tls.do_handshake()
                self.is_up = True
            return self._plain_text()
        except ssl.SSLWantReadError:
            return b""
        finally:
            self._flush()

    def _plain_text(self) -> bytes:
        pieces = []
        try:
            while piece := self._tls.read(READ_BYTES):
                pieces.append(piece)
            self.is_ended = True
        except ssl.SSLZeroReturnError:
            self.is_ended = True
        except ssl.SSLWantReadError:
            pass
        return b"".join(pieces)

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._wire.write(self._outgoing.read())

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        """Encrypt and send."""
        rest = memoryview(data).cast("B")
        while rest and not self._wire.is_closing():
            rest = rest[self._tls.write(rest) :]
        self._flush()

    def close(self) -> None:
        """Say that nothing more comes and close the connection once all is sent."""
        if self.is_up and not self._wire.is_closing():
            try:
                self._tls.unwrap()
            except ssl.SSLError:
                # The client has not said goodbye yet, and is not waited for.
                self.is_ended = True
            self._flush()
        self._wire.close()

    def abort(self) -> None:
        """Close the connection and drop unsent data."""
        self._wire.abort()

    def is_closing(self) -> bool:
        """Return True if the connection is closing or closed."""
        return self._wire.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return facts about TLS and the connection."""
        match name:
            case "sslcontext":
                return self._context
            case "ssl_object":
                return self._tls
            case "peercert":
                return self._tls.getpeercert()
            case "cipher":
                return self._tls.cipher()
            case _:
                return self._wire.get_extra_info(name, default)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol of the connection."""
        return self._wire.get_protocol()

    def is_reading(self) -> bool:
        """Return True while the connection is read."""
        return self._wire.is_reading()

    def pause_reading(self) -> None:
        """Stop reading the connection."""
        self._wire.pause_reading()

    def resume_reading(self) -> None:
        """Go on reading the connection."""
        self._wire.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set when writing is paused."""
        self._wire.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Return the number of encrypted bytes that are not sent yet."""
        return self._wire.get_write_buffer_size()

    def can_write_eof(self) -> bool:
        """Return False: TLS has no half of a connection."""
        return False
