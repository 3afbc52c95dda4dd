"""Canonical form and signature of a document. Pure.

A document is one line: `agent.history.chain.links.canonical` of its content, and a newline. The signature is over the
canonical form of everything but itself. Any other spelling of the same content is refused, so that the bytes say
no more and no less than what is signed.

Documented (D336): RFC 8785 has another canonical JSON, with ECMAScript's numbers and keys in the order of UTF-16.
Documented (D337): the same key and content always get the same signature.
"""

import base64
import json
from typing import Any

from agent.files.signing import PublicKey, SigningKey
from agent.history.chain.links import canonical
from agent.statement.errors import StatementError

SIGNATURE = "signature"
_FIELDS = {"key_id", "public_key", "value"}
_SHOWN = 40


def document_text(content: dict[str, Any]) -> str:
    """Return a document as it stands in its file."""
    return canonical(content) + "\n"


def signed(content: dict[str, Any], key: SigningKey | None) -> dict[str, Any]:
    """Return the content with its signature; without a key the signature is None."""
    if key is None:
        return content | {SIGNATURE: None}
    return content | {
        SIGNATURE: {
            "key_id": key.public.id,
            "public_key": base64.b64encode(key.public.raw).decode(),
            "value": key.sign(_unsigned(content)),
        }
    }


def content_of(text: bytes, file: str) -> Any:
    """Return the content of a document in canonical form; of other JSON, whatever it is.

    Raises:
        StatementError: It is not JSON, has a key twice, or says that it is a document and is not in canonical form.
    """
    try:
        content = json.loads(text.decode(), object_pairs_hook=_once, parse_constant=_no_number)
        # Half of a surrogate pair is JSON, and no text that could be signed.
        canonical(content).encode()
        return content if not is_document(content) else _held_to_form(content, text.decode(), file)
    except (ValueError, RecursionError) as error:
        raise StatementError(f"{file}: not a statement in JSON (--format json): {error}") from error


def is_document(content: object) -> bool:
    """Return True for the content of a document: statements of formats 1 to 3 were not signed, and of any form."""
    # A list, not a set: anything may stand there, and what has no hash is in none.
    return isinstance(content, dict) and (content.get("format") not in [1, 2, 3] or SIGNATURE in content)


def _held_to_form(content: Any, text: str, file: str) -> Any:
    expected = document_text(content)
    if text != expected:
        place = next(
            (at for at, (one, other) in enumerate(zip(text, expected, strict=False)) if one != other),
            min(len(text), len(expected)),
        )
        found, wanted = text[place : place + _SHOWN], expected[place : place + _SHOWN]
        raise StatementError(
            f"{file}: not in canonical form, it was edited or formatted: at character {place + 1} it has"
            f" {found!r}, {wanted!r} is expected"
        )
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:_SHOWN]!r} is there twice")
        found[key] = value
    return found


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def signer_of(content: dict[str, Any], file: str) -> PublicKey | None:
    """Return the key that signed a document's content; None for one that is not signed.

    Raises:
        StatementError: The signature is malformed, or is not of this content.
    """
    signature = content.get(SIGNATURE)
    if signature is None:
        return None
    if not isinstance(signature, dict) or set(signature) != _FIELDS or not _is_text(signature.values()):
        raise StatementError(f"{file}: signature: {', '.join(sorted(_FIELDS))} are expected, each a text")
    raw, value = (_bytes(signature[name]) for name in ("public_key", "value"))
    if raw is None or value is None or len(raw) != 32:
        raise StatementError(f"{file}: signature: an Ed25519 key and a signature in Base64 are expected")
    key = PublicKey(raw)
    if signature["key_id"] != key.id:
        raise StatementError(f"{file}: signature: key_id is {signature['key_id']!r}, its public_key is {key.id}")
    if not key.is_signed(_unsigned(content), signature["value"]):
        raise StatementError(f"{file}: its signature is not of this content: it was changed after it was signed")
    return key


def _unsigned(content: dict[str, Any]) -> bytes:
    return canonical({name: value for name, value in content.items() if name != SIGNATURE}).encode()


def _is_text(values: Any) -> bool:
    return all(isinstance(value, str) for value in values)


def _bytes(text: str) -> bytes | None:
    """Return what a text in Base64 says; None for another spelling than the one of these bytes."""
    try:
        found = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return found if base64.b64encode(found).decode() == text else None
