"""Ed25519 keys in files: an agent signs with its own, and everybody may check with the public half."""

import base64
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from agent.files.atomic import replace_file
from agent.files.secret import read_secret, secret_refusal
from agent.files.text import read_text

_ID_DIGITS = 16
_PUBLIC_MODE = 0o644
_MOST_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public half of a key.

    Attributes:
        raw: Its 32 bytes.
    """

    raw: bytes

    @property
    def id(self) -> str:
        """The first 16 hexadecimal digits of its SHA-256."""
        return hashlib.sha256(self.raw).hexdigest()[:_ID_DIGITS]

    def is_signed(self, text: bytes, signature: str) -> bool:
        """Return True if a signature, in Base64, is this key's of a text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(base64.b64decode(signature, validate=True), text)
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey:
    """A private key.

    Args:
        key: As the library has it.

    Attributes:
        public: Its public half.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, text: bytes) -> str:
        """Return the signature of a text, in Base64; the same text always gets the same one (RFC 8032)."""
        return base64.b64encode(self._key.sign(text)).decode()


def is_id(text: str) -> bool:
    """Return True for what an id of a key looks like."""
    return len(text) == _ID_DIGITS and not set(text) - set("0123456789abcdef")


def public_file(path: Path) -> Path:
    """Return where the public half of a private key's file stands: ``site.key`` has ``site.key.pub``."""
    return path.with_name(f"{path.name}.pub")


def make_signing_key(path: Path) -> SigningKey:
    """Make a key and write it, mode 0600, and its public half beside it, both as PEM.

    Raises:
        OSError: It could not be written.
    """
    key = Ed25519PrivateKey.generate()
    replace_file(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    _write_public(key, path)
    return SigningKey(key)


def read_signing_key(path: Path, *, where: str) -> SigningKey:
    """Return the key in a file of mode 0600; its public half is written beside it if it is not there.

    Args:
        path: The file.
        where: The configuration key or option that names it, for messages.

    Raises:
        ConfigError: For a file that cannot be read, that others may read, or that holds no such key.
    """
    text = read_secret(path, where=where, is_private=True)
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise secret_refusal(path, where, "an Ed25519 private key in PEM is expected")
    if not public_file(path).exists():
        # A folder that this account may not write does not keep it from signing.
        with suppress(OSError):
            _write_public(key, path)
    return SigningKey(key)


def read_public_key(path: Path, *, where: str) -> PublicKey:
    """Return the public key in a PEM file.

    Raises:
        ConfigError: For a file that cannot be read, or that holds no such key.
    """
    text = read_text(path, max_bytes=_MOST_BYTES)
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise secret_refusal(path, where, "an Ed25519 public key in PEM is expected")
    return PublicKey(key.public_bytes(Encoding.Raw, PublicFormat.Raw))


def _write_public(key: Ed25519PrivateKey, path: Path) -> None:
    text = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    replace_file(public_file(path), text, mode=_PUBLIC_MODE)
