"""Digest authentication as lighttpd 1.4.32 checks it: an MD5 over the client's fields, without a memory of nonces.

Documented (D70): src/http_auth.c and mod_auth.c. Its nonces never go stale and are not tied to a page. The `uri` of the
credentials is not compared with the one requested.
"""

import hashlib
import re
from typing import Final

REALM: Final = "antMiner Configuration"
USER: Final = "root"
DEFAULT_PASSWORD: Final = "root"  # noqa: S105  the factory password of every unit

# A field is matched wherever its name occurs; a value ends at its closing quote or at a comma.
_FIELD = re.compile(r'(username|realm|nonce|uri|algorithm|qop|cnonce|nc|response)=(?:"([^"]*)"|([^,]*))')
_REQUIRED = ("username", "realm", "nonce", "uri", "response")


def challenge(nonce: str) -> str:
    """Return the value of WWW-Authenticate. Observed (O64): s21plus-stock-202503, http-401-root."""
    return f'Digest realm="{REALM}", nonce="{nonce}", qop="auth"'


def check(authorization: str | None, method: str, password: str) -> int:
    """Return the status for some credentials: 200, 401 if wrong or absent, 400 if a field is missing.

    Args:
        authorization: The header's value; None if there was none.
        method: Method of the request.
        password: The correct password.
    """
    scheme, _, rest = (authorization or "").partition(" ")
    if scheme.lower() != "digest":
        return 401
    fields = {name: quoted or plain for name, quoted, plain in _FIELD.findall(rest)}
    qop = fields.get("qop", "")
    is_session = fields.get("algorithm", "").lower() == "md5-sess"
    if (
        any(name not in fields for name in _REQUIRED)
        or ("qop" in fields and not {"nc", "cnonce"} <= fields.keys())
        or (is_session and "cnonce" not in fields)
    ):
        return 400
    if fields["username"] != USER or fields["realm"] != REALM:
        return 401
    return 200 if fields["response"] == _expected(fields, method, password, qop=qop, is_session=is_session) else 401


def md5_hex(text: str) -> str:
    """Return the MD5 of a text in lower-case hex; the text is encoded in Latin-1, as heads are decoded."""
    return hashlib.md5(text.encode("latin-1"), usedforsecurity=False).hexdigest()


def _expected(fields: dict[str, str], method: str, password: str, *, qop: str, is_session: bool) -> str:
    secret = md5_hex(f"{USER}:{REALM}:{password.encode().decode('latin-1')}")
    if is_session:
        secret = md5_hex(f"{secret}:{fields['nonce']}:{fields['cnonce']}")
    asked = md5_hex(f"{method}:{fields['uri']}")
    counted = f"{fields['nc']}:{fields['cnonce']}:{qop}:" if qop else ""
    return md5_hex(f"{secret}:{fields['nonce']}:{counted}{asked}")
