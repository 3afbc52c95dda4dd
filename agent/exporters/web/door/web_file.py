"""The web configuration file, in the form of Prometheus' exporter-toolkit: read, checked, and every mistake at once.

`docs/web-configuration.md` lists each of its keys and what differs here. Relative paths begin at the file's folder.
"""

import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.config.mistakes import Mistakes
from agent.errors import ConfigError, Mistake
from agent.exporters.web.door.fields import Fields
from agent.exporters.web.door.tls_server import KEYS, ServerTls, named_files, server_tls
from agent.exporters.web.door.yaml_text import YamlError, read_yaml
from agent.files.text import read_text

MAX_FILE_BYTES = 1 << 20
# A password of cost 14 takes seconds on a gateway, and each step doubles it.
MIN_COST, MAX_COST = 4, 14
_SECTIONS = ("tls_server_config", "http_server_config", "basic_auth_users", "rate_limit")
HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-Content-Type-Options": ("nosniff",),
    "X-XSS-Protection": (),
    "Strict-Transport-Security": (),
}
_HASH = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?(?:ns|us|µs|ms|s|m|h))+")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRate:
    """A limit for all requests together: a token bucket.

    Attributes:
        interval_s: Time from one request to the next.
        burst: Requests at once.
    """

    interval_s: float
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WebFile:
    """Content of a web configuration file.

    Attributes:
        path: The file.
        files: All files that it was read from.
        tls: How clients connect; None without TLS.
        headers: Headers that every answer gets.
        users: bcrypt hashes by user name; empty if no login is needed.
        rate: The limit for all requests; None for none.
        notes: Remarks for the operator.
    """

    path: Path
    files: tuple[Path, ...]
    tls: ServerTls | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    rate: RequestRate | None = None
    notes: tuple[str, ...] = ()


class WebFileError(ConfigError):
    """A web configuration file with mistakes.

    Attributes:
        files: The file, and those that it names: a change of any may mend it.
    """

    def __init__(self, mistakes: Iterable[Mistake], files: tuple[Path, ...]) -> None:
        super().__init__(mistakes)
        self.files = files


def cost_of(hashed: bytes) -> int:
    """Return the cost of a bcrypt hash: the binary logarithm of its rounds."""
    return int(hashed[4:6])


def read_web_file(path: Path) -> WebFile:
    """Read a web configuration file and the certificates that it names.

    Raises:
        ConfigError: With every mistake. Messages contain neither keys nor hashes.
    """
    text = read_text(path, max_bytes=MAX_FILE_BYTES)
    try:
        content = read_yaml(text)
    except YamlError as error:
        raise ConfigError([Mistake(file=str(path), where="file", value="", reason=str(error))]) from error
    mistakes = Mistakes(str(path))
    fields = Fields(content, "", _SECTIONS, mistakes)
    tls_fields = fields.section("tls_server_config", KEYS)
    http_fields = fields.section("http_server_config", ("http2", "headers"))
    files = (path, *named_files(tls_fields, path.parent))
    speaks_http2 = http_fields.flag("http2", default=False)
    read = WebFile(
        path=path,
        files=files,
        tls=server_tls(tls_fields, path.parent),
        headers=_headers(http_fields.section("headers", HEADERS)),
        users=_users(fields.section("basic_auth_users", None)),
        rate=_rate(fields.section("rate_limit", ("interval", "burst"))),
        notes=tuple(_notes(files, speaks_http2=speaks_http2)),
    )
    if mistakes.count:
        raise WebFileError(mistakes.listed(), files)
    return read


def _headers(fields: Fields) -> Mapping[str, str]:
    headers = {}
    for name in HEADERS.keys() & set(fields.names()):
        value = fields.text(name)
        if HEADERS[name] and value not in HEADERS[name]:
            fields.refuse(name, value, f"{' or '.join(HEADERS[name])} is expected")
        elif not value.isprintable() or not value.isascii():
            fields.refuse(name, value, "printable ASCII characters are expected")
        elif value:
            headers[name] = value
    return headers


def _users(fields: Fields) -> Mapping[str, bytes]:
    users = {}
    for name in fields.names():
        match = _HASH.fullmatch(fields.text(name))
        if not name or ":" in name or not name.isprintable():
            fields.refuse(name, "", "a user's name is expected, without colons")
        elif match is None:
            fields.refuse(name, "", 'a bcrypt hash is expected, such as `htpasswd -nBC 10 ""` prints')
        elif not MIN_COST <= int(match[1]) <= MAX_COST:
            reason = f"a bcrypt cost of {MIN_COST} to {MAX_COST} is expected, not {int(match[1])}"
            fields.refuse(name, "", reason)
        else:
            users[name] = match[0].encode()
    return users


def _rate(fields: Fields) -> RequestRate | None:
    interval, burst = fields.text("interval"), fields.text("burst")
    if interval in {"", "0"}:
        interval_s = 0.0
    elif _DURATION.fullmatch(interval):
        parts = re.findall(r"([0-9.]+)(ns|us|µs|ms|s|m|h)", interval)
        interval_s = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    else:
        fields.refuse("interval", interval, "a duration such as 100ms or 1s is expected")
        return None
    is_count = re.fullmatch("[0-9]{1,9}", burst or "0") is not None
    if not is_count or (interval_s and int(burst or "0") < 1):
        fields.refuse("burst", burst, "a whole number from 1 is expected: with 0, no request would pass")
        return None
    return RequestRate(interval_s=interval_s, burst=int(burst)) if interval_s else None


def _notes(files: tuple[Path, ...], *, speaks_http2: bool) -> Iterator[str]:
    if speaks_http2:
        yield "http2 is true: this server speaks HTTP/1.1 only, which every client of HTTP/2 speaks too"
    for file in files:
        try:
            mode = stat.S_IMODE(file.stat().st_mode)
        except OSError:
            continue
        # Certificates are public; the file itself may hold hashes, and a key is secret.
        if mode & stat.S_IWOTH or (mode & stat.S_IROTH and _is_secret(file)):
            yield f"{file}: others may read or change it (mode {mode:04o}); chmod 640 it"


def _is_secret(file: Path) -> bool:
    try:
        text = file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "PRIVATE KEY-----" in text or re.search(r"\$2[aby]\$[0-9]{2}\$", text) is not None
