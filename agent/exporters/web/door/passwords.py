"""Passwords held against bcrypt hashes: at one cost for all, off the event loop, and few at a time.

A wrong password costs as many rounds as an unknown name. The right one always passes: at once if it was right in
the last ten minutes, else after its turn. Callers with wrong ones lose their turns to each other, not to others.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import bcrypt

from agent.exporters.web.door.web_file import cost_of
from agent.exporters.web.rate_limit import Limiter
from agent.exporters.web.threads import in_thread

Check = Callable[[bytes, bytes], bool]

# Ten wrong ones, then one every six seconds: as of tokens.
WRONG_BURST, WRONG_REFILL_S = 10, 6.0
REMEMBERED = 256
REMEMBERED_S = 600.0
MAX_WAITING = 32
MAX_WAITING_SLOWLY = 8
PACE_S = 0.5
# bcrypt reads no more; longer passwords are cut by every tool that makes its hashes.
MAX_BYTES = 72
# Salt and digest of no password.
_DECOY = "." * 53


class CrowdedError(Exception):
    """Too many passwords wait to be checked; the caller should come back in `wait_s`."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


class Lane:
    """Turns for one at a time, with a bound on how many wait.

    Args:
        most: Callers inside, the one at work included.
        wait_s: Advised to callers for whom there is no place.
    """

    def __init__(self, most: int, wait_s: float) -> None:
        self._most = most
        self._wait_s = wait_s
        self._inside = 0
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it while the block runs.

        Raises:
            CrowdedError: Too many wait.
        """
        if self._inside >= self._most:
            raise CrowdedError(self._wait_s)
        self._inside += 1
        try:
            async with self._lock:
                yield
        finally:
            self._inside -= 1


class Passwords:
    """Checks passwords and remembers, for a while, which were right.

    Args:
        clock: Monotonic clock, s.
        check: Returns True if a password is the one of a hash.
        sleep: Waits.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        check: Check = bcrypt.checkpw,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._check = check
        self._sleep = sleep
        self._secret = secrets.token_bytes(32)
        # When each was last right, the oldest first. Keys are digests, so that no password stays in memory.
        self._right: OrderedDict[bytes, float] = OrderedDict()
        self._wrong = Limiter(burst=WRONG_BURST, refill_s=WRONG_REFILL_S, clock=clock)
        self._lane = Lane(MAX_WAITING, WRONG_REFILL_S)
        self._slow_lane = Lane(MAX_WAITING_SLOWLY, WRONG_REFILL_S)

    async def is_right(self, users: Mapping[str, bytes], user: str, password: bytes, caller: str) -> bool:
        """Return True if a user has this password.

        Args:
            users: bcrypt hashes by name; at least one.
            user: The name that was given, of a user or not.
            password: The password that was given.
            caller: The client's address.

        Raises:
            CrowdedError: It was not checked: too many wait, or the caller's wrong ones have used up its turns.
        """
        key = self._key(user, users.get(user, b""), password)
        if user in users and self._is_remembered(key):
            return True
        if self._wrong.wait_s(caller) == 0:
            async with self._lane.turn():
                # While this one waited, others of its address may have been wrong, or the same one right.
                if self._wrong.wait_s(caller) == 0:
                    return await self._look(users, user, password, key, caller)
        async with self._slow_lane.turn():
            is_right = await self._look(users, user, password, key, caller)
            if is_right:
                return True
            await self._sleep(PACE_S)
        raise CrowdedError(self._wrong.wait_s(caller))

    async def _look(self, users: Mapping[str, bytes], user: str, password: bytes, key: bytes, caller: str) -> bool:
        if user in users and self._is_remembered(key):
            return True
        is_right = await in_thread(lambda: _is_of(users, user, password[:MAX_BYTES], self._check))
        if is_right:
            self._right[key] = self._clock()
            while len(self._right) > REMEMBERED:
                self._right.popitem(last=False)
        else:
            self._wrong.spend(caller)
        return is_right

    def _is_remembered(self, key: bytes) -> bool:
        at, now = self._right.get(key), self._clock()
        if at is None:
            return False
        if now - at > REMEMBERED_S:
            del self._right[key]
            return False
        self._right[key] = now
        self._right.move_to_end(key)
        return True

    def _key(self, user: str, hashed: bytes, password: bytes) -> bytes:
        parts = (user.encode("utf-8", "surrogatepass"), hashed, password)
        message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.digest(self._secret, message, hashlib.sha256)


def _is_of(users: Mapping[str, bytes], user: str, password: bytes, check: Check) -> bool:
    """Return True if it is the user's password, after as many rounds as the costliest hash takes.

    A hash of cost c takes 2**c rounds. One of each cost from there to the highest makes up for the difference.
    """
    most = max(map(cost_of, users.values()))
    hashed = users.get(user)
    if hashed is None:
        check(password, _decoy(most))
        return False
    is_right = check(password, hashed)
    for cost in range(cost_of(hashed), most):
        check(password, _decoy(cost))
    return is_right


def _decoy(cost: int) -> bytes:
    return f"$2b${cost:02}${_DECOY}".encode()
