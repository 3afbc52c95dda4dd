"""The client's half of HTTP digest authentication: a challenge in, credentials out.

Documented (D67): RFC 2617, section 3.2. Observed (O64): s21plus-stock-202503, http-401-root: no algorithm, which means
MD5, ``qop="auth"`` and no opaque. Documented (D68): newer servers name the algorithm. SHA-256 is not supported: no
known unit asks for it.

A challenge without ``qop`` is refused. Its answer (RFC 2069) has nothing random of the client's, so whoever sends the
nonce could look the password up in a table made beforehand. No known unit asks for that.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_CHALLENGE_CHARS = 1024

# The client repeats the texts of a challenge: a line end in one would begin a request of the server's choosing.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_PARAMETER = re.compile(r'\b([A-Za-z]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """User name and password for a unit's web pages.

    Attributes:
        user: User name.
        password: Left out of the `repr`.
    """

    user: str
    password: str = field(repr=False)


class Challenge(NamedTuple):
    """A server's demand for credentials under ``qop=auth``, and the values that go into them.

    Attributes:
        realm, nonce: As sent by the server.
        opaque: Returned to the server unchanged; None if it sent none.
    """

    realm: str
    nonce: str
    opaque: str | None


def read_challenge(values: Iterable[str]) -> Challenge | None:
    """Return the first supported challenge without control characters, or None.

    Args:
        values: The values of the WWW-Authenticate headers; each value is one challenge.
    """
    for value in values:
        if _CONTROL.search(value):
            continue
        scheme, _, rest = value[:MAX_CHALLENGE_CHARS].partition(" ")
        fields = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}
        qops = {word.strip().lower() for word in fields.get("qop", "").split(",")}
        if (
            scheme.lower() == "digest"
            and fields.get("algorithm", "MD5").upper() == "MD5"
            and "nonce" in fields
            and "auth" in qops
        ):
            # Escapes stay, because the client returns each text between quotes, as the server sent it.
            return Challenge(fields.get("realm", ""), fields["nonce"], fields.get("opaque"))
    return None


def credentials(challenge: Challenge, login: Login, *, method: str, uri: str, cnonce: str) -> str:
    """Return the value of the Authorization header for the first request under a challenge.

    Args:
        challenge: The server's challenge.
        login: User name and password.
        method: As in the request line.
        uri: As in the request line.
        cnonce: Fresh random letters and digits.
    """
    secret = _md5_hex(f"{login.user}:{challenge.realm}:{login.password}")
    request = _md5_hex(f"{method}:{uri}")
    counted = f"00000001:{cnonce}:auth"
    fields = [
        f'Digest username="{login.user}"',
        f'realm="{challenge.realm}"',
        f'nonce="{challenge.nonce}"',
        f'uri="{uri}"',
        f'response="{_md5_hex(f"{secret}:{challenge.nonce}:{counted}:{request}")}"',
    ]
    if challenge.opaque is not None:
        fields.append(f'opaque="{challenge.opaque}"')
    fields += ["qop=auth", "nc=00000001", f'cnonce="{cnonce}"']
    return ", ".join(fields)


def _md5_hex(text: str) -> str:
    # The units require MD5; it protects only their own login.
    return hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
