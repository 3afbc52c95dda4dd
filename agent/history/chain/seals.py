"""Seals: a signed head with its public key in one small file, and the request for a time stamp of it. Pure.

The request is a TimeStampReq in DER: version 1, the SHA-256 of the seal, a nonce, and the wish for the authority's
certificate. Documented (D333, D334).
"""

import base64
import hashlib

from agent.files.signing import PublicKey
from agent.history.chain.heads import SignedHead
from agent.history.chain.links import canonical

SEAL_FORMAT = 1
# Documented (D335).
_SHA256_OID = bytes.fromhex("0609608648016503040201")
_NULL = b"\x05\x00"
_TRUE = b"\x01\x01\xff"
_SEQUENCE, _INTEGER, _OCTETS = 0x30, 0x02, 0x04


def seal_text(signed: SignedHead, key: PublicKey) -> str:
    """Return the seal of a head: canonical JSON in one line."""
    content = {
        "format": SEAL_FORMAT,
        "head": signed.head.fields,
        "signature": signed.signature,
        "public_key": base64.b64encode(key.raw).decode(),
    }
    return f"{canonical(content)}\n"


def timestamp_request(content: bytes, *, nonce: int) -> bytes:
    """Return the request for a time stamp of a file's content.

    Args:
        content: The file.
        nonce: A random number from 0 on that the answer repeats.
    """
    imprint = _der(_SEQUENCE, _der(_SEQUENCE, _SHA256_OID + _NULL) + _der(_OCTETS, hashlib.sha256(content).digest()))
    return _der(_SEQUENCE, _integer(1) + imprint + _integer(nonce) + _TRUE)


def _integer(number: int) -> bytes:
    # One bit more than the number has, because the first bit is the sign.
    return _der(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _der(tag: int, content: bytes) -> bytes:
    """Return a value of at most 127 bytes, whose length is one byte."""
    return bytes((tag, len(content))) + content
