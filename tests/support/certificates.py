"""Certificate authorities as a site makes them, without the extension `keyUsage`, and certificates that they sign."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Authority:
    """An authority with its certificate in ``NAME.pem``.

    Args:
        folder: Folder of every file.
        name: Its name.
        parent: The authority that signs it; None if it signs itself.
    """

    def __init__(self, folder: Path, name: str, *, parent: "Authority | None" = None) -> None:
        self.folder = folder
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.pem = folder / f"{name}.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        signer = parent or self
        certificate = _builder(self.name, self._key, signer, (-10, 10), is_authority=True)
        self.pem.write_bytes(_pem(certificate.sign(signer._key, hashes.SHA256())))

    def sign(self, name: str, *, days: tuple[int, int] = (-1, 10), address: str = "localhost") -> None:
        """Write ``NAME.pem`` and ``NAME.key``.

        Args:
            name: The holder's name.
            days: When the certificate begins and ends, in days from now.
            address: The host name or IP address for which it is good.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        holder = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        try:
            good_for: x509.GeneralName = x509.IPAddress(ip_address(address))
        except ValueError:
            good_for = x509.DNSName(address)
        names = x509.SubjectAlternativeName([good_for])
        builder = _builder(holder, key, self, days, is_authority=False).add_extension(names, critical=False)
        (self.folder / f"{name}.pem").write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self.folder / f"{name}.key").write_bytes(private)


def _builder(
    holder: x509.Name, key: ec.EllipticCurvePrivateKey, signer: Authority, days: tuple[int, int], *, is_authority: bool
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    signed_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer._key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(holder)
        .issuer_name(signer.name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(signed_by, critical=False)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
