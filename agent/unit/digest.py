"""Digest access authentication, the client's half: a challenge in, credentials out.

Documented: RFC 2617, section 3.2. Observed: s21plus-stock-202503, http-401-root: MD5 by silence, ``qop="auth"``, no
opaque. Newer servers name the algorithm (antminer-api.md, 6.1); SHA-256 was seen on no unit and is not spoken here.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_CHALLENGE_CHARS = 1024

_PARAMETER = re.compile(r'\b([A-Za-z]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who we are to a unit.

    Attributes:
        user: Name.
        password: Never part of a representation.
    """

    user: str
    password: str = field(repr=False)


class Challenge(NamedTuple):
    """What a server wants credentials to be made from.

    Attributes:
        realm, nonce: The server's words.
        opaque: To be given back as it came; None when there was none.
        is_counted: The server knows ``qop=auth``, in which requests are numbered.
    """

    realm: str
    nonce: str
    opaque: str | None
    is_counted: bool


def read_challenge(values: Iterable[str]) -> Challenge | None:
    """Give the first challenge that can be met.

    Args:
        values: Of each WWW-Authenticate header; one value is one challenge.
    """
    for value in values:
        scheme, _, rest = value[:MAX_CHALLENGE_CHARS].partition(" ")
        told = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}
        qops = {word.strip().lower() for word in told.get("qop", "").split(",")}
        if (
            scheme.lower() == "digest"
            and told.get("algorithm", "MD5").upper() == "MD5"
            and "nonce" in told
            and ("auth" in qops or "qop" not in told)
        ):
            # Escapes stay: the client gives back what it was sent, between quotes again.
            return Challenge(told.get("realm", ""), told["nonce"], told.get("opaque"), is_counted="auth" in qops)
    return None


def credentials(challenge: Challenge, login: Login, *, method: str, uri: str, cnonce: str) -> str:
    """Give the value of the Authorization header for the first request under a challenge.

    Args:
        challenge: The server's.
        login: Who we are.
        method: As in the request line.
        uri: As in the request line.
        cnonce: A fresh random text of letters and digits.
    """
    secret = _md5_hex(f"{login.user}:{challenge.realm}:{login.password}")
    asked = _md5_hex(f"{method}:{uri}")
    counted = f"00000001:{cnonce}:auth:" if challenge.is_counted else ""
    fields = [
        f'Digest username="{login.user}"',
        f'realm="{challenge.realm}"',
        f'nonce="{challenge.nonce}"',
        f'uri="{uri}"',
        f'response="{_md5_hex(f"{secret}:{challenge.nonce}:{counted}{asked}")}"',
    ]
    if challenge.opaque is not None:
        fields.append(f'opaque="{challenge.opaque}"')
    if challenge.is_counted:
        fields += ["qop=auth", "nc=00000001", f'cnonce="{cnonce}"']
    return ", ".join(fields)


def _md5_hex(text: str) -> str:
    # MD5 is what the units speak; nothing rests on it but their own login.
    return hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
