"""The HTTP services of a unit: the stock firmware's pages, and the small server of the hash side."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol

from simulators.firmware.antminer.new_api import error_codes
from simulators.firmware.like.likeness import likeness_of
from simulators.firmware.pages import digest, lighttpd
from simulators.firmware.pages.stock_pages import PAGES, Page, Visit, is_web_up
from simulators.twins.twin import Twin
from simulators.unit.builds import BUILDS, Line
from simulators.unit.snapshot import OFFLINE
from simulators.unit.unit import Unit

_READ_ONLY: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Reply(NamedTuple):
    """The reply of a web service.

    Attributes:
        data: The bytes.
        note: Entry for the journal.
        is_write: The request asked for a change, granted or not.
        ends_connection: Only the end of the connection ends the reply.
    """

    data: bytes
    note: str
    is_write: bool = False
    ends_connection: bool = False


class WebService(Protocol):
    """A service at one port of every unit."""

    def is_up(self, unit: Unit, t: float) -> bool:
        """Return True if the unit answers here at `t`."""
        ...

    def answer(self, visit: Visit, request: lighttpd.Request, *, is_last: bool) -> Reply:
        """Answer a complete request; after the last one the connection is closed."""
        ...


class StockPages:
    """The pages of the stock firmware behind digest authentication.

    Args:
        password: Password of user root, on every unit.
        seed: Seed of the nonces.
        twin_of: Returns what a unit is the twin of, or None.
    """

    def __init__(
        self,
        *,
        password: str = digest.DEFAULT_PASSWORD,
        seed: int = 0,
        twin_of: Callable[[Unit], Twin | None] = lambda _unit: None,
    ) -> None:
        self._password = password
        self._twin_of = twin_of
        self._seed = seed
        self._nonces = 0

    def is_up(self, unit: Unit, t: float) -> bool:
        """Return True if the unit's web server answers at `t`. Twins of other firmware have no pages."""
        twin = self._twin_of(unit)
        return (twin is None or twin.is_stock) and is_web_up(unit, t)

    def answer(self, visit: Visit, request: lighttpd.Request, *, is_last: bool) -> Reply:
        """Answer a complete request. Documented (D66): no page is shown without credentials, not even that for 404."""
        page = PAGES.get(request.path)
        twin = self._twin_of(visit.unit)
        if twin is not None:
            visit = visit._replace(like=twin.build)
            page = _recorded_page(twin, request.path, page)
        is_write = page.is_write if page else request.method not in _READ_ONLY
        status = digest.check(request.headers.get("authorization"), request.method, self._password)
        if status == 200 and page is None:
            status = 404
        if page is not None and status == 200:
            data = lighttpd.cgi_reply(request, page.show(visit), visit.t, is_last=is_last)
            return Reply(data, f"{request.method} {request.path}", is_write, ends_connection=not request.is_http11)
        data = lighttpd.error_reply(
            status,
            visit.t,
            is_last=is_last,
            is_http11=request.is_http11,
            is_head=request.method == "HEAD",
            challenge=digest.challenge(self._nonce(visit.t)) if status == 401 else "",
        )
        # Only known paths are named, so that clients cannot flood the journal with new kinds of request.
        path = request.path if page or request.path == "/" else "other"
        return Reply(data, f"{request.method} {path} {status}", is_write)

    def _nonce(self, t: float) -> str:
        self._nonces += 1
        return digest.md5_hex(f"{self._seed}+{int(t)}+{self._nonces}")


def _recorded_page(twin: Twin, path: str, page: Page | None) -> Page | None:
    """Return a page that shows a twin's recorded one; `page` where none was recorded, or it changes something."""
    likeness = likeness_of(twin)
    if path not in likeness.paths or (page is not None and page.is_write):
        return page

    def show(visit: Visit) -> tuple[str, ...]:
        chunks = likeness.page(visit.unit, path, visit.t)
        if chunks is not None:
            return chunks
        return () if page is None else page.show(visit)

    return Page(show)


class HashSide:
    """The server of the hash side, without a password: ``/miner_power`` and ``/warning``.

    Documented (D63): the texts "miner power:%d" and "error 6060 cmd" are in the program. Assumed
    (A51): everything around them, and that it answers at all; no reply of it is recorded.

    Args:
        lines: Firmware lines on which it answers; the port is closed on others.
    """

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines = frozenset(lines)

    def is_up(self, unit: Unit, t: float) -> bool:
        """Return True if the unit answers here at `t`; the hash side is down while the miner process is."""
        return is_web_up(unit, t) and unit.phase not in OFFLINE and BUILDS[unit.build].line in self._lines

    def answer(self, visit: Visit, request: lighttpd.Request, *, is_last: bool) -> Reply:
        """Answer a complete request."""
        unit, t = visit.unit, visit.t
        name, text = f"6060 {request.path}", "error 6060 cmd"
        if request.path == "/miner_power":
            text = f"miner power:{round(unit.power_watts(t))}"
        elif request.path == "/warning":
            text = f'{{"error_message":"{_worst_error(unit, t)}"}}'
        else:
            name = "6060 other"
        close = "Connection: close\r\n" if is_last else ""
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n{close}\r\n"
        return Reply((head + text).encode("ascii"), name, request.method not in _READ_ONLY)


def _worst_error(unit: Unit, t: float) -> str:
    """Return the first error code, or ``None`` as text. Documented (D65): the form one reader expects here."""
    codes = list(error_codes(unit, unit.snapshot(t)).values())
    return codes[0] if codes else "None"
