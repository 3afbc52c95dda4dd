"""The bearer token: a secret in its own file, which only the agent's account may read or change."""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from pathlib import Path

from agent.files.secret import read_secret, secret_refusal

# RFC 6750, 2.1 (b64token). At least sixteen characters, so that guessing is hopeless at any rate.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{16,512}={0,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A secret that callers must send; it never appears in a representation.

    Attributes:
        text: The secret.
    """

    text: str = field(repr=False)

    def is_shown_by(self, authorization: str) -> bool:
        """Return True if an ``Authorization`` header contains this token; takes the same time for every header."""
        scheme, _, shown = authorization.partition(" ")
        # Digests have one length, so that not even the token's length can be measured.
        is_same = hmac.compare_digest(_digest(shown.strip()), _digest(self.text))
        return is_same and scheme.casefold() == "bearer"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def read_token(path: Path, *, where: str) -> Token:
    """Read a token from its file: one line, at least 16 characters, mode 0640 or stricter.

    Args:
        path: The file.
        where: The configuration key that names the file, for messages.

    Raises:
        ConfigError: If the file cannot be read, if others may read it, or if it holds no token. The message never
            contains its content.
    """
    text = read_secret(path, where=where)
    if not _TOKEN.fullmatch(text):
        reason = "expected one line of 16 to 512 of A-Z a-z 0-9 . _ ~ + / -, such as from `openssl rand -hex 32`"
        raise secret_refusal(path, where, reason)
    return Token(text=text)
