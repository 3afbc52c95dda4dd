"""The units' web server, lighttpd 1.4.32, as a client sees it: it takes the head of a request and returns a reply.

No sockets here. Documented (D69): the published sources of that version (src/request.c, response.c,
connections.c, mod_cgi.c), followed line by line where a client can tell. Observed (O65, O66):
s21plus-stock-202503, both recorded replies.
"""

import posixpath
import re
from collections.abc import Iterable, Sequence
from email.utils import formatdate
from typing import Final, NamedTuple
from urllib.parse import unquote

HEAD_END: Final = b"\r\n\r\n"
MAX_HEAD_BYTES: Final = 64 * 1024  # connections.c; beyond it the server answers 414.
MAX_BODY_BYTES: Final = 64 * 1024  # The real server spools larger bodies to files; settings are below 2 kB.
MAX_REQUESTS: Final = 16  # configfile.c, max_keep_alive_requests; the next one is the last.

_SERVER = "Server: lighttpd/1.4.32"

_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    411: "Length Required",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    417: "Expectation Failed",
    501: "Not Implemented",
    505: "HTTP Version Not Supported",
}

# keyvalue.c. A CGI script runs for every method.
_METHODS = frozenset({"GET", "POST", "HEAD", "PROPFIND", "PROPPATCH", "REPORT", "OPTIONS", "MKCOL", "PUT", "PATCH"}) | {
    *("DELETE", "COPY", "MOVE", "LABEL", "CHECKOUT", "CHECKIN", "MERGE", "LOCK", "UNLOCK", "MKACTIVITY", "UNCHECKOUT"),
    *("VERSION-CONTROL", "CONNECT"),
}
_VERSION = re.compile(r"HTTP/(\d{1,4})\.(\d{1,4})")
_HEADER = re.compile(r'([^\x00-\x20\x7f()<>@,;\\"/\[\]?={}:]+)[ \t]*:(.*)', re.DOTALL)
_FORBIDDEN_IN_URI = re.compile(r"[\x00-\x20\x7f\xff]")
_FORBIDDEN_IN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f]")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z.-]+)(?::\d*)?")
_ONCE = frozenset({"content-length", "content-type", "host"})


class Request(NamedTuple):
    """The head of a request.

    Attributes:
        method: HTTP method.
        path: Decoded path, without the query.
        headers: Values by lower-case name.
        is_http11: The client speaks HTTP/1.1, else 1.0.
        is_kept_alive: The client wants to keep the connection.
        body_bytes: Length of the body.
    """

    method: str
    path: str
    headers: dict[str, str]
    is_http11: bool
    is_kept_alive: bool
    body_bytes: int


class BadRequestError(ValueError):
    """A head that the server refuses before it closes the connection.

    Attributes:
        status: Status of the answer.
        is_http11: The answer is in HTTP/1.1 because the request line was understood.
    """

    def __init__(self, status: int, *, is_http11: bool) -> None:
        super().__init__(_REASONS[status])
        self.status = status
        self.is_http11 = is_http11


def read_head(head: bytes) -> Request:
    """Parse the head of a request, including the empty line at its end.

    Raises:
        BadRequestError: Any other bytes.
    """
    first, *lines = head.removesuffix(HEAD_END).decode("latin-1").split("\r\n")
    method, uri, is_http11 = _read_request_line(first)
    headers: dict[str, str] = {}
    if uri.startswith(("http://", "https://")):
        host, slash, rest = uri.split("//", 1)[1].partition("/")
        if slash:
            uri, headers["host"] = slash + rest, host
    has_uri_host = "host" in headers
    name = ""
    for line in lines:
        if line.startswith((" ", "\t")):
            if not name:
                raise BadRequestError(400, is_http11=is_http11)
            headers[name] = headers.get(name, "") + line
            continue
        name, value = _read_header(line, is_http11=is_http11)
        if not value or (name == "host" and has_uri_host):
            continue
        if name in headers:
            if name in _ONCE:
                raise BadRequestError(400, is_http11=is_http11)
            value = f"{headers[name]}, {value}"
        headers[name] = value
    return _finish(method, uri, headers, is_http11=is_http11)


def cgi_reply(request: Request, parts: Iterable[str], t: float, *, is_last: bool) -> bytes:
    """Return the reply of a CGI script that printed `parts`, one chunk each, and no header of its own.

    HTTP/1.0 gets the plain text, ended by the end of the connection.
    """
    lines = ["Connection: close"] if is_last or not request.is_http11 else []
    if request.method == "HEAD":
        return _head(200, lines, t, is_http11=request.is_http11)
    texts = [part.encode("ascii", "replace") for part in parts if part]
    if not request.is_http11:
        return _head(200, lines, t, is_http11=False) + b"".join(texts)
    lines.append("Transfer-Encoding: chunked")
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(text), text) for text in texts)
    return _head(200, lines, t, is_http11=True) + chunks + b"0\r\n\r\n"


def error_reply(
    status: int, t: float, *, is_last: bool, is_http11: bool = True, is_head: bool = False, challenge: str = ""
) -> bytes:
    """Return the server's own page for a status from 400 on.

    Args:
        status: A status the server knows.
        t: Time for the Date header, Unix seconds.
        is_last: The server closes the connection after it.
        is_http11: Answer in HTTP/1.1, else 1.0.
        is_head: Leave the body out.
        challenge: Value of WWW-Authenticate; empty for no such header.
    """
    title = f"{status} - {_REASONS[status]}"
    # Observed (O65): s21plus-stock-202503, http-401-root, 351 bytes.
    body = (
        '<?xml version="1.0" encoding="iso-8859-1"?>\n'
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"\n'
        '         "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">\n'
        f" <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n </body>\n</html>\n"
    )
    lines = [f"WWW-Authenticate: {challenge}"] if challenge else []
    lines += ["Content-Type: text/html", f"Content-Length: {len(body)}"]
    if is_last:
        lines.append("Connection: close")
    elif not is_http11:
        lines.append("Connection: keep-alive")
    return _head(status, lines, t, is_http11=is_http11) + (b"" if is_head else body.encode("ascii"))


def _head(status: int, lines: Sequence[str], t: float, *, is_http11: bool) -> bytes:
    version = "HTTP/1.1" if is_http11 else "HTTP/1.0"
    date = f"Date: {formatdate(t, usegmt=True)}"
    return "\r\n".join((f"{version} {status} {_REASONS[status]}", *lines, date, _SERVER, "", "")).encode("ascii")


def _read_request_line(line: str) -> tuple[str, str, bool]:
    """Return method, URI and True for HTTP/1.1; until the version is known, refusals are answered in HTTP/1.0."""
    parts = line.split(" ")
    if len(parts) != 3:
        raise BadRequestError(400, is_http11=False)
    method, uri, protocol = parts
    if method not in _METHODS:
        raise BadRequestError(501, is_http11=False)
    version = _VERSION.fullmatch(protocol)
    if version is None:
        raise BadRequestError(400, is_http11=False)
    major, minor = map(int, version.groups())
    if major != 1 or minor > 1:
        raise BadRequestError(505, is_http11=False)
    if not uri or _FORBIDDEN_IN_URI.search(uri):
        raise BadRequestError(400, is_http11=minor == 1)
    return method, uri, minor == 1


def _read_header(line: str, *, is_http11: bool) -> tuple[str, str]:
    match = _HEADER.fullmatch(line)
    if match is None or _FORBIDDEN_IN_VALUE.search(match[2]):
        raise BadRequestError(400, is_http11=is_http11)
    name, value = match[1].lower(), match[2].strip(" \t")
    if name == "expect" and value.lower() == "100-continue":
        raise BadRequestError(417, is_http11=is_http11)
    if name == "content-length" and value.strip("0123456789"):
        raise BadRequestError(400, is_http11=is_http11)
    return name, value


def _finish(method: str, uri: str, headers: dict[str, str], *, is_http11: bool) -> Request:
    """Check the rules that need the whole head."""
    connection = [word.strip().lower() for word in headers.get("connection", "").split(",")]
    is_kept_alive = "close" not in connection if is_http11 else "keep-alive" in connection
    host, length = headers.get("host"), headers.get("content-length")
    if (is_http11 and host is None) or (host is not None and _HOST.fullmatch(host) is None):
        raise BadRequestError(400, is_http11=is_http11)
    if method == "POST" and length is None:
        raise BadRequestError(411, is_http11=is_http11)
    digits = (length or "").lstrip("0")
    if digits and method in {"GET", "HEAD"}:
        raise BadRequestError(400, is_http11=is_http11)
    if len(digits) > 9 or int(digits or 0) > MAX_BODY_BYTES:
        raise BadRequestError(413, is_http11=is_http11)
    path = posixpath.normpath(unquote(uri.partition("?")[0], encoding="latin-1"))
    return Request(method, path, headers, is_http11, is_kept_alive, int(digits or 0))
