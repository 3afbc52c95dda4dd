"""The bearer token: a secret in a file of its own, which nobody but the agent's account may read or change."""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from pathlib import Path

from agent.files.secret import read_secret, secret_refusal

# Documented: RFC 6750, 2.1 (b64token). Sixteen characters at least, so that guessing is hopeless at any rate.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{16,512}={0,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A secret that callers must show; it never appears in a representation.

    Attributes:
        text: The secret.
    """

    text: str = field(repr=False)

    def is_shown_by(self, authorization: str) -> bool:
        """Say whether an ``Authorization`` header shows this token; takes as long whatever the header holds."""
        scheme, _, shown = authorization.partition(" ")
        # Digests are of one length, so that not even the token's length can be measured.
        is_same = hmac.compare_digest(_digest(shown.strip()), _digest(self.text))
        return is_same and scheme.casefold() == "bearer"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def read_token(path: Path, *, where: str) -> Token:
    """Read a token from its file: one line, at least 16 characters, mode 0640 or stricter.

    Args:
        path: The file.
        where: The configuration key that names it, for messages.

    Raises:
        ConfigError: For a file that cannot be read, that others may read, or that holds no token; its content is not
            part of the message.
    """
    text = read_secret(path, where=where)
    if not _TOKEN.fullmatch(text):
        reason = "one line of 16 to 512 of A-Z a-z 0-9 . _ ~ + / - is expected, such as `openssl rand -hex 32`"
        raise secret_refusal(path, where, reason)
    return Token(text=text)
