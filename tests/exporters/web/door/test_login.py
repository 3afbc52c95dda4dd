"""Users, tokens and roles: who is let in, what a wrong password costs, and which changes are refused."""

import asyncio
import threading
from pathlib import Path

import bcrypt
import pytest
from web_doors import HASHES, TOKEN, USERS, VIEWER_TOKEN, Clock, ask, basic, served, written

from agent.address import Endpoint
from agent.exporters.web.door import passwords
from agent.exporters.web.door.exposure import exposure
from agent.exporters.web.door.passwords import CrowdedError, Passwords
from agent.exporters.web.door.web_file import cost_of, read_web_file

ANNA, BEN = basic("anna", "anna's"), basic("ben", "ben's")
BEARER, VIEWER = f"Bearer {TOKEN.text}", f"Bearer {VIEWER_TOKEN.text}"
PATHS = (
    "/",
    "/assets/page.css",
    "/metrics",
    "/metrics/site",
    "/healthz",
    "/readyz",
    "/-/healthy",
    "/api/v1/site",
    "/x",
)
JSON = {"Content_Type": "application/json"}
OWN = {"Sec_Fetch_Site": "same-origin", **JSON}


class Counted:
    """bcrypt, counting its rounds."""

    def __init__(self) -> None:
        self.rounds: list[int] = []

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        """Check a password."""
        self.rounds.append(2 ** cost_of(hashed))
        return bcrypt.checkpw(password, hashed)


async def reload() -> str | None:
    """Reload nothing."""
    return None


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """Return a web configuration file with two users."""
    return written(tmp_path, USERS)


async def test_with_users_every_address_needs_a_login(users: Path) -> None:
    """Without one, each address is 401; with any of four, it is answered. No cookie is set."""
    async with served(users) as port:
        for path in PATHS:
            refused = await ask(port, path)
            assert (path, refused.status, "Set-Cookie" in refused.headers) == (path, 401, False)
            for login in (ANNA, BEN, BEARER, VIEWER):
                answer = await ask(port, path, Authorization=login)
                assert (path, answer.status) == (path, 404 if path == "/x" else 200)
                assert not {name for name in answer.headers if name.lower().startswith("access-control")}


async def test_without_users_everybody_reads(tmp_path: Path) -> None:
    """Without users no login is asked for, and one that is shown all the same is not held against anybody."""
    async with served(written(tmp_path, "")) as port:
        for headers in ({}, {"Authorization": basic("anna", "wrong")}, {"Authorization": "Bearer wrong"}):
            assert (await ask(port, "/", **headers)).status == 200


@pytest.mark.parametrize(
    "login",
    [
        basic("anna", "ben's"),
        basic("anna", ""),
        basic("", ""),
        basic("eve", "anna's"),
        basic("ANNA", "anna's"),
        basic("anna", "anna's "),
        "Basic YW5uYQ==",
        "Basic !!!",
        "Basic /w==",
        "Bearer anna's",
        "Digest anna",
    ],
)
async def test_wrong_logins_are_refused(login: str, users: Path) -> None:
    """Each is 401, and tells nothing of who exists."""
    async with served(users) as port:
        assert (await ask(port, Authorization=login)).status == 401


async def test_a_long_password_is_cut_as_everywhere(tmp_path: Path) -> None:
    """Bcrypt reads 72 bytes: a longer password is right if these are, and no error."""
    hashed = bcrypt.hashpw(b"p" * 72, bcrypt.gensalt(4)).decode()
    async with served(written(tmp_path, f"basic_auth_users: {{anna: {hashed}}}\n")) as port:
        assert (await ask(port, Authorization=basic("anna", "p" * 100))).status == 200
        assert (await ask(port, Authorization=basic("anna", "p" * 71))).status == 401


async def test_a_wrong_password_costs_as_much_as_a_wrong_user() -> None:
    """Whatever the cost of a user's hash, as many rounds are counted for it as for a name that nobody has."""
    spent = {}
    hashes = {name: bcrypt.hashpw(b"right", bcrypt.gensalt(cost)) for name, cost in (("a", 4), ("b", 5), ("c", 7))}
    for user in ("a", "b", "c", "nobody"):
        counted = Counted()
        assert not await Passwords(Clock(), check=counted).is_right(hashes, user, b"wrong", "10.0.0.1")
        spent[user] = sum(counted.rounds)
    assert spent == dict.fromkeys(("a", "b", "c", "nobody"), 2**7)


async def test_a_right_password_is_remembered_for_a_while() -> None:
    """It costs bcrypt once in ten idle minutes; a changed hash and another password are looked at anew."""
    counted, clock = Counted(), Clock()
    checked = Passwords(clock, check=counted)
    hashes = {name: hashed.encode() for name, hashed in HASHES.items()}

    async def looks(password: bytes) -> int:
        before = len(counted.rounds)
        await checked.is_right(hashes, "anna", password, "10.0.0.1")
        return len(counted.rounds) - before

    assert [await looks(b"anna's"), await looks(b"anna's"), await looks(b"wrong"), await looks(b"wrong")] == [
        1,
        0,
        1,
        1,
    ]
    clock.at += passwords.REMEMBERED_S
    assert await looks(b"anna's") == 0
    clock.at += passwords.REMEMBERED_S + 1
    assert await looks(b"anna's") == 1
    hashes["anna"] = bcrypt.hashpw(b"another", bcrypt.gensalt(4))
    assert await looks(b"anna's") == 1


async def test_what_is_remembered_is_bounded_and_holds_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least recently right are forgotten, and keys are digests."""
    monkeypatch.setattr(passwords, "REMEMBERED", 3)
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(4))
    hashes = {f"user{number}": hashed for number in range(6)}
    checked = Passwords(Clock())
    for user in hashes:
        assert await checked.is_right(hashes, user, b"right", "10.0.0.1")
    assert len(checked._right) == 3
    assert all(len(key) == 32 for key in checked._right)


async def test_wrong_passwords_are_slowed_down_and_right_ones_pass(users: Path) -> None:
    """After ten wrong ones an address gets 429; users who are known, and others' right passwords, pass all the same."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with served(users, passwords={"sleep": sleep}) as port:
        assert (await ask(port, Authorization=ANNA)).status == 200
        wrong = [(await ask(port, Authorization=basic("anna", f"no{number}"))).status for number in range(12)]
        assert wrong == [401] * passwords.WRONG_BURST + [429] * 2
        late = await ask(port, Authorization=basic("eve", "x"))
        assert (late.status, int(late.headers["Retry-After"]) > 0) == (429, True)
        assert (await ask(port, Authorization=ANNA)).status == 200
        assert (await ask(port, Authorization=BEN)).status == 200
        assert (await ask(port, Authorization=BEARER)).status == 200
    assert slept == [passwords.PACE_S] * 3


async def test_few_passwords_are_checked_at_once() -> None:
    """One is at work; thirty-one wait; further ones are turned away without a look, and none is lost."""
    may_end, at_work, most = threading.Event(), [0], [0]

    def check(_: bytes, __: bytes) -> bool:
        at_work[0] += 1
        most[0] = max(most[0], at_work[0])
        may_end.wait(20)
        at_work[0] -= 1
        return False

    checked = Passwords(Clock(), check=check)
    hashes = {"anna": HASHES["anna"].encode()}

    async def one(number: int) -> str:
        try:
            await checked.is_right(hashes, "anna", b"x%d" % number, f"10.0.0.{number}")
        except CrowdedError:
            return "crowded"
        return "checked"

    asked = [asyncio.create_task(one(number), name="asks") for number in range(40)]
    await asyncio.sleep(0)
    may_end.set()
    said = [await each for each in asked]
    assert (said.count("checked"), said.count("crowded"), most) == (passwords.MAX_WAITING, 8, [1])


async def change(port: int, **headers: str) -> int:
    """Return the status of a change."""
    return (await ask(port, "/-/reload", method="POST", Content_Length="0", **headers)).status


async def test_only_operators_change_things(users: Path) -> None:
    """Of users and tokens alike, a viewer's change is 403; who did not log in gets 401 first."""
    async with served(users, reload=reload) as port:
        assert await change(port) == 401
        assert await change(port, Authorization=BEN, **OWN) == 403
        assert await change(port, Authorization=VIEWER, **OWN) == 403
        assert await change(port, Authorization=ANNA, **OWN) == 200
        assert await change(port, Authorization=BEARER) == 200


async def test_without_users_a_change_needs_the_token(tmp_path: Path) -> None:
    """Everybody reads, and only the token changes anything."""
    async with served(written(tmp_path, ""), reload=reload) as port:
        assert await change(port, **OWN) == 401
        assert await change(port, Authorization=ANNA, **OWN) == 401
        assert await change(port, Authorization=VIEWER) == 403
        assert await change(port, Authorization=BEARER) == 200


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, {"Sec_Fetch_Site": "same-origin"}),
        (200, {"Origin": "http://localhost"}),
        (200, {"Origin": "http://localhost:9184", "Host": "localhost:9184"}),
        (200, {"Origin": "https://localhost", "Host": "localhost"}),
        (200, {"Origin": "http://localhost", "Sec_Fetch_Site": "same-origin"}),
        (403, {}),
        (403, {"Origin": "null"}),
        (403, {"Origin": "http://evil.example"}),
        (403, {"Origin": "http://localhost.evil.example"}),
        (403, {"Origin": "http://localhost:1"}),
        (403, {"Origin": "http://[", "Host": "localhost"}),
        (403, {"Sec_Fetch_Site": "same-site"}),
        (403, {"Sec_Fetch_Site": "cross-site", "Origin": "http://localhost"}),
        (403, {"Sec_Fetch_Site": "none"}),
        (415, {"Sec_Fetch_Site": "same-origin", "Content_Type": "text/plain"}),
        (415, {"Sec_Fetch_Site": "same-origin", "Content_Type": "application/x-www-form-urlencoded"}),
        (415, {"Sec_Fetch_Site": "same-origin", "Content_Type": ""}),
    ],
)
async def test_no_page_of_another_site_changes_anything(status: int, headers: dict[str, str], users: Path) -> None:
    """With a password, only JSON from the agent's own page passes: a foreign page cannot make a browser send that."""
    async with served(users, reload=reload) as port:
        assert await change(port, Authorization=ANNA, **{**JSON, **headers}) == status


async def test_a_foreign_page_is_allowed_nothing(users: Path) -> None:
    """The question that a browser asks before a foreign page's change gets no permission."""
    async with served(users, reload=reload) as port:
        asked = await ask(
            port,
            "/-/reload",
            method="OPTIONS",
            Origin="http://evil.example",
            Access_Control_Request_Method="POST",
            Authorization=ANNA,
        )
    assert asked.status == 405
    assert not [name for name in asked.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(("said", "status"), [(None, 200), ("site.toml: poll.interval_s = '0': 1 to 3600", 500)])
async def test_reload_says_what_came_of_it(said: str | None, status: int, tmp_path: Path) -> None:
    """200 if the files are in force, 500 with the mistake if the old ones stay; GET is refused."""

    async def read() -> str | None:
        return said

    async with served(written(tmp_path, ""), reload=read) as port:
        answer = await ask(port, "/-/reload", method="POST", Content_Length="0", Authorization=BEARER)
        assert (answer.status, (said or "reloaded").encode() in answer.body) == (status, True)
        got = await ask(port, "/-/reload", Authorization=BEARER)
        assert (got.status, got.headers["Allow"]) == (405, "POST")


def listening(text: str, folder: Path, host: str = "10.0.0.5") -> str | None:
    """Return what is missing at an address."""
    return exposure(Endpoint(host, 9184), read_web_file(written(folder, text)) if text else None)


def test_what_is_missing_is_said_precisely(tmp_path: Path) -> None:
    """On loopback nothing is missing; elsewhere what there is neither of, or what alone is not there."""
    assert listening("", tmp_path, "127.0.0.1") is None
    assert listening("", tmp_path, "::1") is None
    assert "no TLS and no users" in str(listening("", tmp_path))
    assert "no TLS: passwords" in str(listening(USERS, tmp_path))
    assert "0.0.0.0:9184" in str(listening("", tmp_path, "0.0.0.0"))
