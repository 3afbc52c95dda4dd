"""Heads: the hash of the chain at a moment, with the site, signed by the agent's key. Pure.

A head's text is the canonical JSON of its fields (`links.canonical`), and its signature is Ed25519's of that text in
UTF-8, without a context. Documented (D332).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Self

import msgspec

from agent.files.signing import PublicKey
from agent.history.chain.links import Fact, canonical

HEAD_FORMAT = 1
_HASH_DIGITS = 64
_CHECK_DIGITS = 13


class HeadKind(StrEnum):
    """Occasions for a head."""

    START = "start"
    HOUR = "hour"
    DAY = "day"
    STOP = "stop"
    LATEST = "latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The state of a chain at a moment.

    Attributes:
        chain: Name of the chain: the random one of its first fact.
        site, zone: The site's name and the time zone of its days.
        key: Id of the key that signs it; empty without a key.
        seq: Number of the last link.
        hash: Hash of that link, in hexadecimal.
        at: Unix time, s.
        day: The site's calendar day then, ISO 8601.
        kind: The occasion.
        version: Version of the agent's software.
    """

    chain: str
    site: str
    zone: str
    key: str
    seq: int
    hash: str
    at: int
    day: str
    kind: HeadKind
    version: str

    @property
    def text(self) -> str:
        """The text that is signed."""
        return canonical(self.fields)

    @property
    def fields(self) -> dict[str, Any]:
        """Its JSON object."""
        return {"format": HEAD_FORMAT, **asdict(self), "kind": str(self.kind)}

    @property
    def check(self) -> int:
        """The first 52 bits of the hash as a number, which a float holds exactly."""
        return check_of(self.hash)


class SignedHead(NamedTuple):
    """A head and its signature.

    Attributes:
        head: The head.
        signature: In Base64; None while the agent had no key.
    """

    head: Head
    signature: str | None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """Return the head of an object ``{"head": {...}, "signature": "..."}``, as logs and exports have it.

        Raises:
            ValueError: It is none.
        """
        head, signature = fields.get("head"), fields.get("signature")
        if not isinstance(head, dict) or not (signature is None or isinstance(signature, str)):
            raise ValueError("an object with head and signature is expected")
        return cls(head_of(head), signature)

    @classmethod
    def parse(cls, line: str | bytes) -> Self:
        """Return the head of a line of a log.

        Raises:
            ValueError: It is none.
        """
        try:
            content = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"JSON is expected: {error}") from error
        if not isinstance(content, dict):
            raise ValueError("an object with head and signature is expected")  # noqa: TRY004 - wrong content
        return cls.of(content)

    @property
    def line(self) -> str:
        """Its JSON object, in one line without its end."""
        return canonical({"head": self.head.fields, "signature": self.signature})

    def is_signed_by(self, key: PublicKey) -> bool:
        """Return True if this key made the signature."""
        return self.signature is not None and key.is_signed(self.head.text.encode(), self.signature)


def check_of(hash_: str) -> int:
    """Return the first 52 bits of a hash in hexadecimal as a number."""
    return int(hash_[:_CHECK_DIGITS], 16)


def head_of(fields: Mapping[str, Any]) -> Head:
    """Return the head of its JSON object.

    Raises:
        ValueError: With what is wrong.
    """
    if fields.get("format") != HEAD_FORMAT:
        raise ValueError(f"format {str(fields.get('format'))[:20]!r} of a head; {HEAD_FORMAT} is expected")
    content = {name: value for name, value in fields.items() if name != "format"}
    try:
        head = msgspec.convert(content, Head)
    except (msgspec.ValidationError, TypeError) as error:
        raise ValueError(f"not a head: {error}") from error
    if unknown := sorted(content.keys() - set(Head.__dataclass_fields__)):
        raise ValueError(f"not a head: unknown field {unknown[0][:40]!r}")
    if not is_hash(head.hash) or head.seq < 1:
        raise ValueError(f"not a head: link {head.seq} with hash {head.hash[:70]!r}")
    return head


def head_of_text(text: str) -> Head:
    """Return the head of its text.

    Raises:
        ValueError: It is none, or not in canonical form.
    """
    try:
        fields = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise ValueError(f"not a head: {error}") from error
    if not isinstance(fields, dict):
        raise ValueError("not a head: an object is expected")  # noqa: TRY004 - wrong content
    head = head_of(fields)
    if head.text != text:
        raise ValueError("not a head: not in canonical form")
    return head


def is_hash(text: str) -> bool:
    """Return True for 64 hexadecimal digits in lower case."""
    return len(text) == _HASH_DIGITS and not set(text) - set("0123456789abcdef")


def is_about(fact: Fact, chain: str) -> bool:
    """Return True if a fact says that this history follows one of another chain."""
    others = fact.body.get("known_chains")
    # An edited file may have anything there.
    return fact.body.get("known_chain") == chain or (isinstance(others, list) and chain in others)


def is_left(fact: Fact, head: Head) -> bool:
    """Return True if a fact says that the history which a head is of was left for an older copy."""
    body = fact.body
    after, last = body.get("seq", head.seq), body.get("known_seq", 0)
    if not isinstance(after, int) or not isinstance(last, int):
        return False
    return body.get("known_chain") == head.chain and after < head.seq <= last
