"""Ed25519 keys in files."""

import base64
from pathlib import Path

import pytest

from agent.errors import ConfigError
from agent.files.signing import PublicKey, make_signing_key, public_file, read_public_key, read_signing_key

# RFC 8032, section 7.1, test 3.
PUBLIC = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
SIGNATURE = bytes.fromhex(
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
)


def test_signature_of_the_standard_holds() -> None:
    """A published signature holds for its text and for no other."""
    key = PublicKey(PUBLIC)
    signature = base64.b64encode(SIGNATURE).decode()
    assert key.is_signed(bytes.fromhex("af82"), signature)
    assert not key.is_signed(bytes.fromhex("af83"), signature)
    assert not key.is_signed(bytes.fromhex("af82"), "no signature")
    assert not PublicKey(bytes(31)).is_signed(b"", signature)


def test_key_is_written_for_its_owner_alone_and_read_again(tmp_path: Path) -> None:
    """A key signs the same after it is read again, and its public half is for everybody."""
    path = tmp_path / "site.key"
    made = make_signing_key(path)
    assert (path.stat().st_mode & 0o777, public_file(path).stat().st_mode & 0o777) == (0o600, 0o644)
    public_file(path).unlink()
    read = read_signing_key(path, where="history.key_file")
    assert read.sign(b"text") == made.sign(b"text")
    assert read_public_key(public_file(path), where="--key") == made.public
    assert made.public.is_signed(b"text", made.sign(b"text"))


def test_unusable_key_is_refused(tmp_path: Path) -> None:
    """A key that others may read, or that is none, is refused with file, key and reason."""
    path = tmp_path / "site.key"
    make_signing_key(path)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match=r"site.key: history.key_file: others may read"):
        read_signing_key(path, where="history.key_file")
    path.write_text("-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="an Ed25519 private key in PEM is expected"):
        read_signing_key(path, where="history.key_file")
    with pytest.raises(ConfigError, match="an Ed25519 public key in PEM is expected"):
        read_public_key(path, where="--key")
