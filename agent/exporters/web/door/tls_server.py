"""The server's side of TLS: a context from the keys of ``tls_server_config``.

Names and meanings are the toolkit's, which are Go's. What Python's `ssl` cannot do is refused, never left out.
"""

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from agent.exporters.web.door.fields import Fields
from agent.files.regular import refuse_irregular

KEYS = (
    "cert",
    "key",
    "client_ca",
    "cert_file",
    "key_file",
    "client_auth_type",
    "client_ca_file",
    "client_allowed_sans",
    "min_version",
    "max_version",
    "cipher_suites",
    "prefer_server_cipher_suites",
    "curve_preferences",
)
VERSIONS: Mapping[str, ssl.TLSVersion] = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
OLD_VERSIONS = frozenset({"TLS10", "TLS11"})
# By the names of Go's crypto/tls. Those of TLS 1.3 are always on, there as here.
SUITES_13 = frozenset({"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})
SUITES_12: Mapping[str, str] = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}
DEFAULT_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20"
CURVES: Mapping[str, str] = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}
CLIENTS: Mapping[str, ssl.VerifyMode] = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
UNVERIFIED = frozenset({"RequestClientCert", "RequireAnyClientCert", "RequireClientCert"})
_SAN_KINDS = frozenset({"DNS", "IP Address", "URI", "email"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTls:
    """The TLS settings for one connection.

    Attributes:
        context: Its settings and certificate.
        certificate: The server's certificates, PEM.
        allowed_sans: Names of which a client's certificate must have one; None allows every certificate.
    """

    context: ssl.SSLContext
    certificate: str = field(default="", repr=False)
    allowed_sans: frozenset[str] | None = None

    @property
    def needs_certificate(self) -> bool:
        """True if a client without a verified certificate is refused."""
        return self.context.verify_mode is ssl.CERT_REQUIRED

    def welcomes(self, certificate: Mapping[str, Any] | None) -> bool:
        """Return True if a client with this certificate, as `ssl` shows it, may come in."""
        if self.allowed_sans is None:
            return True
        names = (certificate or {}).get("subjectAltName", ())
        return any(kind in _SAN_KINDS and _plain(kind, name) in self.allowed_sans for kind, name in names)


def server_tls(fields: Fields, folder: Path) -> ServerTls | None:
    """Return the settings of a section; None if it is empty, or has mistakes, which `fields` takes.

    Args:
        fields: The section ``tls_server_config``.
        folder: Where relative paths begin.
    """
    if not any(key in fields for key in KEYS):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    _set_versions(context, fields)
    _set_suites(context, fields)
    _set_curve(context, fields)
    allowed_sans = _set_clients(context, fields, folder)
    certificate = _load_certificate(context, fields, folder)
    return ServerTls(context=context, certificate=certificate, allowed_sans=allowed_sans)


def _plain(kind: str, name: str) -> str:
    # OpenSSL writes ::1 as 0:0:0:0:0:0:0:1.
    return str(ip_address(name.strip())) if kind == "IP Address" else name


def named_files(fields: Fields, folder: Path) -> tuple[Path, ...]:
    """Return the files that a section names."""
    names = (fields.text(key) for key in ("cert_file", "key_file", "client_ca_file"))
    return tuple(folder / name for name in names if name)


def _set_versions(context: ssl.SSLContext, fields: Fields) -> None:
    chosen = {"min_version": ssl.TLSVersion.TLSv1_2, "max_version": ssl.TLSVersion.TLSv1_3}
    for key in chosen:
        name = fields.text(key)
        if name in OLD_VERSIONS:
            fields.refuse(key, name, "this version is deprecated (RFC 8996) and not spoken here; TLS12 or TLS13")
        elif name and name not in VERSIONS:
            fields.refuse(key, name, "TLS12 or TLS13 is expected")
        elif name:
            chosen[key] = VERSIONS[name]
    if chosen["min_version"] > chosen["max_version"]:
        fields.refuse("min_version", fields.text("min_version"), "it is above max_version: no client could connect")
    context.minimum_version, context.maximum_version = chosen["min_version"], chosen["max_version"]


def _set_suites(context: ssl.SSLContext, fields: Fields) -> None:
    if fields.flag("prefer_server_cipher_suites", default=True):
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    names = fields.texts("cipher_suites") or ()
    for name in names:
        if name not in SUITES_12 and name not in SUITES_13:
            fields.refuse("cipher_suites", name, "not a suite with forward secrecy of Go's crypto/tls")
    older = [SUITES_12[name] for name in names if name in SUITES_12]
    context.set_ciphers(":".join(older) if older else DEFAULT_SUITES)
    if names and not older:
        # As Go does: without a suite for it, TLS 1.2 cannot be agreed on.
        if context.maximum_version is ssl.TLSVersion.TLSv1_2:
            fields.refuse("cipher_suites", ", ".join(names), "none of them is for TLS 1.2, which is max_version")
        else:
            context.minimum_version = ssl.TLSVersion.TLSv1_3


def _set_curve(context: ssl.SSLContext, fields: Fields) -> None:
    names = fields.texts("curve_preferences") or ()
    unknown = [name for name in names if name not in CURVES]
    if unknown:
        fields.refuse("curve_preferences", unknown[0], f"one of {', '.join(CURVES)} is expected")
    elif len(names) > 1:
        reason = "Python's ssl can be limited to one curve only; name one, or leave the key out"
        fields.refuse("curve_preferences", ", ".join(names), reason)
    elif names:
        try:
            context.set_ecdh_curve(CURVES[names[0]])
        except (ssl.SSLError, ValueError):
            # Python 3.11.2 of Debian 12 takes no X25519 here, although TLS itself uses it.
            fields.refuse("curve_preferences", names[0], "Python's ssl on this machine cannot be limited to it")


def _set_clients(context: ssl.SSLContext, fields: Fields, folder: Path) -> frozenset[str] | None:
    policy = fields.text("client_auth_type")
    if policy in UNVERIFIED:
        reason = (
            "Python's ssl verifies every certificate that a client shows: "
            "VerifyClientCertIfGiven or RequireAndVerifyClientCert is expected"
        )
        fields.refuse("client_auth_type", policy, reason)
    elif policy and policy not in CLIENTS:
        fields.refuse("client_auth_type", policy, f"one of {', '.join(CLIENTS)} is expected")
    mode = CLIENTS.get(policy, ssl.CERT_NONE)
    if mode is ssl.CERT_NONE and policy not in UNVERIFIED and ("client_ca" in fields or "client_ca_file" in fields):
        fields.refuse("client_auth_type", policy, "client authorities are given, and no client is asked for")
    if mode is not ssl.CERT_NONE:
        _load_authorities(context, fields, folder)
        # A session that is resumed shows no certificate again, though authorities or dates may have changed.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
        # As of clients: private authorities often lack extensions that Python 3.13 asks for.
        context.verify_flags = ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST | ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.verify_mode = mode
    names = fields.texts("client_allowed_sans")
    if names is None:
        return None
    if mode is not ssl.CERT_REQUIRED:
        fields.refuse("client_allowed_sans", "", "client_auth_type = RequireAndVerifyClientCert is expected with it")
    return frozenset(names)


def _load_authorities(context: ssl.SSLContext, fields: Fields, folder: Path) -> None:
    key = "client_ca_file" if "client_ca_file" in fields else "client_ca"
    try:
        if "client_ca_file" in fields:
            path = folder / fields.text(key)
            refuse_irregular(path)
            context.load_verify_locations(cafile=path)
        elif "client_ca" in fields:
            context.load_verify_locations(cadata=fields.text(key))
        else:
            context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    except ssl.SSLError:
        fields.refuse(key, "", "contains no certificate")
    except (OSError, ValueError) as error:
        fields.refuse(key, fields.text(key) if key.endswith("_file") else "", f"cannot be read: {_words(error)}")


def _load_certificate(context: ssl.SSLContext, fields: Fields, folder: Path) -> str:
    is_complete = True
    for name in ("cert", "key"):
        if name not in fields and f"{name}_file" not in fields:
            fields.refuse(f"{name}_file", "", f"this key or {name} is needed")
            is_complete = False
        elif name in fields and f"{name}_file" in fields:
            fields.refuse(name, "", f"{name} or {name}_file is expected, not both")
            is_complete = False
    if not is_complete:
        return ""
    with ExitStack() as files:
        paths = [_path(name, fields, folder, files) for name in ("cert", "key")]
        if None in paths:
            return ""
        certificate, key = (path for path in paths if path is not None)
        try:
            # Without a password, OpenSSL would ask for one on the terminal.
            context.load_cert_chain(certificate, key, password=lambda: b"")
            return certificate.read_text(encoding="ascii", errors="replace")
        except (ssl.SSLError, OSError, ValueError) as error:
            where = "cert_file" if "cert_file" in fields else "cert"
            fields.refuse(where, "", f"certificate and key cannot be used together: {_words(error)}")
    return ""


def _path(name: str, fields: Fields, folder: Path, files: ExitStack) -> Path | None:
    """Return the path of a certificate or key, which may be one in memory; None if it cannot be read."""
    key = f"{name}_file"
    if key not in fields:
        return files.enter_context(_in_memory(fields.text(name)))
    path = folder / fields.text(key)
    try:
        refuse_irregular(path)
    except OSError as error:
        fields.refuse(key, str(path), f"cannot be read: {_words(error)}")
        return None
    return path


@contextmanager
def _in_memory(text: str) -> Iterator[Path]:
    """Yield a path of a text in memory: `ssl` loads certificates from files only."""
    handle = os.memfd_create("hashsight")
    try:
        os.write(handle, text.encode())
        yield Path(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason.lower().replace("_", " ") if error.reason else "not PEM of a certificate and its key"
    return str(getattr(error, "strerror", None) or error)
