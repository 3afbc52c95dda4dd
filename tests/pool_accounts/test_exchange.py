"""What pools may answer instead: each ends in a reason of the closed list, and in no figure."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web
from pool_account_cases import ACCOUNT, KEY, NOW, SECRET, Certified, Time, answering, key_file, reader, saying, section

from agent.errors import POOL_ACCOUNT_REASONS
from agent.http_client import new_session
from agent.pool_accounts.account import LOOK_S
from agent.pool_accounts.exchange import MAX_REPLY_BYTES
from agent.pool_accounts.gate import Gate, rest_s, retry_after
from agent.site.credited.account import AccountState

GOOD = json.dumps({"result": {"hashrate_3600s": "2e14", "hashrate_86400s": 1.9e14, "snap_ts": str(int(NOW))}}).encode()


async def slow(_: web.Request) -> web.Response:
    """Answer later than any deadline of a test."""
    await asyncio.sleep(30)
    return web.Response(body=GOOD)


async def trickling(request: web.Request) -> web.StreamResponse:
    """Begin an answer and never end it."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(GOOD[:20])
    await asyncio.sleep(30)
    return response


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    """Return the authority of all servers of this file."""
    return Certified(tmp_path_factory.mktemp("pools"))


async def read(answer: Any, certified: Certified, folder: Path, **keys: Any) -> AccountState:
    """Return what is known of an account after one reading of such an answer."""
    time = Time()
    async with answering(answer, certified.server) as url:
        one = section("ocean", folder, url=url, ca_file=certified.ca_file, timeout_s=1.0, **keys)
        accounts = reader([one], time)
        await accounts.read_once()
    (state,) = accounts.states()
    return state


async def test_a_good_answer_is_read(certified: Certified, tmp_path: Path) -> None:
    """Numbers and decimal texts alike."""
    state = await read(saying(GOOD), certified, tmp_path)
    assert dict(state.rates_hs) == {3600: 2e14, 86_400: 1.9e14}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(saying(b"", 401), "refused", id="401"),
        pytest.param(saying(GOOD, 403), "refused", id="403"),
        pytest.param(saying(GOOD, 404), "not_found", id="404"),
        pytest.param(saying(GOOD, 429), "limited", id="429"),
        pytest.param(saying(GOOD, 302, Location="/elsewhere"), "redirected", id="redirect"),
        pytest.param(saying(GOOD, 500), "server", id="500"),
        pytest.param(saying(GOOD, 418), "status", id="418"),
        pytest.param(saying(b"<!doctype html><title>Sign in</title>"), "malformed", id="html"),
        pytest.param(saying(GOOD[:-4]), "malformed", id="cut"),
        pytest.param(saying(b"[" * 200_000), "malformed", id="nested"),
        pytest.param(saying(b" " * (MAX_REPLY_BYTES + 1)), "too_large", id="megabytes"),
        pytest.param(saying(b'{"result": {}}'), "missing", id="nothing in it"),
        pytest.param(saying(b'{"result": {"hashrate_3600s": null}}'), "missing", id="null"),
        pytest.param(saying(b'{"result": {"hashrate_3600s": "200 TH/s"}}'), "missing", id="text with a unit"),
        pytest.param(saying(b'{"result": {"hashrate_3600s": -1}}'), "implausible", id="negative"),
        pytest.param(saying(b'{"result": {"hashrate_3600s": NaN}}'), "implausible", id="nan"),
        pytest.param(saying(b'{"result": {"hashrate_3600s": 2e23}}'), "implausible", id="wrong scale"),
        pytest.param(saying(b'{"result": {"hashrate_3600s": 1' + b"0" * 400 + b"}}"), "implausible", id="long"),
        pytest.param(slow, "timeout", id="slow"),
        pytest.param(trickling, "timeout", id="trickle"),
    ],
)
async def test_any_other_answer_has_a_reason_and_no_figure(
    answer: Any, reason: str, certified: Certified, tmp_path: Path
) -> None:
    """No figure is made of a failure, and the words name neither address nor account."""
    state = await read(answer, certified, tmp_path)
    assert dict(state.failures) == {reason: 1}
    assert reason in POOL_ACCOUNT_REASONS
    assert (state.at, dict(state.rates_hs), state.reads) == (None, {}, 0)
    assert state.trouble is not None
    assert ACCOUNT not in state.trouble
    assert "127.0.0.1" not in state.trouble


async def test_a_window_that_is_missing_is_unknown_and_not_zero(certified: Certified, tmp_path: Path) -> None:
    """The other one stands; zero itself is the pool's word."""
    state = await read(saying(b'{"result": {"hashrate_86400s": "0"}}'), certified, tmp_path)
    assert dict(state.rates_hs) == {86_400: 0.0}


@pytest.mark.parametrize(("snap", "at"), [(NOW + 3600, NOW), (NOW - 900, NOW - 900), (NOW * 1000, NOW), (0, 0.0)])
async def test_a_pool_whose_clock_is_off(snap: float, at: float, certified: Certified, tmp_path: Path) -> None:
    """A figure of the future counts as of now, an old one as old as it says; milliseconds are known by their size."""
    body = json.dumps({"result": {"hashrate_3600s": 1e14, "snap_ts": snap}}).encode()
    state = await read(saying(body), certified, tmp_path)
    assert state.at == pytest.approx(at)
    assert state.age_s == pytest.approx(NOW - at)
    assert state.is_stale is (NOW - at > 1800)


async def test_a_stranger_gets_no_key(certified: Certified, tmp_path: Path) -> None:
    """A server whose certificate is another authority's, or none's, is not asked at all; nor is a closed port."""
    asked: list[str] = []

    async def note(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(body=GOOD)

    other = Certified(tmp_path)
    async with answering(note, certified.server) as url, answering(note, None) as plain:
        for address, reason in (
            (url, "tls"),
            (plain.replace("http:", "https:"), "tls"),
            ("https://127.0.0.1:9", "unreachable"),
        ):
            accounts = reader([section("ocean", tmp_path, url=address, ca_file=other.ca_file, timeout_s=5.0)], Time())
            await accounts.read_once()
            (state,) = accounts.states()
            assert set(state.failures) <= {reason, "unreachable"}
    assert asked == []


async def test_nothing_secret_is_logged(certified: Certified, tmp_path: Path) -> None:
    """Neither key nor secret nor account nor address, whatever the pool does; the account's configured name alone."""
    secrets = (ACCOUNT, KEY, SECRET, "127.0.0.1", "https:")
    with structlog.testing.capture_logs() as logs:
        for body, status in ((GOOD, 200), (f"{ACCOUNT} {KEY}".encode(), 200), (ACCOUNT.encode(), 403), (b"", 302)):
            for kind in ("antpool", "foundry"):
                async with answering(saying(body, status), certified.server) as url:
                    accounts = reader([section(kind, tmp_path, url=url, ca_file=certified.ca_file)], Time())
                    await accounts.read_once()
                    (state,) = accounts.states()
                    assert not any(secret in repr(state) for secret in secrets)
        accounts = reader([section("foundry", tmp_path, url="https://127.0.0.1:9")], Time())
        await accounts.read_once()
    assert len(logs) >= 8
    assert not any(secret in repr(logs) for secret in secrets)
    assert all(entry["pool_account"] == "main" for entry in logs)


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("", 0o600),
        ("one two\n", 0o600),
        (f"{KEY}\nmore\n", 0o600),
        (f"{KEY}\n", 0o640),
        (f"{KEY}\n", 0o644),
        ("\x07\n", 0o600),
    ],
)
async def test_a_key_file_that_cannot_be_used_is_no_request(
    text: str, mode: int, certified: Certified, tmp_path: Path
) -> None:
    """Its mode is held to 0600 at each reading, and its content never appears."""
    async with answering(saying(GOOD), certified.server) as url:
        one = section("foundry", tmp_path, url=url, ca_file=certified.ca_file)
        key_file(tmp_path, text, mode)
        accounts = reader([one], Time())
        await accounts.read_once()
    (state,) = accounts.states()
    assert set(state.failures) == {"key_file"}
    assert KEY not in repr(state)


async def test_a_refused_key_is_tried_again_when_its_file_changes(certified: Certified, tmp_path: Path) -> None:
    """Within half a minute of the change, and not before the back-off is over otherwise."""
    time = Time()
    one = section("foundry", tmp_path, url="https://127.0.0.1:9", ca_file=certified.ca_file)
    (account,) = reader([one], time)._accounts
    account._on_failure(type("E", (Exception,), {"reason": "refused", "retry_after_s": None})("no"))  # type: ignore[arg-type]

    class Around:
        """Clocks that change the file after a minute."""

        clock = staticmethod(time)

        @staticmethod
        async def sleep(seconds: float) -> None:
            await time.sleep(seconds)
            if len(time.slept) == 2:
                key_file(tmp_path, "another-key\n")

    await account._rest(900.0, Around())  # type: ignore[arg-type]
    assert time.slept == [LOOK_S, LOOK_S]


# The pace


async def test_a_reload_shortens_no_wait_that_a_pool_asked_for(certified: Certified, tmp_path: Path) -> None:
    """Another account that changes begins all of them anew; a pool that was asked too often is not asked at once."""
    time, asked = Time(), list[float]()

    async def limit(_: web.Request) -> web.Response:
        asked.append(time.now - NOW)
        return web.Response(status=429, headers={"Retry-After": "900"})

    class ReloadedError(Exception):
        """The configuration has changed."""

    async def sleep(seconds: float) -> None:
        if len(asked) == 1 and seconds > 500:
            time.now += 60.0
            asked.append(-1.0)
            raise ReloadedError
        if len(asked) == 3:
            raise ReloadedError
        await time.sleep(seconds)

    async with answering(limit, certified.server) as url:
        accounts = reader([section("ocean", tmp_path, url=url, ca_file=certified.ca_file)], time)
        accounts._sleep = sleep
        (account,) = accounts._accounts
        async with new_session() as session:
            for _ in range(2):
                with pytest.raises(ReloadedError):
                    await account.run(accounts._around(session))
    assert asked == [0.0, -1.0, 900.0]


async def test_accounts_of_one_pool_take_turns() -> None:
    """One request at a time, and the pause between two, whichever account asks."""
    time, inside, most, begun = Time(0.0), 0, 0, []
    gate = Gate(clock=time, sleep=time.sleep)

    async def ask() -> None:
        nonlocal inside, most
        async with gate.turn(10.0):
            inside += 1
            most = max(most, inside)
            begun.append(time.now)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(ask() for _ in range(4)))
    assert most == 1
    assert begun == [0.0, 10.0, 20.0, 30.0]


def test_failures_lengthen_the_wait_and_never_shorten_it() -> None:
    """Twice as long each time, up to an hour; what the pool asks for counts, up to a day; luck adds a tenth at most."""
    assert [rest_s(300, n, retry_after_s=None, luck=0.0) for n in (0, 1, 2, 3, 5, 50)] == [
        300,
        300,
        600,
        1200,
        3600,
        3600,
    ]
    assert rest_s(300, 1, retry_after_s=900.0, luck=0.0) == 900
    assert rest_s(300, 1, retry_after_s=5.0, luck=0.0) == 300
    assert rest_s(300, 1, retry_after_s=1e9, luck=0.0) == 86_400
    assert rest_s(3600, 9, retry_after_s=None, luck=0.999) <= 3960


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        (None, None),
        ("120", 120.0),
        ("Mon, 01 Dec 2025 00:02:00 GMT", 120.0),
        ("Mon, 01 Dec 2020 00:02:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("9" * 100, None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(text: str | None, wait_s: float | None) -> None:
    """Anything else counts as not said."""
    assert retry_after(text, now=NOW) == wait_s
