"""TLS towards servers of the site: the same certificates pass under every version of Python."""

import ssl
from pathlib import Path


def client_context(ca_file: Path | None = None, *, pem: str | None = None) -> ssl.SSLContext:
    """Return a context that checks a server's certificate: its signature, its dates and its name.

    Python 3.13 also refuses authorities that lack an extension of RFC 5280, such as `keyUsage`. Many private ones do:
    `openssl req -x509` sets none. So that check is off, and `ca_file` may hold an intermediate authority under Python
    3.11 and 3.12 as well (DECISIONS 93).

    Args:
        ca_file: Certificates of the trusted authorities, PEM; None trusts those of the system.
        pem: Such certificates as text, instead of the system's.

    Raises:
        OSError: The file cannot be read.
        ssl.SSLError: It contains no certificate.
    """
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca_file, cadata=pem)
    context.verify_flags = ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST | ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
