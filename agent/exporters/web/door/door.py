"""The door: what every connection and every request passes before it is answered.

    connection -> TLS, client certificate -> request -> rate limit -> token or password -> role -> answer

Without a web configuration file everyone who reaches the server is a viewer, and only a token makes an operator.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from ipaddress import ip_address

import structlog
from aiohttp import web
from multidict import CIMultiDict

from agent.address import Endpoint
from agent.exporters.http_refusals import HttpRefusal
from agent.exporters.web.bearer import Token
from agent.exporters.web.door.callers import ANYBODY, CALLER, Caller, Role, basic_credentials, caller_of
from agent.exporters.web.door.changes import foreign_change
from agent.exporters.web.door.exposure import exposure
from agent.exporters.web.door.passwords import CrowdedError, Passwords
from agent.exporters.web.door.tls_server import ServerTls
from agent.exporters.web.door.watch import WebFileWatch
from agent.exporters.web.door.web_file import RequestRate, WebFile
from agent.exporters.web.rate_limit import Limiter
from agent.exporters.web.responses import error_response

log = structlog.get_logger(__name__)

# Ten wrong tokens, then one every six seconds; the right one always passes. This limit keeps the log short: what makes
# guessing hopeless is the token's length.
WRONG_TOKEN_BURST, WRONG_TOKEN_REFILL_S = 10, 6.0
_CHALLENGES = CIMultiDict(
    [("WWW-Authenticate", 'Basic realm="hashsight", charset="UTF-8"'), ("WWW-Authenticate", 'Bearer realm="hashsight"')]
)
_NO_LIMIT = RequestRate(interval_s=0.0, burst=0)


class Door:
    """TLS, users, tokens and roles of one server.

    Args:
        file: The web configuration file; None without one.
        listen: Where the server listens.
        operators: Returns the names of the users who may change things.
        token: Returns the operators' token; None without one.
        viewer_token: Returns the viewers' token; None without one.
        clock: Monotonic clock, s.
        passwords: Checks passwords.
    """

    def __init__(
        self,
        file: WebFile | None = None,
        *,
        listen: Endpoint | None = None,
        operators: Callable[[], Collection[str]] = tuple,
        token: Callable[[], Token | None] = lambda: None,
        viewer_token: Callable[[], Token | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        passwords: Passwords | None = None,
    ) -> None:
        self._watch = None if file is None else WebFileWatch(file)
        self._listen = listen
        self._operators = operators
        self._token = token
        self._viewer_token = viewer_token
        self._clock = clock
        self._passwords = passwords or Passwords(clock)
        self._wrong_tokens = Limiter(burst=WRONG_TOKEN_BURST, refill_s=WRONG_TOKEN_REFILL_S, clock=clock)
        self._rate = _NO_LIMIT
        self._limiter = Limiter(burst=1, refill_s=0.0, clock=clock)

    @property
    def file(self) -> WebFile | None:
        """The web configuration in force, after a look if its file changed."""
        return None if self._watch is None else self._watch.current()

    @property
    def trouble(self) -> str | None:
        """Why the web configuration file as it stands is not in force; None if it is, or if there is none."""
        return None if self._watch is None else self._watch.trouble

    @property
    def is_in_force(self) -> bool:
        """True if the web configuration file is in force as it stands, after a look if it changed."""
        return self.file is None or self.trouble is None

    @property
    def exposure(self) -> str | None:
        """The protection that the server lacks where it listens; None if it lacks none."""
        return None if self._listen is None else exposure(self._listen, self.file)

    def tls(self) -> ServerTls | None:
        """Return how a new connection is to be encrypted; None if it is not."""
        file = self.file
        return None if file is None else file.tls

    def headers(self) -> Mapping[str, str]:
        """Return the headers that every answer gets."""
        file = None if self._watch is None else self._watch.current()
        return {} if file is None else file.headers

    async def refusal(self, request: web.Request, refused: Counter[str]) -> web.Response | None:
        """Return the answer that turns a request away, or None after noting who sent it.

        Args:
            request: The request.
            refused: Counts of the clients turned away, by reason.
        """
        file = self.file
        if file is not None and not self._is_in_rate(file.rate):
            refused[HttpRefusal.RATE] += 1
            return _too_many(request, file.rate.interval_s if file.rate else 1.0)
        users = {} if file is None else file.users
        authorization = request.headers.get("Authorization", "")
        caller = self._by_token(authorization)
        if caller is None and users:
            credentials = basic_credentials(authorization)
            if credentials is None:
                return self._no_login(request, authorization, refused)
            try:
                is_right = await self._passwords.is_right(users, *credentials, request.remote or "")
            except CrowdedError as error:
                refused[HttpRefusal.LOGIN] += 1
                return _too_many(request, error.wait_s)
            if not is_right:
                return self._wrong_password(request, refused)
            caller = Caller(name=credentials[0], role=self._role(credentials[0]))
        request[CALLER] = caller or ANYBODY
        return None

    def stranger_refusal(self, request: web.Request, refused: Counter[str]) -> web.Response | None:
        """Return the answer that turns away a caller without login or token, or None for any other."""
        if caller_of(request) != ANYBODY:
            return None
        if self._token() is None:
            return error_response(request, 403, "refused: no token is configured ([api] token_file)")
        return self._wrong_token(request, refused)

    def operator_refusal(self, request: web.Request, refused: Counter[str]) -> web.Response | None:
        """Return the answer that turns a change away, or None if an operator ordered it on purpose."""
        caller = caller_of(request)
        if caller == ANYBODY:
            return self.stranger_refusal(request, refused)
        if caller.role is not Role.OPERATOR:
            reason = f"{caller.name} may read and not change: web.operators and [api] token_file say who may"
            return error_response(request, 403, reason)
        foreign = foreign_change(request, caller)
        if foreign is not None:
            refused[HttpRefusal.ORIGIN] += 1
            return error_response(request, *foreign)
        return None

    def may_see_accounts(self, request: web.Request) -> bool:
        """Return True for a caller who may see where units' work goes in full: addresses of pools, and accounts.

        Operators may. Without users, everyone may who reaches a server that listens on this machine alone.
        """
        caller = caller_of(request)
        if caller == ANYBODY:
            return self._listen is not None and ip_address(self._listen.host).is_loopback
        return caller.role is Role.OPERATOR

    def _role(self, user: str) -> Role:
        return Role.OPERATOR if user in self._operators() else Role.VIEWER

    def _by_token(self, authorization: str) -> Caller | None:
        for token, role in ((self._token(), Role.OPERATOR), (self._viewer_token(), Role.VIEWER)):
            if token is not None and token.is_shown_by(authorization):
                return Caller(name="token", role=role, by_token=True)
        return None

    def _is_in_rate(self, rate: RequestRate | None) -> bool:
        if rate is None:
            return True
        if rate != self._rate:
            self._rate = rate
            self._limiter = Limiter(burst=rate.burst, refill_s=rate.interval_s, clock=self._clock)
        if self._limiter.wait_s("") > 0:
            return False
        self._limiter.spend("")
        return True

    def _no_login(self, request: web.Request, authorization: str, refused: Counter[str]) -> web.Response:
        if authorization:
            return self._wrong_token(request, refused)
        refused[HttpRefusal.LOGIN] += 1
        return error_response(request, 401, "a login is needed: user and password, or a bearer token", _CHALLENGES)

    def _wrong_password(self, request: web.Request, refused: Counter[str]) -> web.Response:
        refused[HttpRefusal.LOGIN] += 1
        log.warning("wrong password", caller=request.remote, method=request.method)
        return error_response(request, 401, "user or password is wrong", _CHALLENGES)

    def _wrong_token(self, request: web.Request, refused: Counter[str]) -> web.Response:
        """Return the answer to a caller without the token: at first the reason, then only when to try again."""
        refused[HttpRefusal.TOKEN] += 1
        caller = request.remote or ""
        wait_s = self._wrong_tokens.wait_s(caller)
        if wait_s > 0:
            return _too_many(request, wait_s)
        self._wrong_tokens.spend(caller)
        log.warning("wrong token", caller=caller, method=request.method)
        reason = (
            "the token is wrong"
            if request.headers.get("Authorization")
            else "a token is needed (Authorization: Bearer)"
        )
        return error_response(request, 401, reason, {"WWW-Authenticate": 'Bearer realm="hashsight"'})


def _too_many(request: web.Request, wait_s: float) -> web.Response:
    return error_response(request, 429, "too many requests; see Retry-After", {"Retry-After": str(math.ceil(wait_s))})
