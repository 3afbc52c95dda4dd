"""Which certificates a context towards a server of the site accepts: the same under every version of Python."""

import ssl
from pathlib import Path

import pytest
from certificates import Authority

from agent.tls import client_context


def shake_hands(client: ssl.SSLContext, certificate: Path, *, name: str = "localhost") -> None:
    """Do a handshake in memory with a server that has this certificate; raise what the client makes of it."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, certificate.with_suffix(".key"))
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert ours.version() is not None


def test_an_authority_without_key_usage_is_trusted(tmp_path: Path) -> None:
    """A private authority made by `openssl req -x509` has no `keyUsage`; Python 3.13's default would refuse it."""
    authority = Authority(tmp_path, "ca")
    authority.sign("broker")
    shake_hands(client_context(authority.pem), tmp_path / "broker.pem")


def test_an_intermediate_authority_alone_is_trusted(tmp_path: Path) -> None:
    """The file may hold the authority that signed the certificate without the one above it."""
    middle = Authority(tmp_path, "middle", parent=Authority(tmp_path, "ca"))
    middle.sign("broker")
    shake_hands(client_context(middle.pem), tmp_path / "broker.pem")


@pytest.mark.parametrize(
    ("trusted", "certificate", "name", "reason"),
    [
        ("other", "broker", "localhost", "unable to get local issuer certificate"),
        ("ca", "expired", "localhost", "certificate has expired"),
        ("ca", "broker", "broker.example", "Hostname mismatch"),
    ],
)
def test_signature_dates_and_name_are_checked(
    trusted: str, certificate: str, name: str, reason: str, tmp_path: Path
) -> None:
    """A stranger's signature, an expired certificate and another name are each refused with their reason."""
    authority, other = Authority(tmp_path, "ca"), Authority(tmp_path, "other")
    authority.sign("broker")
    authority.sign("expired", days=(-5, -1))
    context = client_context({"ca": authority, "other": other}[trusted].pem)
    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        shake_hands(context, tmp_path / f"{certificate}.pem", name=name)


def test_old_versions_of_tls_are_refused() -> None:
    """TLS 1.2 is the oldest."""
    assert client_context().minimum_version is ssl.TLSVersion.TLSv1_2
