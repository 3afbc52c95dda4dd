"""Web configuration files: what the toolkit takes is taken, what it refuses is refused, and departures are listed."""

import re
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from certificates import Authority
from paths import ROOT
from web_doors import HASHES, USERS, written

from agent.errors import ConfigError
from agent.exporters.web.door.web_file import MAX_COST, WebFile, read_web_file

TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
ALL_HEADERS = """http_server_config:
  http2: false
  headers:
    Content-Security-Policy: default-src 'self'
    X-Frame-Options: sameorigin
    X-Content-Type-Options: nosniff
    X-XSS-Protection: 1; mode=block
    Strict-Transport-Security: max-age=31536000
"""
CLIENTS = TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
GOOD = {
    "empty": "",
    "users": USERS,
    "tls": TLS,
    "both": TLS + USERS,
    "versions": TLS + "  min_version: TLS12\n  max_version: TLS13\n",
    "tls 1.3": TLS + "  min_version: TLS13\n",
    "tls 1.2": TLS + "  max_version: TLS12\n",
    "suites": TLS
    + "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]\n",
    "suites of 1.3": TLS + "  cipher_suites:\n  - TLS_AES_128_GCM_SHA256\n",
    "client's preference": TLS + "  prefer_server_cipher_suites: false\n",
    "a curve": TLS + "  curve_preferences: [CurveP384]\n",
    "clients": CLIENTS,
    "optional clients": TLS + "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n",
    "no clients": TLS + "  client_auth_type: NoClientCert\n",
    "headers": ALL_HEADERS,
    "empty sections": "tls_server_config:\nhttp_server_config:\nbasic_auth_users:\n",
}
# Each with a part of the message. All of them are mistakes to promtool as well.
BAD = {
    "not YAML": ("users: [", "not YAML at line 1"),
    "a list": ("- a\n", "keys with values are expected"),
    "unknown section": ("tls_config: {}\n", "unknown key; did you mean tls_server_config?"),
    "unknown key": (TLS + "  cert_fil: x\n", "tls_server_config.cert_fil: unknown key; did you mean cert_file?"),
    "a key twice": ("http_server_config: {}\nhttp_server_config: {}\n", "'http_server_config' is given twice"),
    "no key file": ("tls_server_config:\n  cert_file: server.pem\n", "key_file: this key or key is needed"),
    "no certificate": ("tls_server_config:\n  key_file: server.key\n", "cert_file: this key or cert is needed"),
    "missing file": (TLS.replace("server.pem", "gone.pem"), "gone.pem': cannot be read: No such file"),
    "another's key": (TLS.replace("server.key", "client.key"), "key values mismatch"),
    "no PEM": (TLS.replace("server.pem", "junk.pem"), "cannot be used together: not PEM of a certificate and its key"),
    "a version": (TLS + "  min_version: TLS14\n", "TLS12 or TLS13 is expected"),
    "a suite": (TLS + "  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n", "not a suite with forward secrecy"),
    "a curve": (TLS + "  curve_preferences: [P256]\n", "one of CurveP256, CurveP384, CurveP521, X25519"),
    "a policy": (TLS + "  client_auth_type: Sometimes\n", "one of NoClientCert, VerifyClientCertIfGiven"),
    "authorities for nothing": (TLS + "  client_ca_file: ca.pem\n", "no client is asked for"),
    "missing authorities": (CLIENTS.replace("ca.pem", "gone.pem"), "client_ca_file = "),
    "a header": ("http_server_config: {headers: {X-Test: a}}\n", "unknown key"),
    "a header's value": ("http_server_config: {headers: {X-Frame-Options: allow}}\n", "deny or sameorigin"),
    "a flag": ("http_server_config: {http2: perhaps}\n", "true or false is expected"),
    "no hash": ("basic_auth_users: {anna: secret}\n", "a bcrypt hash is expected"),
    "users in a list": ("basic_auth_users: [anna]\n", "keys with values are expected"),
}
# Taken by the toolkit, refused here; the parity table says why.
REFUSED_HERE = {
    "old version": (TLS + "  min_version: TLS10\n", "deprecated (RFC 8996)"),
    "versions upside down": (TLS + "  min_version: TLS13\n  max_version: TLS12\n", "above max_version"),
    "no suite left": (TLS + "  max_version: TLS12\n  cipher_suites: [TLS_AES_128_GCM_SHA256]\n", "none of them is for"),
    "two curves": (TLS + "  curve_preferences: [X25519, CurveP256]\n", "one curve only"),
    "unverified clients": (TLS + "  client_auth_type: RequireAnyClientCert\n", "verifies every certificate"),
    "a costly hash": (USERS.replace("$04$", "$20$"), "a bcrypt cost of 4 to 14 is expected, not 20"),
}
# Keys that this promtool does not know yet: its toolkit is of 2023.
NEWER = {
    "rate": ("rate_limit: {interval: 100ms, burst: 5}\n", ""),
    "no rate": ("rate_limit: {interval: 0, burst: 0}\n", ""),
    "names of clients": (CLIENTS + "  client_allowed_sans: [scraper.example]\n", ""),
    "no interval": ("rate_limit: {interval: often, burst: 5}\n", "a duration such as 100ms"),
    "no burst": ("rate_limit: {interval: 1s}\n", "a whole number from 1"),
    "names of no clients": (TLS + "  client_allowed_sans: [a]\n", "RequireAndVerifyClientCert is expected with it"),
    "certificate twice": (TLS + "  cert: x\n", "cert or cert_file is expected, not both"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with certificates."""
    made = tmp_path_factory.mktemp("door")
    authority = Authority(made, "ca")
    for name in ("server", "client"):
        authority.sign(name)
    (made / "junk.pem").write_text("no certificate", encoding="ascii")
    return made


def promtool_takes(path: Path) -> bool:
    """Return True if promtool finds a web configuration file good."""
    checked = subprocess.run(["promtool", "check", "web-config", str(path)], capture_output=True, check=False)
    assert checked.returncode in {0, 1}, checked.stderr
    return checked.returncode == 0


def refusal(path: Path) -> str:
    """Return why a file is refused; empty if it is not."""
    try:
        read_web_file(path)
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.program("promtool")
def test_the_same_files_are_good_and_bad_as_for_promtool(folder: Path) -> None:
    """Every good file is taken by both, every bad one refused by both, with the key and what is expected there."""
    for name, text in GOOD.items():
        path = written(folder, text)
        assert (name, refusal(path), promtool_takes(path)) == (name, "", True)
    for name, (text, words) in BAD.items():
        path = written(folder, text)
        assert words in refusal(path), name
        assert not promtool_takes(path), name


@pytest.mark.program("promtool")
def test_departures_are_refused_with_their_reason(folder: Path) -> None:
    """What Python cannot do, or nobody should, is refused although promtool takes it; never left out silently."""
    for name, (text, words) in REFUSED_HERE.items():
        path = written(folder, text)
        assert words in refusal(path), name
        assert promtool_takes(path), name


@pytest.mark.parametrize("name", NEWER)
def test_newer_keys(name: str, folder: Path) -> None:
    """Keys of later toolkits work as their documentation says."""
    text, words = NEWER[name]
    said = refusal(written(folder, text))
    assert words in said if words else said == ""


def test_certificate_and_key_may_stand_in_the_file(folder: Path) -> None:
    """`cert`, `key` and `client_ca` are PEM texts; both forms give the same context."""
    texts = {
        key: (folder / name).read_text(encoding="ascii").replace("\n", "\n    ").rstrip()
        for key, name in (("cert", "server.pem"), ("key", "server.key"), ("client_ca", "ca.pem"))
    }
    lines = "".join(f"  {key}: |\n    {text}\n" for key, text in texts.items())
    read = read_web_file(
        written(folder, f"tls_server_config:\n{lines}  client_auth_type: RequireAndVerifyClientCert\n")
    )
    assert read.tls is not None
    assert read.tls.needs_certificate
    assert len(read.tls.context.get_ca_certs()) == 1


def test_what_a_file_means(folder: Path) -> None:
    """Each key reaches the value that it is for."""
    tls = TLS + (
        "  min_version: TLS12\n  max_version: TLS12\n  prefer_server_cipher_suites: false\n"
        "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]\n"
    )
    rate = "rate_limit: {interval: 1m0.5s, burst: 7}\n"
    read = read_web_file(written(folder, tls + ALL_HEADERS + USERS + rate))
    assert read.tls is not None
    context = read.tls.context
    assert (context.minimum_version, context.maximum_version) == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
    older = [suite["name"] for suite in context.get_ciphers() if suite["protocol"] != "TLSv1.3"]
    assert older == ["ECDHE-ECDSA-CHACHA20-POLY1305"]
    assert not context.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert read.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert read.users == {name: hashed.encode() for name, hashed in HASHES.items()}
    assert read.rate is not None
    assert (read.rate.interval_s, read.rate.burst) == (60.5, 7)
    assert read.files == tuple(folder / name for name in ("web.yml", "server.pem", "server.key"))


def test_suites_of_tls_13_alone_leave_no_other_version(folder: Path) -> None:
    """As in Go: without a suite for TLS 1.2, it cannot be agreed on."""
    read = read_web_file(written(folder, GOOD["suites of 1.3"]))
    assert read.tls is not None
    assert read.tls.context.minimum_version is ssl.TLSVersion.TLSv1_3


def notes(read: WebFile) -> str:
    """Return the notes of a file as one text."""
    return "\n".join(read.notes)


def test_what_cannot_be_done_is_noted(folder: Path) -> None:
    """HTTP/2 on request is said to be missing; hashes that others may read are named; a private file has no note."""
    assert "HTTP/1.1 only" in notes(read_web_file(written(folder, "http_server_config: {http2: true}\n")))
    path = written(folder, USERS)
    assert read_web_file(path).notes == ()
    path.chmod(0o644)
    assert "chmod 640" in notes(read_web_file(path))


def test_no_message_has_a_hash_or_a_key(folder: Path) -> None:
    """Mistakes beside secrets do not repeat them."""
    users = f"basic_auth_users:\n  anna: {HASHES['anna']}x\n  ben: ['{HASHES['ben']}']\n"
    text = f"{users}tls_server_config: {{key: s3cr3t}}\n"
    said = refusal(written(folder, text))
    assert "anna" in said
    assert not re.search(r"\$2b\$|s3cr3t", said)


def test_every_key_is_in_the_parity_table() -> None:
    """`docs/web-configuration.md` has a line for each key, and says which promtool was asked."""
    table = (ROOT / "docs" / "web-configuration.md").read_text(encoding="utf-8")
    keys = set(re.findall(r"^\| `([A-Za-z0-9_.-]+)`", table, re.MULTILINE))
    from agent.exporters.web.door import tls_server, web_file

    assert keys == {
        *(f"tls_server_config.{key}" for key in tls_server.KEYS),
        "http_server_config.http2",
        *(f"http_server_config.headers.{name}" for name in web_file.HEADERS),
        "basic_auth_users",
        "rate_limit.interval",
        "rate_limit.burst",
    }
    assert f"4 to {MAX_COST}" in table


def test_promtool_is_looked_for() -> None:
    """Where Prometheus is installed, its promtool is too: else the comparison would be skipped unseen."""
    assert (shutil.which("prometheus") is None) or shutil.which("promtool")


def test_a_curve_that_python_does_not_take_is_a_mistake(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian's Python 3.11.2 cannot be limited to X25519: the file is refused with that reason and no traceback."""

    def unknown(_: ssl.SSLContext, name: str) -> None:
        raise ssl.SSLError(f"unknown group {name}")

    monkeypatch.setattr(ssl.SSLContext, "set_ecdh_curve", unknown)
    refused = refusal(written(folder, TLS + "  curve_preferences: [X25519]\n"))
    assert "curve_preferences = 'X25519': Python's ssl on this machine cannot be limited to it" in refused
